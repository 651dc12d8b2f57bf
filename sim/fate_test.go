package sim_test

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/units"
)

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

// A rule that comes into force at the instant at which its flow ends, 2 ms, leaves the flow its instance: what the slow path
// still holds of it, some 39 packets, goes there.
func TestARuleAtTheEndOfItsFlow(t *testing.T) {
	both(t, `
duration: 20ms
nic: {profile: ideal, slowpath_rate: 10kpps, slowpath_queue: 100, install_latency: 900us}
vnf: {contention: {model: constant, rate: 1Mpps}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
telemetry: {window: 1ms}
workload: [{flows: [{rate: 50kpps, phase: 1ms, end: 2ms}]}]
`, func(t *testing.T, h *history) {
		if got := h.within(2 * units.Millisecond); len(got) < 2 || got[0] != "installed" || got[1] != "ended" {
			t.Fatalf("at 2 ms: %v, want installed and ended first", got)
		}
		if got := h.Run.Totals; got.Dropped.Sum() > 1e-3 || got.Queued > 1e-3 || math.Abs(got.Processed-50) > 1e-3 {
			t.Errorf("%v processed, %v queued, %+v lost; want 50, 0 and none", got.Processed, got.Queued, got.Dropped)
		}
	})
}

// Of two flows one has no rule, for want of room in the table. Both lose their instance at 5 ms, are held until the next is
// ready, at 10 ms, and lose to the scheduler what comes in between but for the first packet, with a rule or not.
func TestAHeldFlowLosesNothingToADeadInstance(t *testing.T) {
	both(t, `
duration: 20ms
nic: {profile: ideal, rules: 1, engine_latency: 0s}
vnf: {start_latency: 5ms}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
telemetry: {window: 1ms}
workload: [{flows: [{period: 100us, phase: 50us}, {period: 100us, phase: 50us}]}]
faults: [{kind: instance-death, at: 5ms, instance: 1}]
`, func(t *testing.T, h *history) {
		got := h.Run.Totals
		if got.RulesRejected == 0 {
			t.Fatal("no rule was refused")
		}
		if got.Dropped.Instance > 1e-3 || math.Abs(got.Dropped.Rejected-98) > 2 {
			t.Errorf("%v lost by instances, %v rejected; want 0 and 98", got.Dropped.Instance, got.Dropped.Rejected)
		}
	})
}
