package plots

import "github.com/smartinco/smartinco/plots/chart"

// trace is a panel over time that shows one quantity of the windows, with a line for each group.
type trace struct {
	title, label string // of the panel and of its upright axis
	kind         chart.Kind
	of           func(window) float64
}

var (
	inUse   = trace{"VNFs in use", "VNFs", chart.Step, func(w window) float64 { return float64(w.Used) }}
	running = trace{"VNFs running", "VNFs", chart.Step, func(w window) float64 { return float64(w.Instances) }}
)

// overTime draws the panels of a figure over the time that the longest run takes.
func overTime(gs []group, ts ...trace) (ps []*chart.Panel) {
	end := 0.0
	for _, g := range gs {
		end = max(end, longest(g.runs))
	}
	for _, t := range ts {
		p := &chart.Panel{Title: t.title, X: chart.Axis{Label: "Time (s)", Max: end},
			Y: chart.Axis{Label: t.label, Count: t.kind == chart.Step}}
		for _, g := range gs {
			p.Series = append(p.Series, g.over(t.kind, t.of))
		}
		ps = append(ps, p)
	}
	return ps
}

// over is a quantity of the windows over time: the mean of the group's runs.
func (g group) over(k chart.Kind, of func(window) float64) chart.Series {
	m := merge{grain: 1e-6}
	n := 0
	for _, d := range g.runs {
		n += len(d.windows)
	}
	m.at = make([]sample, 0, n)
	for _, d := range g.runs {
		for _, w := range d.windows {
			m.add(w.T, of(w))
		}
	}
	return m.series(chart.Series{Name: g.name, Look: g.look, Kind: k}, len(g.runs)).Thinned()
}

// longest is when the last of the runs ends.
func longest(ds []data) (t float64) {
	for _, d := range ds {
		t = max(t, d.windows[len(d.windows)-1].T)
	}
	return t
}

// mostRuns is the greatest number of runs in a group.
func mostRuns(gs []group) (n int) {
	for _, g := range gs {
		n = max(n, len(g.runs))
	}
	return n
}
