package orchestrator

import (
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
	phase    phase
	ruled    bool          // a rule of the flow is in the switch, or on its way there
	retrying bool          // its rule was rejected and is tried again after this window
	pending  bool          // the counters do not show its assignment to target yet
	target   flow.Instance // the instance it is assigned to
	origin   flow.Instance // the instance to which a rule may still send it until a move is confirmed
	assigned units.Time    // when it was assigned to target
	prev     flow.ID       // neighbours in target's list of flows, in order of assignment; -1 at the ends
	next     flow.ID
}

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
	switch outcome {
	case scheduler.Held:
		if f.phase != waits {
			f.phase = waits
			o.held = append(o.held, id)
		}
		return false
	case scheduler.Refused:
		f.phase = refused
	case scheduler.Placed:
		f.phase = placed
		o.assign(id, target)
	}
	o.install(id)
	return true
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

// install sends the rule for the flow's target, or the drop rule.
func (o *Orchestrator) install(id flow.ID) {
	f := o.flows.at(id)
	if f.ruled {
		o.do(Action{Kind: MoveRule, Flow: id, Instance: f.target})
		return
	}
	f.ruled = true
	o.setOrigin(f, f.target)
	o.do(Action{Kind: InstallRule, Flow: id, Instance: f.target})
}

// withdraw removes the flow's rule, so that its next packet is a miss.
func (o *Orchestrator) withdraw(id flow.ID) {
	if f := o.flows.at(id); f.ruled {
		f.ruled = false
		o.setOrigin(f, 0)
		o.do(Action{Kind: RemoveRule, Flow: id})
	}
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
	f.prev, f.next = i.tail, -1
	if i.flows == 0 {
		i.head = id
		f.prev = -1
	} else {
		o.flows.at(i.tail).next = id
	}
	i.tail = id
	i.flows++
	i.pending++
	o.demand.change(o.now, +1)
	o.pend(assignment{id, o.now})
	if i.state == ready {
		o.refresh(i.slot, i)
	}
}

// unassign takes the flow off its instance.
func (o *Orchestrator) unassign(id flow.ID) {
	f := o.flows.at(id)
	i := &o.insts[f.target]
	o.settle(f)
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
	f.phase, f.ruled, f.retrying = absent, false, false
	if was == placed {
		o.unassign(id)
	}
	o.setOrigin(f, 0)
}

func (o *Orchestrator) ruleInstalled(id flow.ID, at flow.Instance) {
	f := o.flow(id)
	switch {
	case f == nil:
	case f.phase == absent || f.phase == waits:
		// The flow ended, or lost its instance, while the rule was being written.
		o.do(Action{Kind: RemoveRule, Flow: id})
	case f.phase == placed && at >= 1 && int(at) < len(o.insts):
		f.ruled = true
		o.setOrigin(f, at)
	}
}

// ruleRejected has the rule tried again after this window. The flow keeps its assignment: until then its packets reach
// the instance by the slow path, or by the rule in force.
func (o *Orchestrator) ruleRejected(id flow.ID, at flow.Instance, reason string) {
	f := o.flow(id)
	if f == nil || f.phase != placed && f.phase != refused {
		return
	}
	if f.origin == at { // an InstallRule: there is no rule
		f.ruled = false
		o.setOrigin(f, 0)
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
	if f.phase == refused || f.phase == placed && f.origin != f.target {
		o.install(id)
	}
}

// placeHeld tries the held flows, oldest first, until one has to stay held: all are expected to bring the same demand,
// so the others would too.
func (o *Orchestrator) placeHeld() {
	done := 0
	for ; done < len(o.held); done++ {
		if id := o.held[done]; o.flows.at(id).phase == waits && !o.place(id) {
			break
		}
	}
	o.held = o.held[:copy(o.held, o.held[done:])]
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
		f.phase = waits
		o.withdraw(id)
		o.held = append(o.held, id)
	case scheduler.Refused:
		f.phase = refused
		o.withdraw(id)
		o.install(id)
	}
}
