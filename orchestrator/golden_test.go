package orchestrator

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

var update = flag.Bool("update", false, "rewrite the golden files; commit the changes only if you understand them")

// transcript prints an interaction: events as they go in, decisions and actions as they come out.
type transcript struct {
	bytes.Buffer
	o *Orchestrator
}

func (w *transcript) Decided(d *Decision) {
	fmt.Fprintf(w, "    %s", d.Kind)
	if d.Flow >= 0 {
		fmt.Fprintf(w, " flow %d", d.Flow)
	}
	if d.Instance > 0 {
		fmt.Fprintf(w, " instance %d", d.Instance)
	}
	if d.Current != 0 || d.Desired != 0 {
		fmt.Fprintf(w, " %d -> %d", d.Current, d.Desired)
	}
	fmt.Fprintf(w, ": %s", d.Reason)
	for _, c := range d.Candidates {
		fmt.Fprintf(w, " [%d %g %v]", c.Instance, c.Score, c.Fits)
	}
	fmt.Fprintln(w)
}

func (w *transcript) send(at string, what string, e Event) {
	now, err := units.ParseTime(at)
	if err != nil {
		panic(err)
	}
	if e.Kind == CountersRead {
		e.Sampled = now
	}
	fmt.Fprintf(w, "%s %s\n", now, what)
	for _, a := range w.o.Handle(now, &e) {
		switch a.Kind {
		case InstallRule, MoveRule, RemoveRule:
			fmt.Fprintf(w, "  %s flow %d to %d\n", [...]string{"install", "move", "remove"}[a.Kind], a.Flow, a.Instance)
		case CreateInstance:
			fmt.Fprintf(w, "  create instance %d\n", a.Instance)
		case DeleteInstance:
			fmt.Fprintf(w, "  delete instance %d\n", a.Instance)
		case ReadCounters:
			fmt.Fprintln(w, "  read counters")
		case SetTimer:
			fmt.Fprintf(w, "  timer %s at %s\n", [...]string{"", "telemetry", "autoscale"}[a.Timer], a.At)
		}
	}
}

func (w *transcript) counters(at string, c ...Counter) {
	w.send(at, "tick telemetry", Event{Kind: Tick, Timer: TelemetryTimer})
	w.send(at, fmt.Sprint("counters ", c), Event{Kind: CountersRead, Counters: c})
	w.send(at, "tick autoscale", Event{Kind: Tick, Timer: AutoscaleTimer})
}

// One small life of everything: a held flow, a duplicate packet-in, a rejected rule, a scale-out, a death with its
// replacement, a scale-in with its drain, a counter reset.
func TestInteraction(t *testing.T) {
	w := new(transcript)
	w.o = mustNew(t, config(func(c *Config) {
		c.Initial, c.Min, c.Max = 1, 1, 3
		c.Scheduler.Policy = scheduler.Named("best-fit")
		c.Autoscaler.Stabilization = 0
	}), w)
	flowEvent := func(at, what string, k EventKind, f flow.ID, i flow.Instance, why string) {
		w.send(at, fmt.Sprintf("%s flow %d instance %d", what, f, i), Event{Kind: k, Flow: f, Instance: i, Reason: why})
	}
	w.send("0s", "start", Event{Kind: Start})
	flowEvent("100ms", "arrived", FlowArrived, 0, 0, "")
	w.send("600ms", "ready 1", Event{Kind: InstanceReady, Instance: 1})
	flowEvent("600ms", "arrived", FlowArrived, 0, 0, "")
	flowEvent("700ms", "installed", RuleInstalled, 0, 1, "")
	w.counters("1s", rx(1, 1_600_000))
	flowEvent("1.5s", "arrived", FlowArrived, 1, 0, "")
	flowEvent("1.6s", "rejected", RuleRejected, 1, 1, "table full")
	w.counters("2s", rx(1, 9_600_000))
	flowEvent("2.1s", "installed", RuleInstalled, 1, 1, "")
	w.send("2.6s", "ready 2", Event{Kind: InstanceReady, Instance: 2})
	flowEvent("2.7s", "arrived", FlowArrived, 2, 0, "")
	flowEvent("2.8s", "installed", RuleInstalled, 2, 2, "")
	w.counters("3s", rx(1, 19_000_000), rx(2, 100_000))
	w.send("4s", "failed 1", Event{Kind: InstanceFailed, Instance: 1, Reason: "died"})
	flowEvent("4.1s", "installed", RuleInstalled, 0, 2, "")
	flowEvent("4.1s", "installed", RuleInstalled, 1, 2, "")
	w.send("4.6s", "ready 3", Event{Kind: InstanceReady, Instance: 3})
	flowEvent("4.7s", "ended", FlowEnded, 1, 0, "")
	w.counters("5s", rx(2, 90_000))
	flowEvent("5.5s", "arrived", FlowArrived, 1, 0, "")
	flowEvent("5.6s", "installed", RuleInstalled, 1, 3, "")
	w.counters("6s", rx(2, 100_000), rx(3, 5000))
	flowEvent("6.1s", "installed", RuleInstalled, 1, 2, "")
	w.send("6.3s", "gone 3", Event{Kind: InstanceGone, Instance: 3})

	const golden = "testdata/interaction.txt"
	if *update {
		if err := os.WriteFile(golden, w.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.String(); got != string(want) {
		t.Errorf("interaction differs from %s (-update rewrites it):\n%s", golden, got)
	}
}

// The orchestrator knows neither of its plants, nor files, clocks or sockets.
func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("no go: what packages import cannot be listed")
	} else if err != nil {
		t.Fatal(err)
	}
	banned := []string{"sim", "hw", "results", "plots", "scenarios", "traces", "os", "net", "time", "io", "math/rand"}
	allowed := []string{"net/netip", "scenarios/strictyaml", "math/rand/v2"}
	for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		f := strings.Fields(line)
		for _, imported := range f[1:] {
			name := strings.TrimPrefix(imported, "github.com/smartinco/smartinco/")
			if slices.Contains(allowed, name) {
				continue
			}
			for _, b := range banned {
				if name == b || strings.HasPrefix(name, b+"/") {
					t.Errorf("%s imports %s", f[0], imported)
				}
			}
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for _, tc := range []struct {
		edit func(*Config)
		want string
	}{
		{func(c *Config) { c.Window = 0 }, "telemetry.window: 0s"},
		{func(c *Config) { c.Max = 0 }, "instances.max: 0"},
		{func(c *Config) { c.Min = 9 }, "instances.min: 9"},
		{func(c *Config) { c.Initial = 9 }, "instances.initial: 9"},
		{func(c *Config) { c.Initial, c.Min, c.Autoscaler.Policy = 0, 0, autoscaler.Named("none") },
			"autoscaler.policy: none, under which no instance would ever start"},
		{func(c *Config) { c.Initial, c.Min, c.Autoscaler.Policy = 0, 0, autoscaler.Named("hpa") },
			"autoscaler.policy: hpa, under which no instance would ever start"},
		{func(c *Config) { c.Min, c.Scheduler.NoInstance = 0, "drop" }, "nothing would bring the last instance back"},
		{func(c *Config) { c.Autoscaler.Policy, c.Autoscaler.Below = autoscaler.Named("hottest-instance"), 11e6 },
			"autoscaler.below: 11Mpps, want at most 10Mpps"},
		{func(c *Config) { c.Scheduler.Policy.Name = "x" }, "scheduler.policy"},
		{func(c *Config) { c.Autoscaler.Victim = "x" }, "autoscaler.victim"},
	} {
		if _, err := New(config(tc.edit), nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("error %v, want one with %s", err, tc.want)
		}
	}
}

// A plant whose creations always fail gets one attempt an interval, not a storm.
func TestNoRetryStorm(t *testing.T) {
	for _, policy := range autoscaler.Policies.Names() {
		o := mustNew(t, config(func(c *Config) {
			c.Initial, c.Min, c.Autoscaler.Policy = 1, 1, autoscaler.Named(policy)
		}), nil)
		o.Handle(0, &Event{Kind: Start})
		created := 1
		for tenth := units.Time(1); tenth <= 100; tenth++ {
			now := tenth * 100 * units.Millisecond
			events := []Event{{Kind: InstanceFailed, Instance: flow.Instance(created), Reason: "engine"}}
			if tenth%10 == 0 {
				events = append(events,
					Event{Kind: Tick, Timer: TelemetryTimer}, Event{Kind: Tick, Timer: AutoscaleTimer})
			}
			for i := range events {
				for _, a := range o.Handle(now, &events[i]) {
					if a.Kind == CreateInstance {
						created++
					}
				}
			}
		}
		if created > 11 || created < 9 {
			t.Errorf("%s: %d creations in 10 s, want one a second", policy, created)
		}
	}
}

// The mean demand is that of flows for the part of the window that they were there.
func TestDemand(t *testing.T) {
	o := mustNew(t, config(func(c *Config) { c.Initial, c.Scheduler.Policy = 2, scheduler.Named("worst-fit") }), nil)
	at := func(ms int, e Event) { o.Handle(units.Time(ms)*units.Millisecond, &e) }
	at(0, Event{Kind: Start})
	at(0, Event{Kind: InstanceReady, Instance: 1})
	at(0, Event{Kind: InstanceReady, Instance: 2})
	at(0, Event{Kind: FlowArrived, Flow: 0})
	at(500, Event{Kind: FlowArrived, Flow: 1}) // instance 2: idle instances are ordered by their flows
	if o.flows.At(1).target != 2 {
		t.Errorf("the second flow goes to %d, want 2", o.flows.At(1).target)
	}
	at(1000, Event{Kind: Tick, Timer: TelemetryTimer})
	at(1000, Event{Kind: FlowArrived, Flow: 2}) // not in the counters
	at(1000, Event{Kind: CountersRead, Sampled: units.Second, Counters: []Counter{rx(1, 4000), rx(2, 2000)}})
	if d := o.demand.Demand(); d != 4000 {
		t.Errorf("demand %v pps, want 4000: one flow for 1 s and one for 0.5 s sent 6000 packets", d)
	}
	if got, want := loads(o), []float64{8000, 2000}; !slices.Equal(got, want) {
		t.Errorf("loads %v, want %v: the third flow counts at its expected demand", got, want)
	}
}

// loads are those that the policy goes by.
func loads(o *Orchestrator) (all []float64) {
	for slot := range o.view.IDs {
		all = append(all, o.sched.Policy.(interface{ Load(int) float64 }).Load(slot))
	}
	return all
}

func rx(i flow.Instance, packets uint64) Counter { return Counter{Instance: i, RxPackets: packets} }
