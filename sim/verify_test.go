package sim_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

// Every scenario of the repository: the events of its record, fed to an orchestrator that is made from the record
// alone, give the record's decisions and actions. Under the packet engine, the times of long runs at line rate are
// compressed. That keeps their course and leaves three million packets of each.
func TestEveryScenarioIsVerified(t *testing.T) {
	for _, name := range scenarios.Names() {
		st, err := scenarios.Load(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(st.Runs)/4) // of a long sweep, a few
		for i := 0; i < len(st.Runs); i += step {
			sc := st.Runs[i].Scenario
			if sc.Engine == "request" {
				continue // its record has no events to go through again
			}
			if sc.Nodes != nil {
				continue // package rack verifies it
			}
			w := simtest.Traffic(t, sc)
			packets, _ := w.Totals()
			for engine, make := range map[string]sim.Engine{"fluid": fluid.New, "packet": packet.New} {
				if engine == "fluid" && sc.Scheduler.ByBurst() {
					continue // it has no gaps
				}
				again := *sc
				if again.Engine = engine; engine == "fluid" {
					again.Measure.Delay = "none" // it knows none
				}
				if engine == "packet" && packets > 1e8 {
					compress(&again, units.Time(packets/3e6))
				}
				t.Run(st.Runs[i].Name+"/"+engine, func(t *testing.T) {
					rec := simtest.Run(t, &again, make)
					if got := simtest.Recorded(t, &rec.Run).YAML(); !bytes.Equal(got, again.YAML()) {
						t.Fatalf("the record's scenario is\n%s\nwant\n%s", got, again.YAML())
					}
					v := simtest.Verify(t, rec)
					t.Logf("%d events, %d actions, %d decisions", v.Events, v.Actions, v.Decisions)
					if v.Events < 3 || v.Actions < 3 || v.Decisions < 1 {
						t.Error("hardly anything was verified")
					}
				})
			}
		}
	}
}

// compress divides the times of a scenario that has one constant-rate source, or flows that last the whole run.
func compress(sc *scenarios.Scenario, by units.Time) {
	if sc.Workload[0].CBR != nil {
		cbr := *sc.Workload[0].CBR
		cbr.Start /= by
		cbr.Interval /= by
		sc.Workload = []scenarios.Source{{CBR: &cbr}}
	}
	a := &sc.Autoscaler
	for _, x := range []*units.Time{&sc.Duration, &sc.Telemetry.Window, &sc.Telemetry.Delay, &sc.NIC.EngineLatency,
		&sc.VNF.StartLatency,
		&sc.VNF.StopLatency, &a.Interval, &a.ScaleInCooldown, &a.ScaleOutCooldown, &a.Stabilization} {
		*x /= by
	}
}

func TestARecordGivesItsScenarioBack(t *testing.T) {
	for _, text := range []string{
		"seed: 18446744073709551615\nworkload: [{cbr: {flows: 3, rate: 1.5Mpps}}]\n",
		"vnf: {contention: {model: table, points: {1: 25Mpps, 4: 10.5Mpps}}}\nduration: 1234567ps\n" +
			"workload: [{zeek: {file: a/conn.log, speedup: 1.1}}, {records: {file: b.csv}}]\n" +
			"faults: [{kind: link-down, at: 1s, for: 1ms}]\n",
	} {
		sc := simtest.Parse(t, text)
		got := simtest.Recorded(t, &results.Run{Name: "x", Scenario: sc.Resolved(), Seed: sc.Seed})
		if !bytes.Equal(got.YAML(), sc.YAML()) || !reflect.DeepEqual(got.Orchestrator(), sc.Orchestrator()) {
			t.Errorf("got\n%s\nwant\n%s", got.YAML(), sc.YAML())
		}
	}
	for _, bad := range []any{nil, 7, map[string]any{"duration": 3}, map[string]any{"workload": []any{}}} {
		if _, err := scenarios.FromRecord("x", bad, 1); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}

const watched = "duration: 5s\nautoscaler: {policy: none}\nworkload: [{cbr: {flows: 4, interval: 1s, rate: 1Mpps}}]\n"

// onDisk runs the scenario watched and returns its directory, its log and its configuration.
func onDisk(t *testing.T) (dir string, log []string, cfg orchestrator.Config) {
	t.Helper()
	sc := simtest.Parse(t, watched)
	w := simtest.Traffic(t, sc)
	dir = filepath.Join(t.TempDir(), "rec")
	rec, err := results.Create(dir, *sim.Header(sc, w, "test"), results.Options{})
	if err != nil {
		t.Fatal(err)
	}
	simtest.Record(t, sc, w, fluid.New, rec)
	b, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return dir, strings.SplitAfter(strings.TrimSuffix(string(b), "\n"), "\n"), sc.Orchestrator()
}

// find is the number of the nth line, from 1, that holds the text.
func find(t *testing.T, lines []string, text string, nth int) int {
	t.Helper()
	for i, l := range lines {
		if strings.Contains(l, text) {
			if nth--; nth == 0 {
				return i + 1
			}
		}
	}
	t.Fatalf("no line with %s", text)
	return 0
}

func TestATamperedLogIsFoundWhereItBegins(t *testing.T) {
	dir, log, cfg := onDisk(t)
	third := find(t, log, `"event":"flow-arrived"`, 3)
	action := find(t, log[third:], `"action":"install-rule"`, 1) + third
	for _, c := range []struct {
		what string
		edit func([]string) []string
		line int // of the event at which it shows; 0 for none
	}{
		{"nothing", func(l []string) []string { return l }, 0},
		{"a flow sent elsewhere", func(l []string) []string {
			l[action-1] = strings.Replace(l[action-1], `"instance":3`, `"instance":1`, 1)
			return l
		}, third},
		{"an action left out", func(l []string) []string { return append(l[:action-1], l[action:]...) }, third},
		{"an action too many", func(l []string) []string {
			return append(l[:action:action], append([]string{`{"t_ps":2000000000000,"action":"remove-rule","flow":1}` +
				"\n"}, l[action:]...)...)
		}, third},
		{"another score", func(l []string) []string {
			l[third] = strings.Replace(l[third], `"reason":"`, `"reason":"because `, 1)
			return l
		}, third},
		{"an event left out", func(l []string) []string { // the flow is unknown when its rule is said to be installed
			return append(l[:third-1], l[third:]...)
		}, find(t, log[:third-1], `"event"`, strings.Count(strings.Join(log[:third-1], ""), `"event"`))},
	} {
		lines := c.edit(append([]string(nil), log...))
		if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), []byte(strings.Join(lines, "")+"\n"),
			0o644); err != nil {
			t.Fatal(err)
		}
		rec, err := results.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		v, err := rec.Verify(cfg)
		switch {
		case err != nil:
			t.Errorf("%s: %v", c.what, err)
		case c.line == 0 && v.Difference != nil:
			t.Errorf("%s: differs: %+v", c.what, v.Difference)
		case c.line != 0 && (v.Difference == nil || v.Difference.Line != c.line):
			t.Errorf("%s: %+v, want a difference at line %d", c.what, v.Difference, c.line)
		}
	}
	for what, text := range map[string]string{"an action first": `{"t_ps":0,"action":"read-counters"}` + "\n",
		"nothing at all": "", "no log": "x\n"} {
		if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		rec, err := results.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := rec.Verify(cfg); err == nil || !strings.Contains(err.Error(), "events.jsonl: ") {
			t.Errorf("%s: %+v, %v; want an error", what, v, err)
		}
	}
}

// A run may have been killed in the middle of a line, or between an event and what came of it.
func TestARecordOfAKilledRunIsVerified(t *testing.T) {
	_, log, cfg := onDisk(t)
	whole := strings.Join(log, "") + "\n"
	for cut := len(whole); cut > 0; cut -= 37 {
		dir := filepath.Join(t.TempDir(), "rec")
		st, _ := scenarios.Parse("watched.yaml", []byte(watched), ".", nil)
		w, _ := st.Runs[0].Scenario.Traffic()
		// The record is never closed.
		if _, err := results.Create(dir, *sim.Header(st.Runs[0].Scenario, w, "test"), results.Options{}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "events.jsonl"), []byte(whole[:cut]), 0o644); err != nil {
			t.Fatal(err)
		}
		rec, err := results.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		v, err := rec.Verify(cfg)
		if err != nil || v.Difference != nil || v.Complete {
			t.Fatalf("cut at %d: %+v, %v", cut, v, err)
		}
		if lines := strings.Count(whole[:cut], "\n"); v.Events+v.Actions+v.Decisions != lines {
			t.Fatalf("cut at %d: %d entries of %d lines", cut, v.Events+v.Actions+v.Decisions, lines)
		}
	}
}

func TestAnotherPolicyIsFound(t *testing.T) {
	dir, _, cfg := onDisk(t)
	cfg.Scheduler.Policy = scheduler.Named("best-fit")
	rec, err := results.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := rec.Verify(cfg)
	if err != nil || v.Difference == nil || !strings.Contains(v.Difference.Event, `"event":"flow-arrived"`) {
		t.Errorf("%+v, %v; want a difference when a flow arrives", v, err)
	}
	if _, err := rec.Verify(orchestrator.Config{Max: -1}); err == nil {
		t.Error("a configuration that makes no sense is taken")
	}
}
