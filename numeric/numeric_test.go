package numeric

import (
	"math"
	"testing"
)

// sum adds a share to itself n times, in floating point and at run time, as rates are added up.
func sum(share float64, n int) (s float64) {
	for range n {
		s += share
	}
	return s
}

// Loads that are sums, products and quotients of the same numbers equal their limit, whatever rounding made of them.
// In floating point some of these sums are above the limit, and some below.
func TestALoadThatEqualsItsLimitIsNotBeyondIt(t *testing.T) {
	above, below := 0, 0
	for _, target := range []float64{.1, .15, .2, .25, .3, .35, .4, .45, .465, .5, .55, .6, .65, .7, .75, .8, .85, .9,
		.95, 1} {
		for _, limit := range []float64{1, 3, 7, 1e3, 4.65e6, 7.7e6, 10e6, 13.3e6, 25e6, 148.8e6} {
			share := float64(target * limit)
			for n := 1; n <= 100; n++ {
				load := sum(share, n)
				most := float64(share * float64(n))
				switch {
				case load > most:
					above++
				case load < most:
					below++
				}
				if Exceeds(load, most) {
					t.Fatalf("%d times %v is taken to exceed %v", n, share, most)
				}
				if got := Ceil(load/share, 1000); got != n {
					t.Fatalf("%v / %v = %v: %d, want %d", load, share, load/share, got, n)
				}
				if more := load * 1.00000001; !Exceeds(more, most) || Ceil(more/share, 1000) != n+1 {
					t.Fatalf("%v, a hundred millionth more than %v, is not beyond it", more, most)
				}
				if less := load * 0.99999999; Exceeds(less, most) || Ceil(less/share, 1000) != n {
					t.Fatalf("%v, a hundred millionth less than %v, is beyond it or asks for less", less, most)
				}
			}
		}
	}
	if above < 100 || below < 100 {
		t.Errorf("%d sums above their limit and %d below it: the slack is not tried", above, below)
	}
}

func TestGCD(t *testing.T) {
	for _, c := range [][3]int{{12, 18, 6}, {18, 12, 6}, {7, 5, 1}, {0, 4, 4}, {4, 0, 4}, {0, 0, 0}, {9, 9, 9}} {
		if got := GCD(c[0], c[1]); got != c[2] {
			t.Errorf("GCD(%d, %d) = %d, want %d", c[0], c[1], got, c[2])
		}
	}
}

func TestCeil(t *testing.T) {
	for _, c := range []struct {
		x    float64
		want int
	}{
		{-1, 0}, {0, 0}, {math.NaN(), 0}, {1e-300, 1}, {1e-9, 1}, {0.5, 1}, {1, 1}, {math.Nextafter(1, 2), 1},
		{1 + 2e-9, 2}, {99.5, 100}, {100.5, 100}, {1e300, 100}, {math.Inf(1), 100},
	} {
		if got := Ceil(c.x, 100); got != c.want {
			t.Errorf("Ceil(%v) = %d, want %d", c.x, got, c.want)
		}
	}
}

func TestNothingIsWithinALimitOfNothing(t *testing.T) {
	if Exceeds(0, 0) || !Exceeds(math.SmallestNonzeroFloat64, 0) || Exceeds(1, math.Inf(1)) {
		t.Error("0 is beyond 0, anything more is not, or something is beyond infinity")
	}
}
