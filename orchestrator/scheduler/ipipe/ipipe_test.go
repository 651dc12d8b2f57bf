package ipipe

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

// plain are options with two cores in order of arrival, one that is shared, and a host.
var plain = options{Card: 3, Shared: 1, Depth: 1, Mean: 50 * units.Microsecond, Tail: 200 * units.Microsecond, Alpha: 0.2,
	Most: 2, Settle: 1}

func TestContract(t *testing.T) {
	short := plain
	short.Mean, short.Tail, short.Settle = 10*units.Microsecond, 20*units.Microsecond, 5
	alone := plain
	alone.Card, alone.Shared, alone.Depth = 1, 0, 4
	policytest.Run(t, row, plain, short, alone)
}

func BenchmarkPick(b *testing.B) { policytest.Bench(b, row, plain) }

func TestSharedCoresLeaveSome(t *testing.T) {
	o := plain
	o.Shared = 3
	if _, err := row.New(o, policy.Env{}); err == nil {
		t.Error("all cores of the card are shared")
	}
}

// By hand: 10, 26, 10 and a sixteenth.
func TestMoving(t *testing.T) {
	var m moving
	for _, c := range []struct{ x, mean, variance float64 }{
		{10, 10, 0}, {26, 11, 15}, {11, 11, 15 * 15.0 / 16}, {27, 12, (15*15.0/16 + 16) * 15 / 16},
	} {
		m.add(c.x)
		if math.Abs(m.mean-c.mean) > 1e-12 || math.Abs(m.variance-c.variance) > 1e-12 {
			t.Errorf("after %g: mean %g, variance %g, want %g, %g", c.x, m.mean, m.variance, c.mean, c.variance)
		}
	}
	if got := (&moving{mean: 2, variance: 9}).tail(); got != 11 {
		t.Errorf("tail %g, want 11", got)
	}
}

// rig is a card with instances that take work.
type rig struct {
	*card
	t *testing.T
	v policy.View
	n flow.ID
}

func newRig(t *testing.T, o options, instances int) *rig {
	r := &rig{card: policytest.New(t, &row, o, 1).(*card), t: t}
	for id := range instances {
		r.v.IDs, r.v.Flows = append(r.v.IDs, flow.Instance(id+1)), append(r.v.Flows, 0)
		r.Observe(&policy.Event{Kind: policy.Joined, Slot: id}, &r.v)
	}
	return r
}

// ask has a request of an actor come.
func (r *rig) ask(actor string) (*policy.Work, policy.Answer) {
	r.n++
	w := &policy.Work{Flow: r.n, Tenant: actor}
	a := r.Pick(w, &r.v, nil)
	if a.Verdict == policy.Hold {
		r.Observe(&policy.Event{Kind: policy.Queued, Slot: -1, Work: w}, &r.v)
		w.Held = true
		return w, a
	}
	r.place(w, a)
	return w, a
}

// again asks for a request that waits.
func (r *rig) again(w *policy.Work) policy.Answer {
	a := r.Pick(w, &r.v, nil)
	if a.Verdict != policy.Hold {
		r.Observe(&policy.Event{Kind: policy.Unqueued, Slot: -1, Work: w}, &r.v)
		r.place(w, a)
	}
	return a
}

func (r *rig) place(w *policy.Work, a policy.Answer) {
	w.At = r.v.IDs[a.Slot]
	r.v.Flows[a.Slot]++
	r.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: w}, &r.v)
}

func (r *rig) reply(w *policy.Work) {
	slot := int(w.At) - 1
	r.v.Flows[slot]--
	r.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: w}, &r.v)
}

// serve has a request of an actor come and its reply after a time, and returns where it was.
func (r *rig) serve(actor string, took units.Time) flow.Instance {
	w, a := r.ask(actor)
	if a.Verdict == policy.Hold {
		r.t.Fatalf("a request of %s waits", actor)
	}
	r.v.Now += took
	at := w.At
	r.reply(w)
	return at
}

func (r *rig) at(actor string) uint8 { return r.actors[r.names[actor]].place }

const us = units.Microsecond

// Cores of the card take as many requests as their depth, and the rest waits: of all actors in order of arrival.
func TestCoresInOrderOfArrival(t *testing.T) {
	r := newRig(t, plain, 5)
	first, a := r.ask("a")
	_, b := r.ask("b")
	if a.Slot != 0 || b.Slot != 1 || a.Why != inOrder {
		t.Errorf("the first two requests: %+v and %+v", a, b)
	}
	third, c := r.ask("b")
	fourth, d := r.ask("a")
	if c.Verdict != policy.Hold || d.Verdict != policy.Hold || c.Why != busy {
		t.Errorf("two more: %+v and %+v", c, d)
	}
	if qa, qb := r.Queue(fourth), r.Queue(third); qa == qb || !r.Before(qb, qa) || r.Before(qa, qb) {
		t.Error("b, whose request came first, is not before a")
	}
	r.reply(first)
	if got := r.again(third); got.Verdict == policy.Hold || got.Slot != 0 {
		t.Errorf("after a reply: %+v", got)
	}
	if r.Before(r.Queue(third), r.Queue(fourth)) {
		t.Error("b, of which none waits any more, is before a")
	}
}

// A response time is from when the request came: what waited has taken longer.
func TestWaitingCounts(t *testing.T) {
	o := plain
	o.Settle = 1000
	r := newRig(t, o, 5)
	a, _ := r.ask("a")
	b, _ := r.ask("a")
	c, _ := r.ask("a")
	r.v.Now += 10 * us
	r.reply(a)
	r.again(c)
	r.v.Now += 10 * us
	r.reply(c)
	r.reply(b)
	if got, want := r.actors[0].load, (10+20+20)*us.Seconds(); math.Abs(got-want) > 1e-15 {
		t.Errorf("response times sum to %g, want %g", got, want)
	}
	if len(r.way) != 0 {
		t.Errorf("%v is kept of requests that are over", r.way)
	}
}

// Above the threshold of the mean the actor with the greatest load goes to the host. It comes back when the mean is
// below it by alpha, not before.
func TestPushAndPull(t *testing.T) {
	o := plain
	o.Tail = units.Second
	r := newRig(t, o, 5)
	r.serve("small", 10*us)
	r.serve("large", 60*us) // mean 10 + 50/16
	for r.at("large") == inOrder {
		r.serve("large", 600*us)
	}
	if r.at("large") != atHost || r.at("small") != inOrder || r.counts[pushes] != 1 {
		t.Errorf("large at %d, small at %d, counts %v", r.at("large"), r.at("small"), r.counts)
	}
	r.serve("small", 45*us) // below the threshold, and not by a fifth
	if at := r.serve("large", 600*us); at < 4 || r.at("large") != atHost {
		t.Errorf("large is served by %d, place %d, while the mean is within alpha of its threshold", at, r.at("large"))
	}
	for range 10 {
		r.serve("small", 10*us)
	}
	if r.at("large") != inOrder || r.counts[pulls] != 1 {
		t.Errorf("large at %d, counts %v, with a mean far below", r.at("large"), r.counts)
	}
}

// Above the threshold of the tail the actor with the longest goes to shared cores, and comes back when it is calm.
func TestDowngradeAndUpgrade(t *testing.T) {
	o := plain
	o.Mean = units.Second
	r := newRig(t, o, 3)
	r.serve("even", 20*us)
	r.serve("odd", 20*us)
	r.serve("odd", 1000*us)
	if r.at("odd") != shared || r.at("even") != inOrder || r.counts[downgrades] != 1 {
		t.Fatalf("odd at %d, even at %d, counts %v", r.at("odd"), r.at("even"), r.counts)
	}
	w, a := r.ask("odd")
	if a.Slot != 2 || a.Why != shared {
		t.Errorf("a downgraded actor's request: %+v", a)
	}
	r.v.Now += 20 * us
	r.reply(w)
	if r.at("odd") != inOrder || r.counts[upgrades] != 1 {
		t.Errorf("odd at %d, counts %v, with nothing slow in order of arrival", r.at("odd"), r.counts)
	}
}

// Shared cores take the actor that has had the least of their time; one that is new there begins with as much as the
// least. Too many that wait send it to the host.
func TestSharedCores(t *testing.T) {
	o := plain
	o.Settle = 1000
	r := newRig(t, o, 5)
	for _, name := range []string{"a", "b", "c"} {
		r.of(&policy.Work{Tenant: name})
	}
	r.move(&r.actors[0], shared, downgrades)
	r.move(&r.actors[1], shared, downgrades)
	r.serve("a", 50*us)
	r.serve("b", 30*us)
	r.serve("b", 10*us)
	if !r.Before(1, 0) {
		t.Error("b had 40 us, and is not before a, which had 50")
	}
	r.move(&r.actors[2], shared, downgrades)
	if r.actors[2].had != r.actors[1].had {
		t.Errorf("c begins with %g, want that of b, %g", r.actors[2].had, r.actors[1].had)
	}
	for range 3 {
		r.ask("a")
	}
	if r.at("a") != shared {
		t.Fatalf("two wait, and a is at %d", r.at("a"))
	}
	r.ask("a")
	if r.at("a") != atHost || r.counts[pushes] != 1 {
		t.Errorf("three wait, and a is at %d", r.at("a"))
	}
}

// Without the instances of its place an actor uses what there is, and without a host nothing is pushed there.
func TestWhatIsThere(t *testing.T) {
	r := newRig(t, plain, 2)
	r.of(&policy.Work{Tenant: "a"})
	r.actors[0].place = atHost
	if _, a := r.ask("a"); a.Why != elsewhere || a.Verdict != policy.Place {
		t.Errorf("without a host: %+v", a)
	}
	r.actors[0].place = inOrder
	for range 20 {
		r.serve("a", 600*us)
	}
	card := newRig(t, plain, 3)
	card.of(&policy.Work{Tenant: "a"})
	card.move(&card.actors[0], shared, downgrades)
	for range 9 {
		card.ask("a")
	}
	if r.counts[pushes] != 0 || card.counts[pushes] != 0 {
		t.Error("an actor is pushed to a host that is not there")
	}
}
