package sim_test

import "testing"

// A workload whose only flow would begin after the end has no flows; an instance goes all the same, by death or by scale-in.
func TestAnInstanceGoesWithoutAnyFlow(t *testing.T) {
	const text = `
duration: 10ms
instances: {initial: 2, min: 1, max: 2}
telemetry: {window: 1ms}
workload: [{flows: [{rate: 1Mpps, phase: 20ms}]}]
`
	for name, rest := range map[string]string{
		"death":    "faults: [{kind: instance-death, at: 1ms, instance: 1}]\n",
		"scale-in": "nic: ideal\nvnf: {stop_latency: 1ms}\nautoscaler: {interval: 1ms, stabilization: 0s}\n",
	} {
		t.Run(name, func(t *testing.T) {
			both(t, text+rest, func(t *testing.T, h *history) {
				gone := false
				for _, r := range h.Instances {
					gone = gone || r.State == "failed" || r.State == "gone"
				}
				if got := h.Run.Totals; !gone || len(h.Flows) != 0 || got.Offered != 0 || got.Dropped.Sum() != 0 {
					t.Errorf("gone %v, %d flows, %+v; want an instance gone and nothing else", gone, len(h.Flows), got)
				}
			})
		})
	}
}
