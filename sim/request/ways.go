package request

import "slices"

// lay lays the ways to instances: one, unless the scenario gives them delays.
func (e *Engine) lay() {
	e.ways = []int64{int64(e.sc.NIC.InstanceDelay)}
	if given := e.sc.Instances.Delay; len(given) > 0 {
		e.ways = nil
		for _, d := range given {
			e.ways = append(e.ways, int64(d))
		}
		slices.Sort(e.ways)
		e.ways = slices.Compact(e.ways)
	}
	e.asked, e.answers = make([]probes, len(e.ways)), make([]probes, len(e.ways))
	for range e.ways {
		e.replies = append(e.replies, empty)
	}
}

// differ says in what an instance differs from others. Its number is that among all, since there is one station then.
func (e *Engine) differ(in *instance, number int) {
	of := &e.sc.Instances
	in.speed = of.SpeedOf(number)
	if len(of.Delay) > 0 {
		way, _ := slices.BinarySearch(e.ways, int64(of.DelayOf(number)))
		in.way = int32(way)
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
