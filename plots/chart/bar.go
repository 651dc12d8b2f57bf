package chart

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// drawBar fills a rectangle with a tint and hatches it. No format has a pattern to fill with, so the lines are cut one
// by one. They lie on one grid for the whole page, so that equal hatches look equal in all bars.
func drawBar(c draw.Canvas, l look, r vg.Rectangle) {
	fill(c, fade(l.color, 0x40), box(r))
	area := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
	w, h := r.Size().X, r.Size().Y
	apart := hatchGap
	if l.dense {
		apart /= 2
	}
	for _, slope := range l.hatch {
		step := vg.Length(apart * math.Sqrt(1+slope*slope))
		s := vg.Length(slope)
		lo, hi := r.Min.Y-max(0, s*r.Max.X, s*r.Min.X), r.Max.Y-min(0, s*r.Max.X, s*r.Min.X)
		for y := step * vg.Length(math.Ceil(float64(lo/step))); y <= hi && w > 0 && h > 0; y += step {
			from, to := vg.Point{X: r.Min.X, Y: y + s*r.Min.X}, vg.Point{X: r.Max.X, Y: y + s*r.Max.X}
			for _, seg := range area.ClipLinesXY([]vg.Point{from, to}) {
				var p vg.Path
				p.Move(seg[0])
				p.Line(seg[len(seg)-1])
				stroke(c, l.color, hairWidth, nil, p)
			}
		}
	}
	stroke(c, l.color, 0.7, nil, box(r))
}
