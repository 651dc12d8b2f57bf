package results

import (
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// Sums is the Recorder that keeps no row and no log: it checks the rows as every Recorder does, and keeps what Close
// was passed. It is for many runs of which only the totals matter. The zero Sums is ready for use.
type Sums struct {
	Run Run // as passed to Close; zero before

	check Checker
}

var _ Recorder = (*Sums)(nil)

// Decided drops a decision.
func (*Sums) Decided(*orchestrator.Decision) {}

// Event drops an event.
func (*Sums) Event(units.Time, *orchestrator.Event) {}

// Action drops an action.
func (*Sums) Action(units.Time, *orchestrator.Action) {}

// Window checks a window and its instances.
func (s *Sums) Window(w *Window, instances []Instance) error {
	s.check.Window(w, instances)
	return nil
}

// Flow checks a flow.
func (s *Sums) Flow(f *Flow) { s.check.Flow(f) }

// Latency checks a delay.
func (s *Sums) Latency(l *Latency, _ []Bucket) { s.check.Latency(l) }

// Close does to r what Writer.Close does, and keeps it.
func (s *Sums) Close(r *Run) error {
	finish(r, &s.check)
	s.Run = *r
	return nil
}
