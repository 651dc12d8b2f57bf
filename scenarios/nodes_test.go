package scenarios

import (
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

const rack = `
seed: 7
duration: 10s
nodes: {count: 3, link: 2us, dispatcher: {policy: {maglev: {table: 251}}}}
faults: [{kind: node-death, node: 2, at: 3s, for: 2s}, {kind: instance-death, at: 1s, instance: 2}]
workload: [{cbr: {flows: 4, rate: 1Mpps}}]
`

// A record states nodes only where the scenario has them, and what it states is read back.
func TestNodesAreStatedWhereTheyAreGiven(t *testing.T) {
	if b := string(one(t, minimal, "faults=[{kind: link-down, at: 1s}]").YAML()); strings.Contains(b, "node") {
		t.Errorf("nodes, which are not given, stand in\n%s", b)
	}
	s := one(t, rack, "nodes.count=5", "nodes.dispatcher.policy.maglev.table=509")
	for _, s := range []*Scenario{s, one(t, string(s.YAML()))} {
		if s.Nodes == nil || s.Nodes.Count != 5 || s.Nodes.Link != 2*units.Microsecond || s.Faults[0].Node != 2 {
			t.Fatalf("nodes %+v, faults %+v", s.Nodes, s.Faults)
		}
		if b := string(s.YAML()); !strings.Contains(b, "table: 509") {
			t.Errorf("the dispatcher's option is lost in\n%s", b)
		}
	}
}

// The first node draws what a NIC alone would draw, and no other node or dispatcher does.
func TestNodesHaveRandomStreamsOfTheirOwn(t *testing.T) {
	s, seen := one(t, rack), map[uint64]int{}
	for n := range 1000 {
		seed := s.NodeSeed(n)
		if m, ok := seen[seed]; ok {
			t.Errorf("nodes %d and %d have the same seed", m, n)
		}
		seen[seed] = n
	}
	if seen[s.Seed] != 1 {
		t.Errorf("node %d has the scenario's seed, want the first", seen[s.Seed])
	}
}

// The delay of the link belongs to the testbed; all other times of a rack are the experiment's.
func TestScaledNodes(t *testing.T) {
	s := one(t, rack)
	to, err := s.Scaled(0.5, 2)
	if err != nil {
		t.Fatal(err)
	}
	if n := to.Nodes; n.Link != s.Nodes.Link || n.Detection != 2*s.Nodes.Detection ||
		n.Dispatcher.Limit != s.Nodes.Dispatcher.Limit/2 || to.Faults[0].For != 4*units.Second {
		t.Errorf("nodes %+v, faults %+v", n, to.Faults)
	}
	if s.Nodes.Detection != 150*units.Millisecond {
		t.Errorf("the scenario itself was scaled: %+v", s.Nodes)
	}
}
