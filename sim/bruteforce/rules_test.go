package bruteforce

import (
	"maps"
	"math"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// reading is what the counters of the rules in force said at a time.
type reading struct {
	at    units.Time
	rules []orchestrator.RuleCounter
}

// reader is a data plane whose rules' counters are read whenever the instances' are.
type reader struct {
	sim.DataPlane
	inForce map[flow.ID]bool
	all     *[]reading
}

// reads is an engine that keeps the readings of the rules' counters.
func reads(engine sim.Engine, all *[]reading) sim.Engine {
	return func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
		d, err := engine(sc, w, end, c)
		return &reader{d, map[flow.ID]bool{}, all}, err
	}
}

func (r *reader) Rule(now units.Time, f flow.ID, i flow.Instance) {
	r.inForce[f] = true
	r.DataPlane.Rule(now, f, i)
}

func (r *reader) Unrule(now units.Time, f flow.ID) {
	delete(r.inForce, f)
	r.DataPlane.Unrule(now, f)
}

func (r *reader) Counters(now units.Time, c []orchestrator.Counter) {
	r.DataPlane.Counters(now, c)
	var rules []orchestrator.RuleCounter
	for _, f := range slices.Sorted(maps.Keys(r.inForce)) {
		rules = append(rules, orchestrator.RuleCounter{Flow: f})
	}
	r.RuleCounters(now, rules)
	*r.all = append(*r.all, reading{now, rules})
}

// Delays are the engine's, which has them if the scenario asks for them.
func (r *reader) Delays(now units.Time, rec results.Recorder) *results.Little {
	if d, ok := r.DataPlane.(sim.Delays); ok {
		return d.Delays(now, rec)
	}
	return nil
}

// rules compares the readings of the rules' counters. None may be off by more than that.
func (d *diff) rules(what string, got, want []reading, off float64) {
	if len(got) != len(want) {
		d.add("%s: the rules' counters were read %d times, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if off == 0 && !slices.Equal(got[i].rules, want[i].rules) || got[i].at != want[i].at {
			d.add("%s: the rules' counters at %v: %v, want %v at %v", what, got[i].at, got[i].rules,
				want[i].rules, want[i].at)
			return
		}
		right := map[flow.ID]uint64{}
		for _, c := range want[i].rules {
			right[c.Flow] = c.Packets
		}
		for _, c := range got[i].rules { // a rule may come or go a little earlier
			if n, ok := right[c.Flow]; ok && math.Abs(float64(c.Packets)-float64(n)) > off {
				d.add("%s: the counter of flow %d's rule at %v: %d, want %d, more than %.0f apart", what, c.Flow,
					got[i].at, c.Packets, n, off)
				return
			}
		}
	}
}
