package scenarios

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// YAML is the scenario with every key and its value, defaults and profile included, in the order of the reference.
// Parsing it in the same directory gives the same scenario.
func (s *Scenario) YAML() []byte {
	return strictyaml.YAML(s)
}

// Resolved is what YAML gives, as JSON: the scenario in a run's record.
func (s *Scenario) Resolved() json.RawMessage {
	return strictyaml.JSON(s)
}

// FromRecord is the scenario of a run's record. resolved is what Resolved gave, as encoding/json reads it. The seed
// comes apart, since a float64 may not hold it. Paths in the scenario are relative to the working directory.
func FromRecord(name string, resolved any, seed uint64) (*Scenario, error) {
	b, err := json.Marshal(resolved)
	if err != nil {
		return nil, fmt.Errorf("scenario of %s: %w", name, err)
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(b, &keys); err != nil || keys == nil {
		return nil, &Error{File: name, Key: "scenario",
			Found: "something else", Expected: "a mapping of a scenario's keys", Err: err}
	}
	keys["seed"] = strconv.AppendUint(nil, seed, 10)
	if b, err = json.Marshal(keys); err != nil {
		return nil, fmt.Errorf("scenario of %s: %w", name, err)
	}
	st, err := Parse(name, b, ".", nil) // JSON is YAML
	if err != nil {
		return nil, fmt.Errorf("scenario of %s: %w", name, err)
	}
	return st.Runs[0].Scenario, nil
}

// Orchestrator is what the scenario's orchestrator is made from, in every plant.
func (s *Scenario) Orchestrator() orchestrator.Config {
	in := &s.Instances
	return orchestrator.Config{
		Seed: s.Seed, Initial: in.Initial, Min: in.Min, Max: in.Max, Weights: in.Weights, MaxConn: in.MaxConn,
		MinConn: in.MinConn, FullConn: in.FullConn, SlowStart: in.SlowStart,
		Window: s.Telemetry.Window, Reports: s.Telemetry.ReportPeriod,
		Scheduler: s.Scheduler, Autoscaler: s.Autoscaler,
	}
}
