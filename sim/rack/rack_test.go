package rack

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

var engines = map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New}

// run is the record of a rack; the nodes that it keeps are in kept.
func run(t testing.TB, sc *scenarios.Scenario, workers int, kept map[string]*results.Memory) *results.Memory {
	t.Helper()
	m := results.NewMemory()
	err := Run(context.Background(), sc, simtest.Traffic(t, sc), engines[sc.Engine], m, Options{Workers: workers,
		Keep: func(name string, _ *results.Run) (results.Recorder, error) {
			kept[name] = results.NewMemory()
			return kept[name], nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	if c := m.Run.Conservation; !c.Holds {
		t.Fatalf("not conserved: %+v\n%s", c, sc.YAML())
	}
	return m
}

func log(t testing.TB, m *results.Memory) string {
	t.Helper()
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for e, err := range rec.Log() {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&b, e)
	}
	return b.String()
}

// drawn is a random scenario of few seconds, without its nodes.
func drawn(r *rand.Rand, engine string) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	scale := 1.0
	if engine == "packet" {
		scale = 0.001
	}
	var flows []string
	for range 1 + r.IntN(30) {
		from := r.IntN(4000)
		end := ""
		if r.IntN(3) > 0 {
			end = fmt.Sprintf(", end: %dms", from+1+r.IntN(3000))
		}
		flows = append(flows, fmt.Sprintf("{rate: %gMpps, phase: %dms%s}", (0.1+5*r.Float64())*scale, from, end))
	}
	return fmt.Sprintf(`
engine: %s
seed: %d
duration: %dms
vnf: {start_latency: 300ms, buffer: %d, contention: {model: constant, rate: %gMpps}}
instances: {initial: 2, min: 1, max: 4}
scheduler: {policy: %s, limit: %gMpps}
autoscaler: {policy: %s, interval: 500ms, stabilization: 1s}
telemetry: {window: %s, delay: 10ms}
workload: [{flows: [%s]}]
`, engine, r.Uint64()>>1, 3000+r.IntN(3000), 1+r.IntN(200), 8*scale, pick("best-fit", "round-robin", "power-of-d", "maglev"),
		6*scale, pick("none", "target-utilization"), pick("1s", "400ms"), strings.Join(flows, ", "))
}

// A rack of one node without a link is the node: windows and flows are equal to the last bit, whatever its dispatcher
// goes by.
func TestARackOfOneIsThePlainRun(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 60 {
		engine, policy := "fluid", []string{"maglev", "ipvs-rr", "envoy-least-request", "worst-fit", "power-of-d"}[i%5]
		if i%5 < 3 && i%2 == 1 {
			engine = "packet"
		}
		text := drawn(r, engine)
		sc := simtest.Parse(t, text+"nodes: {count: 1, keep: 1, dispatcher: {policy: "+policy+", nofit: least-loaded}}\n")
		if !strings.Contains(policy, "fit") {
			sc = simtest.Parse(t, text+"nodes: {count: 1, keep: 1, dispatcher: {policy: "+policy+"}}\n")
		}
		kept := map[string]*results.Memory{}
		got := run(t, sc, 2, kept)
		plain := simtest.Run(t, simtest.Parse(t, text), engines[engine])
		if d := cmp.Diff(plain.Windows, got.Windows); d != "" {
			t.Fatalf("%s, %s: windows of the plain run and of the rack: %s\n%s", engine, policy, d, text)
		}
		for i := range got.Flows {
			got.Flows[i].Instance = plain.Flows[i].Instance // that of the rack is the node
		}
		if d := cmp.Diff(plain.Flows, got.Flows); d != "" {
			t.Fatalf("flows of the plain run and of the rack: %s\n%s", d, text)
		}
		if d := cmp.Diff(plain.Run.Totals, got.Run.Totals); d != "" {
			t.Errorf("totals of the plain run and of the rack: %s", d)
		}
		if a, b := log(t, plain), log(t, kept["1"]); a != b {
			t.Errorf("the log of the node differs from that of the plain run")
		}
	}
}

// racks is a random rack with whatever can go wrong.
func racks(r *rand.Rand, engine string) string {
	n := 1 + r.IntN(6)
	policies := []string{"maglev", "ipvs-rr", "envoy-least-request", "random", "hrw", "least-connections", "jiq"}
	if engine == "fluid" {
		policies = append(policies, "round-robin", "power-of-d", "best-fit", "worst-fit", "least-load")
	}
	p := policies[r.IntN(len(policies))]
	if (p == "maglev" || p == "hrw") && r.IntN(2) == 0 {
		p += ", rules: none"
	}
	var faults []string
	for range r.IntN(4) {
		forever := ""
		if r.IntN(2) == 0 {
			forever = fmt.Sprintf(", for: %dms", 1+r.IntN(1500))
		}
		at := 1 + r.IntN(4000)
		if r.IntN(4) == 0 {
			at = 1000 * (1 + r.IntN(3)) // when a window ends
		}
		kind := []string{"node-death", "node-death", "node-death", "dispatcher-death", "link-down"}[r.IntN(5)]
		if kind != "dispatcher-death" {
			forever += fmt.Sprintf(", node: %d", 1+r.IntN(n))
		}
		faults = append(faults, fmt.Sprintf("{kind: %s, at: %dms%s}", kind, at, forever))
	}
	return drawn(r, engine) + fmt.Sprintf("nodes: {count: %d, keep: %d, link: %dus, detection: %dms, dispatcher: {policy: %s, "+
		"limit: 20Mpps, no_instance: %s}}\nfaults: [%s]\n", n, r.IntN(n+1), r.IntN(3)*r.IntN(1000), r.IntN(400), p,
		[]string{"hold", "drop"}[r.IntN(2)], strings.Join(faults, ", "))
}

// The record does not depend on how many nodes are simulated at a time, the dispatcher's log is that of its
// orchestrator, and those of the nodes that are kept are those of theirs.
func TestWorkersChangeNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for i := range 150 {
		engine := []string{"fluid", "fluid", "packet"}[i%3]
		text := racks(r, engine)
		sc := simtest.Parse(t, text)
		kept := map[string]*results.Memory{}
		one := run(t, sc, 1, kept)
		first := log(t, one)
		for _, workers := range []int{2, 7} {
			m := run(t, sc, workers, map[string]*results.Memory{})
			for _, d := range []string{cmp.Diff(one.Windows, m.Windows), cmp.Diff(one.NodeRows, m.NodeRows),
				cmp.Diff(one.Instances, m.Instances), cmp.Diff(one.Flows, m.Flows),
				cmp.Diff(one.Run.Totals, m.Run.Totals)} {
				if d != "" {
					t.Fatalf("%d workers: %s\n%s", workers, d, text)
				}
			}
			if log(t, m) != first {
				t.Fatalf("%d workers: another log\n%s", workers, text)
			}
		}
		verify(t, one, sc.Rack(), text)
		for name, m := range kept {
			rec, err := m.Record()
			if err != nil {
				t.Fatal(err)
			}
			sc, err := scenarios.FromRecord(name, rec.Run.Scenario, rec.Run.Seed)
			if err != nil {
				t.Fatal(err)
			}
			verify(t, m, sc.Orchestrator(), text)
		}
	}
}

func verify(t testing.TB, m *results.Memory, cfg orchestrator.Config, text string) {
	t.Helper()
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	v, err := rec.Verify(cfg)
	if err != nil || v.Difference != nil || v.Miscounted != "" {
		t.Fatalf("%v %+v\n%s", err, v, text)
	}
}

var _ = scheduler.Policies
