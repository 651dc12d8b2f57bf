package orchestrator

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Without rules, a switch works out for each packet where it goes. Here that is worked out for each flow: when it
// begins, and again for all that live whenever other instances take work. Steer tells the plant of each change. A flow
// cannot be moved, so one that reaches another instance is a connection that breaks.

// steer sends the flow's packets to its target, or nowhere if it has none.
func (o *Orchestrator) steer(id flow.ID, f *flowState, hops int) {
	f.rule, f.ordered, f.hops = inForce, f.target, uint8(min(hops, 255))
	o.do(Action{Kind: Steer, Flow: id, Instance: f.target, Hops: f.hops}) // before the deletion that it may allow
	o.setOrigin(f, f.target)
}

// redirect asks again where the packets of each flow go, in order of the flows' numbers, and sets a timer for when that
// may change although no instance joins or leaves.
func (o *Orchestrator) redirect() {
	next, lives := units.Never, o.lives
	for id := range flow.ID(o.flows.Len()) {
		if f := o.flow(id); f.phase == placed || f.phase == refused {
			next = min(next, o.dispatch(id, f, lives))
		}
	}
	if next < units.Never {
		o.do(Action{Kind: SetTimer, Timer: DispatchTimer, At: next})
	}
}

// dispatch asks again where the packets of one flow go, and says until when that holds.
func (o *Orchestrator) dispatch(id flow.ID, f *flowState, lives func(flow.Instance) bool) (until units.Time) {
	w := o.workOf(id, f)
	if o.keeper != nil && f.phase == placed && lives(f.target) {
		until, hops := o.keeper.Keeps(w, &o.view, lives)
		if until > o.now {
			if hops != int(f.hops) {
				o.steer(id, f, hops)
			}
			return until
		}
	}
	answer, reason := o.sched.Decide(w, &o.view, o.log != nil)
	var target flow.Instance
	if answer.Verdict == policy.Place {
		target = o.view.IDs[answer.Slot]
	}
	switch {
	case f.phase == placed && target == f.target, f.phase == refused && answer.Verdict == policy.Drop:
		return units.Never
	case f.phase == placed:
		o.unassign(id, f)
	}
	o.carry(id, target, answer, reason)
	switch answer.Verdict {
	case policy.Place:
		f.phase = placed
		o.assign(id, f, target)
	case policy.Hold:
		o.holdBack(id, f)
	case policy.Drop:
		f.phase = refused
	}
	o.steer(id, f, 0)
	return units.Never
}

// lives says whether an instance is there: ready or draining.
func (o *Orchestrator) lives(id flow.Instance) bool {
	i := o.instance(id)
	return i != nil && (i.state == ready || i.state == draining)
}
