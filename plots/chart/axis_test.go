package chart

import (
	"math"
	"slices"
	"testing"

	"gonum.org/v1/plot/vg"
)

func TestLogarithmicAxes(t *testing.T) {
	for _, c := range []struct {
		a    Axis
		v    float64
		want vg.Length
	}{
		{Axis{Log: true, Min: 1, Max: 100}, 10, 50},
		{Axis{Log: true, Min: 0.1, Max: 1000}, 1, 25},
		{Axis{Log: true, Zero: true, Max: 1000}, 0, 0},
		{Axis{Log: true, Zero: true, Max: 1000}, -3, 0},
		{Axis{Log: true, Zero: true, Max: 1000}, 0.5, 100 * 0.25 / 3.5},
		{Axis{Log: true, Zero: true, Max: 1000}, 1, 100 * 0.5 / 3.5},
		{Axis{Log: true, Zero: true, Max: 1000}, 1000, 100},
	} {
		if got := c.a.place(c.v, 0, 100); math.Abs(float64(got-c.want)) > 1e-9 {
			t.Errorf("%g on %+v stands at %g, want %g", c.v, c.a, got, c.want)
		}
	}
	for _, c := range []struct {
		a     Axis
		ticks []float64
		small int
	}{
		{Axis{Log: true, Min: 0.5, Max: 20}, []float64{1, 10}, 5 + 8 + 1},
		{Axis{Log: true, Zero: true, Max: 30}, []float64{0, 1, 10}, 8 + 2},
		{Axis{Max: 30}, nil, 0},
		{Axis{Log: true, Max: 30}, nil, 0}, // no logarithm of its end
	} {
		var at []float64
		if c.a.Log {
			for _, x := range c.a.decades() {
				at = append(at, x.At)
			}
		}
		if !slices.Equal(at, c.ticks) || len(c.a.minor()) != c.small {
			t.Errorf("%+v has ticks at %v and %d small ones, want %v and %d",
				c.a, at, len(c.a.minor()), c.ticks, c.small)
		}
	}
}

// Ticks have no exponent, and no more digits than they need.
func TestTicks(t *testing.T) {
	var got []string
	for _, x := range RoundTicks(0, 5e6, 5) {
		got = append(got, x.Label)
	}
	if want := []string{"0", "1000000", "2000000", "3000000", "4000000", "5000000"}; !slices.Equal(got, want) {
		t.Errorf("ticks are %v, want %v", got, want)
	}
	got = nil
	for _, x := range RoundTicks(0, 0.3, 3) {
		got = append(got, x.Label)
	}
	if want := []string{"0", "0.1", "0.2", "0.3"}; !slices.Equal(got, want) {
		t.Errorf("ticks are %v, want %v", got, want)
	}
}

func TestNumbersInLabels(t *testing.T) {
	for _, c := range []struct {
		v    float64
		want string
	}{
		{9.997524993812485, "9.998"}, {10, "10"}, {12.25, "12.25"}, {148.80952380952382, "148.8"}, {1e6, "1000000"},
		{0.000123456, "0.0001235"}, {0, "0"},
	} {
		if got := Short(c.v); got != c.want {
			t.Errorf("%v is written %s, want %s", c.v, got, c.want)
		}
	}
}

func TestLetters(t *testing.T) {
	for i, want := range map[int]string{0: "(a)", 25: "(z)", 26: "(aa)", 51: "(az)", 52: "(ba)"} {
		if got := Letter(i); got != want {
			t.Errorf("panel %d is %s, want %s", i, got, want)
		}
	}
}
