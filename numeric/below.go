package numeric

import (
	"math/bits"
	"math/rand/v2"
)

// Below draws a whole number from 0 up to, but not, n, which is 1 or more: what rand.New(r).IntN(n) draws, without a
// call through an interface. Where n is no power of two, it is the upper word of a product with n (Lemire, ACM Trans.
// Model. Comput. Simul. 29 (2019) 3:1).
func Below(r *rand.PCG, n int) int {
	bound := uint64(n)
	word := r.Uint64()
	if bound&(bound-1) == 0 {
		return int(word & (bound - 1))
	}
	high, low := bits.Mul64(word, bound)
	if low < bound {
		for fair := -bound % bound; low < fair; {
			high, low = bits.Mul64(r.Uint64(), bound)
		}
	}
	return int(high)
}
