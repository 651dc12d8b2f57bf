package numeric

import "math/rand/v2"

// Below draws a whole number from 0 up to, but not, n, which is from 1 to 2^32-1: what rand.New(r).IntN(n) draws,
// without a call through an interface. Where n is no power of two, it is the upper word of a product with n (Lemire,
// ACM Trans. Model. Comput. Simul. 29 (2019) 3:1).
func Below(r *rand.PCG, n int) int {
	bound := uint32(n)
	word := r.Uint64()
	if bound&(bound-1) == 0 {
		return int(uint32(word) & (bound - 1))
	}
	product := word >> 32 * uint64(bound)
	if low := uint32(product); low < bound {
		for fair := -bound % bound; low < fair; low = uint32(product) {
			product = r.Uint64() >> 32 * uint64(bound)
		}
	}
	return int(product >> 32)
}
