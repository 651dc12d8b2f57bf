// Package autopilot has Google's Autopilot, as Rzadca et al. describe it (EuroSys 2020): how many tasks a job has, and
// what each may use, from what they used before. An instance is a task.
//
// It is a reconstruction. The paper gives the rules and most of the times. The bounds of the buckets, how many samples
// the maximum is taken of, the target and the margin are not in it: those are options, whose defaults are own choice.
// Its recommender by an ensemble of models is not here. The paper's costs count samples above a limit and below it. If
// each is one or the other, the cost only rises or only falls with the limit, whatever the weights, and one of the two
// extremes is always the cheapest. If those in the limit's own bucket are neither, it sits on a bucket that stands out.
// Which it is, and the weights, are not published, so that neither could be held against anything: docs/policies.md.
//
// Use is averaged in windows of five minutes, and everything is found anew when a window ends.
package autopilot

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{horizontal, vertical}

// Signal chooses what an instance uses.
type Signal struct {
	CPU    string     `yaml:"cpu" enum:"reported|processed" default:"reported"`
	Window units.Time `yaml:"window" default:"5min" above:"0"`
}

// Docs implements strictyaml.Documented.
func (Signal) Docs() string {
	return `
cpu: what an instance uses of a core: what an agent on it reports, or what it processes over scheduler.limit
window: time over which use is averaged; recommendations change when one ends
`
}

// Measures implements policy.Measurer.
func (o Signal) Measures() policy.MetricSet {
	if o.CPU == "reported" {
		return policy.SetOf(policy.CPU)
	}
	return 0
}

// readings are the use of the instances, reading by reading.
type readings struct {
	Signal
	newest units.Time
	ends   units.Time // of the window; 0 before the first evaluation
	uses   []float64  // in cores, of the instances in the newest reading
}

// next takes a reading in, and reports whether there is a new one.
func (g *readings) next(s *policy.Snapshot) bool {
	g.uses = g.uses[:0]
	newest := g.newest
	for k := range s.Instances {
		i := &s.Instances[k]
		use, at, known := i.Usage.CPU, i.Usage.Sampled, i.Usage.Known
		if g.CPU != "reported" {
			use, at, known = i.Rate.Tx/s.Limit, i.Rate.Sampled, i.Rate.Known
		}
		if known && at > g.newest {
			g.uses = append(g.uses, use)
			newest = max(newest, at)
		}
	}
	g.newest = newest
	return len(g.uses) > 0
}

// over reports whether a window has ended, and begins the next. Windows are whole since the start of the run, and a
// reading at the end of one is the last in it.
func (g *readings) over(now units.Time) bool {
	if g.ends == 0 {
		g.ends = max(1, (now+g.Window-1)/g.Window) * g.Window
	}
	if now < g.ends {
		return false
	}
	g.ends += (now-g.ends)/g.Window*g.Window + g.Window
	return true
}

// last keeps the last values of a number of windows.
type last struct {
	values []float64
	next   int
	full   bool
}

// newLast holds as many values as windows are in a time, at least one.
func newLast(span, window units.Time) last {
	return last{values: make([]float64, max(1, min(span/window, mostWindows)))}
}

// mostWindows bounds what is kept.
const mostWindows = 1 << 16

func (l *last) add(x float64) {
	l.values[l.next] = x
	if l.next++; l.next == len(l.values) {
		l.next, l.full = 0, true
	}
}

// all are the values, in no order.
func (l *last) all() []float64 {
	if l.full {
		return l.values
	}
	return l.values[:l.next]
}
