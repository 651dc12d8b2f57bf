package replay_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/replay"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/traces"
)

// short is a run of six flows, one more every 120 ms, on three instances.
const short = `
name: short
duration: 1s
nic: ideal
instances: {initial: 3, min: 1, max: 4}
scheduler: {policy: round-robin, limit: 2kpps}
autoscaler: {policy: none, interval: 150ms}
telemetry: {window: 150ms}
workload:
  - cbr: {flows: 6, interval: 120ms, rate: 500pps}
`

func load(t *testing.T, text string, sets ...string) (*scenarios.Scenario, *traces.Workload) {
	t.Helper()
	st, err := scenarios.Parse("short.yaml", []byte(text), ".", sets)
	if err != nil {
		t.Fatal(err)
	}
	sc := st.Runs[0].Scenario
	w, err := sc.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	return sc, w
}

// outcome is a run on the rack.
type outcome struct {
	*results.Memory
	err  error
	said string
}

// run replays a scenario on the rack. It has to be called in a bubble of synctest: there time is what the test makes of
// it, however busy the machine is.
func run(ctx context.Context, t *testing.T, r *rack, text string, sets ...string) *outcome {
	t.Helper()
	sc, w := load(t, text, sets...)
	h := r.open(t)
	defer h.Switch.Close()
	if err := replay.Check(sc, w, h.Switch.Capabilities()); err != nil {
		t.Fatal(err)
	}
	o := &outcome{Memory: results.NewMemory()}
	o.Memory.Skew(replay.Skew(h.Switch.Capabilities()))
	if r.during != nil {
		r.during()
	}
	o.err = replay.Run(ctx, sc, w, h, o.Memory,
		replay.Options{Version: "test", Say: func(s string) { o.said += s + "\n" }})
	if n := r.Device.Len(); n != 0 {
		t.Errorf("%d rules are left", n)
	}
	if left, _ := r.List(ctx); len(left) != 0 {
		t.Errorf("containers are left: %v", left)
	}
	if !o.Run.Conservation.Holds {
		t.Errorf("conservation: %+v", o.Run.Conservation)
	}
	o.fedAgain(t, sc)
	return o
}

// fedAgain verifies that the record's events, fed to a new orchestrator, give its decisions and actions.
func (o *outcome) fedAgain(t *testing.T, sc *scenarios.Scenario) {
	t.Helper()
	rec, err := o.Record()
	if err != nil {
		t.Fatal(err)
	}
	v, err := rec.Verify(sc.Orchestrator())
	if err != nil {
		t.Fatal(err)
	}
	if d := v.Difference; d != nil {
		t.Fatalf("fed again, line %d of the log gives\n%s\nwant\n%s", d.Line, strings.Join(d.Replayed, "\n"),
			strings.Join(d.Recorded, "\n"))
	}
	if v.Actions == 0 {
		t.Fatal("no actions")
	}
}

// placements are where flows went, in order.
func placements(t *testing.T, m *results.Memory) (all []string) {
	t.Helper()
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	for d, err := range rec.Decisions() {
		if err != nil {
			t.Fatal(err)
		}
		if d.Kind == orchestrator.Schedule {
			all = append(all, fmt.Sprintf("flow %d to instance %d", d.Flow, d.Instance))
		}
	}
	return all
}

func TestReplayDecidesAsTheSimulationDoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		sc, w := load(t, short)
		simulated := results.NewMemory()
		if err := sim.Run(context.Background(), sc, w, fluid.New, simulated, sim.Options{}); err != nil {
			t.Fatal(err)
		}
		o := run(context.Background(), t, newRack(0), short)
		if o.err != nil {
			t.Fatal(o.err)
		}
		if got, want := placements(t, o.Memory), placements(t, simulated); !reflect.DeepEqual(got, want) {
			t.Errorf("replayed:\n%s\nsimulated:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		r, s := &o.Run, &simulated.Run
		if r.Plant != "hw" || r.Engine != "memory" || !r.Complete || r.Error != "" {
			t.Errorf("run.json says plant %s, engine %s, complete %v, error %q", r.Plant, r.Engine, r.Complete, r.Error)
		}
		if r.Totals.Offered < 0.9*s.Totals.Offered || r.Totals.Offered > 1.1*s.Totals.Offered {
			t.Errorf("%.0f packets offered, %.0f simulated", r.Totals.Offered, s.Totals.Offered)
		}
		if lost := r.Totals.Offered - r.Totals.Processed; lost != 0 || r.Totals.Queued != 0 {
			t.Errorf("%.0f of %.0f packets lost, %.0f queued, on a testbed that loses none: %+v", lost,
				r.Totals.Offered, r.Totals.Queued, r.Totals)
		}
		if len(o.Flows) != 6 || len(o.Windows) < 3 || o.Windows[len(o.Windows)-1].T != 1 {
			t.Errorf("%d flows, %d windows, the last %+v", len(o.Flows), len(o.Windows), o.Windows[len(o.Windows)-1])
		}
		for _, f := range o.Flows {
			if f.Offered == 0 || f.Processed != f.Offered || f.Instance != f.Flow%3+1 {
				t.Errorf("flow %+v", f)
			}
		}
	})
}

func TestOverloadIsLossAtTheInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.capacity = 400
		o := run(context.Background(), t, r, short, "instances.initial=1", "instances.max=1")
		if o.err != nil {
			t.Fatal(o.err)
		}
		d := &o.Run.Totals.Dropped
		if d.Instance < 0.3*o.Run.Totals.Offered || d.ESwitch != 0 || d.Rejected != 0 {
			t.Errorf("lost: %+v of %.0f", d, o.Run.Totals.Offered)
		}
		for _, w := range o.Windows {
			if w.Dropped < 0 || w.Queued < 0 {
				t.Errorf("window %+v", w)
			}
		}
	})
}

func TestLoadBringsInstances(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := run(context.Background(), t, newRack(0), short, "duration=1500ms", "instances.initial=1",
			"autoscaler.policy=target-utilization",
			"autoscaler.target=0.5", "scheduler.limit=1kpps")
		if o.err != nil {
			t.Fatal(o.err)
		}
		most := int32(0)
		for _, w := range o.Windows {
			most = max(most, w.Instances)
		}
		if most < 3 {
			t.Errorf("at most %d instances, want 3 or more for 3 kpps at 500 pps each", most)
		}
		if !strings.Contains(strings.Join(o.Run.Notes, "\n"),
			"instances started, from the request until they took packets") {
			t.Errorf("notes: %q", o.Run.Notes)
		}
	})
}

func TestDeadInstance(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := run(context.Background(), t, newRack(0), short, "instances.initial=2",
			"faults=[{kind: instance-death, at: 700ms, instance: 1}]")
		if o.err != nil {
			t.Fatal(o.err)
		}
		if !strings.Contains(o.said, "instance 1 died: killed") {
			t.Errorf("said: %s", o.said)
		}
		for _, f := range o.Flows {
			if f.Instance == 1 {
				t.Errorf("flow %d is still on the dead instance", f.Flow)
			}
		}
		states := map[int32]string{}
		for _, i := range o.Instances {
			states[i.Instance] = i.State
		}
		if states[1] != "failed" || states[2] != "ready" || states[3] != "ready" {
			t.Errorf("states at the end: %v; want 1 failed, and 3 in its place", states)
		}
	})
}

// The port of a dead instance is given back once the container engine answers again. There are only two ports, so the
// instance's successor needs it. Meanwhile no packet is counted twice, which run checks.
func TestEngineAwayForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.pool = r.pool[:2]
		r.during = func() {
			r.engine.leave(nil)
			time.AfterFunc(400*time.Millisecond, func() { r.engine.leave(errors.New("connection refused")) })
			time.AfterFunc(900*time.Millisecond, func() { r.engine.leave(nil) })
		}
		o := run(context.Background(), t, r, short, "duration=2500ms", "instances.initial=2", "instances.min=2",
			"faults=[{kind: instance-death, at: 600ms, instance: 1}]")
		if o.err != nil {
			t.Fatal(o.err)
		}
		if !strings.Contains(o.said, "instance 1 could not be removed, and it is tried again: connection refused") {
			t.Errorf("said: %s", o.said)
		}
		if w := o.Windows[len(o.Windows)-1]; w.Instances != 2 {
			t.Errorf("%d instances at the end, want 2: %s", w.Instances, o.said)
		}
	})
}

func TestPortPoolUsedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.pool = r.pool[:1]
		o := run(context.Background(), t, r, short, "instances.initial=1", "autoscaler.policy=target-utilization",
			"scheduler.limit=500pps")
		if o.err != nil {
			t.Fatal(o.err)
		}
		if !strings.Contains(o.said, "could not be started: instance 2: no port is free") {
			t.Errorf("said: %s", o.said)
		}
		if o.Run.Totals.Processed != o.Run.Totals.Offered {
			t.Errorf("processed %.0f of %.0f: the instance that is there serves on", o.Run.Totals.Processed,
				o.Run.Totals.Offered)
		}
	})
}

func TestTheFirstInstancesCannotBeStarted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.pool = r.pool[:2]
		sc, w := load(t, short)
		m := results.NewMemory()
		err := replay.Run(context.Background(), sc, w, r.open(t), m, replay.Options{})
		if err == nil || !strings.Contains(err.Error(), "starting the 3 instances that the run begins with: instance") {
			t.Fatalf("error %v", err)
		}
		if m.Run.Complete || m.Run.Error != err.Error() || len(m.Windows) != 0 {
			t.Errorf("run.json says complete %v, error %q, %d windows", m.Run.Complete, m.Run.Error, len(m.Windows))
		}
		if left, _ := r.List(context.Background()); len(left) != 0 {
			t.Errorf("containers are left: %v", left)
		}
	})
}

// A flow gets its rule with the fiftieth packet that comes without one. Those before go to the flow's instance.
func TestRulesForFlowsThatGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for after, rules := range map[string]int64{"50": 6, "5000": 0} {
			o := run(context.Background(), t, newRack(0), short, "scheduler.offload.after="+after)
			if o.err != nil {
				t.Fatal(o.err)
			}
			x := &o.Run.Totals
			if x.RulesInstalled != rules || x.Processed != x.Offered {
				t.Errorf("after %s packets: %d rules, want %d; processed %.0f of %.0f", after, x.RulesInstalled, rules,
					x.Processed, x.Offered)
			}
			if slow := x.SlowPath; slow < 6*50 || rules == 0 && slow != x.Offered {
				t.Errorf("after %s packets: %.0f of %.0f on the slow path", after, slow, x.Offered)
			}
		}
	})
}

func TestFullRuleTableLeavesFlowsOnTheSlowPath(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := run(context.Background(), t, newRack(4), short)
		if o.err != nil {
			t.Fatal(o.err)
		}
		if o.Run.Totals.RulesRejected == 0 || o.Run.Totals.RulesInstalled != 4 {
			t.Errorf("%d rules installed, %d rejected; want 4 and some", o.Run.Totals.RulesInstalled,
				o.Run.Totals.RulesRejected)
		}
		if o.Run.Totals.SlowPath < 300 {
			t.Errorf("%.0f packets on the slow path, want those of the two flows without a rule", o.Run.Totals.SlowPath)
		}
		if o.Run.Totals.Processed < 0.99*o.Run.Totals.Offered {
			t.Errorf("processed %.0f of %.0f: the slow path forwards too", o.Run.Totals.Processed, o.Run.Totals.Offered)
		}
	})
}

func TestSwitchLostAndRestored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.during = func() {
			time.AfterFunc(500*time.Millisecond, r.Device.Stop)
			time.AfterFunc(750*time.Millisecond, r.Device.Start)
		}
		o := run(context.Background(), t, r, short)
		if o.err != nil {
			t.Fatal(o.err)
		}
		if !strings.Contains(o.said, "the switch is lost") || !strings.Contains(o.said, "the switch is back") {
			t.Errorf("said: %s", o.said)
		}
		if d := o.Run.Totals.Dropped.ESwitch; d < 100 || d > 0.5*o.Run.Totals.Offered {
			t.Errorf("%.0f packets lost before the instances, want those of the outage", d)
		}
	})
}

func TestGeneratorGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.during = func() {
			r.generator.fail(nil)
			time.AfterFunc(500*time.Millisecond, func() { r.generator.fail(errors.New("connection refused")) })
		}
		o := run(context.Background(), t, r, short, "duration=30s")
		if o.err == nil ||
			!strings.Contains(o.err.Error(), "the generator has not answered for 2s: connection refused") {
			t.Fatalf("error %v", o.err)
		}
		if o.Run.Complete || o.Run.Error == "" || len(o.Windows) == 0 {
			t.Errorf("complete %v, error %q, %d windows", o.Run.Complete, o.Run.Error, len(o.Windows))
		}
	})
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 700*time.Millisecond)
		defer cancel()
		o := run(ctx, t, newRack(0), short, "duration=30s")
		if !errors.Is(o.err, context.DeadlineExceeded) || o.Run.Complete ||
			!strings.HasPrefix(o.Run.Error, "stopped at 0.") {
			t.Errorf("error %v, complete %v, %q", o.err, o.Run.Complete, o.Run.Error)
		}
		if n := len(o.Windows); n < 2 || o.Windows[n-1].T > 5 {
			t.Errorf("%d windows, the last %+v", n, o.Windows[n-1])
		}
	})
}

// full is a recorder whose disk is full after some windows.
type full struct {
	*results.Memory
	left int
}

func (f *full) Window(w *results.Window, rows []results.Instance) error {
	if f.left--; f.left < 0 {
		return errors.New("no space left on device")
	}
	return f.Memory.Window(w, rows)
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		sc, w := load(t, short, "duration=30s")
		rec := &full{results.NewMemory(), 2}
		err := replay.Run(context.Background(), sc, w, r.open(t), rec, replay.Options{})
		if err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("error %v", err)
		}
		if left, _ := r.List(context.Background()); len(left) != 0 || r.Device.Len() != 0 {
			t.Errorf("left: %v and %d rules", left, r.Device.Len())
		}
	})
}

// A run that was killed leaves rules and containers. The next run removes them, and says so. If somebody has removed a
// container meanwhile, its ports are free for others.
func TestWhatAKilledRunLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		sw, err := r.Device.Open(true)
		if err != nil {
			t.Fatal(err)
		}
		for i := flow.Instance(1); i <= poolSize; i++ {
			c, err := r.Create(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			if err := sw.Attach(context.Background(), i, c.Ports); err != nil {
				t.Fatal(err)
			}
		}
		for i := flow.Instance(3); i <= poolSize; i++ {
			if err := r.engine.Delete(context.Background(), i); err != nil {
				t.Fatal(err)
			}
		}
		_, w := load(t, short)
		if err := sw.Install(hw.Rule{Flow: 1, Tuple: w.Flows[1].Tuple, Instance: 1},
			hw.Rule{Flow: 9, Tuple: w.Flows[0].Tuple, Instance: 2}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			<-sw.Events()
		}
		if err := sw.Close(); err != nil {
			t.Fatal(err)
		}
		o := run(context.Background(), t, r, short)
		if o.err != nil {
			t.Fatal(o.err)
		}
		if !strings.Contains(o.said, "found and removed what an earlier run left: 2 containers and 2 rules") {
			t.Errorf("said: %s", o.said)
		}
		if o.Run.Totals.Processed != o.Run.Totals.Offered {
			t.Errorf("processed %.0f of %.0f", o.Run.Totals.Processed, o.Run.Totals.Offered)
		}
	})
}

func TestInjectedFaults(t *testing.T) {
	t.Parallel()
	t.Run("rule-reject", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o := run(context.Background(), t, newRack(0), short, "faults=[{kind: rule-reject, at: 0s, for: 300ms}]")
			if o.err != nil || o.Run.Totals.RulesRejected == 0 || o.Run.Totals.RulesInstalled < 6 {
				t.Errorf("error %v, %d rules rejected, %d installed", o.err, o.Run.Totals.RulesRejected,
					o.Run.Totals.RulesInstalled)
			}
		})
	})
	t.Run("counters-stall", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o := run(context.Background(), t, newRack(0), short, "instances.initial=1",
				"autoscaler.policy=target-utilization", "scheduler.limit=500pps",
				"faults=[{kind: counters-stall, at: 0s}]")
			most := int32(0)
			for _, w := range o.Windows {
				most = max(most, w.Instances)
			}
			if o.err != nil || most != 1 || o.Run.Totals.Processed == 0 {
				t.Errorf("error %v, at most %d instances, %.0f processed; want no scale-out while counters stand "+
					"still, and a true record", o.err, most, o.Run.Totals.Processed)
			}
		})
	})
	t.Run("engine-stall", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o := run(context.Background(), t, newRack(0), short, "instances.initial=1",
				"autoscaler.policy=target-utilization", "scheduler.limit=500pps",
				"faults=[{kind: engine-stall, at: 0s}]")
			if last := o.Windows[len(o.Windows)-1]; o.err != nil || last.Instances != 1 {
				t.Errorf("error %v, last window %+v", o.err, last)
			}
		})
	})
}

func TestGeneratorThatDoesNotTellFlowsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		r.blind = true
		o := run(context.Background(), t, r, short)
		if o.err != nil {
			t.Fatal(o.err)
		}
		sum := 0.0
		for _, f := range o.Flows {
			if f.Offered == 0 || f.Queued != f.Offered || f.Processed != 0 {
				t.Errorf("flow %+v", f)
			}
			sum += f.Offered
		}
		if sum != o.Run.Totals.Offered {
			t.Errorf("the switch counted %.0f packets of the flows, the generator sent %.0f", sum, o.Run.Totals.Offered)
		}
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sets []string
		caps hw.Capabilities
		want string
	}{
		{nil, hw.Capabilities{CounterLag: 2 * time.Second},
			"telemetry.window is 150ms, but the switch's counters may be 2s old"},
		{[]string{"nodes={count: 2}"}, hw.Capabilities{}, "nodes: a testbed has one NIC"},
		{[]string{"scheduler.policy=oracle"}, hw.Capabilities{}, "oracle is told the true rate of each flow (T5)"},
		{[]string{"scheduler.policy=envoy-peak-ewma", "engine=packet", "measure.delay=instances"}, hw.Capabilities{},
			"scheduler.policy goes by delay-p50, which nothing on hardware reports"},
		{[]string{"scheduler.policy=cheetah"}, hw.Capabilities{}, "scheduler.policy: cheetah without rules"},
		{[]string{"scheduler.policy=hrw", "scheduler.rules=none"}, hw.Capabilities{}, "hrw without rules"},
		{[]string{"faults=[{kind: link-down, at: 1s}]"}, hw.Capabilities{}, "faults.0: link-down"},
		{[]string{"scheduler.unit=burst", "engine=packet"}, hw.Capabilities{},
			"scheduler.unit: burst: no driver decides on bursts, and the switch has no rules that end"},
		{[]string{"scheduler.unit=burst", "engine=packet"}, hw.Capabilities{IdleResolution: time.Second},
			"the switch could tell gaps of 1s or more alone: want unit: flow"},
	} {
		sc, w := load(t, short, c.sets...)
		if err := replay.Check(sc, w, c.caps); !errors.Is(err, replay.ErrRefused) ||
			!strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRack(0)
		sc, w := load(t, short)
		m := replay.NewMetrics()
		if err := replay.Run(context.Background(), sc, w, r.open(t), results.NewMemory(),
			replay.Options{Metrics: m}); err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
		for _, want := range []string{
			"smartinco_switch_up 1\n", "smartinco_run_seconds 1\n", `smartinco_instances{state="ready"} 3`,
			`smartinco_events_total{kind="flow-arrived"}`, `smartinco_packets_per_second{stage="offered"}`,
			"smartinco_rule_seconds_count 6", "smartinco_instance_ready_seconds_count 3",
		} {
			if !bytes.Contains(answer.Body.Bytes(), []byte(want)) {
				t.Errorf("no %s in\n%s", want, answer.Body.Bytes())
			}
		}
	})
}
