package chart

import (
	"hash/fnv"
	"image/color"
	"slices"

	"gonum.org/v1/plot/vg"
)

// Look is how a series is told from others: its colour and, in greyscale, its dashes, its marker and the hatch of its
// bars. Series that are told apart by their order take 0, 1 and so on; those that keep their look from figure to figure
// take it from LooksOf. From Looks on, looks repeat.
type Look int

// Plain is the look of what stands behind others: a small grey circle.
const Plain Look = -1

// Looks is how many looks there are. No two of them share both marker and dashes.
const Looks = ordered + len(markers)*len(patterns) - fixed

const (
	ordered = 7 // looks that stand first
	fixed   = 4 // of these are in the grid of markers and patterns too
)

type look struct {
	color  color.NRGBA
	marker marker
	pattern
	dense bool // hatched at half the distance
}

// pattern is how lines are dashed and bars are hatched.
type pattern struct {
	dashes []vg.Length // in points, drawn and left out by turns; none for a solid line
	hatch  []float64   // slopes of the hatching lines
}

// colors are the seven of Okabe and Ito, Color Universal Design (2008), that show on white, and wine and indigo from
// the scheme "muted" of Tol, Colour Schemes, SRON/EPS/TN/09-002 (2021). Any two are at least 22 apart in CIEDE2000, and
// 12 as a deuteranope sees them. The order is that in which the grid of looks takes them.
var colors = [...]color.NRGBA{
	{0x00, 0x72, 0xB2, 0xff}, // blue
	{0x33, 0x22, 0x88, 0xff}, // indigo
	{0xD5, 0x5E, 0x00, 0xff}, // vermillion
	{0x56, 0xB4, 0xE9, 0xff}, // sky blue
	{0x00, 0x9E, 0x73, 0xff}, // bluish green
	{0x88, 0x22, 0x55, 0xff}, // wine
	{0xCC, 0x79, 0xA7, 0xff}, // reddish purple
	{0xE6, 0x9F, 0x00, 0xff}, // orange
	{0x00, 0x00, 0x00, 0xff}, // black
}

var markers = [...]marker{
	{outline: circle}, {outline: square}, {outline: triangle}, {outline: diamond}, {outline: triangleDown},
	{outline: plus}, {outline: cross}, {circle, bowl}, full(star),
	full(square), full(triangle), full(diamond), full(triangleDown), full(circle),
}

var patterns = [...]pattern{
	{nil, []float64{1}},
	{[]vg.Length{4, 1.5}, []float64{-1}},
	{[]vg.Length{1.2, 1.2}, []float64{1, -1}},
	{[]vg.Length{5, 1.5, 1, 1.5}, []float64{0}},
	{[]vg.Length{6.5, 2.2}, []float64{3}},
	{[]vg.Length{5, 1.2, 1, 1.2, 1, 1.2}, []float64{0, 1}},
	{[]vg.Length{1.4, 2.6}, []float64{0, -1}},
	{[]vg.Length{2.5, 1.3, 6, 1.3}, []float64{0, 1, -1}},
}

// looks begin with those that stand first. They go on with the grid of markers and patterns, along its diagonals, so
// that neighbours differ in all that they have. The colour follows from marker and pattern, so that looks which share
// one of the three differ in the others. There are more markers than colours: looks that are nine markers apart share
// colour and pattern, and differ in the marker's shape and filling and, since bars have no marker, in the density of
// the hatch.
var looks = func() (ls [Looks]look) {
	copy(ls[:], []look{
		grid(0, 0), grid(1, 1), grid(2, 2), grid(3, 3),
		{colors[7], marker{outline: circle}, pattern{[]vg.Length{2.5, 1}, nil}, false},
		{colors[3], marker{outline: square}, pattern{[]vg.Length{6, 2}, []float64{0, 1}}, false},
		{colors[8], marker{outline: triangle}, pattern{[]vg.Length{1, 2}, []float64{0, -1}}, false},
	})
	n := ordered
	for shift := range patterns {
		for m := range markers {
			if shift > 0 || m >= fixed {
				ls[n] = grid(m, (m+shift)%len(patterns))
				n++
			}
		}
	}
	return ls
}()

func grid(m, p int) look {
	return look{colors[(m+p)%len(colors)], markers[m], patterns[p], m >= len(colors)}
}

func (l Look) look() look {
	if l == Plain {
		return look{grey, marker{outline: circle}, pattern{}, false}
	}
	return looks[int(l)%Looks]
}

// LooksOf gives each name a look of its own. It follows from a hash of the name alone, so that a name looks the same in
// every figure and every version. The names in first, at most seven, have looks 0, 1 and so on, drawn or not; no other
// name has these.
//
// Names that are drawn together share no look. If several have the same look of their own, the first in the alphabet
// keeps it. The others move when all own looks are given: to the next free look of the same colour or, if there is
// none, to the next free look. So as few names move as possible. Only if no look is left are looks shared.
func LooksOf(names []string, first ...string) []Look {
	const hashed = Looks - ordered
	own := func(name string) Look {
		if i := slices.Index(first, name); i >= 0 {
			return Look(i)
		}
		h := fnv.New64a()
		h.Write([]byte(name))
		return Look(ordered + int(h.Sum64()%uint64(hashed)))
	}
	of, taken := map[string]Look{}, map[Look]bool{}
	var moved []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		if l := own(name); taken[l] {
			moved = append(moved, name)
		} else {
			of[name], taken[l] = l, true
		}
	}
	for _, name := range moved {
		l := own(name)
		next := func(ok func(Look) bool) bool {
			for i := range hashed {
				to := Look(ordered + (int(l)-ordered+i)%hashed)
				if !taken[to] && ok(to) {
					of[name], taken[to] = to, true
					return true
				}
			}
			return false
		}
		sameColor := func(to Look) bool { return to.look().color == l.look().color }
		if !next(sameColor) && !next(func(Look) bool { return true }) {
			of[name] = l
		}
	}
	looks := make([]Look, len(names))
	for i, name := range names {
		looks[i] = of[name]
	}
	return looks
}
