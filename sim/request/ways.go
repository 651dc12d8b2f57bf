package request

import "slices"

// differ takes in what instances differ in: speeds, and the delays of their links.
func (e *Engine) differ() {
	in := &e.sc.Instances
	link := int64(e.sc.NIC.InstanceDelay)
	e.ways = []int64{link}
	if len(in.Delay) > 0 {
		e.ways = nil
		for k := range e.instances {
			e.ways = append(e.ways, int64(in.DelayOf(k+1)))
		}
		delays := slices.Clone(e.ways)
		slices.Sort(e.ways)
		e.ways = slices.Compact(e.ways)
		for k := range e.instances {
			way, _ := slices.BinarySearch(e.ways, delays[k])
			e.instances[k].way = int32(way)
		}
	}
	if len(in.Speed) > 0 {
		for k := range e.instances {
			e.speeds = append(e.speeds, in.SpeedOf(k+1))
		}
	}
	e.asked, e.answers = make([]probes, len(e.ways)), make([]probes, len(e.ways))
	for range e.ways {
		e.replies = append(e.replies, empty)
	}
}

// wayTo is the way to an instance, of those in ways.
func (e *Engine) wayTo(k int32) int {
	if len(e.ways) == 1 {
		return 0
	}
	return int(e.instances[k].way)
}

// soonest is when the first of them is due.
func soonest(ways []probes) int64 {
	t := never
	for w := range ways {
		t = min(t, ways[w].next())
	}
	return t
}

// first is the way of the first that is due now.
func first(ways []probes, now int64) int {
	return slices.IndexFunc(ways, func(p probes) bool { return p.next() == now })
}
