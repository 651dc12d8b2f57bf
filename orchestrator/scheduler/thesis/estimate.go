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

// estimate is what a new flow is expected to bring, in packets a second. Before the first measurement, the rules mean
// and last expect 0.
//
// The mean is that of the packets of a window over the time that flows lived in it, so flows that came or went within
// the window count for the part that they were there. It is of the packets that were forwarded, whatever the metric of
// the loads is: what a flow brings does not depend on how much of it is processed.
type estimate struct {
	rule    demandRule
	follows bool // each flow is followed until the counters show it
	rate    float64

	flows  int        // assigned and not ended
	since  units.Time // when that number last changed
	area   float64    // flow-seconds lived until then
	asked  []lifetime // when counters were asked for that have not come, oldest first
	counts float64    // flow-seconds lived when the last accepted reading was asked for

	pending   queue[assignment] // assignments that the counters do not show yet
	settled   int               // assignments that are not in pending any more
	newest    flow.Column[ordinal]
	instances []instance // by number
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

// ordinal tells which of the pending assignments is a flow's last; 0 if it has left the instance, or the counters show
// it. It is the number of the assignment in few bits, as many as keep those apart that are pending at one time.
type ordinal uint32

func ordinalOf(assignment int) ordinal { return ordinal(assignment)<<1 | 1 }

type instance struct {
	pending int32   // its flows that the counters do not show yet
	rate    float64 // packets a second in the last window, with the rule last
	joined  float64 // flows that the last reading showed for the first time, in windows, with the rule last
}

// newEstimate estimates by the options' rule. Flows are followed where that or the caller needs it.
func newEstimate(o Options, follows bool) estimate {
	e := estimate{rule: demandRules[o.Demand]}
	e.follows = follows || e.rule == last
	if e.rule == fixed {
		e.rate = float64(o.DemandRate)
	}
	return e
}

// Observe keeps the estimate up to date.
func (d *estimate) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Placed:
		d.placed(v.Now, e.Work)
	case policy.Ended:
		d.ended(v.Now, e.Work)
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

func (d *estimate) at(id flow.Instance) *instance {
	for int(id) >= len(d.instances) {
		d.instances = append(d.instances, instance{})
	}
	return &d.instances[id]
}

func (d *estimate) placed(now units.Time, w *policy.Work) {
	d.change(now, +1)
	if !d.follows {
		return
	}
	d.at(w.At).pending++
	d.newest.Grow(int(w.Flow) + 1)
	*d.newest.At(w.Flow) = ordinalOf(d.settled + d.pending.n)
	d.pending.push(assignment{w.Flow, w.At, now})
}

func (d *estimate) ended(now units.Time, w *policy.Work) {
	d.change(now, -1)
	if !d.follows {
		return
	}
	if n := d.newest.At(w.Flow); *n != 0 {
		*n = 0
		d.instances[w.At].pending--
	}
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
	window := (until - since).Seconds()
	var added float64
	if d.rule == last {
		for _, id := range v.Live {
			d.at(id).joined = 0
		}
	}
	newest := d.settle(until, window)
	if d.rule == last {
		for k, id := range v.Live {
			i, rate := d.at(id), v.LiveLoad[k]
			if id == newest && i.joined >= 0.5 { // less says too little
				added = (rate - i.rate) / i.joined
			}
			i.rate = rate
		}
	}
	flowSeconds := d.answered(until)
	switch d.rule {
	case mean:
		if flowSeconds > 0 {
			d.rate = sum(v.LiveLoad) * window / flowSeconds
		}
	case last:
		if added > 0 {
			d.rate = added
		}
	}
}

// settle takes the assignments before an instant off those that are pending. With the rule last, it returns the
// instance of the newest of them whose flow is still there; 0 if there is none.
func (d *estimate) settle(until units.Time, window float64) (newest flow.Instance) {
	for d.pending.n > 0 {
		p := d.pending.front()
		if p.at >= until {
			break
		}
		if n := d.newest.At(p.flow); *n == ordinalOf(d.settled) {
			*n = 0
			i := &d.instances[p.to]
			i.pending--
			if d.rule == last {
				i.joined += min(1, (until-p.at).Seconds()/window)
				newest = p.to
			}
		}
		d.pending.pop()
		d.settled++
	}
	return newest
}

func sum(all []float64) (total float64) {
	for _, x := range all {
		total += x
	}
	return total
}
