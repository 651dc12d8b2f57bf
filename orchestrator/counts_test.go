package orchestrator

import (
	"fmt"

	"github.com/smartinco/smartinco/orchestrator/scheduler"
)

// tally counts the decisions that are logged, and hands them on.
type tally struct {
	moves          *moveLog
	kinds, reasons map[string]uint64
}

func (l *tally) Decided(d *Decision) {
	l.moves.Decided(d)
	l.kinds[d.Kind]++
	switch d.Kind {
	case Schedule, Hold, Refuse:
		l.reasons[d.Reason]++
	}
}

// check holds what the scheduler counts against what was logged.
func (l *tally) check(c *scheduler.Counts) error {
	for _, x := range []struct {
		kind string
		n    uint64
	}{{Schedule, c.Placed}, {Hold, c.Held}, {Refuse, c.Refused}, {Move, c.Moved}} {
		if l.kinds[x.kind] != x.n {
			return fmt.Errorf("%d decisions of the kind %s, and %d are counted", l.kinds[x.kind], x.kind, x.n)
		}
	}
	known := 0
	for _, r := range c.Reasons {
		if l.reasons[r.Name] != r.N {
			return fmt.Errorf("%d decisions for the reason %q, and %d are counted", l.reasons[r.Name], r.Name, r.N)
		}
		if r.N > 0 {
			known++
		}
	}
	if known != len(l.reasons) {
		return fmt.Errorf("reasons %v, of which %d are counted: %+v", l.reasons, known, c.Reasons)
	}
	return nil
}
