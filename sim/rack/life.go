package rack

import (
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// life is a node from when it takes flows to its death, or to the end of the run.
type life struct {
	r        *rack
	id, node int32
	from, to units.Time // to is the end of the run for a node that does not die

	pieces  []int32 // in order of their beginnings
	given   int     // of these, those whose flows are in traffic, in the same order
	traffic traces.Workload
	session *sim.Session
	kept    results.Recorder // nil if nobody wants a record of the node's own
	totals  results.Totals

	at     units.Time // end of the last window of the plant
	row    row        // of the window that is to be put together
	queue  float64    // packets held at the end of the window before
	leaked float64    // packets sent to the dead node, in the window
	rx, tx float64    // packets sent to it, and back, since it began
}

// row is what a plant says of a window. Its length is 0 where the plant says nothing.
type row struct {
	results.Window
	utilization float64
	length      units.Time
}

// scenario is what the node runs: that of the rack without nodes, with a seed and faults of its own.
func (l *life) scenario() *scenarios.Scenario {
	sc := *l.r.sc
	sc.Name += "-node-" + l.name()
	sc.Seed, sc.Duration = sc.NodeSeed(int(l.node)), l.to
	sc.Nodes, sc.Faults = nil, nil
	for _, f := range l.r.sc.Faults {
		if !f.OfRack() && f.Node == int(l.node) {
			f.Node = 1
			sc.Faults = append(sc.Faults, f)
		}
	}
	return &sc
}

func (l *life) name() string {
	if l.id == l.node {
		return fmt.Sprint(l.node)
	}
	return fmt.Sprintf("%d-%d", l.node, l.id) // it has come back
}

// begin makes the plant, of which the first flows are there.
func (l *life) begin() (err error) {
	sc, r := l.scenario(), l.r
	l.traffic.Layer = r.traffic.Layer
	l.traffic.Provenance = append(slices.Clone(r.traffic.Provenance),
		fmt.Sprintf("of these flows, those that the dispatcher of %s gave node %d", r.sc.Name, l.node))
	options := sim.Options{Version: r.o.Version, Silent: true}
	if int(l.node) <= r.sc.Nodes.Keep && r.o.Keep != nil {
		options.Silent = false
		r.keeping.Lock()
		l.kept, err = r.o.Keep(l.name(), sim.Header(sc, &l.traffic, r.o.Version))
		if r.keeping.Unlock(); err != nil {
			return err
		}
	}
	l.session, err = sim.Begin(r.ctx, sc, &l.traffic, r.engine, l, options)
	if err != nil {
		return fmt.Errorf("node %d: %w", l.node, err)
	}
	return nil
}

// until simulates the node up to a time, and the window that ends there.
func (l *life) until(t units.Time) error {
	if l.at >= l.to {
		return nil
	}
	before := l.given
	if err := l.r.extend(l); err != nil {
		return err
	}
	if l.session == nil {
		if err := l.begin(); err != nil {
			return err
		}
	} else if l.given > before && !l.session.Grow() {
		return fmt.Errorf("node %d: the engine takes no flows while it runs", l.node)
	}
	return l.session.Until(t)
}

// finish has the plant write its flows and totals.
func (l *life) finish() error {
	if l.session == nil {
		return nil
	}
	return l.session.Finish(nil)
}

// A life is the recorder of its own plant.

// Decided hands a decision on to the node's own record.
func (l *life) Decided(d *orchestrator.Decision) {
	if l.kept != nil {
		l.kept.Decided(d)
	}
}

// Event hands an event on to the node's own record.
func (l *life) Event(now units.Time, e *orchestrator.Event) {
	if l.kept != nil {
		l.kept.Event(now, e)
	}
}

// Action hands an action on to the node's own record.
func (l *life) Action(now units.Time, a *orchestrator.Action) {
	if l.kept != nil {
		l.kept.Action(now, a)
	}
}

// Window takes a window of the plant.
func (l *life) Window(w *results.Window, instances []results.Instance) error {
	end := min(l.at+l.r.sc.Telemetry.Window, l.to)
	if end > l.from { // before, it is not there
		l.row = row{Window: *w, length: end - l.at}
		could := 0.0
		for i := range instances {
			if u := instances[i].Utilization; u > 0 {
				could += instances[i].Processed / u
			}
		}
		if could > 0 {
			l.row.utilization = w.Processed / could
		}
	}
	l.at = end
	if l.kept != nil {
		return l.kept.Window(w, instances)
	}
	return nil
}

// Flow takes what became of a piece. What the node held when it died is lost.
func (l *life) Flow(f *results.Flow) {
	if l.kept != nil {
		l.kept.Flow(f)
	}
	x := &l.r.fates[l.pieces[f.Flow]]
	dropped, queued := f.Dropped, f.Queued
	if l.dies() {
		dropped, queued = dropped+queued, 0*queued
	}
	x.offered += f.Offered
	x.processed += f.Processed
	x.dropped += dropped
	x.reordered += f.Reordered
	x.queued += queued
	x.moves += f.Moves
}

func (l *life) dies() bool { return l.to < l.r.end }

// Latency hands a delay on to the node's own record.
func (l *life) Latency(x *results.Latency, buckets []results.Bucket) {
	if l.kept != nil {
		l.kept.Latency(x, buckets)
	}
}

// Close takes the totals of the plant.
func (l *life) Close(run *results.Run) error {
	l.totals = run.Totals
	if l.dies() {
		l.totals.Dropped.Instance += l.totals.Queued
		l.totals.Queued = 0
	}
	if l.kept != nil {
		return l.kept.Close(run)
	}
	return nil
}
