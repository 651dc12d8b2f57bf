package plots

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// delay: the distributions of wait, of sojourn and, if link, eSwitch or slow path add to it, of the delay end to end.
// The upper panels are cumulative; the lower ones are their complement, which shows the tail.
func delay(ds []data, o Options) (*chart.Page, []string, error) {
	var notes []string
	in := keep(ds, &notes, "delays were not measured", false, func(d data) bool { return len(d.delays) > 0 })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	gs := bySettings(in)
	if len(gs) > chart.Looks {
		notes = append(notes, fmt.Sprintf("%d lines share %d looks", len(gs), chart.Looks))
	}
	kinds := []struct{ kind, title string }{{"wait", "Wait at the VNF"}, {"sojourn", "Sojourn at the VNF"}}
	if slices.ContainsFunc(in, func(d data) bool {
		same := func(a, b results.Bucket) bool { return a.Low == b.Low && a.Count == b.Count }
		return !slices.EqualFunc(d.buckets("sojourn"), d.buckets("end-to-end"), same)
	}) {
		kinds = append(kinds, struct{ kind, title string }{"end-to-end", "End to end"})
	}
	pg := &chart.Page{Width: o.Width, Rows: [][]*chart.Panel{nil, nil}}
	pg.Heights = append(pg.Heights, 92, 92)
	least := 1.0
	for i, k := range kinds {
		x := chart.Axis{Label: "Delay (µs)", Log: true, Min: math.Inf(1)}
		up := &chart.Panel{Title: chart.Letter(i) + " " + k.title,
			Y: chart.Axis{Max: 1.05, Ticks: chart.RoundTicks(0, 1, 5)}}
		down := &chart.Panel{Title: chart.Letter(i+len(kinds)) + " " + k.title, Y: chart.Axis{Log: true}}
		for _, g := range gs {
			cdf, ccdf := g.shares(k.kind, false), g.shares(k.kind, true)
			up.Series, down.Series = append(up.Series, cdf), append(down.Series, ccdf)
			if lo, hi, ok := spread(cdf); ok {
				x.Min, x.Max = min(x.Min, lo), max(x.Max, hi)
			}
			for _, share := range ccdf.Y {
				if share > 0 {
					least = min(least, share)
				}
			}
		}
		if x.Max == 0 { // no packet was delayed at all
			x.Min, x.Max = 0.01, 1
		}
		x.Min, x.Max = x.Min/1.15, x.Max*1.15
		if x.Max < 10*x.Min { // less than a decade would have no number
			x.Min = math.Pow10(int(math.Floor(math.Log10(x.Min))))
			x.Max = math.Pow10(int(math.Ceil(math.Log10(x.Max))))
		}
		up.X, down.X = x, x
		up.X.Bare = true
		for _, p := range []*chart.Panel{up, down} {
			for j := range p.Series {
				from(&p.Series[j], x.Min)
			}
		}
		pg.Rows[0], pg.Rows[1] = append(pg.Rows[0], up), append(pg.Rows[1], down)
	}
	pg.Rows[0][0].Y.Label, pg.Rows[1][0].Y.Label = "CDF", "Complementary CDF"
	for _, p := range pg.Rows[1] {
		p.Y.Min, p.Y.Max = math.Pow10(int(math.Floor(math.Log10(least)+1e-9))), 1.6
		p.Y.Ticks = powers(p.Y.Min)
	}
	pg.Notes = []string{seedNote(mostRuns(gs))}
	return pg, notes, nil
}

// from cuts off the part of a line below x. Since the line is level up to its next point, it then begins at x.
func from(s *chart.Series, x float64) {
	i := 0
	for i+1 < len(s.X) && s.X[i+1] <= x {
		i++
	}
	s.X, s.Y = s.X[i:], s.Y[i:]
	if s.Lo != nil {
		s.Lo, s.Hi = s.Lo[i:], s.Hi[i:]
	}
	s.X[0] = max(s.X[0], x)
}

// spread is the range of a distribution: from the delay that two percent of the delayed packets do not reach, to the
// end. It is not ok if no packet is delayed.
func spread(cdf chart.Series) (lo, hi float64, ok bool) {
	for i, share := range cdf.Y {
		if i > 0 && share >= cdf.Y[0]+0.02*(1-cdf.Y[0]) {
			return cdf.X[i-1], cdf.X[len(cdf.X)-1], true
		}
	}
	return 0, 0, false
}

// powers are powers of ten from 1 down to least, in at most seven ticks.
func powers(least float64) (ts []chart.Tick) {
	decades := int(math.Round(-math.Log10(least)))
	size := (decades + 5) / 6
	for k := 0; k <= decades; k += max(size, 1) {
		label := strconv.FormatFloat(math.Pow10(-k), 'f', -1, 64)
		if decades > 3 && k > 0 {
			label = fmt.Sprintf("1e-%d", k)
		}
		ts = append(ts, chart.Tick{At: math.Pow10(-k), Label: label})
	}
	return ts
}

func (d data) buckets(kind string) (bs []results.Bucket) {
	for _, b := range d.delays {
		if b.Kind == kind {
			bs = append(bs, b)
		}
	}
	return bs
}

// shares is the share of packets whose delay, in µs, is below x or, with beyond, not below x. It is the mean of the
// group's runs, at the edges of buckets, where it is exact.
func (g group) shares(kind string, beyond bool) chart.Series {
	const perMicrosecond = 1e6
	var edges []int64
	for _, d := range g.runs {
		for _, b := range d.buckets(kind) {
			edges = append(edges, b.Low, b.High+1)
		}
	}
	slices.Sort(edges)
	edges = slices.DeleteFunc(slices.Compact(edges), func(e int64) bool { return e == 0 }) // no place on the axis
	at := make([]sum, len(edges))
	for _, d := range g.runs {
		bs := d.buckets(kind)
		total, below := int64(0), int64(0)
		for _, b := range bs {
			total += b.Count
		}
		for i, e := range edges {
			for len(bs) > 0 && bs[0].High < e {
				below += bs[0].Count
				bs = bs[1:]
			}
			if beyond {
				at[i].add(float64(total-below) / float64(total))
			} else {
				at[i].add(float64(below) / float64(total))
			}
		}
	}
	s := chart.Series{Name: g.name, Look: g.look, Kind: chart.Line, N: len(g.runs)}
	for _, i := range drawable(edges, at) {
		e := edges[i]
		s.X, s.Y = append(s.X, float64(e)/perMicrosecond), append(s.Y, at[i].mean())
		if len(g.runs) > 1 {
			s.Lo, s.Hi = append(s.Lo, at[i].lo), append(s.Hi, at[i].hi)
		}
	}
	return s
}

// drawable picks the points that can be seen: those 2 % further in x than the last, and those that differ from it in y
// by more than 0.005 or 5 %. It picks the point before such a jump too, so that the jump stays one.
func drawable(edges []int64, at []sum) (in []int) {
	last := 0
	for i := range edges {
		y, was := at[i].mean(), at[last].mean()
		switch jump := math.Abs(y-was) > 0.005 || math.Abs(y-was) > 0.05*min(y, was); {
		case i == 0 || i == len(edges)-1 || jump:
			if i > last+1 {
				in = append(in, i-1)
			}
			in, last = append(in, i), i
		case float64(edges[i]) > 1.02*float64(edges[last]):
			in, last = append(in, i), i
		}
	}
	return in
}

// bySettings groups runs whose scenarios differ in the seed alone. The groups are in the order of the keys that tell
// them apart. One or two such keys name a group; if there are more, its first run does.
func bySettings(ds []data) (gs []group) {
	var settings []map[string]string // of each group
	for _, d := range ds {
		keys := settingsOf(d.scenario)
		at := slices.IndexFunc(settings, func(k map[string]string) bool { return maps.Equal(k, keys) })
		if at < 0 {
			at = len(gs)
			gs, settings = append(gs, group{}), append(settings, keys)
		}
		gs[at].runs = append(gs[at].runs, d)
	}
	differ := map[string]bool{}
	for _, a := range settings {
		for _, b := range settings {
			for k, v := range a {
				if w, ok := b[k]; !ok || w != v {
					differ[k] = true
				}
			}
		}
	}
	keys := slices.Sorted(maps.Keys(differ))
	order := make([]int, len(gs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		for _, k := range keys {
			v, w := settings[a][k], settings[b][k]
			if c := cmp.Or(cmp.Compare(quantity(v), quantity(w)), cmp.Compare(v, w)); c != 0 {
				return c
			}
		}
		return 0
	})
	sorted := make([]group, len(gs))
	for look, i := range order {
		run := gs[i].runs[0].run
		gs[i].look = chart.Look(look)
		gs[i].name = strings.TrimSuffix(run.Name, fmt.Sprintf("-seed=%d", run.Seed))
		if len(keys) > 0 && len(keys) <= 2 {
			var parts []string
			for _, k := range keys {
				parts = append(parts, k[strings.LastIndexByte(k, '.')+1:]+" "+printed(settings[i][k]))
			}
			gs[i].name = strings.Join(parts, ", ")
		}
		sorted[look] = gs[i]
	}
	return sorted
}

// printed writes the value of a key as it is printed, a rate with the digits that a reader can use.
func printed(s string) string {
	var rate units.PPS
	if rate.UnmarshalText([]byte(s)) == nil {
		return spaced(units.PPS(chart.Rounded(float64(rate), 4)).String())
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil && v != math.Trunc(v) {
		return chart.Short(v)
	}
	return spaced(s)
}

// quantity is the value of a key in its base unit, or 0 if it is no number.
func quantity(s string) float64 {
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return v
	}
	if t, err := units.ParseTime(s); err == nil {
		return float64(t)
	}
	return rate(s)
}

// rate is a rate or a size in its base unit, or 0.
func rate(s string) float64 {
	var (
		b units.BPS
		p units.PPS
		n units.Bytes
	)
	switch {
	case p.UnmarshalText([]byte(s)) == nil:
		return float64(p)
	case b.UnmarshalText([]byte(s)) == nil:
		return float64(b)
	case n.UnmarshalText([]byte(s)) == nil:
		return float64(n)
	}
	return 0
}

// settingsOf returns the values of a scenario by their dotted keys, without name and seed.
func settingsOf(s *scenarios.Scenario) map[string]string {
	var resolved any
	if err := json.Unmarshal(s.Resolved(), &resolved); err != nil {
		panic(err) // JSON of our own
	}
	keys := map[string]string{}
	leaves(keys, "", resolved)
	delete(keys, "seed")
	delete(keys, "name")
	return keys
}

// leaves collects the values of a scenario by their dotted keys.
func leaves(to map[string]string, path string, v any) {
	under := func(k string) string { return strings.TrimPrefix(path+"."+k, ".") }
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			leaves(to, under(k), e)
		}
	case []any:
		for i, e := range v {
			leaves(to, under(strconv.Itoa(i)), e)
		}
	default:
		to[path] = fmt.Sprint(v)
	}
}
