package packet

import (
	"math/bits"

	"github.com/smartinco/smartinco/units"
)

// buckets is how many there are; the last few hundred stay empty.
const buckets = 1 << 13

// bucket is the bucket of v, log-linear in the layout of HdrHistogram with two significant digits: spans below 256 ps
// have a bucket each and every octave above has 128, so that a bucket is no wider than 1/128 of what it holds. It is
// the bits after the leading one, by octave.
func bucket(v uint64) uint64 {
	e := uint64(bits.Len64(v|128)) - 8
	return (e<<7 + v>>(e&63)) & (buckets - 1)
}

// Bucket is the number of the bucket in which a record counts a delay; a negative one counts as zero.
func Bucket(v units.Time) int { return int(bucket(uint64(max(v, 0)))) }

// Bounds are the least and the greatest delay that bucket i holds.
func Bounds(i int) (lo, hi units.Time) {
	if i < 256 {
		return units.Time(i), units.Time(i)
	}
	e := min(i>>7-1, 55)
	lo = units.Time(i-e<<7) << e
	return lo, lo + 1<<e - 1
}
