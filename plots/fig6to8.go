package plots

import (
	"math"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

const mega, giga = 1e6, 1e9

// fig6: throughput and loss of a single VNF over the load that it is offered. Each level of the load gives one point.
func fig6(ds []data, o Options) (*chart.Page, []string, error) {
	var notes []string
	in := keep(ds, &notes, "more than one instance", false, func(d data) bool { return d.max == 1 })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	grain := 0.01 // Mpps; loads that round to the same multiple are one
	var processed, lost, ring merge
	for _, m := range []*merge{&processed, &lost, &ring} {
		m.grain = grain
	}
	for _, d := range in {
		for _, l := range levels(d.windows) {
			processed.add(l.Offered/mega, l.Processed/mega)
			lost.add(l.Offered/mega, l.Dropped/mega)
			ring.add(l.Offered/mega, l.DroppedInstance/mega)
		}
	}
	n := processed.most()
	x := chart.Axis{Label: "Offered load (Mpps)"}
	a := &chart.Panel{Title: "Throughput", X: x, Y: chart.Axis{Label: "Throughput (Mpps)"},
		Series: []chart.Series{processed.series(chart.Series{Name: "processed", Kind: chart.Line}, n)}}
	loads := a.Series[0].X
	a.Series = append(a.Series,
		chart.Series{Name: "offered", Look: 6, Kind: chart.Line, Thin: true, N: n, X: loads, Y: loads})
	b := &chart.Panel{Title: "Packet loss", X: x, Y: chart.Axis{Label: "Loss (Mpps)"}, Series: []chart.Series{
		ring.series(chart.Series{Name: "lost at the VNF", Kind: chart.Line, Look: 1}, n),
		lost.series(chart.Series{Name: "lost in all", Kind: chart.Line, Look: 2}, n)}}
	if o.Published {
		a.Marks = []chart.Mark{{Label: "25 Mpps", At: fig6Capacity}}
		b.Marks = []chart.Mark{{Label: "knee at 25 Mpps", At: fig6Capacity, OnX: true}}
	}
	for _, p := range []*chart.Panel{a, b} {
		p.X.Max = 1.02 * loads[len(loads)-1]
	}
	return stack(o, n, 88, a, b), notes, nil
}

// levels finds the spans in which the offered load stays the same, and returns the mean of the second half of each,
// when the instance has settled. A load is the same within a thousandth. While no flow comes or goes it is the same
// within a twentieth, since on hardware the counters are not read at even times. A span of one window, in which the
// load changed, counts only if all spans are so short.
func levels(ws []window) (ls []window) {
	var spans [][]window
	longest := 0
	for i, w := range ws {
		n := len(spans)
		within := 1e-3
		if n > 0 && w.Flows == ws[i-1].Flows {
			within = 0.05
		}
		if n > 0 && math.Abs(w.Offered-ws[i-1].Offered) <= within*ws[i-1].Offered {
			spans[n-1] = spans[n-1][:len(spans[n-1])+1]
		} else {
			spans = append(spans, ws[i:i+1])
		}
		longest = max(longest, len(spans[len(spans)-1]))
	}
	for _, s := range spans {
		if len(s) == 1 && longest > 1 {
			continue
		}
		half := s[len(s)/2:]
		var m window
		for _, w := range half {
			m.Offered += w.Offered / float64(len(half))
			m.Processed += w.Processed / float64(len(half))
			m.Dropped += w.Dropped / float64(len(half))
			m.DroppedInstance += w.DroppedInstance / float64(len(half))
		}
		ls = append(ls, m)
	}
	return ls
}

// fig7: throughput of each VNF, and of all, over the number of VNFs that run at once.
func fig7(ds []data, o Options) (*chart.Page, []string, error) {
	var notes []string
	in := keep(ds, &notes, "the number of instances is not fixed", false,
		func(d data) bool { return d.fixed && d.initial > 0 })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	each, all := merge{grain: 1}, merge{grain: 1}
	most, seeds := 0, map[int]int{}
	n := 0
	for _, d := range in {
		most = max(most, d.initial)
		seeds[d.initial]++
		n = max(n, seeds[d.initial])
		from := d.windows[len(d.windows)-1].T / 2
		var total sum
		for _, w := range d.windows {
			if w.T > from {
				total.add(w.Processed / mega)
			}
		}
		all.add(float64(d.initial), total.mean())
		is, err := perInstance(d, from)
		if err != nil {
			return nil, nil, err
		}
		for _, i := range is {
			each.add(float64(d.initial), i.mean()/mega)
		}
	}
	count := chart.Axis{Label: "VNFs at once", Min: 0.5, Max: float64(most) + 0.5,
		Ticks: chart.WholeTicks(1, float64(most), 10)}
	per := each.series(chart.Series{Name: "each VNF (mean and range)", Kind: chart.Line}, 2)
	per.N = n
	a := &chart.Panel{Title: "Each VNF", X: count, Y: chart.Axis{Label: "Throughput (Mpps)"},
		Series: []chart.Series{per}}
	b := &chart.Panel{Title: "All VNFs", X: count, Y: chart.Axis{Label: "Throughput (Mpps)"},
		Series: []chart.Series{all.series(chart.Series{Name: "all VNFs", Kind: chart.Line, Look: 1}, n)}}
	if o.Published {
		a.Marks = []chart.Mark{{Label: "slightly above 10 Mpps", At: fig7PerVNF}}
	}
	return stack(o, n, 88, a, b), notes, nil
}

// perInstance returns the processed rate of each instance that processed packets after a time.
func perInstance(d data, from float64) (is []sum, err error) {
	at := map[int32]int{}
	err = d.instances(func(r *results.Instance) error {
		if r.T <= from || r.Processed <= 0 {
			return nil
		}
		i, ok := at[r.Instance]
		if !ok {
			i, at[r.Instance] = len(is), len(is)
			is = append(is, sum{})
		}
		is[i].add(r.Processed)
		return nil
	})
	return is, err
}

// fig8: for each scheduler, how many flows each instance held and how much it processed, in the mean over the run.
func fig8(ds []data, o Options) (*chart.Page, []string, error) {
	in, notes, err := autoscaled(ds)
	if err != nil {
		return nil, nil, err
	}
	gs := bySchedulers(in)
	notes = append(notes, absent(gs)...)
	var flows, rates []*chart.Panel
	most := int32(0)
	runs := make([][]map[int32]life, len(gs)) // of each group
	for i, g := range gs {
		for _, d := range g.runs {
			lives, err := overTheRun(d)
			if err != nil {
				return nil, nil, err
			}
			runs[i] = append(runs[i], lives)
			most = max(most, last(lives))
		}
	}
	for i, g := range gs {
		held, rate := merge{grain: 1}, merge{grain: 1}
		for _, lives := range runs[i] {
			for k := int32(1); k <= last(lives); k++ {
				m := lives[k]
				held.add(float64(k), m.flows)
				if m.there > 0 {
					rate.add(float64(k), m.processed/mega)
				}
			}
		}
		x := chart.Axis{Label: "Instance", Min: 0.4, Max: float64(most) + 0.6,
			Ticks: chart.WholeTicks(1, float64(most), 10)}
		top, low := x, x
		top.Bare = true
		bars := chart.Series{Name: g.name, Look: g.look, Kind: chart.Bars}
		f := &chart.Panel{Title: chart.Letter(i) + " " + g.name, X: top,
			Series: []chart.Series{held.series(bars, len(g.runs))}}
		r := &chart.Panel{X: low, Series: []chart.Series{rate.series(bars, len(g.runs))}}
		if limit := g.runs[0].limit / mega; limit > 0 {
			r.Marks = []chart.Mark{{Label: chart.Short(limit) + " Mpps", At: limit, Limit: "scheduler's limit"}}
		}
		flows, rates = append(flows, f), append(rates, r)
	}
	for _, ps := range [][]*chart.Panel{flows, rates} {
		chart.Level(ps...)
		for _, p := range ps {
			p.Y.Ticks = chart.RoundTicks(0, p.Y.Max, 6)
		}
	}
	pg := &chart.Page{Width: o.Width, Notes: []string{seedNote(mostRuns(gs))}}
	width := perRow(len(gs), o.Width)
	height := 76.0
	if width < len(gs) {
		height = 58
	}
	for i := 0; i < len(gs); i += width {
		end := min(i+width, len(gs))
		flows[i].Y.Label, rates[i].Y.Label = "Mean flows", "Mean rate (Mpps)"
		for k := i; k < end; k++ {
			rates[k].X.Bare = k+width < len(gs) // the panel below carries the numbers
		}
		pg.Rows = append(pg.Rows, flows[i:end], rates[i:end])
		pg.Heights = append(pg.Heights, height, height)
	}
	return pg, notes, nil
}

// perRow is how many of n panels stand side by side: up to three, or more if each has 1.75 in, so that the rows are
// even.
func perRow(n int, width float64) int {
	most := max(3, int(width/1.75))
	rows := (n + most - 1) / most
	return (n + rows - 1) / rows
}

// life is what an instance did in a run.
type life struct {
	there     float64 // s, ready or draining
	flows     float64 // mean over the run; none while it is not there
	processed float64 // packets/s, mean over the windows at whose end it was there
}

// overTheRun returns the lives of a run's instances by number. A window counts by its length, since the last may be
// shorter.
func overTheRun(d data) (map[int32]life, error) {
	lives := map[int32]life{}
	at, from := 0, 0.0 // the window of the row, and when it begins
	err := d.instances(func(r *results.Instance) error {
		for at < len(d.windows) && d.windows[at].T < r.T {
			from = d.windows[at].T
			at++
		}
		l, dt := lives[r.Instance], 0.0
		if at < len(d.windows) && d.windows[at].T == r.T {
			dt = r.T - from
		}
		l.flows += float64(float64(r.Flows) * dt)
		if r.Serving() {
			l.there += dt
			l.processed += float64(r.Processed * dt)
		}
		lives[r.Instance] = l
		return nil
	})
	end := d.windows[len(d.windows)-1].T
	for k, l := range lives {
		if end > 0 {
			l.flows /= end
		}
		if l.there > 0 {
			l.processed /= l.there
		}
		lives[k] = l
	}
	return lives, err
}

// last is the greatest number of an instance, up to what a figure has room for.
func last(lives map[int32]life) (n int32) {
	for k := range lives {
		n = max(n, k)
	}
	return min(n, 1024)
}
