package autopilot

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

const minute = 60 * units.Second

func options[O any](t testing.TB, text string) O {
	t.Helper()
	var o O
	if err := strictyaml.Decode("autopilot.yaml", []byte(text), &o, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestConformance(t *testing.T) {
	for _, text := range []string{"{}", "{window: 3s, defer: 10s, halve: 20s, horizon: 15s, statistic: p95}",
		"{cpu: processed, window: 1s, defer: 0s, halve: 0s, small: 0.2, growth: 0.3, horizon: 1s}"} {
		scalingtest.Run(t, horizontal, options[HorizontalOptions](t, text))
	}
	for _, text := range []string{"{}", "{window: 2s, half_life: 5s, statistic: max, windows: 3, hold: 6s}",
		"{cpu: processed, window: 1s, statistic: avg, hold: 0s, apply: recreate, max_allowed: 3}",
		"{window: 1s, statistic: p90, half_life: 1s}"} {
		scalingtest.Run(t, vertical, options[VerticalOptions](t, text))
	}
	o := options[VerticalOptions](t, "{}")
	o.MinAllowed = 2
	if _, err := newVertical(o, policy.Env{}); err == nil || !strings.Contains(err.Error(), "min_allowed: 2, want at") {
		t.Errorf("error %v", err)
	}
}

// using are ready instances, each of which uses so much of a core.
func using(at units.Time, n int, uses ...float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: at, Current: n, Wanted: n, Min: 0, Max: 1000, Limit: 1e6}
	for k := range n {
		use := uses[k%len(uses)]
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Usage: telemetry.Usage{CPU: use, Known: true, Sampled: at},
			Rate:  telemetry.Rate{Tx: use * 1e6, Known: true, Sampled: at}})
	}
	return s
}

// follow runs a policy of the number, evaluated once a minute, and gives the number at the end of each window of five:
// load is what all use together in a window.
func follow(t *testing.T, text string, n int, load []float64) (numbers []int) {
	t.Helper()
	p, err := newHorizontal(options[HorizontalOptions](t, text), policy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for w, cores := range load {
		for m := range 5 {
			s := using(units.Time(5*w+m+1)*minute, max(n, 1), cores/float64(max(n, 1)))
			s.Wanted, s.Current = n, n
			n = p.Evaluate(s, new(policy.Steps)).Desired
		}
		numbers = append(numbers, n)
	}
	return numbers
}

// The rule, and each of the ways in which Autopilot smooths it.
func TestHorizontal(t *testing.T) {
	for _, c := range []struct {
		name, options string
		n             int
		load          []float64
		want          []int // at the ends of windows
	}{
		{"use over a target each, of the highest window", "{defer: 0s, halve: 0s}", 4, []float64{2, 6, 3, 1, 1},
			[]int{4, 12, 12, 12, 12}},
		{"of a horizon", "{defer: 0s, halve: 0s, horizon: 10min}", 4, []float64{2, 6, 3, 1, 1, 1},
			[]int{4, 12, 12, 6, 2, 2}},
		{"of the 95th percentile", "{defer: 0s, halve: 0s, statistic: p95, horizon: 20h}", 4,
			append([]float64{9}, slices.Repeat([]float64{2}, 22)...),
			append(slices.Repeat([]int{18}, 19), 4, 4, 4, 4)},
		{"another target", "{defer: 0s, halve: 0s, utilization: 0.25}", 4, []float64{2, 2}, []int{8, 8}},
		{"a scale-in is deferred", "{horizon: 5min, defer: 15min, halve: 0s}", 4, []float64{6, 1, 1, 1, 1, 1},
			[]int{12, 12, 12, 2, 2, 2}},
		{"a small change", "{defer: 0s, halve: 0s, horizon: 5min, small: 0.3}", 10, []float64{6, 6, 8, 8, 4},
			[]int{10, 10, 16, 16, 8}},
		{"a bounded growth", "{defer: 0s, halve: 0s, growth: 0.5}", 4, []float64{2, 40, 40}, []int{4, 6, 42}},
		{"none is left", "{defer: 0s, halve: 0s, horizon: 5min}", 4, []float64{2, 0, 0}, []int{4, 0, 0}},
		{"what is processed over the limit", "{cpu: processed, defer: 0s, halve: 0s}", 4, []float64{2, 6, 3},
			[]int{4, 12, 12}},
	} {
		if got := follow(t, c.options, c.n, c.load); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// policies.md 5.7: to halve a number in an hour, 5.61 % go every five minutes: 100, 94, 89, 84, ..., 50 after twelve.
func TestSlowDecay(t *testing.T) {
	got := follow(t, "{defer: 0s, horizon: 5min}", 100, slices.Repeat([]float64{5}, 40))
	var want []int
	for k := 1; k <= 40; k++ {
		want = append(want, max(10, int(math.Round(100*math.Exp2(-float64(k)/12)))))
	}
	if !slices.Equal(got, want) || !slices.Equal(got[:3], []int{94, 89, 84}) || got[11] != 50 || got[39] != 10 {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestHeldFlowsWakeIt(t *testing.T) {
	p, _ := newHorizontal(options[HorizontalOptions](t, "{}"), policy.Env{})
	if got := p.Evaluate(&policy.Snapshot{Max: 5, Held: 2}, new(policy.Steps)).Desired; got != 1 {
		t.Errorf("before anything is measured: %d", got)
	}
	p, _ = newHorizontal(options[HorizontalOptions](t, "{defer: 0s, halve: 0s, window: 1min}"), policy.Env{})
	for m := units.Time(1); m < 4; m++ {
		p.Evaluate(using(m*minute, 1, 0), new(policy.Steps))
	}
	if got := p.Evaluate(&policy.Snapshot{Now: 5 * minute, Max: 5, Held: 2}, new(policy.Steps)).Desired; got != 1 {
		t.Errorf("where nothing was used: %d", got)
	}
}

// The paper's example: of nine samples of 1 and one of 10, the 90th percentile by time is 1, and by load 10.
func TestLoadAdjusted(t *testing.T) {
	samples := make([]float64, 20)
	samples[0], samples[9] = 9, 1
	if got := loadAdjusted(samples, 0.9); got != 10 {
		t.Errorf("%d, want 10", got)
	}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var all []int
		samples := make([]float64, buckets)
		load := 0
		for range 1 + r.IntN(60) {
			k := r.IntN(buckets)
			samples[k]++
			all = append(all, k+1)
			load += k + 1
		}
		slices.Sort(all)
		sum, want := 0, 0
		for _, k := range all {
			if sum += k; 20*sum >= 19*load {
				want = k
				break
			}
		}
		if got := loadAdjusted(samples, 0.95); got != want {
			t.Errorf("seed %d: %d, want %d", seed, got, want)
		}
	}
}

// settle runs a policy of shares for a number of windows of five minutes, with ten readings each, of which uses says
// what one instance uses, and gives the share that it recommends at the end of each.
func settle(t *testing.T, text string, windows int, uses func(window, reading int) float64) (shares []float64) {
	t.Helper()
	p, err := newVertical(options[VerticalOptions](t, text), policy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for w := range windows {
		for k := range 10 {
			s := using(units.Time(10*w+k+1)*minute/2, 1, uses(w, k))
			if share := p.Evaluate(s, new(policy.Steps)).Share; k == 9 {
				shares = append(shares, share)
			}
		}
	}
	return shares
}

// Uses are those of the ends of buckets of 1/400.
func TestVertical(t *testing.T) {
	steady := func(use float64) func(int, int) float64 { return func(int, int) float64 { return use } }
	// A tenth of the readings are ten times the others.
	peaks := func(_, k int) float64 { return []float64{0.05, 0.5}[(k+1)/10] }
	falls := func(w, _ int) float64 { return []float64{0.4, 0.1}[min(w, 1)] }
	for _, c := range []struct {
		name, options string
		uses          func(int, int) float64
		want          []float64
	}{
		{"the load and a margin", "{}", steady(0.2), []float64{0.23, 0.23}},
		{"no margin", "{margin: 0}", steady(0.2), []float64{0.2}},
		{"by load", "{margin: 0, statistic: p90}", peaks, []float64{0.5}},
		{"the mean", "{margin: 0, statistic: avg}", peaks, []float64{0.095}},
		{"the maximum of some windows", "{margin: 0, statistic: max, windows: 2, hold: 0s}", falls,
			[]float64{0.4, 0.4, 0.1}},
		{"held", "{margin: 0, statistic: max, windows: 1, hold: 15min}", falls, []float64{0.4, 0.4, 0.4, 0.1}},
		{"older use counts less", "{margin: 0, statistic: avg, half_life: 5min, hold: 0s}", falls,
			[]float64{0.4, 0.2, 0.143, 0.12}}, // (0.4+2*0.1)/3, (0.4+6*0.1)/7, (0.4+14*0.1)/15
		{"at least", "{min_allowed: 0.3}", steady(0.1), []float64{0.3}},
		{"at most", "{max_allowed: 0.3}", steady(0.9), []float64{0.3}},
		{"several cores", "{margin: 0, max_allowed: 4}", steady(2.5), []float64{2.5}},
	} {
		if got := settle(t, c.options, len(c.want), c.uses); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A reading counts once, however often the policy is asked before the next.
func TestAReadingCountsOnce(t *testing.T) {
	p, _ := newVertical(options[VerticalOptions](t, "{margin: 0, statistic: avg}"), policy.Env{})
	h, _ := newHorizontal(options[HorizontalOptions](t, "{defer: 0s, halve: 0s, utilization: 0.01}"), policy.Env{})
	one, other := using(minute, 1, 0.1), using(5*minute, 1, 0.3)
	for range 3 {
		p.Evaluate(one, new(policy.Steps))
		h.Evaluate(one, new(policy.Steps))
	}
	if got := p.Evaluate(other, new(policy.Steps)).Share; got != 0.2 {
		t.Errorf("a mean of %v, want 0.2", got)
	}
	if got := h.Evaluate(other, new(policy.Steps)).Desired; got != 20 {
		t.Errorf("%d instances, want 20", got)
	}
}

// In place, all at once, but not those whose change is under way or was refused; by replacement, one after the other.
func TestWhoIsResized(t *testing.T) {
	for _, c := range []struct {
		name, options string
		edit          func([]policy.Instance)
		want          string
	}{
		{"in place", "{}", func([]policy.Instance) {}, "1 to 0.23, 2 to 0.23, 3 to 0.23"},
		{"those that have it", "{}", func(of []policy.Instance) { of[1].Share, of[1].Asked = 0.23, 0.23 },
			"1 to 0.23, 3 to 0.23"},
		{"under way", "{}", func(of []policy.Instance) { of[0].Asked = 0.23 }, "2 to 0.23, 3 to 0.23"},
		{"refused", "{}", func(of []policy.Instance) { of[0].Refused = true }, "2 to 0.23, 3 to 0.23"},
		{"draining", "{}", func(of []policy.Instance) { of[0].State = policy.Draining }, "2 to 0.23, 3 to 0.23"},
		{"replaced", "{apply: recreate}", func([]policy.Instance) {}, "1 again to 0.23"},
		{"while one starts", "{apply: recreate}", func(of []policy.Instance) { of[2].State = policy.Starting }, ""},
	} {
		p, _ := newVertical(options[VerticalOptions](t, c.options), policy.Env{})
		var all []string
		for k := range units.Time(2) {
			s := using(4*minute+k*minute, 3, 0.2)
			c.edit(s.Instances)
			for _, r := range p.Evaluate(s, new(policy.Steps)).Resize {
				again := ""
				if r.Recreate {
					again = "again "
				}
				all = append(all, fmt.Sprintf("%d %sto %v", r.Instance, again, r.Share))
			}
		}
		if got := strings.Join(all, ", "); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
