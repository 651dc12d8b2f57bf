package mesos

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var offersRow = row(policy.Info{Name: "mesos-offers",
	Rule: "in a random order, all that an instance has left is offered to the tenant with the least dominant share",
	Source: "Mesos, src/master/allocator/mesos/hierarchical.cpp; the order of tenants: Mesos c1b42f79d157, " +
		"src/master/allocator/mesos/sorter/drf/",
	Cost: "the tenants, for each instance that is looked at; n of them where few have room",
	Deviates: reconstruction + "instances are offered when counters have come, when one joins, and when a flow comes " +
		"to a tenant of which none waits; an offer that would be declined is not made, where Mesos makes it, and not " +
		"again for 5 s; quotas, reservations and attributes are not there"},
	[]string{"allocations", "offers"}, func(b books) policy.Policy { return &offers{books: b} })

// offers shares between tenants an instance at a time. What is offered counts as the tenant's in the same allocation.
// Offers are good for the instant in which they are made; what nobody accepts then is there for the next allocation.
//
// An allocation is made as far as flows ask for offers, which leaves out what nobody would accept.
type offers struct {
	books
	at     units.Time // of the last allocation
	drawn  int        // instances that it has come to
	made   []offer
	takers []taker // the tenants, in the last allocation
}

// offer is what is left of the instance of a row, for a tenant.
type offer struct{ slot, to int }

// taker is what a tenant has in an allocation.
type taker struct {
	in    bool      // it takes part
	asks  resources // of its flows, and what it is offered
	share float64
	next  int // offer to look at: those before are another's, or full
}

// Observe has instances offered when counters have come and when one joins.
func (o *offers) Observe(e *policy.Event, v *policy.View) {
	o.books.Observe(e, v)
	switch e.Kind {
	case policy.Measured, policy.Joined:
		o.allocate(v, -1)
	case policy.Left: // the rows are others
		o.takers = o.takers[:0]
	}
}

// allocate begins to offer the instances to the tenants of which flows wait, and to a newcomer.
func (o *offers) allocate(v *policy.View, newcomer int) {
	o.env.Counts[0]++
	o.at, o.drawn, o.made, o.takers = v.Now, 0, o.made[:0], o.takers[:0]
	for i := range o.tenants {
		t := &o.tenants[i]
		in := i == newcomer || t.waiting > 0
		o.takers = append(o.takers, taker{in: in, asks: t.asks, share: t.share(t.asks, o.total, o.Fit.Demand())})
	}
}

// deal offers the next instance, and reports whether there was one.
func (o *offers) deal(v *policy.View) bool {
	if o.drawn == len(o.order) {
		return false
	}
	slot, to := o.draw(o.drawn), -1
	o.drawn++
	for i := range o.takers {
		if o.takers[i].in && o.fits(v, slot, &o.tenants[i]) &&
			(to < 0 || before(&o.tenants[i], o.takers[i].share, &o.tenants[to], o.takers[to].share)) {
			to = i
		}
	}
	if to < 0 { // all would decline it
		return true
	}
	o.env.Counts[1]++
	o.made = append(o.made, offer{slot, to})
	o.tenants[to].allocations++
	t := &o.takers[to]
	t.asks.add(o.left(v, slot), 1)
	t.share = o.tenants[to].share(t.asks, o.total, o.Fit.Demand())
	return true
}

// left is what is left of an instance.
func (o *offers) left(v *policy.View, slot int) resources {
	asked := o.asked[v.IDs[slot]]
	rate := int64(v.Limit - asked.packets(o.Fit.Demand()))
	return resources{rate: max(0, rate), memory: max(0, int64(v.MaxConn[slot])-asked.memory)}
}

// Pick has the flow take the first offer to its tenant that it fits on. A tenant of which none waits revives its
// offers.
func (o *offers) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	n := o.Queue(w)
	if !w.Held && o.tenants[n].waiting == 0 {
		o.allocate(v, n)
	}
	a := policy.Answer{Verdict: policy.Hold, Why: waits}
	if o.at == v.Now && n < len(o.takers) && o.takers[n].in {
		a = o.accept(v, n, log)
	}
	o.weigh(log)
	return a
}

// accept answers for a flow of a tenant that takes part.
func (o *offers) accept(v *policy.View, n int, log *policy.Weighed) policy.Answer {
	t := &o.takers[n]
	for t.next < len(o.made) || o.deal(v) {
		if t.next == len(o.made) { // nobody took it
			continue
		}
		if m := o.made[t.next]; m.to == n && o.try(v, m.slot, &o.tenants[n], log) {
			return policy.Answer{Slot: m.slot, Why: accepted}
		}
		t.next++
	}
	return policy.Answer{Verdict: policy.Hold, Why: waits}
}
