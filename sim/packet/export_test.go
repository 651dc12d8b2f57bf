package packet

import (
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Step is New without jumps, turns and the order of many flows.
func Step(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
	d, err := New(sc, w, end, c)
	if err == nil {
		e := d.(*Engine)
		e.plain, e.m.noTurns, e.alone = true, true, true
		e.cores[0].m.noTurns = true
	}
	return d, err
}

// Stage is New with link and eSwitch a stage of their own from the start.
func Stage(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
	d, err := New(sc, w, end, c)
	if err == nil {
		d.(*Engine).always = true
		d.(*Engine).limits(0)
	}
	return d, err
}
