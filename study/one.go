// Package study runs scenarios and keeps their records: one, or all of a study on all cores, so that a study that was
// interrupted goes on where it stopped and its records do not depend on how many ran at a time.
package study

import (
	"context"
	"errors"
	"fmt"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/sim/rack"
	"github.com/smartinco/smartinco/sim/request"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// engine is a data plane, and what it refuses before it sees traffic. The engine of requests is a plant of its own, and
// makes no data plane.
type engine struct {
	make  sim.Engine
	check func(*scenarios.Scenario) error
	racks bool // it runs scenarios with nodes
}

// The engines by the scenario's name for them.
var engines = map[string]engine{
	"fluid":  {fluid.New, lawOf, true},
	"packet": {packet.New, packet.Check, true},

	"request": {nil, request.Check, true},
}

func lawOf(sc *scenarios.Scenario) error { _, err := sim.Law(&sc.VNF.Contention); return err }

// ErrRefused says, through errors.Is, that a request cannot be carried out as it stands: there is no such engine, or
// the directory holds something else.
var ErrRefused = errors.New("refused")

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

type refusal struct{ error }

func (refusal) Is(target error) bool { return target == ErrRefused }
func (r refusal) Unwrap() error      { return r.error }

// Options of One.
type Options struct {
	Version   string                    // of the program, for the record
	Overwrite bool                      // replace the record that the directory holds
	Progress  func(now, end units.Time) // called at the end of each window; may be nil

	known *digests // those of a study; may be nil
}

// One runs a scenario and writes its record to dir. If the run cannot begin, dir is left as it was, with the record
// that it may hold. When ctx ends the run, the record says so and the error wraps the context's.
func One(ctx context.Context, sc *scenarios.Scenario, dir string, o Options) (_ *results.Run, err error) {
	if err := Check(sc); err != nil {
		return nil, err
	}
	lock, err := results.LockDir(dir)
	if err != nil {
		return nil, refusable(err)
	}
	rec := &kept{}
	defer func() {
		if rec.Writer == nil {
			err = errors.Join(err, lock.Abandon())
		}
	}()
	if engines[sc.Engine].make == nil {
		return o.requests(ctx, sc, dir, lock, rec)
	}
	traffic, behind, err := o.load(ctx, sc)
	if err != nil {
		return nil, err
	}
	run := sim.Header(sc, traffic, o.Version)
	run.Inputs = behind.inputs()
	if sc.Nodes != nil {
		return o.rack(ctx, sc, traffic, behind, run, dir, lock, rec)
	}
	var refused error
	// The record begins once the run has everything that it needs: until then, dir is not touched.
	begin := func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
		plane, err := engines[sc.Engine].make(sc, w, end, c)
		if err == nil {
			err = behind.changed() // the engine has read some
		}
		if err != nil {
			return nil, err
		}
		rec.Writer, refused = results.Create(dir, *run, results.Options{Overwrite: o.Overwrite, Lock: lock})
		return plane, refused
	}
	err = sim.Run(ctx, sc, traffic, begin, rec, sim.Options{Version: o.Version, Progress: o.Progress})
	switch {
	case refused != nil:
		return nil, refusable(refused)
	case rec.run == nil && err != nil: // the scenario is not one that the engine or the orchestrator can run
		return nil, refusal{err}
	}
	return rec.ended(dir, err)
}

// rack is One for a scenario with nodes. Those that have records of their own have them below dir.
func (o *Options) rack(ctx context.Context, sc *scenarios.Scenario, w *traces.Workload, behind files, run *results.Run,
	dir string, lock *results.DirLock, rec *kept) (_ *results.Run, err error) {
	node := *sc
	node.Nodes, node.Duration = nil, sc.End(w)
	// A node without traffic says whether the engine has what it needs.
	_, err = sim.Begin(ctx, &node, &traces.Workload{}, engines[sc.Engine].make, results.Discard, sim.Options{})
	if err == nil {
		err = behind.changed() // the engine has read some
	}
	if err != nil {
		return nil, unlessEnded(ctx, err)
	}
	create := results.Options{Overwrite: o.Overwrite, Lock: lock}
	if rec.Writer, err = results.Create(dir, *run, create); err != nil {
		return nil, refusable(err)
	}
	keep := func(name string, node *results.Run) (results.Recorder, error) {
		node.Inputs = run.Inputs
		return results.Create(results.NodeDir(dir, name), *node, results.Options{})
	}
	err = rack.Run(ctx, sc, w, engines[sc.Engine].make, rec, rack.Options{Keep: keep,
		Options: sim.Options{Version: o.Version, Progress: o.Progress}})
	return rec.ended(dir, err)
}

// ended is what came of a run whose record is written.
func (k *kept) ended(dir string, err error) (*results.Run, error) {
	if err == nil {
		if err = lawful(k.run); err != nil {
			err = fmt.Errorf("%s: %w", dir, err)
		}
	}
	return k.run, err
}

// requests is One for the engine of requests.
func (o *Options) requests(ctx context.Context, sc *scenarios.Scenario, dir string, lock *results.DirLock, rec *kept) (
	*results.Run, error) {
	e, behind, err := o.ofRequests(ctx, sc)
	if err != nil {
		return nil, err
	}
	run := request.Header(sc, o.Version)
	run.Inputs = behind.inputs()
	if rec.Writer, err = results.Create(dir, *run, results.Options{Overwrite: o.Overwrite, Lock: lock}); err != nil {
		return nil, refusable(err)
	}
	err = e.Run(ctx, rec, sim.Options{Version: o.Version, Progress: o.Progress})
	return rec.ended(dir, err)
}

// ofRequests makes the engine of requests for a scenario, and gives the files behind it.
func (o *Options) ofRequests(ctx context.Context, sc *scenarios.Scenario) (*request.Engine, files, error) {
	behind, err := o.behind(ctx, sc)
	if err != nil {
		return nil, nil, unlessEnded(ctx, err)
	}
	e, err := request.New(sc)
	if err == nil {
		err = behind.changed() // the engine has read some
	}
	if err != nil {
		return nil, nil, unlessEnded(ctx, err)
	}
	return e, behind, nil
}

// behind are the files behind a scenario.
func (o *Options) behind(ctx context.Context, sc *scenarios.Scenario) (files, error) {
	known := o.known
	if known == nil {
		known = &digests{}
	}
	return known.of(ctx, sc)
}

// lawful says which law a complete run breaks.
func lawful(r *results.Run) error {
	if c := r.Conservation; !c.Holds {
		return fmt.Errorf("packets are not conserved: %g packets at %s", c.Worst, c.Where)
	}
	if l := r.Little; l != nil && !l.Holds {
		const law = "Little's law" // a name
		return fmt.Errorf("%s does not hold: %s", law, l.Where)
	}
	return nil
}

// load gives a scenario's traffic, and the files behind it and behind what its engine is yet to read.
func (o *Options) load(ctx context.Context, sc *scenarios.Scenario) (*traces.Workload, files, error) {
	behind, err := o.behind(ctx, sc)
	if err != nil {
		return nil, nil, unlessEnded(ctx, err)
	}
	traffic, err := sc.TrafficContext(ctx)
	if err == nil {
		err = behind.changed()
	}
	if err == nil {
		err = sc.CheckLength(sc.End(traffic)) // where the scenario has a duration, its decoder has asked
	}
	if err != nil {
		return nil, nil, unlessEnded(ctx, err)
	}
	return traffic, behind, nil
}

// unlessEnded makes a refusal of an error about a file that a scenario names, unless the context has ended: the file
// does not exist, or is not what the scenario takes it for.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return refusal{err}
}

// kept keeps what the record was closed with.
type kept struct {
	*results.Writer
	run *results.Run
}

func (k *kept) Close(r *results.Run) error {
	k.run = r
	return k.Writer.Close(r)
}
