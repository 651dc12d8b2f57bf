// Package policy is the contract between the orchestrator and its policies: what a policy is told, what it is shown,
// and what it may answer.
//
// A scheduling policy is a state machine of the orchestrator's own shape. It does no I/O, reads no clock and draws from
// no random source but Env.Rand. It is told of each Event that concerns it, is shown a View of the instances that take
// work, and answers, for each unit of work, where that goes. What policies share is done by the host, package
// scheduler: the queue of held work, the breaking of ties, the decision log, and the narrowing of the View to what a
// policy's row declares.
//
// A policy is a file with its type and its options, and a Row in the table of its family:
//
//	var Policies = []policy.Row{
//		{Info: policy.Info{Name: "power-of-d", Rule: "the best of d instances drawn at random",
//			Sees: policy.T0 | policy.T1},
//			Reasons: []string{"best of those drawn"}, Maker: policy.Make(newPowerOfD)},
//	}
//
// Package policytest holds every row to this contract.
package policy

import (
	"math/rand/v2"
	"slices"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// Work is one unit that wants an instance: a flow, or a request.
type Work struct {
	Flow  flow.ID        // of a request: its own number, which no other has
	At    flow.Instance  // serves it now; 0 for none
	Held  bool           // it was held before, and is asked for again
	Tuple flow.FiveTuple // zero unless the policy's row says Tuple
	Rate  float64        // T5: packets a second that it offers, on average over its life; 0 unless the row declares T5

	// Tenant is whose work it is. It is empty for work of nobody in particular, and where the policy's row does not say
	// Tenant.
	Tenant string

	Priority uint8  // of a request: the larger, the more urgent
	Session  uint64 // of a request: those of one session may have to reach one instance; 0: it is of none
}

// Hash is the 64-bit xxHash of the five-tuple: the addresses in their 16-byte form, then the ports and the protocol in
// network order. It takes some 20 ns; nothing is kept.
func (w *Work) Hash() uint64 { return HashTuple(&w.Tuple) }

// HashTuple is the hash that Work.Hash speaks of.
func HashTuple(t *flow.FiveTuple) uint64 {
	var b [37]byte
	src, dst := t.Src.As16(), t.Dst.As16()
	copy(b[0:], src[:])
	copy(b[16:], dst[:])
	b[32], b[33] = byte(t.SrcPort>>8), byte(t.SrcPort)
	b[34], b[35] = byte(t.DstPort>>8), byte(t.DstPort)
	b[36] = t.Proto
	return xxhash.Sum64(b[:])
}

// View is what is known of the instances: columns of equal length, in order of the instances' numbers. A column of a
// class of telemetry that the policy's row does not declare is nil. A policy must not change it, nor keep it.
type View struct {
	Now   units.Time
	Limit float64         // T0: packets a second that one instance is trusted with
	IDs   []flow.Instance // T0: the instances that take work: ready, and not draining

	// T0: what the scenario says of the instances. They do not change while an instance takes work.
	Weight  []int32 // its share beside the others; 0: it is to take no new work
	MaxConn []int32 // most flows that it is to have; 0: any number

	// T0: where the scenario lets MaxConn fall with the flows that there are, to how many, 0 for not at all, and with
	// how many flows it is what it says. What it is with fewer is the policy's to say. Otherwise nil and 0.
	MinConn  []int32
	FullConn int32

	// T0: how long an instance that joins is to have less than its weight; 0: not at all. What it has in that time, and
	// which instances have come too early for it, is the policy's to say.
	SlowStart units.Time

	Flows []int32   // T1: flows assigned to the instance and not yet ended
	Load  []float64 // T2: packets a second forwarded to it in the last window; 0 before its first
	Back  []float64 // T2: packets a second that came back from it in the last window; 0 before its first

	Live     []flow.Instance // T2: all instances that are counted: those of IDs, and those that start or drain
	LiveLoad []float64       // T2: their Load

	// T3: the median of how long packets were at the instance, in seconds, of those that left it between its last two
	// reports; 0 where none did, or none is known. Only for a row that measures DelayP50.
	Delay []float64

	// T3: how many requests the instance had, as its last reply said; 0 before its first. Only for requests.
	Queue []int32
}

// Row is the row of an instance, and whether it has one. It costs least while the numbers have no gaps.
func (v *View) Row(id flow.Instance) (slot int, ok bool) {
	if len(v.IDs) > 0 {
		if slot = int(id) - int(v.IDs[0]); slot >= 0 && slot < len(v.IDs) && v.IDs[slot] == id {
			return slot, true
		}
	}
	return slices.BinarySearch(v.IDs, id)
}

// Kind says what happened.
type Kind uint8

// The kinds of events. What each carries stands with it.
const (
	Joined   Kind = iota // Slot: it takes work from now on
	Left                 // Slot: it takes none from now on; its row is still in the View, and is gone in the next
	Placed               // Work: it is assigned to Work.At, whose row is Slot, from now on
	Ended                // Work: it is not assigned to Work.At any more, whose row is Slot, or -1 if it takes no work
	Asked                // the counters are being read
	Measured             // Since, Until: the columns of T2 are new, and describe that time
	Queued               // Work: it is held from now on
	Unqueued             // Work: it is held no more: it has ended, or what Placed tells of follows, or it is refused
	Reported             // Until: the columns of T3 are new, and describe the time up to then
	Probed               // Slot, Queue, Delay: its answer to a probe has come
)

// Event is what a policy is told. It is valid during Observe only.
type Event struct {
	Kind         Kind
	Slot         int // row of the View
	Work         *Work
	Since, Until units.Time

	// Queue is how many requests the instance had when it sent a reply, with Ended of a request, or its answer to a
	// probe. The one that it replied to is not among them.
	Queue int32

	// Of a dispatcher above nodes, whose instances are the nodes, with Ended: how many instances the node has, and how
	// many of them have no request. Both are 0 of what is no node.
	Workers, Idle int32

	// Delay is how long, in seconds, those of its requests lately took that found as many there as it has now, or
	// nearly so, as its answer to a probe says. That of others says little: of an instance that is idle by now, what it
	// took while it was overloaded.
	Delay float64
}

// Verdict is what becomes of a unit of work.
type Verdict uint8

// The verdicts.
const (
	Place Verdict = iota // in Slot
	Hold                 // it waits until something changes that the policy is told of
	Drop                 // it is refused
)

// Answer is what a policy says of a unit of work.
type Answer struct {
	Verdict Verdict
	Slot    int   // row of the View, with Place
	Why     uint8 // index into the reasons of the policy's row
	Passes  uint8 // how many times more than once the work went through the pipeline for it: resubmissions
}

// Policy chooses an instance for each unit of work.
type Policy interface {
	// Observe tells of an event. What a policy placed itself it is told too, by Placed.
	Observe(e *Event, v *View)
	// Pick answers for one unit. v holds one instance at least. Each candidate that is weighed goes to log, with the
	// score by which it is compared, in ascending order of Slot; where nobody logs, log is nil and takes nothing.
	//
	// An answer is not carried out where a unit that has an instance cannot be placed elsewhere. Then it stays where it
	// is, and no Placed follows. A burst has the instance of the one before it in its flow, of whose end the policy has
	// been told, unless that instance drains. It stays there in the same case, and Placed says so.
	Pick(w *Work, v *View, log *Weighed) Answer
}

// Mover is a policy that also gives flows that have an instance another one.
type Mover interface {
	// Every is the time between two readings of the rule counters, above 0.
	Every() units.Time
	// Moves appends what is to be moved. v holds one instance at least. counted is what has been counted since the last
	// call for each flow that has a rule in force and an instance that takes work, in order of the flows' numbers.
	Moves(v *View, counted []Counted, to []Move) []Move
}

// Counted is what the rule of one flow has counted.
type Counted struct {
	Work    Work
	Slot    int // row of the instance that serves it
	Packets uint64
}

// Move gives a flow the instance of another row.
type Move struct {
	Flow flow.ID
	Slot int
}

// Keeper is a policy that dispatches packets without rules, and under which a flow may stay at its instance although
// Pick would answer otherwise by now: a packet names its instance, or another hands it on.
type Keeper interface {
	// Keeps says until when the packets of w will reach w.At, which is there, if no instance joins or leaves until
	// then, and how many others hand them on before. If that time is not after v.Now, they do not reach it. v may hold
	// no instance; lives says of any whether it is still there, taking work or draining.
	Keeps(w *Work, v *View, lives func(flow.Instance) bool) (until units.Time, hops int)
}

// Ranker is a policy under which not all held work is alike. Work waits in queues, each in order of arrival. When a
// unit has to stay held, its queue is not tried further: the policy promises that the others in it would have to stay
// too. A policy that is no Ranker promises the same of all work.
type Ranker interface {
	// Queue is where a unit waits. It depends on the work alone, Held left out.
	Queue(w *Work) int
	// Before reports whether queue a is tried before queue b, as things are now: a strict order. It is asked anew each
	// time that work was placed. Of queues that are equal, the one of the lower number is tried first.
	Before(a, b int) bool
}

// Prober is a policy of requests that asks instances how they are. Their answers come as Probed.
type Prober interface {
	// Probes appends the rows of the instances to ask now that w came. It is called before Pick.
	Probes(w *Work, v *View, to []int) []int
}

// Signalled is a policy of requests to which not every reply says how its instance is. Of one that sees T3 and is no
// Signalled, each does.
type Signalled interface {
	// Signals is how many messages of that kind it has taken so far.
	Signals() uint64
}

// Estimator is a policy that knows what work that waits would bring, in packets a second for each unit. The autoscaler
// counts held flows so; under a policy that does not know, each is one packet a second.
type Estimator interface{ Demand() float64 }

// Env is what a policy is made with.
type Env struct {
	Rand   *rand.Rand // a stream of the policy's own, from the scenario's seed and the policy's name
	Source *rand.PCG  // what Rand draws from, for a policy of scheduling
	Ties   Ties
	Counts []uint64 // one for each of the row's Counters, all 0; the policy adds to them
	Unit   Unit     // what it will decide on: Flows, Requests or Bursts
}

// Ties decides between equal candidates, as the scenario's scheduler.ties asks. The zero value takes the first.
type Ties struct{ rand *rand.Rand }

// DrawnTies draws from a stream.
func DrawnTies(r *rand.Rand) Ties { return Ties{r} }

// Wins reports whether the n-th of n equal candidates replaces the one held: never, or one time in n, which leaves each
// with the same chance.
func (t Ties) Wins(n int) bool { return t.rand != nil && t.rand.IntN(n) == 0 }

// First reports whether it is always the first that is taken.
func (t Ties) First() bool { return t.rand == nil }

// Stateless is embedded by a policy that need not be told anything, and has no Observe of its own.
type Stateless struct{}

// Observe does nothing.
func (Stateless) Observe(*Event, *View) {}

func (Stateless) untold() {}

// Told reports whether a policy is to be told of events: whether it is not Stateless.
func Told(p Policy) bool {
	_, stateless := p.(interface{ untold() })
	return !stateless
}

// PerSlot is a column of a policy's own that is kept in step with the View's rows.
type PerSlot[T any] []T

// Follow adds a row with the value fresh, or removes one, where an instance joins or leaves.
func (p *PerSlot[T]) Follow(e *Event, fresh T) {
	switch e.Kind {
	case Joined:
		*p = append(*p, fresh)
		copy((*p)[e.Slot+1:], (*p)[e.Slot:])
		(*p)[e.Slot] = fresh
	case Left:
		*p = append((*p)[:e.Slot], (*p)[e.Slot+1:]...)
	}
}

// Rating is how a policy sees one candidate.
type Rating struct {
	Slot  int
	Score float64 // meaning and unit are the policy's; never NaN
	Fits  bool    // it could take the unit
}

// Weighed takes down the candidates of a decision for the log. On nil it does nothing.
type Weighed struct{ Ratings []Rating }

// Add takes down one candidate.
func (w *Weighed) Add(slot int, score float64, fits bool) {
	if w != nil {
		w.Ratings = append(w.Ratings, Rating{slot, score, fits})
	}
}

// RuleCounter is what the switch has counted for one rule.
type RuleCounter = telemetry.RuleCounter
