package packet

import (
	"errors"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sort"

	"github.com/smartinco/smartinco/units"
)

// ln2 is the natural logarithm of 2 in 64-bit fixed point.
const ln2 uint64 = 0xb17217f7d1cf79ac

// expQ[k-2] is the sum of ln2^i/i! for i = 1..k in 64-bit fixed point; the sum for k = 18 rounds to one.
var expQ = func() (q [17]uint64) {
	term, sum := ln2, ln2
	for k := range q {
		hi, _ := bits.Mul64(term, ln2)
		term = hi / uint64(k+2)
		sum += term
		q[k] = sum
	}
	q[len(q)-1] = 1<<64 - 1
	return
}()

// exp draws an exponentially distributed span with the given mean, rounded down to a picosecond and at most 43 means
// and a bit (the tail beyond has probability 2^-62).
//
// It is Ahrens and Dieter's algorithm SA (Knuth, The Art of Computer Programming 2, 3.4.1, algorithm S) in integers:
// the leading ones of a random word are a geometric number of ln 2's, and what is left is one uniform or the least of
// several. No logarithm and no floating point, so every machine draws the same.
func exp(r *rand.PCG, mean int64) int64 {
	if mean <= 0 {
		return 0
	}
	u := r.Uint64()
	j := min(bits.LeadingZeros64(^u), 62)
	u <<= j + 1
	// e is the drawn value in 58-bit fixed point: 62 ln 2 + ln 2 is below 2^6.
	e := uint64(j) * (ln2 >> 6)
	if u < ln2 {
		e += u >> 6
	} else {
		v := min(r.Uint64(), r.Uint64())
		for k := 0; u >= expQ[k] && k < len(expQ)-1; k++ {
			v = min(v, r.Uint64())
		}
		hi, _ := bits.Mul64(v, ln2)
		e += hi >> 6
	}
	hi, lo := bits.Mul64(e, uint64(mean))
	if hi>>57 != 0 {
		return int64(units.Never)
	}
	return int64(hi<<6 | lo>>58)
}

// exponential draws exponentially distributed service times.
func exponential(r *rand.PCG) func(int64) int64 {
	return func(mean int64) int64 { return exp(r, mean) }
}

// distribution is that of measured service times.
type distribution struct {
	values []int64
	upTo   []uint64 // cumulative weights
	mean   int64    // rounded down
}

// maxService is the longest service time, ps.
const maxService = int64(units.Second)

// newDistribution makes a distribution in which values[i] is drawn with probability proportional to weights[i]. There
// is at least one value, values are from 0 to a second, weights sum to between 1 and 2^40 and the mean is at least 1
// ps.
func newDistribution(values []int64, weights []uint64) (*distribution, error) {
	if len(values) == 0 {
		return nil, errors.New("no service times, want at least one")
	}
	d := &distribution{values: values}
	var sum uint64
	var total wide
	for i, v := range values {
		if v < 0 || v > maxService || weights[i] > 1<<40 || sum+weights[i] > 1<<40 {
			return nil, fmt.Errorf("service time %d is %v with weight %d, want 0 to %v "+
				"and weights that sum to at most 2^40", i, units.Time(v), weights[i], units.Time(maxService))
		}
		sum += weights[i]
		total.addProduct(uint64(v), weights[i])
		d.upTo = append(d.upTo, sum)
	}
	if sum == 0 {
		return nil, errors.New("all weights are zero")
	}
	m, _ := bits.Div64(total.hi, total.lo, sum)
	if d.mean = int64(m); d.mean < 1 {
		return nil, errors.New("the mean is below 1 ps")
	}
	return d, nil
}

// draw draws by inversion of the cumulative weights.
func (d *distribution) draw(r *rand.PCG) int64 {
	u, _ := bits.Mul64(r.Uint64(), d.upTo[len(d.upTo)-1])
	return d.values[sort.Search(len(d.upTo), func(i int) bool { return d.upTo[i] > u })]
}

// scaled draws from the distribution, scaled to the mean that is asked for.
func (d *distribution) scaled(r *rand.PCG) func(int64) int64 {
	return func(mean int64) int64 {
		hi, lo := bits.Mul64(uint64(d.draw(r)), uint64(mean))
		n := uint64(d.mean)
		if hi >= n {
			return maxService
		}
		v, _ := bits.Div64(hi, lo, n)
		return int64(min(v, uint64(maxService)))
	}
}
