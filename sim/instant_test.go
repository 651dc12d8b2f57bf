package sim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// history keeps what happened, in order.
type history struct {
	*results.Memory
	what []string // "time event-or-action flow instance"
	at   []units.Time
	log  []orchestrator.Decision
}

var eventNames = map[orchestrator.EventKind]string{
	orchestrator.FlowArrived: "arrived", orchestrator.FlowEnded: "ended", orchestrator.CountersRead: "counters",
	orchestrator.InstanceReady: "ready", orchestrator.InstanceFailed: "failed",
	orchestrator.RuleInstalled: "installed", orchestrator.RuleRejected: "rejected",
}

func (h *history) Event(now units.Time, e *orchestrator.Event) {
	name := eventNames[e.Kind]
	if e.Kind == orchestrator.Tick {
		name = [...]string{orchestrator.TelemetryTimer: "telemetry", orchestrator.AutoscaleTimer: "autoscaler"}[e.Timer]
	}
	h.what, h.at = append(h.what, name), append(h.at, now)
	h.Memory.Event(now, e)
}

func (h *history) Decided(d *orchestrator.Decision) {
	c := *d
	c.Candidates = slices.Clone(d.Candidates)
	h.log = append(h.log, c)
	h.Memory.Decided(d)
}

// decision is the first decision of that kind at that time.
func (h *history) decision(t *testing.T, kind string, at units.Time) orchestrator.Decision {
	t.Helper()
	for _, d := range h.log {
		if d.Kind == kind && d.At == at {
			return d
		}
	}
	t.Fatalf("no decision %q at %v", kind, at)
	return orchestrator.Decision{}
}

// within is what happened at an instant, in order.
func (h *history) within(at units.Time) (what []string) {
	for k, t := range h.at {
		if t == at {
			what = append(what, h.what[k])
		}
	}
	return what
}

// both runs a scenario on each engine.
func both(t *testing.T, text string, check func(t *testing.T, h *history)) {
	t.Helper()
	for name, engine := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
		t.Run(name, func(t *testing.T) {
			sc := simtest.Parse(t, "engine: "+name+"\n"+text)
			w := simtest.Traffic(t, sc)
			h := &history{Memory: results.NewMemory()}
			simtest.Record(t, sc, w, engine, h)
			if !h.Run.Conservation.Holds {
				t.Errorf("conservation: %+v", h.Run.Conservation)
			}
			check(t, h)
		})
	}
}

// With a window of 1 ms and an interval of 2 ms, the autoscaler acts at 4 ms on the counters of 4 ms, 5.5 Mpps, and not
// on those of 3 ms, 1 Mpps, although its timer was set before that of the window.
func TestTelemetryComesBeforeTheAutoscaler(t *testing.T) {
	both(t, `
duration: 6ms
nic: ideal
instances: {initial: 1, min: 1, max: 8}
autoscaler: {interval: 2ms}
telemetry: {window: 1ms}
workload:
  - flows:
      - {period: 1us}
      - {period: 100ns, phase: 3500us}
`, func(t *testing.T, h *history) {
		got, want := h.within(4*units.Millisecond), []string{"telemetry", "counters", "autoscaler"}
		if !slices.Equal(got, want) {
			t.Errorf("at 4 ms: %v, want %v", got, want)
		}
		if d := h.decision(t, orchestrator.Recommend, 4*units.Millisecond); d.Desired != 2 {
			t.Errorf("at 4 ms %d instances are recommended (%s), want 2", d.Desired, d.Reason)
		}
	})
}

// Everything that can happen at one instant happens at 2 ms: rules take effect, a flow ends, late counters arrive, a
// window and an interval end, and a flow begins.
func TestOrderWithinAnInstant(t *testing.T) {
	both(t, `
duration: 4ms
nic: {profile: ideal, install_latency: 500us}
instances: {initial: 2, min: 1, max: 8}
autoscaler: {interval: 2ms}
telemetry: {window: 1ms, delay: 1ms}
faults: [{kind: instance-death, at: 2ms, instance: 1}]
workload:
  - flows:
      - {period: 100us, phase: 100us, end: 2ms}
      - {period: 500us, phase: 2ms}
      - {period: 100us, phase: 1500us}
`, func(t *testing.T, h *history) {
		got, want := h.within(2*units.Millisecond), []string{"failed", "installed", "ended", "counters", "telemetry",
			"autoscaler", "arrived"}
		if !slices.Equal(got, want) {
			t.Errorf("at 2 ms: %v, want %v", got, want)
		}
	})
}

// A new instance takes 4 ms to start. At 6 ms its flows have sent 6.8 Mpps in the last window and 14.8 Mpps in all.
func TestTheFirstRateOfAnInstance(t *testing.T) {
	both(t, `
duration: 8ms
nic: {profile: ideal, engine_latency: 0s}
instances: {initial: 1, min: 1, max: 8}
vnf: {start_latency: 4ms}
telemetry: {window: 1ms}
autoscaler: {interval: 1ms}
scheduler: {policy: worst-fit}
workload:
  - flows:
      - {period: 250ns}
      - {period: 250ns, phase: 500us}
      - {period: 250ns, phase: 5100us}
      - {period: 250ns, phase: 5200us}
`, func(t *testing.T, h *history) {
		d := h.decision(t, orchestrator.Recommend, 6*units.Millisecond)
		if d.Desired != 3 || !strings.HasPrefix(d.Reason, "14.8") {
			t.Errorf("at 6 ms %d instances are recommended (%s), want 3 for 14.8 Mpps", d.Desired, d.Reason)
		}
	})
}

// Each flow sends 1 Mpps, and counters come one and a half windows late. The flow of 2.6 ms is expected to bring 1
// Mpps, for which instance 1 has no room.
func TestDemandWithLateCounters(t *testing.T) {
	both(t, `
duration: 6ms
nic: ideal
vnf: {contention: {model: constant, rate: 25Mpps}}
instances: {initial: 3, min: 3, max: 3}
autoscaler: {policy: none}
scheduler: {policy: best-fit, limit: 3Mpps}
telemetry: {window: 1ms, delay: 1500us}
workload:
  - flows:
      - {period: 1us, phase: 500us}
      - {period: 1us, phase: 1100us}
      - {period: 1us, phase: 1200us}
      - {period: 1us, phase: 2600us}
`, func(t *testing.T, h *history) {
		if d := h.decision(t, orchestrator.Schedule, 2600*units.Microsecond); d.Flow != 3 || d.Instance != 2 {
			t.Errorf("flow %d goes to instance %d among %v, want flow 3 on 2", d.Flow, d.Instance, d.Candidates)
		}
	})
}

// A flow's instance is the one to which its packets went last, by a rule or not.
func TestInstanceAndMovesFollowThePackets(t *testing.T) {
	const two = "instances: {initial: 2, min: 1, max: 2}\nautoscaler: {policy: none}\n" +
		"scheduler: {policy: round-robin}\n"
	for _, c := range []struct {
		name, nic, rest string
		instance, moves int32
	}{
		{"it ends before its rule is in force", "install_latency: 5ms",
			"workload: [{flows: [{period: 100us, phase: 1ms, end: 3ms}]}]", 1, 0},
		{"its rule is refused", "rules: 1, install_latency: 0s",
			"workload: [{flows: [{period: 100us, phase: 1ms, end: 9ms}, {period: 100us}]}]", 2, 0},
		{"its instance dies, without a rule", "install_latency: 50ms", "workload: [{flows: [{period: 100us}]}]\n" +
			"faults: [{kind: instance-death, at: 5ms, instance: 1}]", 2, 1},
		{"its instance dies, with a rule", "install_latency: 1ms", "workload: [{flows: [{period: 100us}]}]\n" +
			"faults: [{kind: instance-death, at: 5ms, instance: 1}]", 2, 1},
		{"the moved rule is not in force when the run ends", "install_latency: 4ms",
			"workload: [{flows: [{period: 100us}]}]\nfaults: [{kind: instance-death, at: 7ms, instance: 1}]", 1, 0},
		{"no instance lives", "install_latency: 1ms", "workload: [{flows: [{period: 100us}]}]\n" +
			"faults: [{kind: instance-death, at: 0s, instance: 1}, {kind: instance-death, at: 0s, instance: 2}]\n" +
			"vnf: {start_latency: 1s}", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := "duration: 10ms\ntelemetry: {window: 1ms}\nnic: {profile: ideal, " + c.nic + "}\n" +
				two + c.rest + "\n"
			both(t, text, func(t *testing.T, h *history) {
				i := slices.IndexFunc(h.Flows, func(f results.Flow) bool {
					return strings.Contains(c.name, "refused") == (f.Start > 0.0005) || len(h.Flows) == 1
				})
				f := h.Flows[i]
				if f.Instance != c.instance || f.Moves != c.moves || h.Run.Totals.Moves != int64(c.moves) {
					t.Errorf("instance %d, %d moves, %d in all; want %d, %d",
						f.Instance, f.Moves, h.Run.Totals.Moves, c.instance, c.moves)
				}
			})
		})
	}
}

// Without an instance nothing can take the flow. What was held of it is lost when it ends.
func TestAHeldFlowThatEndsLeavesNothingQueued(t *testing.T) {
	for _, nic := range []string{"profile: ideal", "profile: ideal, slowpath_rate: 5kpps, slowpath_queue: 100"} {
		both(t, `
duration: 20ms
nic: {`+nic+`}
vnf: {start_latency: 1s}
instances: {initial: 0, min: 0, max: 1}
telemetry: {window: 1ms}
workload:
  - flows: [{period: 100us, phase: 1ms, end: 5ms}]
`, func(t *testing.T, h *history) {
			f, total := h.Flows[0], h.Run.Totals
			if f.Queued != 0 || total.Queued != 0 || total.Dropped.Rejected < 39 || f.Dropped < 39 {
				t.Errorf("%s: %v queued, %v in all; %v rejected of %v", nic, f.Queued, total.Queued,
					total.Dropped.Rejected, total.Offered)
			}
		})
	}
}

// A flow for which there is no instance brings one, and goes there.
func TestNoInstanceAtAllIsNotForGood(t *testing.T) {
	both(t, `
duration: 50ms
nic: {profile: ideal, engine_latency: 0s}
vnf: {start_latency: 2ms}
instances: {initial: 0, min: 0, max: 2}
telemetry: {window: 1ms}
autoscaler: {interval: 1ms}
workload:
  - flows: [{period: 1us}]
`, func(t *testing.T, h *history) {
		if got := h.Run.Totals; got.Processed < 0.9*got.Offered {
			t.Errorf("%v processed of %v", got.Processed, got.Offered)
		}
		if d := h.decision(t, orchestrator.Create, units.Millisecond); d.Instance != 1 {
			t.Errorf("at 1 ms instance %d is created, want 1", d.Instance)
		}
	})
}

// The drop rule of a refused flow takes the writer's time and a place in the table like any other.
func TestDropRulesAreRules(t *testing.T) {
	const text = `
duration: 20ms
nic: {profile: ideal, install_rate: 1000, rules: %d}
instances: {initial: 1, min: 1, max: 1}
autoscaler: {policy: none}
scheduler: {policy: best-fit, limit: 1kpps, demand: fixed, demand_rate: 1kpps, nofit: reject}
telemetry: {window: 100ms}
workload:
  - flows:
      - {period: 1ms}
      - {period: 1ms, phase: 1us}
      - {period: 1ms, phase: 2us}
`
	both(t, fmt.Sprintf(text, 0), func(t *testing.T, h *history) {
		var at []units.Time
		for k, w := range h.what {
			if w == "installed" {
				at = append(at, h.at[k])
			}
		}
		want := []units.Time{units.Millisecond, 2 * units.Millisecond, 3 * units.Millisecond}
		if !slices.Equal(at, want) {
			t.Errorf("rules in force at %v, want %v: one flow is taken and two are refused", at, want)
		}
	})
	both(t, fmt.Sprintf(text, 2), func(t *testing.T, h *history) {
		if got := h.Run.Totals; got.RulesInstalled != 2 || got.RulesRejected != 1 {
			t.Errorf("%d rules installed and %d rejected, want 2 and 1: the drop rule has the other place",
				got.RulesInstalled, got.RulesRejected)
		}
	})
}

// A flow of 100 packets a ms moves from 1, which is drained at 5 ms, to 2; the rule takes 2 ms.
func TestWhenAMovedFlowChangesSides(t *testing.T) {
	both(t, `
duration: 10ms
nic: {profile: ideal, install_latency: 2ms}
instances: {initial: 2, min: 1, max: 2}
autoscaler: {interval: 5ms, stabilization: 0s, victim: oldest}
telemetry: {window: 1ms}
vnf: {contention: {model: constant, rate: 1Mpps}}
workload:
  - flows: [{period: 10us}]
`, func(t *testing.T, h *history) {
		if d := h.decision(t, orchestrator.Schedule, 5*units.Millisecond); d.Instance != 2 {
			t.Errorf("at 5 ms the scheduler sends the flow to %d, want 2", d.Instance)
		}
		for _, r := range h.Instances {
			want := int32(0)
			if before := r.T < 0.0071; before == (r.Instance == 1) {
				want = 1
			}
			if r.Flows != want {
				t.Errorf("at %v instance %d has %d flows, want %d: the plant follows at 7 ms", r.T, r.Instance,
					r.Flows, want)
			}
		}
	})
}
