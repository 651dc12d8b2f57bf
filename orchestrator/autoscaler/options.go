package autoscaler

import (
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/thesis"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Options are the autoscaler's parameters.
type Options struct {
	Policy           strictyaml.Choice `yaml:"policy" default:"target-utilization"`
	Target           float64           `yaml:"target" default:"0.5" above:"0"`
	Interval         units.Time        `yaml:"interval" default:"1s" above:"0"`
	Metric           string            `yaml:"metric" enum:"offered|processed" default:"offered"`
	Tolerance        float64           `yaml:"tolerance" default:"0" min:"0"`
	ScaleOutCooldown units.Time        `yaml:"scale_out_cooldown" default:"0s"`
	ScaleInCooldown  units.Time        `yaml:"scale_in_cooldown" default:"0s"`
	Stabilization    units.Time        `yaml:"stabilization" default:"10s"`
	MaxStepOut       int               `yaml:"max_step_out" default:"0" min:"0"`
	MaxStepIn        int               `yaml:"max_step_in" default:"0" min:"0"`
	Victim           string            `yaml:"victim" default:"newest"`
	Drain            string            `yaml:"drain" enum:"move|finish" default:"move"`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
policy: how many instances; none keeps the initial number; see smartinco policies
target: utilisation of the instances' limit to hold (thesis 3.2)
interval: time between evaluations
metric: the load that is compared with the target: offered to the instances, or processed by them. The thesis counts
	packets sent to each VNF
tolerance: relative distance from the target within which nothing changes; the thesis states none, Kubernetes uses 0.1
scale_out_cooldown: least time between two scale-outs
scale_in_cooldown: least time after any scaling before a scale-in
stabilization: a scale-in goes no lower than the highest recommendation of this long
max_step_out: most instances added in one evaluation; 0 for no limit
max_step_in: most instances removed in one evaluation; 0 for no limit
victim: which instance a scale-in removes
drain: what a scale-in does with the flows of its victim: move them, or let them finish
`
}

// Choices implements strictyaml.Chooser. The options of the thesis' policy stand beside the policy and not below it.
func (Options) Choices(string) []strictyaml.Choice {
	var all []strictyaml.Choice
	for _, row := range Policies {
		c := strictyaml.Choice{Name: row.Name}
		if !thesisRules(&row) {
			c.Options = row.Options
		}
		all = append(all, c)
	}
	return all
}

func thesisRules(row *policy.ScalerRow) bool {
	_, ok := row.Options.(thesis.Options)
	return ok
}

// thesisKeys are those of the thesis' policy.
var thesisKeys = []string{"target", "metric", "tolerance", "scale_out_cooldown", "scale_in_cooldown", "stabilization",
	"max_step_out", "max_step_in"}

// Unused implements strictyaml.Partial: the thesis' options say nothing of another policy that evaluates.
func (o Options) Unused(key string) bool {
	row := Policies.Find(o.Policy.Name)
	return row != nil && row.New != nil && !thesisRules(row) && slices.Contains(thesisKeys, key)
}

// Names implements strictyaml.Tabled.
func (Options) Names(key string) []string {
	if key == "victim" {
		return Victims.Names()
	}
	return nil
}

// Named is the policy of a name, with the defaults of its options.
func Named(name string) strictyaml.Choice {
	return strictyaml.Choose(Options{}.Choices("policy"), name)
}

// DefaultOptions are the options that the default tags of Options state.
func DefaultOptions() (o Options) {
	strictyaml.Defaults(&o)
	return o
}

// Static reports whether the policy is one that never changes the number of instances.
func (o Options) Static() bool {
	r := Policies.Find(o.Policy.Name)
	return r != nil && r.New == nil
}

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	_, err := o.decode()
	return err
}

// decoded is what the options say.
type decoded struct {
	scaler  *policy.ScalerRow
	options any // of the scaling policy
	victim  *policy.VictimRow
	moves   bool
}

func (o Options) decode() (d decoded, err error) {
	if err := strictyaml.Check(&o); err != nil {
		return d, fmt.Errorf("autoscaler.%w", err)
	}
	d = decoded{Policies.Find(o.Policy.Name), o.Policy.Options, Victims.Find(o.Victim), o.Drain == "move"}
	if thesisRules(d.scaler) {
		d.options = thesis.Options{
			Target: o.Target, Metric: policy.Metrics[o.Metric], Tolerance: o.Tolerance, Stabilization: o.Stabilization,
			Pace: policy.Pace{
				OutCooldown: o.ScaleOutCooldown, InCooldown: o.ScaleInCooldown,
				MostOut: o.MaxStepOut, MostIn: o.MaxStepIn,
			},
		}
	}
	return d, nil
}
