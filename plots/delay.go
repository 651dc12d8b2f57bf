package plots

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// delay: the distributions of wait, sojourn and, where link, eSwitch or slow path add to it, end-to-end delay: above the
// cumulative one, below its complement, in which the tail shows.
func delay(ds []data, o Options) (*page, []string, error) {
	var notes []string
	in := keep(ds, &notes, "delays were not measured", false, func(d data) bool { return len(d.delays) > 0 })
	if len(in) == 0 {
		return nil, nil, none(ds, notes)
	}
	gs := bySettings(in)
	if len(gs) > len(looks) {
		notes = append(notes, fmt.Sprintf("%d lines share %d looks", len(gs), len(looks)))
	}
	kinds := []struct{ kind, title string }{{"wait", "Wait at the VNF"}, {"sojourn", "Sojourn at the VNF"}}
	if slices.ContainsFunc(in, func(d data) bool {
		return !slices.EqualFunc(d.buckets("sojourn"), d.buckets("end-to-end"), func(a, b results.Bucket) bool { return a.Low == b.Low && a.Count == b.Count })
	}) {
		kinds = append(kinds, struct{ kind, title string }{"end-to-end", "End to end"})
	}
	pg := &page{width: inches(o), rows: [][]*panel{nil, nil}}
	pg.heights = append(pg.heights, 92, 92)
	least, n := 1.0, 0
	for i, k := range kinds {
		x := axis{label: "Delay (µs)", log: true, min: math.Inf(1)}
		up := &panel{title: letter(i) + " " + k.title, y: axis{max: 1.05, ticks: roundTicks(0, 1, 5)}}
		down := &panel{title: letter(i+len(kinds)) + " " + k.title, y: axis{log: true}}
		for _, g := range gs {
			n = max(n, len(g.runs))
			cdf, ccdf := g.shares(k.kind, false), g.shares(k.kind, true)
			up.series, down.series = append(up.series, cdf), append(down.series, ccdf)
			if lo, hi, ok := spread(cdf); ok {
				x.min, x.max = min(x.min, lo), max(x.max, hi)
			}
			for _, share := range ccdf.y {
				if share > 0 {
					least = min(least, share)
				}
			}
		}
		if x.max == 0 { // no packet was delayed at all
			x.min, x.max = 0.01, 1
		}
		x.min, x.max = x.min/1.15, x.max*1.15
		if x.max < 10*x.min { // less than a decade would have no number
			x.min, x.max = math.Pow10(int(math.Floor(math.Log10(x.min)))), math.Pow10(int(math.Ceil(math.Log10(x.max))))
		}
		up.x, down.x = x, x
		up.x.bare = true
		for _, p := range []*panel{up, down} {
			for j := range p.series {
				p.series[j].from(x.min)
			}
		}
		pg.rows[0], pg.rows[1] = append(pg.rows[0], up), append(pg.rows[1], down)
	}
	pg.rows[0][0].y.label, pg.rows[1][0].y.label = "CDF", "Complementary CDF"
	for _, p := range pg.rows[1] {
		p.y.min, p.y.max = math.Pow10(int(math.Floor(math.Log10(least)+1e-9))), 1.6
		p.y.ticks = powers(p.y.min)
	}
	pg.note = seedNote(n)
	return pg, notes, nil
}

// from cuts off what lies below x, where the line begins instead; it is level up to its next point.
func (s *series) from(x float64) {
	i := 0
	for i+1 < len(s.x) && s.x[i+1] <= x {
		i++
	}
	s.x, s.y = s.x[i:], s.y[i:]
	if s.lo != nil {
		s.lo, s.hi = s.lo[i:], s.hi[i:]
	}
	s.x[0] = max(s.x[0], x)
}

// spread is where a distribution lies: from where two percent of the packets that are delayed are below to its end. It
// is nowhere when none is delayed.
func spread(cdf series) (lo, hi float64, ok bool) {
	for i, share := range cdf.y {
		if i > 0 && share >= cdf.y[0]+0.02*(1-cdf.y[0]) {
			return cdf.x[i-1], cdf.x[len(cdf.x)-1], true
		}
	}
	return 0, 0, false
}

// powers are the powers of ten from 1 down to least, in six numbers at most.
func powers(least float64) (ts []tick) {
	decades := int(math.Round(-math.Log10(least)))
	size := (decades + 5) / 6
	for k := 0; k <= decades; k += max(size, 1) {
		label := strconv.FormatFloat(math.Pow10(-k), 'f', -1, 64)
		if decades > 3 && k > 0 {
			label = fmt.Sprintf("1e-%d", k)
		}
		ts = append(ts, tick{math.Pow10(-k), label})
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

// shares is the share of packets whose delay is below x, or not below it, in µs: at each edge of a bucket, where it is
// exact, and the mean of the group's runs.
func (g group) shares(kind string, beyond bool) series {
	const perMicrosecond = 1e6
	var edges []int64
	for _, d := range g.runs {
		for _, b := range d.buckets(kind) {
			edges = append(edges, b.Low, b.High+1)
		}
	}
	slices.Sort(edges)
	edges = slices.DeleteFunc(slices.Compact(edges), func(e int64) bool { return e == 0 }) // has no place on the axis; 1 ps has
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
	s := series{name: g.name, look: g.look, kind: line, n: len(g.runs)}
	for _, i := range drawable(edges, at) {
		e := edges[i]
		s.x, s.y = append(s.x, float64(e)/perMicrosecond), append(s.y, at[i].mean())
		if len(g.runs) > 1 {
			s.lo, s.hi = append(s.lo, at[i].lo), append(s.hi, at[i].hi)
		}
	}
	return s
}

// drawable leaves out points that nobody would see: not 2 % further than the last in x, nor by a hundredth of an axis in y
// on either scale. Before a jump the last point stays, so that it is one.
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

// bySettings groups runs whose scenarios differ in the seed alone, in the order of the values of the keys that set the
// groups apart. A group has its name from these, where they are one or two, and from its run otherwise.
func bySettings(ds []data) (gs []group) {
	var settings []map[string]string // of each group
	for _, d := range ds {
		keys := map[string]string{}
		leaves(keys, "", d.scenario)
		delete(keys, "seed")
		delete(keys, "name")
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
		gs[i].look = look
		gs[i].name = strings.TrimSuffix(run.Name, fmt.Sprintf("-seed=%d", run.Seed))
		if len(keys) > 0 && len(keys) <= 2 {
			var parts []string
			for _, k := range keys {
				parts = append(parts, k[strings.LastIndexByte(k, '.')+1:]+" "+setting(settings[i][k]))
			}
			gs[i].name = strings.Join(parts, ", ")
		}
		sorted[look] = gs[i]
	}
	return sorted
}

// setting is the value of a setting as it is printed: a rate with the digits that a reader can use.
func setting(s string) string {
	var rate units.PPS
	if rate.UnmarshalText([]byte(s)) == nil {
		return spaced(units.PPS(rounded(float64(rate), 4)).String())
	}
	if v, err := strconv.ParseFloat(s, 64); err == nil && v != math.Trunc(v) {
		return short(v)
	}
	return spaced(s)
}

// quantity is the value of a setting that has one, in the base unit.
func quantity(s string) float64 {
	if v, err := strconv.ParseFloat(s, 64); err == nil {
		return v
	}
	if t, err := units.ParseTime(s); err == nil {
		return float64(t)
	}
	return number(s)
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
