package study

import (
	"context"
	"fmt"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/rack"
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
	m := results.NewMemory()
	if err := into(ctx, sc, rows{m}); err != nil {
		return nil, err
	}
	if err := lawful(&m.Run); err != nil {
		return nil, err
	}
	return m.Record()
}

// into runs a scenario that has been checked.
func into(ctx context.Context, sc *scenarios.Scenario, rec results.Recorder) error {
	if engines[sc.Engine].make == nil {
		e, _, err := (&Options{}).ofRequests(ctx, sc)
		if err != nil {
			return err
		}
		return e.Run(ctx, rec, sim.Options{})
	}
	traffic, err := sc.TrafficContext(ctx)
	if err != nil {
		return unlessEnded(ctx, err)
	}
	if err := sc.CheckLength(sc.End(traffic)); err != nil {
		return refusal{err}
	}
	if nodes, ok := rec.(results.NodeRecorder); ok && sc.Nodes != nil {
		return rack.Run(ctx, sc, traffic, engines[sc.Engine].make, nodes, rack.Options{})
	}
	return sim.Run(ctx, sc, traffic, engines[sc.Engine].make, rec, sim.Options{})
}

// totals runs a scenario without a record. The run is nil if it could not begin; it is there, with an error, if it
// broke a law.
func totals(ctx context.Context, sc *scenarios.Scenario, o Options) (*results.Run, error) {
	if err := Check(sc); err != nil {
		return nil, err
	}
	sums := results.NewSums(sc)
	if engines[sc.Engine].make == nil {
		e, behind, err := o.ofRequests(ctx, sc)
		if err != nil {
			return nil, err
		}
		err = e.Run(ctx, sums, sim.Options{Version: o.Version, Progress: o.Progress})
		sums.Run.Inputs = behind.inputs()
		if err == nil {
			err = lawful(&sums.Run)
		}
		return &sums.Run, err
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
	options := sim.Options{Version: o.Version, Progress: o.Progress}
	if sc.Nodes != nil {
		err = rack.Run(ctx, sc, traffic, begin, sums, rack.Options{Options: options})
	} else {
		err = sim.Run(ctx, sc, traffic, begin, sums, options)
	}
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
