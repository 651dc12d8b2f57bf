// Package simtest is what the tests of the simulated plant and of its engines share. Each function ends the test where
// what it is asked for fails.
package simtest

import (
	"context"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
)

// Parse is the scenario of a YAML text: the first run of its study.
func Parse(t testing.TB, text string) *scenarios.Scenario {
	t.Helper()
	study, err := scenarios.Parse("test.yaml", []byte(text), "", nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return study.Runs[0].Scenario
}

// Traffic is what the scenario's workload sends.
func Traffic(t testing.TB, sc *scenarios.Scenario) *traces.Workload {
	t.Helper()
	w, err := sc.Traffic()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Run is the record of the scenario.
func Run(t testing.TB, sc *scenarios.Scenario, engine sim.Engine) *results.Memory {
	t.Helper()
	m := results.NewMemory()
	Record(t, sc, Traffic(t, sc), engine, m)
	return m
}

// Record writes the record of the scenario with this traffic into rec.
func Record(t testing.TB, sc *scenarios.Scenario, w *traces.Workload, engine sim.Engine, rec results.Recorder) {
	t.Helper()
	if err := sim.Run(context.Background(), sc, w, engine, rec, sim.Options{}); err != nil {
		t.Fatal(err)
	}
}
