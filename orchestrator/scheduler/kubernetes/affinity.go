package kubernetes

import (
	"net/netip"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// affinity remembers the instance that had the last flow of a source address, for a time after that flow. What is out
// of date is forgotten, so it holds the sources of that time and no more.
type affinity struct {
	keep    units.Time           // 0: nothing is remembered
	entries map[netip.Addr]int32 // indices into clients
	clients []client             // those in use are a ring, in order of their use, that begins and ends at clients[0]
	unused  []int32
}

type client struct {
	source       netip.Addr
	at           flow.Instance
	used         units.Time
	before, next int32
}

func newAffinity(o Options) affinity {
	return affinity{keep: o.Affinity, entries: map[netip.Addr]int32{}, clients: make([]client, 1)}
}

// Observe remembers where a flow goes, and forgets instances that leave.
func (a *affinity) Observe(e *policy.Event, v *policy.View) {
	switch {
	case a.keep == 0:
	case e.Kind == policy.Placed:
		a.use(e.Work.Tuple.Src, e.Work.At, v.Now)
	case e.Kind == policy.Left:
		for i := a.clients[0].next; i != 0; {
			c := &a.clients[i]
			gone := i
			i = c.next
			if c.at == v.IDs[e.Slot] {
				a.forget(gone)
			}
		}
	}
}

// recall is the row of the instance that a flow's source has.
func (a *affinity) recall(w *policy.Work, v *policy.View) (slot int, found bool) {
	if a.keep == 0 {
		return 0, false
	}
	a.expire(v.Now)
	i, found := a.entries[w.Tuple.Src]
	if !found {
		return 0, false
	}
	return slices.BinarySearch(v.IDs, a.clients[i].at)
}

func (a *affinity) use(source netip.Addr, at flow.Instance, now units.Time) {
	a.expire(now)
	i, found := a.entries[source]
	switch n := len(a.unused); {
	case found:
		a.unlink(i)
	case n > 0:
		i, a.unused = a.unused[n-1], a.unused[:n-1]
	default:
		i = int32(len(a.clients))
		a.clients = append(a.clients, client{})
	}
	last := a.clients[0].before
	a.entries[source] = i
	a.clients[i] = client{source, at, now, last, 0}
	a.clients[last].next, a.clients[0].before = i, i
}

// expire forgets the sources whose last flow came as long ago as the time of the option, or longer.
func (a *affinity) expire(now units.Time) {
	for i := a.clients[0].next; i != 0 && now-a.clients[i].used >= a.keep; i = a.clients[0].next {
		a.forget(i)
	}
}

func (a *affinity) forget(i int32) {
	a.unlink(i)
	delete(a.entries, a.clients[i].source)
	a.unused = append(a.unused, i)
}

func (a *affinity) unlink(i int32) {
	c := &a.clients[i]
	a.clients[c.before].next, a.clients[c.next].before = c.next, c.before
}
