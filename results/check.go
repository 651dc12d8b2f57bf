package results

import (
	"fmt"
	"math"

	"github.com/smartinco/smartinco/units"
)

// The tolerance of a balance: what summation in floating point may leave of the packets that take part in it.
const (
	relTolerance = 1e-9
	absTolerance = 1e-3 // packets
)

// Checker checks that packets are conserved: offered = processed + dropped + growth of the queues, for each window,
// each instance in each window, each flow, and the run. A window's loss must also be the sum of its causes and, where
// delays are measured, every processed packet must have one. It sees the values before they are rounded. A window lasts
// from the end of the one before, the first from 0.
//
// An instance that held packets at the end of a window must be in the next one. If it is missing, the balance is
// broken: those packets are nowhere. Likewise the nodes of a rack, which together must also be the window.
//
// On hardware the counters of one balance are not read at the same moment. A balance may then be off by the packets
// that pass within Skew.
//
// The zero Checker is ready for use.
type Checker struct {
	Skew   units.Time // how far apart the counters of one balance may have been read; 0 in simulation
	peak   float64    // highest offered rate of a window so far, packets/s
	check  Check
	where  place
	t      float64 // end of the last window, s
	queued float64 // at t
	held   []held  // the instances' queues at t, by number
	next   []held

	delays  bool // were measured
	delayed int64
	rack    rack
}

type held struct {
	instance int32
	queue    float64
}

// place names a balance; it becomes a string only at the end. Negative fields do not apply.
type place struct {
	what   string
	number int32
	t      float64 // end of the window, s
}

func (p place) String() string {
	s := p.what
	if p.number >= 0 {
		s += fmt.Sprintf(" %d", p.number)
	}
	if p.t >= 0 {
		s += fmt.Sprintf(", window that ends at %g s", p.t)
	}
	return s
}

func (c *Checker) balance(offered, processed, dropped, queued float64, at place) {
	residual := math.Abs(offered - processed - dropped - queued)
	amount := math.Abs(offered) + math.Abs(processed) + math.Abs(dropped) + math.Abs(queued)
	if math.IsNaN(residual) || residual > math.MaxFloat64 {
		residual = math.MaxFloat64 // run.json has no way to write these
	}
	holds := residual <= absTolerance+float64(relTolerance*amount)+float64(c.peak*c.Skew.Seconds())
	if c.check.Checked == 0 {
		c.check.Holds = true
	}
	c.check.Checked++
	if !holds && c.check.Holds {
		c.check.Holds, c.check.Worst = false, 0
	}
	if holds == c.check.Holds && residual > c.check.Worst {
		c.check.Worst, c.where = residual, at
	}
}

// Window checks a window and its instances, which come in order of their number.
func (c *Checker) Window(w *Window, instances []Instance) {
	d := w.T - c.t
	c.nodes(w, d)
	c.peak = max(c.peak, w.Offered)
	c.balance(float64(w.Offered*d), float64(w.Processed*d), float64(w.Dropped*d), w.Queued-c.queued,
		place{"all instances", -1, w.T})
	causes := w.DroppedInstance + w.DroppedESwitch + w.DroppedSlowPath + w.DroppedLink + w.DroppedRejected
	c.balance(float64(w.Dropped*d), float64(causes*d), 0, 0, place{"loss by cause", -1, w.T})

	c.next = c.next[:0]
	before := c.held
	for i := range instances {
		row := &instances[i]
		for len(before) > 0 && before[0].instance < row.Instance {
			c.gone(before[0], w.T)
			before = before[1:]
		}
		had := 0.0
		if len(before) > 0 && before[0].instance == row.Instance {
			had, before = before[0].queue, before[1:]
		}
		c.balance(float64(row.Offered*d), float64(row.Processed*d), float64(row.Dropped*d), row.Queue-had,
			place{"instance", row.Instance, w.T})
		c.next = append(c.next, held{row.Instance, row.Queue})
	}
	for _, h := range before {
		c.gone(h, w.T)
	}
	c.held, c.next = c.next, c.held
	c.t, c.queued = w.T, w.Queued
}

func (c *Checker) gone(h held, t float64) {
	if h.queue != 0 {
		c.balance(0, 0, 0, -h.queue, place{"missing instance", h.instance, t})
	}
}

// Flow checks a flow, unless what became of its packets was not measured.
func (c *Checker) Flow(f *Flow) {
	if f.Unmeasured() {
		return
	}
	c.balance(f.Offered, f.Processed, f.Dropped, f.Queued, place{"flow", f.Flow, -1})
}

// Latency notes how many packets of the run have a delay: as many as were processed.
func (c *Checker) Latency(l *Latency) {
	if l.Scope == "run" {
		c.delays, c.delayed = true, l.Count
	}
}

// Result checks the run's totals and returns the outcome over all that was checked.
func (c *Checker) Result(t *Totals) Check {
	c.balance(t.Offered, t.Processed, t.Dropped.Sum(), t.Queued, place{"run", -1, -1})
	if c.delays {
		c.balance(t.Processed, float64(c.delayed), 0, 0, place{"delays of the run", -1, -1})
	}
	r := c.check
	if r.Worst > 0 {
		r.Where = c.where.String()
	}
	return r
}
