package autoscaler

import "github.com/smartinco/smartinco/units"

// Options are the autoscaler's parameters.
type Options struct {
	Policy           string     `yaml:"policy" doc:"how many instances; none keeps the initial number; see smartinco policies" default:"target-utilization"`
	Target           float64    `yaml:"target" doc:"utilisation of the instances' limit to hold (thesis 3.2)" default:"0.5" above:"0"`
	Interval         units.Time `yaml:"interval" doc:"time between evaluations" default:"1s" above:"0"`
	Metric           string     `yaml:"metric" doc:"the load that is compared with the target: offered to the instances, or processed by them. The thesis counts packets sent to each VNF" enum:"offered|processed" default:"offered"`
	Tolerance        float64    `yaml:"tolerance" doc:"relative distance from the target within which nothing changes; the thesis states none, Kubernetes uses 0.1" default:"0" min:"0"`
	ScaleOutCooldown units.Time `yaml:"scale_out_cooldown" doc:"least time between two scale-outs" default:"0s"`
	ScaleInCooldown  units.Time `yaml:"scale_in_cooldown" doc:"least time after any scaling before a scale-in" default:"0s"`
	Stabilization    units.Time `yaml:"stabilization" doc:"a scale-in goes no lower than the highest recommendation of this long" default:"10s"`
	MaxStepOut       int        `yaml:"max_step_out" doc:"most instances added in one evaluation; 0 for no limit" default:"0" min:"0"`
	MaxStepIn        int        `yaml:"max_step_in" doc:"most instances removed in one evaluation; 0 for no limit" default:"0" min:"0"`
	Victim           string     `yaml:"victim" doc:"which instance a scale-in removes" default:"newest"`
	Drain            string     `yaml:"drain" doc:"what a scale-in does with the flows of its victim: move them, or let them finish" enum:"move|finish" default:"move"`
}
