package orchestrator

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
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
	assigned units.Time // when it was assigned to target
	phase    phase
	rule     ruleState
	retrying bool          // its rule was rejected and is tried again after this window
	pending  bool          // the counters do not show its assignment to target yet
	target   flow.Instance // the instance it is assigned to
	ordered  flow.Instance // where the newest order for its rule leads
	origin   flow.Instance // the instance to which a rule may send it until ordered is confirmed; astray has more
	prev     flow.ID       // neighbours in target's list of flows, or in that of held ones; -1 at the ends
	next     flow.ID
}

// ruleState is what is known of a flow's rule.
type ruleState uint8

const (
	noRule  ruleState = iota
	asked             // InstallRule was sent
	inForce           // and confirmed
)

// flowTable is the flows by their number, in blocks: one that grows by a flow at a time is never copied, and takes no more
// memory than its flows.
type flowTable struct {
	blocks []*[flowBlock]flowState
	n      int
}

const flowBlock = 1 << 10

func (t *flowTable) at(id flow.ID) *flowState {
	return &t.blocks[uint32(id)/flowBlock][uint32(id)%flowBlock]
}

// grow makes room for so many flows.
func (t *flowTable) grow(n int) {
	for n > len(t.blocks)*flowBlock {
		t.blocks = append(t.blocks, new([flowBlock]flowState))
	}
	t.n = max(t.n, n)
}

func (o *Orchestrator) flow(id flow.ID) *flowState {
	if id < 0 || int(id) >= o.flows.n {
		return nil
	}
	return o.flows.at(id)
}

func (o *Orchestrator) flowArrived(id flow.ID) {
	if id < 0 || int(id) > o.flows.n+maxFlowGap {
		return
	}
	o.flows.grow(int(id) + 1)
	if o.flows.at(id).phase == absent {
		o.place(id)
	}
}

// place schedules a flow that is assigned nowhere, and reports whether that settled its fate: a flow that has to be
// held again stays held.
func (o *Orchestrator) place(id flow.ID) bool {
	f := o.flows.at(id)
	var silent outcomes
	if f.phase == waits {
		silent = 1 << scheduler.Held
	}
	target, outcome := o.schedule(id, silent)
	if outcome == scheduler.Held {
		if f.phase != waits {
			o.holdBack(id)
		}
		return false
	}
	if f.phase == waits {
		o.unlink(id, &o.insts[0])
	}
	switch outcome {
	case scheduler.Refused:
		f.phase = refused
	case scheduler.Placed:
		f.phase = placed
		o.assign(id, target)
	}
	o.install(id)
	return true
}

// holdBack puts a flow at the end of those that wait, which are listed as if 0 were an instance.
func (o *Orchestrator) holdBack(id flow.ID) {
	o.flows.at(id).phase = waits
	o.link(id, &o.insts[0])
}

// outcomes is a set of scheduler.Outcome, one bit each.
type outcomes uint8

// schedule asks the policy, and logs what it says unless that changes nothing, as the outcomes in silent do.
func (o *Orchestrator) schedule(id flow.ID, silent outcomes) (flow.Instance, scheduler.Outcome) {
	o.candidates = o.candidates[:0]
	if o.log != nil {
		o.candidates = o.sched.Candidates(&o.view, o.candidates)
	}
	outcome, slot, reason := o.sched.Decide(&o.view)
	var target flow.Instance
	if outcome == scheduler.Placed {
		target = o.view.IDs[slot]
	}
	if silent>>outcome&1 == 0 {
		kind := [...]string{scheduler.Placed: Schedule, scheduler.Held: Hold, scheduler.Refused: Refuse}[outcome]
		o.decided(Decision{Kind: kind, Policy: o.cfg.Scheduler.Policy, Flow: id, Instance: target, Reason: reason, Candidates: o.candidates})
	}
	return target, outcome
}

// install sends the rule for the flow's target, or the drop rule. Until that is confirmed, a rule may lead to any of the
// flow's earlier targets: one that was ordered may have come into force before the next.
func (o *Orchestrator) install(id flow.ID) {
	f := o.flows.at(id)
	a := Action{Kind: InstallRule, Flow: id, Instance: f.target}
	if f.rule == noRule {
		f.rule = asked
		o.setOrigin(f, f.target)
	} else {
		a.Kind = MoveRule
		o.stray(id, f.target)
	}
	f.ordered = f.target
	o.do(a)
}

// stray notes that a rule of the flow may lead to the instance.
func (o *Orchestrator) stray(id flow.ID, to flow.Instance) {
	if f := o.flows.at(id); to == 0 || to == f.origin || slices.Contains(o.astray[id], to) {
		return
	}
	if o.astray == nil {
		o.astray = map[flow.ID][]flow.Instance{}
	}
	o.astray[id] = append(o.astray[id], to)
	o.insts[to].rules++
}

// settled notes that a rule of the flow can only lead to the one instance, or that there is none.
func (o *Orchestrator) settled(id flow.ID, to flow.Instance) {
	also := o.astray[id]
	delete(o.astray, id)
	o.setOrigin(o.flows.at(id), to)
	for _, i := range also {
		o.insts[i].rules--
		o.finish(i)
	}
}

// withdraw removes the flow's rule and its target on the slow path, so that its next packet is a miss.
func (o *Orchestrator) withdraw(id flow.ID) {
	o.flows.at(id).rule = noRule
	o.do(Action{Kind: RemoveRule, Flow: id}) // before the deletion that it may allow
	o.settled(id, 0)
}

func (o *Orchestrator) setOrigin(f *flowState, to flow.Instance) {
	from := f.origin
	f.origin = to
	o.insts[from].rules--
	o.insts[to].rules++
	o.finish(from)
}

// assign puts the flow at the end of the instance's list.
func (o *Orchestrator) assign(id flow.ID, to flow.Instance) {
	f, i := o.flows.at(id), &o.insts[to]
	f.target, f.assigned, f.pending = to, o.now, true
	o.link(id, i)
	i.pending++
	o.demand.change(o.now, +1)
	o.pend(assignment{id, o.now})
	if i.state == ready {
		o.refresh(i.slot, i)
	}
}

// link puts the flow at the end of a list.
func (o *Orchestrator) link(id flow.ID, i *instanceState) {
	f := o.flows.at(id)
	f.prev, f.next = i.tail, -1
	if i.flows == 0 {
		i.head = id
		f.prev = -1
	} else {
		o.flows.at(i.tail).next = id
	}
	i.tail = id
	i.flows++
}

func (o *Orchestrator) unlink(id flow.ID, i *instanceState) {
	f := o.flows.at(id)
	if f.prev >= 0 {
		o.flows.at(f.prev).next = f.next
	} else {
		i.head = f.next
	}
	if f.next >= 0 {
		o.flows.at(f.next).prev = f.prev
	} else {
		i.tail = f.prev
	}
	i.flows--
}

// unassign takes the flow off its instance.
func (o *Orchestrator) unassign(id flow.ID) {
	f := o.flows.at(id)
	i := &o.insts[f.target]
	o.settle(f)
	o.unlink(id, i)
	o.demand.change(o.now, -1)
	if i.state == ready {
		o.refresh(i.slot, i)
	}
	was := f.target
	f.target = 0
	o.finish(was)
}

// pend appends to the queue of unmeasured assignments, moving it to the front of its memory when half of that is spent.
func (o *Orchestrator) pend(a assignment) {
	if len(o.pending) == cap(o.pending) && o.first > len(o.pending)/2 {
		o.pending = o.pending[:copy(o.pending, o.pending[o.first:])]
		o.first = 0
	}
	o.pending = append(o.pending, a)
}

func (o *Orchestrator) flowEnded(id flow.ID) {
	f := o.flow(id)
	if f == nil || f.phase == absent {
		return
	}
	was := f.phase
	f.phase, f.rule, f.retrying = absent, noRule, false
	switch was {
	case placed:
		o.unassign(id)
	case waits:
		o.unlink(id, &o.insts[0])
	}
	o.settled(id, 0)
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
		o.settled(id, at)
	default: // an order that a newer one has replaced: the rule leads there, until the newer one is in force
		f.rule = inForce
		o.stray(id, at)
	}
}

// ruleRejected has the rule tried again after this window. The flow keeps its assignment: until then its packets reach
// the instance by the slow path, or by the rule in force.
func (o *Orchestrator) ruleRejected(id flow.ID, at flow.Instance, reason string) {
	f := o.flow(id)
	if f == nil || f.phase != placed && f.phase != refused {
		return
	}
	first := f.rule == asked && f.origin == at && f.ordered == at && len(o.astray[id]) == 0
	if first || f.phase == refused { // there is no rule
		f.rule = noRule
		o.settled(id, 0)
	}
	if f.target != at || f.retrying {
		return
	}
	f.retrying = true
	o.retry = append(o.retry, id)
	o.decided(Decision{Kind: Reject, Flow: id, Instance: at, Reason: reason})
}

func (o *Orchestrator) tryAgain(id flow.ID) {
	f := o.flows.at(id)
	if !f.retrying {
		return
	}
	f.retrying = false
	if f.phase == refused || f.phase == placed && (f.origin != f.target || len(o.astray[id]) > 0) {
		o.install(id)
	}
}

// placeHeld tries the held flows, oldest first, until one has to stay held: all are expected to bring the same demand,
// so the others would too.
func (o *Orchestrator) placeHeld() {
	for w := &o.insts[0]; w.flows > 0 && o.place(w.head); {
	}
}

// rehome schedules a flow away from an instance that no longer takes any. If there is nowhere to go, a flow of a dead
// instance is held or dropped; one of a draining instance stays.
func (o *Orchestrator) rehome(id flow.ID, dead bool) {
	f := o.flows.at(id)
	var silent outcomes
	if !dead {
		silent = 1<<scheduler.Held | 1<<scheduler.Refused
	}
	target, outcome := o.schedule(id, silent)
	if outcome != scheduler.Placed && !dead {
		return
	}
	o.unassign(id)
	f.retrying = false
	switch outcome {
	case scheduler.Placed:
		o.assign(id, target)
		o.install(id)
	case scheduler.Held:
		o.withdraw(id) // also where its rule was refused: the slow path sends it to the dead instance
		o.holdBack(id)
	case scheduler.Refused:
		f.phase = refused
		if f.rule != noRule {
			o.withdraw(id)
		}
		o.install(id)
	}
}
