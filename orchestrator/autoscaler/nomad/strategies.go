package nomad

import (
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var targetValueRow = policy.ScalerRow{Info: policy.Info{
	Name:   "nomad-target-value",
	Rule:   "the present number times the mean utilisation over its target, outside a band about the target",
	Source: source + "target-value", Sees: policy.T0 | policy.T2 | policy.T3, State: state, Cost: "n",
	Deviates: deviates + "; a product that exceeds a whole number by less than 1e-9 of it counts as that number",
}, ScalerMaker: policy.MakeScaler(func(o targetValue, _ policy.Env) (policy.Scaler, error) {
	return metered(o.Pause, o.Metered, func(s *policy.Snapshot, r signal.Reading) action {
		return o.run(r.Utilisation, s.Wanted)
	})
})}

type targetValue struct {
	signal.Metered `yaml:",inline"`
	Target         float64 `yaml:"target" default:"0.5" min:"0"`
	Threshold      float64 `yaml:"threshold" default:"0.01" min:"0"`
	Bounds         `yaml:",inline"`
	Pause          `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (targetValue) Docs() string {
	return `
target: the mean utilisation of the instances' limit to hold; at 0, the utilisation itself is the factor
threshold: nothing changes while the utilisation is within this share of the target
`
}

func (o *targetValue) run(metric float64, count int) action {
	f := metric
	if o.Target != 0 {
		f = metric / o.Target
	}
	reason := o.Each(metric) + ", " + factor(f)
	to := count
	switch {
	case count == 0:
		to = numeric.Ceil(f, signal.Most) // the band is not asked
	case f < 1-o.Threshold || f > 1+o.Threshold:
		to = numeric.Ceil(float64(count)*f, signal.Most)
	default:
		return action{count, reason + ": within the threshold"}
	}
	return action{o.limit(count, to), reason}
}

var passThroughRow = policy.ScalerRow{Info: policy.Info{
	Name:   "nomad-pass-through",
	Rule:   "as many instances as the load is in units of a rate, rounded down",
	Source: source + "pass-through", Sees: policy.T0 | policy.T2 | policy.T3, State: state, Cost: "n",
	Deviates: deviates,
}, ScalerMaker: policy.MakeScaler(func(o passThrough, _ policy.Env) (policy.Scaler, error) {
	if o.Unit != 0 && o.Reported() {
		return nil, fmt.Errorf("unit: %v: want metric: offered or processed with this key", o.Unit)
	}
	return metered(o.Pause, o.Metered, func(s *policy.Snapshot, r signal.Reading) action {
		unit := float64(o.Unit)
		if unit == 0 {
			unit = o.One(s)
		}
		return o.run(r.Load/unit, s.Wanted)
	})
})}

type passThrough struct {
	signal.Metered `yaml:",inline"`
	Unit           units.PPS `yaml:"unit" default:"0pps"`
	Bounds         `yaml:",inline"`
	Pause          `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (passThrough) Docs() string {
	return "unit: the packets that count as one instance; 0pps for scheduler.limit. Of cpu a core does, of others full"
}

func (o *passThrough) run(metric float64, count int) action {
	return action{o.limit(count, signal.Whole(metric)),
		"the metric is " + strconv.FormatFloat(metric, 'f', 4, 64)}
}

var fixedValueRow = policy.ScalerRow{Info: policy.Info{
	Name: "nomad-fixed-value", Rule: "always the same number", Source: source + "fixed-value", Sees: policy.T0,
	State: state, Cost: "constant",
	Deviates: "autoscaler.interval is the evaluation interval",
}, ScalerMaker: policy.MakeScaler(func(o fixedValue, _ policy.Env) (policy.Scaler, error) {
	reason := "the fixed value is " + strconv.Itoa(o.Value)
	return newHandler(o.Pause, func(_ *policy.Snapshot, steps *policy.Steps) int {
		return steps.Take(policy.Recommended, o.Value, reason)
	}), nil
})}

type fixedValue struct {
	Value int `yaml:"value" default:"1" min:"0"`
	Pause `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (fixedValue) Docs() string {
	return "value: the number of instances; instances.min and max bound it"
}
