package traces

import (
	"math"
	"math/rand/v2"
)

// The functions here are those of package math to within a few units in the last place, but with the same bits on every
// machine: math.Exp and math.Log have an implementation for each architecture, and Go may fuse a product and a sum
// unless a conversion stands between them.

const (
	ln2Hi = 6.93147180369123816490e-01 // the upper 32 bits of ln 2: k*ln2Hi is exact for every exponent k
	ln2Lo = 1.90821492927058770002e-10
)

// exp is e^x; 0 below -700 and +Inf above 700.
func exp(x float64) float64 {
	switch {
	case x < -700:
		return 0
	case x > 700:
		return math.Inf(1)
	}
	k := math.Floor(float64(x*(1/math.Ln2)) + 0.5)
	r := float64(x-float64(k*ln2Hi)) - float64(k*ln2Lo)
	sum := 1.0
	for i := 16.0; i >= 1; i-- { // Taylor by Horner; |r| < 0.35, so the rest is below 1e-21
		sum = float64(float64(sum*r)/i) + 1
	}
	return math.Ldexp(sum, int(k))
}

// log is the natural logarithm of a positive, finite x.
func log(x float64) float64 {
	f, k := math.Frexp(x)
	if f < math.Sqrt2/2 {
		f *= 2
		k--
	}
	s := (f - 1) / (f + 1) // ln f = 2 artanh s, |s| < 0.172
	z := float64(s * s)
	sum := 0.0
	for i := 23.0; i >= 3; i -= 2 {
		sum = float64(z * float64(1/i+sum))
	}
	return float64(float64(k)*ln2Hi) + (float64(float64(k)*ln2Lo) + float64(float64(2*s)*float64(1+sum)))
}

// polynomial is c[0] + c[1] x + ...
func polynomial(x float64, c *[8]float64) float64 {
	sum := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		sum = float64(sum*x) + c[i]
	}
	return sum
}

// quantile is the standard normal distribution's: algorithm AS 241, PPND16 (Wichura, Applied Statistics 37 (1988)
// 477-484), accurate to about one part in 10^16. p is above 0 and below 1.
func quantile(p float64) float64 {
	q := p - 0.5
	if math.Abs(q) <= 0.425 {
		r := 0.180625 - float64(q*q)
		return float64(q*polynomial(r, &as241[0])) / polynomial(r, &as241[1])
	}
	r := math.Sqrt(-log(min(p, 1-p)))
	i, from := 2, 1.6
	if r > 5 {
		i, from = 4, 5
	}
	z := polynomial(r-from, &as241[i]) / polynomial(r-from, &as241[i+1])
	return math.Copysign(z, q)
}

// as241 are numerator and denominator of the three rational approximations.
var as241 = [6][8]float64{
	{3.3871328727963666080, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125, 45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727},
	{1, 42.313330701600911252, 687.18700749205790830, 5394.1960214247511077, 21213.794301586595867, 39307.895800092710610, 28729.085735721942674, 5226.4952788528545610},
	{1.42343711074968357734, 4.63033784615654529590, 5.76949722146069140550, 3.64784832476320460504, 1.27045825245236838258, .241780725177450611770, .0227238449892691845833, 7.74545014278341407640e-4},
	{1, 2.05319162663775882187, 1.67638483018380384940, .689767334985100004550, .148103976427480074590, .0151986665636164571966, 5.47593808499534494600e-4, 1.05075007164441684324e-9},
	{6.65790464350110377720, 5.46378491116411436990, 1.78482653991729133580, .296560571828504891230, .0265321895265761230930, .00124266094738807843860, 2.71155556874348757815e-5, 2.01033439929228813265e-7},
	{1, .599832206555887937690, .136929880922735805310, .0148753612908506148525, 7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7, 2.04426310338993978564e-15},
}

// uniform is above 0 and below 1: an odd multiple of 2^-53.
func uniform(r *rand.Rand) float64 { return (float64(r.Uint64()>>12) + 0.5) / (1 << 52) }

// normal draws from the standard normal distribution.
func normal(r *rand.Rand) float64 { return quantile(uniform(r)) }

// exponential draws from the exponential distribution of mean 1.
func exponential(r *rand.Rand) float64 { return -log(uniform(r)) }

// stream is the generator of block number block of what kind names, for one seed. Streams do not depend on each other,
// so blocks can be drawn in any order and on any number of cores.
func stream(seed, kind, block uint64) *rand.Rand {
	x := (kind<<40 ^ block) * 0x9e3779b97f4a7c15 // spread over the word, so that near blocks have far seeds
	x ^= x >> 32
	x *= 0xd6e8feb86659fd93
	x ^= x >> 32
	return rand.New(rand.NewPCG(seed, x))
}

// The kinds of streams.
const (
	streamArrivals = 1 + iota
	streamFlows
	streamPackets
)

// alias draws an index with a probability in proportion to its weight, in constant time and exactly, in integers: the
// alias method (Walker 1977) with the table of Vose, IEEE Transactions on Software Engineering 17 (1991) 972-975.
type alias struct {
	keep  []uint64 // of total: how often cell i is i and not other[i]
	other []int32
	total uint64
}

// newAlias makes the table. The weights are not negative, one is positive, and their sum times their number is below 2^63.
func newAlias(weights []int64) alias {
	n := uint64(len(weights))
	a := alias{make([]uint64, n), make([]int32, n), 0}
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

func (a *alias) draw(r *rand.Rand) int {
	i := r.IntN(len(a.keep))
	if r.Uint64N(a.total) < a.keep[i] {
		return i
	}
	return int(a.other[i])
}
