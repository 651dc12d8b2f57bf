package aws

import (
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
	} {
		scalingtest.Run(t, *row("aws-target-tracking"), defaults(edit))
	}
	for _, edit := range []func(*StepOptions){
		nil,
		func(o *StepOptions) { o.Period, o.HighPeriods, o.LowPeriods, o.Cooldown = second, 1, 1, 3*second },
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
