package prequal

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

func with(edit func(*options)) options {
	o := policytest.Options(&row).(options)
	edit(&o)
	return o
}

func TestContract(t *testing.T) {
	policytest.Run(t, row,
		with(func(o *options) { o.Probes, o.Pool, o.Remove, o.QRIF = 0.3, 2, 0, 0 }),
		with(func(o *options) { o.Probes, o.Pool, o.Delta, o.History = 20, 4, 0, 3 }),
		with(func(o *options) { o.QRIF, o.Remove, o.MaxAge = 1, 2.5, 10*units.Microsecond }))
}

func BenchmarkPick(b *testing.B) { policytest.Bench(b, row, policytest.Options(&row)) }

// client is a balancer among n instances.
type client struct {
	*balancer
	v policy.View
}

func newClient(t *testing.T, o options, n int) *client {
	c := &client{balancer: policytest.New(t, &row, o, 1).(*balancer)}
	for id := range n {
		c.v.IDs = append(c.v.IDs, flow.Instance(id+1))
		c.Observe(&policy.Event{Kind: policy.Joined, Slot: id}, &c.v)
	}
	return c
}

// answer brings an instance's answer to a probe.
func (c *client) answer(from flow.Instance, rif int32, latency float64) {
	slot, _ := c.v.Row(from)
	c.Observe(&policy.Event{Kind: policy.Probed, Slot: slot, Queue: rif, Delay: latency}, &c.v)
}

// pooled are the instances that have an answer in the pool, the oldest answer first.
func (c *client) pooled() (all []flow.Instance) {
	for _, x := range c.pool {
		all = append(all, x.from)
	}
	return all
}

// Of answers with at most as many in flight as the quantile the lowest latency wins; without any, the fewest in flight.
func TestHotColdLexicographic(t *testing.T) {
	type reply struct {
		rif     int32
		latency float64
	}
	for _, c := range []struct {
		what    string
		q       float64
		history []int32
		answers []reply // of instances 1, 2 and so on
		want    int     // row
		why     uint8
	}{
		{"the hot one has the lowest latency", 0.5, []int32{2, 3, 9}, []reply{{9, 1}, {2, 50}, {3, 20}}, 2, cold},
		{"as many as the quantile is not hot", 0.5, []int32{4, 4, 4}, []reply{{4, 2}, {1, 3}}, 0, cold},
		{"all are hot: latency says nothing", 0.5, []int32{1, 1, 1, 1, 1, 1}, []reply{{10, 1}, {8, 90}}, 1, hot},
		{"the first of equal ones", 0.84, nil, []reply{{3, 5}, {3, 5}, {3, 5}}, 0, cold},
		{"q_rif 0: by the number in flight alone", 0, nil, []reply{{5, 1}, {4, 2}, {4, 1}}, 1, hot},
		{"q_rif 1: by latency alone", 1, nil, []reply{{5, 2}, {90, 1}, {4, 3}}, 1, cold},
	} {
		b := newClient(t, with(func(o *options) { o.QRIF, o.Remove = c.q, 0 }), len(c.answers))
		for _, rif := range c.history {
			b.history.add(rif)
		}
		for i, r := range c.answers {
			b.answer(flow.Instance(i+1), r.rif, r.latency)
		}
		if got := b.Pick(&policy.Work{}, &b.v, nil); got != (policy.Answer{Slot: c.want, Why: c.why}) {
			t.Errorf("%s: answer %+v, want row %d", c.what, got, c.want)
		}
	}
}

// Equation 1: (1 + delta) / ((1 - pool/n) probes - remove), but 1 at least.
func TestReuseBudget(t *testing.T) {
	for _, c := range []struct {
		o    options
		n    int
		want float64
	}{
		{with(func(*options) {}), 100, 2 / 1.52},
		{with(func(o *options) { o.Delta = 3 }), 100, 4 / 1.52},
		{with(func(o *options) { o.Probes = 2 }), 32, 0}, // 0 a request remain: no bound
		{with(func(*options) {}), 16, 0},
		{with(func(*options) {}), 8, 0},
		{with(func(o *options) { o.Remove = 0 }), 64, 1},
		{with(func(o *options) { o.Pool, o.Probes, o.Remove = 16, 1, 0.25 }), 64, 4},
	} {
		b := newClient(t, c.o, 1)
		sum := 0.0
		for range 20000 {
			if uses := b.uses(c.n); c.want == 0 && uses != math.MaxInt {
				t.Fatalf("%+v among %d: %d uses, want no bound", c.o, c.n, uses)
			} else if w := math.Floor(c.want); c.want > 0 && uses != int(w) && uses != int(w)+1 {
				t.Fatalf("%+v among %d: %d uses, want one of those beside %v", c.o, c.n, uses, c.want)
			} else {
				sum += float64(uses)
			}
		}
		if mean := sum / 20000; c.want > 0 && math.Abs(mean-c.want) > 0.02 {
			t.Errorf("%+v among %d: %v uses on average, want %v", c.o, c.n, mean, c.want)
		}
	}
}

// An answer that is used counts one request more, and is forgotten when it is used up.
func TestUse(t *testing.T) {
	c := newClient(t, with(func(o *options) { o.Remove, o.Probes, o.QRIF = 0, 100, 0 }), 3)
	for id := range flow.Instance(3) {
		c.answer(id+1, 2, 1)
	}
	for i := range c.pool {
		c.pool[i].left = 2
	}
	var at []int
	for range 5 {
		at = append(at, c.Pick(&policy.Work{}, &c.v, nil).Slot)
	}
	if want := []int{0, 1, 2, 0, 1}; !slices.Equal(at, want) {
		t.Errorf("rows %v, want %v", at, want)
	}
	if want := []flow.Instance{3}; !slices.Equal(c.pooled(), want) || c.counts[worn] != 2 {
		t.Errorf("answers of %v are left, %d were used up: want %v", c.pooled(), c.counts[worn], want)
	}
	if a := c.Pick(&policy.Work{}, &c.v, nil); a.Why != drawn || c.pool[0].rif != 3 {
		t.Errorf("with one answer: %+v, and %+v left: want that it is drawn", a, c.pool)
	}
}

// Answers are removed as the oldest and as the worst in turns.
func TestRemoval(t *testing.T) {
	c := newClient(t, with(func(o *options) { o.Remove, o.QRIF = 0.5, 0.5 }), 7)
	for i, x := range []struct {
		rif     int32
		latency float64
	}{{1, 1}, {1, 9}, {8, 1}, {9, 1}, {1, 2}, {1, 7}, {1, 1}} {
		c.answer(flow.Instance(i+1), x.rif, x.latency)
	}
	for i, want := range [][]flow.Instance{
		{1, 2, 3, 4, 5, 6, 7}, {2, 3, 4, 5, 6, 7}, // the oldest
		{2, 3, 4, 5, 6, 7}, {2, 3, 5, 6, 7}, // the hot one with the most
		{2, 3, 5, 6, 7}, {3, 5, 6, 7},
		{3, 5, 6, 7}, {5, 6, 7}, // the other hot one
		{5, 6, 7}, {6, 7},
	} {
		c.Pick(&policy.Work{}, &c.v, nil)
		if got := c.pooled(); !slices.Equal(got, want) {
			t.Fatalf("after request %d answers of %v, want %v", i+1, got, want)
		}
	}
	for i := range c.pool {
		c.pool[i].rif = 0
	}
	c.pool[0].latency, c.pool[1].latency = 1, 2
	c.removeOne(5)
	if want := []flow.Instance{6}; !slices.Equal(c.pooled(), want) {
		t.Errorf("answers of %v, want %v: without hot ones, the slowest goes", c.pooled(), want)
	}
	c.removeOne(5)
	c.removeOne(5) // of none
	if c.counts[oldest] != 4 || c.counts[worst] != 3 {
		t.Errorf("%d oldest and %d worst were removed, want 4 and 3", c.counts[oldest], c.counts[worst])
	}
}

// The pool has the latest answer of each instance, as many as it has room for, none that is too old, and none of an
// instance that has left.
func TestPool(t *testing.T) {
	c := newClient(t, with(func(o *options) { o.Pool, o.Remove, o.Delta, o.MaxAge = 3, 0, 100, units.Second }), 5)
	check := func(what string, want ...flow.Instance) {
		t.Helper()
		if got := c.pooled(); !slices.Equal(got, want) {
			t.Errorf("%s: answers of %v, want %v", what, got, want)
		}
	}
	for _, id := range []flow.Instance{1, 2, 3} {
		c.answer(id, 1, 1)
		c.v.Now += 500 * units.Millisecond
	}
	c.answer(1, 7, 1)
	check("a second answer of 1", 2, 3, 1)
	c.answer(4, 1, 1)
	check("one too many", 3, 1, 4)
	c.Observe(&policy.Event{Kind: policy.Left, Slot: 3}, &c.v)
	check("4 has left", 3, 1)
	c.v.Now += 500 * units.Millisecond
	c.Pick(&policy.Work{}, &c.v, nil)
	check("as old as may be", 3, 1)
	c.v.Now++
	if a := c.Pick(&policy.Work{}, &c.v, nil); a.Why != drawn || c.counts[old] != 1 {
		t.Errorf("answer %+v with one that is young enough, %d were too old", a, c.counts[old])
	}
	check("older", 1)
}

// The instances to probe are different ones, each with the same chance, and as many as asked for on average.
func TestProbes(t *testing.T) {
	for _, c := range []struct {
		rate float64
		n    int
		want float64
	}{{3, 10, 3}, {0.25, 10, 0.25}, {2.5, 4, 2.5}, {1, 1, 1}, {9, 4, 4}} {
		b := newClient(t, with(func(o *options) { o.Probes = c.rate }), c.n)
		count := make([]float64, c.n)
		const requests = 8000
		for range requests {
			to := b.Probes(&policy.Work{}, &b.v, nil)
			slices.Sort(to)
			if len(slices.Compact(slices.Clone(to))) != len(to) {
				t.Fatalf("rate %v: probes rows %v", c.rate, to)
			}
			for _, slot := range to {
				count[slot]++
			}
		}
		want := c.want * requests / float64(c.n)
		for slot, got := range count {
			if math.Abs(got-want) > 5*math.Sqrt(want) {
				t.Errorf("rate %v: row %d was probed %v times, want about %v", c.rate, slot, got, want)
			}
		}
	}
}

// The quantile is that of the last answers, as if they were sorted.
func TestQuantile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 7))
	h := history{most: 10}
	var all []int32
	for range 500 {
		rif := int32(rnd.IntN(12))
		h.add(rif)
		all = append(all, rif)
		last := slices.Sorted(slices.Values(all[max(0, len(all)-10):]))
		for _, q := range []float64{0.1, 0.5, 0.84, 1} {
			at := 0
			for float64(at+1) < q*float64(len(last)) {
				at++
			}
			if got := h.quantile(q); got != last[at] {
				t.Fatalf("quantile %v of %v: %d, want %d", q, last, got, last[at])
			}
		}
	}
	if got := h.quantile(0); got != -1 {
		t.Errorf("quantile 0 is %d, want one that all exceed", got)
	}
}
