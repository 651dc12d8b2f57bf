package study

import (
	"context"
	"fmt"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// Memory runs a study in memory, one run after the other, and gives the records in the order of the study. They have no
// log: it is for many short runs of which only the rows matter. A record whose packets are not conserved is an error,
// as in One.
func Memory(ctx context.Context, st *scenarios.Study) ([]*results.Record, error) {
	recs := make([]*results.Record, len(st.Runs))
	for i := range st.Runs {
		var err error
		if recs[i], err = inMemory(ctx, st.Runs[i].Scenario); err != nil {
			return nil, fmt.Errorf("run %s: %w", st.Runs[i].Name, err)
		}
	}
	return recs, nil
}

func inMemory(ctx context.Context, sc *scenarios.Scenario) (*results.Record, error) {
	if err := Check(sc); err != nil {
		return nil, err
	}
	traffic, err := sc.TrafficContext(ctx)
	if err != nil {
		return nil, unlessEnded(ctx, err)
	}
	if err := sc.CheckLength(sc.End(traffic)); err != nil {
		return nil, refusal{err}
	}
	m := results.NewMemory()
	if err := sim.Run(ctx, sc, traffic, engines[sc.Engine].make, rows{m}, sim.Options{}); err != nil {
		return nil, err
	}
	if c := m.Run.Conservation; !c.Holds {
		return nil, fmt.Errorf("packets are not conserved: %g packets at %s", c.Worst, c.Where)
	}
	return m.Record()
}

// rows keeps what Memory keeps but for the log.
type rows struct{ *results.Memory }

func (rows) Decided(*orchestrator.Decision)          {}
func (rows) Event(units.Time, *orchestrator.Event)   {}
func (rows) Action(units.Time, *orchestrator.Action) {}
