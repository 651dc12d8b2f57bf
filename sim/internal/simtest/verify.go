package simtest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
)

// Recorded is the scenario of a record as it is read from a file.
func Recorded(t testing.TB, run *results.Run) *scenarios.Scenario {
	t.Helper()
	b, err := json.Marshal(run)
	if err != nil {
		t.Fatal(err)
	}
	var again results.Run
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	sc, err := scenarios.FromRecord(run.Name, again.Scenario, again.Seed)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// Verify feeds the events of a record to an orchestrator that is made from the record alone, and compares what it does.
func Verify(t testing.TB, m *results.Memory) *results.Verification {
	t.Helper()
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	sc := Recorded(t, &r.Run)
	v, err := r.VerifyBursts(sc.Orchestrator(), func(yield func(results.Burst, error) bool) {
		sim.Bursts(sc, Traffic(t, sc))(yield)
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := v.Difference; d != nil {
		t.Fatalf("line %d, %v: %s\nrecorded\n%s\nnow\n%s", d.Line, d.At, d.Event, strings.Join(d.Recorded, "\n"),
			strings.Join(d.Replayed, "\n"))
	}
	return v
}

// Decisions counts those of a record by their kind.
func Decisions(t testing.TB, m *results.Memory) map[string]int {
	t.Helper()
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	n := map[string]int{}
	for l, err := range r.Log() {
		if err != nil {
			t.Fatal(err)
		}
		if l.Decision != nil {
			n[l.Decision.Kind]++
		}
	}
	return n
}
