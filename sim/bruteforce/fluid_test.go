package bruteforce

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
)

// differ says where two records differ in their control planes, or nothing if every flow went to the same instances and
// its rules fared alike. Counters of whole packets and of fractions may lead a policy to another decision, and a first
// packet that comes a packet's service earlier may take the last place in the rule table from another flow. From there
// on two runs are different runs.
func differ(t testing.TB, a, b *results.Memory) string {
	if len(a.Instances) != len(b.Instances) {
		return "number of instances"
	}
	for i := range a.Instances {
		if x, y := &a.Instances[i], &b.Instances[i]; x.State != y.State || x.Flows != y.Flows {
			return fmt.Sprintf("instance %d at %v s", y.Instance, y.T)
		}
	}
	x, y := answers(t, a), answers(t, b)
	for i := range a.Flows {
		f, g := &a.Flows[i], &b.Flows[i]
		if f.Instance != g.Instance || f.Moves != g.Moves {
			return fmt.Sprintf("instances of flow %d", g.Flow)
		}
		if id := flow.ID(g.Flow); !slices.Equal(x[id], y[id]) {
			return fmt.Sprintf("rules of flow %d", g.Flow)
		}
	}
	return ""
}

// answer is what the switch said to a rule.
type answer struct {
	kind orchestrator.EventKind
	to   flow.Instance
}

// answers are those of each flow, in their order.
func answers(t testing.TB, m *results.Memory) map[flow.ID][]answer {
	t.Helper()
	all := map[flow.ID][]answer{}
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	for l, err := range r.Log() {
		if err != nil {
			t.Fatal(err)
		}
		if e := l.Event; e != nil && (e.Kind == orchestrator.RuleInstalled || e.Kind == orchestrator.RuleRejected) {
			all[e.Flow] = append(all[e.Flow], answer{e.Kind, e.Instance})
		}
	}
	return all
}

// The fluid engine is compared where it decides alike, and left out where it does not.
func TestDiffer(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"w6-perbyte.yaml", ""},
		{"rule-place.yaml", "rules of flow 2"}, // of two flows the other gets the place
	} {
		b, err := os.ReadFile(filepath.Join("testdata", c.file))
		if err != nil {
			t.Fatal(err)
		}
		sc := simtest.Parse(t, string(b))
		want := simulate(t, sc).rec
		sc.Engine = "fluid"
		if got := differ(t, simtest.Run(t, sc, fluid.New), want); got != c.want {
			t.Errorf("%s: they differ in %q, want %q", c.file, got, c.want)
		}
	}
}

// smooth says whether the rates alone decide what is lost: no packets at random, link and eSwitch within their limits
// (beyond them flows of periodic packets lock), and queues with room for what the phases of the flows bring together
// beside the packet in service. Without that room, a flow that is hardly faster than the server loses every other
// packet.
func (p *plant) smooth() bool {
	n := &p.sc.NIC
	for _, f := range p.flows {
		if f.random {
			return false
		}
	}
	return !p.beyond && p.sc.VNF.Buffer > len(p.flows) && (n.SlowPathRate == 0 || n.SlowPathQueue > len(p.flows))
}

// flight is how many packets may be in flight: in the rings of the instances that are up at once, in the slow path,
// where first packets wait too, and of each flow.
func (p *plant) flight(sc *scenarios.Scenario) float64 {
	n := float64(p.most*sc.VNF.Buffer + 2*len(p.flows))
	if sc.NIC.SlowPathRate > 0 {
		n += float64(sc.NIC.SlowPathQueue)
	}
	return n
}

// fluids compares the totals of the fluid engine, which knows the mean alone. What queues affect may differ by what is
// in flight. In smooth scenarios link and eSwitch hold nothing. The rest differs only by packets of each flow.
func (d *diff) fluids(sc *scenarios.Scenario, got *results.Memory, slow *plant) {
	flows, flight := float64(2*len(slow.flows)), slow.flight(sc)
	x, y := &got.Run.Totals, &slow.rec.Run.Totals
	for _, v := range []struct {
		what      string
		x, y, off float64
	}{
		{"offered", x.Offered, y.Offered, flows},
		{"processed", x.Processed, y.Processed, flight},
		{"lost on the link", x.Dropped.Link, y.Dropped.Link, flows},
		{"lost by the eSwitch", x.Dropped.ESwitch, y.Dropped.ESwitch, flows},
		{"lost by the slow path", x.Dropped.SlowPath, y.Dropped.SlowPath, flight},
		{"lost by instances", x.Dropped.Instance, y.Dropped.Instance, flight},
		{"rejected", x.Dropped.Rejected, y.Dropped.Rejected, flows},
		{"slow path", x.SlowPath, y.SlowPath, flight},
		{"reordered", x.Reordered, y.Reordered, flight},
		{"queued", x.Queued, y.Queued, flight},
		{"handed on", float64(x.HandedOn), float64(y.HandedOn), 3 * flows},
		{"broken", float64(x.Broken), float64(y.Broken), 0.5},
	} {
		if off := math.Abs(v.x - v.y); off > v.off {
			d.add("fluid, %s: %.1f, want %.0f, more than %.0f apart", v.what, v.x, v.y, v.off)
		}
		d.worst = max(d.worst, math.Abs(v.x-v.y)/v.off)
	}
}
