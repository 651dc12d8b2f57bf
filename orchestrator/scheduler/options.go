package scheduler

import "github.com/smartinco/smartinco/units"

// Options are the scheduler's parameters. What the thesis leaves open has a default here that says so.
type Options struct {
	Policy     string    `yaml:"policy" doc:"which instance takes a new flow; see smartinco policies" default:"round-robin"`
	Limit      units.PPS `yaml:"limit" doc:"packet rate that one instance is trusted with (thesis 4.3)" default:"10Mpps" above:"0"`
	Demand     string    `yaml:"demand" doc:"what a new flow is expected to bring when Best-Fit asks whether it fits; the thesis does not say. zero: nothing, so that an instance takes flows until it is measured at its limit; mean: the mean rate of the live flows; last: the rate that the newest measured flow added; fixed: the value of demand_rate" enum:"zero|mean|last|fixed" default:"mean"`
	DemandRate units.PPS `yaml:"demand_rate" doc:"with demand: fixed, the expected rate of a new flow" default:"0pps"`
	NoFit      string    `yaml:"nofit" doc:"what to do with a flow that fits on no instance; the thesis does not say. least-loaded: place it there all the same; reject: drop it; queue: hold it until a later window shows room" enum:"least-loaded|reject|queue" default:"least-loaded"`
	InFlight   bool      `yaml:"inflight" doc:"count flows assigned since the last window at their expected demand; without it, all flows of a window see the same loads" default:"true"`
	Ties       string    `yaml:"ties" doc:"which of several equal candidates wins: the first by number, or one drawn from the scenario's seed" enum:"first|random" default:"first"`
	NoInstance string    `yaml:"no_instance" doc:"what to do with a flow that arrives when no instance is ready" enum:"hold|drop" default:"hold"`
}
