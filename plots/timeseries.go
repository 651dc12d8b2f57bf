package plots

import (
	"fmt"
	"math"

	"github.com/smartinco/smartinco/plots/chart"
)

// Series is a line for TimeSeries: Y over X. X must not decrease, must be as long as Y, and both must be finite. Step
// holds each value until the next X.
type Series struct {
	Name string
	X, Y []float64
	Step bool
}

// TimeSeries draws one panel with a line for each series. The labels carry quantity and unit, such as "Time (s)" and
// "Load (Mpps)"; the Published option has no meaning here. The figure's id is timeseries.
func TimeSeries(title, xLabel, yLabel string, o Options, ss ...Series) (*Figure, error) {
	if o.Width == 0 {
		o.Width = OneColumn
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("timeseries: %w", err)
	}
	p := &chart.Panel{Title: title, X: chart.Axis{Label: xLabel}, Y: chart.Axis{Label: yLabel}}
	points := 0
	for i, s := range ss {
		if len(s.X) != len(s.Y) {
			return nil, fmt.Errorf("timeseries: series %q has %d values of x and %d of y: want as many",
				s.Name, len(s.X), len(s.Y))
		}
		for k := range s.X {
			if v := s.X[k] - s.Y[k]; math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("timeseries: series %q, point %d is (%g, %g): want finite values",
					s.Name, k, s.X[k], s.Y[k])
			}
			if k > 0 && s.X[k] < s.X[k-1] {
				return nil, fmt.Errorf("timeseries: series %q, point %d: x falls from %g to %g: want increasing order",
					s.Name, k, s.X[k-1], s.X[k])
			}
		}
		kd := chart.Line
		if s.Step {
			kd = chart.Step
		}
		line := chart.Series{Name: s.Name, Look: chart.Look(i), Kind: kd, X: s.X, Y: s.Y, N: 1}
		p.Series = append(p.Series, line.Thinned())
		points += len(s.X)
	}
	if points == 0 {
		return nil, fmt.Errorf("timeseries: no point to draw in %d series", len(ss))
	}
	pg := &chart.Page{Width: o.Width, Rows: [][]*chart.Panel{{p}}, Heights: []float64{110}}
	return newFigure(Info{ID: "timeseries", Title: title}, pg, o, nil), nil
}
