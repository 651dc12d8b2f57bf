package racksched

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func with(edit func(*options)) options {
	o := policytest.Options(&row).(options)
	edit(&o)
	return o
}

var variants = map[string]options{
	"one":       with(func(o *options) { o.K = 1 }),
	"four":      with(func(o *options) { o.K = 4 }),
	"shortest":  with(func(o *options) { o.Choose = "shortest" }),
	"int-min":   with(func(o *options) { o.Choose = "int-min" }),
	"proactive": with(func(o *options) { o.Choose, o.Queue = "shortest", "proactive" }),
	"affinity":  with(func(o *options) { o.Affinity, o.Slots = true, 4 }),
	"both":      with(func(o *options) { o.Affinity, o.Slots, o.Choose, o.Queue = true, 4, "int-min", "proactive" }),
}

func TestContract(t *testing.T) {
	var others []any
	for _, name := range []string{"one", "four", "shortest", "int-min", "proactive", "affinity", "both"} {
		others = append(others, variants[name])
	}
	policytest.Run(t, row, others...)
}

func BenchmarkPick(b *testing.B) {
	policytest.Bench(b, row, policytest.Options(&row))
	for _, name := range []string{"four", "shortest", "int-min", "affinity"} {
		b.Run(name, func(b *testing.B) { policytest.Bench(b, row, variants[name]) })
	}
}

// rack is a switch with instances whose last replies said how long their queues are.
type rack struct {
	*scheduler
	v policy.View
	n flow.ID // requests so far
}

func newRack(t *testing.T, o options, queues ...int32) *rack {
	r := &rack{scheduler: policytest.New(t, &row, o, 1).(*scheduler)}
	for i, q := range queues {
		r.v.IDs, r.v.Queue = append(r.v.IDs, flow.Instance(i+1)), append(r.v.Queue, q)
		r.v.Flows = append(r.v.Flows, 0)
		r.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, &r.v)
	}
	return r
}

func (r *rack) ask(session uint64) (*policy.Work, policy.Answer) {
	w := &policy.Work{Flow: r.n, Session: session}
	r.n++
	a := r.Pick(w, &r.v, nil)
	w.At = r.v.IDs[a.Slot]
	r.v.Flows[a.Slot]++
	r.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: w}, &r.v)
	return w, a
}

func (r *rack) reply(w *policy.Work, left int32) {
	slot, ok := r.v.Row(w.At)
	if ok {
		r.v.Flows[slot]--
		r.v.Queue[slot] = left
	} else {
		slot = -1
	}
	r.Observe(&policy.Event{Kind: policy.Ended, Slot: slot, Work: w, Queue: left}, &r.v)
}

func (r *rack) leave(id flow.Instance) {
	slot, _ := r.v.Row(id)
	r.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, &r.v)
	r.v.IDs, r.v.Flows = slices.Delete(r.v.IDs, slot, slot+1), slices.Delete(r.v.Flows, slot, slot+1)
	r.v.Queue = slices.Delete(r.v.Queue, slot, slot+1)
}

// The draws are with replacement, also among few instances. The lowest reply wins and, of equal ones, the first drawn.
func TestSampling(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{1, 2, 4} {
		for _, n := range []int{1, 2, 8, 64} {
			r := newRack(t, with(func(o *options) { o.K = k }), make([]int32, n)...)
			same := *policytest.New(t, &row, policytest.Options(&row), 1).(*scheduler).rand
			for range 300 {
				for i := range r.v.Queue {
					r.v.Queue[i] = int32(rnd.IntN(3))
				}
				want := same.IntN(n)
				for range k - 1 {
					if next := same.IntN(n); r.v.Queue[next] < r.v.Queue[want] {
						want = next
					}
				}
				var log policy.Weighed
				a := r.Pick(&policy.Work{}, &r.v, &log)
				if a != (policy.Answer{Slot: want, Why: sampled}) {
					t.Fatalf("%d of %d: answer %+v, want row %d", k, n, a, want)
				}
			}
		}
	}
}

// Only replies change what the switch goes by: until one comes, all requests go to the instance that is shortest, the
// herd of stale information. Where the switch counts itself, they go round.
func TestStaleAndProactive(t *testing.T) {
	for _, c := range []struct {
		variant string
		want    []int32 // requests after 12
	}{{"shortest", []int32{0, 12, 0, 0}}, {"proactive", []int32{3, 3, 3, 3}}} {
		r := newRack(t, variants[c.variant], 3, 1, 2, 2)
		for range 12 {
			r.ask(0)
		}
		if !slices.Equal(r.v.Flows, c.want) {
			t.Errorf("%s: %v requests, want %v", c.variant, r.v.Flows, c.want)
		}
	}
}

// Of equally short ones each has the same chance.
func TestShortestDrawsBetweenEqual(t *testing.T) {
	r := newRack(t, variants["shortest"], 4, 1, 2, 1, 1, 9)
	var count [6]int
	for range 9000 {
		count[r.Pick(&policy.Work{}, &r.v, nil).Slot]++
	}
	for slot, n := range count {
		if lowest := r.v.Queue[slot] == 1; lowest && (n < 2750 || n > 3250) || !lowest && n > 0 {
			t.Errorf("row %d was taken %d times of 9000", slot, n)
		}
	}
}

// The switch holds one instance: another takes its place with a queue that is not longer, and its own reply changes
// the queue that it is held with.
func TestIntMin(t *testing.T) {
	r := newRack(t, variants["int-min"], 0, 0, 0)
	if a := r.Pick(&policy.Work{}, &r.v, nil); a.Why != spread {
		t.Errorf("before any reply: answer %+v", a)
	}
	for _, step := range []struct {
		from  flow.Instance
		queue int32
		want  flow.Instance
	}{{2, 5, 2}, {3, 6, 2}, {1, 5, 1}, {2, 4, 2}, {2, 9, 2}, {3, 9, 3}, {3, 12, 3}, {1, 13, 3}} {
		r.v.Flows[step.from-1]++
		r.reply(&policy.Work{At: step.from}, step.queue)
		if r.least != step.want {
			t.Errorf("after %d replied with %d: %d is held, want %d", step.from, step.queue, r.least, step.want)
		}
	}
	held := 0
	for range 8000 {
		if a := r.Pick(&policy.Work{}, &r.v, nil); a.Why == least && r.v.IDs[a.Slot] == 3 {
			held++
		}
	}
	if want := 6000.0; math.Abs(float64(held)-want) > 5*math.Sqrt(want/4) {
		t.Errorf("%d of 8000 requests by the reply, want about three of four", held)
	}
	r.leave(3)
	if a := r.Pick(&policy.Work{}, &r.v, nil); a.Why != spread {
		t.Errorf("after it has left: answer %+v", a)
	}
}

// Requests of a session go where others of it are under way. With the last reply it is free again.
func TestSessions(t *testing.T) {
	r := newRack(t, variants["affinity"], 0, 0, 0, 0, 0, 0, 0, 0)
	for s := range uint64(50) {
		first, a := r.ask(s + 1)
		if a.Why != sampled {
			t.Fatalf("session %d: answer %+v for its first request", s, a)
		}
		second, a := r.ask(s + 1)
		if a.Why != session || second.At != first.At {
			t.Fatalf("session %d: its second request to %d, the first to %d: %+v", s, second.At, first.At, a)
		}
		r.reply(first, 1)
		third, a := r.ask(s + 1)
		if third.At != first.At {
			t.Fatalf("session %d: with one under way at %d: %+v", s, first.At, a)
		}
		r.reply(second, 1)
		r.reply(third, 0)
	}
	for i := range r.tables {
		for _, e := range r.tables[i] {
			if e.session != 0 {
				t.Errorf("table %d has %+v when nothing is under way", i, e)
			}
		}
	}
	if r.counts[entries] != 50 || r.counts[fallbacks] != 0 {
		t.Errorf("%d entries and %d fallbacks, want 50 and 0", r.counts[entries], r.counts[fallbacks])
	}
	if _, a := r.ask(0); a.Why != sampled || r.counts[entries] != 50 {
		t.Errorf("a request of no session: answer %+v, %d entries", a, r.counts[entries])
	}
}

// A session for which all three tables are taken goes by its hash, each time, until a place is free.
func TestFullTables(t *testing.T) {
	r := newRack(t, with(func(o *options) { o.Affinity, o.Slots = true, 1 }), 0, 0, 0, 0, 0)
	var under []*policy.Work
	for s := range uint64(3) {
		w, a := r.ask(s + 1)
		if a.Why != sampled {
			t.Fatalf("answer %+v, want a place for session %d", a, s+1)
		}
		under = append(under, w)
	}
	for range 3 {
		w, a := r.ask(4)
		if want := r.v.IDs[mix(4, 0)%5]; a.Why != hashed || w.At != want {
			t.Errorf("session 4 to %d, %+v: want %d by its hash", w.At, a, want)
		}
	}
	if r.counts[entries] != 3 || r.counts[fallbacks] != 3 {
		t.Errorf("%d entries and %d fallbacks, want 3 each", r.counts[entries], r.counts[fallbacks])
	}
	if w, a := r.ask(2); a.Why != session || w.At != under[1].At {
		t.Errorf("session 2 to %d, %+v: want %d", w.At, a, under[1].At)
	}
	r.reply(under[0], 0)
	if _, a := r.ask(4); a.Why != sampled || r.counts[entries] != 4 {
		t.Errorf("after session 1 has gone: %+v, %d entries", a, r.counts[entries])
	}
}

// A session whose instance takes no work begins anew, and what is still under way there does not end the new entry.
func TestSessionOfOneThatLeaves(t *testing.T) {
	r := newRack(t, variants["affinity"], 0, 0, 0)
	before, _ := r.ask(9)
	r.leave(before.At)
	after, a := r.ask(9)
	if a.Why != sampled {
		t.Errorf("answer %+v after its instance has left", a)
	}
	r.reply(before, 0)
	if w, a := r.ask(9); a.Why != session || w.At != after.At {
		t.Errorf("to %d, %+v: want %d, where the session is", w.At, a, after.At)
	}
}
