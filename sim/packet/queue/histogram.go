package queue

import (
	"math/bits"

	"github.com/smartinco/smartinco/units"
)

// Buckets is the length of a histogram; the last few hundred stay empty.
const Buckets = 1 << 13

// Histogram counts spans of time in log-linear buckets, the layout of HdrHistogram with two significant digits: spans
// below 256 ps have a bucket each, and every octave above has 128, so that a bucket is at most 1/128 wide of what it
// holds.
type Histogram [Buckets]uint64

// bucket is the bucket of v: the bits after the leading one, by octave.
func bucket(v uint64) uint64 {
	e := uint64(bits.Len64(v|128)) - 8
	return (e<<7 + v>>(e&63)) & (Buckets - 1)
}

// Bucket is the number of the bucket that holds v; a negative span counts as zero.
func Bucket(v units.Time) int { return int(bucket(uint64(max(v, 0)))) }

// Add counts one span.
func (h *Histogram) Add(v units.Time) { h[Bucket(v)]++ }

// Bounds are the least and the greatest span that bucket i holds.
func Bounds(i int) (lo, hi units.Time) {
	if i < 256 {
		return units.Time(i), units.Time(i)
	}
	e := min(i>>7-1, 55)
	lo = units.Time(i-e<<7) << e
	return lo, lo + 1<<e - 1
}

// Merge adds the counts of o.
func (h *Histogram) Merge(o *Histogram) {
	for i, c := range o {
		h[i] += c
	}
}

// Count is the number of spans.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h {
		n += c
	}
	return n
}

// PerMille is the smallest bucket bound that at least p of 1000 spans do not exceed: 500 is the median, 999 is p99.9
// and 1000 the greatest. It is at most 1/128 above the exact quantile and never below it; 0 without spans.
func (h *Histogram) PerMille(p uint64) units.Time {
	n := h.Count()
	if n == 0 {
		return 0
	}
	hi, lo := bits.Mul64(n, min(p, 1000))
	lo, c := bits.Add64(lo, 999, 0)
	rank, _ := bits.Div64(hi+c, lo, 1000)
	rank = max(rank, 1)
	for i, c := range h {
		if c >= rank {
			_, top := Bounds(i)
			return top
		}
		rank -= c
	}
	return 0
}
