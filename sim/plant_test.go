package sim_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/units"
)

const base = `
name: plant
duration: 20s
nic: {profile: ideal, slowpath_rate: 1Mpps, slowpath_queue: 1000, install_latency: 1ms, engine_latency: 100ms%s}
vnf: {contention: {model: constant, rate: 10Mpps}, start_latency: 400ms, stop_latency: 200ms}
instances: {initial: 1, min: 1, max: 4}
autoscaler: {policy: target-utilization, target: 0.5, interval: 1s, stabilization: 2s, drain: %s}
workload:
  - flows:
%s
faults:
  - {kind: link-down, at: 19s, for: 1ms}
%s
`

// seen keeps what the orchestrator was told and what it wanted, with its times.
type seen struct {
	*results.Memory
	events  map[orchestrator.EventKind][]units.Time
	actions map[orchestrator.ActionKind][]units.Time
}

func (s *seen) Event(now units.Time, e *orchestrator.Event) {
	s.events[e.Kind] = append(s.events[e.Kind], now)
	s.Memory.Event(now, e)
}

func (s *seen) Action(now units.Time, a *orchestrator.Action) {
	s.actions[a.Kind] = append(s.actions[a.Kind], now)
	s.Memory.Action(now, a)
}

func play(t *testing.T, nic, drain, flows, faults string) *seen {
	t.Helper()
	sc := simtest.Parse(t, fmt.Sprintf(base, nic, drain, flows, faults))
	w := simtest.Traffic(t, sc)
	s := &seen{results.NewMemory(), map[orchestrator.EventKind][]units.Time{},
		map[orchestrator.ActionKind][]units.Time{}}
	simtest.Record(t, sc, w, fluid.New, s)
	if !s.Run.Conservation.Holds {
		t.Errorf("conservation: %+v", s.Run.Conservation)
	}
	return s
}

// A container takes the engine's latency and its own start. The log has the order that asked for it.
func TestScaleOutTakesTime(t *testing.T) {
	s := play(t, "", "move", "      - {period: 125ns}", "")
	created, ready := s.actions[orchestrator.CreateInstance], s.events[orchestrator.InstanceReady]
	if len(created) != 2 || len(ready) != 2 {
		t.Fatalf("created at %v, ready at %v; want the first instance and one more", created, ready)
	}
	if ready[0] != 0 || ready[1]-created[1] != 500*units.Millisecond {
		t.Errorf("created at %v, ready at %v; want 0 and 500 ms later", created, ready)
	}
}

// 8 Mpps want two instances. When they end, one goes: it drains, is stopped, and is gone.
func TestScaleInDrains(t *testing.T) {
	for _, drain := range []string{"move", "finish"} {
		s := play(t, "", drain, "      - {period: 250ns}\n      - {period: 250ns, phase: 3s, end: 8s}\n"+
			"      - {period: 1us, phase: 6s, end: 12s}", "")
		if n := len(s.actions[orchestrator.DeleteInstance]); n != 1 {
			t.Errorf("drain %s: %d instances deleted, want 1", drain, n)
		}
		if n := len(s.events[orchestrator.InstanceGone]); n != 1 {
			t.Errorf("drain %s: %d instances gone, want 1", drain, n)
		}
		states := map[string]bool{}
		for _, i := range s.Instances {
			states[i.State] = true
		}
		if !states["ready"] || !states["gone"] && !states["stopping"] && !states["draining"] {
			t.Errorf("drain %s: states %v", drain, states)
		}
	}
}

func TestFullRuleTableLeavesFlowsOnTheSlowPath(t *testing.T) {
	s := play(t, ", rules: 1", "move", "      - {period: 1us}\n      - {period: 2us, phase: 1s}", "")
	if s.Run.Totals.RulesRejected == 0 || s.Run.Totals.RulesInstalled != 1 {
		t.Errorf("%d rules installed, %d rejected; want 1 and some", s.Run.Totals.RulesInstalled,
			s.Run.Totals.RulesRejected)
	}
	if got, want := s.Run.Totals.SlowPath, 0.5e6*18.9; got < want {
		t.Errorf("slow path carried %.0f packets, want at least the second flow's %.0f", got, want)
	}
}

func TestFaults(t *testing.T) {
	flow := "      - {period: 125ns, phase: 2s}"
	for _, c := range []struct {
		fault string
		holds func(s *seen) bool
		want  string
	}{
		{"{kind: engine-stall, at: 1s, for: 9s}", func(s *seen) bool {
			r := s.events[orchestrator.InstanceReady]
			return len(r) == 2 && r[1] > 10*units.Second
		},
			"the second instance ready only after the stall"},
		{"{kind: engine-failure, at: 1s, for: 9s}", func(s *seen) bool {
			return len(s.events[orchestrator.InstanceFailed]) > 0 && len(s.events[orchestrator.InstanceReady]) > 1
		},
			"failures, and success after the fault"},
		{"{kind: counters-stall, at: 1s, for: 10s}", func(s *seen) bool {
			c := s.actions[orchestrator.CreateInstance]
			return len(c) >= 2 && c[1] >= 11*units.Second
		},
			"no scale-out while the counters stand still"},
		{"{kind: rule-reject, at: 1s, for: 5s}", func(s *seen) bool {
			i := s.events[orchestrator.RuleInstalled]
			return len(s.events[orchestrator.RuleRejected]) > 0 && len(i) > 0 && i[0] >= 6*units.Second
		},
			"rejections, and the rule after the fault"},
		{"{kind: link-down, at: 5s, for: 2s}", func(s *seen) bool { return s.Run.Totals.Dropped.Link > 2*8e6-1 },
			"two seconds of traffic lost on the link"},
		{"{kind: instance-death, at: 5s, instance: 1}",
			func(s *seen) bool { return len(s.events[orchestrator.InstanceFailed]) == 1 && s.Flows[0].Instance != 1 },
			"the flow on another instance"},
	} {
		if s := play(t, "", "move", flow, "  - "+c.fault); !c.holds(s) {
			t.Errorf("%s: want %s; totals %+v", c.fault, c.want, s.Run.Totals)
		}
	}
}

// A run that is stopped says so in its record and returns the context's error.
func TestStopped(t *testing.T) {
	study, err := scenarios.Load("fig9-best-fit", nil)
	if err != nil {
		t.Fatal(err)
	}
	sc := study.Runs[0].Scenario
	w := simtest.Traffic(t, sc)
	ctx, cancel := context.WithCancel(context.Background())
	m := results.NewMemory()
	err = sim.Run(ctx, sc, w, fluid.New, m, sim.Options{Progress: func(now, _ units.Time) {
		if now == 100*units.Second {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || m.Run.Complete || m.Run.Error == "" {
		t.Errorf("error %v, complete %v, %q", err, m.Run.Complete, m.Run.Error)
	}
	if len(m.Windows) != 100 {
		t.Errorf("%d windows, want those up to the stop", len(m.Windows))
	}
}
