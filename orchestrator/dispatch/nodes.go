package dispatch

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Load is what a node says of the instances that serve a kind of request.
type Load struct {
	Queue   int32 // requests that they have, or that wait for them
	Workers int32 // how many there are
	Idle    int32 // how many of them have no request
}

// Returned is Ended for a dispatcher whose instances are nodes: a request has come back from w.At, which is a node, and
// with it what that had left.
func (h *Host) Returned(now units.Time, w *policy.Work, left Load) {
	h.event.Workers, h.event.Idle = left.Workers, left.Idle
	h.Ended(now, w, left.Queue)
	h.event.Workers, h.event.Idle = 0, 0
}

// Idle is how many instances have been given no request that they have not replied to.
func (h *Host) Idle() (n int32) {
	for _, flows := range h.flows {
		if flows == 0 {
			n++
		}
	}
	return n
}

// Signals is how many messages have told the policy how its instances are, if so many replies have come.
func (h *Host) Signals(replies uint64) uint64 {
	if s, ok := h.policy.(policy.Signalled); ok {
		return s.Signals()
	}
	if h.sees.Has(policy.T3) {
		return replies
	}
	return 0
}

// Abandon is a held request that is held no more since it is lost. ok is false where none is held.
func (h *Host) Abandon(now units.Time) (ref int32, ok bool) {
	for _, q := range h.held.queues {
		if q.n > 0 {
			unit := q.head()
			w := &h.held.out
			*w, ref = unit.work, unit.ref
			w.Held = true
			h.held.pop(q)
			h.tell(now, policy.Unqueued, -1, w)
			return ref, true
		}
	}
	return 0, false
}
