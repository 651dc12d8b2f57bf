package scheduler

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

func options(policy string, edit func(*Options)) Options {
	o := DefaultOptions()
	o.Policy = policy
	if edit != nil {
		edit(&o)
	}
	return o
}

func mustNew(t testing.TB, o Options) *Scheduler {
	t.Helper()
	s, err := New(o, 1)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// view is n instances with these loads in Mpps, a limit of 10 Mpps and this demand.
func view(demand float64, loads ...float64) *View {
	v := &View{Limit: 10e6, Demand: demand * 1e6}
	for i, l := range loads {
		v.IDs, v.Flows, v.Load = append(v.IDs, flow.Instance(i+1)), append(v.Flows, 0), append(v.Load, l*1e6)
	}
	return v
}

// Seven flows of 4.65 Mpps on three instances, with loads that are known at once.
func TestPublishedSequences(t *testing.T) {
	for policy, want := range map[string][]int{
		"round-robin": {1, 2, 3, 1, 2, 3, 1},
		"worst-fit":   {1, 2, 3, 1, 2, 3, 1},
		"best-fit":    {1, 1, 2, 2, 3, 3, 1}, // the seventh fits nowhere: the least loaded takes it
	} {
		s, v := mustNew(t, options(policy, nil)), view(4.65, 0, 0, 0)
		var got []int
		for range 7 {
			_, i, _ := s.Decide(v)
			v.Load[i] += v.Demand
			got = append(got, int(v.IDs[i]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", policy, got, want)
		}
	}
}

func TestTheCaseThatTellsThemApart(t *testing.T) {
	for policy, want := range map[string]int{"best-fit": 1, "worst-fit": 0, "round-robin": 0} {
		if _, i, _ := mustNew(t, options(policy, nil)).Decide(view(1.5, 2, 8, 5)); i != want {
			t.Errorf("%s picks position %d, want %d", policy, i, want)
		}
	}
}

// A flow greater than the limit fits on no instance, however idle.
func TestElephantFitsNowhere(t *testing.T) {
	s := mustNew(t, options("best-fit", func(o *Options) { o.NoFit = "reject" }))
	if o, i, _ := s.Decide(view(10.1, 0, 0)); o != Refused || i != None {
		t.Errorf("outcome %v at %d, want Refused", o, i)
	}
	if o, i, _ := s.Decide(view(10, 0, 0)); o != Placed || i != 0 {
		t.Errorf("just the limit: outcome %v at %d, want Placed at 0", o, i)
	}
}

// Every policy of the table must meet these, so that a new one is held to them by its row alone.
func TestConformance(t *testing.T) {
	for _, r := range table {
		t.Run(r.Name, func(t *testing.T) {
			s := func(edit func(*Options)) *Scheduler { return mustNew(t, options(r.Name, edit)) }
			t.Run("N=0 holds or drops", func(t *testing.T) {
				if o, i, _ := s(nil).Decide(view(1)); o != Held || i != None {
					t.Errorf("outcome %v at %d, want Held at None", o, i)
				}
				if o, _, _ := s(func(o *Options) { o.NoInstance = "drop" }).Decide(view(1)); o != Refused {
					t.Errorf("outcome %v, want Refused", o)
				}
			})
			t.Run("N=1 takes all that fit", func(t *testing.T) {
				s := s(nil)
				for range 3 {
					if o, i, _ := s.Decide(view(1, 2)); o != Placed || i != 0 {
						t.Errorf("outcome %v at %d, want Placed at 0", o, i)
					}
				}
			})
			t.Run("all full", func(t *testing.T) {
				if o, i, _ := s(nil).Decide(view(1, 12, 11, 13)); o != Placed || i < 0 || i > 2 {
					t.Errorf("least-loaded: outcome %v at %d", o, i)
				}
				for nofit, want := range map[string]Outcome{"reject": Refused, "queue": Held} {
					s := s(func(o *Options) { o.NoFit = nofit })
					fits := s.Candidates(view(1, 12, 11, 13), nil)[0].Fits
					if o, _, _ := s.Decide(view(1, 12, 11, 13)); !fits && o != want {
						t.Errorf("%s: outcome %v, want %v", nofit, o, want)
					}
				}
			})
			t.Run("joins and leaves mid-run", func(t *testing.T) {
				s := s(nil)
				for n := 1; n < 40; n++ {
					size := 1 + n*7%5
					if _, i, _ := s.Decide(view(1, make([]float64, size)...)); i < 0 || i >= size {
						t.Fatalf("position %d of %d", i, size)
					}
				}
			})
			t.Run("ties: the first by number, or a seeded draw", func(t *testing.T) {
				for _, ties := range []string{"first", "random"} {
					a, b := s(func(o *Options) { o.Ties = ties }), s(func(o *Options) { o.Ties = ties })
					_, first, _ := s(nil).Decide(view(1, 3, 3, 3))
					if first != 0 {
						t.Errorf("ties: first picks position %d", first)
					}
					for range 100 {
						_, i, _ := a.Decide(view(1, 3, 3, 3))
						if _, j, _ := b.Decide(view(1, 3, 3, 3)); i != j {
							t.Fatalf("%s: same seed, positions %d and %d", ties, i, j)
						}
					}
				}
			})
			t.Run("sees only what it declares", func(t *testing.T) {
				v := s(nil).show(view(1, 1, 2))
				if (v.Flows != nil) != slices.Contains(r.Telemetry, telemetry.T1) || (v.Load != nil) != slices.Contains(r.Telemetry, telemetry.T2) {
					t.Errorf("declares %v, sees Flows %v, Load %v", r.Telemetry, v.Flows, v.Load)
				}
			})
			t.Run("picks the best score of those that fit", func(t *testing.T) {
				rnd := rand.New(rand.NewPCG(1, 1))
				s := s(func(o *Options) { o.NoFit = "reject" })
				for range 500 {
					loads := make([]float64, 1+rnd.IntN(200))
					for i := range loads {
						loads[i] = float64(rnd.IntN(12))
					}
					v := view(rnd.Float64()*3, loads...)
					best, score := None, 0.0
					for i, x := range ratings(s, v) {
						if x.Fits && (best == None || r.highest && x.Score > score || !r.highest && x.Score < score) {
							best, score = i, x.Score
						}
					}
					logged := s.Candidates(v, nil)
					if !reflect.DeepEqual(logged, slowCandidates(s, v)) {
						t.Fatalf("candidates %v, want %v", logged, slowCandidates(s, v))
					}
					if _, i, _ := s.Decide(v); i != best {
						t.Fatalf("picks %d, the scores say %d", i, best)
					}
				}
			})
			t.Run("is documented", func(t *testing.T) {
				if r.Description == "" || r.Source == "" || r.Score == "" || len(r.Telemetry) == 0 || r.reason == "" {
					t.Errorf("incomplete row %+v", r.Info)
				}
			})
		})
	}
}

func ratings(s *Scheduler, v *View) []Rating {
	to := make([]Rating, len(v.IDs))
	s.pol.Rate(s.show(v), to)
	return to
}

// slowCandidates sorts everything.
func slowCandidates(s *Scheduler, v *View) []Candidate {
	var all []Candidate
	for i, x := range ratings(s, v) {
		all = append(all, Candidate{v.IDs[i], x.Score, x.Fits})
	}
	slices.SortStableFunc(all, func(a, b Candidate) int {
		switch better := a.Score < b.Score != s.row.highest; {
		case a.Fits != b.Fits && a.Fits:
			return -1
		case a.Fits != b.Fits:
			return 1
		case a.Score == b.Score:
			return 0
		case better:
			return -1
		}
		return 1
	})
	all = all[:min(len(all), MaxCandidates)]
	slices.SortFunc(all, func(a, b Candidate) int { return int(a.Instance - b.Instance) })
	return all
}

func TestJoiningInstance(t *testing.T) {
	// Two loaded instances have run for a while; a third, idle one joins.
	rr := mustNew(t, options("round-robin", nil))
	rr.Decide(view(1, 5, 5))
	var turn []int
	for range 3 {
		_, i, _ := rr.Decide(view(1, 5, 5, 0))
		turn = append(turn, i)
	}
	if want := []int{1, 2, 0}; !slices.Equal(turn, want) {
		t.Errorf("round-robin: %v, want %v: the new one comes at the end of the cycle", turn, want)
	}
	if _, i, _ := mustNew(t, options("worst-fit", nil)).Decide(view(1, 5, 5, 0)); i != 2 {
		t.Errorf("worst-fit picks %d, want the new one", i)
	}
	if _, i, _ := mustNew(t, options("best-fit", nil)).Decide(view(1, 5, 5, 0)); i != 0 {
		t.Errorf("best-fit picks %d, want an old one while it fits", i)
	}
}

// The cycle goes by number: when an instance leaves, the turns of the others go on, whichever it was.
func TestLeavingInstance(t *testing.T) {
	for _, c := range []struct {
		left []flow.Instance // after 1 and 2 had their turns
		want []flow.Instance
	}{
		{[]flow.Instance{1, 2, 3, 4}, []flow.Instance{3, 4, 1, 2}},
		{[]flow.Instance{2, 3, 4}, []flow.Instance{3, 4, 2, 3}}, // by position it would be 4
		{[]flow.Instance{1, 3, 4}, []flow.Instance{3, 4, 1, 3}},
		{[]flow.Instance{1, 2, 4}, []flow.Instance{4, 1, 2, 4}},
		{[]flow.Instance{1, 2}, []flow.Instance{1, 2, 1, 2}},
		{[]flow.Instance{1, 7}, []flow.Instance{7, 1, 7, 1}},
	} {
		s := mustNew(t, options("round-robin", nil))
		for range 2 {
			s.Decide(view(1, 0, 0, 0, 0))
		}
		v := &View{IDs: c.left, Load: make([]float64, len(c.left)), Flows: make([]int32, len(c.left)), Limit: 10e6}
		var got []flow.Instance
		for range c.want {
			_, i, _ := s.Decide(v)
			got = append(got, v.IDs[i])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("of %v: %v, want %v", c.left, got, c.want)
		}
	}
}

// Flows that add up to the limit fit on one instance, however the sum came about.
func TestFlowsThatFillTheLimitFit(t *testing.T) {
	beyond := 0
	for _, limit := range []float64{1e6, 4.65e6, 7.7e6, 10e6, 13.3e6, 25e6} {
		for n := 2; n <= 60; n++ {
			s, v := mustNew(t, options("best-fit", func(o *Options) { o.NoFit = "reject" })), view(0, 0)
			v.Limit, v.Demand = limit, limit/float64(n)
			for k := range n {
				if o, _, _ := s.Decide(v); o != Placed {
					t.Errorf("flow %d of %d of a limit of %v: outcome %v, want Placed", k+1, n, limit, o)
				}
				v.Load[0] += v.Demand
			}
			if v.Load[0] > limit {
				beyond++
			}
			if o, _, _ := s.Decide(v); o != Refused {
				t.Errorf("%d flows of a limit of %v, and one more: outcome %v, want Refused", n, limit, o)
			}
		}
	}
	if beyond < 10 {
		t.Errorf("%d of the sums are beyond their limit: the slack is not tried", beyond)
	}
}

func TestTheSeedDrawsTies(t *testing.T) {
	drawn := func(seed uint64) (all []int) {
		s, err := New(options("worst-fit", func(o *Options) { o.Ties = "random" }), seed)
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			_, i, _ := s.Decide(view(1, 1, 1, 1, 1))
			all = append(all, i)
		}
		return all
	}
	if one, again, other := drawn(1), drawn(1), drawn(2); !slices.Equal(one, again) || slices.Equal(one, other) {
		t.Errorf("seed 1 draws %v, again %v; seed 2 draws %v", one, again, other)
	}
}

// Telemetry that never changes sends all flows to one instance: what the in-flight correction is for.
func TestStaleTelemetryHerds(t *testing.T) {
	for _, policy := range []string{"worst-fit", "best-fit"} {
		s, v := mustNew(t, options(policy, nil)), view(1, 4, 3, 5)
		_, first, _ := s.Decide(v)
		for range 100 {
			if _, i, _ := s.Decide(v); i != first {
				t.Errorf("%s picks %d after %d", policy, i, first)
			}
		}
	}
}

func TestRandomTiesAreFair(t *testing.T) {
	s := mustNew(t, options("worst-fit", func(o *Options) { o.Ties = "random" }))
	var count [4]int
	for range 4000 {
		_, i, _ := s.Decide(view(1, 1, 1, 1, 1))
		count[i]++
	}
	for i, n := range count {
		if n < 850 || n > 1150 {
			t.Errorf("position %d drawn %d times of 4000, want about 1000", i, n)
		}
	}
}

func TestValidateNamesKeyAndChoices(t *testing.T) {
	for _, tc := range []struct {
		edit func(*Options)
		want []string
	}{
		{func(o *Options) { o.Policy = "best" }, []string{"scheduler.policy", `"best"`, names()}},
		{func(o *Options) { o.Limit = 0 }, []string{"scheduler.limit", "0pps", "above 0"}},
		{func(o *Options) { o.DemandRate = -1 }, []string{"scheduler.demand_rate", "0 or more"}},
		{func(o *Options) { o.Demand = "fixed" }, []string{"scheduler.demand_rate", "fixed"}},
		{func(o *Options) { o.Demand = "max" }, []string{"scheduler.demand", "zero, mean, last, fixed"}},
		{func(o *Options) { o.NoFit = "" }, []string{"scheduler.nofit", "least-loaded, reject, queue"}},
		{func(o *Options) { o.Ties = "?" }, []string{"scheduler.ties", "first, random"}},
		{func(o *Options) { o.NoInstance = "?" }, []string{"scheduler.no_instance", "hold, drop"}},
	} {
		_, err := New(options("best-fit", tc.edit), 1)
		for _, w := range tc.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v does not mention %s", err, w)
			}
		}
	}
}

// The default tags that documentation and decoder read, and DefaultOptions, are one.
func TestDefaultsEqualTags(t *testing.T) {
	v := reflect.ValueOf(DefaultOptions())
	for i := range v.NumField() {
		if got, want := fmt.Sprint(v.Field(i).Interface()), v.Type().Field(i).Tag.Get("default"); got != want {
			t.Errorf("%s: %s, tag %s", v.Type().Field(i).Name, got, want)
		}
	}
}
