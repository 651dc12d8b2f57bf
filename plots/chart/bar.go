package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// drawBar fills a rectangle with a tint and hatches it.
func drawBar(c draw.Canvas, l look, r vg.Rectangle) {
	fill(c, fade(l.color, 0x40), box(r))
	apart := hatchGap
	if l.dense {
		apart /= 2
	}
	hatch(c, r, l.hatch, apart, l.color)
	stroke(c, l.color, 0.7, nil, box(r))
}
