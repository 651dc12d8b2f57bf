package thesis

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// demandRule is how the demand of a new flow is estimated; see Options.Demand.
type demandRule uint8

const (
	zero demandRule = iota
	mean
	last
	fixed
)

var demandRules = map[string]demandRule{"zero": zero, "mean": mean, "last": last, "fixed": fixed}

// estimate is what a new flow is expected to bring, in packets a second, and the loads that follow from it. Before the
// first measurement, the rules mean and last expect 0.
//
// The mean is that of the packets of a window over the time that flows lived in it, so flows that came or went within
// the window count for the part that they were there. It is of the packets that were forwarded, whatever the metric of
// the loads is: what a flow brings does not depend on how much of it is processed.
type estimate struct {
	rule     demandRule
	metric   policy.Metric // what a load is, beside what is in flight
	inFlight bool
	rate     float64
	load     policy.PerSlot[float64] // measured, and what is in flight

	flows  int        // assigned and not ended
	since  units.Time // when that number last changed
	area   float64    // flow-seconds lived until then
	asked  []lifetime // when counters were asked for that have not come, oldest first
	counts float64    // flow-seconds lived when the last accepted reading was asked for

	pending   []assignment // assignments that the counters do not show yet, oldest first
	first     int          // where pending begins
	settled   int64        // assignments that are not in pending any more
	newest    []int64      // by flow: the number of its last assignment, from 0; -1 if it has left the instance
	instances []instance   // by number
}

// lifetime is the flow-seconds lived until an instant.
type lifetime struct {
	at    units.Time
	lived float64
}

// assignment is a flow given to an instance at an instant that the counters did not cover yet.
type assignment struct {
	flow flow.ID
	to   flow.Instance
	at   units.Time
}

type instance struct {
	pending int32   // its flows that the counters do not show yet
	rate    float64 // packets a second in the last window
	joined  float64 // flows that the last reading showed for the first time, in windows
}

func newEstimate(o Options) estimate {
	e := estimate{rule: demandRules[o.Demand], metric: policy.Metrics[o.Metric],
		inFlight: o.InFlight && o.Demand != "zero"}
	if e.rule == fixed {
		e.rate = float64(o.DemandRate)
	}
	return e
}

// Observe keeps the estimate up to date.
func (d *estimate) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Joined:
		d.load.Follow(e, 0)
		d.refresh(e.Slot, v, d.at(v.IDs[e.Slot]))
	case policy.Left:
		d.load.Follow(e, 0)
	case policy.Placed:
		i := d.at(e.Work.At)
		d.placed(v.Now, e.Work, i)
		d.refresh(e.Slot, v, i)
	case policy.Ended:
		i := d.at(e.Work.At)
		d.ended(v.Now, e.Work, i)
		if e.Slot >= 0 {
			d.refresh(e.Slot, v, i)
		}
	case policy.Asked:
		d.asked = append(d.asked, lifetime{v.Now, d.lived(v.Now)})
	case policy.Measured:
		d.measured(e.Since, e.Until, v)
	}
}

// Demand is what a flow counts for that no counter shows.
func (d *estimate) Demand() float64 {
	if d.rate == 0 {
		return unmeasured
	}
	return d.rate
}

// unmeasured is what a flow counts for that no counter shows, while the expected demand is 0: 1 pps, nothing beside any
// load, but enough to order idle instances by the flows they were given, so that a burst at the start of a run does not
// go to one instance, and enough to ask for an instance where there is none.
const unmeasured = 1

// refresh brings the load of a row up to date, whose instance is i.
func (d *estimate) refresh(slot int, v *policy.View, i *instance) {
	l := d.metric.In(v)[slot]
	if d.inFlight && i.pending > 0 {
		l += float64(float64(i.pending) * d.Demand())
	}
	d.load[slot] = l
}

func (d *estimate) at(id flow.Instance) *instance {
	for int(id) >= len(d.instances) {
		d.instances = append(d.instances, instance{})
	}
	return &d.instances[id]
}

func (d *estimate) placed(now units.Time, w *policy.Work, i *instance) {
	d.change(now, +1)
	i.pending++
	for int(w.Flow) >= len(d.newest) {
		d.newest = append(d.newest, -1)
	}
	if len(d.pending) == cap(d.pending) && d.first > len(d.pending)/2 { // move to the front of the memory
		d.pending = d.pending[:copy(d.pending, d.pending[d.first:])]
		d.first = 0
	}
	d.newest[w.Flow] = d.settled + int64(len(d.pending)-d.first)
	d.pending = append(d.pending, assignment{w.Flow, w.At, now})
}

func (d *estimate) ended(now units.Time, w *policy.Work, i *instance) {
	d.change(now, -1)
	if d.newest[w.Flow] >= d.settled {
		i.pending--
	}
	d.newest[w.Flow] = -1
}

// change counts a flow that is assigned, or that leaves.
func (d *estimate) change(now units.Time, by int) {
	if now != d.since {
		d.area, d.since = d.lived(now), now
	}
	d.flows += by
}

// lived is the time that all flows have lived so far, in flow-seconds.
func (d *estimate) lived(now units.Time) float64 {
	return d.area + float64(float64(d.flows)*(now-d.since).Seconds())
}

// answered is the flow-seconds lived between the last two accepted readings; the later is that which was sampled now.
// A reading that was asked for before it and has not come will not be accepted any more.
func (d *estimate) answered(sampled units.Time) float64 {
	before, n := d.counts, 0
	for ; n < len(d.asked) && d.asked[n].at <= sampled; n++ {
		d.counts = d.asked[n].lived
	}
	d.asked = d.asked[:copy(d.asked, d.asked[n:])]
	return d.counts - before
}

// measured learns from a reading that covers the time from since to until. A flow assigned at or after until stays
// unmeasured.
func (d *estimate) measured(since, until units.Time, v *policy.View) {
	for _, id := range v.Live {
		d.at(id).joined = 0
	}
	window := (until - since).Seconds()
	var newest flow.Instance
	for ; d.first < len(d.pending) && d.pending[d.first].at < until; d.first++ {
		p := &d.pending[d.first]
		if d.newest[p.flow] == d.settled {
			i := d.at(p.to)
			i.pending--
			i.joined += min(1, (until-p.at).Seconds()/window)
			newest = p.to
		}
		d.settled++
	}
	if d.first == len(d.pending) {
		d.pending, d.first = d.pending[:0], 0
	}

	var total, added float64
	for k, id := range v.Live {
		i, rate := d.at(id), v.LiveLoad[k]
		if id == newest && i.joined >= 0.5 { // less says too little
			added = (rate - i.rate) / i.joined
		}
		i.rate = rate
		total += rate
	}
	flowSeconds := d.answered(until)
	switch d.rule {
	case mean:
		if flowSeconds > 0 {
			d.rate = total * window / flowSeconds
		}
	case last:
		if added > 0 {
			d.rate = added
		}
	}
	for slot, id := range v.IDs {
		d.refresh(slot, v, d.at(id))
	}
}
