package plots

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// selection is what a figure shows of a table: settings, whose runs differ in the seed alone, in a panel for each
// combination of the keys that tell settings of one name apart.
type selection struct {
	table   *Table
	by      []string // the keys that name settings
	rest    []string // the other keys, which name panels
	metrics []*metric
	panels  []sheet
	most    int // runs of a setting
	fewest  int
}

// sheet is what stands in one panel.
type sheet struct {
	title    string
	settings []setting
}

// setting is a combination of values.
type setting struct {
	name   string
	values []string // of the keys in by
	rows   [][]string
}

// seedKey is no key of a setting.
const seedKey = "seed"

// choose takes the rows that the options ask for, and groups them.
func (t *Table) choose(o Options, standard ...string) (s *selection, notes []string, err error) {
	s = &selection{table: t, by: o.By}
	if len(standard) > 2 { // a choice of what there is
		standard = slices.DeleteFunc(slices.Clone(standard), func(name string) bool {
			return !slices.Contains(t.numbers(), name)
		})
	}
	for _, name := range cmpOr(o.Metrics, standard) {
		m, err := t.metric(name)
		if err != nil {
			return nil, nil, err
		}
		s.metrics = append(s.metrics, m)
	}
	if len(o.Best) > len(s.metrics) {
		return nil, nil, chart.Requestf("best is said of %d metrics, and there are %d", len(o.Best), len(s.metrics))
	}
	for i, best := range o.Best {
		if best != Least && best != Most {
			return nil, nil, chart.Requestf("best is %s: want %s or %s", results.Quote(best), Least, Most)
		}
		s.metrics[i].least = best == Least
	}
	rows, left, err := t.where(o.Where)
	if err != nil {
		return nil, nil, err
	}
	if left > 0 {
		notes = append(notes, "left out, not complete or a law broken: "+counted(left, "run"))
	}
	if len(rows) == 0 {
		return nil, nil, chart.Requestf("%s: no run is left: want at least one that is complete%s", t.name,
			strings.Join(slices.Insert(slices.Clone(o.Where), 0, ""), ", "))
	}
	keys := slices.DeleteFunc(slices.Clone(t.keys), func(k string) bool { return k == seedKey })
	if len(s.by) == 0 {
		s.by = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return t.constant(rows, k) })
	}
	for i, k := range s.by {
		if !slices.Contains(keys, k) {
			return nil, nil, chart.Requestf("%s: %s is no key in which the runs differ: want of %s", t.name,
				results.Quote(k), strings.Join(keys, ", "))
		}
		if slices.Contains(s.by[:i], k) {
			return nil, nil, chart.Requestf("key %s is named twice", k)
		}
	}
	for _, k := range keys {
		if !slices.Contains(s.by, k) && !t.constant(rows, k) {
			s.rest = append(s.rest, k)
		}
	}
	s.group(rows)
	const most = 12
	if n := len(s.panels); n > most {
		return nil, nil, chart.Requestf("the other keys, %s, have %d combinations, a panel for each: want at most %d: "+
			"name keys in by, or values in where", strings.Join(s.rest, ", "), n, most)
	}
	return s, notes, nil
}

// cmpOr is the first list that is not empty.
func cmpOr(a, b []string) []string {
	if len(a) > 0 {
		return a
	}
	return b
}

func (t *Table) constant(rows [][]string, key string) bool {
	i := t.index[key]
	return !slices.ContainsFunc(rows, func(r []string) bool { return r[i] != rows[0][i] })
}

// where gives the rows that have, of each key that conditions name, one of the values named, and how many of them are
// left out since the run is not complete or broke a law.
func (t *Table) where(conditions []string) (rows [][]string, left int, err error) {
	want := map[string][]string{}
	for _, c := range conditions {
		key, value, ok := strings.Cut(c, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || !slices.Contains(t.keys, key) {
			return nil, 0, chart.Requestf("where %s: want KEY=VALUE with one of the keys %s", results.Quote(c),
				strings.Join(t.keys, ", "))
		}
		i := t.index[key]
		if !slices.ContainsFunc(t.rows, func(r []string) bool { return r[i] == value }) {
			return nil, 0, chart.Requestf("where %s: no run has this value: want one of %s", results.Quote(c),
				strings.Join(t.values(t.rows, key), ", "))
		}
		want[key] = append(want[key], value)
	}
	for _, row := range t.rows {
		in := true
		for key, values := range want {
			in = in && slices.Contains(values, row[t.index[key]])
		}
		sound := true
		for _, law := range []string{"complete", "conserved"} {
			if i, ok := t.index[law]; ok && row[i] != "true" {
				sound = false
			}
		}
		switch {
		case in && sound:
			rows = append(rows, row)
		case in:
			left++
		}
	}
	return rows, left, nil
}

// values are those of a key, in their order.
func (t *Table) values(rows [][]string, key string) (vs []string) {
	for _, r := range rows {
		vs = append(vs, r[t.index[key]])
	}
	slices.SortFunc(vs, inOrder)
	return slices.Compact(vs)
}

// inOrder compares values of a key as quantities and, where they are none, as texts.
func inOrder(a, b string) int {
	return cmp.Or(cmp.Compare(quantity(a), quantity(b)), cmp.Compare(a, b))
}

// group puts the rows into settings and panels, in the order of their values. The order of the rows does not matter.
func (s *selection) group(rows [][]string) {
	t := s.table
	at := func(row []string, keys []string) (vs []string) {
		for _, k := range keys {
			vs = append(vs, row[t.index[k]])
		}
		return vs
	}
	compare := func(a, b []string) int {
		if c := slices.CompareFunc(at(a, s.rest), at(b, s.rest), inOrder); c != 0 {
			return c
		}
		if c := slices.CompareFunc(at(a, s.by), at(b, s.by), inOrder); c != 0 {
			return c
		}
		seed := t.index[seedKey] // 0, the name, where there is none
		return cmp.Or(inOrder(a[seed], b[seed]), slices.Compare(a, b))
	}
	rows = slices.Clone(rows)
	slices.SortStableFunc(rows, compare)
	for i, row := range rows {
		if i == 0 || slices.Compare(at(row, s.rest), at(rows[i-1], s.rest)) != 0 {
			s.panels = append(s.panels, sheet{title: nameOf(s.rest, at(row, s.rest))})
		}
		p := &s.panels[len(s.panels)-1]
		if n := len(p.settings); n == 0 || slices.Compare(at(row, s.by), p.settings[n-1].values) != 0 {
			p.settings = append(p.settings, setting{name: cmp.Or(nameOf(s.by, at(row, s.by)), "all runs"),
				values: at(row, s.by)})
		}
		one := &p.settings[len(p.settings)-1]
		one.rows = append(one.rows, row)
	}
	for _, p := range s.panels {
		for _, one := range p.settings {
			s.most = max(s.most, len(one.rows))
			if s.fewest == 0 || len(one.rows) < s.fewest {
				s.fewest = len(one.rows)
			}
		}
	}
}

// nameOf joins values. One that says nothing without its key has the last part of it.
func nameOf(keys, values []string) string {
	var parts []string
	for i, v := range values {
		_, err := strconv.ParseBool(v)
		switch {
		case v == "":
		case err == nil || quantity(v) != 0 || v == "0":
			parts = append(parts, keys[i][strings.LastIndexByte(keys[i], '.')+1:]+" "+printed(v))
		default:
			parts = append(parts, v)
		}
	}
	return strings.Join(parts, ", ")
}

// of are the values of a metric in a setting, those that are known, in order of the seeds.
func (one *setting) of(m *metric) (vs []float64) {
	for _, row := range one.rows {
		if v := m.at(row); v == v {
			vs = append(vs, v)
		}
	}
	return vs
}

// span is the range of all values of a metric. It is ErrRequest if none is known, or if the axis is logarithmic and a
// value is not positive.
func (s *selection) span(m *metric, log bool) (lo, hi float64, err error) {
	n := 0
	for _, p := range s.panels {
		for _, one := range p.settings {
			for _, row := range one.rows {
				v := m.at(row)
				if v != v {
					continue
				}
				if log && v <= 0 {
					return 0, 0, chart.Requestf("%s of run %s is %s, which has no place on a logarithmic axis", m.name,
						results.Quote(row[0]), chart.Short(v))
				}
				if n++; n == 1 {
					lo, hi = v, v
				}
				lo, hi = min(lo, v), max(hi, v)
			}
		}
	}
	if n == 0 {
		return 0, 0, chart.Requestf("%s is known of no run%s", m.name, hint(m.name))
	}
	return lo, hi, nil
}

// hint says what to do for a metric that is not known.
func hint(name string) string {
	if strings.HasPrefix(name, "wait_") {
		return ": want runs that measure delays (measure.delay, with engine: packet)"
	}
	return ""
}

// unknown notes how many runs have no value of a metric.
func (s *selection) unknown(m *metric) []string {
	n := 0
	for _, p := range s.panels {
		for _, one := range p.settings {
			n += len(one.rows) - len(one.of(m))
		}
	}
	if n == 0 {
		return nil
	}
	return []string{fmt.Sprintf("left out, %s is not known: %s", m.name, counted(n, "run"))}
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// axis is one for values of a metric, with room beyond them.
func (m *metric) axis(lo, hi float64, log bool) chart.Axis {
	a := chart.Axis{Label: m.label, Log: log}
	if log {
		a.Min, a.Max = lo/1.1, hi*1.1
		a.Ticks = logTicks(a.Min, a.Max)
		return a
	}
	room := max(0.05*(hi-lo), 0.01*max(hi, -lo))
	if room == 0 {
		room = 1
	}
	a.Min, a.Max = lo-room, hi+room
	if lo >= 0 {
		a.Min = max(a.Min, 0)
	}
	return a
}

// logTicks are ticks of a logarithmic axis: round numbers where it has less than a decade, and may hold no power of
// ten; one power of so many that there are at most seven where it has many.
func logTicks(lo, hi float64) (ts []chart.Tick) {
	const many = 7
	first, last := int(math.Ceil(math.Log10(lo)-1e-9)), int(math.Floor(math.Log10(hi)+1e-9))
	switch n := last - first; {
	case hi < 10*lo:
		return chart.RoundTicks(lo, hi, 5)
	case n < many:
		return chart.Decades(chart.Axis{Min: lo, Max: hi, Log: true})
	default:
		for k := first; k <= last; k += (n + many - 1) / many {
			ts = append(ts, chart.Tick{At: math.Pow10(k), Label: fmt.Sprintf("1e%d", k)})
		}
		return ts
	}
}

// looksFor gives settings the looks that schedulers or autoscalers of their names have in other figures.
func looksFor(names []string) []chart.Look {
	first := []string{"target-utilization", "hottest-instance"}
	if slices.ContainsFunc(names, func(name string) bool { return rank(name) < len(known) }) {
		first = nil
		for _, k := range known {
			first = append(first, k.policy)
		}
	}
	return chart.LooksOf(names, first...)
}

// runsNote says how many runs a setting has.
func (s *selection) runsNote() string {
	switch {
	case s.most < 2:
		return "one run a setting"
	case s.fewest < s.most:
		return fmt.Sprintf("%d to %d runs a setting", s.fewest, s.most)
	}
	return fmt.Sprintf("%d runs a setting", s.most)
}
