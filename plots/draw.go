package plots

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// draw draws the panel with its axes on the edges of c.
func (p *panel) draw(c draw.Canvas) {
	for _, m := range p.marks {
		p.drawMark(c, m)
	}
	nbars, bar := 0, 0
	for _, s := range p.series {
		if s.kind == bars {
			nbars++
		}
	}
	for _, s := range p.series {
		if s.kind == bars {
			p.drawBars(c, s, bar, nbars)
			bar++
		} else {
			p.drawBand(c, s)
		}
	}
	for i, s := range p.series {
		if s.kind != bars {
			p.drawLine(c, s, i)
		}
	}
	var taken []vg.Rectangle
	for _, m := range p.marks {
		taken = append(taken, p.labelMark(c, m, taken))
	}
	p.drawAxes(c)
}

func (p *panel) drawAxes(c draw.Canvas) {
	hair := func(x0, y0, x1, y1 vg.Length) { stroke(c, black, hairWidth, nil, segment(x0, y0, x1, y1)) }
	stroke(c, black, 0.6, nil, box(c.Rectangle))
	ticks := vg.Length(tickSize)
	if len(p.series) > 0 && p.series[0].kind == bars {
		ticks = 0 // the bars are their own ticks
	}
	for _, t := range p.x.ticks {
		x := p.x.at(t.at, c.Min.X, c.Max.X)
		hair(x, c.Min.Y, x, c.Min.Y+ticks)
		if p.top == nil && ticks > 0 {
			hair(x, c.Max.Y, x, c.Max.Y-tickSize)
		}
		if !p.x.bare {
			text(c, black, textSize, vg.Point{X: x, Y: c.Min.Y - textSize - 1}, 0.5, t.label)
		}
	}
	for _, v := range p.x.minor() {
		x := p.x.at(v, c.Min.X, c.Max.X)
		hair(x, c.Min.Y, x, c.Min.Y+ticks/2)
		if p.top == nil {
			hair(x, c.Max.Y, x, c.Max.Y-ticks/2)
		}
	}
	for _, v := range p.y.minor() {
		y := p.y.at(v, c.Min.Y, c.Max.Y)
		hair(c.Min.X, y, c.Min.X+tickSize/2, y)
		hair(c.Max.X, y, c.Max.X-tickSize/2, y)
	}
	for _, t := range p.y.ticks {
		y := p.y.at(t.at, c.Min.Y, c.Max.Y)
		hair(c.Min.X, y, c.Min.X+tickSize, y)
		hair(c.Max.X, y, c.Max.X-tickSize, y)
		text(c, black, textSize, vg.Point{X: c.Min.X - gap, Y: y - textSize*0.32}, 1, t.label)
	}
	if !p.x.bare {
		text(c, black, textSize, vg.Point{X: (c.Min.X + c.Max.X) / 2, Y: c.Min.Y - 2*textSize - gap}, 0.5, p.x.label)
	}
	if p.y.label != "" {
		textUp(c, textSize, vg.Point{X: c.Min.X - p.room + textSize - 1, Y: (c.Min.Y + c.Max.Y) / 2}, p.y.label)
	}
	above := c.Max.Y + gap
	if p.top != nil {
		for _, t := range p.top {
			x := p.x.at(t.at, c.Min.X, c.Max.X)
			hair(x, c.Max.Y, x, c.Max.Y-tickSize)
			text(c, black, textSize, vg.Point{X: x, Y: above}, 0.5, t.label)
		}
		above += rowText - 1
	}
	if p.topOf != "" {
		text(c, black, textSize, vg.Point{X: c.Max.X, Y: above}, 1, p.topOf)
	}
	text(c, black, textSize, vg.Point{X: c.Min.X, Y: above}, 0, p.title)
}

func (p *panel) drawBand(c draw.Canvas, s series) {
	if s.lo == nil || len(s.x) < 2 {
		return
	}
	xs, lo := path(s, s.lo)
	_, hi := path(s, s.hi)
	var pts []vg.Point
	for i := range xs {
		pts = append(pts, p.point(c, xs[i], hi[i]))
	}
	for i := len(xs) - 1; i >= 0; i-- {
		pts = append(pts, p.point(c, xs[i], lo[i]))
	}
	fill(c, fade(lookOf(s.look).color, 0x38), polygon(pts...))
}

// path are the corners of a series: of a step line, one more at each change.
func path(s series, y []float64) (px, py []float64) {
	for i := range s.x {
		if s.kind == step && i > 0 && y[i] != y[i-1] {
			px, py = append(px, s.x[i]), append(py, y[i-1])
		}
		px, py = append(px, s.x[i]), append(py, y[i])
	}
	return px, py
}

func (p *panel) drawLine(c draw.Canvas, s series, nth int) {
	xs, ys := path(s, s.y)
	var pts []vg.Point
	for i := range xs {
		pts = append(pts, p.point(c, xs[i], ys[i]))
	}
	c.SetLineStyle(draw.LineStyle{Color: lookOf(s.look).color, Width: widthOf(s), Dashes: dashesOf(s)})
	for _, l := range c.ClipLinesX(pts) {
		var q vg.Path
		q.Move(l[0])
		for _, pt := range l[1:] {
			q.Line(pt)
		}
		c.Stroke(q)
	}
	if s.thin {
		return
	}
	// Long lines carry a marker now and then, shifted from series to series, so that coinciding lines stay visible.
	every := max(1, len(s.x)/10)
	for i := (every * nth / max(1, len(p.series))) % every; i < len(s.x); i += every {
		if s.x[i] >= p.x.min && s.x[i] <= p.x.max {
			drawMarker(c, lookOf(s.look), p.point(c, s.x[i], s.y[i]))
		}
	}
}

func (p *panel) drawBars(c draw.Canvas, s series, nth, of int) {
	w := 0.7 / float64(of)
	for i, x := range s.x {
		x0 := x - 0.35 + w*float64(nth)
		drawBar(c, lookOf(s.look), vg.Rectangle{Min: p.point(c, x0, 0), Max: p.point(c, x0+w, s.y[i])})
		if s.lo == nil {
			continue
		}
		lo, hi := p.point(c, x0+w/2, s.lo[i]), p.point(c, x0+w/2, s.hi[i])
		stroke(c, black, 0.8, nil, segment(lo.X, lo.Y, hi.X, hi.Y))
		for _, end := range []vg.Point{lo, hi} {
			stroke(c, black, 0.8, nil, segment(end.X-1.5, end.Y, end.X+1.5, end.Y))
		}
	}
}

func (p *panel) drawMark(c draw.Canvas, m mark) {
	if m.onX {
		x := p.point(c, m.at, 0).X
		stroke(c, grey, 0.9, markDashes(m), segment(x, c.Min.Y, x, c.Max.Y))
		return
	}
	if m.half > 0 {
		lo, hi := p.point(c, p.x.min, m.at-m.half), p.point(c, p.x.max, m.at+m.half)
		fill(c, fade(grey, 0x28), box(vg.Rectangle{Min: lo, Max: hi}))
	}
	y := p.point(c, 0, m.at).Y
	stroke(c, grey, 0.9, markDashes(m), segment(c.Min.X, y, c.Max.X, y))
}

// labelMark writes a mark's label beside it, where it covers least of the data and of the labels so far.
func (p *panel) labelMark(c draw.Canvas, m mark, taken []vg.Rectangle) vg.Rectangle {
	w := widthIn(smallSize, m.label)
	var best vg.Rectangle
	least := math.Inf(1)
	try := func(x, y vg.Length) {
		r := vg.Rectangle{Min: vg.Point{X: x, Y: y}, Max: vg.Point{X: x + w, Y: y + smallSize*0.9}}
		if r.Min.X < c.Min.X+tickSize || r.Max.X > c.Max.X-tickSize || r.Min.Y < c.Min.Y || r.Max.Y > c.Max.Y-tickSize {
			return
		}
		if n := p.covered(c, r, taken); n < least {
			best, least = r, n
		}
	}
	const parts = 12
	at := p.point(c, m.at, m.at)
	for i := range parts + 1 {
		share := vg.Length(i) / parts
		if m.onX {
			y := c.Max.Y - 3 - smallSize*0.9 - share*(c.Max.Y-c.Min.Y-14)
			try(at.X+gap, y)
			try(at.X-gap-w, y)
			continue
		}
		x := c.Max.X - 4 - w - share*(c.Max.X-c.Min.X-8-w)
		half := at.Y - p.point(c, 0, m.at-m.half).Y
		try(x, at.Y+half+3)
		try(x, at.Y-half-smallSize*0.9-3)
	}
	if math.IsInf(least, 1) { // too small a panel for a choice
		best.Min = vg.Point{X: c.Max.X - w - gap, Y: min(at.Y, c.Max.Y-smallSize) + 1}
		best.Max = vg.Point{X: c.Max.X - gap, Y: best.Min.Y + smallSize}
	}
	text(c, grey, smallSize, vg.Point{X: best.Min.X, Y: best.Min.Y + smallSize*0.15}, 0, m.label)
	return best
}

// covered counts what lies under r: points of the drawn lines, corners of bars, other labels and marks.
func (p *panel) covered(c draw.Canvas, r vg.Rectangle, taken []vg.Rectangle) (n float64) {
	in := func(pt vg.Point) bool {
		return pt.X > r.Min.X-2 && pt.X < r.Max.X+2 && pt.Y > r.Min.Y-2 && pt.Y < r.Max.Y+2
	}
	for _, s := range p.series {
		if s.kind == bars {
			for i, x := range s.x {
				a, b := p.point(c, x-0.4, 0), p.point(c, x+0.4, max(s.y[i], append(s.hi, 0)[min(i, len(s.hi))]))
				if a.X < r.Max.X && b.X > r.Min.X && b.Y > r.Min.Y {
					n++
				}
			}
			continue
		}
		xs, ys := path(s, s.y)
		for i := range xs {
			to := p.point(c, xs[i], ys[i])
			from := to
			if i > 0 {
				from = p.point(c, xs[i-1], ys[i-1])
			}
			for k := range 9 {
				if f := vg.Length(k) / 8; in(vg.Point{X: from.X + f*(to.X-from.X), Y: from.Y + f*(to.Y-from.Y)}) {
					n++
				}
			}
		}
	}
	for _, t := range taken {
		if t.Min.X < r.Max.X && t.Max.X > r.Min.X && t.Min.Y < r.Max.Y && t.Max.Y > r.Min.Y {
			n += 1e6
		}
	}
	for _, m := range p.marks {
		at := p.point(c, m.at, m.at)
		if m.onX && at.X > r.Min.X-1 && at.X < r.Max.X+1 || !m.onX && at.Y > r.Min.Y-1 && at.Y < r.Max.Y+1 {
			n += 20
		}
	}
	return n
}
