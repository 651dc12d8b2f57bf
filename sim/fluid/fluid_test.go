package fluid_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
)

func within(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance {
		t.Errorf("%s: got %.9g, want %.9g", what, got, want)
	}
}

// An ideal NIC and one instance: what is processed, lost and queued follows from three numbers.
const oneInstance = `
name: one
duration: 10s
nic: ideal
vnf: {buffer: 1000, contention: {model: constant, rate: 10Mpps}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
workload:
  - flows: [{period: %s, packet_size: 64B}]
`

func TestLossStartsAtCapacity(t *testing.T) {
	for _, c := range []struct {
		period          string
		dropped, queued float64
	}{
		{"125ns", 0, 0},
		{"100ns", 0, 0},             // just the capacity
		{"99999ps", 0, 1000},        // 100.001 pps more fill the ring in just less than ten seconds
		{"80ns", 25e6 - 1000, 1000}, // 2.5 Mpps more for ten seconds, less the ring
	} {
		m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(oneInstance, c.period)), fluid.New)
		within(t, c.period+" dropped", m.Run.Totals.Dropped.Instance, c.dropped, 0.02)
		within(t, c.period+" queued", m.Run.Totals.Queued, c.queued, 0.02)
		within(t, c.period+" flow", m.Flows[0].Offered-m.Flows[0].Dropped-m.Flows[0].Processed, c.queued, 0.01)
	}
}

// While its rule is being written, a flow faster than the ARM cores backs up behind them. What is still there when the
// rule takes effect is overtaken: (r-s) times the time from the first packet to the rule, until the queue is full.
func TestReorderingFollowsFromTheSlowPath(t *testing.T) {
	const text = `
name: slow path
duration: 1s
nic: {profile: ideal, slowpath_rate: 1Mpps, slowpath_queue: %d, install_latency: 99us}
vnf: {buffer: 100000, contention: {model: constant, rate: 10Mpps}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
workload:
  - flows: [{rate: 5Mpps, packet_size: 64B}]
`
	// The scheduler sees the first packet after 1 us of service, the rule follows 99 us later: 100 us in all.
	m := simtest.Run(t, simtest.Parse(t, fmt.Sprintf(text, 1000)), fluid.New)
	within(t, "reordered", m.Run.Totals.Reordered, 4e6*100e-6, 0.01)
	within(t, "slow path", m.Run.Totals.SlowPath, 5e6*100e-6, 0.01)
	within(t, "lost", m.Run.Totals.Dropped.SlowPath, 0, 0.01)
	m = simtest.Run(t, simtest.Parse(t, fmt.Sprintf(text, 100)), fluid.New) // full after 25 us
	within(t, "reordered of a short queue", m.Run.Totals.Reordered, 100, 0.01)
	within(t, "lost by a short queue", m.Run.Totals.Dropped.SlowPath, 4e6*75e-6, 0.01)
}

func TestLinkAndESwitchPassTheirShare(t *testing.T) {
	sc := simtest.Parse(t, `
name: limits
duration: 10s
nic: {profile: ideal, link: 10Gbps, frame_overhead: 20B, eswitch_limit: 10Mpps}
vnf: {contention: {model: constant, rate: 100Mpps}}
instances: {initial: 2, min: 2, max: 2}
autoscaler: {policy: none}
workload:
  - flows: [{rate: 20Mpps, packet_size: 64B}, {rate: 10Mpps, packet_size: 64B}]
`)
	m := simtest.Run(t, sc, fluid.New)
	line := 10e9 / (84 * 8)
	within(t, "link", m.Run.Totals.Dropped.Link, 10*(30e6-line), 1)
	within(t, "eswitch", m.Run.Totals.Dropped.ESwitch, 10*(line-10e6), 1)
	within(t, "flow 0", m.Flows[0].Processed, 10*10e6*2/3, 1)
}

func TestInstanceDeathLosesItsQueueAndMovesItsFlows(t *testing.T) {
	sc := simtest.Parse(t, `
name: death
duration: 10s
nic: ideal
vnf: {buffer: 500, contention: {model: constant, rate: 10Mpps}, start_latency: 1s}
instances: {initial: 2, min: 2, max: 3}
autoscaler: {policy: none}
workload:
  - flows: [{rate: 12Mpps, packet_size: 64B}, {rate: 4Mpps, packet_size: 64B}]
faults:
  - {kind: instance-death, at: 5s, instance: 1}
`)
	m := simtest.Run(t, sc, fluid.New)
	if f := m.Flows[0]; f.Moves < 1 || f.Instance == 1 {
		t.Errorf("flow 0 is on instance %d after %d moves", f.Instance, f.Moves)
	}
	if !m.Run.Conservation.Holds {
		t.Errorf("conservation: %+v", m.Run.Conservation)
	}
}

// What a dying instance holds is lost, to the packet, and never counts as processed: in the totals, in bytes, at the
// instance, in the windows and for the flow, whether its flow goes on or has ended.
func TestADyingInstanceProcessesNothingOfItsQueue(t *testing.T) {
	for _, c := range []struct {
		name, end     string
		sent, dropped float64
		held          float64 // a first packet, for want of an instance
	}{
		{"goes on", "20ms", 250_000, 150_000, 1},
		{"has ended", "9ms", 112_500, 12_500, 0},
	} {
		m := simtest.Run(t, simtest.Parse(t, `
name: death
duration: 20ms
nic: ideal
vnf: {buffer: 100000, contention: {model: constant, rate: 10Mpps}, start_latency: 1s}
instances: {initial: 1, min: 1, max: 2}
autoscaler: {policy: none}
telemetry: {window: 5ms}
workload:
  - flows: [{period: 80ns, end: `+c.end+`, packet_size: 100B}]
faults:
  - {kind: instance-death, at: 10ms, instance: 1}
`), fluid.New)
		tot, f := m.Run.Totals, m.Flows[0]
		within(t, c.name+": offered", tot.Offered, c.sent, 1e-3)
		within(t, c.name+": processed", tot.Processed, 100_000, 2)
		within(t, c.name+": processed bytes", tot.ProcessedBytes, 10_000_000, 200)
		within(t, c.name+": lost", tot.Dropped.Sum(), c.dropped, 2)
		within(t, c.name+": queued", tot.Queued, c.held, 1e-2)
		within(t, c.name+": processed of the flow", f.Processed, 100_000, 2)
		within(t, c.name+": lost of the flow", f.Dropped, c.dropped, 2)
		windows, rows, bits := 0.0, 0.0, 0.0
		for _, w := range m.Windows {
			windows += w.Processed * 0.005
			bits += w.ProcessedBits * 0.005
		}
		for _, in := range m.Instances {
			rows += in.Processed * 0.005
		}
		within(t, c.name+": processed in the windows", windows, 100_000, 2)
		within(t, c.name+": bits in the windows", bits, 80_000_000, 1600)
		within(t, c.name+": processed by the instances", rows, 100_000, 2)
		if !m.Run.Conservation.Holds {
			t.Errorf("%s: %+v", c.name, m.Run.Conservation)
		}
	}
}

// A flow of a constant rate carries its rate times its length, part of a packet included. A flow of a trace carries the
// packets that it has.
func TestAFlowCarriesAFractionOfAPacket(t *testing.T) {
	for end, want := range map[string]float64{"10us": 10, "10500ns": 10.5, "10999999ps": 10.999999} {
		m := simtest.Run(t, simtest.Parse(t, "name: x\nduration: 1ms\nnic: ideal\nworkload:\n"+
			"  - flows: [{period: 1us, end: "+end+"}]\n"), fluid.New)
		within(t, "until "+end, m.Run.Totals.Offered, want, 1e-9)
		within(t, "processed until "+end, m.Run.Totals.Processed, want, 1e-6)
	}
}

// A rule is moved while the slow path still holds packets of its flow. They follow it, and the instances count what
// they are sent.
func TestAMovedFlowTakesItsSlowPathAlong(t *testing.T) {
	m := simtest.Run(t, simtest.Parse(t, `
name: move
duration: 20ms
nic: {profile: ideal, slowpath_rate: 100kpps, slowpath_queue: 1000, install_latency: 100us}
vnf: {buffer: 2000, contention: {model: constant, rate: 10Mpps}}
instances: {initial: 2, min: 2, max: 2}
autoscaler: {policy: none}
telemetry: {window: 1ms}
workload:
  - flows: [{rate: 4Mpps, packet_size: 64B}]
faults:
  - {kind: instance-death, at: 3ms, instance: 1}
`), fluid.New)
	if !m.Run.Conservation.Holds {
		t.Errorf("conservation: %+v", m.Run.Conservation)
	}
	for _, i := range m.Instances {
		if i.Instance == 2 && i.T > 12.5e-3 {
			within(t, fmt.Sprintf("instance 2 at %g s, offered", i.T), i.Offered, 4e6, 1)
		}
	}
}

// scenario draws a small experiment with everything in it.
func scenario(r *rand.Rand) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	var b strings.Builder
	fmt.Fprintf(&b, "name: random\nseed: %d\nduration: %dms\n", r.IntN(100)+1, 1000+r.IntN(9000))
	fmt.Fprintf(&b, "nic: {profile: %s, slowpath_rate: %dkpps, slowpath_queue: %d, install_latency: %dus, "+
		"eswitch_limit: %dMpps, rules: %d}\n",
		pick("bluefield2", "ideal"), 1+r.IntN(3000), 1+r.IntN(2000), r.IntN(2000), r.IntN(100), r.IntN(60))
	fmt.Fprintf(&b, "vnf: {buffer: %d, per_byte: %dps, idle_contend: %v, start_latency: %dms, "+
		"contention: {share: %s, %s}}\n", 1+r.IntN(3000), r.IntN(3)*50, r.IntN(2) == 0, r.IntN(900),
		pick("reserved", "pooled"),
		pick("model: constant, rate: 9Mpps", "model: usl", "model: table, points: {1: 20Mpps, 4: 9Mpps}"))
	lo := 1 + r.IntN(3)
	fmt.Fprintf(&b, "instances: {initial: %d, min: %d, max: %d}\n", lo, lo, lo+r.IntN(5))
	fmt.Fprintf(&b, "scheduler: {policy: %s, limit: 10Mpps, nofit: %s, ties: %s}\n",
		dispatched(b.String(), simtest.MovingPolicy(r, 300, "ms")),
		pick("least-loaded", "reject", "queue"), pick("first", "random"))
	fmt.Fprintf(&b, "autoscaler: {policy: %s, interval: %dms, stabilization: 1000ms, drain: %s}\n",
		pick("none", "target-utilization"), 200+r.IntN(900), pick("move", "finish"))
	fmt.Fprintf(&b, "telemetry: {window: %dms, delay: %dms}\nworkload:\n", 100+r.IntN(900), r.IntN(300))
	fmt.Fprintf(&b, "  - cbr: {flows: %d, interval: %dms, total: %dGbps, packet_size: %dB}\n", 1+r.IntN(20),
		r.IntN(500), 1+r.IntN(120), 64+r.IntN(1000))
	b.WriteString("  - flows:\n")
	for range 1 + r.IntN(20) {
		at := r.IntN(8000)
		fmt.Fprintf(&b, "      - {rate: %dkpps, phase: %dms, end: %dms, packet_size: %dB}\n",
			1+r.IntN(9000), at, at+1+r.IntN(3000), 64+r.IntN(1400))
	}
	b.WriteString("faults:\n  - {kind: link-down, at: 5000ms, for: 1ms}\n")
	for range r.IntN(4) {
		kind := pick("instance-death", "engine-stall", "engine-failure", "counters-stall", "rule-reject", "link-down")
		more := fmt.Sprintf("for: %dms", 1+r.IntN(3000))
		if kind == "instance-death" {
			more = fmt.Sprintf("instance: %d", 1+r.IntN(3))
		}
		fmt.Fprintf(&b, "  - {kind: %s, at: %dms, %s}\n", kind, r.IntN(9000), more)
	}
	if r.IntN(2) == 0 { // as fast as rules are written and the slow path is drained, so that all of it overlaps
		return strings.ReplaceAll(b.String(), "ms", "us")
	}
	return b.String()
}

// Packets are conserved in every run, window, instance and flow, and a run comes out the same twice.
func TestConservationAndDeterminism(t *testing.T) {
	n := 600
	if testing.Short() {
		n = 50
	}
	moves := 0
	for i := range n {
		text := scenario(rand.New(rand.NewPCG(1, uint64(i))))
		sc := simtest.Parse(t, text)
		m := simtest.Run(t, sc, fluid.New)
		simtest.Verify(t, m)
		moves += simtest.Decisions(t, m)[orchestrator.Move]
		if !m.Run.Conservation.Holds {
			t.Errorf("case %d: %+v\n%s", i, m.Run.Conservation, text)
		}
		for _, w := range m.Windows {
			if w.Offered < 0 || w.Processed < 0 || w.Dropped < -1e-6 || w.Queued < 0 || w.Reordered < 0 {
				t.Fatalf("case %d: negative: %+v\n%s", i, w, text)
			}
		}
		for _, i := range m.Instances {
			if i.Offered < 0 || i.Processed < 0 || i.Dropped < -1e-6 || i.Queue < 0 ||
				i.Queue > float64(sc.VNF.Buffer)+1e-3 {
				t.Fatalf("an instance negative, or too full: %+v\n%s", i, text)
			}
		}
		var sum results.Flow
		for _, f := range m.Flows {
			sum.Offered += f.Offered
			sum.Dropped += f.Dropped
			sum.Reordered += f.Reordered
		}
		tot := m.Run.Totals
		within(t, fmt.Sprintf("case %d: flows offered", i), sum.Offered, tot.Offered, 1e-9*tot.Offered+0.01)
		within(t, fmt.Sprintf("case %d: flows dropped", i), sum.Dropped, tot.Dropped.Sum(), 1e-9*tot.Offered+0.01)
		within(t, fmt.Sprintf("case %d: flows reordered", i), sum.Reordered, tot.Reordered, 1e-9*tot.Offered+0.01)
		again := simtest.Run(t, sc, fluid.New)
		if !reflect.DeepEqual(m.Windows, again.Windows) || !reflect.DeepEqual(m.Flows, again.Flows) ||
			!reflect.DeepEqual(m.Instances, again.Instances) {
			t.Fatalf("case %d differs from run to run\n%s", i, text)
		}
	}
	t.Logf("%d flows moved by their policy", moves)
	if moves == 0 {
		t.Error("no flow was moved by its policy")
	}
}

func BenchmarkFig9(b *testing.B) {
	study, err := scenarios.Load("fig9-best-fit", nil)
	if err != nil {
		b.Fatal(err)
	}
	sc := study.Runs[0].Scenario
	b.Run("record=kept", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			simtest.Run(b, sc, fluid.New)
		}
	})
	b.Run("record=dropped", func(b *testing.B) { // decisions are composed all the same
		b.ReportAllocs()
		for b.Loop() {
			w := simtest.Traffic(b, sc)
			simtest.Record(b, sc, w, fluid.New, results.Discard)
		}
	})
}

func benchmarkFlows(b *testing.B, flows, instances int, seconds int) {
	sc := simtest.Parse(b, fmt.Sprintf(`
name: scale
duration: %ds
nic: {profile: ideal, slowpath_rate: 10Mpps, slowpath_queue: 1024, install_latency: 300us}
vnf: {contention: {model: constant, rate: 10Mpps}}
instances: {initial: %d, min: %d, max: %d}
autoscaler: {policy: none}
workload:
  - cbr: {flows: %d, interval: %dus, rate: 1kpps, packet_size: 64B}
`, seconds, instances, instances, instances, flows, seconds*900000/flows))
	w := simtest.Traffic(b, sc)
	b.ReportAllocs()
	for b.Loop() {
		simtest.Record(b, sc, w, fluid.New, results.Discard)
	}
	b.ReportMetric(float64(flows)*float64(b.N)/b.Elapsed().Seconds(), "flows/s")
}

func Benchmark10000Flows1000Instances(b *testing.B) { benchmarkFlows(b, 10_000, 1000, 330) }

func BenchmarkFlows(b *testing.B) {
	for _, n := range []int{1e3, 1e4, 1e5, 1e6} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmarkFlows(b, n, 8, 100) })
	}
}

// Two instances that contend process 12 Mpps together, one alone 10. Flow 0 brings 20 Mpps to instance 1 for ten
// seconds, flow 1 brings 4 Mpps to instance 2 for five.
func TestPooledSharesFollowWhatIsOffered(t *testing.T) {
	for _, c := range []struct {
		what, nic, vnf, more string
		want                 [2]float64 // Mpps of instance 1 in each half
	}{
		{what: "pooled", want: [2]float64{8, 10}},
		{what: "an idle instance contends and needs nothing", vnf: "idle_contend: true, ", want: [2]float64{8, 10}},
		// Half of what is sent passes, 10 and 2 Mpps; then all 6 Mpps that the eSwitch can do.
		{"a limit of the eSwitch", "eswitch_limit: 12Mpps, ", "", "", [2]float64{10, 10}},
		// 125 ns at a share of 8 Mpps and 100 ns at one of 10, and 64 ns for the bytes.
		{"bytes cost", "", "per_byte: 1ns, ", "", [2]float64{1000. / 189, 1000. / 164}},
		{what: "the other one dies", more: "faults: [{kind: instance-death, instance: 2, at: 0s}]\n",
			want: [2]float64{10, 10}},
		// Flow 1 goes on. While the link is down nobody is offered anything, and a full ring is emptied at the speed of
		// one alone, for a second of five.
		{"the link is down", "", "",
			"  - flows: [{rate: 1pps}, {rate: 4Mpps, phase: 5s}]\nfaults: [{kind: link-down, at: 5s, for: 1s}]\n",
			[2]float64{8, (10 + 4*8) / 5.}},
	} {
		sc := simtest.Parse(t, fmt.Sprintf(`
name: pool
duration: 10s
nic: {profile: ideal, %slink: 0bps}
vnf: {buffer: 10000000, %scontention: {share: pooled, model: table, points: {1: 10Mpps, 2: 6Mpps}}}
instances: {initial: 2, min: 2, max: 2}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
telemetry: {window: 5s}
workload:
  - flows: [{rate: 20Mpps, packet_size: 64B}, {rate: 4Mpps, packet_size: 64B, end: 5s}]
%s`, c.nic, c.vnf, c.more))
		m := simtest.Run(t, sc, fluid.New)
		var got []float64
		for _, row := range m.Instances {
			if row.Instance == 1 {
				got = append(got, row.Processed/1e6)
			}
		}
		for i, want := range c.want {
			within(t, fmt.Sprintf("%s, half %d", c.what, i), got[i], want, 1e-3)
		}
	}
}

// dispatched is a policy with how packets find their instance under it.
func dispatched(text, policy string) string { return policy + simtest.Dispatch(text, policy) }
