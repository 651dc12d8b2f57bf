package study

import (
	"context"
	"fmt"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
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
	if err := lawful(&m.Run); err != nil {
		return nil, err
	}
	return m.Record()
}

// totals runs a scenario without a record. The run is nil if it could not begin; it is there, with an error, if it
// broke a law.
func totals(ctx context.Context, sc *scenarios.Scenario, o Options) (*results.Run, error) {
	if err := Check(sc); err != nil {
		return nil, err
	}
	traffic, behind, err := o.load(ctx, sc)
	if err != nil {
		return nil, err
	}
	begin := func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
		plane, err := engines[sc.Engine].make(sc, w, end, c)
		if err == nil {
			err = behind.changed() // the engine has read some
		}
		return plane, err
	}
	sums := results.NewSums(sc)
	err = sim.Run(ctx, sc, traffic, begin, sums, sim.Options{Version: o.Version, Progress: o.Progress})
	sums.Run.Inputs = behind.inputs()
	switch {
	case !sums.Run.Complete && ctx.Err() == nil && err != nil:
		return nil, refusal{err} // the scenario is not one that the engine or the orchestrator can run
	case err == nil:
		err = lawful(&sums.Run)
	}
	return &sums.Run, err
}

// rows keeps what Memory keeps but for the log.
type rows struct{ *results.Memory }

func (rows) Decided(*orchestrator.Decision)          {}
func (rows) Event(units.Time, *orchestrator.Event)   {}
func (rows) Action(units.Time, *orchestrator.Action) {}
