package study

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
)

// checks are what an engine refuses before it sees traffic, by the scenario's name for it.
var checks = map[string]func(*scenarios.Scenario) error{
	"fluid":  func(sc *scenarios.Scenario) error { _, err := sim.Law(&sc.VNF.Contention); return err },
	"packet": packet.Check,
}

// Check says what One would refuse of a scenario, short of what is in the files that it names. Nothing is written or read.
func Check(sc *scenarios.Scenario) error {
	check, ok := checks[sc.Engine]
	if !ok {
		return refusef("scenario %s: no engine %q in this program: want %s", sc.Name, sc.Engine, strings.Join(slices.Sorted(maps.Keys(checks)), " or "))
	}
	if err := sc.CheckTraffic(); err != nil {
		return refusal{err}
	}
	if _, err := orchestrator.New(sc.Orchestrator(), nil); err != nil {
		return refusal{fmt.Errorf("scenario %s: %w", sc.Name, err)}
	}
	if err := check(sc); err != nil {
		return refusal{fmt.Errorf("scenario %s: %w", sc.Name, err)}
	}
	return nil
}
