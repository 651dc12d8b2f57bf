package scheduler

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/choices"
	"github.com/smartinco/smartinco/orchestrator/scheduler/envoy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/haproxy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/hashing"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ipvs"
	"github.com/smartinco/smartinco/orchestrator/scheduler/katran"
	"github.com/smartinco/smartinco/orchestrator/scheduler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/scheduler/nomad"
	"github.com/smartinco/smartinco/orchestrator/scheduler/rss"
	"github.com/smartinco/smartinco/orchestrator/scheduler/swarm"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
)

// families are the tables of scheduling policies, by their folders.
var families = []struct {
	name string
	rows policy.Table[policy.Row]
}{
	{"thesis", thesis.Policies},
	{"choices", choices.Policies},
	{"hashing", hashing.Policies},
	{"rss", rss.Policies},
	{"ipvs", ipvs.Policies},
	{"swarm", swarm.Policies},
	{"haproxy", haproxy.Policies},
	{"kubernetes", kubernetes.Policies},
	{"envoy", envoy.Policies},
	{"katran", katran.Policies},
	{"nomad", nomad.Policies},
}

// Policies is the table of all scheduling policies: that of each family, one behind the other.
var Policies = func() (all policy.Table[policy.Row]) {
	for _, f := range families {
		all = append(all, f.rows...)
	}
	return all
}()

// FamilyOf names the folder of a policy: the system that it comes from, or the idea that it shares with others. It is
// empty for a policy that is not in the table.
func FamilyOf(name string) string {
	for _, f := range families {
		if f.rows.Find(name) != nil {
			return f.name
		}
	}
	return ""
}
