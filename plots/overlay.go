package plots

import (
	"fmt"

	"github.com/smartinco/smartinco/results"
)

// Overlay draws two records over each other, whatever plant made them: throughput, loss, and instances in use and running over time. Each keeps
// its own windows. The names stand in the legend. The figure's id is compare.
func Overlay(a, b *results.Record, names [2]string, o Options) (*Figure, error) {
	var ds []data
	for _, r := range []*results.Record{a, b} {
		d, err := read(r)
		if err != nil {
			return nil, fmt.Errorf("compare: %w", err)
		}
		ds = append(ds, d)
	}
	return overlay(ds, names, o)
}

func overlay(ds []data, names [2]string, o Options) (*Figure, error) {
	if o.Width == 0 {
		o.Width = OneColumn
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("compare: %w", err)
	}
	most := 0.0
	for _, d := range ds {
		for _, w := range d.windows {
			most = max(most, w.Processed, w.Dropped)
		}
	}
	unit, per := "packets/s", 1.0
	for _, u := range []struct {
		name string
		per  float64
	}{{"kpps", 1e3}, {"Mpps", 1e6}} {
		if most >= u.per {
			unit, per = u.name, u.per
		}
	}
	x := axis{label: "Time (s)", max: longest(ds)}
	through := &panel{title: "Throughput", x: x, y: axis{label: "Throughput (" + unit + ")"}}
	lost := &panel{title: "Packet loss, all causes", x: x, y: axis{label: "Loss (" + unit + ")"}}
	used := &panel{title: "VNFs in use", x: x, y: axis{label: "VNFs", count: true}}
	running := &panel{title: "VNFs running", x: x, y: axis{label: "VNFs", count: true}}
	for i, d := range ds {
		g := group{name: names[i], look: i, runs: []data{d}}
		through.series = append(through.series, g.over(line, func(_ data, w window) float64 { return w.Processed / per }))
		lost.series = append(lost.series, g.over(line, func(_ data, w window) float64 { return w.Dropped / per }))
		used.series = append(used.series, g.over(step, func(_ data, w window) float64 { return float64(w.Used) }))
		running.series = append(running.series, g.over(step, func(_ data, w window) float64 { return float64(w.Instances) }))
	}
	level([]*panel{used, running})
	pg := stack(o, 1, 76, through, lost, used, running)
	pg.heights[2], pg.heights[3] = 50, 50
	pg.scale = scaleNote(ds)
	return newFigure(Info{ID: "compare", Title: "Two records over time"}, pg, o, nil), nil
}
