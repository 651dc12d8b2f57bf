package dispatch

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// heldWork is the requests that wait: queues, each with the oldest first.
type heldWork struct {
	ranker policy.Ranker // nil: all held requests are alike
	n      int
	queues []*heldQueue // in order of their numbers; a queue stays when its last request has gone
	round  uint64       // counts what the policy is told, after which each queue is tried again
	tried  uint64       // the round of what stuck says
	out    policy.Work  // reused
}

type heldQueue struct {
	number int
	stuck  bool // its first request has to stay held, as has been tried in this round
	ring   []held
	first  int // in the ring, whose length is a power of two
	n      int
}

type held struct {
	work policy.Work
	ref  int32
}

func (q *heldQueue) head() *held { return &q.ring[q.first] }

// of is the queue that a unit of work belongs to.
func (h *heldWork) of(w *policy.Work) *heldQueue {
	number := 0
	if h.ranker != nil {
		number = h.ranker.Queue(w)
	}
	at, found := slices.BinarySearchFunc(h.queues, number,
		func(q *heldQueue, number int) int { return cmp.Compare(q.number, number) })
	if !found {
		h.queues = slices.Insert(h.queues, at, &heldQueue{number: number})
	}
	return h.queues[at]
}

func (h *heldWork) push(w *policy.Work, ref int32) {
	q := h.of(w)
	if q.n == len(q.ring) {
		bigger := make([]held, max(16, 2*q.n))
		copy(bigger[copy(bigger, q.ring[q.first:]):], q.ring[:q.first])
		q.ring, q.first = bigger, 0
	}
	q.ring[(q.first+q.n)&(len(q.ring)-1)] = held{*w, ref}
	q.n++
	h.n++
}

func (h *heldWork) pop(q *heldQueue) {
	q.first = (q.first + 1) & (len(q.ring) - 1)
	q.n--
	h.n--
}

// changed says that the policy was told something, and may answer otherwise now.
func (h *heldWork) changed() { h.round++ }

// next is the queue to try next, or nil.
func (h *heldWork) next() (first *heldQueue) {
	if h.n == 0 {
		return nil
	}
	if h.tried != h.round {
		for _, q := range h.queues {
			q.stuck = false
		}
		h.tried = h.round
	}
	for _, q := range h.queues {
		if q.n > 0 && !q.stuck && (first == nil || h.ranker.Before(q.number, first.number)) {
			first = q
		}
	}
	return first
}
