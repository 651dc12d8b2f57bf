package orchestrator

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// heldFlows are the flows that wait for an instance, or for room: queues, each with the oldest flow first.
type heldFlows struct {
	ranker  policy.Ranker // nil: all held flows are alike
	n       int
	queues  []*heldQueue   // in order of their numbers; a queue stays when its last flow has gone
	backlog policy.Backlog // since the last evaluation
}

type heldQueue struct {
	number int
	stuck  bool // its first flow has to stay held, as has been tried just now
	flowList
}

// of is the queue that a unit of work belongs to.
func (h *heldFlows) of(w *policy.Work) *heldQueue {
	number := 0
	if h.ranker != nil {
		number = h.ranker.Queue(w)
	}
	at, found := slices.BinarySearchFunc(h.queues, number,
		func(q *heldQueue, number int) int { return cmp.Compare(q.number, number) })
	if !found {
		h.queues = slices.Insert(h.queues, at, &heldQueue{number: number, flowList: noFlows})
	}
	return h.queues[at]
}

// next is the queue to try next, or nil.
func (h *heldFlows) next() (first *heldQueue) {
	for _, q := range h.queues {
		if q.n > 0 && !q.stuck && (first == nil || h.ranker.Before(q.number, first.number)) {
			first = q
		}
	}
	return first
}

// holdBack puts a flow at the end of those that wait.
func (o *Orchestrator) holdBack(id flow.ID, f *flowState) {
	f.phase = waits
	w := o.workOf(id, f)
	o.link(id, f, &o.held.of(w).flowList)
	o.held.n++
	o.held.backlog.Grew(o.held.n)
	o.tell(policy.Queued, -1, w)
}

// release takes a flow off those that wait.
func (o *Orchestrator) release(id flow.ID, f *flowState) {
	w := o.workOf(id, f)
	o.unlink(f, &o.held.of(w).flowList)
	o.held.n--
	o.held.backlog.Left++
	o.tell(policy.Unqueued, -1, w)
}

// placeHeld tries the held flows of each queue, oldest first, until one has to stay held: the others of its queue would
// too.
func (o *Orchestrator) placeHeld() {
	for q := o.held.next(); q != nil; q = o.held.next() {
		q.stuck = !o.place(q.head, o.flows.At(q.head))
	}
	for _, q := range o.held.queues {
		q.stuck = false
	}
}
