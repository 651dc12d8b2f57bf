package traces

import (
	"fmt"
	"math"
	"math/big"
	"math/bits"

	"github.com/smartinco/smartinco/units"
)

// Period is the time between two packets of a constant rate: Num/Den picoseconds, in lowest terms. Packets come at
// whole picoseconds and the remainder is carried, so the number of packets is right however long the flow lasts. The
// zero value is no period.
type Period struct {
	Num units.Time // above 0
	Den int64      // at least 1
}

// The rates that a flow can have, in packets per second: one packet in some 12 days, and one a picosecond.
const (
	LeastRate = 1e-6
	MostRate  = 1e12
)

// Every is a period of t, which is above 0.
func Every(t units.Time) Period { return Period{t, 1} }

// PeriodOf is the period of a rate in packets per second. The rate is a rounded quotient of decimals; the period is the
// simplest of all fractions that it may stand for. A rate outside LeastRate to MostRate gives an error that states the
// range.
func PeriodOf(rate float64) (Period, error) {
	if !(rate >= LeastRate && rate <= MostRate) {
		return Period{}, fmt.Errorf("a rate of %v, want %v to %v, one packet a picosecond", units.PPS(rate),
			units.PPS(LeastRate), units.PPS(MostRate))
	}
	// Of a whole number below 2^50 the fused product is exact near 1e12, and so is this test, which is near's first.
	if n := math.Round(1e12 / rate); n < 1<<50 && math.Abs(math.FMA(n, rate, -1e12)) <= 1e12/(1<<51) {
		return Every(units.Time(n)), nil
	}
	r, _ := new(big.Float).SetFloat64(rate).Rat(nil)
	return near(r.Quo(big.NewRat(int64(units.Second), 1), r)), nil
}

// Spread is the period of n packets that are evenly spaced over a span. n is at least 1 and the span is above 0.
func Spread(span units.Time, n int64) Period {
	a, b := int64(span), n
	for b > 0 {
		a, b = b, a%b
	}
	return Period{span / units.Time(a), n / a}
}

// near is a fraction within four roundings of x: the nearest whole number if that is one, and otherwise the simplest.
func near(x *big.Rat) Period {
	e := new(big.Rat).Mul(x, big.NewRat(1, 1<<51))
	half := new(big.Rat).Add(x, big.NewRat(1, 2))
	whole := new(big.Rat).SetInt(half.Num().Quo(half.Num(), half.Denom()))
	if d := new(big.Rat).Sub(whole, x); whole.Sign() > 0 && d.Abs(d).Cmp(e) <= 0 {
		return Every(units.Time(whole.Num().Int64()))
	}
	f := simplest(new(big.Rat).Sub(x, e), new(big.Rat).Add(x, e))
	return Period{units.Time(f.Num().Int64()), f.Denom().Int64()}
}

// simplest is the fraction from lo to hi with the least denominator; 0 < lo < hi.
func simplest(lo, hi *big.Rat) *big.Rat {
	floor := new(big.Int).Quo(lo.Num(), lo.Denom())
	whole := new(big.Rat).SetInt(floor)
	if whole.Cmp(lo) == 0 {
		return whole
	}
	if next := new(big.Rat).SetInt(floor.Add(floor, big.NewInt(1))); next.Cmp(hi) <= 0 {
		return next
	}
	rest := simplest(new(big.Rat).Inv(new(big.Rat).Sub(hi, whole)), new(big.Rat).Inv(new(big.Rat).Sub(lo, whole)))
	return whole.Add(whole, rest.Inv(rest))
}

// Whole reports whether the period is a whole number of picoseconds.
func (p Period) Whole() bool { return p.Den == 1 }

// Mean is the period in picoseconds.
func (p Period) Mean() float64 { return float64(p.Num) / float64(p.Den) }

// At is the time from packet 0 of a flow to packet n: n periods, to the nearest picosecond, halves up. It is Never
// beyond the range of a time. n is not negative.
func (p Period) At(n int64) units.Time {
	hi, lo := bits.Mul64(uint64(n), 2*uint64(p.Num))
	lo, carry := bits.Add64(lo, uint64(p.Den), 0)
	if hi += carry; hi >= 2*uint64(p.Den) {
		return units.Never
	}
	t, _ := bits.Div64(hi, lo, 2*uint64(p.Den))
	return units.Time(min(t, math.MaxInt64))
}

// Before is the number of packets of a flow that come less than t after its packet 0, that one included; at most
// math.MaxInt64.
func (p Period) Before(t units.Time) int64 {
	if t <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(2*uint64(t)-1, uint64(p.Den))
	lo, carry := bits.Add64(lo, 2*uint64(p.Num)-1, 0)
	if hi += carry; hi >= 2*uint64(p.Num) {
		return math.MaxInt64
	}
	n, _ := bits.Div64(hi, lo, 2*uint64(p.Num))
	return int64(min(n, math.MaxInt64))
}

// String is the period as a time, or as the rate it belongs to if it is not a whole number of picoseconds.
func (p Period) String() string {
	if p.Whole() {
		return p.Num.String()
	}
	return "1/" + units.PPS(float64(units.Second)/p.Mean()).String()
}
