package chart

import (
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

// A legend stays on the page, however many entries it has and however long they are.
func TestLegendsFitThePage(t *testing.T) {
	for _, width := range []float64{2, 3.5, 7.16} {
		for _, n := range []int{1, 5, 12, 40} {
			p := &Panel{}
			for i := range n {
				name := fortyNames()[i]
				if i%10 == 0 {
					name += strings.Repeat(" with an option", 20)
				}
				x := []float64{0, 1}
				p.Series = append(p.Series, Series{Name: name, Look: Look(i), Kind: Line, X: x, Y: x})
			}
			pg := Stack(width, 50, p)
			pg.Notes = []string{"mean and range of n = 5 runs", "ran at 1/7500 of these rates, 1/5 of these times"}
			seen := 0
			for r, row := range pg.legendRows() {
				end := vg.Length(0)
				for _, e := range row {
					if e.x < end || e.x+e.width > pg.width() {
						t.Errorf("%g in, %d names: row %d: %q reaches from %g to %g of %g",
							width, n, r, e.name, e.x, e.x+e.width, pg.width())
					}
					end = e.x + e.width
					if e.draw != nil {
						seen++
					}
				}
			}
			if seen != n {
				t.Errorf("%g in: %d of %d names are in the legend", width, seen, n)
			}
			if pg.Height() > 9.5 && width > 2 {
				t.Errorf("%g in, %d names: the figure is %.1f in high", width, n, pg.Height())
			}
		}
	}
}
