package chart

import (
	"math"
	"slices"
	"strconv"
)

// dots is how many places a line has from left to right: more than a printer of 1200 dots an inch puts into a panel of
// the width of a page. A line with at most denseAbove points is drawn as it is.
const (
	dots       = 8192
	denseAbove = 4 * dots
)

// Thinned leaves out the points of a long line that nobody can see. Of those at one place, the first and the last stay,
// and the least and the greatest of the line and of its band, in their order. The line covers the same dots of the
// paper.
func (s Series) Thinned() Series {
	n := len(s.X)
	if n <= denseAbove {
		return s
	}
	width := s.X[n-1] - s.X[0]
	if !(width > 0) {
		return s
	}
	column := func(i int) int { return min(dots-1, int((s.X[i]-s.X[0])/width*dots)) }
	var kept []int
	for from := 0; from < n; {
		to := from + 1
		for to < n && column(to) == column(from) {
			to++
		}
		in := []int{from, to - 1}
		for _, v := range [][]float64{s.Y, s.Lo, s.Hi} {
			if v == nil {
				continue
			}
			least, most := from, from
			for i := from; i < to; i++ {
				if v[i] < v[least] {
					least = i
				}
				if v[i] > v[most] {
					most = i
				}
			}
			in = append(in, least, most)
		}
		slices.Sort(in)
		kept = append(kept, slices.Compact(in)...)
		from = to
	}
	pick := func(v []float64) []float64 {
		if v == nil {
			return nil
		}
		out := make([]float64, len(kept))
		for i, k := range kept {
			out[i] = v[k]
		}
		return out
	}
	s.X, s.Y, s.Lo, s.Hi = pick(s.X), pick(s.Y), pick(s.Lo), pick(s.Hi)
	return s
}

// Rounded is v to a number of significant digits.
func Rounded(v float64, digits int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return math.NaN()
	}
	return r
}

// Short is a number in a label: four digits are what a reader can use.
func Short(v float64) string { return strconv.FormatFloat(Rounded(v, 4), 'f', -1, 64) }
