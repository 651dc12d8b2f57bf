// Package haproxy has the ways in which HAProxy balances connections, made again from its rules and held against the
// running program.
//
// A server is an instance, whose id is its number, and a connection is a flow. Servers that take work before the first
// flow comes are those of HAProxy's configuration; later ones come as a server that was down comes up.
// instances.weights are the servers' weights, of which HAProxy knows at most 256, instances.maxconn their maxconn and
// instances.slow_start their slowstart.
//
// A flow for which all servers are full waits in the backend's queue, whose oldest flow goes to the server that has a
// place first. One that comes when no server has a weight is refused.
package haproxy

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{roundRobinRow, staticRow, leastRow, firstRow, randomRow, sourceRow, hashRow}

const source = "HAProxy 2.6, src/"

// Where rows differ from their sources.
const (
	lacks  = "weights that change and backup servers are not there"
	queues = "a flow may wait for ever; what a server takes from the queue when it comes counts towards its limit, " +
		"which HAProxy 2.6 forgets (its issue 2744); in slow start a limit grows with the seconds since the server " +
		"came, not those of the clock, and a server that grows takes from the queue at the next event; " + lacks
)

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

// effective is the effective weight of a row, without slow start.
func effective(v *policy.View, slot int) int { return int(min(v.Weight[slot], mostWeight)) * scale }

func usable(v *policy.View, slot int) bool { return v.Weight[slot] > 0 }

// backend is what HAProxy knows of its servers beyond the View, by their numbers.
//
// The backend's queue is kept by the host. Servers that have got a place since a flow was last put there are given to
// flows that wait, and no others.
//
// A server that comes after the first flow starts slowly. Each second it has a greater share of its weight and of its
// limit.
type backend struct {
	started bool // the first flow has come
	freed   []bool
	age     []int // whole seconds since the server came, while it starts slowly; -1 otherwise
	young   []young
	slow    int // seconds that a slow start takes

	flows, waiting int // of the backend: those that have a server, which may have left, and those in the queue
	coming         int // 1 while one is looked at that is neither yet, or those are that the end of another lets in
}

// young is a server that starts slowly. They stand in the order in which they grow.
type young struct {
	id    flow.Instance
	grows units.Time
}

// follow notes the servers that come and go, and those with a limit on which a flow ends: one without a limit takes
// from the queue only when it comes.
func (b *backend) follow(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Placed:
		b.flows++
	case policy.Queued:
		b.waiting++
	case policy.Unqueued:
		b.waiting--
	case policy.Joined:
		b.coming = 0
		id := v.IDs[e.Slot]
		if n := int(id) + 1 - len(b.age); n > 0 {
			b.freed, b.age = append(b.freed, make([]bool, n)...), append(b.age, make([]int, n)...)
		}
		b.freed[id], b.age[id] = true, -1
		if b.started && v.SlowStart > 0 {
			b.slow = int((v.SlowStart + units.Second - 1) / units.Second)
			b.age[id] = 0
			b.young = append(b.young, young{id, v.Now + units.Second})
		}
	case policy.Left:
		b.age[v.IDs[e.Slot]] = -1
		b.young = slices.DeleteFunc(b.young, func(y young) bool { return y.id == v.IDs[e.Slot] })
	case policy.Ended:
		b.flows--
		b.coming = 1 // HAProxy looks at the queue first, and counts then
		if e.Slot >= 0 && limit(v, e.Slot) > 0 {
			b.freed[v.IDs[e.Slot]] = true
		}
	}
}

// grown is the next server that has grown by now and so has another weight, or 0. It is asked for until there is none,
// before anything else is done.
func (b *backend) grown(now units.Time) flow.Instance {
	for len(b.young) > 0 && b.young[0].grows <= now {
		y := b.young[0]
		copy(b.young, b.young[1:])
		y.grows += units.Second
		b.young[len(b.young)-1] = y
		was := b.share(y.id)
		if b.age[y.id]++; b.age[y.id] == b.slow {
			b.age[y.id] = -1
			b.young = b.young[:len(b.young)-1]
		}
		b.freed[y.id] = true
		if b.share(y.id) != was {
			return y.id
		}
	}
	return 0
}

// start begins, with the first flow, or goes on to the present.
func (b *backend) start(v *policy.View) {
	b.started = true
	for b.grown(v.Now) != 0 {
	}
}

// share is how many sixteenths of its weight a server has.
func (b *backend) share(id flow.Instance) int {
	if age := b.age[id]; age >= 0 {
		return (scale*age + b.slow) / b.slow
	}
	return scale
}

// weight is the effective weight of a row at present.
func (b *backend) weight(v *policy.View, slot int) int {
	return effective(v, slot) / scale * b.share(v.IDs[slot])
}

// limit is the maxconn of a row, by which less than minconn is as much. 0 is no limit.
func limit(v *policy.View, slot int) int {
	if v.MinConn == nil {
		return int(v.MaxConn[slot])
	}
	return int(max(v.MaxConn[slot], v.MinConn[slot]))
}

// full reports whether a server has as many connections as it may. Where it has a minconn, that is its part of maxconn
// by the connections that the backend has of fullconn.
func (b *backend) full(v *policy.View, slot int) bool {
	most := limit(v, slot)
	if all := b.flows + b.waiting + b.coming; v.MinConn != nil && v.MinConn[slot] > 0 && all < int(v.FullConn) {
		most = max(int(v.MinConn[slot]), all*most/int(v.FullConn))
	}
	if age := b.age[v.IDs[slot]]; age >= 0 && most > 0 {
		most = max(1, most*(100*age/b.slow)/100)
	}
	return most > 0 && int(v.Flows[slot]) >= most
}

// arrives notes that a flow is looked at that does not wait. Without a server it is not counted yet.
func (b *backend) arrives(w *policy.Work) {
	if b.coming = 0; w.At == 0 {
		b.coming = 1
	}
}

// dequeue answers for a flow that waits. HAProxy hands it to the server that has just got a place, without a turn of
// the algorithm. ok is false for a flow that does not wait.
func (b *backend) dequeue(w *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer, ok bool) {
	if !w.Held {
		b.arrives(w)
		return a, false
	}
	for slot, id := range v.IDs {
		if b.freed[id] && usable(v, slot) && !b.full(v, slot) {
			log.Add(slot, 0, true)
			return policy.Answer{Slot: slot, Why: dequeued}, true
		}
	}
	clear(b.freed)
	return policy.Answer{Verdict: policy.Hold, Why: queued}, true
}

// inTurn is dequeue for algorithms that HAProxy does not ask while connections wait, as if all servers were full. So
// none gets a place that a limit which rises has made, but by the end of a connection.
func (b *backend) inTurn(w *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer, ok bool) {
	if a, ok = b.dequeue(w, v, log); ok || b.waiting == 0 || b.flows == 0 {
		return a, ok
	}
	return b.none(v), true
}

// none is the answer where no server takes a flow.
func (b *backend) none(v *policy.View) policy.Answer {
	for slot := range v.IDs {
		if usable(v, slot) {
			clear(b.freed)
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
		Source: source + "lb_fas.c", Score: "the instance's number", Sees: policy.T0 | policy.T1,
		State: "which instances have got a place since a flow was last queued", Cost: "n", Deviates: queues},
	Reasons: reasons("first that is not full"),
	Maker:   policy.Plain(func(policy.Env) policy.Policy { return &first{} }),
}

type first struct{ backend }

func (f *first) Observe(e *policy.Event, v *policy.View) { f.follow(e, v) }

func (f *first) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	f.start(v)
	if a, ok := f.inTurn(w, v, log); ok {
		return a
	}
	for slot, id := range v.IDs {
		fits := usable(v, slot) && !f.full(v, slot)
		log.Add(slot, float64(id), fits)
		if fits {
			return policy.Answer{Slot: slot}
		}
	}
	return f.none(v)
}
