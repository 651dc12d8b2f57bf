package thesis

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

// defaults are those that scheduler.Options state.
var defaults = Options{Metric: "offered", Demand: "mean", NoFit: "least-loaded", InFlight: true}

func TestContract(t *testing.T) {
	var all []any
	for _, nofit := range []string{"least-loaded", "reject", "queue"} {
		for _, demand := range []string{"zero", "mean", "last", "fixed"} {
			all = append(all, Options{Demand: demand, DemandRate: 4e6, NoFit: nofit, InFlight: nofit != "queue"},
				Options{Metric: "processed", Demand: demand, DemandRate: 4e6, NoFit: nofit, InFlight: true})
		}
	}
	for _, row := range Policies {
		policytest.Run(t, row, all...)
	}
}

// bench is a policy and the instances that it sees.
type bench struct {
	policy.Policy
	view policy.View
	next flow.ID
}

// newBench has instances with these loads in Mpps, a limit of 10 Mpps, and flows of which this many Mpps are expected.
func newBench(t testing.TB, name string, o Options, ties policy.Ties, demand float64, loads ...float64) *bench {
	t.Helper()
	o.Demand, o.DemandRate = "fixed", units.PPS(demand*1e6)
	p, err := policy.Table[policy.Row](Policies).Find(name).New(o, policy.Env{Ties: ties})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{Policy: p, view: policy.View{Limit: 10e6}}
	for i, l := range loads {
		b.join(flow.Instance(i+1), l)
	}
	return b
}

func (b *bench) join(id flow.Instance, load float64) {
	b.view.IDs = append(b.view.IDs, id)
	b.view.Load, b.view.Back = append(b.view.Load, load*1e6), append(b.view.Back, load*1e6)
	b.Observe(&policy.Event{Kind: policy.Joined, Slot: len(b.view.IDs) - 1}, &b.view)
}

func (b *bench) leave(slot int) {
	b.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, &b.view)
	b.view.IDs = slices.Delete(b.view.IDs, slot, slot+1)
	b.view.Load, b.view.Back = slices.Delete(b.view.Load, slot, slot+1), slices.Delete(b.view.Back, slot, slot+1)
}

func (b *bench) pick() policy.Answer { return b.Pick(&policy.Work{}, &b.view, nil) }

// place picks, and carries the answer out: the number of the instance, or 0.
func (b *bench) place() flow.Instance {
	a := b.pick()
	if a.Verdict != policy.Place {
		return 0
	}
	id := b.view.IDs[a.Slot]
	b.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: &policy.Work{Flow: b.next, At: id}}, &b.view)
	b.next++
	return id
}

func (b *bench) places(n int) (all []flow.Instance) {
	for range n {
		all = append(all, b.place())
	}
	return all
}

// Seven flows of 4.65 Mpps on three instances, with loads that are known at once.
func TestPublishedSequences(t *testing.T) {
	for name, want := range map[string][]flow.Instance{
		"round-robin": {1, 2, 3, 1, 2, 3, 1},
		"worst-fit":   {1, 2, 3, 1, 2, 3, 1},
		"best-fit":    {1, 1, 2, 2, 3, 3, 1}, // the seventh fits nowhere: the least loaded takes it
	} {
		if got := newBench(t, name, defaults, policy.Ties{}, 4.65, 0, 0, 0).places(7); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestTheCaseThatTellsThemApart(t *testing.T) {
	for name, want := range map[string]int{"best-fit": 1, "worst-fit": 0, "round-robin": 0} {
		if a := newBench(t, name, defaults, policy.Ties{}, 1.5, 2, 8, 5).pick(); a.Slot != want {
			t.Errorf("%s picks row %d, want %d", name, a.Slot, want)
		}
	}
}

func TestWhatFitsNowhere(t *testing.T) {
	for nofit, want := range map[string]policy.Answer{
		"least-loaded": {Verdict: policy.Place, Slot: 1, Why: 1},
		"reject":       {Verdict: policy.Drop, Why: 2},
		"queue":        {Verdict: policy.Hold, Why: 3},
	} {
		o := defaults
		o.NoFit = nofit
		if a := newBench(t, "best-fit", o, policy.Ties{}, 1, 12, 11, 13).pick(); a != want {
			t.Errorf("%s: %+v, want %+v", nofit, a, want)
		}
		if a := newBench(t, "best-fit", o, policy.Ties{}, 1, 12, 9, 13).pick(); a != (policy.Answer{Slot: 1}) {
			t.Errorf("%s, and it fits: %+v, want row 1", nofit, a)
		}
	}
}

// Loads of 12, 10 and 6 Mpps, of which 8, 9 and 6 come back: what a load is decides who is the most and who the least
// loaded, and what fits. Flows in flight count at their demand beside either.
func TestMetric(t *testing.T) {
	for _, c := range []struct {
		policy, metric string
		want           []flow.Instance // of flows of which 1 Mpps is expected
	}{
		{"best-fit", "offered", []flow.Instance{3, 3, 3, 3, 2}}, // 6 to 10, and then none fits: the least loaded
		{"best-fit", "processed", []flow.Instance{2, 1, 1, 3, 3}},
		{"worst-fit", "offered", []flow.Instance{3, 3, 3, 3, 2}},
		{"worst-fit", "processed", []flow.Instance{3, 3, 1, 3, 1}},
	} {
		o := defaults
		o.Metric = c.metric
		b := newBench(t, c.policy, o, policy.Ties{}, 1, 0, 0, 0)
		b.returning(8e6, 9e6, 6e6)
		b.measure(12e6, 10e6, 6e6)
		if got := b.places(len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("%s by %s: %v, want %v", c.policy, c.metric, got, c.want)
		}
	}
}

// What a flow is expected to bring is what was sent, under either metric: two flows that send 6 Mpps each, of which 4
// come back, are expected to be followed by one of 6.
func TestDemandIsOffered(t *testing.T) {
	for _, metric := range []string{"offered", "processed"} {
		for _, demand := range []string{"mean", "last"} {
			o := defaults
			o.Metric, o.Demand = metric, demand
			p := policytest.New(t, &Policies[2], o, 1)
			b := &bench{Policy: p, view: policy.View{Limit: 10e6}}
			b.join(1, 0)
			b.join(2, 0)
			b.place()
			b.place()
			b.view.Now = units.Second
			b.Observe(&policy.Event{Kind: policy.Asked}, &b.view)
			b.returning(4e6, 4e6)
			copy(b.view.Load, []float64{6e6, 6e6})
			b.view.Live, b.view.LiveLoad = b.view.IDs, b.view.Load
			b.Observe(&policy.Event{Kind: policy.Measured, Until: units.Second}, &b.view)
			if d := p.(policy.Estimator).Demand(); d != 6e6 {
				t.Errorf("%s, demand %s: %v pps, want 6e6", metric, demand, d)
			}
		}
	}
}

// A flow greater than the limit fits on no instance, however idle.
func TestElephantFitsNowhere(t *testing.T) {
	o := defaults
	o.NoFit = "reject"
	if a := newBench(t, "best-fit", o, policy.Ties{}, 10.1, 0, 0).pick(); a.Verdict != policy.Drop {
		t.Errorf("verdict %v, want Drop", a.Verdict)
	}
	if a := newBench(t, "best-fit", o, policy.Ties{}, 10, 0, 0).pick(); a.Verdict != policy.Place || a.Slot != 0 {
		t.Errorf("just the limit: %+v, want Place in row 0", a)
	}
}

// Flows that add up to the limit fit on one instance, however the sum came about.
func TestFlowsThatFillTheLimitFit(t *testing.T) {
	beyond := 0
	o := defaults
	o.NoFit, o.InFlight = "reject", false
	for _, limit := range []float64{1e6, 4.65e6, 7.7e6, 10e6, 13.3e6, 25e6} {
		for n := 2; n <= 60; n++ {
			b := newBench(t, "best-fit", o, policy.Ties{}, limit/float64(n)/1e6, 0)
			b.view.Limit = limit
			demand := b.Policy.(policy.Estimator).Demand()
			load := 0.0
			for k := range n {
				if a := b.pick(); a.Verdict != policy.Place {
					t.Errorf("flow %d of %d of a limit of %v: %+v, want Place", k+1, n, limit, a)
				}
				load += demand
				b.measure(load)
			}
			if load > limit {
				beyond++
			}
			if a := b.pick(); a.Verdict != policy.Drop {
				t.Errorf("%d flows of a limit of %v, and one more: %+v, want Drop", n, limit, a)
			}
		}
	}
	if beyond < 10 {
		t.Errorf("%d of the sums are beyond their limit: the slack is not tried", beyond)
	}
}

// measure shows these loads, in packets a second.
func (b *bench) measure(loads ...float64) {
	copy(b.view.Load, loads)
	b.view.Live, b.view.LiveLoad = b.view.IDs, b.view.Load
	b.view.Now++
	b.Observe(&policy.Event{Kind: policy.Measured, Since: b.view.Now - 1, Until: b.view.Now}, &b.view)
}

// returning is what the next measure shows to come back, in packets a second.
func (b *bench) returning(rates ...float64) { copy(b.view.Back, rates) }

func TestJoiningInstance(t *testing.T) {
	// Two loaded instances have run for a while; a third, idle one joins.
	b := newBench(t, "round-robin", defaults, policy.Ties{}, 1, 5, 5)
	b.place()
	b.join(3, 0)
	if got, want := b.places(3), []flow.Instance{2, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("round-robin: %v, want %v: the new one comes at the end of the cycle", got, want)
	}
	if a := newBench(t, "worst-fit", defaults, policy.Ties{}, 1, 5, 5, 0).pick(); a.Slot != 2 {
		t.Errorf("worst-fit picks row %d, want the new one", a.Slot)
	}
	if a := newBench(t, "best-fit", defaults, policy.Ties{}, 1, 5, 5, 0).pick(); a.Slot != 0 {
		t.Errorf("best-fit picks row %d, want an old one while it fits", a.Slot)
	}
}

// The cycle goes by number: when an instance leaves, the turns of the others go on, whichever it was.
func TestLeavingInstance(t *testing.T) {
	for _, c := range []struct {
		leave []int // rows, after 1 and 2 had their turns
		want  []flow.Instance
	}{
		{nil, []flow.Instance{3, 4, 1, 2}},
		{[]int{0}, []flow.Instance{3, 4, 2, 3}}, // by position it would be 4
		{[]int{1}, []flow.Instance{3, 4, 1, 3}},
		{[]int{2}, []flow.Instance{4, 1, 2, 4}},
		{[]int{3, 2}, []flow.Instance{1, 2, 1, 2}},
	} {
		b := newBench(t, "round-robin", defaults, policy.Ties{}, 1, 0, 0, 0, 0)
		b.places(2)
		for _, slot := range c.leave {
			b.leave(slot)
		}
		if got := b.places(len(c.want)); !slices.Equal(got, c.want) {
			t.Errorf("rows %v leave: %v, want %v", c.leave, got, c.want)
		}
	}
}

// Telemetry that never changes sends all flows to one instance: what the in-flight correction is for.
func TestStaleTelemetryHerds(t *testing.T) {
	o := defaults
	o.InFlight = false
	for _, name := range []string{"worst-fit", "best-fit"} {
		b := newBench(t, name, o, policy.Ties{}, 1, 4, 3, 5)
		first := b.place()
		for range 100 {
			if i := b.place(); i != first {
				t.Errorf("%s picks %d after %d", name, i, first)
			}
		}
	}
}

func TestTies(t *testing.T) {
	for _, name := range []string{"best-fit", "worst-fit"} {
		if a := newBench(t, name, defaults, policy.Ties{}, 1, 3, 3, 3).pick(); a.Slot != 0 {
			t.Errorf("%s: row %d, want the first of equals", name, a.Slot)
		}
		var count [4]int
		b := newBench(t, name, defaults, policy.DrawnTies(rand.New(rand.NewPCG(1, 1))), 1, 3, 3, 3, 3)
		for range 4000 {
			count[b.pick().Slot]++
		}
		for i, n := range count {
			if n < 850 || n > 1150 {
				t.Errorf("%s: row %d drawn %d times of 4000, want about 1000", name, i, n)
			}
		}
	}
}

// The choice that the seed draws is the same wherever ties are drawn from.
func TestTheSeedDrawsTies(t *testing.T) {
	drawn := func(seed uint64) (all []int) {
		b := newBench(t, "worst-fit", defaults, policy.DrawnTies(numeric.Stream(seed, "scheduler/ties")), 1, 1, 1, 1, 1)
		for range 50 {
			all = append(all, b.pick().Slot)
		}
		return all
	}
	if one, again, other := drawn(1), drawn(1), drawn(2); !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("seed 1 draws %v, again %v; seed 2 draws %v", one, again, other)
	}
}
