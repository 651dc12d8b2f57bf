package choices

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
)

func TestLeast(t *testing.T) {
	for _, c := range []struct {
		row    *policy.Row
		values []float64
		want   int
	}{
		{&leastConnections, []float64{3, 1, 2}, 1}, {&leastConnections, []float64{4, 4, 4}, 0},
		{&leastConnections, []float64{5, 2, 2}, 1}, {&leastConnections, []float64{7}, 0},
		{&leastLoad, []float64{3, 1, 2}, 1}, {&leastLoad, []float64{20, 30}, 0}, {&leastLoad, []float64{0, 0}, 0},
	} {
		v := view(c.values...)
		if c.row == &leastConnections {
			slices.Reverse(v.Load) // which it does not see
		} else {
			slices.Reverse(v.Flows)
		}
		if a := policytest.New(t, c.row, nil, 1).Pick(&policy.Work{}, v, nil); a.Slot != c.want {
			t.Errorf("%s of %v: row %d, want %d", c.row.Name, c.values, a.Slot, c.want)
		}
	}
}

// Where ties are drawn, each of the equal ones has the same chance.
func TestLeastDrawsTies(t *testing.T) {
	const draws = 12000
	for _, row := range []policy.Row{leastConnections, leastLoad, scoreRow} {
		p, err := row.New(policytest.Options(&row), policy.Env{Ties: policy.DrawnTies(rand.New(rand.NewPCG(1, 1)))})
		if err != nil {
			t.Fatal(err)
		}
		v, count := view(4, 2, 9, 2, 2), make([]float64, 5)
		for range draws {
			count[p.Pick(&policy.Work{}, v, nil).Slot]++
		}
		for slot, n := range count {
			want := 0.0
			if v.Load[slot] == 2e6 {
				want = draws / 3
			}
			if math.Abs(n-want) > 5*math.Sqrt(want*2/3) {
				t.Errorf("%s: row %d was taken %v times, want %v", row.Name, slot, n, want)
			}
		}
	}
}

// One that joins gets every new flow until it has caught up.
func TestLeastConnectionsFillsTheNewest(t *testing.T) {
	w := newWorld(t, &leastConnections, nil, 2)
	if got, want := w.arrivals(6), []flow.Instance{1, 2, 1, 2, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	w.join(3)
	if got, want := w.arrivals(6), []flow.Instance{3, 3, 3, 1, 2, 3}; !slices.Equal(got, want) {
		t.Errorf("after the third joined: %v, want %v", got, want)
	}
	w.end(2)
	if got := w.arrive(); got != 2 {
		t.Errorf("after a flow of 2 ended: %d, want 2", got)
	}
}

// All flows of a window see the same loads and go to the same instance, however many they are. Worst-fit does the same
// where it does not count the flows that no counter shows yet; with this correction it spreads them.
func TestLeastLoadHerds(t *testing.T) {
	worst := policy.Table[policy.Row](thesis.Policies).Find("worst-fit")
	picks := func(row *policy.Row, options any) (at []flow.Instance) {
		w := newWorld(t, row, options, 3)
		for _, loads := range [][]float64{{3, 1, 2}, {3, 9, 2}, {3, 9, 12}} {
			w.measure(loads...)
			at = append(at, w.arrivals(4)...)
		}
		return at
	}
	herd := []flow.Instance{2, 2, 2, 2, 3, 3, 3, 3, 1, 1, 1, 1}
	if got := picks(&leastLoad, nil); !slices.Equal(got, herd) {
		t.Errorf("least-load: %v, want %v", got, herd)
	}
	o := thesis.Options{Demand: "fixed", DemandRate: 2e6, NoFit: "least-loaded", Metric: "offered"}
	if got := picks(worst, o); !slices.Equal(got, herd) {
		t.Errorf("worst-fit without inflight: %v, want %v", got, herd)
	}
	o.InFlight = true
	if got, want := picks(worst, o)[:4], []flow.Instance{2, 3, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("worst-fit with inflight: %v, want %v", got, want)
	}
}

func TestRandomIsUniform(t *testing.T) {
	const n, draws = 7, 70000
	w := newWorld(t, &randomRow, nil, n)
	count := make([]float64, n)
	for _, id := range w.arrivals(draws) {
		count[id-1]++
	}
	for i, c := range count {
		if want := draws / float64(n); math.Abs(c-want) > 5*math.Sqrt(want*(1-1./n)) {
			t.Errorf("instance %d was drawn %v times, want %v", i+1, c, want)
		}
	}
}
