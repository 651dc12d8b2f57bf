package plots

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// measure is what policies are compared by.
type measure struct {
	title, unit string
	of          func(data) (value float64, known bool)
	linear      bool // never on a logarithmic axis
}

var (
	throughput = measure{"Throughput", "Mpps", func(d data) (float64, bool) {
		return d.run.Totals.Processed / d.run.Duration / d.scale.rate / mega, true
	}, true}
	loss = measure{"Loss", "% of packets", func(d data) (float64, bool) {
		return 100 * d.run.Totals.Dropped.Sum() / math.Max(d.run.Totals.Offered, 1), true
	}, false}
	wait = measure{"Wait, 99 %", "ms", func(d data) (float64, bool) {
		const perMillisecond = 1e9
		waits := d.buckets("wait")
		return float64(results.Quantile(waits, 990)) / perMillisecond / d.scale.time, len(waits) > 0
	}, false}
)

var ofSchedulers = []measure{
	throughput, loss, wait,
	{"Flows moved", "count", func(d data) (float64, bool) { return float64(d.run.Totals.Moves), true }, false},
	{"Flows broken", "count", func(d data) (float64, bool) { return float64(d.run.Totals.Broken), true }, false},
	{"Rules written", "count", func(d data) (float64, bool) { return float64(d.run.Totals.RulesInstalled), true },
		false},
}

// ofAutoscalers are measures of runs whose costs are known.
var ofAutoscalers = []measure{
	throughput, loss, wait,
	{"Instances", "mean", func(d data) (float64, bool) { return d.cost.InstanceTime / d.run.Duration, true }, true},
	{"Cores saved", "% of instances", func(d data) (float64, bool) { return savedCores(d.cost), true }, true},
	{"Scalings", "count", func(d data) (float64, bool) { return float64(d.cost.ScaleEvents), true }, false},
	{"Reversals", "count", func(d data) (float64, bool) { return float64(d.cost.Reversals), true }, false},
	{"Too few", "% of time", func(d data) (float64, bool) { return share(d.cost.Under, d.run.Duration) }, true},
	{"Too many", "% of time", func(d data) (float64, bool) { return share(d.cost.Over, d.run.Duration) }, true},
}

// savedCores is by how many per cent the shares of a core that instances had lay below one for each, in the mean of
// their time.
func savedCores(c *results.Costs) float64 {
	const rounding = 1e-9 // of sums
	if x := 1 - c.CoreTime/c.InstanceTime; math.Abs(x) > rounding {
		return 100 * x
	}
	return 0
}

// share is a part of a whole in per cent, unless the part is not known.
func share(part, whole float64) (percent float64, known bool) {
	return 100 * part / whole, !math.IsNaN(part)
}

// times is the measure in a unit so many times smaller.
func (m measure) times(factor float64, unit string) measure {
	of := m.of
	m.unit, m.of = unit, func(d data) (float64, bool) { v, known := of(d); return v * factor, known }
	return m
}

// near is the part of its throughput by which a policy may lie below another and still count as its like.
const near = 0.001

// sideBySide: a row for each policy, ordered by throughput, and a panel for each measure that is not 0 throughout.
func sideBySide(ds []data, o Options) (*chart.Page, []string, error) {
	c, notes, err := contend(ds, (*data).scheduling)
	if err != nil {
		return nil, nil, err
	}
	if len(c.all) < 2 {
		return nil, nil, chart.Requestf("all records are of %s", c.all[0].name)
	}
	c.rank()
	rows, measures := c.all, ofSchedulers
	if c.scaled {
		measures = ofAutoscalers
		if err := c.count(); err != nil {
			return nil, nil, err
		}
	}
	if bound, ok := c.regret(); ok {
		measures = slices.Insert(slices.Clone(measures), 2, bound)
	}
	const height = 9 // of a row, in points
	pg := &chart.Page{Width: o.Width, Rows: [][]*chart.Panel{nil}, Heights: []float64{height * float64(len(rows))}}
	seeds := 0
	for _, r := range rows {
		seeds = max(seeds, len(r.runs))
	}
	for _, m := range measures {
		if top := rows[0].values(throughput); m.title == throughput.title && top.mean() < 0.1 {
			m = throughput.times(1000, "kpps")
		}
		p := &chart.Panel{Title: m.title, X: chart.Axis{Label: m.unit}, Y: chart.Axis{Max: float64(len(rows))}}
		alike := chart.Series{Name: "within 0.1 % of the first's throughput", Look: 16, Kind: chart.Dots, N: seeds}
		less := chart.Series{Name: lessNamed(seeds), Look: 0, Kind: chart.Dots, N: seeds}
		if seeds > 1 {
			alike.Name += " under a seed"
		}
		any := false
		for i, r := range rows {
			at := float64(len(rows)-i) - 0.5
			p.Y.Ticks = append(p.Y.Ticks, chart.Tick{At: at, Label: r.name})
			v := r.values(m)
			if v.n == 0 {
				continue
			}
			any = any || v.hi != 0 || v.lo != 0
			s := &alike
			if r.less {
				s = &less
			}
			s.X, s.Y = append(s.X, v.mean()), append(s.Y, at)
			s.Lo, s.Hi = append(s.Lo, v.lo), append(s.Hi, v.hi)
		}
		if !any {
			continue
		}
		if seeds < 2 {
			alike.Lo, alike.Hi, less.Lo, less.Hi = nil, nil, nil, nil
		}
		p.Series = []chart.Series{alike, less}
		p.Y.Bare = len(pg.Rows[0]) > 0
		p.Title = chart.Letter(len(pg.Rows[0])) + " " + p.Title
		widen(p, m.linear)
		pg.Rows[0] = append(pg.Rows[0], p)
	}
	pg.Notes = []string{seedNote(seeds)}
	return pg, notes, nil
}

// lessNamed names the dots of policies that are less than the first under each of n seeds, and says how often chance
// alone makes a policy look so: the probability to be less is at most one half under each seed.
func lessNamed(seeds int) string {
	switch {
	case seeds < 2:
		return "less; with one seed that may be chance"
	case seeds > 10: // one in more than a thousand
		return "less under every seed"
	}
	return fmt.Sprintf("less under every seed; by chance in up to 1 of %d cases", 1<<seeds)
}

// regret is what a policy lacks to the oracle under the same seed and, but for the policy, in the same scenario. It is
// not ok if the oracle is not there.
func (c *contenders) regret() (m measure, ok bool) {
	type place struct {
		seed          uint64
		stack, policy string // the policy that is not the oracle's
		scaling       bool   // the oracle is that of scaling
	}
	const oracle = "oracle"
	best := map[place]float64{}
	for i := range c.all {
		for k := range c.all[i].runs {
			d := &c.all[i].runs[k]
			for _, of := range []struct {
				own, other string
				scaling    bool
			}{{d.scheduling(), d.autoscaling(), false}, {d.autoscaling(), d.scheduling(), true}} {
				if at := (place{d.run.Seed, d.stack, of.other, of.scaling}); of.own == oracle {
					best[at] = max(best[at], d.run.Totals.Processed) // of several sets of options
				}
			}
		}
	}
	m = measure{"Regret", "% of oracle", func(d data) (float64, bool) {
		bound, known := best[place{d.run.Seed, d.stack, d.scheduling(), true}]
		if !known {
			bound, known = best[place{d.run.Seed, d.stack, d.autoscaling(), false}]
		}
		return 100 * (1 - d.run.Totals.Processed/math.Max(bound, 1)), known
	}, true}
	return m, len(best) > 0
}

// widen gives the x axis of a panel of dots some room beyond them. Where they lie far apart it is logarithmic. Where it
// must be linear, it leaves out those that lie far from most.
func widen(p *chart.Panel, linear bool) {
	lo, hi := spanOf(p.Series, span{math.Inf(-1), math.Inf(1)})
	if hi > 30*lo && hi > 30 && !linear {
		p.X.Log, p.X.Zero = true, lo < 1
		p.X.Min, p.X.Max = lo/1.5, hi*1.5
		if p.X.Zero {
			p.X.Min, p.X.Ticks = -1, []chart.Tick{{At: 0, Label: "0"}}
		}
		step := 1.0
		if hi > 1e3*max(lo, 1) { // the panels are narrow
			step = 2
		}
		for k := math.Ceil(math.Log10(max(lo, 1))); k <= math.Log10(p.X.Max); k += step {
			v := math.Pow10(int(k))
			p.X.Ticks = append(p.X.Ticks, chart.Tick{At: v, Label: strconv.FormatFloat(v, 'f', -1, 64)})
		}
		return
	}
	within := fences(p.Series)
	for { // what lies beyond the fences and in the range of those within is drawn all the same
		lo, hi = spanOf(p.Series, within)
		room := max(0.05*(hi-lo), 0.01*hi)
		p.X.Min, p.X.Max = lo-room, hi+room
		if within.lo <= p.X.Min && p.X.Max <= within.hi {
			return
		}
		within = span{min(within.lo, p.X.Min), max(within.hi, p.X.Max)}
	}
}

// span is a range of values.
type span struct{ lo, hi float64 }

// spanOf is the range of the dots that lie within another, and of their whiskers.
func spanOf(all []chart.Series, within span) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, s := range all {
		for i, x := range s.X {
			if x < within.lo || x > within.hi {
				continue
			}
			lo, hi = min(lo, x), max(hi, x)
			if s.Lo != nil {
				lo, hi = min(lo, s.Lo[i]), max(hi, s.Hi[i])
			}
		}
	}
	return lo, hi
}

// fences are three times the distance of the quartiles beyond these: what lies outside is far out (Tukey, Exploratory
// Data Analysis, 1977). Of values of which half are the same, nothing is.
func fences(all []chart.Series) span {
	var xs []float64
	for _, s := range all {
		xs = append(xs, s.X...)
	}
	slices.Sort(xs)
	low, high := xs[len(xs)/4], xs[len(xs)-1-len(xs)/4]
	if low == high {
		return span{math.Inf(-1), math.Inf(1)}
	}
	return span{low - 3*(high-low), high + 3*(high-low)}
}
