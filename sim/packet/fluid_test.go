package packet_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// constantRates draws an experiment of constant-rate flows that start and end one after the other, with faults,
// scale-out and scale-in, below the limits of the link and the eSwitch.
func constantRates(r *rand.Rand) string {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	var b strings.Builder
	fmt.Fprintf(&b, "name: random\nduration: %dms\n", 300+r.IntN(200))
	fmt.Fprintf(&b, "nic: {profile: %s, slowpath_rate: %dkpps, slowpath_queue: %d, install_latency: %dus, "+
		"install_rate: %d, rules: %d, engine_latency: %dus}\n",
		pick("bluefield2", "ideal"), 500+r.IntN(2000), 10+r.IntN(200), r.IntN(2000), r.IntN(2)*20000,
		r.IntN(2)*(5+r.IntN(20)), r.IntN(500))
	fmt.Fprintf(&b, "vnf: {buffer: %d, per_byte: %dps, idle_contend: %v, start_latency: %dus, stop_latency: %dus, "+
		"contention: %s}\n",
		20+r.IntN(200), r.IntN(2)*300, r.IntN(2) == 0, r.IntN(9000), r.IntN(2000),
		pick("{model: constant, rate: 900kpps}", "{model: usl, lambda: 2Mpps}",
			"{model: table, points: {1: 2Mpps, 4: 900kpps}}"))
	lo := 1 + r.IntN(3)
	fmt.Fprintf(&b, "instances: {initial: %d, min: %d, max: %d}\n", lo, lo, lo+r.IntN(5))
	fmt.Fprintf(&b, "scheduler: {policy: round-robin, limit: 1Mpps}\n")
	fmt.Fprintf(&b, "autoscaler: {policy: %s, target: 0.7, interval: 7ms, stabilization: 20ms, drain: %s}\n",
		pick("none", "target-utilization"), pick("move", "finish"))
	fmt.Fprintf(&b, "telemetry: {window: 5ms}\nworkload:\n  - flows:\n")
	for range 4 + r.IntN(20) {
		at := r.IntN(200_000)
		fmt.Fprintf(&b, "      - {rate: %dkpps, phase: %dus, end: %dus, packet_size: %dB}\n",
			10+r.IntN(300), at, at+20_000+r.IntN(200_000), 64+r.IntN(1000))
	}
	b.WriteString("faults:\n")
	for _, kind := range []string{"instance-death", "engine-stall", "engine-failure", "counters-stall", "rule-reject",
		"link-down"} {
		if r.IntN(3) > 0 {
			continue
		}
		more := fmt.Sprintf("for: %dms", 1+r.IntN(50))
		if kind == "instance-death" {
			more = fmt.Sprintf("instance: %d", 1+r.IntN(3))
		}
		fmt.Fprintf(&b, "  - {kind: %s, at: %dms, %s}\n", kind, r.IntN(250), more)
	}
	return perhapsPooled(r, strings.TrimSuffix(b.String(), "faults:\n"))
}

// Whatever goes wrong and however the instances change, the engines' totals, by every fate, differ by no more than the
// packets in flight, as long as flows are placed alike. Flows that began while the link was down may be placed
// otherwise: all of them reach the fluid engine's scheduler when it is up, in the order in which they began, while in
// the packet engine each does so with its next packet.
func TestPacketAgreesWithFluidUnderFaults(t *testing.T) {
	n, alike, worst := 80, 0, 0.0
	if testing.Short() {
		n = 20
	}
	for i := range n {
		text := constantRates(rand.New(rand.NewPCG(11, uint64(i))))
		sc := simtest.Parse(t, text)
		p, f := simtest.Run(t, sc, packet.New), simtest.Run(t, sc, fluid.New)
		for _, m := range []*results.Memory{p, f} {
			if !m.Run.Conservation.Holds {
				t.Errorf("case %d: %+v", i, m.Run.Conservation)
			}
		}
		if !slices.EqualFunc(p.Flows, f.Flows, func(a, b results.Flow) bool { return a.Instance == b.Instance }) {
			continue
		}
		alike++
		flight := float64(sc.Instances.Max*sc.VNF.Buffer + sc.NIC.ESwitchQueue + sc.NIC.SlowPathQueue + 1488 +
			len(p.Flows))
		a, b := &p.Run.Totals, &f.Run.Totals
		for _, v := range []struct {
			what string
			p, f float64
		}{
			{"offered", a.Offered, b.Offered},
			{"processed", a.Processed, b.Processed},
			{"lost on the link", a.Dropped.Link, b.Dropped.Link},
			{"lost by the eSwitch", a.Dropped.ESwitch, b.Dropped.ESwitch},
			{"lost by the slow path", a.Dropped.SlowPath, b.Dropped.SlowPath},
			{"lost by instances", a.Dropped.Instance, b.Dropped.Instance},
			{"rejected", a.Dropped.Rejected, b.Dropped.Rejected},
			{"slow path", a.SlowPath, b.SlowPath},
			{"reordered", a.Reordered, b.Reordered},
		} {
			if worst = max(worst, math.Abs(v.p-v.f)); math.Abs(v.p-v.f) > flight {
				t.Errorf("case %d: %s: packet %.0f, fluid %.1f, more than %.0f apart", i, v.what, v.p, v.f, flight)
			}
		}
		if a.RulesInstalled != b.RulesInstalled || a.Moves != b.Moves {
			t.Errorf("case %d: rules %d and %d, moves %d and %d", i, a.RulesInstalled, b.RulesInstalled,
				a.Moves, b.Moves)
		}
		if t.Failed() {
			t.Fatal(text)
		}
	}
	t.Logf("%d of %d cases place flows alike; the largest difference of a total is %.0f packets", alike, n, worst)
	if alike < n*2/3 {
		t.Errorf("only %d of %d cases place flows alike", alike, n)
	}
}
