package results

import (
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// Sums is the Recorder that keeps no row and no log: it checks the rows as every Recorder does, keeps what Close was
// passed, and adds up what the controller cost. It is for many runs of which only the totals matter.
type Sums struct {
	Run Run // as passed to Close, with the costs; zero before

	check Checker
	meter *Meter
}

// NewSums returns a Sums for a run of a scenario.
func NewSums(sc *scenarios.Scenario) *Sums { return &Sums{meter: NewMeter(sc)} }

var _ Recorder = (*Sums)(nil)

// Decided adds up a decision.
func (s *Sums) Decided(d *orchestrator.Decision) { s.meter.Decided(d) }

// Event adds up an event.
func (s *Sums) Event(now units.Time, e *orchestrator.Event) { s.meter.Event(now, e) }

// Action adds up an action.
func (s *Sums) Action(now units.Time, a *orchestrator.Action) { s.meter.Action(now, a) }

// Window checks and adds up a window and its instances.
func (s *Sums) Window(w *Window, instances []Instance) error {
	s.check.Window(w, instances)
	s.meter.Window(w, instances)
	return nil
}

// Flow checks and adds up a flow.
func (s *Sums) Flow(f *Flow) {
	s.check.Flow(f)
	s.meter.Flow(f)
}

// Latency checks and adds up a delay.
func (s *Sums) Latency(l *Latency, buckets []Bucket) {
	s.check.Latency(l)
	s.meter.Latency(l, buckets)
}

// Close does to r what Writer.Close does, and keeps it.
func (s *Sums) Close(r *Run) error {
	finish(r, &s.check)
	s.Run = *r
	s.Run.Costs = s.meter.Costs(r).Known()
	return nil
}
