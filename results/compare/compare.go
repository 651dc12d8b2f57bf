// Package compare lays two records side by side: the error of each series of windows, the totals, what the controllers
// cost, and where the orchestrators decided otherwise. It does not matter which plant made them: a simulation can be
// compared with hardware, and two engines or two policies with each other.
//
// The first record is the reference: errors are those of the second against it.
package compare

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"github.com/smartinco/smartinco/results"
)

// Comparison is what two records have in common, and where they differ.
type Comparison struct {
	A         Side      `json:"a"` // the reference
	B         Side      `json:"b"`
	Window    float64   `json:"window_s"`  // nominal length of the windows compared
	Windows   int       `json:"windows"`   // how many
	End       float64   `json:"end_s"`     // of the last
	Series    []Series  `json:"series"`    // those that are not zero throughout in both
	Totals    []Total   `json:"totals"`    // none if a run was killed
	Costs     []Total   `json:"costs"`     // those that both know and that are not zero in both
	Decisions Decisions `json:"decisions"` //
	Notes     []string  `json:"notes"`     // what was done to make the two comparable
}

// Side is one of the records.
type Side struct {
	Dir      string  `json:"dir"`
	Name     string  `json:"name"`
	Plant    string  `json:"plant"`
	Engine   string  `json:"engine"`
	Version  string  `json:"version"`
	Seed     uint64  `json:"seed"`
	Duration float64 `json:"duration_s"`
	Window   float64 `json:"window_s"`
	Complete bool    `json:"complete"`
}

// Series is a column of the windows in both records. MAE is the mean of |b-a| over the windows. WAPE, the weighted
// absolute percentage error, is MAE over the mean of |a|. MAPE is the mean of |b-a|/|a| over the windows in which a is
// not 0, whose number is Shares; windows in which a is small can make it large. Correlation is Pearson's. A figure that
// is not defined, because a is 0 throughout or a series is constant, is nil.
type Series struct {
	Name        string   `json:"name"` // of the column, see results.Window
	Unit        string   `json:"unit"`
	MeanA       float64  `json:"mean_a"`
	MeanB       float64  `json:"mean_b"`
	MAE         float64  `json:"mae"`
	WAPE        *float64 `json:"wape_percent"`
	MAPE        *float64 `json:"mape_percent"`
	Shares      int      `json:"mape_windows"`
	Correlation *float64 `json:"correlation"`
}

// Total is a number of the whole run. Percent is (b-a)/a, nil if a is 0.
type Total struct {
	Name    string   `json:"name"`
	A       float64  `json:"a"`
	B       float64  `json:"b"`
	Percent *float64 `json:"difference_percent"`
}

// column is a series of windows. A rate holds over its window; a state is that at the window's end; a count is that of
// the window, and is compared as a rate.
type column struct {
	name, unit string
	kind       kind
	of         func(*results.Window) float64
}

type kind uint8

const (
	rate kind = iota
	state
	count
)

var columns = []column{
	{"offered", "packets/s", rate, func(w *results.Window) float64 { return w.Offered }},
	{"ingress", "packets/s", rate, func(w *results.Window) float64 { return w.Ingress }},
	{"processed", "packets/s", rate, func(w *results.Window) float64 { return w.Processed }},
	{"processed_bits", "bit/s", rate, func(w *results.Window) float64 { return w.ProcessedBits }},
	{"dropped", "packets/s", rate, func(w *results.Window) float64 { return w.Dropped }},
	{"dropped_instance", "packets/s", rate, func(w *results.Window) float64 { return w.DroppedInstance }},
	{"dropped_eswitch", "packets/s", rate, func(w *results.Window) float64 { return w.DroppedESwitch }},
	{"dropped_slowpath", "packets/s", rate, func(w *results.Window) float64 { return w.DroppedSlowPath }},
	{"dropped_link", "packets/s", rate, func(w *results.Window) float64 { return w.DroppedLink }},
	{"dropped_rejected", "packets/s", rate, func(w *results.Window) float64 { return w.DroppedRejected }},
	{"slowpath", "packets/s", rate, func(w *results.Window) float64 { return w.SlowPath }},
	{"reordered", "packets/s", count, func(w *results.Window) float64 { return w.Reordered }},
	{"instances", "", state, func(w *results.Window) float64 { return float64(w.Instances) }},
	{"instances_used", "", state, func(w *results.Window) float64 { return float64(w.Used) }},
	{"flows", "", state, func(w *results.Window) float64 { return float64(w.Flows) }},
	{"queued", "packets", state, func(w *results.Window) float64 { return w.Queued }},
}

// ErrNothing says that two records have nothing in common that could be compared.
var ErrNothing = errors.New("nothing to compare")

// Records compares b with a. Records without a window in common, and a window that cannot be read, are errors.
func Records(a, b *results.Record) (*Comparison, error) {
	c := &Comparison{A: side(a), B: side(b), Notes: []string{}}
	wa, err := windowsOf(a)
	if err != nil {
		return nil, err
	}
	wb, err := windowsOf(b)
	if err != nil {
		return nil, err
	}
	if err := c.windows(wa, wb); err != nil {
		return nil, err
	}
	c.totals(&a.Run, &b.Run)
	if err := c.costs(a, b); err != nil {
		return nil, err
	}
	return c, c.Decisions.compare(a, b)
}

// costs compares what the controllers cost.
func (c *Comparison) costs(a, b *results.Record) error {
	p, err := a.Costs()
	if err != nil {
		return fmt.Errorf("%s: %w", a.Dir, err)
	}
	q, err := b.Costs()
	if err != nil {
		return fmt.Errorf("%s: %w", b.Dir, err)
	}
	for _, of := range results.CostTable {
		t := Total{Name: of.Name, A: of.Of(p), B: of.Of(q)}
		if math.IsNaN(t.A) || math.IsNaN(t.B) {
			continue
		}
		c.Costs = t.into(c.Costs)
	}
	return nil
}

// into adds a total to others, with its percentage, unless it is zero in both records.
func (t Total) into(all []Total) []Total {
	if t.A == 0 && t.B == 0 {
		return all
	}
	if t.A != 0 {
		d := 100 * (t.B - t.A) / t.A
		t.Percent = &d
	}
	return append(all, t)
}

func side(r *results.Record) Side {
	return Side{r.Dir, r.Run.Name, r.Run.Plant, r.Run.Engine, r.Run.Version, r.Run.Seed, r.Run.Duration, r.Run.Window,
		r.Run.Complete}
}

func windowsOf(r *results.Record) ([]results.Window, error) {
	ws, err := r.Windows()
	if err != nil {
		return nil, err
	}
	if len(ws) == 0 {
		return nil, fmt.Errorf("%s holds no window: %w", r.Dir, ErrNothing)
	}
	return ws, nil
}

// grain is how far the ends of windows may lie apart and still be the same: a nanosecond, in seconds.
const grain = 1e-9

// windows compares the series over the windows of the record with the longer windows; of the reference if they are
// equal.
func (c *Comparison) windows(wa, wb []results.Window) error {
	ends, other, owner, otherName := wa, wb, "A", "B"
	c.Window = c.A.Window
	if c.B.Window > c.A.Window+grain {
		ends, other, owner, otherName = wb, wa, "B", "A"
		c.Window = c.B.Window
	}
	last := func(ws []results.Window) float64 { return ws[len(ws)-1].T }
	shared := min(last(ends), last(other))
	aligned := true
	n := 0
	for n < len(ends) && ends[n].T <= shared+grain {
		if n >= len(other) || math.Abs(ends[n].T-other[n].T) > grain {
			aligned = false
		}
		n++
	}
	if n == 0 {
		return fmt.Errorf("%w: no window in common: A has windows of %g s up to %g s, B of %g s up to %g s", ErrNothing,
			c.A.Window, last(wa), c.B.Window, last(wb))
	}
	c.Windows, c.End = n, ends[n-1].T
	if d := last(wa) - last(wb); math.Abs(d) > grain {
		c.Notes = append(c.Notes, fmt.Sprintf("A ends at %.6g s and B at %.6g s: compared up to %.6g s", last(wa),
			last(wb), c.End))
	}
	if !aligned {
		c.Notes = append(c.Notes, fmt.Sprintf("windows end at different times: rates of %s are its means over the "+
			"windows of %s, and counts of things those at the end of its nearest window", otherName, owner))
	}
	for _, col := range columns {
		x, y := sample(wa, ends[:n], col), sample(wb, ends[:n], col)
		if s, any := seriesOf(col, x, y); any {
			c.Series = append(c.Series, s)
		}
	}
	return nil
}

// sample is a column of ws, averaged over the windows that end at the given times. If ws has these windows itself, it
// is the column.
func sample(ws, ends []results.Window, c column) []float64 {
	out := make([]float64, len(ends))
	i := 0 // window of ws in which start lies
	start := 0.0
	for k := range ends {
		end := ends[k].T
		if c.kind == state {
			for i+1 < len(ws) && math.Abs(ws[i+1].T-end) <= math.Abs(ws[i].T-end) {
				i++
			}
			out[k] = c.of(&ws[i])
			continue
		}
		whole, sum := end-start, 0.0
		if whole <= 0 {
			continue
		}
		for t := start; i < len(ws) && t < end; {
			stop := min(ws[i].T, end)
			v := c.of(&ws[i])
			if c.kind == count {
				from := 0.0
				if i > 0 {
					from = ws[i-1].T
				}
				v /= ws[i].T - from
			}
			if ws[i].T >= end-grain && t <= start {
				sum = float64(v * whole) // the window at hand covers all of this one
				stop = end
			} else {
				sum += float64(v * (stop - t))
			}
			if t = stop; ws[i].T <= end+grain {
				i++
			}
		}
		out[k] = sum / whole
		start = end
	}
	return out
}

// seriesOf compares two columns; any is false if both are zero throughout.
func seriesOf(c column, a, b []float64) (s Series, any bool) {
	s = Series{Name: c.name, Unit: c.unit, MeanA: stat.Mean(a, nil), MeanB: stat.Mean(b, nil)}
	share, size := 0.0, 0.0
	for i := range a {
		d := math.Abs(b[i] - a[i])
		s.MAE += d / float64(len(a))
		any = any || a[i] != 0 || b[i] != 0
		if a[i] != 0 {
			share += d / math.Abs(a[i])
			size += math.Abs(a[i]) / float64(len(a))
			s.Shares++
		}
	}
	if s.Shares > 0 {
		mape, wape := 100*share/float64(s.Shares), 100*s.MAE/size
		s.MAPE, s.WAPE = &mape, &wape
	}
	if r := stat.Correlation(a, b, nil); len(a) > 1 && !math.IsNaN(r) && !math.IsInf(r, 0) {
		s.Correlation = &r
	}
	return s, any
}

// totals compares what whole runs add up to.
func (c *Comparison) totals(a, b *results.Run) {
	for _, x := range []struct {
		name string
		run  *results.Run
	}{{"A", a}, {"B", b}} {
		if !x.run.Complete {
			c.Notes = append(c.Notes, x.name+" did not reach its end"+because(x.run.Error))
		}
		if x.run.Tables == nil && !x.run.Complete {
			c.Notes = append(c.Notes, "no totals: those of "+x.name+", which was killed, are not known")
			return
		}
	}
	p, q := &a.Totals, &b.Totals
	for _, t := range []Total{
		{Name: "offered packets", A: p.Offered, B: q.Offered},
		{Name: "offered bytes", A: p.OfferedBytes, B: q.OfferedBytes},
		{Name: "processed packets", A: p.Processed, B: q.Processed},
		{Name: "processed bytes", A: p.ProcessedBytes, B: q.ProcessedBytes},
		{Name: "dropped, link", A: p.Dropped.Link, B: q.Dropped.Link},
		{Name: "dropped, eSwitch", A: p.Dropped.ESwitch, B: q.Dropped.ESwitch},
		{Name: "dropped, slow path", A: p.Dropped.SlowPath, B: q.Dropped.SlowPath},
		{Name: "dropped, instance", A: p.Dropped.Instance, B: q.Dropped.Instance},
		{Name: "dropped, rejected", A: p.Dropped.Rejected, B: q.Dropped.Rejected},
		{Name: "queued packets", A: p.Queued, B: q.Queued},
		{Name: "slow path packets", A: p.SlowPath, B: q.SlowPath},
		{Name: "reordered packets", A: p.Reordered, B: q.Reordered},
		{Name: "flows", A: float64(p.Flows), B: float64(q.Flows)},
		{Name: "moves", A: float64(p.Moves), B: float64(q.Moves)},
		{Name: "rules installed", A: float64(p.RulesInstalled), B: float64(q.RulesInstalled)},
		{Name: "rules rejected", A: float64(p.RulesRejected), B: float64(q.RulesRejected)},
	} {
		c.Totals = t.into(c.Totals)
	}
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
