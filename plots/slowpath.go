package plots

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/units"
)

// newFlow is what a run says of flows that wait for their rules.
type newFlow struct {
	data
	latency         units.Time // of the rule's installation
	rate            float64    // packets/s of each flow
	slowRate        float64    // packets/s of the slow path
	slowQueue       float64    // packets
	reordered, lost float64    // packets a flow, in the mean
}

// newFlows reads a run. It is not ok if the flows have no rate in common or no rule was installed.
func newFlows(d data) (f newFlow, ok bool) {
	nic := &d.scenario.NIC
	f = newFlow{data: d, latency: nic.InstallLatency, slowRate: float64(nic.SlowPathRate),
		slowQueue: float64(nic.SlowPathQueue)}
	if d.run.Totals.RulesInstalled == 0 {
		return f, false
	}
	for _, s := range d.scenario.Workload {
		if s.Flows == nil {
			return f, false
		}
		for _, x := range s.Flows {
			rate := float64(x.Rate)
			if rate == 0 || f.rate != 0 && rate != f.rate {
				return f, false
			}
			f.rate = rate
		}
	}
	n := float64(d.run.Totals.Flows)
	f.reordered, f.lost = d.run.Totals.Reordered/n, d.run.Totals.Dropped.SlowPath/n
	return f, f.rate > 0
}

// slowPath: what a new flow suffers before its rule is in force, over its rate, with one line for each latency of the
// installation. If there are runs of both engines, those of the fluid engine are thin lines.
func slowPath(ds []data, o Options) (*chart.Page, []string, error) {
	var notes []string
	var in []newFlow
	keep(ds, &notes, "its flows have no single rate, or no rule was installed", false, func(d data) bool {
		f, ok := newFlows(d)
		if ok {
			in = append(in, f)
		}
		return ok
	})
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	slices.SortStableFunc(in, func(a, b newFlow) int { return cmp.Compare(a.latency, b.latency) })
	exact := slices.ContainsFunc(in, func(f newFlow) bool { return f.run.Engine != "fluid" })
	a := &chart.Panel{Title: "Reordered", Y: chart.Axis{Label: "Packets a flow", Log: true, Zero: true}}
	b := &chart.Panel{Title: "Lost in the slow path", Y: chart.Axis{Label: "Packets a flow", Log: true, Zero: true}}
	n := 0
	for _, reference := range []bool{false, true} {
		look := chart.Look(0)
		for i := 0; i < len(in); {
			latency := in[i].latency
			reordered, lost := merge{grain: 1e-3}, merge{grain: 1e-3} // in Mpps
			for ; i < len(in) && in[i].latency == latency; i++ {
				if f := in[i]; reference == (exact && f.run.Engine == "fluid") {
					reordered.add(f.rate/mega, f.reordered)
					lost.add(f.rate/mega, f.lost)
				}
			}
			if len(reordered.at) == 0 {
				continue
			}
			runs := reordered.most()
			n = max(n, runs)
			s := chart.Series{Name: spaced(latency.String()), Look: look, Kind: chart.Line}
			if reference {
				s = chart.Series{Name: "fluid engine", Look: 6, Kind: chart.Line, Thin: true}
			}
			look++
			a.Series = append(a.Series, reordered.series(s, runs))
			b.Series = append(b.Series, lost.series(s, runs))
		}
	}
	one := func(of func(newFlow) float64) (v float64, ok bool) {
		v = of(in[0])
		return v, v > 0 && !slices.ContainsFunc(in, func(f newFlow) bool { return of(f) != v })
	}
	if v, ok := one(func(f newFlow) float64 { return f.slowRate }); ok {
		label := spaced(units.PPS(chart.Rounded(v, 4)).String())
		m := chart.Mark{Label: label, At: v / mega, OnX: true, Limit: "slow path's limit"}
		a.Marks, b.Marks = append(a.Marks, m), append(b.Marks, m)
	} else {
		notes = append(notes, "the runs differ in nic.slowpath_rate, or have none")
	}
	if v, ok := one(func(f newFlow) float64 { return f.slowQueue }); ok {
		a.Marks = append(a.Marks, chart.Mark{Label: "queue of " + chart.Short(v), At: v, Limit: "slow path's limit"})
	}
	least, most := in[0].rate, in[0].rate
	for _, f := range in {
		least, most = min(least, f.rate), max(most, f.rate)
	}
	for _, p := range []*chart.Panel{a, b} {
		p.X = chart.Axis{Label: "Rate of the flow (Mpps)", Log: true, Min: least / mega / 1.08, Max: most / mega * 1.08}
	}
	a.TopOf = "lines: latency of the rule"
	return stack(o, n, 92, a, b), notes, nil
}

// spaced writes a quantity in the notation of package units as it is printed: 300us becomes 300 µs.
func spaced(s string) string {
	i := strings.IndexFunc(s, unicode.IsLetter)
	if i <= 0 {
		return s
	}
	return s[:i] + " " + strings.Replace(s[i:], "us", "µs", 1)
}
