package results

import (
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
)

// The plants, as Run.Plant names them.
const (
	Simulated = "sim"
	Hardware  = "hw"
)

// NewRun describes a run that has not begun: a scenario with its traffic on a plant. Engine is the simulator's data
// plane or the testbed's name, version that of the program. Both plants describe their runs with it.
func NewRun(plant, engine, version string, sc *scenarios.Scenario, w *traces.Workload) *Run {
	run := &Run{
		Format:   format,
		Name:     sc.Name,
		Plant:    plant,
		Engine:   engine,
		Version:  version,
		Seed:     sc.Seed,
		Duration: sc.End(w).Seconds(),
		Window:   sc.Telemetry.Window.Seconds(),
		Scenario: unwritten{sc},
		Traffic:  w.Provenance,
	}
	for _, s := range w.Skipped {
		run.Skipped = append(run.Skipped, Skip{Reason: s.Reason, N: s.N})
	}
	return run
}

// unwritten is a scenario that is resolved when it is written: of many runs only the totals are kept.
type unwritten struct{ of *scenarios.Scenario }

// MarshalJSON is the scenario in the record.
func (s unwritten) MarshalJSON() ([]byte, error) { return s.of.Resolved(), nil }
