// Package thesis has the three schedulers that the thesis on SmartINCO compares (3.2), and the rules that go with them:
// what a new flow is expected to bring, how flows count that no counter shows yet, and what becomes of a flow that fits
// on no instance. The thesis leaves these open; Options offers the choices.
package thesis

import (
	"slices"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Options are the parameters that the policies of this package share, and others that ask what fits.
type Options struct {
	Metric     string    `yaml:"metric" enum:"offered|processed" default:"offered"`
	Demand     string    `yaml:"demand" enum:"zero|mean|last|fixed" default:"mean"`
	DemandRate units.PPS `yaml:"demand_rate" default:"0pps"`
	NoFit      string    `yaml:"nofit" enum:"least-loaded|reject|queue" default:"least-loaded"`
	InFlight   bool      `yaml:"inflight" default:"true"`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
metric: the load that Best-Fit and Worst-Fit go by; the thesis does not say. offered: packets that the eSwitch forwarded
	to the instance in the last window; processed: packets that came back from it
demand: what a new flow is expected to bring when Best-Fit asks whether it fits; the thesis does not say. zero: nothing,
	so that an instance takes flows until it is measured at its limit; mean: the mean rate of the live flows; last: the
	rate that the newest measured flow added; fixed: the value of demand_rate
demand_rate: with demand: fixed, the expected rate of a new flow
nofit: what to do with a flow that fits on no instance; the thesis does not say. least-loaded: place it there all the
	same; reject: drop it; queue: hold it until a later window shows room
inflight: count flows assigned since the last window at their expected demand; without it, all flows of a window see the
	same loads
`
}

// Policies is this family's part of the table. All see T2: what a held flow counts for in the autoscaler's load is
// estimated from the counters, under Round-Robin too.
var Policies = []policy.Row{
	{
		Info: policy.Info{Name: "round-robin", Rule: "the instances in turn, in order of their numbers",
			Source: "thesis 3.2", Score: "places until its turn", Sees: policy.T0 | policy.T2,
			State: "the number of the instance chosen last; for the demand of held flows, one mean rate",
			Cost:  "constant; log n once after an instance has left",
			Deviates: "the cycle goes by the instances' numbers: by their places, one that leaves would cost another " +
				"its turn"},
		Unit:     policy.Either,
		Bursts:   true,
		Requests: policy.T0,
		Reasons:  []string{"next in the cycle"},
		Maker:    policy.Make(newRoundRobin),
	},
	{
		Info: policy.Info{Name: "best-fit", Rule: "the most loaded instance that can still handle the flow",
			Source: "thesis 3.2", Score: "load in packets a second", Sees: policy.T0 | policy.T2,
			State: "a load for each instance, one expected demand, each flow that the counters do not show yet",
			Cost:  "n",
			Deviates: "the thesis does not say what a load is, how \"can still handle\" is tested, what becomes of a " +
				"flow that fits nowhere, nor how equal loads are decided: metric, demand, nofit and ties are the " +
				"choices here; that flows in flight count (inflight) is an addition"},
		Highest: true,
		Bursts:  true,
		Reasons: Reasons("most loaded that the flow fits on"),
		Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
			return &bestFit{NewFit(o, env)}, nil
		}),
	},
	{
		Info: policy.Info{Name: "worst-fit", Rule: "the least loaded instance",
			Source: "thesis 3.2", Score: "load in packets a second", Sees: policy.T0 | policy.T2,
			State: "a load for each instance, one expected demand, each flow that the counters do not show yet",
			Cost:  "n",
			Deviates: "the thesis does not say what a load is, nor how equal ones are decided: metric and ties are " +
				"the choices here; that flows in flight count (inflight) is an addition"},
		Bursts:  true,
		Reasons: []string{"least loaded"},
		Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
			return &worstFit{NewFit(o, env)}, nil
		}),
	},
}

// Reasons are those of a policy that places a flow for one reason if it fits, and else leaves it to Fit.NoFit.
func Reasons(fits string) []string { return slices.Concat([]string{fits}, noFitReasons) }

var noFitReasons = []string{
	"fits on no instance: least loaded takes it",
	"fits on no instance: rejected",
	"fits on no instance: held",
}
