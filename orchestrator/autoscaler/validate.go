package autoscaler

import (
	"fmt"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/thesis"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// DefaultOptions are the options that the default tags of Options state.
func DefaultOptions() (o Options) {
	strictyaml.Defaults(&o)
	return o
}

// Names lists what may stand at a key whose values are the names in a table; nil for the other keys.
func (Options) Names(key string) []string {
	switch key {
	case "policy":
		return Policies.Names()
	case "victim":
		return Victims.Names()
	}
	return nil
}

// Static reports whether the policy is one that never changes the number of instances.
func (o Options) Static() bool {
	r := Policies.Find(o.Policy)
	return r != nil && r.New == nil
}

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	_, err := o.decode()
	return err
}

// decoded is what the options say.
type decoded struct {
	scaler *policy.ScalerRow
	victim *policy.VictimRow
	moves  bool
	thesis thesis.Options
}

// options are those of the chosen scaling policy. The keys of the thesis' one stand in Options itself.
func (d *decoded) options() any {
	if _, ok := d.scaler.Options.(thesis.Options); ok {
		return d.thesis
	}
	return d.scaler.Options
}

func (o Options) decode() (d decoded, err error) {
	if err := strictyaml.Check(&o); err != nil {
		return d, fmt.Errorf("autoscaler.%w", err)
	}
	return decoded{
		scaler: Policies.Find(o.Policy), victim: Victims.Find(o.Victim), moves: o.Drain == "move",
		thesis: thesis.Options{
			Target: o.Target, Metric: metrics[o.Metric], Tolerance: o.Tolerance, Stabilization: o.Stabilization,
			Pace: policy.Pace{
				OutCooldown: o.ScaleOutCooldown, InCooldown: o.ScaleInCooldown, MostOut: o.MaxStepOut, MostIn: o.MaxStepIn,
			},
		},
	}, nil
}

var metrics = map[string]policy.Metric{"offered": policy.Offered, "processed": policy.Processed}
