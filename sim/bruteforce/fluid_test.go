package bruteforce

import (
	"math"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// alike says whether two records have the same control plane: every flow went to the same instances, and as many rules were
// written. Counters of whole packets and of fractions may bring a policy to decide otherwise, and from there on two runs
// are different runs.
func alike(a, b *results.Memory) bool {
	for i := range a.Flows {
		if a.Flows[i].Instance != b.Flows[i].Instance || a.Flows[i].Moves != b.Flows[i].Moves {
			return false
		}
	}
	x, y := &a.Run.Totals, &b.Run.Totals
	if x.RulesInstalled != y.RulesInstalled || x.RulesRejected != y.RulesRejected || len(a.Instances) != len(b.Instances) {
		return false
	}
	for i := range a.Instances {
		if x, y := &a.Instances[i], &b.Instances[i]; x.State != y.State || x.Flows != y.Flows {
			return false
		}
	}
	return true
}

// smooth says whether the rates alone decide what is lost: no packets at random, link and eSwitch within their limits (beyond
// them flows of periodic packets lock), and queues that hold what the phases of the flows bring together.
func (p *plant) smooth() bool {
	n := &p.sc.NIC
	for _, f := range p.flows {
		if f.random {
			return false
		}
	}
	return !p.beyond && p.sc.VNF.Buffer >= len(p.flows) && (n.SlowPathRate == 0 || n.SlowPathQueue >= len(p.flows))
}

// fluids compares the totals of the fluid engine, which has the mean, within what is in flight.
func (d *diff) fluids(sc *scenarios.Scenario, got, want *results.Memory) {
	n := int32(0)
	for _, r := range want.Instances {
		n = max(n, r.Instance)
	}
	flight := float64(int(n)*sc.VNF.Buffer + sc.NIC.ESwitchQueue + sc.NIC.SlowPathQueue + 2*len(want.Flows))
	x, y := &got.Run.Totals, &want.Run.Totals
	for _, v := range []struct {
		what string
		x, y float64
	}{
		{"offered", x.Offered, y.Offered},
		{"processed", x.Processed, y.Processed},
		{"lost on the link", x.Dropped.Link, y.Dropped.Link},
		{"lost by the eSwitch", x.Dropped.ESwitch, y.Dropped.ESwitch},
		{"lost by the slow path", x.Dropped.SlowPath, y.Dropped.SlowPath},
		{"lost by instances", x.Dropped.Instance, y.Dropped.Instance},
		{"rejected", x.Dropped.Rejected, y.Dropped.Rejected},
		{"slow path", x.SlowPath, y.SlowPath},
		{"reordered", x.Reordered, y.Reordered},
	} {
		if off := math.Abs(v.x - v.y); off > flight {
			d.add("fluid, %s: %.1f, want %.0f, more than %.0f apart", v.what, v.x, v.y, flight)
		}
		d.worst = max(d.worst, math.Abs(v.x-v.y)/flight)
	}
}
