package autoscaler

import (
	"cmp"
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
	Above            units.PPS         `yaml:"above" default:"0pps"`
	Below            units.PPS         `yaml:"below" default:"0pps"`
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
target: with target-utilization, the utilisation of the instances' limit to hold (thesis 3.2)
above: with hottest-instance, the rate of one instance above which there is one instance more; 0pps for scheduler.limit
below: with hottest-instance, one instance fewer when the others can carry the whole load at this rate each; 0pps for
	never
interval: time between evaluations
metric: the load that both go by: offered to the instances, or processed by them. The thesis counts packets sent to each
	VNF
tolerance: with target-utilization, the relative distance from the target within which nothing changes; the thesis states none, Kubernetes uses 0.1
scale_out_cooldown: least time between two scale-outs
scale_in_cooldown: least time after any scaling before a scale-in
stabilization: a scale-in goes no lower than the highest recommendation of this long
max_step_out: most instances added in one evaluation; 0 for no limit
max_step_in: most instances removed in one evaluation; 0 for no limit
victim: which instance a scale-in removes
drain: what a scale-in does with the flows of its victim: move them, or let them finish
`
}

// Choices implements strictyaml.Chooser. The options of the thesis' policies stand beside the policy and not below it.
func (Options) Choices(string) []strictyaml.Choice {
	var all []strictyaml.Choice
	for _, row := range Policies {
		c := strictyaml.Choice{Name: row.Name}
		if keysOf[row.Name] == nil {
			c.Options = row.Options
		}
		all = append(all, c)
	}
	return all
}

// keysOf are the keys of the options that stand beside a policy, by its name.
var keysOf = map[string][]string{
	"target-utilization": append([]string{"target", "tolerance"}, stageKeys...),
	"hottest-instance":   append([]string{"above", "below"}, stageKeys...),
}

var stageKeys = []string{"metric", "scale_out_cooldown", "scale_in_cooldown", "stabilization", "max_step_out",
	"max_step_in"}

// Unused implements strictyaml.Partial: the keys of one policy say nothing of another that does not have them. Beside a
// policy that never evaluates, those of target-utilization are written.
func (o Options) Unused(key string) bool {
	row := Policies.Find(o.Policy.Name)
	if row == nil {
		return false
	}
	name := row.Name
	if row.New == nil {
		name = "target-utilization"
	}
	for _, keys := range keysOf {
		if slices.Contains(keys, key) {
			return !slices.Contains(keysOf[name], key)
		}
	}
	return false
}

// KeyOf lists the policies to which a key beside the policy belongs, in order of their names, and reports whether the
// chosen one has it. Keys of all policies, and those below the policy, belong to no other.
func (o Options) KeyOf(key string) (policies []string, has bool) {
	for name, keys := range keysOf {
		if slices.Contains(keys, key) {
			policies = append(policies, name)
		}
	}
	slices.Sort(policies)
	return policies, len(policies) == 0 || slices.Contains(policies, o.Policy.Name)
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

// Rates are those of hottest-instance beside the scheduler's limit: what each instance may carry after a scale-in, and
// the rate above which one is hot. Of another policy both are 0.
func (o Options) Rates(limit units.PPS) (below, hot units.PPS) {
	if o.Unused("below") {
		return 0, 0
	}
	return o.Below, cmp.Or(o.Above, limit)
}

// Static reports whether the policy is one that never changes the number of instances.
func (o Options) Static() bool {
	r := Policies.Find(o.Policy.Name)
	return r != nil && r.New == nil
}

// Wakes reports whether the policy asks for an instance where none is wanted and flows are held.
func (o Options) Wakes() bool {
	r := Policies.Find(o.Policy.Name)
	return r == nil || r.New != nil && !r.Asleep
}

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	if err := strictyaml.Check(&o); err != nil {
		return fmt.Errorf("autoscaler.%w", err)
	}
	return nil
}

// Measures are the metrics of class T3 that the policy goes by with these options; none where they make no sense.
func (o Options) Measures() policy.MetricSet {
	if o.Validate() != nil {
		return 0
	}
	return o.decode().measures()
}

// Resizes reports whether the policy changes the shares of instances.
func (o Options) Resizes() bool {
	r := Policies.Find(o.Policy.Name)
	return r != nil && r.Resizes
}

// decoded is what valid options say.
type decoded struct {
	scaler  *policy.ScalerRow
	options any // of the scaling policy
	victim  *policy.VictimRow
	moves   bool
}

func (d decoded) measures() policy.MetricSet {
	if m, ok := d.options.(policy.Measurer); ok {
		return m.Measures().Reported()
	}
	return 0
}

func (o Options) decode() decoded {
	d := decoded{Policies.Find(o.Policy.Name), o.Policy.Options, Victims.Find(o.Victim), o.Drain == "move"}
	metric := policy.Metrics[o.Metric]
	pace := policy.Pace{OutCooldown: o.ScaleOutCooldown, InCooldown: o.ScaleInCooldown,
		MostOut: o.MaxStepOut, MostIn: o.MaxStepIn}
	switch d.scaler.Options.(type) {
	case thesis.Options:
		d.options = thesis.Options{Target: o.Target, Metric: metric, Tolerance: o.Tolerance,
			Stabilization: o.Stabilization, Pace: pace}
	case thesis.HottestOptions:
		d.options = thesis.HottestOptions{Above: float64(o.Above), Below: float64(o.Below), Metric: metric,
			Stabilization: o.Stabilization, Pace: pace}
	}
	return d
}
