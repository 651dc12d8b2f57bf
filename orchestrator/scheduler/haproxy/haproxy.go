// Package haproxy has the ways in which HAProxy balances connections, made again from its rules and held against the
// running program.
//
// A server is an instance, whose id is its number, and a connection is a flow. Servers that take work before the first
// flow comes are those of HAProxy's configuration; later ones come as a server that was down comes up.
// instances.weights are the servers' weights, of which HAProxy knows at most 256, and instances.maxconn their maxconn.
//
// A flow for which all servers are full waits in the backend's queue, whose oldest flow goes to the server that has a
// place first. One that comes when no server has a weight is refused.
package haproxy

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{roundRobinRow, staticRow, leastRow, firstRow, randomRow, sourceRow, hashRow}

const source = "HAProxy 2.6, src/"

// The reasons of all rows.
const (
	chosen uint8 = iota
	dequeued
	queued
	refused
)

func reasons(of string) []string {
	return []string{of, "waited in the queue, and has the first place that is free", "all servers are full: queued",
		"no server has a weight: refused"}
}

const (
	mostWeight = 256
	scale      = 16 // of a weight to the effective one
	mostScaled = mostWeight * scale
)

// effective is the effective weight of a row.
func effective(v *policy.View, slot int) int { return int(min(v.Weight[slot], mostWeight)) * scale }

func usable(v *policy.View, slot int) bool { return v.Weight[slot] > 0 }

// full reports whether a server has as many connections as it may.
func full(v *policy.View, slot int) bool {
	return v.MaxConn[slot] > 0 && v.Flows[slot] >= v.MaxConn[slot]
}

// queue is the backend's queue, which the host keeps. It knows which servers have got a place since a flow was last put
// there: those alone are given to flows that wait.
type queue struct{ freed policy.PerSlot[bool] }

// follow notes the servers that come, and those with a limit on which a flow ends: one without a limit takes from the
// queue only when it comes.
func (q *queue) follow(e *policy.Event, v *policy.View) {
	q.freed.Follow(e, true)
	if e.Kind == policy.Ended && e.Slot >= 0 && v.MaxConn[e.Slot] > 0 {
		q.freed[e.Slot] = true
	}
}

// dequeue answers for a flow that waits. HAProxy hands it to the server that has just got a place, without a turn of
// the algorithm. ok is false for a flow that does not wait.
func (q *queue) dequeue(w *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer, ok bool) {
	if !w.Held {
		return a, false
	}
	for slot, freed := range q.freed {
		if freed && usable(v, slot) && !full(v, slot) {
			log.Add(slot, 0, true)
			return policy.Answer{Slot: slot, Why: dequeued}, true
		}
	}
	clear(q.freed)
	return policy.Answer{Verdict: policy.Hold, Why: queued}, true
}

// none is the answer where no server takes a flow.
func (q *queue) none(v *policy.View) policy.Answer {
	for slot := range v.IDs {
		if usable(v, slot) {
			clear(q.freed)
			return policy.Answer{Verdict: policy.Hold, Why: queued}
		}
	}
	return weightless
}

// changes notes that servers have come or gone.
type changes struct{ some bool }

func (c *changes) follow(e *policy.Event) {
	c.some = c.some || e.Kind == policy.Joined || e.Kind == policy.Left
}

// changed reports whether there were any since it was asked last.
func (c *changes) changed() (some bool) {
	some, c.some = c.some, false
	return some
}

// weightless is the answer where no server has a weight.
var weightless = policy.Answer{Verdict: policy.Drop, Why: refused}

// rowOf is the row of an instance that takes work.
func rowOf(v *policy.View, id flow.Instance) int {
	slot, _ := slices.BinarySearch(v.IDs, id)
	return slot
}

var firstRow = policy.Row{
	Info: policy.Info{Name: "haproxy-first", Rule: "the first instance by number that is not full; weights say nothing",
		Source: source + "lb_fas.c", Score: "the instance's number", Sees: policy.T0 | policy.T1},
	Reasons: reasons("first that is not full"),
	Maker:   policy.Plain(func(policy.Env) policy.Policy { return &first{} }),
}

type first struct{ queue }

func (f *first) Observe(e *policy.Event, v *policy.View) { f.follow(e, v) }

func (f *first) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if a, ok := f.dequeue(w, v, log); ok {
		return a
	}
	for slot, id := range v.IDs {
		fits := usable(v, slot) && !full(v, slot)
		log.Add(slot, float64(id), fits)
		if fits {
			return policy.Answer{Slot: slot}
		}
	}
	return f.none(v)
}
