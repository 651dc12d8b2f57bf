package plots

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results/stats"
)

// confidence of the intervals of means.
const confidence = 0.95

// front: a point for each setting, one metric over another, with the intervals of both means, and the settings of which
// no other is better in both.
func front(s *selection, o Options) (*chart.Page, []string, error) {
	const mostNamed = 24 // beyond this, only settings on a front have names, and no more of them
	if len(s.metrics) != 2 {
		return nil, nil, chart.Requestf("%d metrics: want two, the first across, the second upright", len(s.metrics))
	}
	mx, my := s.metrics[0], s.metrics[1]
	var names []string
	for _, m := range s.metrics {
		if _, _, err := s.span(m, o.Log); err != nil {
			return nil, nil, err
		}
	}
	for _, sh := range s.panels {
		for _, one := range sh.settings {
			names = append(names, one.name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	looks := looksFor(names)
	lookOf := func(name string) chart.Look { i, _ := slices.BinarySearch(names, name); return looks[i] }
	var ps []*chart.Panel
	var across sum
	intervals := false
	for _, sh := range s.panels {
		p := &chart.Panel{Title: sh.title}
		var pts []point
		var xs, ys []float64
		var upright sum // a scale of its own, since panels are of other scenarios
		for _, one := range sh.settings {
			vx, vy := one.of(mx), one.of(my)
			if len(vx) == 0 || len(vy) == 0 {
				continue
			}
			x, errX := stats.Mean(vx, confidence)
			y, errY := stats.Mean(vy, confidence)
			intervals = intervals || errX == nil || errY == nil
			q := point{one.name, bounded(x, errX, slices.Min(vx)), bounded(y, errY, slices.Min(vy))}
			pts, xs, ys = append(pts, q), append(xs, x.Value), append(ys, y.Value)
			across.add(q.x.Low)
			across.add(q.x.High)
			upright.add(q.y.Low)
			upright.add(q.y.High)
		}
		if upright.n == 0 {
			continue
		}
		fx, fy := pareto(xs, ys, mx.least, my.least)
		named := 0 // of the front
		for _, q := range pts {
			one := chart.Series{Name: q.name, Look: lookOf(q.name), Kind: chart.Points, N: q.y.N}
			if len(names) > mostNamed {
				if !q.on(fx, fy) || named == mostNamed {
					one.Name, one.Look = "others", chart.Plain
				} else {
					named++
				}
			}
			one.X, one.Y, one.Lo, one.Hi = []float64{q.x.Value}, []float64{q.y.Value}, []float64{q.y.Low},
				[]float64{q.y.High}
			wide := one
			wide.Kind, wide.N, wide.Lo, wide.Hi = chart.Across, q.x.N, []float64{q.x.Low}, []float64{q.x.High}
			p.Series = append(p.Series, wide, one)
		}
		p.Series = append(p.Series, chart.Series{Name: "Pareto front", Look: 6, Kind: chart.Step, Thin: true, N: s.most,
			X: fx, Y: fy})
		p.Y = my.axis(upright.lo, upright.hi, o.Log)
		ps = append(ps, p)
	}
	if across.n == 0 {
		return nil, nil, chart.Requestf("no setting has both %s and %s", mx.name, my.name)
	}
	for _, p := range ps {
		p.X = mx.axis(across.lo, across.hi, o.Log)
		f := &p.Series[len(p.Series)-1] // whoever pays more need not get less
		end := p.X.Max
		if !mx.least {
			end = p.X.Min
		}
		f.X, f.Y = append(f.X, end), append(f.Y, f.Y[len(f.Y)-1])
	}
	pg := chart.Stack(o.Width, 130, ps...)
	if len(ps) == 1 {
		ps[0].Title = s.panels[0].title
	} else {
		for i := range ps {
			pg.Heights[i] = 80
		}
	}
	pg.Notes = []string{fmt.Sprintf("better: %s, %s", map[bool]string{true: "left", false: "right"}[mx.least],
		map[bool]string{true: "down", false: "up"}[my.least])}
	if intervals {
		pg.Notes = append(pg.Notes, fmt.Sprintf("mean and %.0f %% interval of %s", 100*confidence, s.runsNote()))
	} else if s.most > 1 {
		pg.Notes = append(pg.Notes, s.runsNote()+", all alike")
	}
	notes := s.unknown(mx)
	if my.name != mx.name {
		notes = append(notes, s.unknown(my)...)
	}
	return pg, notes, nil
}

// point is a setting in a plane of two metrics.
type point struct {
	name string
	x, y stats.Interval
}

// on reports whether the point is one of a front.
func (q point) on(fx, fy []float64) bool {
	for i := range fx {
		if fx[i] == q.x.Value && fy[i] == q.y.Value {
			return true
		}
	}
	return false
}

// bounded is an interval without bounds that values of their kind cannot have: below 0 where none is. One without an
// interval is its value.
func bounded(in stats.Interval, err error, least float64) stats.Interval {
	if err != nil {
		in.Low, in.High = in.Value, in.Value
	}
	if least >= 0 {
		in.Low = max(in.Low, 0)
	}
	return in
}

// pareto are the points of which no other is better in one and as good in the other, from the best x on.
func pareto(x, y []float64, leastX, leastY bool) (fx, fy []float64) {
	better := func(least bool, a, b float64) int {
		if least {
			return cmp.Compare(a, b)
		}
		return cmp.Compare(b, a)
	}
	order := make([]int, len(x))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(better(leastX, x[a], x[b]), better(leastY, y[a], y[b]))
	})
	for _, i := range order {
		if len(fy) == 0 || better(leastY, y[i], fy[len(fy)-1]) < 0 {
			fx, fy = append(fx, x[i]), append(fy, y[i])
		}
	}
	return fx, fy
}
