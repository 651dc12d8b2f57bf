package chart

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// draw draws the panel with its axes on the edges of c.
func (p *Panel) draw(c draw.Canvas) {
	for _, m := range p.Marks {
		p.drawMark(c, m)
	}
	if p.celled() && len(p.Series) == 0 {
		p.drawKeyOfCells(c)
	}
	if p.dotted() {
		p.drawRows(c)
	}
	nbars, bar := 0, 0
	for _, s := range p.Series {
		if s.Kind == Bars {
			nbars++
		}
	}
	for _, s := range p.Series {
		switch s.Kind {
		case Bars:
			p.drawBars(c, s, bar, nbars)
			bar++
		case Dots:
			p.drawDots(c, s)
		case Cells:
			p.drawCells(c, s)
		case Box:
			p.drawBoxes(c, s)
		case Whiskers:
			p.drawWhiskers(c, s)
		case Violin:
			p.drawViolin(c, s)
		case Across:
			p.drawAcross(c, s)
		case Points:
			p.drawUpright(c, s)
		case Line, Step:
			p.drawBand(c, s)
		}
	}
	p.drawParallel(c)
	for i, s := range p.Series {
		if s.Kind == Line || s.Kind == Step {
			p.drawLine(c, s, i)
		}
	}
	for _, s := range p.Series {
		if s.Kind == Points {
			for i := range s.X {
				drawMarker(c, s.Look.look(), p.point(c, s.X[i], s.Y[i]))
			}
		}
	}
	var taken []vg.Rectangle
	for _, m := range p.Marks {
		taken = append(taken, p.labelMark(c, m, taken))
	}
	p.drawAxes(c)
}

func (p *Panel) drawAxes(c draw.Canvas) {
	hair := func(x0, y0, x1, y1 vg.Length) { stroke(c, black, hairWidth, nil, segment(x0, y0, x1, y1)) }
	if p.Beside == nil {
		stroke(c, black, 0.6, nil, box(c.Rectangle))
	}
	ticks := vg.Length(tickSize)
	if len(p.Series) > 0 && p.Series[0].Kind == Bars || p.celled() || p.Beside != nil {
		ticks = 0 // the bars, cells and axes are their own ticks
	}
	for i, t := range p.X.Ticks {
		x := p.X.place(t.At, c.Min.X, c.Max.X)
		hair(x, c.Min.Y, x, c.Min.Y+ticks)
		if p.Top == nil && ticks > 0 {
			hair(x, c.Max.Y, x, c.Max.Y-tickSize)
		}
		switch {
		case p.X.Bare || p.turned && i%p.every > 0:
		case p.turned:
			label := shortened(textSize, t.Label, mostName)
			below := c.Min.Y - gap - widthIn(textSize, label)/2
			textUp(c, textSize, vg.Point{X: x + textSize*0.32, Y: below}, label)
		default:
			text(c, black, textSize, vg.Point{X: x, Y: c.Min.Y - textSize - 1}, 0.5, t.Label)
		}
	}
	for _, v := range p.X.minor() {
		x := p.X.place(v, c.Min.X, c.Max.X)
		hair(x, c.Min.Y, x, c.Min.Y+ticks/2)
		if p.Top == nil {
			hair(x, c.Max.Y, x, c.Max.Y-ticks/2)
		}
	}
	for _, v := range p.Y.minor() {
		y := p.Y.place(v, c.Min.Y, c.Max.Y)
		hair(c.Min.X, y, c.Min.X+tickSize/2, y)
		hair(c.Max.X, y, c.Max.X-tickSize/2, y)
	}
	for _, t := range p.Y.Ticks {
		y := p.Y.place(t.At, c.Min.Y, c.Max.Y)
		if !p.dotted() && !p.celled() {
			hair(c.Min.X, y, c.Min.X+tickSize, y)
			hair(c.Max.X, y, c.Max.X-tickSize, y)
		}
		if p.Y.Bare {
			continue
		}
		text(c, black, textSize, vg.Point{X: c.Min.X - gap, Y: y - textSize*0.32}, 1, p.named(t.Label))
	}
	if !p.X.Bare {
		at := vg.Point{X: (c.Min.X + c.Max.X) / 2, Y: c.Min.Y - p.foot() + 2*gap}
		text(c, black, textSize, at, 0.5, p.X.Label)
	}
	if p.Y.Label != "" {
		textUp(c, textSize, vg.Point{X: c.Min.X - p.room + textSize - 1, Y: (c.Min.Y + c.Max.Y) / 2}, p.Y.Label)
	}
	above := c.Max.Y + gap + p.besideHead(c.Max.X-c.Min.X)
	if p.Top != nil {
		for _, t := range p.Top {
			x := p.X.place(t.At, c.Min.X, c.Max.X)
			hair(x, c.Max.Y, x, c.Max.Y-tickSize)
			text(c, black, textSize, vg.Point{X: x, Y: above}, 0.5, t.Label)
		}
		above += rowText - 1
	}
	if p.TopOf != "" {
		text(c, black, textSize, vg.Point{X: c.Max.X, Y: above}, 1, p.TopOf)
	}
	text(c, black, textSize, vg.Point{X: c.Min.X, Y: above}, 0, shortened(textSize, p.Title, c.Max.X-c.Min.X))
}

func (p *Panel) drawBand(c draw.Canvas, s Series) {
	if s.Lo == nil || len(s.X) < 2 {
		return
	}
	xs, lo := path(s, s.Lo)
	_, hi := path(s, s.Hi)
	var pts []vg.Point
	for i := range xs {
		pts = append(pts, p.point(c, xs[i], hi[i]))
	}
	for i := len(xs) - 1; i >= 0; i-- {
		pts = append(pts, p.point(c, xs[i], lo[i]))
	}
	fill(c, fade(s.Look.look().color, 0x38), polygon(pts...))
}

// path returns the corners of a line. A step line has one more at each change.
func path(s Series, y []float64) (px, py []float64) {
	for i := range s.X {
		if s.Kind == Step && i > 0 && y[i] != y[i-1] {
			px, py = append(px, s.X[i]), append(py, y[i-1])
		}
		px, py = append(px, s.X[i]), append(py, y[i])
	}
	return px, py
}

func (p *Panel) drawLine(c draw.Canvas, s Series, nth int) {
	xs, ys := path(s, s.Y)
	var pts []vg.Point
	for i := range xs {
		pts = append(pts, p.point(c, xs[i], ys[i]))
	}
	c.SetLineStyle(draw.LineStyle{Color: s.Look.look().color, Width: widthOf(s), Dashes: dashesOf(s)})
	for _, l := range c.ClipLinesX(pts) {
		var q vg.Path
		q.Move(l[0])
		for _, pt := range l[1:] {
			q.Line(pt)
		}
		c.Stroke(q)
	}
	if s.Thin {
		return
	}
	// Long lines carry few markers, at other points in each series, so that lines that coincide stay visible.
	every := max(1, len(s.X)/p.markers())
	for i := (every * nth / max(1, len(p.Series))) % every; i < len(s.X); i += every {
		if s.X[i] >= p.X.Min && s.X[i] <= p.X.Max {
			drawMarker(c, s.Look.look(), p.point(c, s.X[i], s.Y[i]))
		}
	}
}

// markers is how many markers a line carries: fewer where there are many lines, so that they leave room for each other.
func (p *Panel) markers() int {
	lines := 0
	for _, s := range p.Series {
		if (s.Kind == Line || s.Kind == Step) && !s.Thin {
			lines++
		}
	}
	return max(4, min(10, 80/max(lines, 1)))
}

func (p *Panel) drawBars(c draw.Canvas, s Series, nth, of int) {
	w := 0.7 / float64(of)
	for i, x := range s.X {
		x0 := x - 0.35 + w*float64(nth)
		drawBar(c, s.Look.look(), vg.Rectangle{Min: p.point(c, x0, 0), Max: p.point(c, x0+w, s.Y[i])})
		if s.Lo == nil {
			continue
		}
		lo, hi := p.point(c, x0+w/2, s.Lo[i]), p.point(c, x0+w/2, s.Hi[i])
		stroke(c, black, 0.8, nil, segment(lo.X, lo.Y, hi.X, hi.Y))
		for _, end := range []vg.Point{lo, hi} {
			stroke(c, black, 0.8, nil, segment(end.X-1.5, end.Y, end.X+1.5, end.Y))
		}
	}
}

func (p *Panel) drawMark(c draw.Canvas, m Mark) {
	if m.OnX {
		x := p.point(c, m.At, 0).X
		stroke(c, grey, 0.9, markDashes(m), segment(x, c.Min.Y, x, c.Max.Y))
		return
	}
	if m.Half > 0 {
		lo, hi := p.point(c, p.X.Min, m.At-m.Half), p.point(c, p.X.Max, m.At+m.Half)
		fill(c, fade(grey, 0x28), box(vg.Rectangle{Min: lo, Max: hi}))
	}
	y := p.point(c, 0, m.At).Y
	stroke(c, grey, 0.9, markDashes(m), segment(c.Min.X, y, c.Max.X, y))
}

// labelMark writes a mark's label beside it, where it covers least of the data and of the labels so far.
func (p *Panel) labelMark(c draw.Canvas, m Mark, taken []vg.Rectangle) vg.Rectangle {
	w := widthIn(smallSize, m.Label)
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
	at := p.point(c, m.At, m.At)
	for i := range parts + 1 {
		share := vg.Length(i) / parts
		if m.OnX {
			y := c.Max.Y - 3 - smallSize*0.9 - share*(c.Max.Y-c.Min.Y-14)
			try(at.X+gap, y)
			try(at.X-gap-w, y)
			continue
		}
		x := c.Max.X - 4 - w - share*(c.Max.X-c.Min.X-8-w)
		half := at.Y - p.point(c, 0, m.At-m.Half).Y
		try(x, at.Y+half+3)
		try(x, at.Y-half-smallSize*0.9-3)
	}
	if math.IsInf(least, 1) { // too small a panel for a choice
		best.Min = vg.Point{X: c.Max.X - w - gap, Y: min(at.Y, c.Max.Y-smallSize) + 1}
		best.Max = vg.Point{X: c.Max.X - gap, Y: best.Min.Y + smallSize}
	}
	text(c, grey, smallSize, vg.Point{X: best.Min.X, Y: best.Min.Y + smallSize*0.15}, 0, m.Label)
	return best
}

// covered counts what lies under r: lines, bars, other labels and marks.
func (p *Panel) covered(c draw.Canvas, r vg.Rectangle, taken []vg.Rectangle) (n float64) {
	in := func(pt vg.Point) bool {
		return pt.X > r.Min.X-2 && pt.X < r.Max.X+2 && pt.Y > r.Min.Y-2 && pt.Y < r.Max.Y+2
	}
	for _, s := range p.Series {
		if s.Kind == Bars {
			for i, x := range s.X {
				a, b := p.point(c, x-0.4, 0), p.point(c, x+0.4, max(s.Y[i], append(s.Hi, 0)[min(i, len(s.Hi))]))
				if a.X < r.Max.X && b.X > r.Min.X && b.Y > r.Min.Y {
					n++
				}
			}
			continue
		}
		xs, ys := path(s, s.Y)
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
	for _, m := range p.Marks {
		at := p.point(c, m.At, m.At)
		if m.OnX && at.X > r.Min.X-1 && at.X < r.Max.X+1 || !m.OnX && at.Y > r.Min.Y-1 && at.Y < r.Max.Y+1 {
			n += 20
		}
	}
	return n
}
