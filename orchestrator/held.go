package orchestrator

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// heldFlows are the flows that wait for an instance, or for room: a list for each rank, oldest flow first.
type heldFlows struct {
	ranker policy.Ranker // nil: all held flows are alike
	n      int
	lists  []*heldList // the greatest rank first; a list stays when its last flow has gone
}

type heldList struct {
	rank int
	flowList
}

// of is the list that a unit of work belongs to.
func (h *heldFlows) of(w *policy.Work) *heldList {
	rank := 0
	if h.ranker != nil {
		rank = h.ranker.Rank(w)
	}
	at, found := slices.BinarySearchFunc(h.lists, rank,
		func(l *heldList, rank int) int { return cmp.Compare(rank, l.rank) })
	if !found {
		h.lists = slices.Insert(h.lists, at, &heldList{rank, noFlows})
	}
	return h.lists[at]
}

// holdBack puts a flow at the end of those that wait.
func (o *Orchestrator) holdBack(id flow.ID, f *flowState) {
	f.phase = waits
	o.link(id, f, &o.held.of(o.workOf(id, f)).flowList)
	o.held.n++
}

// release takes a flow off those that wait.
func (o *Orchestrator) release(id flow.ID, f *flowState) {
	o.unlink(f, &o.held.of(o.workOf(id, f)).flowList)
	o.held.n--
}

// placeHeld tries the held flows of each rank, oldest first, until one has to stay held: the others of its rank would
// too.
func (o *Orchestrator) placeHeld() {
	for _, l := range o.held.lists {
		for l.n > 0 && o.place(l.head, o.flows.At(l.head)) {
		}
	}
}
