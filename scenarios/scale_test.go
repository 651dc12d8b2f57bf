package scenarios

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// A scaled figure 9 has the packets of its rates and its times, and everything that the orchestrator is told scales
// along.
func TestScaled(t *testing.T) {
	st, err := Load("fig9-best-fit", []string{"faults=[{kind: instance-death, at: 100s}]"})
	if err != nil {
		t.Fatal(err)
	}
	full := st.Runs[0].Scenario
	s, err := full.Scaled(0.001, 0.2)
	if err != nil {
		t.Fatal(err)
	}
	if s.Scale != (Scale{0.001, 0.2}) || full.Scale != (Scale{1, 1}) {
		t.Errorf("scales %+v and %+v", s.Scale, full.Scale)
	}
	if s.Duration != 66*units.Second || s.Scheduler.Limit != 10_000 || s.Autoscaler.Interval != 200*units.Millisecond ||
		s.Telemetry.Window != 200*units.Millisecond || s.Autoscaler.Stabilization != 2*units.Second ||
		s.Faults[0].At != 20*units.Second {
		t.Errorf("scaled to %s", s.YAML())
	}
	if full.Faults[0].At != 100*units.Second || full.Workload[0].CBR.Interval != 10*units.Second {
		t.Errorf("the scenario that was scaled has changed: %s", full.YAML())
	}
	if s.NIC != full.NIC || s.VNF.StartLatency != full.VNF.StartLatency {
		t.Error("what the scenario runs on has been scaled")
	}
	before, err := full.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	after, err := s.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	p, _ := before.Totals()
	q, _ := after.Totals()
	if math.Abs(q/p-0.0002) > 1e-6 || len(after.Flows) != len(before.Flows) {
		t.Errorf("%g packets became %g, want 0.001*0.2 of them", p, q)
	}
	again, err := s.Scaled(1000, 5)
	if err != nil {
		t.Fatal(err)
	}
	if again.Duration != full.Duration || math.Abs(again.Scale.Rate-1) > 1e-12 {
		t.Errorf("scaled back: %s", again.YAML())
	}
}

func TestScaledSources(t *testing.T) {
	const head = "duration: 10s\nworkload:\n  - "
	for _, c := range []struct {
		source     string
		rate, time float64
		ok         bool
	}{
		{"flows: [{period: 1us, phase: 2s, end: 4s}]", 0.5, 0.5, true},
		{"pcap: {file: x.pcap}", 2, 0.5, true},
		{"pcap: {file: x.pcap}", 1, 0.5, false},
		{"zeek: {file: x.log}", 0.1, 1, false},
		{"load: {file: x.csv, column: c}", 0.1, 0.1, true},
		{"services: {file: x.csv}", 0.1, 0.1, true},
		{"model: {name: agh-2015, rate: 10}", 0.1, 1, false},
		{"model: {name: agh-2015, rate: 10}", 1, 1, true},
	} {
		st, err := Parse("s.yaml", []byte(head+c.source), ".", nil)
		if err != nil {
			t.Fatal(err)
		}
		s, err := st.Runs[0].Scenario.Scaled(c.rate, c.time)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%s by %g and %g: %v", c.source, c.rate, c.time, err)
		}
		if err == nil && s.Workload[0].Flows != nil {
			f := s.Workload[0].Flows[0]
			if f.Period != 2*units.Microsecond || f.Phase != units.Second || f.End != 2*units.Second {
				t.Errorf("scaled to %+v", f)
			}
		}
	}
}

// What a scaled run's record states is read back as it was, and means the same.
func TestAScaledScenarioIsReadBack(t *testing.T) {
	for _, workload := range []string{
		"cbr: {flows: 4, interval: 1s, rate: 1Mpps}",
		"cbr: {flows: 4, interval: 1s, rate: 1Mpps, arrivals: on-off, on_time: 3ms, off_time: 7ms}",
		"flows: [{period: 1us, end: 4s}]",
		"flows: [{period: 1us, end: 4s, arrivals: on-off, on_time: 3ms, off_time: 7ms}]",
		"services: {file: x.csv, group: [a], column: b, time: c}",
		"diurnal: {mean: 1kpps, period: 4s, peak: 2s}",
		"flash_crowd: {base: 1kpps, begin: 1s, rise: 1s, hold: 1s, fall: 1s}",
		"{cbr: {flows: 4, rate: 1Mpps, zipf: 1.1}, frame_sizes: imix}",
		"microbursts: {base: 1kpps, rate: 1Mpps, length: 1ms, period: 10ms, start: 1s}",
		"churn: {rate: 1Mpps, flows: 9, new_flows: 100}",
		"syn_flood: {rate: 1kpps, start: 1s, end: 3s, timeout: 2s}",
	} {
		text := "name: x\nduration: 10s\nengine: packet\ninstances: {slow_start: 2s}\n" +
			"scheduler: {move_budget: 9}\nworkload:\n  - " + workload + "\n"
		s, err := one(t, text).Scaled(0.5, 0.06)
		if err != nil {
			t.Fatal(err)
		}
		again := one(t, string(s.YAML()))
		if got, want := again.Workload[0].FrameSizes, one(t, text).Workload[0].FrameSizes; got != want {
			t.Errorf("%s: frame sizes %q, want %q", workload, got, want)
		}
		if got, want := again.YAML(), s.YAML(); !bytes.Equal(got, want) {
			t.Errorf("%s is read back as\n%s\nwant\n%s", workload, got, want)
		}
		if got := again.Instances.SlowStart; got != 120*units.Millisecond {
			t.Errorf("slow start of %v, want 120ms", got)
		}
		if got := again.Scheduler.MoveBudget; got != 150 {
			t.Errorf("%d moves a second, want 150: the seconds are 0.06 as long", got)
		}
	}
}

func TestPoliciesThatCannotBeScaled(t *testing.T) {
	for set, want := range map[string]string{
		"autoscaler.policy=hpa":                    "hpa, which has whole seconds and quantities in its spec",
		"autoscaler.policy=kpa":                    "kpa, which has windows of whole seconds",
		"autoscaler.policy={in-real: {gap: 80ns}}": "in-real, which has a gap",
		"autoscaler.policy=in-real":                "",
	} {
		st, err := Load("fig9-best-fit", []string{set})
		if err != nil {
			t.Fatal(err)
		}
		s := st.Runs[0].Scenario
		_, err = s.Scaled(0.5, 1)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", set, err, want)
		}
		if _, err := s.Scaled(1, 1); err != nil {
			t.Errorf("%s by 1: %v", set, err)
		}
	}
}
