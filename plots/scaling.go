package plots

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// scaling: above, the load; below, for each policy, the instances that the load needs, that the policy wants and that
// take packets, the loss, and for what reason the number changed or stayed.
func scaling(ds []data, o Options) (*chart.Page, []string, error) {
	var notes []string
	in := keep(ds, &notes, "the number of instances is fixed", false, func(d data) bool { return !d.fixed })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	c, more, err := contend(in, (*data).autoscaling)
	if err != nil {
		return nil, nil, err
	}
	notes = append(notes, more...)
	c.byName()
	var gs []group
	rows := []string{scaledOut, scaledIn}
	end, peak := 0.0, 0.0
	for i := range c.all {
		g := &c.all[i].group
		gs = append(gs, *g)
		end = max(end, longest(g.runs))
		for _, d := range g.runs {
			for _, w := range d.windows {
				peak = max(peak, w.Offered)
			}
		}
	}
	unit, per := unitOf(peak)
	reasons := make([][]reasoned, len(gs))
	for i, g := range gs {
		if reasons[i], err = reasonsOf(&g.runs[0]); err != nil {
			return nil, nil, err
		}
		for _, r := range reasons[i] {
			if !slices.Contains(rows, r.row) {
				rows = append(rows, r.row)
			}
		}
	}
	slices.Sort(rows[2:])

	x := chart.Axis{Label: "Time (s)", Max: end}
	bare := x
	bare.Bare = true
	pg := &chart.Page{Width: o.Width, Notes: []string{seedNote(mostRuns(gs))}}
	columns := max(1, min(len(gs), int(o.Width/OneColumn)))
	var loads, counts, losses []*chart.Panel
	finest := slices.MaxFunc(gs, func(a, b group) int { // windows may be long, and hide steps of the load
		return cmp.Compare(len(a.runs[0].windows), len(b.runs[0].windows))
	})
	for range columns {
		offered := finest.over(chart.Line, func(w window) float64 { return w.Offered / per })
		offered.Name, offered.Look = "offered", 0
		loads = append(loads, &chart.Panel{Title: "Load", X: bare, Series: []chart.Series{offered}})
	}
	loads[0].Y.Label = unit
	pg.Rows, pg.Heights = append(pg.Rows, loads), append(pg.Heights, 30)
	for from := 0; from < len(gs); from += columns {
		to := min(from+columns, len(gs))
		var row [3][]*chart.Panel
		for i := from; i < to; i++ {
			ps, err := gs[i].scaled(chart.Letter(i), unit, per)
			if err != nil {
				return nil, nil, err
			}
			why := &chart.Panel{Series: []chart.Series{strip(reasons[i], rows, end)},
				Y: chart.Axis{Max: float64(len(rows))}}
			for k, name := range rows {
				why.Y.Ticks = append(why.Y.Ticks, chart.Tick{At: float64(len(rows)-k) - 0.5, Label: name})
			}
			for k, p := range []*chart.Panel{ps[0], ps[1], why} {
				p.X = bare
				if i > from {
					p.Y.Label = ""
				}
				row[k] = append(row[k], p)
			}
			if i+columns >= len(gs) { // nothing is below
				why.X = x
			}
			why.Y.Bare = i > from
			counts, losses = append(counts, ps[0]), append(losses, ps[1])
		}
		pg.Rows = append(pg.Rows, row[0], row[1], row[2])
		pg.Heights = append(pg.Heights, 40, 22, 9*float64(len(rows)))
	}
	chart.Level(counts...)
	chart.Level(losses...)
	chart.Level(loads...)
	for _, p := range slices.Concat(losses, loads) {
		p.Y.Ticks = chart.RoundTicks(0, p.Y.Max, 2)
	}
	if h := pg.Height(); h > mostDepth {
		notes = append(notes, fmt.Sprintf("%.1f in high, more than a page of %d in: name fewer policies", h, mostDepth))
	}
	return pg, notes, nil
}

// mostDepth is the depth of a page of IEEE's, in inches.
const mostDepth = 9

// scaled draws the instances and the loss of a group.
func (g group) scaled(letter, unit string, per float64) (ps [2]*chart.Panel, err error) {
	needed, wanted, ready := merge{grain: 1e-6}, merge{grain: 1e-6}, merge{grain: 1e-6}
	for i := range g.runs {
		d := &g.runs[i]
		es, err := d.evaluations()
		if err != nil {
			return ps, err
		}
		wanted.add(0, float64(d.initial))
		for _, e := range es {
			wanted.add(e.At.Seconds()/d.scale.time, float64(e.Desired))
		}
		serving := make([]float64, len(d.windows))
		at := 0
		err = d.instances(func(r *results.Instance) error {
			for at < len(d.windows)-1 && d.windows[at].T < r.T {
				at++
			}
			if r.Serving() {
				serving[at]++
			}
			return nil
		})
		if err != nil {
			return ps, err
		}
		for k, w := range d.windows {
			ready.add(w.T, serving[k])
			if d.limit > 0 {
				in := d.scenario.Instances
				needed.add(w.T, float64(results.Needed(w.Offered, d.limit, in.Min, in.Max)))
			}
		}
	}
	n := len(g.runs)
	p := &chart.Panel{Title: letter + " " + g.name, Y: chart.Axis{Label: "VNFs", Count: true}}
	if len(needed.at) > 0 {
		s := chart.Series{Name: "needed by the load", Look: 6, Kind: chart.Step, Thin: true}
		p.Series = append(p.Series, needed.series(s, n).Thinned())
	}
	p.Series = append(p.Series,
		wanted.series(chart.Series{Name: "wanted", Look: 1, Kind: chart.Step}, n).Thinned(),
		ready.series(chart.Series{Name: "ready", Look: 2, Kind: chart.Step}, n).Thinned())
	lost := g.over(chart.Line, func(w window) float64 { return w.Dropped / per })
	lost.Name, lost.Look = "lost", 3
	return [2]*chart.Panel{p, {Series: []chart.Series{lost}, Y: chart.Axis{Label: unit}}}, nil
}

// Rows of the reasons: the number rose or fell, or a stage of that name held it.
const (
	scaledOut = "out"
	scaledIn  = "in"
)

// reasoned is an evaluation in its row, at its time in seconds.
type reasoned struct {
	at  float64
	row string
}

// reasonsOf are the evaluations of a run that changed the number, or in which a stage behind the recommendation kept it
// as it was.
func reasonsOf(d *data) (all []reasoned, err error) {
	es, err := d.evaluations()
	for _, e := range es {
		r := reasoned{e.At.Seconds() / d.scale.time, e.Stage}
		switch {
		case e.Desired > e.Current:
			r.row = scaledOut
		case e.Desired < e.Current:
			r.row = scaledIn
		case e.Stage == "":
			continue
		}
		all = append(all, r)
	}
	return all, err
}

// strip has a dot for each evaluation. Of those in a row that nobody could tell apart, it has the first.
func strip(rs []reasoned, rows []string, end float64) chart.Series {
	s := chart.Series{Look: 0, Kind: chart.Dots, N: 1}
	last := map[string]int{}
	for _, r := range rs {
		place := 1 + int(r.at/max(end, 1e-12)*250)
		if last[r.row] == place {
			continue
		}
		last[r.row] = place
		s.X = append(s.X, r.at)
		s.Y = append(s.Y, float64(len(rows)-slices.Index(rows, r.row))-0.5)
	}
	return s
}
