package packet

import (
	"math/bits"

	"github.com/smartinco/smartinco/traces"
)

// fraction is what a period has beyond its whole picoseconds, num/den of one, and the part of it that the next packet
// carries, acc/den. The zero value is that of a period without a fraction.
type fraction struct{ acc, num, den uint64 }

// split is a period as whole picoseconds and a fraction, for a flow whose first packet is the next one.
func split(p traces.Period) (whole int64, f fraction) {
	num, den := uint64(p.Num), uint64(p.Den)
	if den > 1 {
		f = fraction{den, 2 * (num % den), 2 * den} // it begins at a half: times are rounded, halves up
	}
	return int64(num / den), f
}

// step is what is carried into the whole picoseconds from one packet to the next.
func (f *fraction) step() int64 {
	f.acc += f.num
	if f.acc < f.den {
		return 0
	}
	f.acc -= f.den
	return 1
}

// steps is n steps at once.
func (f *fraction) steps(n uint64) int64 {
	if f.den == 0 {
		return 0
	}
	hi, lo := bits.Mul64(n, f.num)
	lo, carry := bits.Add64(lo, f.acc, 0)
	k, acc := bits.Div64(hi+carry, lo, f.den)
	f.acc = acc
	return int64(k)
}

// count is how many packets come less than span after the next one, which is included. span is above 0.
func (f *fraction) count(period, span int64) uint64 {
	if f.den == 0 {
		return uint64((span-1)/period + 1)
	}
	each := uint64(period)*f.den + f.num
	hi, lo := bits.Mul64(uint64(span), f.den)
	lo, borrow := bits.Sub64(lo, f.acc, 0)
	lo, carry := bits.Add64(lo, each-1, 0)
	n, _ := bits.Div64(hi-borrow+carry, lo, each)
	return n
}
