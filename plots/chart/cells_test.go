package chart

import (
	"math"
	"testing"
)

// Colours of cells differ in lightness, for colour-blind readers as for others, and along the whole of the scheme.
func TestColoursOfCellsGetDarker(t *testing.T) {
	for _, c := range []struct {
		name string
		m    Map
		from float64 // where the lightness begins to fall
	}{{"sequential", Map{}, 0}, {"diverging", Map{Diverging: true}, 0.5}} {
		for _, seen := range []func(rgb) rgb{func(c rgb) rgb { return c }, deuteranope} {
			last := math.Inf(1)
			for i := range 101 {
				share := c.from + (1-c.from)*float64(i)/100
				l := labOf(seen(linear(c.m.at(share)))).l
				if l > last+0.01 {
					t.Errorf("%s: lightness %.2f at %.2f is more than before it, %.2f", c.name, l, share, last)
				}
				last = l
			}
		}
	}
	d := Map{Diverging: true}
	for i := range 50 { // the two ends are told apart by their hue
		below, above := d.at(float64(i)/200), d.at(1-float64(i)/200)
		if apart := ciede2000(labOf(deuteranope(linear(below))), labOf(deuteranope(linear(above)))); apart < 12 {
			t.Errorf("%v and %v are %.1f apart for a deuteranope", below, above, apart)
		}
	}
}

// Numbers in cells have the contrast that WCAG 2.2 asks of any text.
func TestNumbersInCellsCanBeRead(t *testing.T) {
	luminance := func(c rgb) float64 { return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2] }
	for _, m := range []Map{{}, {Diverging: true}} {
		for i := range 101 {
			paper := m.at(float64(i) / 100)
			a, b := luminance(linear(paper)), luminance(linear(inkOn(paper)))
			if contrast := (max(a, b) + 0.05) / (min(a, b) + 0.05); contrast < 4.5 {
				t.Errorf("%v on %v has a contrast of %.2f", inkOn(paper), paper, contrast)
			}
		}
	}
}

func TestPlacesOfValuesInTheScheme(t *testing.T) {
	for _, c := range []struct {
		m       Map
		v, want float64
	}{
		{Map{Min: 0, Max: 10}, 2.5, 0.25}, {Map{Min: 0, Max: 10}, -1, 0}, {Map{Min: 0, Max: 10}, 11, 1},
		{Map{Min: 3, Max: 3}, 3, 0.5}, {Map{Min: 1, Max: 100, Log: true}, 10, 0.5},
	} {
		if got := c.m.share(c.v); got != c.want {
			t.Errorf("%g on %+v stands at %g, want %g", c.v, c.m, got, c.want)
		}
	}
}
