package theory

import (
	"context"
	"fmt"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// published are the counts of the common work on which eight independent simulators agree: SimGrid, SimPy, simgo,
// akita, htsim, the core of ns-3, OMNeT++ and a program in C; not each of them ran every size. Waits are summed over
// the accepted packets, where the sum is known.
var published = []struct {
	after             units.Time
	offered, accepted float64
	waits             float64 // ps
}{
	{1 * units.Millisecond, 149_072, 103_283, 0},
	{2 * units.Millisecond, 298_146, 202_487, 0},
	{5 * units.Millisecond, 745_360, 500_086, 0},
	{10 * units.Millisecond, 1_490_720, 996_088, 0},
	{20 * units.Millisecond, 2_981_440, 1_988_089, 0},
	{100 * units.Millisecond, 14_907_194, 9_924_105, 408_247_267_495_235},
	{10 * units.Second, 1_490_719_350, 992_006_068, 40_832_977_769_482_415},
}

// commonWork are the published counts, up to a number of packets in proportion to those of the other systems.
func commonWork(packets int) (all []system) {
	for _, p := range published {
		if p.offered > 2000*float64(packets) {
			continue
		}
		s := system{name: fmt.Sprintf("common work, %v", p.after), runs: 1,
			quantities: []quantity{{"offered", p.offered}, {"accepted", p.accepted}}}
		if p.waits > 0 {
			s.quantities = append(s.quantities, quantity{"mean wait, ps", results.Round(p.waits / p.accepted)})
		}
		s.run = func(ctx context.Context, _ uint64) ([]float64, error) { return overload(ctx, p.after, p.waits > 0) }
		all = append(all, s)
	}
	return all
}

// overload runs the common work through the orchestrator: 32 constant-rate flows, flow i every 200000+970i ps from
// 6700i ps on, by Round-Robin to eight instances of 80645 ps a packet with room for 512: a load of 1.5. With waits it
// goes on after the flows have ended until all that was accepted is processed.
func overload(ctx context.Context, after units.Time, waits bool) ([]float64, error) {
	duration, delay := after, "none"
	if waits {
		duration, delay = after+units.Millisecond, "instances"
	}
	var b strings.Builder
	fmt.Fprintf(&b, `
name: common-work
duration: %v
engine: packet
nic: ideal
vnf: {buffer: 512, contention: {model: constant, service_time: 80645ps}}
instances: {initial: 8, min: 8, max: 8}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
measure: {delay: %s}
workload:
  - flows:
`, duration, delay)
	for i := range 32 {
		fmt.Fprintf(&b, "      - {period: %dps, phase: %dps, end: %v, packet_size: 64B}\n", 200000+970*i, 6700*i, after)
	}
	sc, err := scenario(b.String())
	if err != nil {
		return nil, err
	}
	w, err := sc.Traffic()
	if err != nil {
		return nil, err
	}
	m, err := simulate(ctx, sc, w, packet.New)
	if err != nil {
		return nil, err
	}
	t := &m.Run.Totals
	out := []float64{t.Offered, t.Processed + t.Queued}
	for _, l := range m.Latencies {
		if l.Scope == "run" && l.Kind == "wait" {
			out = append(out, l.Mean)
		}
	}
	return out, nil
}
