package choices

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/scheduler/hashing"
	"github.com/smartinco/smartinco/units"
)

// sums are what the instances get, by row.
func sums(p policy.Policy, w *policy.Work, v *policy.View) (all []float64) {
	var log policy.Weighed
	p.Pick(w, v, &log)
	for _, r := range log.Ratings {
		all = append(all, r.Score)
	}
	return all
}

func TestScorers(t *testing.T) {
	const s = units.Second
	for _, c := range []struct {
		what    string
		options scoreOptions
		loads   []float64 // Mpps, of a limit of 10
		flows   []int32
		joined  []units.Time // it is 20 s now
		want    []float64
	}{
		{what: "load", options: scoreOptions{Load: 1}, loads: []float64{0, 5, 20}, want: []float64{1, 0.75, 0}},
		{what: "no load", options: scoreOptions{Load: 1}, loads: []float64{0, 0, 0}, want: []float64{1, 1, 1}},
		{what: "flows", options: scoreOptions{Flows: 1}, flows: []int32{4, 1, 0}, want: []float64{0, 0.75, 1}},
		{what: "no flows", options: scoreOptions{Flows: 1}, flows: []int32{0, 0, 0}, want: []float64{1, 1, 1}},
		{what: "free", options: scoreOptions{Free: 1}, loads: []float64{0, 7.5, 20}, want: []float64{1, 0.25, 0}},
		{what: "age", options: scoreOptions{Age: 1, Grown: 8 * s}, joined: []units.Time{0, 12 * s, 18 * s},
			want: []float64{1, 1, 0.25}},
		{what: "a sum", options: scoreOptions{Load: 1, Flows: 0.5, Free: 2, Age: 4, Grown: 8 * s},
			loads: []float64{5, 10, 0}, flows: []int32{2, 1, 0}, joined: []units.Time{0, 16 * s, 20 * s},
			want: []float64{0.5 + 0 + 1 + 4, 0 + 0.25 + 0 + 2, 1 + 0.5 + 2 + 0}},
	} {
		p, v := policytest.New(t, &scoreRow, c.options, 1), view(0, 0, 0)
		for slot := range v.IDs {
			part := policy.View{IDs: v.IDs[:slot+1]}
			if c.joined != nil {
				part.Now = c.joined[slot]
			}
			p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, &part)
			if c.loads != nil {
				v.Load[slot] = c.loads[slot] * 1e6
			}
			if c.flows != nil {
				v.Flows[slot] = c.flows[slot]
			}
		}
		v.Now = 20 * s
		if got := sums(p, &policy.Work{}, v); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, got, c.want)
		}
	}
}

// Affinity is for the instance of hrw: where it outweighs the others, flows go as under hrw.
func TestAffinityIsThatOfHRW(t *testing.T) {
	hrw := newWorld(t, policy.Table[policy.Row](hashing.Policies).Find("hrw"), nil, 5)
	score := newWorld(t, &scoreRow, scoreOptions{Load: 1, Affinity: 2, Grown: 1}, 5)
	score.measure(3, 1, 4, 1, 5)
	r := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		w := &policy.Work{Tuple: policytest.Tuple(r)}
		a, b := hrw.p.Pick(w, &hrw.v, nil), score.p.Pick(w, &score.v, nil)
		if a.Slot != b.Slot {
			t.Fatalf("row %d, and %d under hrw", b.Slot, a.Slot)
		}
		all := sums(score.p, w, &score.v)
		for slot, load := range score.v.Load {
			want := 1 - load/5e6
			if slot == a.Slot {
				want += 2
			}
			if math.Abs(all[slot]-want) > 1e-12 {
				t.Fatalf("sums %v, of loads %v, with affinity for row %d", all, score.v.Load, a.Slot)
			}
		}
	}
}

// One scorer alone is the policy that goes by the same.
func TestOneScorerAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for row, o := range map[*policy.Row]scoreOptions{&leastConnections: {Flows: 3}, &leastLoad: {Load: 0.1}} {
		alone, score := newWorld(t, row, nil, 6), newWorld(t, &scoreRow, o, 6)
		for range 500 {
			for slot := range alone.v.IDs {
				alone.v.Flows[slot], alone.v.Load[slot] = int32(r.IntN(9)), float64(r.IntN(9))
			}
			a, b := alone.p.Pick(&policy.Work{}, &alone.v, nil), score.p.Pick(&policy.Work{}, &alone.v, nil)
			if a.Slot != b.Slot {
				t.Fatalf("%s: row %d, and %d by the score, of flows %v and loads %v",
					row.Name, a.Slot, b.Slot, alone.v.Flows, alone.v.Load)
			}
		}
	}
}

// The age counts from when an instance takes work, again if it was taken back.
func TestAgeOfOneThatIsBack(t *testing.T) {
	w := newWorld(t, &scoreRow, scoreOptions{Age: 1, Grown: 10 * units.Second}, 2)
	w.v.Now = 15 * units.Second
	w.leave(1)
	w.join(1)
	w.v.Now = 20 * units.Second
	if got, want := sums(w.p, &policy.Work{}, &w.v), []float64{0.5, 1}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := w.arrive(); got != flow.Instance(2) {
		t.Errorf("the flow goes to instance %d, want the older", got)
	}
}

func TestScoreWantsAWeight(t *testing.T) {
	_, err := scoreRow.New(scoreOptions{Grown: 1}, policy.Env{})
	if want := "load: 0, as all others: want one weight above 0 at least"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
