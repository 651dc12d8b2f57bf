package sim_test

import (
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

// n flows that each bring exactly an instance's target want n instances, in every window, whatever target, limit and
// number, and whether or not a packet's time is a whole number of picoseconds.
func TestLoadsThatEqualTheTargetExactly(t *testing.T) {
	for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
		tried := 0
		for _, limit := range []int{1e6, 3e6, 4.65e6, 7.7e6, 10e6, 25e6} {
			for _, percent := range []int{10, 15, 30, 35, 50, 65, 70, 90, 100} {
				for _, n := range []int{1, 2, 3, 5, 7} {
					rate := limit / 100 * percent
					if name == "packet" && (n*rate > 20e6 || percent%30 != 0) {
						continue
					}
					tried++
					sc := simtest.Parse(t, fmt.Sprintf(`
duration: 41ms
engine: %s
nic: ideal
vnf: {contention: {model: constant, rate: 1Gpps}}
instances: {initial: %d, min: 1, max: 20}
telemetry: {window: 10ms}
scheduler: {limit: %dpps, policy: worst-fit}
autoscaler: {target: %v, interval: 10ms, stabilization: 0s}
workload: [{cbr: {flows: %d, interval: 0s, rate: %dpps}}]
`, name, n, limit, float64(percent)/100, n, rate))
					w := simtest.Traffic(t, sc)
					h := &history{Memory: results.NewMemory()}
					simtest.Record(t, sc, w, engine, h)
					recommended := 0
					for _, d := range h.log {
						if d.Kind != orchestrator.Recommend {
							continue
						}
						if recommended++; d.Desired != n {
							t.Errorf("%s: %d flows of %d pps at %d %% of %d pps: at %v %d instances (%s)", name, n,
								rate, percent, limit, d.At, d.Desired, d.Reason)
						}
					}
					if recommended == 0 {
						t.Errorf("%s: %d flows of %d pps at %d %% of %d pps: nothing is recommended", name, n, rate,
							percent, limit)
					}
				}
			}
		}
		t.Logf("%s: %d combinations", name, tried)
	}
}
