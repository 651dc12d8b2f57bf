package plots

import (
	"fmt"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// Overlay draws two records over each other, whatever plant made them: throughput, loss, and instances in use and
// running over time. Each record keeps its own windows. The names stand in the legend. The figure's id is compare.
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
	unit, per := unitOf(most)
	var gs []group
	for i, d := range ds {
		gs = append(gs, group{name: names[i], look: chart.Look(i), runs: []data{d}})
	}
	ps := overTime(gs,
		trace{"Throughput", "Throughput (" + unit + ")", chart.Line,
			func(w window) float64 { return w.Processed / per }},
		trace{"Packet loss, all causes", "Loss (" + unit + ")", chart.Line,
			func(w window) float64 { return w.Dropped / per }},
		inUse, running)
	chart.Level(ps[2:]...)
	pg := stack(o, 1, 76, ps...)
	pg.Heights[2], pg.Heights[3] = 50, 50
	pg.Notes = append(pg.Notes, scaleNote(ds))
	return newFigure(Info{ID: "compare", Title: "Two records over time"}, pg, o, nil), nil
}

// unitOf is the unit in which rates up to most are written, and how many packets/s it has.
func unitOf(most float64) (unit string, per float64) {
	switch {
	case most >= mega:
		return "Mpps", mega
	case most >= 1e3:
		return "kpps", 1e3
	}
	return "packets/s", 1
}
