package policy

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

func TestMetrics(t *testing.T) {
	i := Instance{Rate: telemetry.Rate{Rx: 4, Tx: 3, RxBits: 2048, Known: true},
		Usage: telemetry.Usage{CPU: 0.5, Memory: 7, Queue: 9, Delay: [4]float64{1, 2, 3, 4}, Known: true, Stale: true}}
	want := map[string]float64{"offered": 4, "processed": 3, "bits": 2048, "gap": 0.25, "cpu": 0.5, "memory": 7,
		"queue": 9, "delay-p50": 1, "delay-p90": 2, "delay-p99": 3, "delay-p999": 4}
	if len(Metrics) != len(want) {
		t.Errorf("%d metrics, want %d", len(Metrics), len(want))
	}
	for name, m := range Metrics {
		if got, ok := want[name]; !ok || m.Of(&i) != got || m.String() != name {
			t.Errorf("%s, %v: %v, want %v", name, m, m.Of(&i), got)
		}
		s := Snapshot{HeldLoad: 10, Instances: []Instance{i, i}}
		load := 2 * want[name]
		if m <= Processed { // held flows are packets a second
			load += 10
		}
		if got := s.Load(m); got != load {
			t.Errorf("load by %s: %v, want %v", name, got, load)
		}
		reported := m.Class() == T3
		if m.Fresh(&i) == reported || SetOf(m).Reported().Has(m) != reported {
			t.Errorf("%s: class %v, fresh %v, reported %v", name, m.Class(), m.Fresh(&i), SetOf(m).Reported())
		}
		hidden := Snapshot{Period: 1, Measured: true, Instances: []Instance{i}}
		hidden.Narrow(^m.Class())
		if got := m.Of(&hidden.Instances[0]); got != 0 && !math.IsInf(got, 1) {
			t.Errorf("%s is %v where its class is not declared", name, got)
		}
	}
	if got := SetOf(Queue, CPU, Offered).String(); got != "offered, cpu, queue" {
		t.Errorf("a set prints as %s", got)
	}
}
