package mesos

import "github.com/smartinco/smartinco/orchestrator/policy"

var drfRow = row(policy.Info{Name: "mesos-drf",
	Rule: "of held flows, the next of the tenant with the least dominant share; a random instance that it fits on",
	Source: "Ghodsi et al., NSDI 2011, algorithm 1; the order of tenants: Mesos c1b42f79d157, " +
		"src/master/allocator/mesos/sorter/drf/",
	Cost: "constant; n where few instances have room",
	Deviates: reconstruction + "a tenant whose next flow fits nowhere is passed over, where the paper's algorithm " +
		"waits for it"},
	[]string{"offers", "declined"}, func(b books) policy.Policy { return &drf{b} })

// drf shares between tenants a flow at a time: all instances are offered, in a random order, and a flow takes the first
// that it fits on.
type drf struct{ books }

// Observe counts each flow that is placed as an allocation.
func (d *drf) Observe(e *policy.Event, v *policy.View) {
	d.books.Observe(e, v)
	if e.Kind == policy.Placed {
		d.tenants[d.Queue(e.Work)].allocations++
	}
}

func (d *drf) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	t := &d.tenants[d.Queue(w)]
	a := policy.Answer{Verdict: policy.Hold, Why: waits}
	if t.waiting > 0 && !w.Held { // nor would this one fit
		return a
	}
	for drawn := range d.order {
		slot := d.draw(drawn)
		d.env.Counts[0]++
		if d.try(v, slot, t, log) {
			a = policy.Answer{Slot: slot, Why: accepted}
			break
		}
		d.env.Counts[1]++
	}
	d.weigh(log)
	return a
}

// resources are what there is, what is asked for, or what is left.
type resources struct {
	rate    int64 // packets a second
	means   int64 // and so many times the mean rate of the live flows
	memory  int64 // flows
	endless int64 // instances whose memory has no end
}

// add adds other resources so many times.
func (r *resources) add(o resources, times int64) {
	r.rate += o.rate * times
	r.means += o.means * times
	r.memory += o.memory * times
	r.endless += o.endless * times
}

// packets is the packet rate, with the mean rate that some flows ask for.
func (r *resources) packets(mean float64) float64 {
	return float64(r.rate) + float64(float64(r.means)*mean)
}

// tenant is a client of Mesos' sorter.
type tenant struct {
	name        string
	weight      float64
	each        resources // that a flow of it asks for
	asks        resources // of the flows that have an instance
	waiting     int64     // that are held
	allocations int64     // ever made to it
}

// share is the dominant share of what is asked for, over the weight: the greatest part of what there is of a resource.
func (t *tenant) share(asks, total resources, mean float64) float64 {
	s := 0.0
	if total.rate > 0 {
		s = asks.packets(mean) / float64(total.rate)
	}
	if total.memory > 0 && total.endless == 0 {
		s = max(s, float64(asks.memory)/float64(total.memory))
	}
	return s / t.weight
}

// before is the order of Mesos' sorter: the least share, of these the fewest allocations, of these the first name.
func before(a *tenant, share float64, b *tenant, other float64) bool {
	switch {
	case share != other:
		return share < other
	case a.allocations != b.allocations:
		return a.allocations < b.allocations
	}
	return a.name < b.name
}
