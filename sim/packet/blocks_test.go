package packet_test

import (
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// The state in which a block begins is guessed right behind a link with some time to spare, and without one, for flows
// of one period or of many.
func TestBlocksBeginWhereTheOneBeforeEnds(t *testing.T) {
	for _, c := range []struct {
		name, nic     string
		period, apart int // the first flow's in ps, and by how much each is longer than the one before
	}{
		{"no link", "eswitch_limit: 60Mpps", 65_003, 97},
		{"a fast link", "eswitch_limit: 60Mpps, link: 170Gbps, frame_overhead: 20B", 65_003, 97},
		{"one period", "eswitch_limit: 60Mpps, link: 170Gbps, frame_overhead: 20B", 65_003, 0},
		{"a service of 16 and 2/3 ps, where each ps counts", "eswitch_limit: 60_000Mpps", 67, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := fmt.Sprintf("engine: packet\nduration: %dns\nnic: {profile: ideal, eswitch_queue: 8, %s}\n"+
				"vnf: {contention: {model: constant, rate: 10Mpps}}\ninstances: {initial: 4, min: 4, max: 4}\n"+
				"scheduler: {policy: round-robin}\nautoscaler: {policy: none}\nworkload:\n  - flows:\n",
				c.period*30, c.nic)
			for i := range 8 {
				text += fmt.Sprintf("      - {period: %dps, phase: %dps, packet_size: 64B}\n",
					c.period+i*c.apart, i*c.period/9)
			}
			var plane sim.DataPlane
			simtest.Run(t, simtest.Parse(t, text), func(sc *scenarios.Scenario, w *traces.Workload, end units.Time,
				ctl sim.Control) (d sim.DataPlane, err error) {
				plane, err = packet.Leap(sc, w, end, ctl)
				return plane, err
			})
			if n, right := packet.Blocks(plane); n != 3 || !right {
				t.Errorf("%d blocks, guessed right the last time: %v; want 3, true", n, right)
			}
		})
	}
}
