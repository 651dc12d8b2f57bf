package numeric

import "math/rand/v2"

// Uniform draws from the uniform distribution between 0 and 1, both excluded: an odd multiple of 2^-53.
func Uniform(r *rand.Rand) float64 { return (float64(r.Uint64()>>12) + 0.5) / (1 << 52) }

// Normal draws from the standard normal distribution, by inversion.
func Normal(r *rand.Rand) float64 { return NormalQuantile(Uniform(r)) }

// Exponential draws from the exponential distribution of mean 1, by inversion.
func Exponential(r *rand.Rand) float64 { return -Log(Uniform(r)) }

// Alias draws an index with a probability in proportion to its weight, in constant time and exactly, in integers. It is
// the alias method (Walker 1977) with the table of Vose, IEEE Transactions on Software Engineering 17 (1991) 972-975.
type Alias struct {
	keep  []uint64 // out of total: how often cell i is i and not other[i]
	other []int32
	total uint64
}

// NewAlias makes the table. The weights must not be negative, at least one must be positive, and their sum times their
// number must be below 2^63.
func NewAlias(weights []int64) Alias {
	n := uint64(len(weights))
	a := Alias{make([]uint64, n), make([]int32, n), 0}
	var small, large []int32
	for _, w := range weights {
		a.total += uint64(w)
	}
	for i, w := range weights {
		a.keep[i], a.other[i] = uint64(w)*n, int32(i)
		if a.keep[i] < a.total {
			small = append(small, int32(i))
		} else {
			large = append(large, int32(i))
		}
	}
	for len(small) > 0 && len(large) > 0 {
		s, l := small[len(small)-1], large[len(large)-1]
		small = small[:len(small)-1]
		a.other[s] = l
		if a.keep[l] -= a.total - a.keep[s]; a.keep[l] < a.total {
			large = large[:len(large)-1]
			small = append(small, l)
		}
	}
	return a
}

// Draw draws an index.
func (a *Alias) Draw(r *rand.Rand) int {
	i := r.IntN(len(a.keep))
	if r.Uint64N(a.total) < a.keep[i] {
		return i
	}
	return int(a.other[i])
}
