package sim

import (
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// BurstStarts are the first packets of all bursts but each flow's first.
func BurstStarts(w *traces.Workload, gap units.Time) (all []results.Burst) {
	s := newBurstStarts(w, gap, func() bool { return false })
	for b, ok := s.next(); ok; b, ok = s.next() {
		all = append(all, results.Burst{At: b.at, Flow: b.f})
	}
	return all
}

// BurstDecisions are those of the NIC's stage, and how many bursts missed it.
func BurstDecisions(sc *scenarios.Scenario, w *traces.Workload) (all []results.Burst, missed int64, err error) {
	s, err := newBurstStage(sc, w, sc.End(w), func() bool { return false })
	if err != nil {
		return nil, 0, err
	}
	for b, ok := s.next(); ok; b, ok = s.next() {
		all = append(all, results.Burst{At: b.at, Flow: b.f})
	}
	return all, s.missed, nil
}

// Do has the plant that a data plane knows as its Control carry out an action.
func Do(c Control, a *orchestrator.Action) { c.(*plant).do(a, false) }
