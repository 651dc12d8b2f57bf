package forecast

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

const second = units.Second

func row(name string) *policy.ScalerRow { return policy.Table[policy.ScalerRow](Scalers).Find(name) }

// options reads those of a policy.
func options[O any](t testing.TB, text string) (o O) {
	t.Helper()
	if err := strictyaml.Decode("options.yaml", []byte(text), &o, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestConformance(t *testing.T) {
	for _, text := range []string{
		`{}`, `{history_size: 1, look_ahead: 0s, decision_type: minimum}`,
		`{history_size: 30, look_ahead: 5s, decision_type: median, per_sync_period: 3, tolerance: 0, cpu: reported}`,
	} {
		scalingtest.Run(t, *row("phpa-linear"), options[LinearOptions](t, text))
	}
	for _, text := range []string{
		`{}`, `{seasonal_periods: 2, stored_seasons: 7, seasonal: mul, trend: mul, decision_type: mean}`,
		`{seasonal_periods: 5, stored_seasons: 3, series: released, initialization_method: legacy-heuristic,
			trend: mul, decision_type: minimum, per_sync_period: 2, spec: {behavior: {}}}`,
	} {
		scalingtest.Run(t, *row("phpa-holt-winters"), options[HoltWintersOptions](t, text))
	}
}

// The line is that of the normal equations, solved without rounding.
func TestFitIsTheLineOfLeastSquares(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		n := 1 + rnd.IntN(12)
		xs, ys := make([]float64, n), make([]float64, n)
		for i := range n {
			xs[i], ys[i] = math.Round(rnd.Float64()*1e6)/1e3, float64(rnd.IntN(50))
		}
		got := fit(n, func(i int) (float64, float64) { return xs[i], ys[i] })
		at0, slope := normalEquations(xs, ys)
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*max(1, math.Abs(b)) }
		if !near(got.at0, at0) || !near(got.slope, slope) {
			t.Fatalf("%v, %v: %+v, want %v and %v", xs, ys, got, at0, slope)
		}
	}
}

func normalEquations(xs, ys []float64) (at0, slope float64) {
	exact := func(x float64) *big.Rat { return new(big.Rat).SetFloat64(x) }
	n, x, y, xx, xy := exact(float64(len(xs))), new(big.Rat), new(big.Rat), new(big.Rat), new(big.Rat)
	for i := range xs {
		a, b := exact(xs[i]), exact(ys[i])
		x.Add(x, a)
		y.Add(y, b)
		xx.Add(xx, new(big.Rat).Mul(a, a))
		xy.Add(xy, new(big.Rat).Mul(a, b))
	}
	times := func(a, b *big.Rat) *big.Rat { return new(big.Rat).Mul(a, b) }
	den := new(big.Rat).Sub(times(n, xx), times(x, x))
	m := new(big.Rat)
	if den.Sign() != 0 {
		m.Quo(new(big.Rat).Sub(times(n, xy), times(x, y)), den)
	}
	c := new(big.Rat).Quo(new(big.Rat).Sub(y, times(m, x)), n)
	at0, _ = c.Float64()
	slope, _ = m.Float64()
	return at0, slope
}

// What the library says with which the program forecasts.
func TestHoltWintersIsThatOfStatsmodels(t *testing.T) {
	b, err := os.ReadFile("testdata/statsmodels.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Trend, Seasonal, Method string
		Period                  int
		Smoothing               [3]float64
		Series                  []float64
		Next                    float64
	}
	if err := yaml.Unmarshal(b, &cases); err != nil || len(cases) < 100 {
		t.Fatal(len(cases), err)
	}
	for i, c := range cases {
		h := model3(c.Trend, c.Seasonal, c.Method, c.Period, c.Smoothing)
		for range 2 { // the second time in memory that was used
			if got := h.next(c.Series); math.Abs(got-c.Next) > 1e-9*max(1, math.Abs(c.Next)) {
				t.Errorf("case %d, %+v: %v", i, c, got)
			}
		}
	}
}

func model3(trend, seasonal, method string, period int, smoothing [3]float64) *holtWinters {
	kinds := map[string]kind{"add": additive, "mul": multiplicative}
	return &holtWinters{alpha: smoothing[0], beta: smoothing[1], gamma: smoothing[2], period: period,
		trend: kinds[trend], season: kinds[seasonal], legacy: method == "legacy-heuristic"}
}

// algorithms/holt_winters/test_holt_winters.py: the program prints the forecast, rounded up.
func TestHoltWintersOfTheProgram(t *testing.T) {
	for _, c := range []struct {
		h      *holtWinters
		series []float64
		want   int
	}{
		{model3("add", "add", "", 3, [3]float64{.9, .9, .3}), []float64{1, 3, 1, 1, 3, 1, 1, 3, 1, 1, 3, 1, 1}, 3},
		{model3("mul", "add", "", 3, [3]float64{.3, .3, .9}),
			[]float64{1, 3, 1, 1, 3, 1, 1, 3, 1, 1, 3, 1, 1, 3, 1}, 1},
		{model3("add", "mul", "legacy-heuristic", 3, [3]float64{.005, .9, .4}),
			[]float64{1, 1, 1, 1, 2, 1, 1, 3, 1, 1, 4, 1, 1, 5, 1, 1, 6, 1, 1}, 6},
	} {
		if got, ok := ceil(c.h.next(c.series)); got != c.want || !ok {
			t.Errorf("%v: %d, want %d", c.series, got, c.want)
		}
	}
}

// A season that repeats goes on as it is, whatever is smoothed by how much. One that rises would not do so exactly:
// statsmodels takes the first moving average for that of the first value.
func TestHoltWintersFollowsASeason(t *testing.T) {
	for _, smoothing := range [][3]float64{{.5, .5, .5}, {.9, .1, 0}, {0, 0, .3}, {1, 1, 1}} {
		for n := 12; n < 20; n++ {
			for _, seasonal := range []string{"add", "mul"} {
				var y []float64
				for i := range n {
					y = append(y, []float64{1, 3, 5}[i%3])
				}
				h := model3("add", seasonal, "", 3, smoothing)
				if got, want := h.next(y), []float64{1, 3, 5}[n%3]; math.Abs(got-want) > 1e-9 {
					t.Errorf("%s, smoothing %v, %d values: %v, want %v", seasonal, smoothing, n, got, want)
				}
			}
		}
	}
}

// By hand, from the first season's level of 3, trend of 1/3 and terms of -2, 0 and 2: 1,3,5,2,4,6,3,5,7,4,6,8 goes on
// with 5.0248.
func TestHoltWintersByHand(t *testing.T) {
	h := model3("add", "add", "", 3, [3]float64{.5, .5, .5})
	h.seasons = []float64{-2, 0, 2}
	if got := h.after([]float64{2, 4, 6, 3, 5, 7, 4, 6, 8}, 3, 1./3); math.Abs(got-5.0248) > 5e-5 {
		t.Errorf("%v, want 5.0248", got)
	}
}

// wanting is a snapshot under which the metrics of per want so many instances: each of ten offers its part.
func wanting(at units.Time, current, want int) *policy.Snapshot {
	s := &policy.Snapshot{Now: at, Current: current, Wanted: current, Max: 1000, Limit: 1e6, Window: second,
		Measured: true, LastScaling: units.Never, LastScaleOut: units.Never}
	for id := range current {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(id + 1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: 1000 * float64(want) / float64(current), Known: true, Sampled: at}})
	}
	return s
}

// per is a spec whose metric is 1000 packets a second for each instance, and that holds nothing back.
const per = `spec: {metrics: [{type: External, external: {metric: {name: offered}, target: {type: AverageValue,
  averageValue: 1k}}}], behavior: {scaleUp: {policies: [{type: Pods, value: 1000, periodSeconds: 1}]},
  scaleDown: {stabilizationWindowSeconds: 0, policies: [{type: Percent, value: 100, periodSeconds: 1}]}}}`

// follow evaluates with metrics that want these, so many seconds apart.
func follow(t *testing.T, name string, o any, every units.Time, want ...int) (got []int) {
	t.Helper()
	p, err := row(name).New(o, policy.Env{Counts: make([]uint64, len(counters))})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want {
		got = append(got, p.Evaluate(wanting(units.Time(i)*every, 10, w), new(policy.Steps)).Desired)
	}
	return got
}

// The spec's vector, and those of algorithms/linear_regression/test_linear_regression.py, where the last number is 9 s
// old: the numbers below are 39 to 9 s old at the time that is asked for, or 10 and 15 s older.
func TestLinearOfTheProgram(t *testing.T) {
	for _, c := range []struct {
		ages []int // of the last one, in seconds
		n    []int
		want int
	}{
		{[]int{30, 20, 10}, []int{2, 4, 6}, 8},
		{[]int{39, 29, 19, 9}, []int{1, 2, 3, 4}, 5},
		{[]int{49, 39, 29, 19}, []int{1, 2, 3, 4}, 6},
		{[]int{54, 44, 34, 24}, []int{1, 2, 3, 4}, 7},
	} {
		m := &linear{LinearOptions: LinearOptions{HistorySize: 6, LookAhead: 9 * second}}
		now := 100 * second
		for i, n := range c.n {
			m.add(now+m.LookAhead-units.Time(c.ages[i])*second, n)
		}
		if got, ok := m.expect(now); got != c.want || !ok {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestLinear(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want, got  []int
	}{
		{"one number is its own forecast", ``, []int{7}, []int{7}},
		{"a rise is seen ahead", ``, []int{10, 12, 14, 16}, []int{10, 14, 16, 18}},
		{"a fall is not, since the most holds", ``, []int{20, 18, 16, 14}, []int{20, 18, 16, 14}},
		{"but by the least", `decision_type: minimum`, []int{20, 18, 16, 14, 16}, []int{20, 16, 14, 12, 14}},
		{"the mean, rounded", `decision_type: mean`, []int{20, 17, 14, 14}, []int{20, 16, 13, 13}},
		{"the median, cut off", `decision_type: median`, []int{20, 17, 14, 14}, []int{20, 15, 12, 12}},
		{"in each second evaluation", `per_sync_period: 2`, []int{10, 12, 14, 16}, []int{10, 14, 14, 18}},
		{"of two and the present one", `history_size: 2`, []int{90, 90, 20, 22, 24}, []int{90, 90, 20, 22, 26}},
	} {
		// 22 is what the line through 90, 20 and 22 falls below.
		o := options[LinearOptions](t, c.text+"\n"+per)
		if got := follow(t, "phpa-linear", o, 10*second, c.want...); !slices.Equal(got, c.got) {
			t.Errorf("%s: metrics want %v: %v, want %v", c.name, c.want, got, c.got)
		}
	}
}

func TestHoltWinters(t *testing.T) {
	season := []int{10, 30, 50, 20, 20, 20, 10, 30, 50, 20, 20, 20, 10, 30, 50, 20, 20, 20, 10, 30, 50, 20, 20, 20}
	// 16 numbers have to be known. From then on, each is what the next one will be, unless it is more itself.
	want := slices.Clone(season)
	for i := 15; i < len(season); i++ {
		want[i] = max(season[i], season[(i+1)%6])
	}
	for _, text := range []string{``, `stored_seasons: 3`, `initialization_method: legacy-heuristic`} {
		if got := follow(t, "phpa-holt-winters", options[HoltWintersOptions](t, text+"\n"+per), 10*second,
			season...); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	// Of 18 numbers, 12 are left where two seasons are stored, and nothing is forecast for a while.
	if got := follow(t, "phpa-holt-winters", options[HoltWintersOptions](t, "stored_seasons: 2\n"+per), 10*second,
		season...); !slices.Equal(got, season) {
		t.Errorf("two seasons: %v, want %v", got, season)
	}
	// What is forecast before is 0.
	least := slices.Repeat([]int{1}, 15)
	got := follow(t, "phpa-holt-winters", options[HoltWintersOptions](t, "decision_type: minimum\n"+per), 10*second,
		season[:15]...)
	if !slices.Equal(got, least) {
		t.Errorf("the least: %v, want %v", got, least)
	}
}

// Whole seasons are forgotten, and as many stay as are stored, beside the one that goes on.
func TestHoltWintersForgetsSeasons(t *testing.T) {
	m := &holtWintersModel{HoltWintersOptions: HoltWintersOptions{StoredSeasons: 2},
		holtWinters: holtWinters{period: 3}}
	for i, want := range []int{1, 2, 3, 4, 5, 6, 7, 8, 6, 7, 8, 6} {
		m.add(0, i)
		if m.forget(); len(m.past) != want || m.past[len(m.past)-1] != float64(i) {
			t.Errorf("after %d numbers: %v, want the last %d", i+1, m.past, want)
		}
	}
}

// The program sorts its history by time, newest first, and adds the present number at the end.
func TestTheReleasedSeries(t *testing.T) {
	y := []float64{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9}
	released := append(slices.Clone(y[:len(y)-1]), 9)
	slices.Reverse(released[:len(y)-1])
	for series, want := range map[string][]float64{"time": y, "released": released} {
		o := HoltWintersOptions{Series: series}
		m := &holtWintersModel{HoltWintersOptions: o, holtWinters: *model3("add", "add", "", 3, [3]float64{.2, .3, .4}),
			past: slices.Clone(y)}
		got, _ := m.expect(0)
		if n, _ := ceil(model3("add", "add", "", 3, [3]float64{.2, .3, .4}).next(want)); got != n {
			t.Errorf("%s: %d, want %d", series, got, n)
		}
	}
}

// Where the model has no number, what the metrics want holds, and is not kept.
func TestASeriesThatCannotBeDivided(t *testing.T) {
	o := options[HoltWintersOptions](t, "{seasonal: mul, seasonal_periods: 2, stored_seasons: 9}")
	m := &holtWintersModel{HoltWintersOptions: o,
		holtWinters: *model3("add", "mul", "", 2, [3]float64{.5, .5, .5})}
	p := &predictive{Options: o.Options, model: m, counts: make([]uint64, len(counters)), passed: 1}
	rule := p.around(func(_ *policy.Snapshot, current int, steps *policy.Steps) (int, bool) {
		return steps.Take(policy.Recommended, current, "wanted"), true
	})
	for range 20 {
		if n, ok := rule(&policy.Snapshot{}, 0, new(policy.Steps)); n != 0 || !ok {
			t.Fatalf("%d, %v, want 0, true", n, ok)
		}
	}
	if len(m.past) != m.least()-1 {
		t.Errorf("%d numbers are kept, want %d", len(m.past), m.least()-1)
	}
}

func TestHoltWintersRefusesSeasonsThatAreNotEnough(t *testing.T) {
	for text, enough := range map[string]bool{
		`{seasonal_periods: 2, stored_seasons: 4}`: false, `{seasonal_periods: 2, stored_seasons: 5}`: true,
		`{seasonal_periods: 24, stored_seasons: 1}`: true, `{seasonal_periods: 7, stored_seasons: 2}`: true,
		`{seasonal_periods: 7, stored_seasons: 1}`: false,
	} {
		_, err := newHoltWinters(options[HoltWintersOptions](t, text), policy.Env{})
		if (err == nil) != enough || err != nil && !strings.HasPrefix(err.Error(), "stored_seasons: ") {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

// What the object beneath asks for is what the plant measures.
func TestMeasures(t *testing.T) {
	for text, want := range map[string]policy.MetricSet{
		`{}`: 0, `{cpu: reported}`: policy.SetOf(policy.CPU),
		`{spec: {metrics: [{type: External, external: {metric: {name: queue},
			target: {type: Value, value: 9}}}]}}`: policy.SetOf(policy.Queue),
	} {
		if got := options[LinearOptions](t, text).Measures(); got.Reported() != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestWhatIsCounted(t *testing.T) {
	p := &predictive{counts: make([]uint64, len(counters))}
	for _, pair := range [][2]int{{3, 2}, {2, 2}, {1, 2}, {4, 2}} {
		p.count(pair[0], pair[1])
	}
	if got := fmt.Sprint(p.counts); got != "[4 2 1]" {
		t.Errorf("%s, want [4 2 1]", got)
	}
}

// BenchmarkHoltWinters is a forecast by four seasons of 60 evaluations and a part of a fifth.
func BenchmarkHoltWinters(b *testing.B) {
	p, err := newHoltWinters(options[HoltWintersOptions](b, "{seasonal_periods: 60, stored_seasons: 4}"), policy.Env{
		Counts: make([]uint64, len(counters))})
	if err != nil {
		b.Fatal(err)
	}
	s := &policy.Snapshot{Current: 1000, Wanted: 1000, Max: 2000, Limit: 10e6, Window: second, Measured: true}
	for k := range s.Current {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready})
	}
	var steps policy.Steps
	next := func() {
		s.Now += second
		for k := range s.Instances {
			s.Instances[k].Rate = telemetry.Rate{Tx: 1e6 * float64(5+s.Now/second%60/10), Known: true, Sampled: s.Now}
		}
		steps = steps[:0]
		p.Evaluate(s, &steps)
	}
	for range 300 {
		next()
	}
	b.ResetTimer()
	for range b.N {
		next()
	}
}
