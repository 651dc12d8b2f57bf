package chart

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A panel of dots, boxes or violins has a row for each tick of its y axis, whose label names the row, and no ticks but
// those of x. A dot beyond the x axis is an arrow at its end.

var paleGrey = color.NRGBA{R: 0xdd, G: 0xdd, B: 0xdd, A: 0xff}

// dotted reports whether the panel has rows.
func (p *Panel) dotted() bool { return len(p.Series) > 0 && p.Series[0].Kind.inRows() }

// drawRows draws the lines on which dots lie.
func (p *Panel) drawRows(c draw.Canvas) {
	for _, t := range p.Y.Ticks {
		y := p.Y.place(t.At, c.Min.Y, c.Max.Y)
		stroke(c, paleGrey, hairWidth, nil, segment(c.Min.X, y, c.Max.X, y))
	}
}

func (p *Panel) drawDots(c draw.Canvas, s Series) {
	l := s.Look.look()
	if s.Thin {
		for i := range s.X {
			fill(c, fade(l.color, 0x90), circle(p.point(c, s.X[i], s.Y[i]), markSize/2))
		}
		return
	}
	within := func(i int) bool { return s.X[i] >= p.X.Min && s.X[i] <= p.X.Max }
	clamp := func(x float64) float64 { return min(max(x, p.X.Min), p.X.Max) }
	for i := range s.X {
		if s.Lo != nil && within(i) {
			lo, hi := p.point(c, clamp(s.Lo[i]), s.Y[i]), p.point(c, clamp(s.Hi[i]), s.Y[i])
			stroke(c, l.color, lineWidth, nil, segment(lo.X, lo.Y, hi.X, hi.Y))
			for _, end := range []vg.Point{lo, hi} {
				stroke(c, l.color, lineWidth, nil, segment(end.X, end.Y-2, end.X, end.Y+2))
			}
		}
	}
	for i := range s.X {
		at := p.point(c, clamp(s.X[i]), s.Y[i])
		if within(i) {
			drawMarker(c, l, at)
		} else {
			drawBeyond(c, l, at, s.X[i] < p.X.Min, digits(s.X[i]))
		}
	}
}

// drawBeyond draws, at the edge of a panel, an arrow towards a dot that lies beyond it, and its value.
func drawBeyond(c draw.Canvas, l look, at vg.Point, left bool, value string) {
	size, align := vg.Length(4), 0.0
	if !left {
		size, align = -size, 1
	}
	tip, base := vg.Point{X: at.X + size/4, Y: at.Y}, at.X+size*5/4
	fill(c, l.color, polygon(tip, vg.Point{X: base, Y: at.Y - 2}, vg.Point{X: base, Y: at.Y + 2}))
	text(c, l.color, smallSize, vg.Point{X: base + size/2, Y: at.Y - smallSize*0.32}, align, value)
}

// rowAt is the label of the row at a value of y.
func (p *Panel) rowAt(y float64) string { return p.Y.nameAt(y) }

// nameAt is the label of the tick at a value.
func (a Axis) nameAt(v float64) string {
	for _, t := range a.Ticks {
		if t.At == v {
			return t.Label
		}
	}
	return ""
}
