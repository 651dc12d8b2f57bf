package kubernetes

import (
	"math"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// Histogram is the recommender's: weights by bucket, of which the older count less. A sample loses half of its weight
// in a half-life.
type Histogram struct {
	starts   []float64 // of the buckets, ascending, the first 0
	nearly   []uint16  // a bucket at or below that of each prefix of a number
	least    int       // the first prefix
	epsilon  float64   // a bucket with less weight is empty, at both ends
	halfLife units.Time

	weights   []float64 // as of reference
	total     float64
	reference units.Time // that of the first sample, to whole half-lives, and later ones
	begun     bool
	first     int // bucket that is not empty; the last bucket where all are
	last      int

	at     units.Time // of the sample before
	factor float64    // of its weight
	bucket int        // of it
}

// NewHistogram is an empty histogram with buckets that begin at these values. Without a half-life, nothing ages.
func NewHistogram(starts []float64, epsilon float64, halfLife units.Time) *Histogram {
	h := &Histogram{starts: starts, epsilon: epsilon, halfLife: halfLife, weights: make([]float64, len(starts)),
		first: len(starts) - 1, factor: 1}
	h.nearly, h.least = near(starts)
	return h
}

// Exponential are buckets the first of which is first wide, and each other ratio times as wide as the one before, so
// that the last holds most.
func Exponential(most, first, ratio float64) []float64 {
	n := int(math.Ceil(numeric.Log(float64(most*(ratio-1))/first+1)/numeric.Log(ratio))) + 1
	starts := make([]float64, n)
	for k := range starts {
		starts[k] = first * (power(ratio, k) - 1) / (ratio - 1)
	}
	return starts
}

// power raises x to n by squaring: to the bit what Go's math.Pow makes of it, of which the recommender cuts off whole
// bytes, and by products alone, which are the same everywhere.
func power(x float64, n int) float64 {
	p := 1.0
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			p *= x
		}
		x *= x
	}
	return p
}

// mostExponent is how many half-lives the reference may lie back.
const mostExponent = 100

// Add takes a sample of a time. Times need not ascend.
func (h *Histogram) Add(value, weight float64, at units.Time) {
	weight = float64(weight * h.factorOf(at)) // rounded by itself, on every machine
	k := h.bucketOf(value)
	h.weights[k] += weight
	h.total += weight
	if h.weights[k] >= h.epsilon {
		h.first, h.last = min(h.first, k), max(h.last, k)
	}
}

// Subtract takes a sample back. What is then left of a weight and below epsilon is nothing.
func (h *Histogram) Subtract(value, weight float64, at units.Time) {
	weight = float64(weight * h.factorOf(at)) // rounded by itself, on every machine
	less := func(of float64) float64 {
		if of -= weight; of < h.epsilon {
			return 0
		}
		return of
	}
	k := h.bucketOf(value)
	h.weights[k], h.total = less(h.weights[k]), less(h.total)
	h.trim()
}

// factorOf is what the weight of a sample of a time is multiplied by, as of the reference.
func (h *Histogram) factorOf(at units.Time) float64 {
	if h.halfLife > 0 {
		if !h.begun {
			h.begun, h.reference = true, (at+h.halfLife/2)/h.halfLife*h.halfLife
		}
		if (at-h.reference-1)/mostExponent >= h.halfLife { // so that no product is beyond the range of time
			h.shift(at)
		}
		if at != h.at {
			h.at, h.factor = at, exp2(float64(at-h.reference)/float64(h.halfLife))
		}
	}
	return h.factor
}

// bucketOf is the bucket of a value, which is not below 0.
func (h *Histogram) bucketOf(value float64) int {
	k := h.bucket // samples of one time are often alike
	if value < h.starts[k] || k+1 < len(h.starts) && value >= h.starts[k+1] {
		k = 0
		if at := prefix(value) - h.least; at >= 0 {
			k = int(h.nearly[min(at, len(h.nearly)-1)])
		}
		for k+1 < len(h.starts) && value >= h.starts[k+1] {
			k++
		}
		h.bucket = k
	}
	return k
}

// prefix is the exponent and the first four bits of a number, which do not descend with it.
func prefix(x float64) int { return int(math.Float64bits(x) >> 48) }

// near lists the bucket of the least number with each prefix, from that of the second bucket's start to that of the
// last's. Where each bucket is 5 % wider than the last, at most two begin within a prefix.
func near(starts []float64) (nearly []uint16, least int) {
	if len(starts) < 2 {
		return []uint16{0}, 0
	}
	least = prefix(starts[1])
	for p, k := least, 0; p <= prefix(starts[len(starts)-1]); p++ {
		for k+1 < len(starts) && starts[k+1] <= math.Float64frombits(uint64(p)<<48) {
			k++
		}
		nearly = append(nearly, uint16(k))
	}
	return nearly, least
}

// shift makes a later time the reference: a whole number of half-lives, so that scaling is exact.
func (h *Histogram) shift(to units.Time) {
	halfLives := int((to - h.reference + h.halfLife/2) / h.halfLife)
	h.reference += units.Time(halfLives) * h.halfLife
	h.total = math.Ldexp(h.total, -halfLives)
	for k, w := range h.weights {
		h.weights[k] = math.Ldexp(w, -halfLives)
	}
	h.trim()
}

// trim passes over buckets that have become empty at either end.
func (h *Histogram) trim() {
	for h.first < len(h.weights)-1 && h.weights[h.first] < h.epsilon {
		h.first++
	}
	for h.last > 0 && h.weights[h.last] < h.epsilon {
		h.last--
	}
}

// exp2 is 2 to the power of x, exact where x is whole.
func exp2(x float64) float64 {
	whole := math.Floor(x)
	f := 1.0
	if x != whole {
		f = numeric.Exp((x - whole) * math.Ln2)
	}
	return math.Ldexp(f, int(whole))
}

// Percentile is the end of the bucket up to which a share of the weight lies; 0 of an empty histogram.
func (h *Histogram) Percentile(share float64) float64 {
	if h.weights[h.first] < h.epsilon {
		return 0
	}
	sum, threshold := 0.0, float64(share*h.total)
	k := h.first
	for ; k < h.last; k++ {
		if sum += h.weights[k]; sum >= threshold {
			break
		}
	}
	return h.starts[min(k+1, len(h.starts)-1)]
}
