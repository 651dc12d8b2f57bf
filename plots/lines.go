package plots

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/units"
)

// lines: metrics over one key, a line for each combination of the other keys that settings are told apart by, and a
// panel for each metric and each combination of the rest.
func lines(s *selection, o Options) (*chart.Page, []string, error) {
	const mostLines = 40
	x, err := s.across(o)
	if err != nil {
		return nil, nil, err
	}
	others := slices.Delete(slices.Clone(s.by), x.at, x.at+1)
	nameOfLine := func(one *setting) string {
		if name := nameOf(others, slices.Delete(slices.Clone(one.values), x.at, x.at+1)); name != "" {
			return name
		}
		return "all runs"
	}
	var names []string
	for _, sh := range s.panels {
		for i := range sh.settings {
			if name := nameOfLine(&sh.settings[i]); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if len(names) > mostLines {
		return nil, nil, chart.Requestf("%d lines: want at most %d: name fewer keys in by, or values in where",
			len(names), mostLines)
	}
	var grids [][]*chart.Panel
	var notes []string
	for _, m := range s.metrics {
		lo, hi, err := s.span(m, o.Log)
		if err != nil {
			return nil, nil, err
		}
		y := m.axis(lo, hi, o.Log)
		if lo >= 0 && !o.Log {
			y.Min, y.Max = 0, 1.08*y.Max
		}
		var ps []*chart.Panel
		for _, sh := range s.panels {
			p := &chart.Panel{Title: sh.title, X: x.axis(), Y: y}
			if p.Title == "" && len(s.metrics) > 1 {
				p.Title = titled(m.name)
			}
			for i, name := range names {
				l := line{chart.Series{Name: name, Look: chart.Look(i), Kind: chart.Line}}
				for k, value := range x.values {
					var at sum
					for j := range sh.settings {
						if one := &sh.settings[j]; one.values[x.at] == value && nameOfLine(one) == name {
							for _, v := range one.of(m) {
								at.add(v)
							}
						}
					}
					l.extend(x.xs[k], at, s.most > 1)
				}
				if len(l.X) > 0 {
					p.Series = append(p.Series, l.Series)
				}
			}
			ps = append(ps, p)
		}
		grids, notes = append(grids, ps), append(notes, s.unknown(m)...)
	}
	return inGrids(o, 110, seedNote(s.most), grids...), notes, nil
}

// across is the key that lines go along.
type across struct {
	at     int       // among the keys that tell settings apart
	values []string  // in their order
	xs     []float64 // the same as numbers
	label  string
}

// across is the first key of by or, where none is named, that with the most values of those whose values are numbers.
func (s *selection) across(o Options) (x across, err error) {
	if len(s.by) == 0 {
		return x, chart.Requestf("%s: the runs differ in no key: want one with numbers as values", s.table.name)
	}
	found := false
	for at, key := range s.by {
		var values []string
		for _, p := range s.panels {
			for i := range p.settings {
				values = append(values, p.settings[i].values[at])
			}
		}
		slices.SortFunc(values, inOrder)
		values = slices.Compact(values)
		if xs, unit, ok := numbersOf(values); ok && (!found || len(values) > len(x.values)) {
			x, found = across{at, values, xs, titled(lastPart(key))}, true
			if unit != "" {
				x.label += " (" + unit + ")"
			}
		}
		if len(o.By) > 0 {
			break
		}
	}
	if !found {
		return x, chart.Requestf("%s has values that are no numbers: want a key with numbers, the first in by",
			s.by[0])
	}
	return x, nil
}

// lastPart is the part of a key that says what its values are: of a number of things, these.
func lastPart(key string) string {
	key = strings.TrimSuffix(key, ".count")
	return key[strings.LastIndexByte(key, '.')+1:]
}

// numbersOf are values of a key as numbers, in a unit in which they are short. It is not ok if any is none.
func numbersOf(values []string) (xs []float64, unit string, ok bool) {
	most, base := 0.0, ""
	for _, v := range values {
		x, of := quantity(v), ""
		var p units.PPS
		var b units.BPS
		var n units.Bytes
		if _, err := strconv.ParseFloat(v, 64); err == nil {
		} else if t, err := units.ParseTime(v); err == nil {
			x, of = t.Seconds(), "s"
		} else if p.UnmarshalText([]byte(v)) == nil {
			of = "pps"
		} else if b.UnmarshalText([]byte(v)) == nil {
			of = "bit/s"
		} else if n.UnmarshalText([]byte(v)) == nil {
			of = "B"
		} else {
			return nil, "", false
		}
		if of != "" && base != "" && of != base {
			return nil, "", false
		}
		xs, most, base = append(xs, x), max(most, x), cmp.Or(of, base)
	}
	factor := 1.0
	switch base {
	case "pps":
		var per float64
		unit, per = unitOf(most)
		factor = 1 / per
	case "s", "bit/s":
		factor, unit = short(base, most)
	default:
		unit = base
	}
	for i := range xs {
		xs[i] *= factor
	}
	return xs, unit, true
}

// axis is one for the key, logarithmic where its values span two decades.
func (x across) axis() chart.Axis { return numberAxis(x.label, x.xs) }

func numberAxis(label string, xs []float64) chart.Axis {
	lo, hi := slices.Min(xs), slices.Max(xs)
	a := chart.Axis{Label: label, Min: lo, Max: hi}
	if lo > 0 && hi >= 100*lo {
		a.Log, a.Min, a.Max = true, lo/1.15, hi*1.15
		return a
	}
	room := 0.03 * (hi - lo)
	if room == 0 {
		room = max(0.1*hi, 1e-9)
	}
	a.Min, a.Max = lo-room, hi+room
	if lo >= 0 {
		a.Min = max(a.Min, 0)
	}
	return a
}

// extend adds a point to a line, with a range if there are several runs behind some point. Of no value there is none.
func (l *line) extend(x float64, at sum, ranges bool) {
	if at.n == 0 {
		return
	}
	l.X, l.Y, l.Ns = append(l.X, x), append(l.Y, at.mean()), append(l.Ns, at.n)
	if ranges {
		l.Lo, l.Hi = append(l.Lo, at.lo), append(l.Hi, at.hi)
	}
}

// line is a series that grows.
type line struct{ chart.Series }

// inGrids puts grids of panels one below the other. The panels of a grid have the same upright axis, of which the first
// in a row carries the numbers, and all have the same one across, of which the lowest in a column does.
func inGrids(o Options, height float64, note string, grids ...[]*chart.Panel) *chart.Page {
	pg := &chart.Page{Width: o.Width, Notes: []string{note}}
	n := 0
	for _, ps := range grids {
		n += len(ps)
	}
	i := 0
	for g, ps := range grids {
		of := inGrid(o, height, ps)
		for r, row := range of.Rows {
			pg.Rows, pg.Heights = append(pg.Rows, row), append(pg.Heights, of.Heights[r])
			for _, p := range row {
				p.X.Bare = p.X.Bare || g+1 < len(grids)
				if len(ps) > 1 {
					p.Title = strings.TrimPrefix(p.Title, chart.Letter(slices.Index(ps, p))+" ")
				}
				if n > 1 {
					p.Title = chart.Letter(i) + " " + p.Title
				}
				i++
			}
		}
	}
	return pg
}
