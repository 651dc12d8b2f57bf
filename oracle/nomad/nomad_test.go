package nomad

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	fixedvalue "github.com/hashicorp/nomad-autoscaler/plugins/builtin/strategy/fixed-value/plugin"
	passthrough "github.com/hashicorp/nomad-autoscaler/plugins/builtin/strategy/pass-through/plugin"
	targetvalue "github.com/hashicorp/nomad-autoscaler/plugins/builtin/strategy/target-value/plugin"
	threshold "github.com/hashicorp/nomad-autoscaler/plugins/builtin/strategy/threshold/plugin"
	"github.com/hashicorp/nomad-autoscaler/plugins/strategy"
	"github.com/hashicorp/nomad-autoscaler/sdk"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/nomad"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

var plugins = map[string]strategy.Strategy{
	"target-value": targetvalue.NewTargetValuePlugin(hclog.NewNullLogger()),
	"threshold":    threshold.NewThresholdPlugin(hclog.NewNullLogger()),
	"pass-through": passthrough.NewPassThroughPlugin(hclog.NewNullLogger()),
	"fixed-value":  fixedvalue.NewFixedValuePlugin(hclog.NewNullLogger()),
}

// check is one of a policy.
type check struct {
	strategy, group string
	config          map[string]string
}

// bounds are those of a policy.
type bounds struct{ least, most int }

// run is what a check wants of a count, with the bounds as the worker that calls the plugin applies them.
func (c *check) run(points sdk.TimestampedMetrics, count int, b bounds) (*sdk.ScalingAction, error) {
	none := &sdk.ScalingAction{Direction: sdk.ScaleDirectionNone}
	eval, err := plugins[c.strategy].Run(&sdk.ScalingCheckEvaluation{Metrics: points, Action: &sdk.ScalingAction{},
		Check: &sdk.ScalingPolicyCheck{Strategy: &sdk.ScalingPolicyStrategy{Name: c.strategy, Config: c.config}}},
		int64(count))
	if err != nil || eval == nil {
		return nil, err
	}
	a := eval.Action
	if a.Direction == sdk.ScaleDirectionNone {
		a.Count = int64(count)
		switch {
		case count < b.least:
			a.Direction = sdk.ScaleDirectionUp
		case count > b.most:
			a.Direction = sdk.ScaleDirectionDown
		default:
			return none, nil
		}
	}
	a.Canonicalize()
	if a.Count == sdk.StrategyActionMetaValueDryRunCount { // taken for a dry run; ours takes it for any other below 0
		a.Count--
	}
	a.CapCount(int64(b.least), int64(b.most))
	if a.Count == int64(count) {
		return none, nil
	}
	return a, nil
}

// decide is the count that all checks together want.
func decide(checks []check, points sdk.TimestampedMetrics, count int, b bounds) (int, error) {
	groups := map[string][]*sdk.ScalingAction{}
	for i := range checks {
		a, err := checks[i].run(points, count, b)
		if err != nil {
			return 0, err
		}
		groups[checks[i].group] = append(groups[checks[i].group], a)
	}
	var winner *sdk.ScalingAction
	for group, actions := range groups {
		var first *sdk.ScalingAction
		none := 0
		for _, a := range actions {
			switch {
			case a == nil:
			case group != "" && a.Direction == sdk.ScaleDirectionNone:
				none++
			default:
				first = sdk.PreemptScalingAction(first, a)
			}
		}
		if none == len(actions) {
			first = actions[0]
		}
		winner = sdk.PreemptScalingAction(winner, first)
	}
	if winner == nil || winner.Direction == sdk.ScaleDirectionNone {
		return count, nil
	}
	return int(winner.Count), nil
}

// ours makes a policy from its options in YAML.
func ours(name, text string) (policy.Scaler, error) {
	for _, row := range nomad.Scalers {
		if row.Name == name {
			o := reflect.New(reflect.TypeOf(row.Options))
			if err := strictyaml.Decode("nomad.yaml", []byte(text), o.Interface(), nil); err != nil {
				return nil, err
			}
			return row.New(o.Elem().Interface(), policy.Env{})
		}
	}
	return nil, fmt.Errorf("no policy %s", name)
}

// snapshot shows a metric: the load of one instance with a limit of 1, which is its utilisation too.
func snapshot(second, count int, metric float64, b bounds) *policy.Snapshot {
	at := units.Time(second) * units.Second
	return &policy.Snapshot{Now: at, Current: count, Wanted: count, Min: b.least, Max: b.most, Limit: 1,
		Window: units.Second, Measured: true, Instances: []policy.Instance{{ID: flow.Instance(1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: metric, Tx: metric, Known: true, Sampled: at}}}}
}

func text(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// limits draws the bounds of a step, for both.
func limits(r *rand.Rand, c map[string]string) {
	for _, key := range []string{"max_scale_up", "max_scale_down"} {
		if judge.Chance(r, .4) {
			c[key] = strconv.Itoa(1 + r.IntN(20))
		}
	}
}

// drawn are the options of a strategy with one check, and metrics near those where it changes its mind.
func drawn(r *rand.Rand, strategy string) (config map[string]string, metric func(count int) float64) {
	config = map[string]string{}
	eighths := func(n int) float64 { return float64(r.IntN(8*n)) / 8 }
	switch strategy {
	case "target-value":
		target := judge.Of(r, 0, .25, .5, 1, 2, 4, r.Float64(), 10*r.Float64())
		config["target"] = text(target)
		band := .01
		if judge.Chance(r, .5) {
			band = judge.Of(r, 0, .125, .5, r.Float64(), 1.5)
			config["threshold"] = text(band)
		}
		limits(r, config)
		return config, func(int) float64 {
			return judge.Of(r, target, 0, eighths(8)*target, target*(1+band), target*(1-min(band, 1)),
				target*(1+band)+.125, eighths(4), 3*r.Float64())
		}
	case "pass-through":
		limits(r, config)
		return config, func(count int) float64 {
			n := float64(count)
			return judge.Of(r, 0, n, n+.5, max(0, n-.5), eighths(100), 200*r.Float64())
		}
	case "fixed-value":
		config["value"] = strconv.Itoa(r.IntN(50))
	}
	return config, func(int) float64 { return r.Float64() }
}

// slack reports whether one more than ours is what ours calls rounding: a product that exceeds a whole number by less
// than 1e-9 of it counts as that number.
func slack(ours, theirs, count int, metric float64, config map[string]string) bool {
	target, err := strconv.ParseFloat(config["target"], 64)
	if err != nil || target == 0 {
		return false
	}
	product := metric / target * float64(max(count, 1))
	whole := math.Round(product)
	return theirs == ours+1 && product > whole && product < whole*(1+1e-9)
}

const pause = "cooldown: 0s\ncooldown_on_scale_up: 0s\n"

func TestStrategies(t *testing.T) {
	for _, strategy := range []string{"target-value", "pass-through", "fixed-value"} {
		t.Run(strategy, func(t *testing.T) {
			changed, rounded := 0, 0
			judge.Cases(t, "nomad/"+strategy, 50000, func(r *rand.Rand) error {
				config, metric := drawn(r, strategy)
				options := pause
				for key, value := range config {
					options += key + ": " + value + "\n"
				}
				p, err := ours("nomad-"+strategy, options)
				if err != nil {
					return err
				}
				checks := []check{{strategy: strategy, config: config}}
				b := bounds{judge.Of(r, 0, 0, 0, 1, 5), judge.Of(r, 5, 10, 100, 1000000)}
				for second := range 5 {
					count := judge.Of(r, 0, 1, 2, 3, r.IntN(20), r.IntN(1000))
					x := metric(count)
					points := sdk.TimestampedMetrics{{Value: 99}, {Timestamp: time.Unix(1, 0), Value: x}}
					want, err := decide(checks, points, count, b)
					if err != nil {
						return err
					}
					var steps policy.Steps
					n := p.Evaluate(snapshot(second, count, x, b), &steps).Desired
					if slack(n, want, count, x, config) {
						rounded++
					} else if n != want {
						return fmt.Errorf("metric %v at %d within %v: %d, theirs %d\n%+v\n%v", x, count, b, n, want,
							steps, config)
					}
					if want != count {
						changed++
					}
				}
				return nil
			})
			t.Logf("%d counts changed; %d are one fewer for a product that is whole but for rounding", changed, rounded)
		})
	}
}

// thresholds draws checks of the strategy threshold, for both.
func thresholds(r *rand.Rand) (all []check, options string) {
	for range 1 + r.IntN(4) {
		c := check{strategy: "threshold", group: judge.Of(r, "", "a", "b"), config: map[string]string{}}
		lower, upper := float64(r.IntN(8))/8, float64(r.IntN(9))/8
		var keys []string
		set := func(ours, theirs, value string) {
			c.config[theirs] = value
			keys = append(keys, ours+": "+value)
		}
		if lower > 0 || upper == 0 {
			set("lower_bound", "lower_bound", text(lower))
		}
		if upper > 0 {
			set("upper_bound", "upper_bound", text(upper))
		}
		if judge.Chance(r, .7) {
			set("within_bounds_trigger", "within_bounds_trigger", strconv.Itoa(r.IntN(8)))
		}
		action := judge.Of(r, "delta", "percentage", "value")
		switch action {
		case "delta":
			set("by", action, strconv.Itoa(r.IntN(20)-10))
		case "percentage":
			set("by", action, text(judge.Of(r, -50, -10, 10, 25, 100, 200*r.Float64()-100)))
		case "value":
			set("by", action, strconv.Itoa(r.IntN(30)))
		}
		all = append(all, c)
		options += "- {action: " + action + ", group: '" + c.group + "', " + strings.Join(keys, ", ") + "}\n"
	}
	return all, "checks:\n" + options
}

// Series of readings, of which the query window has the last ones.
func TestThreshold(t *testing.T) {
	changed := 0
	judge.Cases(t, "nomad/threshold", 10000, func(r *rand.Rand) error {
		checks, options := thresholds(r)
		window := 1 + r.IntN(20)
		options += fmt.Sprintf("query_window: %ds\n", window)
		p, err := ours("nomad-threshold", pause+options)
		if err != nil {
			return err
		}
		b := bounds{judge.Of(r, 0, 0, 1, 5), judge.Of(r, 5, 10, 100)}
		count, second, level := r.IntN(20), 0, r.Float64()
		var points sdk.TimestampedMetrics
		for range 30 {
			second += 1 + r.IntN(judge.Of(r, 1, 4))
			if judge.Chance(r, .2) {
				level = r.Float64()
			}
			x := judge.Of(r, level, level, float64(r.IntN(10))/8, r.Float64())
			points = append(points, sdk.TimestampedMetric{Timestamp: time.Unix(int64(second), 0), Value: x})
			for points[0].Timestamp.Unix() < int64(second-window) {
				points = points[1:]
			}
			want, err := decide(checks, points, count, b)
			if err != nil {
				return err
			}
			var steps policy.Steps
			if n := p.Evaluate(snapshot(second, count, x, b), &steps).Desired; n != want {
				return fmt.Errorf("%v at %d within %v: %d, theirs %d\n%+v\n%s", points, count, b, n, want, steps,
					options)
			}
			if want != count {
				changed++
			}
			count = want
			if judge.Chance(r, .1) {
				count = r.IntN(20)
			}
		}
		return nil
	})
	t.Logf("%d counts changed", changed)
}
