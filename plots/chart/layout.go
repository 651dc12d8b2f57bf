package chart

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// head, foot and left are the spaces that a panel needs above, below and left of its axes.
func (p *Panel) head() (h vg.Length) {
	if p.Title != "" || p.TopOf != "" {
		h = rowText
	}
	if p.Top != nil {
		h += rowText - 1
	}
	return h + 2
}

func (p *Panel) foot() vg.Length {
	if p.X.Bare {
		return 4
	}
	return 2*rowText + 3
}

func (p *Panel) left() (w vg.Length) {
	if p.Y.Bare {
		return gap
	}
	for _, t := range p.Y.Ticks {
		w = max(w, widthIn(textSize, t.Label))
	}
	w += gap
	if p.Y.Label != "" {
		w += textSize + gap + 2
	}
	return w
}

// layout places the axes of all panels: those of a column have the same sides, those of a row the same height.
func (pg *Page) layout() (areas [][]vg.Rectangle, height vg.Length) {
	const side, between = 2, 8
	cols := 0
	for _, row := range pg.Rows {
		cols = max(cols, len(row))
	}
	left, right := make([]vg.Length, cols), make([]vg.Length, cols)
	for _, row := range pg.Rows {
		for i, p := range row {
			p.ranges()
			left[i] = max(left[i], p.left())
			if n := len(p.X.Ticks); n > 0 { // a number at the end of the axis reaches beyond it
				t := p.X.Ticks[n-1]
				over := widthIn(textSize, t.Label)/2 - (100 - p.X.place(t.At, 0, 100))
				right[i] = max(right[i], over)
			}
			right[i] = max(right[i], 2)
		}
	}
	room := pg.width() - 2*side - vg.Length(cols-1)*between
	for i := range cols {
		room -= left[i] + right[i]
	}
	w := room / vg.Length(max(cols, 1))

	height = 2
	tops := make([]vg.Length, len(pg.Rows)) // from the top of the page down to the axes
	legend := vg.Length(len(pg.legendRows())) * (rowText + 1)
	y := legend + 2
	for r, row := range pg.Rows {
		head, foot := vg.Length(0), vg.Length(0)
		for _, p := range row {
			head, foot = max(head, p.head()), max(foot, p.foot())
		}
		tops[r] = y + head
		y += head + vg.Length(pg.Heights[r]) + foot
	}
	height += y
	for r, row := range pg.Rows {
		x := vg.Length(side)
		var as []vg.Rectangle
		for i, p := range row {
			p.room = left[i]
			p.X.Ticks, p.Top = fitting(p.X.Ticks, w+2*gap), fitting(p.Top, w+2*gap)
			x += left[i]
			as = append(as, vg.Rectangle{
				Min: vg.Point{X: x, Y: height - tops[r] - vg.Length(pg.Heights[r])},
				Max: vg.Point{X: x + w, Y: height - tops[r]},
			})
			x += w + right[i] + between
		}
		areas = append(areas, as)
	}
	return areas, height
}

// drawOn draws the page on a canvas of its width and of the height that layout gives.
func (pg *Page) drawOn(c draw.Canvas) {
	areas, height := pg.layout()
	fill(c, white, box(vg.Rectangle{Max: vg.Point{X: pg.width(), Y: height}}))
	pg.drawLegend(c, height-2)
	for r, row := range pg.Rows {
		for i, p := range row {
			p.draw(draw.Canvas{Canvas: c.Canvas, Rectangle: areas[r][i]})
		}
	}
}

// place is where a value stands on an axis between lo and hi.
func (a Axis) place(v float64, lo, hi vg.Length) vg.Length {
	from, to := a.scale(a.Min), a.scale(a.Max)
	return lo + vg.Length((a.scale(v)-from)/(to-from))*(hi-lo)
}

func (p *Panel) point(c draw.Canvas, x, y float64) vg.Point {
	y = math.Min(math.Max(y, p.Y.Min), p.Y.Max)
	return vg.Point{X: p.X.place(x, c.Min.X, c.Max.X), Y: p.Y.place(y, c.Min.Y, c.Max.Y)}
}
