package scheduler

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/choices"
	"github.com/smartinco/smartinco/orchestrator/scheduler/envoy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/haproxy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/hashing"
	"github.com/smartinco/smartinco/orchestrator/scheduler/horus"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ipipe"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ipvs"
	"github.com/smartinco/smartinco/orchestrator/scheduler/katran"
	"github.com/smartinco/smartinco/orchestrator/scheduler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/scheduler/mesos"
	"github.com/smartinco/smartinco/orchestrator/scheduler/nomad"
	"github.com/smartinco/smartinco/orchestrator/scheduler/oracle"
	"github.com/smartinco/smartinco/orchestrator/scheduler/prequal"
	"github.com/smartinco/smartinco/orchestrator/scheduler/racksched"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ringleader"
	"github.com/smartinco/smartinco/orchestrator/scheduler/rss"
	"github.com/smartinco/smartinco/orchestrator/scheduler/swarm"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
)

// Families are the tables of scheduling policies, by their folders.
var Families = policy.Families[policy.Row]{
	{Name: "thesis", Rows: thesis.Policies},
	{Name: "choices", Rows: choices.Policies},
	{Name: "hashing", Rows: hashing.Policies},
	{Name: "rss", Rows: rss.Policies},
	{Name: "ipvs", Rows: ipvs.Policies},
	{Name: "swarm", Rows: swarm.Policies},
	{Name: "haproxy", Rows: haproxy.Policies},
	{Name: "kubernetes", Rows: kubernetes.Policies},
	{Name: "envoy", Rows: envoy.Policies},
	{Name: "katran", Rows: katran.Policies},
	{Name: "nomad", Rows: nomad.Policies},
	{Name: "mesos", Rows: mesos.Policies},
	{Name: "horus", Rows: horus.Policies},
	{Name: "racksched", Rows: racksched.Policies},
	{Name: "ringleader", Rows: ringleader.Policies},
	{Name: "prequal", Rows: prequal.Policies},
	{Name: "ipipe", Rows: ipipe.Policies},
	{Name: "oracle", Rows: oracle.Policies},
}

// Policies is the table of all scheduling policies: that of each family, one behind the other.
var Policies = Families.Table()

// On are those of Policies that decide on units of that kind: Flows, Requests or Bursts.
func On(u policy.Unit) (rows policy.Table[policy.Row]) {
	for _, row := range Policies {
		if row.On(u) {
			rows = append(rows, row)
		}
	}
	return rows
}
