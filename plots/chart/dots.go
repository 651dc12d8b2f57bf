package chart

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A panel of dots has a row for each tick of its y axis, whose label names the row, and no ticks but those of x.

var paleGrey = color.NRGBA{R: 0xdd, G: 0xdd, B: 0xdd, A: 0xff}

// dotted reports whether the panel shows dots.
func (p *Panel) dotted() bool { return len(p.Series) > 0 && p.Series[0].Kind == Dots }

// drawRows draws the lines on which dots lie.
func (p *Panel) drawRows(c draw.Canvas) {
	for _, t := range p.Y.Ticks {
		y := p.Y.place(t.At, c.Min.Y, c.Max.Y)
		stroke(c, paleGrey, hairWidth, nil, segment(c.Min.X, y, c.Max.X, y))
	}
}

func (p *Panel) drawDots(c draw.Canvas, s Series) {
	l := s.Look.look()
	for i := range s.X {
		if s.Lo != nil {
			lo, hi := p.point(c, s.Lo[i], s.Y[i]), p.point(c, s.Hi[i], s.Y[i])
			stroke(c, l.color, lineWidth, nil, segment(lo.X, lo.Y, hi.X, hi.Y))
			for _, end := range []vg.Point{lo, hi} {
				stroke(c, l.color, lineWidth, nil, segment(end.X, end.Y-2, end.X, end.Y+2))
			}
		}
	}
	for i := range s.X {
		drawMarker(c, l, p.point(c, s.X[i], s.Y[i]))
	}
}

// rowAt is the label of the row at a value of y.
func (p *Panel) rowAt(y float64) string {
	for _, t := range p.Y.Ticks {
		if t.At == y {
			return t.Label
		}
	}
	return ""
}
