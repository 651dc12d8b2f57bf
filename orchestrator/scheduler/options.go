package scheduler

import (
	"fmt"
	"strings"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Options are the scheduler's parameters. What the thesis leaves open has a default here that says so.
type Options struct {
	Policy         strictyaml.Choice `yaml:"policy" default:"round-robin"`
	Limit          units.PPS         `yaml:"limit" default:"10Mpps" above:"0"`
	thesis.Options `yaml:",inline"`
	Ties           string `yaml:"ties" enum:"first|random" default:"first"`
	NoInstance     string `yaml:"no_instance" enum:"hold|drop" default:"hold"`
	Rules          string `yaml:"rules" enum:"flow|none" default:"flow"`
	MoveBudget     int    `yaml:"move_budget" default:"0" min:"0" max:"1000000000"`

	Offload Offload `yaml:"offload"`

	Unit string     `yaml:"unit" enum:"flow|burst" default:"flow"`
	Gap  units.Time `yaml:"gap" default:"50us" above:"0"`
}

// DefaultGap is that of Options.Gap.
const DefaultGap = 50 * units.Microsecond

// Offload says which flows get a rule.
type Offload struct {
	After int `yaml:"after" default:"1" min:"1" max:"1000000000"`
}

// Docs implements strictyaml.Documented.
func (Offload) Docs() string {
	return `
after: packets of a flow that the slow path has served when the flow gets its rule: 1, with the first; the others before
	go to the flow's instance by the slow path
`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
policy: which instance takes a new flow; see smartinco policies
limit: packet rate that one instance is trusted with (thesis 4.3)
ties: which of several equal candidates wins: the first by number, or one drawn from the scenario's seed
no_instance: what to do with a flow that arrives when no instance is ready
rules: flow: a rule for each flow; none: the switch works out for each packet where it goes, as beamer and cheetah have
	it either way, and policies that hash can
move_budget: most flows that a policy which moves flows moves in each second of the run; 0 for any number
offload: which flows get a rule
unit: what the policy decides on: flow, each flow once, unless its instance goes; burst, each burst of a flow (packet
	engine, and a NIC with a stage that dispatches)
gap: burst: a burst is what follows at least so long without a packet of the flow
`
}

// Choices implements strictyaml.Chooser. The policies that go by the thesis' rules have its options, which stand beside
// the policy and not below it.
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

func thesisRules(row *policy.Row) bool {
	_, ok := row.Options.(thesis.Options)
	return ok
}

// Unused implements strictyaml.Partial: the thesis' options say nothing of a policy that does not go by its rules. That
// there is a rule for each flow, from its first packet on, goes without saying, and so does a budget that is not given,
// and that flows are decided on as a whole.
func (o Options) Unused(key string) bool {
	row := Policies.Find(o.Policy.Name)
	switch key {
	case "rules":
		return o.Rules != "none" || row != nil && row.Dispatch == policy.ByPacket
	case "move_budget":
		return o.MoveBudget == 0
	case "offload":
		return o.Offload.After <= 1
	case "unit", "gap":
		return !o.ByBurst()
	}
	return row != nil && !thesisRules(row) && strictyaml.HasKey(thesis.Options{}, key)
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

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	if err := strictyaml.Check(&o); err != nil {
		return fmt.Errorf("scheduler.%w", err)
	}
	if row := Policies.Find(o.Policy.Name); o.Rules == "none" && row != nil && row.Dispatch == policy.ByRule {
		return fmt.Errorf("scheduler.rules: none with policy: %s, whose answers do not depend on flow and instances "+
			"alone: want rules: flow, or one of the policies %s", row.Name, strings.Join(ruleless(), ", "))
	}
	if o.Ruleless() && o.Offload.After > 1 {
		return fmt.Errorf("scheduler.offload.after: %d with policy: %s, which writes no rules: want 1", o.Offload.After,
			o.Policy.Name)
	}
	if row := Policies.Find(o.Policy.Name); row != nil {
		if err := o.checkUnit(row); err != nil {
			return err
		}
	}
	if o.Demand == "fixed" && o.DemandRate == 0 {
		return fmt.Errorf("scheduler.demand_rate: 0pps with demand: fixed: want a packet rate above 0")
	}
	return nil
}

// ByBurst says whether the policy decides on bursts.
func (o *Options) ByBurst() bool { return o.Unit == "burst" }

// checkUnit says why a policy cannot decide on the unit.
func (o *Options) checkUnit(row *policy.Row) error {
	if want := CheckBursts(row); o.ByBurst() && want != "" {
		return fmt.Errorf("scheduler.unit: burst: want %s", want)
	}
	return nil
}

// CheckBursts says what is wanted in place of bursts under a policy that cannot decide on them, and why; empty if it
// can.
func CheckBursts(row *policy.Row) string {
	why := "which decides on flows alone"
	switch {
	case row.On(policy.Bursts):
		return ""
	case row.Dispatch != policy.ByRule:
		why = "which answers the same for all bursts of a flow"
	case !row.On(policy.Flows):
		why = "which decides on requests alone"
	}
	return fmt.Sprintf("flow with policy: %s, %s, or one of the policies %s", row.Name, why,
		strings.Join(On(policy.Bursts).Names(), ", "))
}

// ruleless names the policies that need no rules.
func ruleless() (names []string) {
	for _, row := range Policies {
		if row.Dispatch != policy.ByRule {
			names = append(names, row.Name)
		}
	}
	return names
}

// Ruleless says whether packets find their instance without rules: the switch does for each what the policy would.
func (o *Options) Ruleless() bool {
	row := Policies.Find(o.Policy.Name)
	return row != nil && o.withoutRules(row)
}

func (o *Options) withoutRules(row *policy.Row) bool {
	return row.Dispatch == policy.ByPacket || row.Dispatch == policy.ByEither && o.Rules == "none"
}

// Measures are the metrics of class T3 that the policy goes by.
func (o Options) Measures() policy.MetricSet {
	if row := Policies.Find(o.Policy.Name); row != nil {
		return row.Measures
	}
	return 0
}

// of are the options of a row.
func (o *Options) of(row *policy.Row) any {
	if thesisRules(row) {
		return o.Options
	}
	return o.Policy.Options
}
