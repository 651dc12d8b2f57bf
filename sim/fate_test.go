package sim_test

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// A workload whose only flow would begin after the end has no flows. An instance can go all the same, by death or by
// scale-in.
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

// A rule that comes into force at 2 ms, the instant at which its flow ends, leaves the flow its instance: what the slow
// path still holds of it, some 39 packets, goes there.
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

// Of two flows one has no rule, since the table is full. Both lose their instance at 5 ms and are held until the next
// one is ready, at 10 ms. With a rule or without, what they send in between is lost at the scheduler, but for the first
// packet.
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

// The link is down when an instance dies. Each flow loses its share of the 24,950 packets in the ring; if the run ends
// instead, each still has it there. The same holds if a flow without a rule still comes from the slow path, with 5 of
// 22,455 packets.
func TestTheRingWhileTheLinkIsDown(t *testing.T) {
	const death = ", {kind: instance-death, at: 5010us, instance: 1}"
	for _, c := range []struct {
		name, nic, faults string
		lost, held        [2]float64 // of each flow; 90 and 10 by the link
	}{
		{"death", "", death, [2]float64{90 + 22_455, 10 + 2495}, [2]float64{}},
		{"end", "", "", [2]float64{90, 10}, [2]float64{22_455, 2495}},
		{"death, and the slow path has 2,495", ", rules: 1, slowpath_rate: 500kpps, slowpath_queue: 10000", death,
			[2]float64{90 + 21_273, 10 + 1182}, [2]float64{0, 2495}},
	} {
		t.Run(c.name, func(t *testing.T) {
			both(t, `
duration: 5010001ns
nic: {profile: ideal, link: 0bps`+c.nic+`}
vnf: {buffer: 100000, contention: {model: constant, rate: 5Mpps}}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
telemetry: {window: 1ms}
workload: [{flows: [{rate: 9Mpps}, {rate: 1Mpps}]}]
faults: [{kind: link-down, at: 5ms, for: 1ms}`+c.faults+`]
`, func(t *testing.T, h *history) {
				bytes := 0.0
				for k, sent := range []float64{45_090, 5010} {
					f, processed := h.Flows[k], sent-c.lost[k]-c.held[k]
					if bytes += 64 * processed; math.Abs(f.Dropped-c.lost[k]) > 40 ||
						math.Abs(f.Queued-c.held[k]) > 40 || math.Abs(f.Processed-processed) > 40 {
						t.Errorf("flow %d: %.1f lost, %.1f queued, %.1f processed; want %.1f, %.1f and %.1f",
							k, f.Dropped, f.Queued, f.Processed, c.lost[k], c.held[k], processed)
					}
				}
				if got := h.Run.Totals.ProcessedBytes; math.Abs(got-bytes) > 64*40 {
					t.Errorf("%.1f bytes processed, want %.1f", got, bytes)
				}
			})
		})
	}
}
