package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// halfBox is half the height of a box, in points.
const halfBox = 3.5

// drawBoxes draws boxes from Lo to Hi with a line at X.
func (p *Panel) drawBoxes(c draw.Canvas, s Series) {
	l := s.Look.look()
	for i := range s.X {
		lo, hi, at := p.point(c, s.Lo[i], s.Y[i]), p.point(c, s.Hi[i], s.Y[i]), p.point(c, s.X[i], s.Y[i])
		r := vg.Rectangle{Min: vg.Point{X: lo.X, Y: lo.Y - halfBox}, Max: vg.Point{X: hi.X, Y: hi.Y + halfBox}}
		fill(c, white, box(r))
		fill(c, fade(l.color, 0x40), box(r))
		stroke(c, l.color, 0.7, nil, box(r))
		stroke(c, black, 1.4, nil, segment(at.X, r.Min.Y, at.X, r.Max.Y))
	}
}

// drawWhiskers draws the ranges from Lo to Hi.
func (p *Panel) drawWhiskers(c draw.Canvas, s Series) {
	l := s.Look.look()
	for i := range s.X {
		p.drawRange(c, l, p.point(c, s.Lo[i], s.Y[i]), p.point(c, s.Hi[i], s.Y[i]))
	}
}

// drawRange draws a line with an end across it on either side.
func (p *Panel) drawRange(c draw.Canvas, l look, lo, hi vg.Point) {
	stroke(c, l.color, 0.8, nil, segment(lo.X, lo.Y, hi.X, hi.Y))
	for _, end := range []vg.Point{lo, hi} {
		if lo.X == hi.X {
			stroke(c, l.color, 0.8, nil, segment(end.X-1.5, end.Y, end.X+1.5, end.Y))
		} else {
			stroke(c, l.color, 0.8, nil, segment(end.X, end.Y-1.5, end.X, end.Y+1.5))
		}
	}
}

// drawAcross draws the ranges of points along x.
func (p *Panel) drawAcross(c draw.Canvas, s Series) { p.drawWhiskers(c, s) }

// drawUpright draws the ranges of points along y.
func (p *Panel) drawUpright(c draw.Canvas, s Series) {
	if s.Lo == nil {
		return
	}
	l := s.Look.look()
	for i := range s.X {
		p.drawRange(c, l, p.point(c, s.X[i], s.Lo[i]), p.point(c, s.X[i], s.Hi[i]))
	}
}

// drawViolin draws the area between Lo and Hi.
func (p *Panel) drawViolin(c draw.Canvas, s Series) {
	if len(s.X) < 2 {
		return
	}
	l := s.Look.look()
	var pts []vg.Point
	for i := range s.X {
		pts = append(pts, p.point(c, s.X[i], s.Hi[i]))
	}
	for i := len(s.X) - 1; i >= 0; i-- {
		pts = append(pts, p.point(c, s.X[i], s.Lo[i]))
	}
	fill(c, fade(l.color, 0x40), polygon(pts...))
	stroke(c, l.color, 0.7, nil, polygon(pts...))
}
