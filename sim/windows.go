package sim

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// windows writes the record's rows at the end of each window.
type windows struct {
	began units.Time
	win   results.Window // reused, and rows as well
	rows  []results.Instance
}

func (w *windows) record(p *plant) error {
	if p.now <= w.began {
		return nil
	}
	w.rows = w.rows[:0]
	win := &w.win
	*win = results.Window{T: p.now.Seconds(), Flows: p.active}
	for i := range p.containers.list {
		c := &p.containers.list[i]
		if (c.state == results.StateFailed || c.state == results.StateGone) && c.left < w.began {
			continue
		}
		state := c.state
		if c.state == results.StateReady && p.orch.Draining(flow.Instance(i+1)) {
			state = results.StateDraining
		}
		w.rows = append(w.rows, results.Instance{})
		row := &w.rows[len(w.rows)-1]
		row.T, row.Instance, row.State = win.T, int32(i+1), state
		if c.forwarding() {
			win.Instances++
		}
	}
	p.data.Window(p.now, win, w.rows)
	if d, ok := p.data.(interface{ Err() error }); ok && d.Err() != nil {
		return d.Err()
	}
	if p.Stopped() {
		return nil // the window may lack something
	}
	for i := range w.rows {
		if w.rows[i].Flows > 0 {
			win.Used++
		}
	}
	w.began = p.now
	return p.rec.Window(win, w.rows)
}
