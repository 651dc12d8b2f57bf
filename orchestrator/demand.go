package orchestrator

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// demand is what a new flow is expected to bring, in packets a second. The rules' names are those of
// scheduler.Options.Demand. Before the first measurement, mean and last are 0.
//
// The mean is that of the packets of a window over the time that flows lived in it, so flows that came or went within
// the window count for the part that they were there.
type demand struct {
	rule string
	rate float64

	flows  int        // assigned and not ended
	since  units.Time // when that number last changed
	area   float64    // flow-seconds lived until then
	asked  []lifetime // when counters were asked for that have not come, oldest first
	counts float64    // flow-seconds lived when the last accepted reading was asked for
}

// lifetime is the flow-seconds lived until an instant.
type lifetime struct {
	at    units.Time
	lived float64
}

// ask notes that counters were asked for.
func (d *demand) ask(now units.Time) { d.asked = append(d.asked, lifetime{now, d.lived(now)}) }

// answered is the flow-seconds lived between the last two accepted readings, of which the later was sampled now: what was
// asked before it and has not come will not be accepted any more.
func (d *demand) answered(sampled units.Time) float64 {
	before, n := d.counts, 0
	for ; n < len(d.asked) && d.asked[n].at <= sampled; n++ {
		d.counts = d.asked[n].lived
	}
	d.asked = d.asked[:copy(d.asked, d.asked[n:])]
	return d.counts - before
}

// change counts a flow that is assigned, or that leaves.
func (d *demand) change(now units.Time, by int) {
	d.area, d.since = d.lived(now), now
	d.flows += by
}

// lived is the time that all flows have lived so far, in flow-seconds.
func (d *demand) lived(now units.Time) float64 {
	return d.area + float64(float64(d.flows)*(now-d.since).Seconds())
}

func (d *demand) init(o *scheduler.Options) {
	d.rule = o.Demand
	if d.rule == "fixed" {
		d.rate = float64(o.DemandRate)
	}
}

// assignment is a flow given to an instance at an instant that the counters did not cover yet.
type assignment struct {
	flow flow.ID
	at   units.Time
}

// unmeasured is what a flow counts for that no counter shows, while the expected demand is 0: 1 pps, nothing beside any load,
// but enough to order idle instances by the flows they were given, so that a burst at the start of a run does not go to one
// instance, and enough to ask for an instance where there is none.
const unmeasured = 1

// inFlight is the load that the instance's unmeasured assignments are expected to add.
func (o *Orchestrator) inFlight(i *instanceState) float64 {
	if !o.cfg.Scheduler.InFlight || i.pending == 0 {
		return 0
	}
	if o.demand.rule == "zero" {
		return 0
	}
	return float64(float64(i.pending) * o.expected())
}

// expected is what a flow that no counter shows counts for.
func (o *Orchestrator) expected() float64 {
	if o.demand.rate == 0 {
		return unmeasured
	}
	return o.demand.rate
}

// settle takes an assignment off the unmeasured ones, once.
func (o *Orchestrator) settle(f *flowState) {
	if f.pending {
		f.pending = false
		o.insts[f.target].pending--
	}
}

// measured brings the loads up to date after a reading that covers the time from before to sampled. A flow assigned at or after
// sampled stays unmeasured.
func (o *Orchestrator) measured(before, sampled units.Time) {
	for _, id := range o.alive {
		i := &o.insts[id]
		i.joined = 0
	}
	window := (sampled - before).Seconds()
	var newest flow.Instance
	for ; o.first < len(o.pending) && o.pending[o.first].at < sampled; o.first++ {
		p := o.pending[o.first]
		f := o.flows.at(p.flow)
		if !f.pending || f.assigned != p.at {
			continue
		}
		o.settle(f)
		part := min(1, (sampled-p.at).Seconds()/window)
		i := &o.insts[f.target]
		i.joined += part
		newest = f.target
	}
	if o.first == len(o.pending) {
		o.pending, o.first = o.pending[:0], 0
	}

	var total, added float64
	for _, id := range o.alive {
		i := &o.insts[id]
		rate := o.meter.Rate(id).Rx
		if id == newest && i.joined >= 0.5 { // less says too little
			added = (rate - i.rate) / i.joined
		}
		i.rate = rate
		total += rate
	}
	flowSeconds := o.demand.answered(sampled)
	switch o.demand.rule {
	case "mean":
		if flowSeconds > 0 {
			o.demand.rate = total * window / flowSeconds
		}
	case "last":
		if added > 0 {
			o.demand.rate = added
		}
	}
	o.view.Demand = o.demand.rate
	for slot, id := range o.view.IDs {
		o.refresh(slot, &o.insts[id])
	}
}

// refresh brings an instance's row of the view up to date.
func (o *Orchestrator) refresh(slot int, i *instanceState) {
	o.view.Flows[slot] = i.flows
	o.view.Load[slot] = i.rate + o.inFlight(i)
}
