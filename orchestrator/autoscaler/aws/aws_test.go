package aws

import (
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

func row(name string) *policy.ScalerRow { return policy.Table[policy.ScalerRow](Scalers).Find(name) }

// defaults are options with the defaults of their tags.
func defaults[O any](edit func(*O)) (o O) {
	strictyaml.Defaults(&o)
	if edit != nil {
		edit(&o)
	}
	return o
}

const second = units.Second

func TestConformance(t *testing.T) {
	for _, edit := range []func(*TrackingOptions){
		nil,
		func(o *TrackingOptions) { o.Period, o.OutPeriods, o.InPeriods = second, 1, 2 },
		func(o *TrackingOptions) {
			o.Period, o.OutPeriods, o.InPeriods, o.OutCooldown, o.InCooldown = 2*second, 1, 1, 3*second, 0
			o.Metric, o.InBelow = "processed", 0
		},
		func(o *TrackingOptions) {
			o.Period, o.OutPeriods, o.InPeriods, o.OutCooldown, o.InCooldown = second, 1, 1, 0, 0
			o.Metric = "cpu"
		},
	} {
		scalingtest.Run(t, *row("aws-target-tracking"), defaults(edit))
	}
	for _, edit := range []func(*StepOptions){
		nil,
		func(o *StepOptions) { o.Period, o.HighPeriods, o.LowPeriods, o.Cooldown = second, 1, 1, 3*second },
		func(o *StepOptions) {
			o.Period, o.HighPeriods, o.LowPeriods, o.Metric, o.Full = second, 1, 1, "queue", 512
		},
		func(o *StepOptions) {
			o.Period, o.HighPeriods, o.LowPeriods, o.Cooldown, o.Adjustment = second, 1, 2, 0, "exact"
			o.HighSteps, o.LowSteps = []step{{.1, 1e6}, {.2, -4}}, []step{{0, 0}, {.3, 2}}
		},
		func(o *StepOptions) {
			o.Period, o.HighPeriods, o.LowPeriods, o.Adjustment = second, 1, 1, "change"
			o.HighSteps, o.LowSteps, o.Low = []step{{0, 2}}, []step{{0, -1}}, .2
		},
	} {
		scalingtest.Run(t, *row("aws-step"), defaults(edit))
	}
}

// The examples of the EC2 Auto Scaling User Guide, step and simple scaling policies: 12.7 is 12, 0.67 is 1, -0.58 is -1
// and -6.67 is -6; and of the API reference: 25 percent of 4 are 1, and 2 with a least change of 2.
func TestPercent(t *testing.T) {
	for _, c := range []struct{ count, by, least, want int }{
		{127, 10, 0, 12}, {67, 1, 0, 1}, {58, -1, 0, -1}, {667, -1, 0, -6},
		{10, 10, 0, 1}, {11, 30, 0, 3}, {14, -10, 0, -1},
		{4, 25, 0, 1}, {4, 25, 2, 2}, {4, -25, 2, -2}, {100, 25, 2, 25},
		{0, 30, 2, 0}, {10, 0, 2, 0},
	} {
		if got := percent(c.count, c.by, c.least); got != c.want {
			t.Errorf("%d percent of %d, %d at least: %d, want %d", c.by, c.count, c.least, got, c.want)
		}
	}
}

// loaded is what is known of so many ready instances, each with the same share of the limit.
func loaded(now units.Time, ready int, share float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: now, Current: ready, Wanted: ready, Max: 50, Limit: 100,
		Measured: true, LastScaling: units.Never, LastScaleOut: units.Never}
	for k := range ready {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: share * 100, Tx: share * 50, Known: true, Sampled: s.Now}})
	}
	return s
}

// minutes evaluates every ten seconds. Each instance has these shares of the limit in the minutes; it returns the
// number at the end of each minute, and carries it out at once.
func minutes(t *testing.T, name string, options any, from int, shares ...float64) (got []int) {
	t.Helper()
	p, err := row(name).New(options, policy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for minute, share := range shares {
		for i := range units.Time(6) {
			now := units.Time(minute)*60*second + (i+1)*10*second
			n := p.Evaluate(loaded(now, from, share), new(policy.Steps)).Desired
			if i < 5 && n != from {
				t.Errorf("%s: %d instead of %d at %v, within a minute", name, n, from, now)
			}
			from = n
		}
		got = append(got, from)
	}
	return got
}

func TestTargetTracking(t *testing.T) {
	fast := func(o *TrackingOptions) { o.OutPeriods, o.InPeriods = 1, 1 }
	low := slices.Repeat([]float64{.44}, 16)
	stays := slices.Repeat([]int{10}, 14)
	for _, c := range []struct {
		name   string
		edit   func(*TrackingOptions)
		from   int
		shares []float64
		want   []int
	}{
		{"the third minute above the target", nil, 4, []float64{.6, .6, .6}, []int{4, 4, 5}},
		{"by the last of them", nil, 4, []float64{.6, .6, 1.6}, []int{4, 4, 13}},
		{"one minute on it", nil, 4, []float64{.6, .5, .6, .6, .6}, []int{4, 4, 4, 4, 5}},
		{"the fifteenth minute below nine tenths of it", nil, 10, low, append(slices.Clone(stays), 9, 9)},
		{"nine tenths of it are not below", fast, 10, []float64{.45}, []int{10}},
		{"a whole number of targets", fast, 10, []float64{.55, .4}, []int{11, 9}},
		{"by what came back", func(o *TrackingOptions) {
			fast(o)
			o.Metric = "processed"
		}, 4, []float64{.8}, []int{4}},
		{"in a cool-down of five minutes", fast, 4, []float64{.6, .6, .6, .6, .6, .6}, []int{5, 5, 5, 5, 5, 6}},
		{"a larger scale-out in it", fast, 4, []float64{.6, .8, .7, .6, .6, .6, .6}, []int{5, 7, 7, 7, 7, 7, 9}},
		{"a scale-in does not wait for a scale-out", fast, 4, []float64{.6, .2}, []int{5, 2}},
		{"a scale-in waits for one", fast, 8, []float64{.4, .4, .4, .4, .4, .4}, []int{7, 7, 7, 7, 7, 6}},
		{"a scale-out does not", fast, 8, []float64{.4, .6}, []int{7, 9}},
		{"and ends its cool-down", fast, 8, []float64{.4, .6, .4}, []int{7, 9, 8}},
		{"a target of one's own", func(o *TrackingOptions) {
			fast(o)
			o.Target = .8
		}, 4, []float64{.7, 1.2}, []int{4, 6}},
	} {
		if got := minutes(t, "aws-target-tracking", defaults(c.edit), c.from, c.shares...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestStep(t *testing.T) {
	fast := func(o *StepOptions) { o.HighPeriods, o.LowPeriods, o.Cooldown = 1, 1, 0 }
	adding := func(o *StepOptions) {
		fast(o)
		o.Adjustment, o.HighSteps, o.LowSteps = "change", []step{{0, 2}, {.2, 3}}, []step{{.1, -1}}
	}
	cooling := func(o *StepOptions) {
		adding(o)
		o.Cooldown = 300 * second
	}
	for _, c := range []struct {
		name   string
		edit   func(*StepOptions)
		from   int
		shares []float64
		want   []int
	}{
		// The user guide: 10 instances at 60 % are 11, at 70 % 14, at 40 % 13.
		{"the example of the guide", fast, 10, []float64{.6, .7, .4}, []int{11, 14, 13}},
		{"near the threshold", fast, 10, []float64{.5, .59, .41}, []int{10, 10, 10}},
		{"the second minute", nil, 10, []float64{.6, .6}, []int{10, 11}},
		{"of a row", nil, 10, []float64{.7, .4, .7, .7}, []int{10, 10, 10, 13}},
		{"from the distance on", adding, 4, []float64{.5, .69, .7}, []int{6, 8, 11}},
		{"no step up to a distance", adding, 4, []float64{.41, .4, .41}, []int{4, 3, 3}},
		{"on the low threshold, and above it", func(o *StepOptions) {
			adding(o)
			o.Low, o.LowSteps = .4, []step{{0, -1}}
		}, 4, []float64{.4, .41}, []int{3, 3}},
		// The API reference: of an increase of 3 after one of 2, in a cool-down, 1 is added.
		{"a larger one in a cool-down", cooling, 4, []float64{.6, .6, .7, .7, .3}, []int{6, 6, 7, 7, 6}},
		{"one down waits for one down", cooling, 4, []float64{.3, .3, .3, .3, .3, .3}, []int{3, 3, 3, 3, 3, 2}},
		{"the new number", func(o *StepOptions) {
			fast(o)
			o.Adjustment, o.HighSteps = "exact", []step{{.1, 7}}
		}, 4, []float64{.55, .6, .9}, []int{4, 7, 7}},
	} {
		if got := minutes(t, "aws-step", defaults(c.edit), c.from, c.shares...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// A replacement of an instance that failed begins no cool-down, and missing counters no scale-in.
func TestFailures(t *testing.T) {
	p, _ := row("aws-target-tracking").New(defaults(func(o *TrackingOptions) {
		o.Period, o.OutPeriods, o.InPeriods = second, 1, 1
	}), policy.Env{})
	failed, missing := loaded(second, 3, .5), loaded(3*second, 6, .1)
	failed.Wanted = 4
	missing.Instances[0].Rate.Stale = true
	var got []int
	for _, s := range []*policy.Snapshot{failed, loaded(2*second, 4, .75), missing, loaded(4*second, 6, .1)} {
		got = append(got, p.Evaluate(s, new(policy.Steps)).Desired)
	}
	if want := []int{4, 6, 6, 2}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPeriods(t *testing.T) {
	p := newPeriods(10*second, 2)
	for _, c := range []struct {
		at    units.Time
		value float64
		ended bool
		means []float64
	}{
		{4, 1, false, nil}, {8, 2, false, nil}, {10, 6, true, []float64{3}}, // the end is part of it
		{11, 5, false, []float64{3}}, {22, 7, true, []float64{3, 5}}, // one without values is left out
		{45, 9, true, []float64{5, 7}}, {50, 0, true, []float64{7, 4.5}},
	} {
		if ended := p.add(c.at*second, c.value); ended != c.ended || !slices.Equal(p.means, c.means) {
			t.Errorf("%d s: ended %v, means %v, want %v, %v", c.at, ended, p.means, c.ended, c.means)
		}
	}
}

func TestRefusesStepsOutOfOrder(t *testing.T) {
	_, err := newStep(defaults(func(o *StepOptions) { o.LowSteps = []step{{.2, -1}, {.1, -2}} }), policy.Env{})
	if err == nil || !strings.Contains(err.Error(), "low_steps: 1: beyond: 0.1: want more than the 0.2 before it") {
		t.Errorf("error %v", err)
	}
}

func TestConformanceOfPredictive(t *testing.T) {
	short := func(o *PredictiveOptions) {
		o.Period, o.OutPeriods, o.InPeriods, o.OutCooldown, o.InCooldown = second, 1, 1, 3*second, 4*second
		o.Mode, o.Buffer, o.Hour, o.Day, o.Week, o.Least, o.History, o.Horizon, o.Refresh = "forecast-and-scale",
			second, 2*second, 6*second, 12*second, 4*second, 24*second, 8*second, 5*second
	}
	for _, edit := range []func(*PredictiveOptions){
		nil, short,
		func(o *PredictiveOptions) {
			short(o)
			o.MaxCapacity, o.Breach, o.MaxBuffer, o.Hour, o.Day, o.Buffer = 4, "increase", 20, second, 3*second, 0
		},
		func(o *PredictiveOptions) {
			short(o)
			o.Metric, o.Full = "memory", 1<<29
		},
	} {
		scalingtest.Run(t, *row("aws-predictive"), defaults(edit))
	}
}

// The API reference, MaxCapacityBuffer: of a forecast of 50 and a most of 40, a buffer of 10 makes 55.
func TestMaxCapacityOfAForecast(t *testing.T) {
	for _, c := range []struct {
		breach                      string
		most, buffer, expected, max int
	}{
		{"increase", 40, 10, 50, 55}, {"increase", 40, 0, 50, 50}, {"increase", 40, 10, 40, 40},
		{"increase", 40, 10, 30, 40}, {"honor", 40, 10, 50, 40}, {"increase", 40, 10, 51, 57},
	} {
		o := PredictiveOptions{MaxCapacity: c.most, Breach: c.breach, MaxBuffer: c.buffer, Mode: "forecast-and-scale"}
		p := predictive{PredictiveOptions: o, increased: c.most}
		if got := p.most(c.expected); got != c.max {
			t.Errorf("%+v: %d", c, got)
		}
		for _, less := range []int{1, 45} { // what was increased stays
			if got := p.most(less); c.expected > less && got != c.max {
				t.Errorf("%+v: %d when %d are forecast", c, got, less)
			}
		}
	}
}

// hours makes a policy with hours of 10 s, days of 4 of them and weeks of 3 days, and evaluates each 5 s with so much
// load of the limit of an instance in each hour. It returns the number at the beginning and in the middle of each.
func hours(t *testing.T, from int, edit func(*PredictiveOptions), loads ...float64) (got []int, counts []uint64) {
	t.Helper()
	counts = make([]uint64, len(row("aws-predictive").Counters))
	p, err := newPredictive(defaults(func(o *PredictiveOptions) {
		o.Hour, o.Day, o.Week, o.Least, o.History = 10*second, 40*second, 120*second, 40*second, 240*second
		o.Horizon, o.Refresh, o.Buffer, o.Target = 60*second, 20*second, 0, 1
		o.Mode, o.OutPeriods, o.InPeriods = "forecast-and-scale", 1000, 1000
		if edit != nil {
			edit(o)
		}
	}), policy.Env{Counts: counts})
	if err != nil {
		t.Fatal(err)
	}
	for h, load := range loads {
		for i := range units.Time(2) {
			s := loaded((units.Time(h)*2+i)*5*second, from, load/float64(from))
			from = p.Evaluate(s, new(policy.Steps)).Desired
			got = append(got, from)
		}
	}
	return got, counts
}

func TestPredictive(t *testing.T) {
	day := []float64{1, 5, 3, 1}
	days := append(append(slices.Clone(day), day...), 1)
	for _, c := range []struct {
		name  string
		edit  func(*PredictiveOptions)
		loads []float64
		want  []int // at the beginning and in the middle of each hour
	}{
		{"the second day is like the first, and nothing scales in", nil, days,
			[]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5}},
		{"before it begins", func(o *PredictiveOptions) { o.Buffer = 5 * second }, days,
			[]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5, 5}},
		{"not while it is only forecast", func(o *PredictiveOptions) { o.Mode = "forecast-only" }, days,
			slices.Repeat([]int{1}, 18)},
		{"what is known is too little", func(o *PredictiveOptions) { o.Least = 100 * second }, days,
			slices.Repeat([]int{1}, 18)},
		{"with a target of half the limit", func(o *PredictiveOptions) { o.Target = .5 }, days,
			[]int{1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 10, 10, 10, 10, 10, 10, 10, 10}},
		{"the most is honored", func(o *PredictiveOptions) { o.MaxCapacity = 3 }, days,
			[]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3, 3, 3, 3, 3, 3, 3}},
		{"or increased", func(o *PredictiveOptions) { o.MaxCapacity, o.Breach = 3, "increase" }, days,
			[]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 5, 5, 5, 5, 5, 5, 5, 5}},
	} {
		if got, _ := hours(t, 1, c.edit, c.loads...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The alarms scale in, as far as the forecast allows, and out beyond it. Their cool-downs begin with what they do.
func TestPredictiveLeavesTheRestToTheAlarms(t *testing.T) {
	fast := func(o *PredictiveOptions) {
		o.Period, o.OutPeriods, o.InPeriods, o.OutCooldown, o.InCooldown = 5*second, 1, 1, 0, 30*second
	}
	got, counts := hours(t, 1, fast, 1, 5, 3, 1, 1, 2, 2, 1, 9, 1)
	// The alarms act at the end of the period in which the load changes, and not again within 30 s of a scale-in.
	want := []int{1, 1, 5, 5, 3, 3, 3, 3, 3, 3, 5, 5, 3, 3, 3, 3, 9, 9, 3, 3}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if counts[forecasts] != 3 || counts[raised] == 0 {
		t.Errorf("counts %v", counts)
	}
}

// The forecast is the mean of the same hours of the weeks before, or else of the days, each of half the weight of the
// one that follows it; looked up here one after the other.
func TestForecast(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 500 {
		p := predictive{seasons: [2]int64{6, 2}, now: int64(20 + rnd.IntN(5))}
		for range rnd.IntN(16) {
			load := math.Round(rnd.Float64() * 100)
			if rnd.IntN(4) == 0 {
				load = math.NaN()
			}
			p.past = append(p.past, load)
		}
		hour := p.now + int64(rnd.IntN(9))
		want := 0.0
		for _, season := range []int{2, 6} { // the latter counts, where anything is known
			var known []float64
			for i := len(p.past) - 1; i >= 0; i-- {
				h := p.now - int64(len(p.past)-i)
				if (hour-h)%int64(season) == 0 && !math.IsNaN(p.past[i]) {
					known = append(known, p.past[i])
				}
			}
			sum, weights := 0.0, 0.0
			for k, load := range known {
				sum, weights = sum+load*math.Exp2(-float64(k)), weights+math.Exp2(-float64(k))
			}
			if len(known) > 0 {
				want = sum / weights
			}
		}
		if got := p.forecast(hour); math.Abs(got-want) > 1e-9 {
			t.Fatalf("%v before %d, hour %d: %v, want %v", p.past, p.now, hour, got, want)
		}
	}
}

func TestPredictiveRefusesTimesThatDoNotFit(t *testing.T) {
	for want, edit := range map[string]func(*PredictiveOptions){
		"day: 5400s: want whole hours": func(o *PredictiveOptions) { o.Day = 90 * 60 * second },
		"week: 2s: want from 1 to":     func(o *PredictiveOptions) { o.Week = 2 * second },
		"scheduling_buffer_time: ":     func(o *PredictiveOptions) { o.Buffer = 3600 * second },
		"least_history: ":              func(o *PredictiveOptions) { o.History = 23 * 3600 * second },
	} {
		if _, err := newPredictive(defaults(edit), policy.Env{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// reported are instances whose agents report a use of a processor; NaN where a report is missing, or none was made yet.
func reported(now units.Time, uses ...float64) *policy.Snapshot {
	s := loaded(now, len(uses), 0)
	s.Measured = false // no counter is asked for
	for k, use := range uses {
		s.Instances[k].Rate = telemetry.Rate{}
		s.Instances[k].Usage = telemetry.Usage{CPU: use, Known: true, Stale: math.IsNaN(use), Sampled: s.Now}
	}
	return s
}

// The user guide on target tracking: "If the metric is missing data points, this causes the CloudWatch alarm state to
// change to INSUFFICIENT_DATA", in which nothing is scaled until there are new ones. The mean of a period is over the
// tasks that reported.
func TestWhatAgentsReport(t *testing.T) {
	none := math.NaN()
	for _, c := range []struct {
		name string
		uses [][]float64 // of the instances, evaluation by evaluation, in periods of one evaluation
		want []int
	}{
		{"above and below the target", [][]float64{{1, 1}, {.2, .2, .2, .2}}, []int{4, 2}},
		{"over those that report", [][]float64{{1, none}}, []int{4}},
		{"also where that scales in", [][]float64{{.2, none}}, []int{1}},
		{"nothing is reported", [][]float64{{none, none}, {none, none}}, []int{2, 2}},
		{"after a while without reports", [][]float64{{.5, .5}, {none, none}, {1, 1}}, []int{2, 2, 4}},
	} {
		p, err := row("aws-target-tracking").New(defaults(func(o *TrackingOptions) {
			o.Period, o.OutPeriods, o.InPeriods, o.OutCooldown, o.InCooldown, o.Metric = second, 1, 1, 0, 0, "cpu"
		}), policy.Env{})
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for k, uses := range c.uses {
			got = append(got, p.Evaluate(reported(units.Time(k+1)*second, uses...), new(policy.Steps)).Desired)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	// Of two periods in a row, one without reports between them counts as none.
	p, _ := row("aws-step").New(defaults(func(o *StepOptions) {
		o.Period, o.HighPeriods, o.Cooldown, o.Metric = 2*second, 2, 0, "cpu"
		o.Adjustment, o.HighSteps = "change", []step{{0, 1}}
	}), policy.Env{})
	var got []int
	for k, use := range []float64{.9, .9, none, none, .9, none, none} {
		got = append(got, p.Evaluate(reported(units.Time(k+1)*second, use), new(policy.Steps)).Desired)
	}
	if want := []int{1, 1, 1, 1, 1, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("two periods, and one without reports between: %v, want %v", got, want)
	}
	if _, err := newTracking(defaults(func(o *TrackingOptions) { o.Full = 5 }), policy.Env{}); err == nil ||
		!strings.Contains(err.Error(), "full: 5: want metric: memory or queue") {
		t.Errorf("error %v", err)
	}
}
