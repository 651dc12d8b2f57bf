package packet

import (
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Step is New without jumps, turns and the order of many flows.
func Step(sc *scenarios.Scenario, w *traces.Workload, _ units.Time, c sim.Control) (sim.DataPlane, error) {
	return newEngine(sc, w, c, modes{plain: true})
}

// Stage is New with link and eSwitch a stage of their own from the start.
func Stage(sc *scenarios.Scenario, w *traces.Workload, _ units.Time, c sim.Control) (sim.DataPlane, error) {
	return newEngine(sc, w, c, modes{always: true})
}

// Leap is New that leaps over packets wherever it can.
func Leap(sc *scenarios.Scenario, w *traces.Workload, _ units.Time, c sim.Control) (sim.DataPlane, error) {
	return newEngine(sc, w, c, modes{keen: true})
}

// Blocks is how many blocks the engine has merged at once at most, and whether it guessed right the last time.
func Blocks(d sim.DataPlane) (n int, right bool) {
	e := d.(*Engine)
	return len(e.blocks), e.in.doubt == 0
}
