package autoscaler

import (
	"slices"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/knative"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/marathon"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/nomad"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/plain"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/thesis"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Policies is the table of all scaling policies: that of each family, one behind the other, and none.
var Policies = policy.Table[policy.ScalerRow](slices.Concat(
	thesis.Scalers, knative.Scalers, marathon.Scalers, nomad.Scalers, plain.Scalers,
	[]policy.ScalerRow{none},
))

var none = policy.ScalerRow{Info: policy.Info{
	Name:     "none",
	Rule:     "the initial number, with failed instances replaced",
	Source:   "thesis 4.3",
	Sees:     policy.T0,
	State:    "the number that is wanted",
	Cost:     "constant",
	Deviates: "the thesis does not say what becomes of an instance that fails",
}}
