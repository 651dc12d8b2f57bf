package packet

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// TestExp: the draws follow the exponential distribution (Kolmogorov-Smirnov at the 0.1 % level, mean and second
// moment), and are the same on every machine.
func TestExp(t *testing.T) {
	const n, mean = 200_000, 1_000_000_000
	r := rand.NewPCG(7, 7)
	x := make([]float64, n)
	sum, square := 0.0, 0.0
	for i := range x {
		x[i] = float64(exp(r, mean)) / mean
		sum += x[i]
		square += x[i] * x[i]
	}
	slices.Sort(x)
	ks := 0.0
	for i, v := range x {
		f := 1 - math.Exp(-v)
		ks = max(ks, math.Abs(f-float64(i)/n), math.Abs(f-float64(i+1)/n))
	}
	if limit := 1.95 / math.Sqrt(n); ks > limit {
		t.Errorf("Kolmogorov-Smirnov distance %.5f, want at most %.5f", ks, limit)
	}
	if m := sum / n; math.Abs(m-1) > 4/math.Sqrt(n) {
		t.Errorf("mean %.5f, want 1", m)
	}
	if s := square / n; math.Abs(s-2) > 4*math.Sqrt(20.0/n) {
		t.Errorf("second moment %.5f, want 2", s)
	}
	t.Logf("KS distance %.5f", ks)

	r = rand.NewPCG(1, 0x9e3779b97f4a7c15)
	var got []int64
	for range 6 {
		got = append(got, exp(r, int64(units.Microsecond)))
	}
	if want := golden; !slices.Equal(got, want) {
		t.Errorf("draws %d, want %d", got, want)
	}
	if exp(r, 0) != 0 || exp(r, -5) != 0 {
		t.Error("a mean that is not positive must draw 0")
	}
}

// golden are the first six draws of stream 0, seed 1, with a mean of 1 us.
var golden = []int64{2584894, 2272569, 939384, 958698, 622289, 1409154}

// Every delay lies within the bounds of its bucket, buckets join without a gap, and none is wider than 1/128 of what it
// holds.
func TestBuckets(t *testing.T) {
	top := units.Time(-1)
	for i := range 7296 {
		lo, hi := Bounds(i)
		if lo != top+1 || hi < lo || (lo >= 256 && (hi-lo+1)*128 > lo) {
			t.Fatalf("bucket %d is %d to %d, after %d", i, lo, hi, top)
		}
		if Bucket(lo) != i || Bucket(hi) != i {
			t.Fatalf("%d and %d fall into buckets %d and %d, want %d", lo, hi, Bucket(lo), Bucket(hi), i)
		}
		top = hi
	}
	if top != units.Never {
		t.Errorf("the last bucket ends at %d, want %d", top, units.Never)
	}
	if Bucket(-1) != 0 {
		t.Error("a negative delay counts as one of zero")
	}
}

// The spans of a clock add up to what its rate says, and so do the sums over the next ones and over the last.
func TestClock(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	for range 1000 {
		c := newClock(1 + r.Float64()*1e9)
		ticks, sum := c.ticks(), int64(0)
		n := 1 + r.Uint64N(2000)
		ahead := c
		if want := int64(n)*c.base + ahead.extra(n); want != int64(n*ticks>>fracBits) {
			t.Fatalf("%d spans of %d/2^20 ps: %d", n, ticks, want)
		}
		spans := make([]int64, n)
		for i := range spans {
			spans[i] = c.span()
			sum += spans[i]
		}
		if sum != int64(n*ticks>>fracBits) || c != ahead {
			t.Fatalf("%d spans of %d/2^20 ps: %d, and %+v, want %+v", n, ticks, sum, c, ahead)
		}
		k := r.Uint64N(n + 1)
		sum = 0
		for _, s := range spans[n-k:] {
			sum += s
		}
		if c.last(k) != sum {
			t.Fatalf("the last %d of %d spans of %d/2^20 ps: %d, want %d", k, n, ticks, c.last(k), sum)
		}
	}
}
