package orchestrator

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
)

// Foresees reports whether the scaling policy is an oracle. The plant must tell it, as the Rate of each Tick of the
// AutoscaleTimer, the most that the flows offer together, in packets a second, at any time before an instance that is
// ordered in the evaluation after this one could be ready. Other policies' ticks have none.
func (o *Orchestrator) Foresees() bool { return o.scaler.Foresees() }

// evaluate asks the autoscaler for the number of instances and brings it about. ahead is what an oracle is told.
func (o *Orchestrator) evaluate(ahead float64) {
	if !o.scaler.Active() {
		return
	}
	s := &o.snapshot
	o.observe(s)
	s.Ahead, s.Backlog = ahead, o.backlog()
	var steps []policy.Step
	o.desired, steps = o.scaler.Evaluate(s)
	o.logSteps(s.Current, steps)
	resize, share := o.scaler.Shares()
	if share > 0 {
		o.share = share
	}
	switch {
	case o.desired > s.Current:
		o.grow(o.desired-s.Current, "scale-out")
	case o.desired < s.Current:
		o.shrink(s.Current - o.desired)
	}
	for i := range resize {
		o.resize(&resize[i])
	}
}

// expected is what a held flow counts for, in packets a second.
func (o *Orchestrator) expected() float64 {
	if o.demand == nil {
		return 1 // enough to ask for an instance where there is none
	}
	return o.demand.Demand()
}

// observe fills in what is known now. The times of the last scalings are the autoscaler's.
func (o *Orchestrator) observe(s *policy.Snapshot) {
	held, load := o.waits()
	instances := slices.Grow(s.Instances[:0], len(o.alive))[:len(o.alive)]
	*s = policy.Snapshot{}
	s.Now, s.Current, s.Wanted, s.Min, s.Max = o.now, o.serving, o.desired, o.cfg.Min, o.cfg.Max
	s.Limit, s.Held, s.HeldLoad = float64(o.cfg.Scheduler.Limit), held, load
	s.Window, s.Measured, s.Instances = o.cfg.Window, o.meter.HasRead(), instances
	if o.scaler.Measures() != 0 {
		s.Period = o.reportPeriod()
	}
	for k, id := range o.alive {
		o.describe(id, &s.Instances[k])
	}
}

// describe fills in what is known of a living instance.
func (o *Orchestrator) describe(id flow.Instance, to *policy.Instance) {
	i := &o.insts[id]
	to.ID, to.State, to.Created, to.Ready, to.Flows = id, shown[i.state], i.created, i.readyAt, i.flows.n
	to.Share, to.Asked, to.Refused = i.share, i.asked, i.refused
	if o.cfg.Requests != nil {
		to.Flows = o.cfg.Requests.Placed(id)
	}
	o.meter.RateTo(id, &to.Rate)
	if o.Measures() != 0 {
		o.meter.UsageTo(id, &to.Usage)
	}
}

// shown are the states of living instances as policies know them.
var shown = [...]policy.State{starting: policy.Starting, ready: policy.Ready, draining: policy.Draining}

// logSteps logs the recommendation, and those of the stages behind it that changed the number.
func (o *Orchestrator) logSteps(current int, steps []policy.Step) {
	for i, s := range steps {
		if i > 0 && s.Desired == steps[i-1].Desired {
			continue
		}
		policy := "" // only the recommendation is the policy's
		if i == 0 {
			policy = o.cfg.Autoscaler.Policy.Name
		}
		reason := s.Reason
		if reason == "" {
			reason = "unchanged"
		}
		o.decided(Decision{
			Kind: s.Kind, Policy: policy, Flow: -1, Current: current, Desired: s.Desired, Reason: reason,
		})
	}
}

// shrink drains n instances. All are marked before any flow moves, so that none moves from one victim to the next.
func (o *Orchestrator) shrink(n int) {
	var chosen []flow.Instance
	for ; n > 0; n-- {
		o.victims = o.victims[:0]
		for _, id := range o.alive {
			if o.insts[id].state != draining {
				o.victims = append(o.victims, policy.Instance{})
				o.describe(id, &o.victims[len(o.victims)-1])
			}
		}
		if len(o.victims) == 0 {
			break
		}
		victim, scores := o.scaler.PickVictim(o.now, o.victims)
		id := o.victims[victim].ID
		o.weighVictims(scores)
		o.decided(Decision{
			Kind: Victim, Policy: o.cfg.Autoscaler.Victim, Flow: -1, Instance: id,
			Current: o.serving, Desired: o.desired, Reason: "goes first by its score", Candidates: o.candidates,
		})
		o.drain(id)
		chosen = append(chosen, id)
	}
	for _, id := range chosen {
		if o.scaler.Moves() {
			o.moveAway(id)
		}
		o.finish(id)
	}
}

// weighVictims fills the candidates for the log.
func (o *Orchestrator) weighVictims(scores []float64) {
	o.candidates = o.candidates[:0]
	if o.log == nil {
		return
	}
	for i := range o.victims {
		o.candidates = append(o.candidates, Candidate{Instance: o.victims[i].ID, Score: scores[i], Fits: true})
	}
	if c := o.candidates; len(c) > scheduler.MaxCandidates {
		slices.SortFunc(c, func(a, b Candidate) int {
			return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(b.Instance, a.Instance))
		})
		o.candidates = c[:scheduler.MaxCandidates]
		slices.SortFunc(o.candidates, func(a, b Candidate) int { return cmp.Compare(a.Instance, b.Instance) })
	}
}
