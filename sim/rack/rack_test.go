package rack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
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
`, engine, r.Uint64()>>1, 3000+r.IntN(3000), 1+r.IntN(200), 8*scale,
		pick("best-fit", "round-robin", "power-of-d", "maglev"), 6*scale, pick("none", "target-utilization"),
		pick("1s", "400ms"), strings.Join(flows, ", "))
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
		sc := simtest.Parse(t, text+"nodes: {count: 1, keep: 1, dispatcher: {policy: "+policy+"}}\n")
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
	return drawn(r, engine) + fmt.Sprintf("nodes: {count: %d, keep: %d, link: %dus, detection: %dms, "+
		"dispatcher: {policy: %s, limit: 20Mpps, no_instance: %s}}\nfaults: [%s]\n", n,
		r.IntN(n+1), r.IntN(3)*r.IntN(1000), r.IntN(400), p, []string{"hold", "drop"}[r.IntN(2)],
		strings.Join(faults, ", "))
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

// Nothing is lost but what is counted: with no link, a rack is offered what the plain run would be, whatever dies.
func TestTheRackIsOfferedTheTraffic(t *testing.T) {
	r, deaths := rand.New(rand.NewPCG(3, 3)), 0
	for i := range 200 {
		engine := []string{"fluid", "packet"}[i%2]
		text := racks(r, engine)
		text = text[:strings.Index(text, "link:")] + "link: 0s, " + text[strings.Index(text, "detection:"):]
		sc := simtest.Parse(t, text)
		m := run(t, sc, 2, map[string]*results.Memory{})
		if m.Run.Totals.Dropped.Link+m.Run.Totals.Dropped.Rejected > 0 {
			deaths++
		}
		want, offered := 0.0, 0.0
		var flows, totals [3]float64
		for _, f := range simtest.Traffic(t, sc).Flows {
			for _, s := range f.Segments {
				if b := min(s.End, sc.Duration); b > s.Start {
					want += s.Rate() * (b - s.Start).Seconds()
				}
			}
		}
		for i := range m.Flows {
			f := &m.Flows[i]
			offered += f.Offered
			flows[0] += f.Processed
			flows[1] += f.Dropped
			flows[2] += f.Queued
		}
		for k, x := range []float64{m.Run.Totals.Processed, m.Run.Totals.Dropped.Sum(), m.Run.Totals.Queued} {
			if totals[k] = x; math.Abs(flows[k]-x) > 1e-3 {
				t.Fatalf("processed, lost, queued: %v, by flow %v\n%s", totals, flows, text)
			}
		}
		within := 1e-3
		if engine == "packet" {
			within = float64(2 * len(m.Flows)) // a flow has a whole number
		}
		if got := m.Run.Totals.Offered; math.Abs(got-want) > within || math.Abs(offered-got) > 1e-3 {
			t.Fatalf("offered %f, by flow %f, want %f\n%s", got, offered, want, text)
		}
	}
	if deaths < 50 {
		t.Errorf("something was lost in %d cases only", deaths)
	}
}

// A rack under a dispatcher that looks at nothing is as many plain runs of the parts of the traffic.
func TestARackIsItsNodesApart(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 40 {
		n := 2 + r.IntN(5)
		text := drawn(r, []string{"fluid", "packet"}[i%2])
		sc := simtest.Parse(t, fmt.Sprintf("%snodes: {count: %d, dispatcher: {policy: random}}\n", text, n))
		m := run(t, sc, 2, map[string]*results.Memory{})
		all := simtest.Traffic(t, sc)
		windows := make([]results.Window, len(m.Windows))
		for node := 1; node <= n; node++ {
			alone := simtest.Parse(t, text)
			alone.Seed = sc.NodeSeed(node)
			part := &traces.Workload{}
			for f := range m.Flows {
				if int(m.Flows[f].Instance) == node {
					part.Flows = append(part.Flows, all.Flows[m.Flows[f].Flow])
					part.Constant = append(part.Constant, all.Constant[m.Flows[f].Flow])
				}
			}
			own := results.NewMemory()
			simtest.Record(t, alone, part, engines[sc.Engine], own)
			row := 0
			for k := range own.Windows {
				w, sum := &own.Windows[k], &windows[k]
				for m.NodeRows[row].Node != int32(node) || m.NodeRows[row].T != w.T {
					row++
				}
				got := m.NodeRows[row]
				want := results.Node{T: w.T, Node: int32(node), Offered: w.Offered, Processed: w.Processed,
					Dropped: w.Dropped, Flows: w.Flows, Instances: w.Instances, Queue: w.Queued,
					DroppedInstance: w.DroppedInstance, DroppedESwitch: w.DroppedESwitch,
					DroppedSlowPath: w.DroppedSlowPath, DroppedLink: w.DroppedLink, DroppedRejected: w.DroppedRejected}
				if got != want {
					t.Fatalf("node %d at %g s: %+v, alone %+v\n%s", node, w.T, got, want, text)
				}
				sum.Flows += w.Flows
				sum.Instances += w.Instances
				sum.Used += w.Used
			}
		}
		for k, w := range m.Windows {
			if x := windows[k]; w.Flows != x.Flows || w.Instances != x.Instances || w.Used != x.Used {
				t.Errorf("window %d: %+v, want the sum %+v", k, w, x)
			}
		}
	}
}

const duel = `
duration: 10s
nic: ideal
vnf: {contention: {model: constant, rate: 10Mpps}}
instances: {initial: 2, min: 2, max: 2}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
workload:
  - cbr: {flows: 4, rate: 1Mpps}
`

// What a node's death costs: what its flows send until the dispatcher knows, and what it held. Then the other has them.
func TestANodeDies(t *testing.T) {
	sc := simtest.Parse(t, duel+`
nodes: {count: 2, detection: 250ms, dispatcher: {policy: ipvs-rr}}
faults: [{kind: node-death, node: 1, at: 3500ms, for: 2s}]
`)
	m := run(t, sc, 2, map[string]*results.Memory{})
	if d := m.Run.Totals.Dropped; math.Round(d.Link) != 500000 || d.Rejected != 0 {
		t.Errorf("lost %+v, want 2 flows of 1 Mpps for 250 ms on the way to the dead node", d)
	}
	at := func(s float64, node int32) *results.Node {
		for i := range m.NodeRows {
			if n := &m.NodeRows[i]; n.T == s && n.Node == node {
				return n
			}
		}
		t.Fatalf("no node %d at %g s", node, s)
		return nil
	}
	for _, c := range []struct {
		t         float64
		node      int32
		flows     int32
		instances int32
		offered   float64
	}{{3, 1, 2, 2, 2e6}, {3, 2, 2, 2, 2e6}, {4, 1, 0, 0, 2e6 * 0.75}, {4, 2, 4, 2, 2e6 + 2e6*0.25}, {5, 1, 0, 0, 0},
		{5, 2, 4, 2, 4e6}, {6, 1, 0, 2, 0}, {10, 2, 4, 2, 4e6}} {
		if n := at(c.t, c.node); n.Flows != c.flows || n.Instances != c.instances ||
			math.Abs(n.Offered-c.offered) > 1e-3 {
			t.Errorf("node %d at %g s: %+v, want %+v", c.node, c.t, n, c)
		}
	}
	if m.Run.Totals.Moves != 2 || m.Flows[0].Moves+m.Flows[1].Moves != 1 {
		t.Errorf("%d moves, flows %+v", m.Run.Totals.Moves, m.Flows)
	}
}

// What is sent to a dead node left the dispatcher as much earlier as the link takes.
func TestTheLinkToADeadNode(t *testing.T) {
	sc := simtest.Parse(t, strings.Replace(duel, "cbr: {flows: 4, rate: 1Mpps}",
		"flows: [{rate: 1Mpps, end: 3600ms}]", 1)+`
nodes: {count: 1, link: 100ms, detection: 250ms, dispatcher: {policy: ipvs-rr}}
faults: [{kind: node-death, at: 3500ms}]
`)
	m := run(t, sc, 1, map[string]*results.Memory{})
	if d := m.Run.Totals.Dropped; math.Round(d.Link) != 200000 || math.Round(m.Run.Totals.Offered) != 3.6e6 {
		t.Errorf("%+v, want the last 200 ms of 3.6 s lost, which would have come after 3.5 s", m.Run.Totals)
	}
}

// While the dispatcher is dead, flows that come are lost, and those that have a node go on. Then it catches up.
func TestTheDispatcherDies(t *testing.T) {
	sc := simtest.Parse(t, strings.Replace(duel, "flows: 4", "flows: 4, interval: 2s", 1)+`
  - flows: [{rate: 1Mpps, phase: 1500ms, end: 1600ms}] # nobody hears of it
nodes: {count: 2, dispatcher: {policy: ipvs-rr}}
faults: [{kind: dispatcher-death, at: 1s, for: 1500ms}, {kind: dispatcher-death, at: 2s, for: 1s}]
`)
	m := run(t, sc, 2, map[string]*results.Memory{})
	if d := m.Run.Totals.Dropped; math.Round(d.Rejected) != 1.1e6 || d.Sum() != d.Rejected {
		t.Errorf("lost %+v, want 1 s of the flow that came at 2 s, and 100 ms", d)
	}
	if p := m.Run.Policy; p.Placed != 4 {
		t.Errorf("%d flows were placed, want 4", p.Placed)
	}
	if n := m.NodeRows[5]; n.Node != 0 || n.T != 3 || math.Round(n.DroppedRejected) != 1e6 {
		t.Errorf("%+v, want what the dispatcher lost", n)
	}
	for i, f := range []int{0, 2, 3, 4} {
		if got := int(m.Flows[f].Instance); got != 2-i%2 { // IPVS begins with the second
			t.Errorf("flow %d is at node %d", i, got)
		}
	}
}

// The built-in rack does what its dispatchers are for, and its records are verified.
func TestTheBuiltInRack(t *testing.T) {
	st, err := scenarios.Load("rack", nil)
	if err != nil {
		t.Fatal(err)
	}
	uneven := map[string]float64{}
	for i := range st.Runs {
		sc := st.Runs[i].Scenario
		m := run(t, sc, 2, map[string]*results.Memory{})
		verify(t, m, sc.Rack(), st.Runs[i].Name)
		uneven[sc.Nodes.Dispatcher.Policy.Name] = m.Run.Rack.Imbalance
	}
	if !(uneven["round-robin"] < uneven["power-of-d"] && uneven["power-of-d"] < uneven["maglev"] &&
		uneven["maglev"] < uneven["best-fit"]) {
		t.Errorf("imbalance %v", uneven)
	}
}

func TestCheck(t *testing.T) {
	for _, c := range []struct{ policy, scaler, measured, want string }{
		{"hrw", "none", "instances", "measure.delay: instances"},
		{"best-fit", "none", "none", "best-fit goes by counters of the nodes"},
		{"best-fit", "oracle", "none", "oracle is told what flows are to come"},
	} {
		text := strings.Replace(duel, "autoscaler: {policy: none}", "autoscaler: {policy: "+c.scaler+"}", 1)
		sc := simtest.Parse(t, fmt.Sprintf("%sengine: packet\nmeasure: {delay: %s}\n"+
			"nodes: {count: 2, dispatcher: {policy: %s}}\n", text, c.measured, c.policy))
		err := Run(context.Background(), sc, simtest.Traffic(t, sc), packet.New, results.NewMemory(), Options{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

// A run that is given up leaves a record that says so, up to the last window of all nodes.
func TestARackIsGivenUp(t *testing.T) {
	sc := simtest.Parse(t, duel+"nodes: {count: 2, dispatcher: {policy: hrw}}\n")
	ctx, cancel := context.WithCancel(context.Background())
	m := results.NewMemory()
	err := Run(ctx, sc, simtest.Traffic(t, sc), fluid.New, m, Options{Options: sim.Options{
		Progress: func(now, _ units.Time) {
			if now == 3*units.Second {
				cancel()
			}
		}}})
	if !errors.Is(err, context.Canceled) || m.Run.Complete || m.Run.Error == "" || len(m.Windows) != 3 {
		t.Errorf("%v, %d windows, %+v", err, len(m.Windows), m.Run)
	}
	if !m.Run.Conservation.Holds {
		t.Errorf("%+v", m.Run.Conservation)
	}
}
