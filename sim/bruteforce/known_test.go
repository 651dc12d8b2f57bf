package bruteforce

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/internal/simtest"
)

// Scenarios that this project's verification found to be simulated wrongly, with the right result. The brute-force
// simulator gives it, and the engines agree with that simulator.
func TestKnownScenarios(t *testing.T) {
	for _, c := range []struct {
		file  string
		right func(*results.Memory) (got, want any)
	}{
		// Packets and flow-time of one reading: the fourth flow is expected at 1 Mpps, so it fits on instance 2 only.
		{"w3-demand-late.yaml", func(m *results.Memory) (any, any) { return m.Flows[3].Instance, int32(2) }},
		// A flow that ends before its rule is in force was processed where it was assigned.
		{"w4-instance-column.yaml", func(m *results.Memory) (any, any) { return m.Flows[0].Instance, int32(1) }},
		// A flow that is held for want of an instance brings one.
		{"w5-zero.yaml", func(m *results.Memory) (any, any) { return m.Flows[0].Processed > 1e4, true }},
		// 16 us a packet until 5 ms, then 17 us: the first at 16 us, one in service when the second instance contends.
		{"w6-perbyte.yaml", func(m *results.Memory) (any, any) { return m.Flows[0].Processed, 312. + 412 }},
		// A rule that comes into force as its flow ends: what the eSwitch holds of it goes to the instance and
		// overtakes.
		{"rule-at-the-end.yaml", func(m *results.Memory) (any, any) { return m.Flows[0].Reordered, 16. }},
		// The same without any limit: what the slow path holds of it goes to the instance.
		{"rule-at-the-end-slow.yaml", func(m *results.Memory) (any, any) { return m.Flows[0].Processed, 50. }},
	} {
		t.Run(c.file, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range compare(t, string(b)).found {
				t.Error(x)
			}
			if got, want := c.right(simulate(t, simtest.Parse(t, string(b))).rec); got != want {
				t.Errorf("%v, want %v", got, want)
			}
		})
	}
}
