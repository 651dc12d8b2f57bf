package scenarios

import (
	"fmt"
	"strings"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Nodes is a rack: NICs, each with an orchestrator and instances of its own as the rest of the scenario says, behind a
// dispatcher that gives each flow or request a node.
type Nodes struct {
	Count      int               `yaml:"count" required:"true" min:"1" max:"65536"`
	Link       units.Time        `yaml:"link" default:"0s" min:"0" max:"1s"`
	Dispatcher scheduler.Options `yaml:"dispatcher"`
	Detection  units.Time        `yaml:"detection" default:"150ms" min:"0"`
	Keep       int               `yaml:"keep" default:"0" min:"0"`
}

// Docs implements strictyaml.Documented.
func (Nodes) Docs() string {
	return `
count: how many nodes, numbered from 1
link: from the dispatcher to a node, and from a node to the dispatcher
dispatcher: which node takes a new flow or request. The nodes are the dispatcher's instances: limit is what one node is
	trusted with
detection: how long after a node has died the dispatcher knows it and gives the node's flows others. BFD's example of
	three lost packets of 50ms is the default (RFC 5880)
keep: so many nodes, the first by number, have a full record of their own below the rack's,
	in nodes/1, nodes/2 and so on
`
}

// nodeRules are those of the rack, and of what only a rack has.
func (s *Scenario) nodeRules() []strictyaml.Rule {
	var all rules
	n := s.Nodes
	for i := range s.Faults {
		f, key := &s.Faults[i], fmt.Sprintf("faults.%d.", i)
		all = append(all, rule(key+"kind", n == nil && f.OfRack(), "nodes with this kind"),
			rule(key+"at "+key+"kind", f.Kind == "node-death" && f.At == 0, "a time above 0 with kind: node-death"),
			rule(key+"node", n == nil && f.Node != 1, "nodes with this key"),
			rule(key+"node "+key+"kind", n != nil && f.Kind == "dispatcher-death" && f.Node != 1,
				"no node: there is one dispatcher"))
		if n != nil {
			all = append(all, rule(key+"node nodes.count", f.Node > n.Count,
				fmt.Sprintf("at most nodes.count, %d", n.Count)))
		}
	}
	if n == nil {
		return all
	}
	o, unit, engine := &n.Dispatcher, policy.Flows, "flows"
	if s.Engine == "request" {
		unit, engine = policy.Requests, "requests"
	}
	fixed := o.Demand == "fixed"
	all = append(all, rule("nodes.keep nodes.count", n.Keep > n.Count, fmt.Sprintf("at most nodes.count, %d", n.Count)),
		rule("nodes.dispatcher.offload.after", o.Offload.After > 1, "1: no slow path is before the dispatcher"),
		rule("nodes.dispatcher.move_budget", o.MoveBudget != 0, "0: a dispatcher moves only flows of a node that died"),
		rule("nodes.dispatcher.demand_rate nodes.dispatcher.demand", fixed && o.DemandRate == 0,
			"a rate above 0, for demand: fixed"),
		rule("nodes.dispatcher.demand_rate nodes.dispatcher.demand", !fixed && o.DemandRate != 0,
			"demand: fixed with this key"))
	if row := scheduler.Policies.Find(o.Policy.Name); row != nil {
		why := undispatched(row, o, unit)
		all = append(all, rule("nodes.dispatcher.policy engine", why != "",
			"a policy that can dispatch "+engine+" to nodes: "+row.Name+" "+why))
	}
	return all
}

// undispatched says why a policy cannot decide between nodes; it is empty if it can.
func undispatched(row *policy.Row, o *scheduler.Options, unit policy.Unit) string {
	switch {
	case unit == policy.Requests:
		if err := dispatch.Check(row); err != nil {
			_, why, _ := strings.Cut(err.Error(), row.Name+" ")
			return why
		}
		return ""
	case !row.On(unit):
		return "decides on requests"
	case row.Measures != 0 || row.Sees.Has(policy.T3):
		return "goes by what agents on instances report, and nodes have none"
	case row.Dispatch == policy.ByPacket:
		return "has instances hand packets on, and nodes do not"
	case row.Dispatch == policy.ByRule && o.Rules == "none":
		return "needs rules"
	}
	if p, _, err := scheduler.Make(row, *o, unit, 0); err == nil {
		if _, moves := p.(policy.Mover); moves {
			return "moves flows, and nodes keep theirs"
		}
	}
	return ""
}

// NodeSeed is the seed of all random streams of a node, and for node 0 of those of the dispatcher. The first node has
// that of the scenario.
func (s *Scenario) NodeSeed(node int) uint64 {
	if node == 1 {
		return s.Seed
	}
	return numeric.Streams("scenarios/nodes").At(s.Seed, uint64(node)).Uint64()
}

// Rack is what the dispatcher of a rack's flows is made from: the orchestrator that each NIC has, with nodes as its
// instances. It is never asked for fewer or more of them, and it writes no rules: it steers each flow, as an
// orchestrator does that never hears of a flow that it has sent enough for a rule.
func (s *Scenario) Rack() orchestrator.Config {
	n := s.Nodes
	c := orchestrator.Config{Seed: s.NodeSeed(0), Initial: n.Count, Min: n.Count, Max: n.Count,
		Window: s.Telemetry.Window, Scheduler: n.Dispatcher, Autoscaler: autoscaler.DefaultOptions()}
	c.Autoscaler.Policy = autoscaler.Named("none")
	if !c.Scheduler.Ruleless() {
		c.Scheduler.Offload.After = 2
	}
	return c
}
