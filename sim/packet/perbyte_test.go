package packet_test

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// A packet that waits in a ring when a second instance begins to contend takes its own time at the new speed. One of
// 1500 B at 10 ns a byte takes 15 us and 1/C, now 2 us, and not the ratio of what frames of 64 B take.
func TestAChangeOfContentionRescalesByEachPacketsTime(t *testing.T) {
	sc := simtest.Parse(t, `name: w6
duration: 12ms
engine: packet
nic: ideal
vnf: {buffer: 100, per_byte: 10ns, contention: {model: table, points: {1: 1Mpps, 2: 500kpps}}}
instances: {initial: 2, min: 2, max: 2}
autoscaler: {policy: none}
telemetry: {window: 1ms}
workload:
  - flows:
      - {period: 10us, phase: 0s, packet_size: 1500B}
      - {period: 100us, phase: 5000001ns}
`)
	for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
		m := simtest.Run(t, sc, engine)
		for _, in := range m.Instances {
			if want := 1e6 / 17; in.Instance == 1 && in.T > 0.005 && math.Abs(in.Processed-want) > 1001 {
				t.Errorf("%s: at %g s instance 1 processes %g pps, want %.0f, 17 us a packet", name, in.T,
					in.Processed, want)
			}
		}
	}
}
