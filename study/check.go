package study

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/rack"
)

// Check says why One would refuse a scenario, as far as can be told without the files that it names. It reads and
// writes nothing.
func Check(sc *scenarios.Scenario) error {
	engine, ok := engines[sc.Engine]
	if !ok {
		return refusef("scenario %s: no engine %q in this program: want %s", sc.Name, sc.Engine,
			strings.Join(slices.Sorted(maps.Keys(engines)), " or "))
	}
	if sc.Nodes != nil && !engine.racks {
		return refusef("scenario %s: nodes: engine: %s knows one NIC: want another engine", sc.Name, sc.Engine)
	}
	if err := sc.CheckTraffic(); err != nil {
		return refusal{err}
	}
	if engine.make == nil { // it has no orchestrator of flows
		if err := engine.check(sc); err != nil {
			return refusal{fmt.Errorf("scenario %s: %w", sc.Name, err)}
		}
		return nil
	}
	if _, err := orchestrator.New(sc.Orchestrator(), nil); err != nil {
		return refusal{fmt.Errorf("scenario %s: %w", sc.Name, err)}
	}
	if err := engine.check(sc); err != nil {
		return refusal{fmt.Errorf("scenario %s: %w", sc.Name, err)}
	}
	if sc.Nodes != nil {
		err := rack.Check(sc)
		if err == nil {
			_, err = orchestrator.New(sc.Rack(), nil)
		}
		if err != nil {
			return refusal{fmt.Errorf("scenario %s: %w", sc.Name, err)}
		}
	}
	return nil
}
