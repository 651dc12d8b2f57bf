package queue

import (
	"math/bits"
	"math/rand/v2"

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

// Exp draws an exponentially distributed span with the given mean, rounded down to a picosecond and at most 43 means
// and a bit (the tail beyond has probability 2^-62).
//
// It is Ahrens and Dieter's algorithm SA (Knuth, The Art of Computer Programming 2, 3.4.1, algorithm S) in integers:
// the leading ones of a random word are a geometric number of ln 2's, and what is left is one uniform or the least of
// several. No logarithm and no floating point, so every machine draws the same.
func Exp(r *rand.PCG, mean units.Time) units.Time {
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
		return units.Never
	}
	return units.Time(hi<<6 | lo>>58)
}

// stream is the seeded source of random words number i of a queue; streams of one seed are independent.
func stream(seed, i uint64) *rand.PCG {
	return rand.NewPCG(seed, 0x9e3779b97f4a7c15*(i+1))
}
