package packet_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// On each source that is made by a rule, the two engines' totals differ by no more than the packets in flight: those of
// rings and slow path where one is full, and otherwise one of each flow. With frames of several sizes that holds within
// the limits of link and eSwitch, and beyond the capacity of instances where packets come at random: elsewhere the
// phases of the constant rates decide which size is lost, see docs/traces.md. 330,000 packets at random have a
// deviation of 600.
func TestPacketAgreesWithFluidOnEverySource(t *testing.T) {
	const rings, slowPath, dpu, none = 4 * 512, 1024, "{rules: 200000}", "0s"
	for _, c := range []struct {
		work, nic, perByte string
		apart              float64 // packets
	}{
		{"cbr: {flows: 8, interval: 100us, total: 40Gbps}, frame_sizes: imix", dpu, none, rings + slowPath},
		{"cbr: {flows: 8, interval: 100us, total: 8Gbps}, frame_sizes: imix", dpu, "1ns", slowPath},
		{"cbr: {flows: 100, total: 30Gbps, arrivals: poisson}, frame_sizes: aag", "ideal", "1ns", rings + 4*600},
		{"flows: [{rate: 1Mpps}, {rate: 700kpps, phase: 3ms, end: 9ms}], frame_sizes: A20b A=99", dpu, none, slowPath},
		{"diurnal: {mean: 3Mpps, period: 20ms, step: 1ms, flows: 4}, frame_sizes: abc", dpu, none, slowPath},
		{"cbr: {flows: 40, rate: 300kpps, zipf: 1.1}", dpu, none, rings + slowPath},
		{"cbr: {flows: 40, rate: 300kpps, zipf: 1.1}, frame_sizes: imix", dpu, none, rings + slowPath},
		{"microbursts: {flows: 8, base: 4Mpps, rate: 30Mpps, length: 200us, period: 3ms}", dpu, none, rings},
		{"microbursts: {flows: 8, base: 4Mpps, rate: 9Mpps, period: 3ms}, frame_sizes: imix", dpu, none, slowPath},
		{"churn: {rate: 500kpps, flows: 50, new_flows: 2000}", dpu, none, 149},
		{"churn: {rate: 500kpps, flows: 50, new_flows: 2000, lifetimes: exponential}", dpu, none, 149},
		{"churn: {rate: 500kpps, flows: 50, new_flows: 2000}, frame_sizes: imix", dpu, none, 149},
		{"syn_flood: {rate: 20kpps, arrivals: constant, timeout: 5ms}", dpu, none, 1},
		{"syn_flood: {rate: 20kpps}, frame_sizes: aB B=90", dpu, none, 1},
		{"syn_flood: {rate: 2Mpps, timeout: 5ms, arrivals: constant}", dpu, none, 2},
		{"syn_flood: {rate: 2Mpps, timeout: 5ms}", dpu, none, 4},
		{"syn_flood: {rate: 500kpps, timeout: 5ms, end: 20ms}", "{rules: 200}", none, 4},
	} {
		text := fmt.Sprintf(`
duration: 50ms
engine: packet
nic: %s
vnf: {buffer: 512, per_byte: %s, contention: {model: constant, rate: 3Mpps}}
instances: {initial: 4, min: 4, max: 4}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
telemetry: {window: 5ms}
workload:
  - {%s}
`, c.nic, c.perByte, c.work)
		sc := simtest.Parse(t, text)
		p, f := simtest.Run(t, sc, packet.New), simtest.Run(t, sc, fluid.New)
		a, b := &p.Run.Totals, &f.Run.Totals
		for _, m := range []*results.Memory{p, f} {
			if !m.Run.Conservation.Holds {
				t.Errorf("%s: %+v", c.work, m.Run.Conservation)
			}
		}
		for _, v := range []struct {
			what string
			p, f float64
		}{
			{"offered", a.Offered, b.Offered}, {"processed", a.Processed, b.Processed},
			{"lost on the link", a.Dropped.Link, b.Dropped.Link},
			{"lost by the eSwitch", a.Dropped.ESwitch, b.Dropped.ESwitch},
			{"lost by the slow path", a.Dropped.SlowPath, b.Dropped.SlowPath},
			{"lost by instances", a.Dropped.Instance, b.Dropped.Instance},
			{"rejected", a.Dropped.Rejected, b.Dropped.Rejected}, {"slow path", a.SlowPath, b.SlowPath},
			{"reordered", a.Reordered, b.Reordered},
		} {
			if math.Abs(v.p-v.f) > c.apart {
				t.Errorf("%s: %s: packet %.0f, fluid %.1f, want %.0f apart at most", c.work, v.what, v.p, v.f, c.apart)
			}
		}
	}
}
