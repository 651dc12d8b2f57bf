package plots

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// measure is what policies are compared by.
type measure struct {
	title, unit string
	of          func(data) (value float64, known bool)
}

var (
	throughput = measure{"Throughput", "Mpps", func(d data) (float64, bool) {
		return d.run.Totals.Processed / d.run.Duration / d.scale.rate / mega, true
	}}
	loss = measure{"Loss", "% of packets", func(d data) (float64, bool) {
		return 100 * d.run.Totals.Dropped.Sum() / math.Max(d.run.Totals.Offered, 1), true
	}}
	wait = measure{"Wait, 99 %", "ms", func(d data) (float64, bool) {
		const perMillisecond = 1e9
		waits := d.buckets("wait")
		return float64(results.Quantile(waits, 990)) / perMillisecond / d.scale.time, len(waits) > 0
	}}
)

var measures = []measure{
	throughput, loss, wait,
	{"Flows moved", "count", func(d data) (float64, bool) { return float64(d.run.Totals.Moves), true }},
	{"Broken connections", "count", func(d data) (float64, bool) { return float64(d.run.Totals.Broken), true }},
	{"Rules written", "count", func(d data) (float64, bool) { return float64(d.run.Totals.RulesInstalled), true }},
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
	rows, notes, err := compared(ds)
	if err != nil {
		return nil, nil, err
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
		less := chart.Series{Name: "less", Look: 0, Kind: chart.Dots, N: seeds}
		if seeds > 1 {
			alike.Name, less.Name = alike.Name+" under a seed", "less under every seed"
		}
		any := false
		for i, r := range rows {
			at := float64(len(rows)-i) - 0.5
			p.Y.Ticks = append(p.Y.Ticks, chart.Tick{At: at, Label: r.name})
			v := r.values(m)
			if v.n == 0 {
				continue
			}
			any = any || v.hi > 0
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
		widen(p, m.title == throughput.title)
		pg.Rows[0] = append(pg.Rows[0], p)
	}
	pg.Notes = []string{seedNote(seeds)}
	return pg, notes, nil
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

// contender is a policy among others, with its runs, which differ in the seed.
type contender struct {
	group
	less bool // than the first, by more than near, under every seed that both have
}

func (c *contender) values(m measure) (v sum) {
	for _, d := range c.runs {
		if x, known := m.of(d); known {
			v.add(x)
		}
	}
	return v
}

// mean has the digits that are printed: policies that differ in others are ordered by the next measure.
func (c *contender) mean(m measure) float64 {
	v := c.values(m)
	if v.n == 0 {
		return 0
	}
	return chart.Rounded(v.mean(), 4)
}

// compared groups runs by their policies and puts those of the most throughput first.
func compared(ds []data) (all []contender, notes []string, err error) {
	in := keep(ds, &notes, "the run did not reach its end", false, func(d data) bool { return d.run.Complete })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	gs := bySettings(in)
	settings := make([]map[string]string, len(gs))
	for i, g := range gs {
		settings[i] = settingsOf(g.runs[0].scenario)
	}
	if key := unlike(settings); key != "" {
		return nil, nil, chart.Requestf("the records differ in %s, and not in policy and seed alone", key)
	}
	if len(gs) < 2 {
		return nil, nil, chart.Requestf("all records are of %s", gs[0].runs[0].scheduler)
	}
	for i, g := range gs {
		g.name = g.runs[0].scheduler
		for k := range gs {
			if k != i && gs[k].runs[0].scheduler == g.runs[0].scheduler {
				g.name += differing(settings[i], settings[k])
			}
		}
		all = append(all, contender{group: g})
	}
	slices.SortStableFunc(all, func(a, b contender) int {
		return cmp.Or(cmp.Compare(b.mean(throughput), a.mean(throughput)), cmp.Compare(a.mean(loss), b.mean(loss)),
			cmp.Compare(a.mean(wait), b.mean(wait)), cmp.Compare(a.name, b.name))
	})
	for i := range all {
		all[i].less = below(all[i].runs, all[0].runs)
	}
	return all, notes, nil
}

// below reports whether runs processed less than others with the same seeds, by more than near, in every pair.
func below(runs, others []data) bool {
	pairs := 0
	for _, a := range runs {
		for _, b := range others {
			if a.run.Seed != b.run.Seed {
				continue
			}
			if pairs++; a.run.Totals.Processed >= (1-near)*b.run.Totals.Processed {
				return false
			}
		}
	}
	return pairs > 0
}

// ofPolicy reports whether a key belongs to the policy: its name, its options, or those that stand beside it and not
// beside every policy.
func ofPolicy(key string) bool {
	return key == "scheduler.policy" || strings.HasPrefix(key, "scheduler.policy.")
}

// unlike is the first key in which scenarios differ and that is not a policy's; empty if there is none. Keys of
// scheduler that only some have are options of policies.
func unlike(settings []map[string]string) (first string) {
	for _, s := range settings[1:] {
		for _, pair := range [2][2]map[string]string{{settings[0], s}, {s, settings[0]}} {
			for key, a := range pair[0] {
				b, both := pair[1][key]
				if ofPolicy(key) || a == b && both || !both && strings.HasPrefix(key, "scheduler.") {
					continue
				}
				if first == "" || key < first {
					first = key
				}
			}
		}
	}
	return first
}

// differing names the options in which one policy differs from another of its name: ", table 4093".
func differing(a, b map[string]string) (says string) {
	var keys []string
	for key := range a {
		if a[key] != b[key] {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		says += ", " + key[strings.LastIndexByte(key, '.')+1:] + " " + setting(a[key])
	}
	return says
}
