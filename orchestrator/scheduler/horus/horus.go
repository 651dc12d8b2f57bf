// Package horus has the schedulers of Horus (Yassini et al., NSDI 2024), which place requests from switches' pipelines.
// The spine chooses a rack, and the leaf a worker of it: one that is idle while it knows any, and otherwise the better
// of two that it draws.
//
// A pipeline can write a register once for each packet, so that it cannot raise the queue length of the worker that it
// has just found shorter. It counts what it sent since the worker's last reply beside the length, as the worker's
// drift, and trusts the comparison as long as the drift is not above the difference of the lengths. Otherwise the
// packet goes through the pipeline a second time, with lengths and drifts together: a resubmission, Answer.Passes.
//
// The leaf's rule is that of the released program for the Tofino switch. The spine's is for a dispatcher above nodes,
// each of which is a rack. The baselines of Horus' simulator are other policies in its place: rs-h is RackSched at both
// levels, and rs-r a random node with RackSched in it.
package horus

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{leafRow, spineRow}

var leafRow = policy.Row{
	Info: policy.Info{Name: "horus",
		Rule: "an instance known to be idle, the last one first; else the shorter queue of two drawn, by lengths " +
			"last reported and, where these are too old, requests sent since",
		Source: "Yassini et al., NSDI 2024, as released: horus-p4 e12fbcc0d518, tofino/horus/leaf.p4",
		Score:  "requests that the instance is thought to have",
		Sees:   policy.T0 | policy.T1 | policy.T3,
		State: "a stack of idle instances; for each instance its queue length, its drift, and whether it will say " +
			"that it is idle",
		Cost: "constant; log n where the instances' numbers have gaps",
		Deviates: "a spine is told with replies, so that there is no linkage here, and load signals are only " +
			"counted; a second pass follows the first at once, and not after the packets between them; where the " +
			"instances are no power of two the original's leaf draws outside its table, and here as its spine does; " +
			"one that joins with requests is not idle"},
	Unit: policy.Requests,
	Reasons: []string{idle: "known to be idle", shorter: "shorter of two", only: "the only instance",
		again: "shorter of two, with drifts, in a second pass"},
	Counters: []string{drifts: "drifts written", lengths: "lengths written after a second pass",
		signals: "load signals that a spine would get"},
	Maker: policy.Make(newLeaf),
}

// The reasons.
const (
	idle uint8 = iota
	shorter
	only
	again
)

// The counters.
const (
	drifts = iota
	lengths
	signals
)

type options struct {
	RNG   string `yaml:"rng" enum:"uniform|asic" default:"uniform"`
	Reset bool   `yaml:"reset" default:"false"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
rng: how two instances are drawn. uniform: each with the same chance; asic: by as many random bits as number them, a
	second time where that is none of them, and then in turn
reset: whether a second pass puts the drift of the chosen instance into its length, and begins anew. The released
	program has that commented out, and counts the drift on
`
}

// leaf is the scheduler of one rack.
type leaf struct {
	options
	draws
	counts  []uint64
	idle    []flow.Instance // the last one is taken first
	workers policy.PerSlot[worker]
	replies int // since the last load signal
}

// worker is what the leaf knows of an instance.
type worker struct {
	length, drift int32
	state         state
	mark          flow.ID // with marked: the request that told it
}

// state says whether an instance is listed as idle and, if not, whether it will tell when it is. It tells once, after a
// request that was sent because it was idle: so it is never listed twice.
type state uint8

const (
	listed state = iota
	marked       // the request that took it off the list is under way
	tells        // that request has ended
)

func newLeaf(o options, env policy.Env) (policy.Policy, error) {
	return &leaf{options: o, draws: draws{rand: env.Rand, asic: o.RNG == "asic"}, counts: env.Counts}, nil
}

// Observe takes the queue lengths off replies, and lists the instances that have become idle.
func (l *leaf) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Ended:
		if e.Slot >= 0 {
			l.replied(e, v)
		}
	case policy.Joined:
		fresh := worker{length: v.Flows[e.Slot], state: tells}
		if fresh.length == 0 {
			fresh.state = listed
			l.idle = append(l.idle, v.IDs[e.Slot])
		}
		l.workers.Follow(e, fresh)
	case policy.Left:
		if l.workers[e.Slot].state == listed {
			for i, id := range l.idle {
				if id == v.IDs[e.Slot] {
					l.idle = append(l.idle[:i], l.idle[i+1:]...)
					break
				}
			}
		}
		l.workers.Follow(e, worker{})
	}
}

func (l *leaf) replied(e *policy.Event, v *policy.View) {
	w := &l.workers[e.Slot]
	w.length, w.drift = e.Queue, 0
	if w.state == marked && w.mark == e.Work.Flow {
		w.state = tells
	}
	if w.state == tells && e.Queue == 0 {
		w.state = listed
		l.idle = append(l.idle, v.IDs[e.Slot])
	}
	if l.replies++; l.replies >= len(v.IDs) {
		l.replies = 0
		l.counts[signals]++
	}
}

func (l *leaf) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer) {
	if last := len(l.idle) - 1; last >= 0 {
		a.Slot, _ = v.Row(l.idle[last])
		l.idle = l.idle[:last]
		l.workers[a.Slot].state, l.workers[a.Slot].mark = marked, w.Flow
		log.Add(a.Slot, 0, true)
		return a
	}
	x, y := 0, 0
	if len(l.workers) > 1 {
		x, y = l.draw()
	}
	return l.choose(x, y, log)
}

// draw draws two rows that differ, of at least two.
func (l *leaf) draw() (x, y int) { return l.pair(len(l.workers)) }

// choose takes the better of two drawn rows, which may be the same one.
func (l *leaf) choose(x, y int, log *policy.Weighed) policy.Answer {
	best, other := x, y
	if l.workers[y].length < l.workers[x].length {
		best, other = y, x
	}
	b, o := &l.workers[best], &l.workers[other]
	a := policy.Answer{Slot: best, Why: shorter}
	switch {
	case best == other:
		a.Why = only
		log.Add(best, float64(b.length), true)
		b.drift++
		l.counts[drifts]++
	case b.drift <= o.length-b.length:
		l.logged(best, other, float64(b.length), float64(o.length), log)
		b.drift++
		l.counts[drifts]++
	default:
		a.Why, a.Passes = again, 1
		l.logged(best, other, float64(b.length+b.drift), float64(o.length+o.drift), log)
		if o.length+o.drift < b.length+b.drift {
			a.Slot, b = other, o
		}
		if l.Reset {
			b.length, b.drift = b.length+b.drift, 0
		}
		b.length++
		l.counts[lengths]++
	}
	return a
}

// logged takes the two candidates down in order of their rows.
func (l *leaf) logged(a, b int, ofA, ofB float64, log *policy.Weighed) {
	if a > b {
		a, b, ofA, ofB = b, a, ofB, ofA
	}
	log.Add(a, ofA, true)
	log.Add(b, ofB, true)
}
