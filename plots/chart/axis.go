package chart

import (
	"math"
	"slices"
	"strconv"

	"gonum.org/v1/plot/vg"
)

// scale is where a value stands on the axis, in units of the axis: decades, if it is logarithmic.
func (a Axis) scale(v float64) float64 {
	switch {
	case !a.Log:
		return v
	case !a.Zero:
		return math.Log10(math.Max(v, math.SmallestNonzeroFloat64))
	case v < 1:
		return math.Max(v, math.Min(a.Min, 0)) / 2
	}
	return 0.5 + math.Log10(v)
}

// ranges sets the ends of the axes that are open (Max is not above Min) from what the panel shows, and ticks if none
// are given.
func (p *Panel) ranges() {
	xs, ys := []float64{}, []float64{0}
	for _, s := range p.Series {
		xs, ys = append(xs, s.X...), append(ys, s.Y...)
		if s.Kind.along() {
			xs = append(append(xs, s.Lo...), s.Hi...)
		} else {
			ys = append(append(ys, s.Lo...), s.Hi...)
		}
	}
	for _, m := range p.Marks {
		if m.OnX {
			xs = append(xs, m.At)
		} else {
			ys = append(ys, m.At-m.Half, m.At+m.Half)
		}
	}
	if p.X.Max <= p.X.Min {
		p.X.Min, p.X.Max = p.X.bounds(xs)
	}
	if p.Y.Max <= p.Y.Min {
		p.Y.Min, p.Y.Max = p.Y.bounds(ys)
		if p.Y.Log {
			p.Y.Max *= math.Pow(p.Y.Max/math.Max(p.Y.Min, 1), 0.1)
		} else {
			p.Y.Max += 0.17 * (p.Y.Max - p.Y.Min)
		}
	}
	for _, a := range []*Axis{&p.X, &p.Y} {
		switch {
		case a.Ticks != nil:
		case a.Count:
			a.Ticks = WholeTicks(a.Min, a.Max, 5)
		case a.Log:
			a.Ticks = a.decades()
		default:
			a.Ticks = RoundTicks(a.Min, a.Max, 5)
		}
	}
}

// Level gives panels that are compared the same y axis, from 0.
func Level(ps ...*Panel) {
	top := 0.0
	for _, p := range ps {
		q := *p
		q.ranges()
		top = max(top, q.Y.Max)
	}
	for _, p := range ps {
		p.Y.Min, p.Y.Max = 0, top
	}
}

// bounds are the least and the greatest finite value, set apart if they are equal.
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

// bounds are those of the values that the axis can show: a logarithmic one shows none that are not positive.
func (a Axis) bounds(vs []float64) (lo, hi float64) {
	if a.Log && !a.Zero {
		vs = slices.DeleteFunc(vs, func(v float64) bool { return v <= 0 })
	}
	return bounds(vs)
}

// Decades are the ticks of a logarithmic axis whose ends are set.
func Decades(a Axis) []Tick { return a.decades() }

// decades are the powers of ten within the range of a logarithmic axis, and 0 if it has a place there.
func (a Axis) decades() (ts []Tick) {
	least := a.Min
	if a.Zero {
		least = math.Max(a.Min, 1)
		if a.Min <= 0 {
			ts = append(ts, Tick{0, "0"})
		}
	}
	if !(least > 0) || math.IsInf(a.Max, 0) {
		return ts
	}
	for k := math.Ceil(math.Log10(least) - 1e-9); k <= math.Log10(a.Max)+1e-9; k++ {
		v := math.Pow10(int(k))
		ts = append(ts, Tick{v, strconv.FormatFloat(v, 'f', -1, 64)})
	}
	return ts
}

// minor are the values of the small ticks of a logarithmic axis: multiples of the powers of ten within its range.
func (a Axis) minor() (at []float64) {
	if !a.Log {
		return nil
	}
	least := a.Min
	if a.Zero {
		least = math.Max(a.Min, 1)
	}
	if !(least > 0) || math.IsInf(a.Max, 0) { // an axis that nobody can draw, and an endless loop
		return nil
	}
	first, last := 2.0, 10.0
	if math.Log10(a.Max/least) > 6 { // the powers themselves are crowded enough
		first, last = 1, 2
	}
	for k := math.Floor(math.Log10(least)); k <= math.Log10(a.Max); k++ {
		for m := first; m < last; m++ {
			if v := m * math.Pow10(int(k)); v >= least && v <= a.Max {
				at = append(at, v)
			}
		}
	}
	return at
}

// RoundTicks are about n ticks from lo to hi, at multiples of 1, 2, 2.5 or 5 times a power of ten.
func RoundTicks(lo, hi float64, n int) (ts []Tick) {
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
		ts = append(ts, Tick{v, strconv.FormatFloat(Rounded(v, 6), 'f', -1, 64)})
	}
	return ts
}

// fitting leaves out every second tick until the labels fit into the width.
func fitting(ts []Tick, width vg.Length) []Tick {
	for {
		used := vg.Length(0)
		for _, t := range ts {
			used += widthIn(textSize, t.Label) + 2*gap
		}
		if used <= width || len(ts) < 3 {
			return ts
		}
		var half []Tick
		for i := 0; i < len(ts); i += 2 {
			half = append(half, ts[i])
		}
		ts = half
	}
}

// WholeTicks are about n ticks from lo to hi, at whole numbers.
func WholeTicks(lo, hi float64, n int) (ts []Tick) {
	size := math.Max(1, math.Ceil((hi-lo)/float64(n)))
	for v := math.Ceil(lo); v <= hi; v += size {
		ts = append(ts, Tick{v, strconv.FormatFloat(v, 'f', -1, 64)})
	}
	return ts
}
