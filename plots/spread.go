package plots

import (
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/plots/chart"
)

// pointed is up to how many runs of a setting a figure shows each of them.
const pointed = 30

// boxes: the quartiles of a metric over the runs of each setting.
func boxes(s *selection, o Options) (*chart.Page, []string, error) {
	pg, notes, err := s.inRows(o, 13, 45, func(p *chart.Panel, at float64, vs []float64, each bool) {
		q := quartilesOf(vs)
		low, high := q.whiskers(vs)
		row := func(k chart.Kind, lo, hi float64) chart.Series {
			return chart.Series{Kind: k, X: []float64{q.median}, Y: []float64{at}, Lo: []float64{lo}, Hi: []float64{hi},
				N: len(vs)}
		}
		if len(vs) > 1 {
			p.Series = append(p.Series, row(chart.Whiskers, low, high), row(chart.Box, q.first, q.third))
		}
		p.Series = append(p.Series, dotsOf(vs, at, func(v float64) bool { return each || v < low || v > high }))
	})
	if err != nil {
		return nil, nil, err
	}
	says := "box: quartiles and median; whiskers: to the farthest run within 1.5 times their distance"
	pg.Notes = append([]string{says}, pg.Notes...)
	return pg, notes, nil
}

// violins: the density of a metric over the runs of each setting.
func violins(s *selection, o Options) (*chart.Page, []string, error) {
	const halfRow = 0.45
	pg, notes, err := s.inRows(o, 20, 30, func(p *chart.Panel, at float64, vs []float64, each bool) {
		q := quartilesOf(vs)
		body := chart.Series{Kind: chart.Violin, N: len(vs)}
		xs, ds := density(vs, o.Log)
		for i := range xs {
			half := halfRow * ds[i]
			body.X, body.Y = append(body.X, xs[i]), append(body.Y, at)
			body.Lo, body.Hi = append(body.Lo, at-half), append(body.Hi, at+half)
		}
		if len(xs) > 0 {
			p.Series = append(p.Series, body, chart.Series{Kind: chart.Whiskers, X: []float64{q.median},
				Y: []float64{at}, Lo: []float64{q.first}, Hi: []float64{q.third}, N: len(vs)})
		}
		p.Series = append(p.Series, dotsOf(vs, at, func(float64) bool { return each || len(xs) == 0 }))
	})
	if err != nil {
		return nil, nil, err
	}
	pg.Notes = append([]string{"area: density of the runs; line: between the quartiles"}, pg.Notes...)
	return pg, notes, nil
}

// inRows gives each setting a row of so many points height, into which draw puts the values; each says whether every
// run is to be shown.
func (s *selection) inRows(
	o Options, height float64, mostRows int, draw func(p *chart.Panel, at float64, vs []float64, each bool),
) (*chart.Page, []string, error) {
	m := s.metrics[0]
	lo, hi, err := s.span(m, o.Log)
	if err != nil {
		return nil, nil, err
	}
	pg := &chart.Page{Width: o.Width}
	rows := 0
	for i, sh := range s.panels {
		p := &chart.Panel{Title: sh.title, X: m.axis(lo, hi, o.Log)}
		p.X.Bare = i+1 < len(s.panels)
		n := float64(len(sh.settings))
		p.Y = chart.Axis{Max: n}
		for k, one := range sh.settings {
			at := n - float64(k) - 0.5
			p.Y.Ticks = append(p.Y.Ticks, chart.Tick{At: at, Label: one.name})
			if vs := one.of(m); len(vs) > 0 {
				slices.Sort(vs)
				draw(p, at, vs, s.most <= pointed)
			}
		}
		if len(p.Series) == 0 { // so that the panel has rows nevertheless
			p.Series = []chart.Series{{Kind: chart.Dots, Thin: true}}
		}
		if len(s.panels) > 1 {
			p.Title = chart.Letter(i) + " " + p.Title
		}
		pg.Rows, pg.Heights = append(pg.Rows, []*chart.Panel{p}), append(pg.Heights, height*n)
		rows += len(sh.settings)
	}
	if rows > mostRows {
		return nil, nil, chart.Requestf("%d settings: want at most %d rows: name fewer keys in by, or values in where",
			rows, mostRows)
	}
	if s.most <= pointed {
		pg.Notes = append(pg.Notes, "dots: the runs")
	} else {
		pg.Notes = append(pg.Notes, "dots: runs beyond")
	}
	pg.Notes = append(pg.Notes, s.runsNote())
	return pg, s.unknown(m), nil
}

// dotsOf are single runs in a row.
func dotsOf(vs []float64, at float64, shown func(float64) bool) chart.Series {
	s := chart.Series{Kind: chart.Dots, Thin: true, N: 1}
	for _, v := range vs {
		if shown(v) {
			s.X, s.Y = append(s.X, v), append(s.Y, at)
		}
	}
	return s
}

// quartiles of sorted values, between two values in proportion: definition 7 of Hyndman and Fan, Sample Quantiles in
// Statistical Packages, The American Statistician 50 (1996), as in R and NumPy.
type quartiles struct{ first, median, third float64 }

func quartilesOf(sorted []float64) quartiles {
	at := func(share float64) float64 {
		place := share * float64(len(sorted)-1)
		i := int(place)
		if i+1 >= len(sorted) {
			return sorted[len(sorted)-1]
		}
		return sorted[i] + float64((place-float64(i))*(sorted[i+1]-sorted[i]))
	}
	return quartiles{at(0.25), at(0.5), at(0.75)}
}

// whiskers are the least and the greatest value within 1.5 times the distance of the quartiles beyond these (Tukey,
// Exploratory Data Analysis, 1977).
func (q quartiles) whiskers(sorted []float64) (low, high float64) {
	reach := 1.5 * (q.third - q.first)
	low, high = q.first, q.third
	for _, v := range sorted {
		if v >= q.first-reach {
			low = min(low, v)
		}
		if v <= q.third+reach {
			high = max(high, v)
		}
	}
	return low, high
}

// fewestForDensity is from how many values on a density says more than the values.
const fewestForDensity = 5

// density is how dense sorted values lie, as a share of the greatest density, from the least of them to the greatest.
// It is that of the Gaussian kernel with the bandwidth of Silverman, Density Estimation for Statistics and Data
// Analysis (1986), equation 3.31; with log, of the logarithms. There is none of fewer than five values, or of values
// that are all alike.
func density(sorted []float64, log bool) (xs, ds []float64) {
	const places = 129
	vs := slices.Clone(sorted)
	if log {
		for i, v := range vs {
			vs[i] = numeric.Log(v)
		}
	}
	if len(vs) < fewestForDensity || vs[0] == vs[len(vs)-1] {
		return nil, nil
	}
	q := quartilesOf(vs)
	width := math.Sqrt(stat.Variance(vs, nil))
	if between := (q.third - q.first) / 1.34; between > 0 {
		width = min(width, between)
	}
	width *= 0.9 * numeric.Exp(-numeric.Log(float64(len(vs)))/5)
	most := 0.0
	for i := range places {
		x := vs[0] + float64((vs[len(vs)-1]-vs[0])*float64(i))/(places-1)
		d := 0.0
		for _, v := range vs {
			z := (x - v) / width
			d += numeric.Exp(-float64(z*z) / 2)
		}
		if log {
			x = numeric.Exp(x)
		}
		xs, ds, most = append(xs, x), append(ds, d), max(most, d)
	}
	for i := range ds {
		ds[i] /= most
	}
	return xs, ds
}

// distribution: the share of runs up to a value of a metric, for each setting.
func distribution(s *selection, o Options) (*chart.Page, []string, error) {
	return s.distributed(o, false)
}

// complement: the share of runs above it, which shows the tail.
func complement(s *selection, o Options) (*chart.Page, []string, error) {
	return s.distributed(o, true)
}

func (s *selection) distributed(o Options, above bool) (*chart.Page, []string, error) {
	const mostLines = 40
	m := s.metrics[0]
	lo, hi, err := s.span(m, o.Log)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, sh := range s.panels {
		for _, one := range sh.settings {
			names = append(names, one.name)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > mostLines {
		return nil, nil, chart.Requestf("%d settings: want at most %d lines: name fewer keys in by, or values in where",
			len(names), mostLines)
	}
	looks := looksFor(names)
	var ps []*chart.Panel
	most := 1
	for _, sh := range s.panels {
		p := &chart.Panel{Title: sh.title, X: m.axis(lo, hi, o.Log), Y: chart.Axis{Label: "CDF", Max: 1.05,
			Ticks: chart.RoundTicks(0, 1, 5)}}
		for _, one := range sh.settings {
			vs := one.of(m)
			if len(vs) == 0 {
				continue
			}
			slices.Sort(vs)
			most = max(most, len(vs))
			i, _ := slices.BinarySearch(names, one.name)
			line := chart.Series{Name: one.name, Look: looks[i], Kind: chart.Step, N: len(vs)}
			line.X, line.Y = stairs(vs, above)
			p.Series = append(p.Series, line.Thinned())
		}
		ps = append(ps, p)
	}
	if above {
		for _, p := range ps { // the last run has none above it: the line falls to the lower edge
			least := math.Pow10(int(math.Floor(math.Log10(1/float64(most))*1.0000001 + 1e-9)))
			p.Y = chart.Axis{Label: "Complementary CDF", Log: true, Min: least, Max: 1.6, Ticks: powers(least)}
		}
	}
	height := 120.0
	if len(ps) > 1 {
		height = 90
	}
	pg := inGrid(o, height, ps)
	pg.Notes = []string{fmt.Sprintf("over %s", s.runsNote())}
	return pg, s.unknown(m), nil
}

// stairs are the steps of a distribution: at each value the share of those up to it or, with above, beyond it.
func stairs(sorted []float64, above bool) (xs, ys []float64) {
	n := float64(len(sorted))
	add := func(at float64, upTo int) {
		share := float64(upTo) / n
		if above {
			share = float64(len(sorted)-upTo) / n
		}
		xs, ys = append(xs, at), append(ys, share)
	}
	add(sorted[0], 0)
	for i, v := range sorted {
		if i+1 == len(sorted) || sorted[i+1] != v {
			add(v, i+1)
		}
	}
	return xs, ys
}
