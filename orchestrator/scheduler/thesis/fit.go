package thesis

import (
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// noFit is the verdict on a flow that fits on no instance, and its place among the reasons of Reasons.
type noFit struct {
	verdict policy.Verdict
	why     uint8
}

var noFits = map[string]noFit{
	"least-loaded": {policy.Place, 1},
	"reject":       {policy.Drop, 2},
	"queue":        {policy.Hold, 3},
}

// Fit says how loaded the instances are, which of them a new flow fits on, and what becomes of one that fits nowhere. A
// policy that asks this embeds it, so that it is told of all events.
type Fit struct {
	estimate
	metric   policy.Metric
	inFlight bool
	load     policy.PerSlot[float64] // measured, and what is in flight
	noFit    noFit
	ties     policy.Ties
}

// NewFit makes a Fit. The options are valid.
func NewFit(o Options, env policy.Env) Fit {
	inFlight := o.InFlight && o.Demand != "zero"
	return Fit{estimate: newEstimate(o, inFlight), metric: policy.Metrics[o.Metric], inFlight: inFlight,
		noFit: noFits[o.NoFit], ties: env.Ties}
}

// Observe keeps the loads, and what they follow from, up to date.
func (f *Fit) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Placed:
		f.placed(v.Now, e.Work)
		f.refresh(e.Slot, v)
	case policy.Ended:
		f.ended(v.Now, e.Work)
		if e.Slot >= 0 {
			f.refresh(e.Slot, v)
		}
	case policy.Joined:
		f.load.Follow(e, 0)
		f.at(v.IDs[e.Slot])
		f.refresh(e.Slot, v)
	case policy.Left:
		f.load.Follow(e, 0)
	case policy.Measured:
		f.estimate.Observe(e, v)
		for slot := range v.IDs {
			f.refresh(slot, v)
		}
	default:
		f.estimate.Observe(e, v)
	}
}

// refresh brings the load of a row up to date.
func (f *Fit) refresh(slot int, v *policy.View) {
	l := f.metric.In(v)[slot]
	if f.inFlight {
		if n := f.instances[v.IDs[slot]].pending; n > 0 {
			l += float64(float64(n) * f.Demand())
		}
	}
	f.load[slot] = l
}

// Load is the packets a second of the instance of a row: those forwarded to it in the last window, or those that came
// back from it, and, with the in-flight correction, those that flows assigned since are expected to bring.
func (f *Fit) Load(slot int) float64 { return f.load[slot] }

// Fits reports whether a new flow fits beside a load.
func (f *Fit) Fits(v *policy.View, load float64) bool { return !numeric.Exceeds(load+f.rate, v.Limit) }

// Weigh logs all instances with their loads.
func (f *Fit) Weigh(v *policy.View, log *policy.Weighed) {
	for i, l := range f.load {
		log.Add(i, l, f.Fits(v, l))
	}
}

// NoFit answers for a flow that fits on no instance. Why counts from 1; see Reasons.
func (f *Fit) NoFit() policy.Answer {
	a := policy.Answer{Verdict: f.noFit.verdict, Why: f.noFit.why}
	if a.Verdict == policy.Place {
		a.Slot = f.leastLoaded()
	}
	return a
}

// leastLoaded is the row with the lowest load.
func (f *Fit) leastLoaded() int {
	best, least, ties := 0, f.load[0], 1
	for i := 1; i < len(f.load); i++ {
		switch l := f.load[i]; {
		case l < least:
			best, least, ties = i, l, 1
		case l == least:
			ties++
			if f.ties.Wins(ties) {
				best = i
			}
		}
	}
	return best
}
