// Package rack simulates NICs behind a dispatcher: whole plants of package sim, each with an orchestrator of its own,
// and before them one more orchestrator, whose instances are the nodes. That dispatcher is the same state machine with
// the same policies, logged and verified like any other. It steers a flow to a node when the flow comes, and again when
// the node has died.
//
// # Order
//
// Nodes do not know of each other. All that they have in common is what the dispatcher sends them, and all that it
// knows of them is what it reads at the end of a window. So nodes are simulated side by side from window to window,
// on as many cores as there are, and what they did is put together in order of their numbers: the record does not
// depend on the cores.
//
// If the dispatcher's policy looks at no counters (telemetry class T2), it has decided everything before the first
// node begins (dispatcher.go). Otherwise it is never further than the end of the window up to which the nodes are.
//
// # Lives
//
// A node that comes back after its death is empty, and has a new number with the dispatcher, as a container has that
// replaces another. What is simulated is thus a list of lives, each a plant from the beginning of the run to the death
// of the node or the end. A second life idles until it takes flows.
//
// # Pieces
//
// A flow is cut where it is steered elsewhere. Each piece is a flow of one life, or it is nobody's, and then its
// packets are lost at the dispatcher (pieces.go). What is sent to a node that is dead, until the dispatcher knows it,
// is lost on the way (leaks.go).
package rack

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Options are what a caller may want of a run in addition to its record.
type Options struct {
	sim.Options
	Workers int // nodes simulated at a time; 0 for as many as there are cores

	// Keep gives the recorder of a node of which the scenario wants a record, by a name such as "3". It may be nil. It
	// is called by one node at a time.
	Keep func(name string, run *results.Run) (results.Recorder, error)
}

// rack is a run.
type rack struct {
	sc      *scenarios.Scenario
	traffic *traces.Workload
	engine  sim.Engine
	end     units.Time
	link    units.Time
	ctx     context.Context
	o       Options
	keeping sync.Mutex // of a call of Keep

	lives  []*life // by the dispatcher's number for it, from 1
	dead   [][]span
	pieces []piece
	fates  []fate // of the pieces
	last   []int32
	leaks  []leak
	leaky  int // leaks before it are over
	lost   tally

	began units.Time // the window
	sums  []sum      // of the window, by node
	rows  struct {
		nodes     []results.Node
		instances []results.Instance
	}
}

// span is a time; to is excluded.
type span struct{ from, to units.Time }

// Check is the error with which Run refuses a scenario, whatever its traffic.
func Check(sc *scenarios.Scenario) error {
	if sc.Measure.Delay != "none" {
		return fmt.Errorf("measure.delay: %s with nodes: want none: a rack puts no delays together", sc.Measure.Delay)
	}
	p := &sc.Nodes.Dispatcher.Policy
	row := scheduler.Policies.Find(p.Name)
	if row == nil || !row.Sees.Has(policy.T2) {
		return nil
	}
	if own := autoscaler.Policies.Find(sc.Autoscaler.Policy.Name); own != nil && own.Sees.Has(policy.T5) {
		return fmt.Errorf("autoscaler.policy: %s is told what flows are to come, which is not known under "+
			"nodes.dispatcher.policy: %s: want another policy, or one of nodes that does not see T2", own.Name, p.Name)
	}
	if sc.Engine != "fluid" {
		return fmt.Errorf("nodes.dispatcher.policy: %s goes by counters of the nodes, so that flows come to them as "+
			"they run: want engine: fluid, or a policy that does not see T2", p.Name)
	}
	return nil
}

// Run simulates a scenario with nodes and writes its record. Errors are those of sim.Run.
func Run(ctx context.Context, sc *scenarios.Scenario, w *traces.Workload, engine sim.Engine, rec results.NodeRecorder,
	o Options) error {
	if err := Check(sc); err != nil {
		return fmt.Errorf("scenario %s: %w", sc.Name, err)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	r := &rack{sc: sc, traffic: w, engine: engine, end: sc.End(w), link: sc.Nodes.Link, ctx: ctx, o: o,
		lives: make([]*life, 1, sc.Nodes.Count+1), dead: deaths(sc), last: make([]int32, len(w.Flows)),
		pieces: make([]piece, 0, len(w.Flows)), sums: make([]sum, sc.Nodes.Count+1)}
	for f := range r.last {
		r.last[f] = -1
	}
	d, err := newDispatcher(r, rec)
	if err != nil {
		return fmt.Errorf("scenario %s: %w", sc.Name, err)
	}
	runErr := r.run(d, rec)
	run := sim.Header(sc, w, o.Version)
	run.Policy = d.orch.Counts()
	totals, err := r.finish(d, rec)
	if runErr == nil {
		runErr = err
	}
	run.Totals, run.Complete = totals, runErr == nil
	if runErr != nil {
		run.Error = runErr.Error()
	}
	if err := rec.Close(run); err != nil && runErr == nil {
		return err
	}
	return runErr
}

// run goes from window to window.
func (r *rack) run(d *dispatcher, rec results.NodeRecorder) error {
	if !d.watches {
		d.until(r.end)
	}
	for t := units.Time(0); t < r.end; {
		t = min(t+r.sc.Telemetry.Window, r.end)
		if d.watches {
			d.until(t)
		}
		if err := r.each(func(l *life) error { return l.until(t) }); err != nil {
			return err
		}
		if err := r.ctx.Err(); err != nil {
			return fmt.Errorf("stopped at %v of %v: %w", r.began, r.end, err)
		}
		if err := r.record(t, rec); err != nil {
			return err
		}
		if r.o.Progress != nil {
			r.o.Progress(t, r.end)
		}
	}
	return nil
}

// each does something with every life, several at a time. The error is that of the first of those that had one.
func (r *rack) each(do func(*life) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	lives := r.lives[1:]
	errs := make([]error, len(lives))
	for range min(r.o.Workers, len(lives)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(lives); i = int(next.Add(1)) - 1 {
				errs[i] = do(lives[i])
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// finish writes the flows, and returns the totals.
func (r *rack) finish(d *dispatcher, rec results.Recorder) (t results.Totals, err error) {
	r.fates = append(r.fates, make([]fate, len(r.pieces)-len(r.fates))...)
	err = r.each((*life).finish)
	for _, l := range r.lives[1:] {
		add(&t, &l.totals)
	}
	t.Offered += r.lost.link + r.lost.rejected
	t.OfferedBytes += r.lost.bytes
	t.Dropped.Link += r.lost.link
	t.Dropped.Rejected += r.lost.rejected
	t.Flows = int64(len(r.traffic.Flows))
	t.Moves, t.Broken = t.Moves+d.moves, t.Broken+d.broken
	r.flows(rec)
	return t, err
}

func add(t, x *results.Totals) {
	t.Offered += x.Offered
	t.OfferedBytes += x.OfferedBytes
	t.Processed += x.Processed
	t.ProcessedBytes += x.ProcessedBytes
	t.Queued += x.Queued
	t.Dropped.Link += x.Dropped.Link
	t.Dropped.ESwitch += x.Dropped.ESwitch
	t.Dropped.SlowPath += x.Dropped.SlowPath
	t.Dropped.Instance += x.Dropped.Instance
	t.Dropped.Rejected += x.Dropped.Rejected
	t.SlowPath += x.SlowPath
	t.Reordered += x.Reordered
	t.Moves += x.Moves
	t.RulesInstalled += x.RulesInstalled
	t.RulesRejected += x.RulesRejected
	t.Broken += x.Broken
	t.HandedOn += x.HandedOn
}

// deaths are the times in which each node is dead, in order and apart.
func deaths(sc *scenarios.Scenario) [][]span {
	dead := make([][]span, sc.Nodes.Count+1)
	for _, f := range sc.Faults {
		if f.Kind != "node-death" {
			continue
		}
		to := units.Never
		if f.For > 0 {
			to = f.At + f.For
		}
		dead[f.Node] = join(dead[f.Node], span{f.At, to})
	}
	return dead
}

// join adds a span to others that are in order and apart.
func join(all []span, s span) (joined []span) {
	for i, x := range all {
		switch {
		case x.to < s.from:
			joined = append(joined, x)
		case s.to < x.from:
			return append(append(joined, s), all[i:]...)
		default:
			s = span{min(s.from, x.from), max(s.to, x.to)}
		}
	}
	return append(joined, s)
}
