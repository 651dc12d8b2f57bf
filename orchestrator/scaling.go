package orchestrator

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
)

// evaluate asks the autoscaler for the number of instances and brings it about.
func (o *Orchestrator) evaluate() {
	if !o.scaler.Active() {
		return
	}
	in := autoscaler.Input{
		Now: o.now, Current: o.serving, Min: o.cfg.Min, Max: o.cfg.Max,
		Known: o.meter.HasRead(), Limit: float64(o.cfg.Scheduler.Limit),
	}
	for _, id := range o.alive {
		r := o.meter.Rate(id)
		if o.cfg.Autoscaler.Metric == "processed" {
			in.Load += r.Tx
		} else {
			in.Load += r.Rx
		}
		if r.Known && r.Stale {
			in.Stale++
		}
	}
	in.Held = o.held.n
	in.Load += float64(float64(in.Held) * o.expected())
	p := o.scaler.Evaluate(&in)
	o.desired = p.Desired
	o.logStages(&in, &p)
	switch {
	case p.Desired > in.Current:
		o.grow(p.Desired-in.Current, "scale-out")
	case p.Desired < in.Current:
		o.shrink(in.Current - p.Desired)
	}
}

// expected is what a held flow counts for, in packets a second.
func (o *Orchestrator) expected() float64 {
	if o.demand == nil {
		return 1 // enough to ask for an instance where there is none
	}
	return o.demand.Demand()
}

// logStages logs the recommendation always, the stages behind it only if the outcome or any of them changed the number.
func (o *Orchestrator) logStages(in *autoscaler.Input, p *autoscaler.Proposal) {
	changed := p.Desired != in.Current
	for i := 1; i < len(p.Stages); i++ {
		changed = changed || p.Stages[i].Desired != p.Stages[i-1].Desired
	}
	for i, s := range p.Stages {
		if i > 0 && !changed {
			return
		}
		policy := "" // only the recommendation is the policy's
		if i == 0 {
			policy = o.cfg.Autoscaler.Policy
		}
		reason := s.Reason
		if reason == "" {
			reason = "unchanged"
		}
		o.decided(Decision{Kind: s.Kind, Policy: policy, Flow: -1, Current: in.Current, Desired: s.Desired, Reason: reason})
	}
}

// shrink drains n instances. All are marked before any flow moves, so that none moves from one victim to the next.
func (o *Orchestrator) shrink(n int) {
	var chosen []flow.Instance
	for ; n > 0; n-- {
		o.victims = o.victims[:0]
		for _, id := range o.alive {
			if i := &o.insts[id]; i.state != draining {
				o.victims = append(o.victims, autoscaler.Victim{Instance: id, Flows: int(i.flows.n), Load: i.rate})
			}
		}
		if len(o.victims) == 0 {
			break
		}
		id := o.victims[o.scaler.PickVictim(o.victims)].Instance
		o.weighVictims()
		o.decided(Decision{Kind: Victim, Policy: o.cfg.Autoscaler.Victim, Flow: -1, Instance: id, Current: o.serving, Desired: o.desired, Reason: "goes first by its score", Candidates: o.candidates})
		o.drain(id)
		chosen = append(chosen, id)
	}
	for _, id := range chosen {
		if o.cfg.Autoscaler.Drain == "move" {
			o.moveAway(id)
		}
		o.finish(id)
	}
}

// weighVictims fills the candidates for the log.
func (o *Orchestrator) weighVictims() {
	o.candidates = o.candidates[:0]
	if o.log == nil {
		return
	}
	for i := range o.victims {
		v := &o.victims[i]
		o.candidates = append(o.candidates, Candidate{Instance: v.Instance, Score: o.scaler.VictimScore(v), Fits: true})
	}
	if c := o.candidates; len(c) > scheduler.MaxCandidates {
		slices.SortFunc(c, func(a, b Candidate) int {
			return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(b.Instance, a.Instance))
		})
		o.candidates = c[:scheduler.MaxCandidates]
		slices.SortFunc(o.candidates, func(a, b Candidate) int { return cmp.Compare(a.Instance, b.Instance) })
	}
}
