package nomad

import (
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// defaults are options with the defaults of their tags.
func defaults[O any](edit func(*O)) O {
	var o O
	strictyaml.Defaults(&o)
	if edit != nil {
		edit(&o)
	}
	return o
}

func TestConformance(t *testing.T) {
	for row, options := range map[*policy.ScalerRow][]any{
		&targetValueRow: {
			defaults[targetValue](nil),
			defaults(func(o *targetValue) { o.Metric, o.Target, o.Pause = "processed", 0, Pause{} }),
			defaults(func(o *targetValue) { o.MaxUp, o.MaxDown, o.Pause = 1, 2, Pause{Up: units.Second} }),
			defaults(func(o *targetValue) { o.Metric, o.Pause = "cpu", Pause{} }),
		},
		&thresholdRow: {
			defaults[thresholdOptions](nil),
			defaults(func(o *thresholdOptions) { o.Metric, o.Full, o.Pause = "memory", 1<<29, Pause{} }),
			defaults(func(o *thresholdOptions) {
				o.Window, o.Pause = 2*units.Second, Pause{Cooldown: units.Second}
				o.Checks = []check{
					{Lower: .5, Action: "percentage", By: 50}, {Upper: .4, Action: "value", By: 2, Group: "a"},
					{Upper: .4, Action: "delta", By: -9, Trigger: 1, Group: "a"},
				}
			}),
		},
		&passThroughRow: {
			defaults[passThrough](nil),
			defaults(func(o *passThrough) { o.Unit, o.MaxUp, o.Pause = 7, 3, Pause{} }),
			defaults(func(o *passThrough) { o.Metric, o.Full, o.Pause = "queue", 100, Pause{} }),
		},
		&fixedValueRow: {
			defaults[fixedValue](nil),
			defaults(func(o *fixedValue) { o.Value, o.Pause = 7, Pause{units.Second, 2 * units.Second} }),
		},
	} {
		for _, o := range options {
			scalingtest.Run(t, *row, o)
		}
	}
}

// The vectors of the plugin's own tests. None keeps the count.
func TestTargetValueAsUpstreamTestsIt(t *testing.T) {
	for _, v := range policytest.Vectors(t, "nomad-autoscaler", "target-value") {
		in := struct {
			Count          int
			Metric, Target float64
			Threshold      float64 `yaml:"thr"`
			MaxUp          int     `yaml:"up"`
			MaxDown        int     `yaml:"down"`
		}{Threshold: .01}
		if err := v.In.Decode(&in); err != nil {
			t.Fatal(err)
		}
		want := in.Count
		if v.Out.Tag != "!!null" {
			want = policytest.Decode[int](t, &v.Out)
		}
		o := targetValue{Target: in.Target, Threshold: in.Threshold, Bounds: Bounds{in.MaxUp, in.MaxDown}}
		if a := o.run(in.Metric, in.Count); a.count != want {
			t.Errorf("%s: %d (%s), want %d", v.ID, a.count, a.reason, want)
		}
	}
}

func TestThresholdAsUpstreamTestsIt(t *testing.T) {
	for _, v := range policytest.Vectors(t, "nomad-autoscaler", "threshold") {
		var in struct {
			Count                    int
			Delta, Percentage, Value *float64
		}
		if err := v.In.Decode(&in); err != nil {
			t.Fatal(err)
		}
		c := check{Trigger: 5}
		for action, by := range map[string]*float64{
			"delta": in.Delta, "percentage": in.Percentage, "value": in.Value,
		} {
			if by != nil {
				c.Action, c.By = action, *by
			}
		}
		want := in.Count
		if v.Out.Tag != "!!null" {
			want = policytest.Decode[int](t, &v.Out)
		}
		if a := c.run([]float64{1, 2, 3, 4, 5}, in.Count); a.count != want {
			t.Errorf("%s: %d (%s), want %d", v.ID, a.count, a.reason, want)
		}
	}
}

// What the running plugins did.
func TestAsThePluginsRan(t *testing.T) {
	type observed struct {
		ID, Strategy string
		Config       struct {
			Target     float64
			Threshold  *float64
			MaxUp      int     `yaml:"max_scale_up"`
			MaxDown    int     `yaml:"max_scale_down"`
			Lower      float64 `yaml:"lower_bound"`
			Upper      float64 `yaml:"upper_bound"`
			Trigger    *int    `yaml:"within_bounds_trigger"`
			Delta      *float64
			Percentage *float64
			Value      *float64
		}
		Count  int
		Values []float64
		Out    []any
	}
	for _, c := range policytest.Observed[observed](t, "nomad", "target-value and threshold strategies") {
		want := c.Count
		if c.Out[0] != "none" {
			want = c.Out[1].(int)
		}
		var a action
		switch c.Strategy {
		case "target-value":
			o := targetValue{Target: c.Config.Target, Threshold: .01, Bounds: Bounds{c.Config.MaxUp, c.Config.MaxDown}}
			if c.Config.Threshold != nil {
				o.Threshold = *c.Config.Threshold
			}
			a = o.run(c.Values[len(c.Values)-1], c.Count)
		case "threshold":
			o := check{Lower: c.Config.Lower, Upper: c.Config.Upper, Trigger: 5}
			if c.Config.Trigger != nil {
				o.Trigger = *c.Config.Trigger
			}
			for action, by := range map[string]*float64{
				"delta": c.Config.Delta, "percentage": c.Config.Percentage, "value": c.Config.Value,
			} {
				if by != nil {
					o.Action, o.By = action, *by
				}
			}
			a = o.run(c.Values, c.Count)
		default:
			t.Fatalf("%s: strategy %q", c.ID, c.Strategy)
		}
		if a.count != want {
			t.Errorf("%s: %d (%s), want %d", c.ID, a.count, a.reason, want)
		}
	}
}

// ready is what is known of ready instances with these loads, of a limit of 100 packets a second.
func ready(second int, loads ...float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: units.Time(second) * units.Second, Current: len(loads), Wanted: len(loads), Max: 20,
		Limit: 100, Measured: true, LastScaling: units.Never, LastScaleOut: units.Never}
	for k, l := range loads {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: l, Tx: l / 2, Known: true, Sampled: s.Now}})
	}
	return s
}

func edited(s *policy.Snapshot, edit func(*policy.Snapshot)) *policy.Snapshot {
	edit(s)
	return s
}

// run evaluates snapshots one after the other and returns the numbers proposed.
func run(t *testing.T, row *policy.ScalerRow, options any, snapshots ...*policy.Snapshot) (got []int) {
	t.Helper()
	p, err := row.New(options, policy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range snapshots {
		got = append(got, p.Evaluate(s, new(policy.Steps)).Desired)
	}
	return got
}

func want(t *testing.T, name string, got []int, want ...int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %v, want %v", name, got, want)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: %v, want %v", name, got, want)
			return
		}
	}
}

func TestPassThrough(t *testing.T) {
	for _, c := range []struct {
		metric   float64
		count    int
		up, down int
		want     int
	}{
		{4.9, 4, 0, 0, 4}, {4.9, 3, 0, 0, 4}, {4.9, 5, 0, 0, 4}, {0, 5, 0, 0, 0}, {.9, 0, 0, 0, 0},
		{9, 3, 2, 0, 5}, {9, 3, 0, 2, 9}, {1, 6, 2, 3, 3}, {1, 6, 2, 0, 1},
	} {
		o := passThrough{Bounds: Bounds{c.up, c.down}}
		if a := o.run(c.metric, c.count); a.count != c.want {
			t.Errorf("%v at %d, bounds %d and %d: %d, want %d", c.metric, c.count, c.up, c.down, a.count, c.want)
		}
	}
	free := func(o *passThrough) { o.Pause = Pause{} }
	want(t, "load over the limit", run(t, &passThroughRow, defaults(free), ready(1, 150, 160, 40)), 3)
	want(t, "load over a unit of its own", run(t, &passThroughRow, defaults(func(o *passThrough) {
		free(o)
		o.Unit = 50
	}), ready(1, 150, 160, 40)), 7)
}

func TestTheMetricIsTheMeanOverReadyInstances(t *testing.T) {
	o := defaults(func(o *targetValue) { o.Pause = Pause{} })
	joins := func(state policy.State, load float64) func(*policy.Snapshot) {
		return func(s *policy.Snapshot) {
			s.Instances = append(s.Instances, policy.Instance{ID: 99, State: state, Rate: telemetry.Rate{Rx: load}})
			if state != policy.Draining {
				s.Current++
				s.Wanted++
			}
		}
	}
	processed := o
	processed.Metric = "processed"
	for _, c := range []struct {
		name    string
		options targetValue
		s       *policy.Snapshot
		want    int
	}{
		{"twice the target", o, ready(1, 120, 80), 4},
		{"by what came back", processed, ready(1, 120, 80), 2},
		{"at the edge of the band", o, ready(1, 50.5, 50.5), 2},
		{"an instance that starts is in the count, and not in the mean", o,
			edited(ready(1, 100, 100), joins(policy.Starting, 0)), 6},
		{"what drains is load", o, edited(ready(1, 50, 50), joins(policy.Draining, 50)), 3},
		{"held flows are load", o, edited(ready(1, 50, 50), func(s *policy.Snapshot) { s.HeldLoad = 50 }), 3},
		{"nothing is there, and nothing wants in", o, ready(1), 0},
		{"nothing is there, and flows are held", o,
			edited(ready(1), func(s *policy.Snapshot) { s.Held, s.HeldLoad = 1, 220 }), 5},
		{"nothing is there or measured, and flows are held", o, edited(ready(1), func(s *policy.Snapshot) {
			s.Held, s.Measured = 1, false
		}), 1},
		{"a failed instance is replaced", o, edited(ready(1, 50, 50), func(s *policy.Snapshot) { s.Wanted = 3 }), 3},
		{"counters are missing", o, edited(ready(1, 10, 10), func(s *policy.Snapshot) {
			s.Instances[0].Rate.Stale = true
		}), 2},
		{"the bounds", o, edited(ready(1, 900, 900), func(s *policy.Snapshot) { s.Max = 7 }), 7},
	} {
		want(t, c.name, run(t, &targetValueRow, c.options, c.s), c.want)
	}
}

// A cool-down is that of the direction of the last scaling, and holds at its very end.
func TestCooldown(t *testing.T) {
	o := defaults(func(o *targetValue) { o.Pause = Pause{10 * units.Second, 5 * units.Second} })
	hot, cold := []float64{100, 100}, []float64{10, 10, 10, 10}
	want(t, "after a scale-out", run(t, &targetValueRow, o,
		ready(0, hot...), ready(4, cold...), ready(5, cold...), ready(6, cold...)), 4, 4, 4, 1)
	want(t, "after a scale-in", run(t, &targetValueRow, o,
		ready(0, cold...), ready(6, hot...), ready(10, hot...), ready(11, hot...)), 1, 2, 2, 4)
	want(t, "no change begins none", run(t, &targetValueRow, o,
		ready(0, 50, 50), ready(1, hot...)), 2, 4)
	want(t, "the bounds hold in it", run(t, &targetValueRow, o,
		ready(0, hot...), edited(ready(1, hot...), func(s *policy.Snapshot) { s.Min = 3 })), 4, 3)
	want(t, "a replacement begins none", run(t, &targetValueRow, o,
		edited(ready(0, 50, 50), func(s *policy.Snapshot) { s.Wanted = 3 }), ready(1, hot...)), 3, 4)
}

func TestChecksOfAThreshold(t *testing.T) {
	up := func(group string) check { return check{Lower: .7, Action: "delta", By: 2, Trigger: 1, Group: group} }
	down := func(group string) check { return check{Upper: .3, Action: "delta", By: -1, Trigger: 1, Group: group} }
	for _, c := range []struct {
		name   string
		checks []check
		load   float64
		want   int
	}{
		{"out", []check{down(""), up("")}, 90, 5},
		{"none beats in", []check{down(""), up("")}, 10, 3},
		{"in one group, in beats none", []check{down("a"), up("a")}, 10, 2},
		{"in one group, all want none", []check{down("a"), up("a")}, 50, 3},
		{"in two groups, none beats in", []check{down("a"), up("b")}, 10, 3},
		{"two out: the greater", []check{up(""), {Lower: .8, Action: "value", By: 9, Trigger: 1}}, 90, 9},
		{"two in: the greater", []check{down("a"), {Upper: .2, Action: "value", By: 1, Trigger: 1, Group: "a"}}, 10, 2},
		{"out, but for the bounds: none, which a group passes over",
			[]check{{Upper: .3, Action: "value", By: 99, Trigger: 1, Group: "a"}, down("a")}, 10, 2},
	} {
		o := defaults(func(o *thresholdOptions) { o.Pause, o.Checks = Pause{}, c.checks })
		s := ready(1, c.load, c.load, c.load)
		if strings.HasPrefix(c.name, "out, but") {
			s.Max = 3
		}
		want(t, c.name, run(t, &thresholdRow, o, s), c.want)
	}
}

// Each reading of the counters is one point, however often it is looked at, and for no longer than the window.
func TestPointsOfAThreshold(t *testing.T) {
	o := defaults(func(o *thresholdOptions) { o.Pause, o.Window = Pause{}, 5*units.Second })
	sampled := func(second, at int, loads ...float64) *policy.Snapshot {
		return edited(ready(at, loads...), func(s *policy.Snapshot) { s.Now = units.Time(second) * units.Second })
	}
	var once []*policy.Snapshot
	for second := range 8 {
		once = append(once, sampled(second, 0, 90, 90))
	}
	want(t, "one reading, eight times", run(t, &thresholdRow, o, once...), 2, 2, 2, 2, 2, 2, 2, 2)
	soon := o
	soon.Checks = []check{{Lower: .7, Action: "delta", By: 1, Trigger: 1}}
	want(t, "one reading, until it is older than the window", run(t, &thresholdRow, soon,
		sampled(1, 1, 90, 90), sampled(6, 1, 90, 90), sampled(7, 1, 90, 90)), 3, 3, 2)
	var each []*policy.Snapshot
	for second := range 6 {
		each = append(each, ready(second, 90, 90))
	}
	want(t, "the fifth reading", run(t, &thresholdRow, o, each...), 2, 2, 2, 2, 3, 3)
	// At 9 s, the readings of 4 s on are in the window: two are high, one is between, three are low.
	mixed := append(each, ready(6, 50, 50), ready(7, 10, 10), ready(8, 10, 10), ready(9, 10, 10), ready(10, 10, 10),
		ready(11, 10, 10), ready(12, 10, 10))
	want(t, "down again", run(t, &thresholdRow, o, mixed...), 2, 2, 2, 2, 3, 3, 3, 2, 2, 2, 2, 1, 1)
}

func TestThresholdRefusesFractionsOfInstances(t *testing.T) {
	o := defaults(func(o *thresholdOptions) {
		o.Checks = []check{{Action: "percentage", By: .5}, {Action: "value", By: .5}}
	})
	_, err := thresholdRow.New(o, policy.Env{})
	if err == nil || !strings.Contains(err.Error(), "checks: 1: by: 0.5: want a whole number") {
		t.Errorf("error %v", err)
	}
}

func TestFixedValue(t *testing.T) {
	o := defaults(func(o *fixedValue) { o.Value = 6 })
	want(t, "at once, measured or not", run(t, &fixedValueRow, o,
		edited(ready(0, 1, 1), func(s *policy.Snapshot) { s.Measured = false })), 6)
	want(t, "within the bounds", run(t, &fixedValueRow, o,
		edited(ready(0, 1, 1), func(s *policy.Snapshot) { s.Max = 4 })), 4)
}

// reported are ready instances that use so much of a processor, with that many packets in their queues.
func reported(second int, uses ...float64) *policy.Snapshot {
	s := ready(second, uses...)
	s.Measured = false // no counter is asked for
	for k, use := range uses {
		i := &s.Instances[k]
		i.Rate = telemetry.Rate{}
		i.Usage = telemetry.Usage{CPU: use, Queue: 100 * use, Known: true, Sampled: s.Now}
	}
	return s
}

// plugins/builtin/apm/nomad/plugin/job.go: where the statistics of one allocation cannot be had, there is no metric,
// and policy/check.go then ends the evaluation, in either direction.
func TestWhatAgentsReport(t *testing.T) {
	o := defaults(func(o *targetValue) { o.Metric, o.Pause = "cpu", Pause{} })
	stale := func(s *policy.Snapshot) { s.Instances[0].Usage.Stale = true }
	for _, c := range []struct {
		name string
		s    *policy.Snapshot
		want int
	}{
		{"twice the target", reported(1, 1.2, .8), 4},
		{"half of it", reported(1, .2, .3), 1},
		{"a report is missing, and the others want more", edited(reported(1, 1, 1), stale), 2},
		{"a report is missing, and the others want fewer", edited(reported(1, .1, .1), stale), 2},
		{"an instance has not reported yet", edited(reported(1, .5, 1), func(s *policy.Snapshot) {
			s.Instances[0].Usage = telemetry.Usage{}
		}), 4},
		{"no report", edited(reported(1, 1), func(s *policy.Snapshot) { s.Instances[0].Usage.Known = false }), 1},
		{"one that drains is not in the mean", edited(reported(1, .5, 1), func(s *policy.Snapshot) {
			s.Instances[1].State, s.Current, s.Wanted = policy.Draining, 1, 1
		}), 1},
		{"half of a core", edited(reported(1, .5), func(s *policy.Snapshot) { s.Instances[0].Share = .5 }), 2},
		{"nothing is there, and flows are held", edited(reported(1), func(s *policy.Snapshot) { s.Held = 1 }), 1},
	} {
		want(t, c.name, run(t, &targetValueRow, o, c.s), c.want)
	}
	want(t, "a queue in packets", run(t, &passThroughRow, defaults(func(o *passThrough) {
		o.Metric, o.Full, o.Pause = "queue", 50, Pause{}
	}), reported(1, 1, .8)), 3)
	want(t, "a share of a queue, and no point while a report is missing", run(t, &thresholdRow,
		defaults(func(o *thresholdOptions) {
			o.Metric, o.Full, o.Pause = "queue", 100, Pause{}
			o.Checks = []check{{Lower: .7, Action: "delta", By: 1, Trigger: 2}}
		}), reported(1, .9), edited(reported(2, .9), stale), reported(3, .9)), 1, 1, 2)
	for name, err := range map[string]error{
		"full: 0: want": func() error {
			_, err := targetValueRow.New(defaults(func(o *targetValue) { o.Metric = "memory" }), policy.Env{})
			return err
		}(),
		"unit: 7pps: want metric": func() error {
			_, err := passThroughRow.New(defaults(func(o *passThrough) { o.Metric, o.Unit = "cpu", 7 }), policy.Env{})
			return err
		}(),
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %s", err, name)
		}
	}
}
