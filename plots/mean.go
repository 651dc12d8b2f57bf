package plots

import (
	"cmp"
	"math"
	"slices"

	"github.com/smartinco/smartinco/plots/chart"
)

// sum adds values up, and keeps the least and the greatest.
type sum struct {
	n           int
	sum, lo, hi float64
}

func (s *sum) add(v float64) {
	if s.n == 0 {
		s.lo, s.hi = v, v
	}
	s.n++
	s.sum, s.lo, s.hi = s.sum+v, min(s.lo, v), max(s.hi, v)
}

func (s *sum) mean() float64 { return s.sum / float64(s.n) }

// merge makes a series of the means of the values that it is given for each x. Those whose x is the same multiple of
// grain, when rounded, are taken together.
type merge struct {
	grain float64
	at    []sample
}

// sample is one value, at x in grains.
type sample struct {
	x int64
	y float64
}

func (m *merge) add(x, y float64) { m.at = append(m.at, sample{int64(math.Round(x / m.grain)), y}) }

// sums gives the values of each x, in order of x.
func (m *merge) sums(each func(x int64, s *sum)) {
	slices.SortStableFunc(m.at, func(a, b sample) int { return cmp.Compare(a.x, b.x) })
	for i := 0; i < len(m.at); {
		s, x := sum{}, m.at[i].x
		for ; i < len(m.at) && m.at[i].x == x; i++ {
			s.add(m.at[i].y)
		}
		each(x, &s)
	}
}

// most is the greatest number of values at one x.
func (m *merge) most() (n int) {
	m.sums(func(_ int64, s *sum) { n = max(n, s.n) })
	return n
}

func (m *merge) series(s chart.Series, runs int) chart.Series {
	m.sums(func(x int64, p *sum) {
		s.X, s.Y = append(s.X, float64(x)*m.grain), append(s.Y, p.mean())
		if runs > 1 {
			s.Lo, s.Hi = append(s.Lo, p.lo), append(s.Hi, p.hi)
		}
	})
	s.N = runs
	return s
}
