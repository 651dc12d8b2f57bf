package plots

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
)

// axis is one axis of a panel. The range is from min to max; without ticks, round ones are chosen.
type axis struct {
	label    string // quantity and unit
	min, max float64
	ticks    []tick
	count    bool // counts things: ticks at whole numbers alone
	bare     bool // ticks without numbers and label: the panel below carries them
	log      bool // logarithmic: values that are not positive stand at its lower end
	zero     bool // of a logarithmic axis: linear from 0 to 1 below its first decade, so that 0 has a place among counts
}

// scale is where a value stands on the axis, in units of the axis' own: decades, where it is logarithmic.
func (a axis) scale(v float64) float64 {
	switch {
	case !a.log:
		return v
	case !a.zero:
		return math.Log10(math.Max(v, math.SmallestNonzeroFloat64))
	case v < 1:
		return math.Max(v, 0) / 2
	}
	return 0.5 + math.Log10(v)
}

type tick struct {
	at    float64
	label string
}

// series is what a panel shows of one group of runs: a line (y over x), bars, or a step line that holds each value until the
// next. lo and hi, when present, are the least and the greatest of the n runs whose mean y is.
type series struct {
	name   string
	look   int
	kind   kind
	thin   bool // a secondary line: hair width, no marker
	x, y   []float64
	lo, hi []float64
	n      int
}

type kind string

const (
	line kind = "line"
	step kind = "step"
	bars kind = "bars"
)

// mark is a published value or another reference: a grey line at a value of x or y, with half a band to either side.
type mark struct {
	label string // beside the line
	at    float64
	half  float64
	onX   bool
	limit string // the legend's entry of a limit, drawn dotted; empty for a published value
}

// panel is one pair of axes.
type panel struct {
	title  string // without its letter
	x, y   axis
	top    []tick // on the upper edge, at values of x
	topOf  string // label of the upper edge, right of the title
	series []series
	marks  []mark
	room   vg.Length // left of the axes, as wide as the column's widest panel needs
}

// ranges sets the ends of the axes that are still open (max <= min) from what the panel shows.
func (p *panel) ranges() {
	xs, ys := []float64{}, []float64{0}
	for _, s := range p.series {
		xs = append(xs, s.x...)
		ys = append(append(append(ys, s.y...), s.lo...), s.hi...)
	}
	for _, m := range p.marks {
		if m.onX {
			xs = append(xs, m.at)
		} else {
			ys = append(ys, m.at-m.half, m.at+m.half)
		}
	}
	if p.x.max <= p.x.min {
		p.x.min, p.x.max = p.x.bounds(xs)
	}
	if p.y.max <= p.y.min {
		p.y.min, p.y.max = p.y.bounds(ys)
		if p.y.log {
			p.y.max *= math.Pow(p.y.max/math.Max(p.y.min, 1), 0.1)
		} else {
			p.y.max += 0.17 * (p.y.max - p.y.min)
		}
	}
	for _, a := range []*axis{&p.x, &p.y} {
		switch {
		case a.ticks != nil:
		case a.count:
			a.ticks = whole(a.min, a.max, 5)
		case a.log:
			a.ticks = a.decades()
		default:
			a.ticks = roundTicks(a.min, a.max, 5)
		}
	}
}

// bounds are the least and the greatest finite value, widened when they are equal.
func bounds(vs []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, v := range vs {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	switch {
	case lo > hi:
		return 0, 1
	case lo == hi:
		return lo, lo + max(1, math.Abs(lo)/10)
	}
	return lo, hi
}

// bounds are those of what a logarithmic axis can show, and of all values otherwise.
func (a axis) bounds(vs []float64) (lo, hi float64) {
	if a.log && !a.zero {
		vs = slices.DeleteFunc(vs, func(v float64) bool { return v <= 0 })
	}
	return bounds(vs)
}

// decades are the powers of ten within the range of a logarithmic axis, and 0 where it has a place for it.
func (a axis) decades() (ts []tick) {
	least := a.min
	if a.zero {
		least = math.Max(a.min, 1)
		if a.min <= 0 {
			ts = append(ts, tick{0, "0"})
		}
	}
	for k := math.Ceil(math.Log10(least) - 1e-9); k <= math.Log10(a.max)+1e-9; k++ {
		v := math.Pow10(int(k))
		ts = append(ts, tick{v, strconv.FormatFloat(v, 'f', -1, 64)})
	}
	return ts
}

// minor are the multiples of a power of ten within the range of a logarithmic axis, in its own units.
func (a axis) minor() (at []float64) {
	if !a.log {
		return nil
	}
	least := a.min
	if a.zero {
		least = math.Max(a.min, 1)
	}
	first, last := 2.0, 10.0
	if math.Log10(a.max/least) > 6 { // the powers themselves are crowded enough
		first, last = 1, 2
	}
	for k := math.Floor(math.Log10(least)); k <= math.Log10(a.max); k++ {
		for m := first; m < last; m++ {
			if v := m * math.Pow10(int(k)); v >= least && v <= a.max {
				at = append(at, v)
			}
		}
	}
	return at
}

// roundTicks are about n multiples of 1, 2, 2.5 or 5 times a power of ten within the range.
func roundTicks(lo, hi float64, n int) (ts []tick) {
	raw := (hi - lo) / float64(n)
	if !(raw > 0) || math.IsInf(raw, 0) {
		return nil
	}
	pow := math.Pow10(int(math.Floor(math.Log10(raw))))
	size := 10 * pow
	for _, m := range []float64{5, 2.5, 2, 1} {
		if m*pow >= raw*0.9 {
			size = m * pow
		}
	}
	for k := math.Ceil(lo/size - 1e-9); k*size <= hi+1e-9*size && len(ts) <= 2*n+2; k++ {
		v := k*size + 0 // no negative zero
		ts = append(ts, tick{v, strconv.FormatFloat(rounded(v, 6), 'f', -1, 64)})
	}
	return ts
}

// thin keeps every second tick until the labels fit into the width.
func thin(ts []tick, width vg.Length) []tick {
	for {
		used := vg.Length(0)
		for _, t := range ts {
			used += widthIn(textSize, t.label) + 2*gap
		}
		if used <= width || len(ts) < 3 {
			return ts
		}
		var half []tick
		for i := 0; i < len(ts); i += 2 {
			half = append(half, ts[i])
		}
		ts = half
	}
}

// whole are about n ticks at whole numbers within the range.
func whole(lo, hi float64, n int) (ts []tick) {
	size := math.Max(1, math.Ceil((hi-lo)/float64(n)))
	for v := math.Ceil(lo); v <= hi; v += size {
		ts = append(ts, tick{v, strconv.FormatFloat(v, 'f', -1, 64)})
	}
	return ts
}
