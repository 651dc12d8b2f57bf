package orchestrator

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// A policy that is a Mover is shown at intervals of its own what the rules have counted, and says which flows move.

func (o *Orchestrator) readRules() {
	if o.mover == nil {
		return
	}
	o.do(Action{Kind: ReadRules})
	o.arm(MoveTimer, o.mover.Every())
}

// rulesRead has the policy move flows. A flow that it names twice goes where it is named last; one that has no rule in
// force any more, and one whose instance stays the same, does not move. A reading that comes while no instance takes
// work is passed over: the next one has its packets too.
func (o *Orchestrator) rulesRead(rules []RuleCounter) {
	if o.mover == nil || len(o.view.IDs) == 0 {
		return
	}
	o.rules = o.rules[:0]
	for i := range rules {
		r := &rules[i]
		f := o.flow(r.Flow)
		if f == nil {
			continue
		}
		before := o.counted.At(r.Flow)
		n := r.Packets - *before
		if r.Packets < *before { // the rule is a new one
			n = r.Packets
		}
		*before = r.Packets
		if f.phase == placed && f.rule == inForce && o.insts[f.target].state == ready {
			o.rules = append(o.rules,
				policy.Counted{Work: *o.workOf(r.Flow, f), Slot: o.insts[f.target].slot, Packets: n})
		}
	}
	o.moves = o.mover.Moves(&o.view, o.rules, o.moves[:0])
	for _, m := range o.moves {
		o.move(m)
	}
}

// move gives a flow another instance, if the budget allows it. The policy sees at the next reading where the flow is.
func (o *Orchestrator) move(m policy.Move) {
	f := o.flow(m.Flow)
	if f == nil || f.phase != placed || f.rule != inForce || f.target == o.view.IDs[m.Slot] ||
		!o.sched.MayMove(o.now) {
		return
	}
	o.unassign(m.Flow, f)
	f.retrying = false
	o.assign(m.Flow, f, o.view.IDs[m.Slot])
	o.install(m.Flow, f)
	o.decided(Decision{Kind: Move, Policy: o.sched.Row().Name, Flow: m.Flow, Instance: f.target,
		Reason: "moved by the policy"})
}

// forgetCount has the flow's next rule count from zero.
func (o *Orchestrator) forgetCount(id flow.ID) {
	if o.mover != nil {
		*o.counted.At(id) = 0
	}
}
