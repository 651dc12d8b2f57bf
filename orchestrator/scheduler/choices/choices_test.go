package choices

import (
	"math"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
	"github.com/smartinco/smartinco/units"
)

func TestContract(t *testing.T) {
	others := map[string][]any{
		"first-fit": {thesis.Options{Demand: "last", NoFit: "queue"},
			thesis.Options{Demand: "fixed", DemandRate: 3e6, NoFit: "reject", InFlight: true}},
		"power-of-d": {powerOptions{D: 1, By: "load", Replacement: true}, powerOptions{D: 3, By: "flows"},
			powerOptions{D: 100, By: "load"}},
		"greedy-rebalance": {rebalanceOptions{Tick: 1}, rebalanceOptions{Tick: units.Hour, Threshold: 1}},
		"jbsq":             {boundOptions{N: 1}, boundOptions{N: 9}},
		"jsq-sparse":       {sparseOptions{Every: 5}},
		"score": {scoreOptions{Load: 1, Flows: 0.5, Affinity: 2, Grown: 1},
			scoreOptions{Age: 1000, Grown: units.Second},
			scoreOptions{Load: 0.1, Flows: 0.1, Free: 0.1, Affinity: 0.1, Age: 0.1, Grown: units.Second}},
	}
	for _, row := range Policies {
		policytest.Run(t, row, others[row.Name]...)
	}
}

func view(loads ...float64) *policy.View {
	v := &policy.View{Limit: 10e6}
	for i, l := range loads {
		v.IDs, v.Load, v.Flows = append(v.IDs, flow.Instance(i+1)), append(v.Load, l*1e6), append(v.Flows, int32(l))
	}
	return v
}

func fit(t *testing.T, demand float64, v *policy.View) policy.Policy {
	options := thesis.Options{
		Demand: "fixed", DemandRate: units.PPS(demand * 1e6), NoFit: "least-loaded", InFlight: true,
	}
	p := policytest.New(t, &firstFit, options, 1)
	for slot := range v.IDs {
		part := *v
		part.IDs, part.Load = v.IDs[:slot+1], v.Load[:slot+1]
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, &part)
	}
	return p
}

// Seven flows of 4.65 Mpps on three instances of 10 Mpps: 1 1 2 2 3 3, and then none fits.
func TestFirstFitSequence(t *testing.T) {
	v := view(0, 0, 0)
	p := fit(t, 4.65, v)
	var got []flow.Instance
	var last policy.Answer
	for f := range flow.ID(7) {
		last = p.Pick(&policy.Work{Flow: f}, v, nil)
		got = append(got, v.IDs[last.Slot])
		placed := &policy.Work{Flow: f, At: v.IDs[last.Slot]}
		p.Observe(&policy.Event{Kind: policy.Placed, Slot: last.Slot, Work: placed}, v)
	}
	if want := []flow.Instance{1, 1, 2, 2, 3, 3, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if firstFit.Reasons[last.Why] != "fits on no instance: least loaded takes it" {
		t.Errorf("reason %q", firstFit.Reasons[last.Why])
	}
}

// With loads of 2, 8 and 5 Mpps, first-fit differs from best-fit.
func TestFirstFitIsNotBestFit(t *testing.T) {
	v := view(2, 8, 5)
	if a := fit(t, 1.5, v).Pick(&policy.Work{}, v, nil); a.Slot != 0 {
		t.Errorf("row %d, want the first", a.Slot)
	}
	v = view(9, 8, 5)
	if a := fit(t, 1.5, v).Pick(&policy.Work{}, v, nil); a.Slot != 1 {
		t.Errorf("row %d, want the second", a.Slot)
	}
}

// With instances of 0, 1, 2 ... n-1 flows, row k is chosen with a known probability: that all d draws are at least k,
// and not all above k.
func TestPowerOfDDraws(t *testing.T) {
	const n, draws = 6, 60000
	v := view(0, 1, 2, 3, 4, 5)
	for _, o := range []powerOptions{
		{D: 1, Replacement: true}, {D: 2, Replacement: true}, {D: 3, Replacement: true},
		{D: 1}, {D: 2}, {D: 3}, {D: 6}, {D: 60},
	} {
		o.By = "flows"
		p := policytest.New(t, &powerOfD, o, 7)
		var count [n]float64
		for range draws {
			count[p.Pick(&policy.Work{}, v, nil).Slot]++
		}
		for i := range n {
			// P(min >= i) - P(min >= i+1)
			want := (none(o, n, i) - none(o, n, i+1)) * draws
			if sigma := math.Sqrt(want * (1 - want/draws)); math.Abs(count[i]-want) > 5*sigma+0.5 {
				t.Errorf("%+v: row %d taken %v times, want %v", o, i, count[i], want)
			}
		}
	}
}

// none is the probability that none of the d drawn of n is below i.
func none(o powerOptions, n, i int) float64 {
	p := 1.0
	for k := range o.D {
		if o.Replacement {
			p *= float64(n-i) / float64(n)
		} else if k < n {
			p *= max(0, float64(n-i-k)) / float64(n-k)
		}
	}
	return p
}

func TestPowerOfDByLoad(t *testing.T) {
	v := view(3, 1, 2)
	v.Flows = []int32{0, 9, 9}
	p := policytest.New(t, &powerOfD, powerOptions{D: 3, By: "load"}, 7)
	for range 20 {
		if a := p.Pick(&policy.Work{}, v, nil); a.Slot != 1 {
			t.Fatalf("row %d, want that with the lowest load", a.Slot)
		}
	}
}

// Of equal ones the first drawn wins, so that all have the same chance.
func TestPowerOfDTies(t *testing.T) {
	v := view(4, 4, 4, 4)
	for _, again := range []bool{true, false} {
		p := policytest.New(t, &powerOfD, powerOptions{D: 2, By: "flows", Replacement: again}, 7)
		var count [4]int
		for range 8000 {
			count[p.Pick(&policy.Work{}, v, nil).Slot]++
		}
		for i, n := range count {
			if n < 1800 || n > 2200 {
				t.Errorf("replacement %v: row %d taken %d times of 8000, want about 2000", again, i, n)
			}
		}
	}
}
