package plots

import (
	"slices"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
)

// heat: the mean of a metric in a cell for each pair of values of two keys, and a panel for each combination of the
// others. Values on both sides of 0 have two colours, which meet there.
func heat(s *selection, o Options) (*chart.Page, []string, error) {
	const mostColumns, mostRows = 60, 60
	if len(s.by) != 2 {
		return nil, nil, chart.Requestf("by has %d keys (%s): want two, the first across, the second upright",
			len(s.by), strings.Join(s.by, ", "))
	}
	m := s.metrics[0]
	if _, _, err := s.span(m, o.Log); err != nil {
		return nil, nil, err
	}
	var across, up []string
	for _, p := range s.panels {
		for _, one := range p.settings {
			across, up = append(across, one.values[0]), append(up, one.values[1])
		}
	}
	for _, vs := range []*[]string{&across, &up} {
		slices.SortFunc(*vs, inOrder)
		*vs = slices.Compact(*vs)
	}
	if len(across) > mostColumns || len(up) > mostRows {
		return nil, nil, chart.Requestf("%d values of %s by %d of %s: want at most %d by %d", len(across), s.by[0],
			len(up), s.by[1], mostColumns, mostRows)
	}
	colors := &chart.Map{Label: m.label, Log: o.Log}
	var ps []*chart.Panel
	missing, first := false, true
	for _, sh := range s.panels {
		p := &chart.Panel{Title: sh.title, Map: colors,
			X: chart.Axis{Label: s.by[0], Min: 0.5, Max: float64(len(across)) + 0.5, Ticks: namedTicks(across)},
			Y: chart.Axis{Label: s.by[1], Min: 0.5, Max: float64(len(up)) + 0.5, Ticks: namedTicks(up)}}
		cells := chart.Series{Kind: chart.Cells}
		for y := range up {
			for x := range across {
				var v sum
				for _, one := range sh.settings {
					if one.values[0] == across[x] && one.values[1] == up[y] {
						for _, of := range one.of(m) {
							v.add(of)
						}
					}
				}
				mean := v.mean() // NaN of none
				if v.n == 0 {
					v.lo, v.hi, missing = mean, mean, true
				} else if first {
					colors.Min, colors.Max, first = mean, mean, false
				} else {
					colors.Min, colors.Max = min(colors.Min, mean), max(colors.Max, mean)
				}
				cells.X, cells.Y = append(cells.X, float64(x+1)), append(cells.Y, float64(y+1))
				cells.V, cells.Ns = append(cells.V, mean), append(cells.Ns, v.n)
				cells.Lo, cells.Hi = append(cells.Lo, v.lo), append(cells.Hi, v.hi)
			}
		}
		p.Series = []chart.Series{cells}
		ps = append(ps, p)
	}
	if colors.Min < 0 && colors.Max > 0 {
		most := max(-colors.Min, colors.Max)
		colors.Min, colors.Max, colors.Diverging = -most, most, true
	}
	key := chart.Axis{Label: m.label, Min: colors.Min, Max: colors.Max, Log: o.Log}
	if key.Max == key.Min { // one value in all cells
		key.Ticks = []chart.Tick{{At: key.Min, Label: chart.Short(key.Min)}}
		key.Min, key.Max, key.Log = key.Min-1, key.Max+1, false
	} else if o.Log {
		key.Ticks = logTicks(key.Min, key.Max)
	}
	pg := inGrid(o, max(9, min(16, 130/float64(len(up))))*float64(len(up)), ps)
	pg.Rows = append(pg.Rows, []*chart.Panel{{Map: colors, X: key, Wide: true, Y: chart.Axis{Bare: true}}})
	pg.Heights = append(pg.Heights, 8)
	if s.most > 1 {
		pg.Notes = append(pg.Notes, "mean of "+s.runsNote())
	}
	if missing {
		pg.Notes = append(pg.Notes, "hatched: not known")
	}
	return pg, s.unknown(m), nil
}

// namedTicks are ticks at 1, 2 and so on with the names of values.
func namedTicks(values []string) (ts []chart.Tick) {
	for i, v := range values {
		label := printed(v)
		if v == "" {
			label = "none"
		}
		ts = append(ts, chart.Tick{At: float64(i + 1), Label: label})
	}
	return ts
}

// inGrid puts panels of one kind side by side, as many as the width has room for. The lowest of each column carries the
// numbers across, the first of each row those upright.
func inGrid(o Options, height float64, ps []*chart.Panel) *chart.Page {
	columns := max(1, min(len(ps), int(o.Width/1.7)))
	rows := (len(ps) + columns - 1) / columns
	columns = (len(ps) + rows - 1) / rows // as even as they can be
	pg := &chart.Page{Width: o.Width}
	for i, p := range ps {
		if len(ps) > 1 {
			p.Title = chart.Letter(i) + " " + p.Title
		}
		if i%columns == 0 {
			pg.Rows, pg.Heights = append(pg.Rows, nil), append(pg.Heights, height)
		} else {
			p.Y.Bare, p.Y.Label = true, ""
		}
		p.X.Bare = i+columns < len(ps)
		last := len(pg.Rows) - 1
		pg.Rows[last] = append(pg.Rows[last], p)
	}
	return pg
}
