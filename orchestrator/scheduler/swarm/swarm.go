// Package swarm has the policy of Docker Swarm's virtual addresses.
package swarm

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ipvs"
)

// Policies is this family's part of the table.
//
// Swarm gives each task of a service the weight 1 in IPVS' rr. A task that is to stop gets the weight 0 first, and is
// deleted when it has: in both states it takes no new flow and keeps those that it has, as a draining instance does.
var Policies = []policy.Row{
	{
		Info: policy.Info{Name: "swarm", Rule: "as ipvs-rr, with weight 1 for every instance, and no thresholds",
			Source: "Docker Swarm: moby/libnetwork, service_linux.go", Score: "places until its turn", Sees: policy.T0,
			State: "the list of the instances, and the place in it of the one chosen last", Cost: "constant",
			Deviates: "no DNS round robin, the other endpoint mode; an instance that drains leaves the list at once, " +
				"where Swarm sets its weight to 0 first, with the same effect on new flows"},
		Reasons: []string{"next in the list"},
		Maker:   policy.Plain(ipvs.Plain),
	},
}
