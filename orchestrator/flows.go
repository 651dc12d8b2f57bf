package orchestrator

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

type phase uint8

const (
	absent  phase = iota // not seen, or ended
	waits                // held: no instance was ready, or none had room
	placed               // assigned to target; its rule is on its way or in force
	refused              // a drop rule is on its way or in force
)

// flowState is what is known of one flow.
type flowState struct {
	phase    phase
	rule     ruleState
	retrying bool          // its rule was rejected and is tried again after this window
	hops     uint8         // instances that hand its packets on; without rules
	grown    bool          // it has sent as much as a flow must have for a rule
	target   flow.Instance // the instance it is assigned to
	ordered  flow.Instance // where the newest order for its rule leads
	origin   flow.Instance // the instance to which a rule may send it until ordered is confirmed; astray has more
	prev     flow.ID       // neighbours in target's list of flows, or in one of held ones; -1 at the ends
	next     flow.ID
}

// ruleState is what is known of a flow's rule.
type ruleState uint8

const (
	noRule  ruleState = iota
	asked             // InstallRule was sent
	inForce           // and confirmed
)

// ended is every flow that has ended. Nothing changes it.
var ended flowState

// flow is what is known of a flow that has been seen; nil of another.
func (o *Orchestrator) flow(id flow.ID) *flowState {
	if id < 0 || int(id) >= o.flows.Len() {
		return nil
	}
	if f := o.flows.Near(id); f != nil {
		return f
	}
	return &ended
}

func (o *Orchestrator) flowArrived(e *Event) {
	id := e.Flow
	if id < 0 || int(id) > o.flows.Len()+maxFlowGap {
		return
	}
	if f := o.flow(id); f != nil && f.phase != absent {
		return
	}
	if o.mover != nil {
		o.counted.Grow(int(id) + 1)
	}
	if o.tupled {
		*o.tuples.Begin(id) = e.Tuple
	}
	if o.WantsRates() {
		*o.rates.Begin(id) = e.Rate
	}
	if o.owned {
		*o.tenants.Begin(id) = e.Tenant
	}
	o.place(id, o.flows.Begin(id))
}

// forget ends what is kept of a flow.
func (o *Orchestrator) forget(id flow.ID) {
	o.flows.End(id)
	if o.tupled {
		o.tuples.End(id)
	}
	if o.WantsRates() {
		o.rates.End(id)
	}
	if o.owned {
		o.tenants.End(id)
	}
}

// workOf is a flow as the policy sees it, until the next call.
func (o *Orchestrator) workOf(id flow.ID, f *flowState) *policy.Work {
	o.work.Flow, o.work.At, o.work.Held = id, f.target, f.phase == waits
	if o.tupled {
		o.work.Tuple = *o.tuples.At(id)
	}
	if o.WantsRates() {
		o.work.Rate = *o.rates.At(id)
	}
	if o.owned {
		o.work.Tenant = *o.tenants.At(id)
	}
	return &o.work
}

// place schedules a flow that is assigned nowhere, and reports whether that settled its fate: a flow that has to be
// held again stays held.
func (o *Orchestrator) place(id flow.ID, f *flowState) bool {
	var silent verdicts
	if f.phase == waits {
		silent = 1 << policy.Hold
	}
	target, verdict := o.schedule(id, f, silent)
	if verdict == policy.Hold {
		if f.phase != waits {
			o.holdBack(id, f)
		}
		return false
	}
	if f.phase == waits {
		o.release(id, f)
	} else if verdict == policy.Place {
		o.held.backlog.Left++
	}
	switch verdict {
	case policy.Drop:
		f.phase = refused
	case policy.Place:
		f.phase = placed
		o.assign(id, f, target)
	}
	o.install(id, f)
	return true
}

// verdicts is a set of policy.Verdict, one bit each.
type verdicts uint8

// schedule asks the policy, and logs what it says unless that changes nothing, as the verdicts in silent do.
func (o *Orchestrator) schedule(id flow.ID, f *flowState, silent verdicts) (flow.Instance, policy.Verdict) {
	answer, reason := o.sched.Decide(o.workOf(id, f), &o.view, o.log != nil)
	var target flow.Instance
	if answer.Verdict == policy.Place {
		target = o.view.IDs[answer.Slot]
	}
	if silent>>answer.Verdict&1 != 0 {
		return target, answer.Verdict
	}
	o.carry(id, target, answer, reason)
	return target, answer.Verdict
}

// carry counts and logs an answer that is carried out.
func (o *Orchestrator) carry(id flow.ID, target flow.Instance, answer policy.Answer, reason string) {
	o.sched.Carried(answer)
	if o.log != nil {
		o.candidates = o.sched.Candidates(&o.view, o.candidates[:0])
		kind := [...]string{policy.Place: Schedule, policy.Hold: Hold, policy.Drop: Refuse}[answer.Verdict]
		o.decided(Decision{Kind: kind, Policy: o.sched.Row().Name, Flow: id, Instance: target, Reason: reason,
			Candidates: o.candidates})
	}
}

// install sends the rule for the flow's target, or the drop rule. Until that is confirmed, a rule may lead to any of
// the flow's earlier targets: one that was ordered may have come into force before the next.
func (o *Orchestrator) install(id flow.ID, f *flowState) {
	switch {
	case o.ruleless:
		o.steer(id, f, 0)
		return
	case f.rule == noRule && o.early(f): // by the slow path
		f.ordered = f.target
		o.do(Action{Kind: Steer, Flow: id, Instance: f.target})
		o.setOrigin(f, f.target)
		return
	}
	a := Action{Kind: InstallRule, Flow: id, Instance: f.target}
	if f.rule == noRule {
		f.rule = asked
		o.setOrigin(f, f.target)
	} else {
		a.Kind = MoveRule
		o.stray(id, f, f.target)
	}
	f.ordered = f.target
	o.do(a)
}

// stray notes that a rule of the flow may lead to the instance.
func (o *Orchestrator) stray(id flow.ID, f *flowState, to flow.Instance) {
	if to == 0 || to == f.origin || slices.Contains(o.astray[id], to) {
		return
	}
	if o.astray == nil {
		o.astray = map[flow.ID][]flow.Instance{}
	}
	o.astray[id] = append(o.astray[id], to)
	o.insts[to].rules++
}

// settled notes that a rule of the flow can only lead to the one instance, or that there is none.
func (o *Orchestrator) settled(id flow.ID, f *flowState, to flow.Instance) {
	if len(o.astray) == 0 {
		o.setOrigin(f, to)
		return
	}
	also := o.astray[id]
	delete(o.astray, id)
	o.setOrigin(f, to)
	for _, i := range also {
		o.insts[i].rules--
		o.finish(i)
	}
}

// withdraw removes the flow's rule and its target on the slow path, so that its next packet is a miss.
func (o *Orchestrator) withdraw(id flow.ID, f *flowState) {
	f.rule = noRule
	o.forgetCount(id)
	o.do(Action{Kind: RemoveRule, Flow: id}) // before the deletion that it may allow
	o.settled(id, f, 0)
}

func (o *Orchestrator) setOrigin(f *flowState, to flow.Instance) {
	from := f.origin
	if from == to {
		return
	}
	f.origin = to
	o.insts[from].rules--
	o.insts[to].rules++
	o.finish(from)
}

// assign puts the flow at the end of the instance's list.
func (o *Orchestrator) assign(id flow.ID, f *flowState, to flow.Instance) {
	i := &o.insts[to]
	f.target = to
	o.link(id, f, &i.flows)
	if o.sees.Has(policy.T1) {
		o.view.Flows[i.slot]++
	}
	o.tell(policy.Placed, i.slot, o.workOf(id, f))
}

// flowList is a list of flows, in the order in which they came to it.
type flowList struct {
	n          int32
	head, tail flow.ID
}

var noFlows = flowList{head: -1, tail: -1}

// link puts the flow at the end of a list.
func (o *Orchestrator) link(id flow.ID, f *flowState, l *flowList) {
	f.prev, f.next = l.tail, -1
	if l.n == 0 {
		l.head = id
		f.prev = -1
	} else {
		o.flows.At(l.tail).next = id
	}
	l.tail = id
	l.n++
}

func (o *Orchestrator) unlink(f *flowState, l *flowList) {
	if f.prev >= 0 {
		o.flows.At(f.prev).next = f.next
	} else {
		l.head = f.next
	}
	if f.next >= 0 {
		o.flows.At(f.next).prev = f.prev
	} else {
		l.tail = f.prev
	}
	l.n--
}

// unassign takes the flow off its instance.
func (o *Orchestrator) unassign(id flow.ID, f *flowState) {
	i := &o.insts[f.target]
	o.unlink(f, &i.flows)
	slot := -1
	if i.state == ready {
		slot = i.slot
		if o.sees.Has(policy.T1) {
			o.view.Flows[slot]--
		}
	}
	o.tell(policy.Ended, slot, o.workOf(id, f))
	was := f.target
	f.target = 0
	o.finish(was)
}

func (o *Orchestrator) flowEnded(id flow.ID) {
	f := o.flow(id)
	if f == nil || f.phase == absent {
		return
	}
	was := f.phase
	f.phase, f.rule, f.retrying, f.grown = absent, noRule, false, false
	switch was {
	case placed:
		o.unassign(id, f)
	case waits:
		o.release(id, f)
	}
	o.forgetCount(id)
	o.settled(id, f, 0)
	o.forget(id)
	if was == placed && o.sees.Has(policy.T1) { // a policy that counts flows may have room for one now
		o.placeHeld()
	}
}

// early says that the flow has not sent enough for a rule.
func (o *Orchestrator) early(f *flowState) bool { return !f.grown && o.cfg.Scheduler.Offload.After > 1 }

// flowGrown gives a flow its rule, now or when it has an instance.
func (o *Orchestrator) flowGrown(id flow.ID) {
	f := o.flow(id)
	if f == nil || f.phase == absent || !o.early(f) {
		return
	}
	f.grown = true
	if f.phase != waits && f.rule == noRule {
		o.install(id, f)
	}
}

func (o *Orchestrator) ruleInstalled(id flow.ID, at flow.Instance) {
	f := o.flow(id)
	switch {
	case f == nil:
	case f.phase == absent || f.phase == waits:
		// The flow ended, or lost its instance, while the rule was being written.
		o.do(Action{Kind: RemoveRule, Flow: id})
	case f.phase == refused || o.instance(at) == nil: // a drop rule leads nowhere
	case at == f.ordered || f.rule == noRule:
		f.rule, f.ordered = inForce, at
		o.settled(id, f, at)
	default: // an order that a newer one has replaced: the rule leads there, until the newer one is in force
		f.rule = inForce
		o.stray(id, f, at)
	}
}

// ruleRejected has the rule tried again after this window. The flow keeps its assignment: until then its packets reach
// the instance by the slow path, or by the rule in force.
func (o *Orchestrator) ruleRejected(id flow.ID, at flow.Instance, reason string) {
	f := o.flow(id)
	if f == nil || f.phase != placed && f.phase != refused || f.rule == noRule && o.early(f) {
		return
	}
	first := f.rule == asked && f.origin == at && f.ordered == at && len(o.astray[id]) == 0
	if first || f.phase == refused { // there is no rule
		f.rule = noRule
		o.settled(id, f, 0)
	}
	if f.target != at || f.retrying {
		return
	}
	f.retrying = true
	o.retry = append(o.retry, id)
	o.decided(Decision{Kind: Reject, Flow: id, Instance: at, Reason: reason})
}

func (o *Orchestrator) tryAgain(id flow.ID) {
	f := o.flow(id)
	if !f.retrying {
		return
	}
	f.retrying = false
	if f.phase == refused || f.phase == placed && (f.origin != f.target || len(o.astray[id]) > 0) {
		o.install(id, f)
	}
}

// rehome schedules a flow away from an instance that no longer takes any. If there is nowhere to go, a flow of a dead
// instance is held or dropped; one of a draining instance stays.
func (o *Orchestrator) rehome(id flow.ID, dead bool) {
	f := o.flows.At(id)
	var silent verdicts
	if !dead {
		silent = 1<<policy.Hold | 1<<policy.Drop
	}
	target, verdict := o.schedule(id, f, silent)
	if verdict != policy.Place && !dead {
		return
	}
	o.unassign(id, f)
	f.retrying = false
	switch verdict {
	case policy.Place:
		o.assign(id, f, target)
		o.install(id, f)
	case policy.Hold:
		o.withdraw(id, f) // also where its rule was refused: the slow path sends it to the dead instance
		o.holdBack(id, f)
	case policy.Drop:
		f.phase = refused
		if f.rule != noRule {
			o.withdraw(id, f)
		}
		o.install(id, f)
	}
}
