package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/smartinco/smartinco/plots/chart"
)

// usual are the columns that parallel shows unless it is told which, in this order, where they differ.
var usual = []string{"loss", "wait_p99_s", "instance_s", "scale_events", "moves", "rules_installed", "jain"}

// parallel: an upright axis for each key and each metric, and a line over them for each setting. The best ones in the
// first metric have colours.
func parallel(s *selection, o Options) (*chart.Page, []string, error) {
	const mostAxes, named = 12, 3
	if len(s.rest) > 0 { // each line is to show all that tells it apart
		s.by = append(slices.Clone(s.by), s.rest...)
		s.rest, s.panels = nil, nil
		rows, _, err := s.table.where(o.Where)
		if err != nil {
			return nil, nil, err
		}
		s.group(rows)
	}
	var notes []string
	sh := &s.panels[0]
	p := &chart.Panel{Y: chart.Axis{Max: 1, Bare: true, Ticks: []chart.Tick{}}}
	for i, key := range s.by {
		var values []string
		for _, one := range sh.settings {
			values = append(values, one.values[i])
		}
		slices.SortFunc(values, inOrder)
		values = slices.Compact(values)
		p.Beside = append(p.Beside, chart.Axis{Label: key, Named: true, Min: 0.5, Max: float64(len(values)) + 0.5,
			Ticks: namedTicks(values)})
	}
	means := make([][]float64, len(sh.settings)) // of the metrics
	var shown []*metric
	for i, m := range s.metrics {
		lo, hi := math.Inf(1), math.Inf(-1)
		var vs []float64
		for k := range sh.settings {
			v := meanOf(sh.settings[k].of(m))
			vs = append(vs, v)
			if v == v {
				lo, hi = min(lo, v), max(hi, v)
			}
		}
		switch {
		case lo > hi && len(o.Metrics) > 0:
			return nil, nil, chart.Requestf("%s is known of no run%s", m.name, hint(m.name))
		case lo > hi, lo == hi && len(o.Metrics) == 0 && i > 0:
			continue
		case o.Log && lo <= 0:
			return nil, nil, chart.Requestf("%s of a setting is %s, which has no place on a logarithmic axis", m.name,
				chart.Short(lo))
		}
		a := m.axis(lo, hi, o.Log)
		if !o.Log {
			a.Ticks = chart.RoundTicks(a.Min, a.Max, 4)
		}
		p.Beside = append(p.Beside, a)
		shown = append(shown, m)
		for k, v := range vs {
			means[k] = append(means[k], v)
		}
		notes = append(notes, s.unknown(m)...)
	}
	if len(shown) == 0 {
		return nil, nil, chart.Requestf("no metric is known and differs: name some")
	}
	if n := len(p.Beside); n < 2 || n > mostAxes {
		return nil, nil, chart.Requestf("%d axes, of %d keys and %d metrics: want 2 to %d", n, len(s.by), len(shown),
			mostAxes)
	}
	p.X = chart.Axis{Max: float64(len(p.Beside) - 1), Bare: true, Ticks: []chart.Tick{}}
	order := make([]int, len(sh.settings)) // from the best to the worst
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := means[a][0], means[b][0]
		switch {
		case x != x || y != y:
			return cmp.Compare(truth(x != x), truth(y != y))
		case shown[0].least:
			return cmp.Compare(x, y)
		}
		return cmp.Compare(y, x)
	})
	rank, as, equal := 0, 0, 0
	for place, i := range order {
		one := &sh.settings[i]
		line := chart.Series{Name: "others", Kind: chart.Parallel, Thin: true, Look: chart.Plain, N: len(one.rows)}
		alike := place > 0 && means[i][0] == means[order[place-1]][0]
		if !alike {
			rank = place + 1
		}
		switch {
		case place < named:
			line.Name, line.Look, line.Thin = fmt.Sprintf("%d. %s", rank, one.name), chart.Look(place), false
		case alike && rank <= named:
			as, equal = rank, equal+1
		}
		for k := range s.by {
			at := slices.IndexFunc(p.Beside[k].Ticks, func(t chart.Tick) bool {
				return t.Label == valueName(one.values[k])
			})
			line.X, line.Y = append(line.X, float64(k)), append(line.Y, p.Beside[k].Ticks[at].At)
		}
		for k, v := range means[i] {
			if v == v {
				line.X, line.Y = append(line.X, float64(len(s.by)+k)), append(line.Y, v)
			}
		}
		p.Series = append(p.Series, line)
	}
	if equal > 0 {
		notes = append(notes, fmt.Sprintf("not coloured, though as good as number %d: %s", as,
			counted(equal, "setting")))
	}
	pg := &chart.Page{Width: o.Width, Rows: [][]*chart.Panel{{p}}, Heights: []float64{150}}
	way := "most"
	if shown[0].least {
		way = "least"
	}
	pg.Notes = []string{fmt.Sprintf("best: %s %s", way, shown[0].name)}
	if s.most > 1 {
		pg.Notes = append(pg.Notes, "means of "+s.runsNote())
	}
	return pg, notes, nil
}

// valueName is a value of a key as a tick has it.
func valueName(v string) string { return namedTicks([]string{v})[0].Label }

func meanOf(vs []float64) float64 {
	var s sum
	for _, v := range vs {
		s.add(v)
	}
	return s.mean()
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
