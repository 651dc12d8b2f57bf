package autoscaler

import (
	"github.com/smartinco/smartinco/orchestrator/autoscaler/autopilot"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/aws"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/forecast"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/inreal"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/keda"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/knative"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/marathon"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/nomad"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/oracle"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/plain"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/ringleader"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/thesis"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Families are the tables of scaling policies, by their folders.
var Families = policy.Families[policy.ScalerRow]{
	{Name: "thesis", Rows: thesis.Scalers},
	{Name: "kubernetes", Rows: kubernetes.Scalers},
	{Name: "keda", Rows: keda.Scalers},
	{Name: "autopilot", Rows: autopilot.Scalers},
	{Name: "knative", Rows: knative.Scalers},
	{Name: "nomad", Rows: nomad.Scalers},
	{Name: "marathon", Rows: marathon.Scalers},
	{Name: "aws", Rows: aws.Scalers},
	{Name: "forecast", Rows: forecast.Scalers},
	{Name: "inreal", Rows: inreal.Scalers},
	{Name: "plain", Rows: plain.Scalers},
	{Name: "ringleader", Rows: ringleader.Scalers},
	{Name: "oracle", Rows: oracle.Scalers},
	{Rows: policy.Table[policy.ScalerRow]{none}},
}

// Policies is the table of all scaling policies: that of each family, one behind the other, and none.
var Policies = Families.Table()

var none = policy.ScalerRow{Info: policy.Info{
	Name:     "none",
	Rule:     "the initial number, with failed instances replaced",
	Source:   "thesis 4.3",
	Sees:     policy.T0,
	State:    "the number that is wanted",
	Cost:     "constant",
	Deviates: "the thesis does not say what becomes of an instance that fails",
}}
