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
	h := vg.Length(rowText)
	if p.turned {
		h = gap
		for _, t := range p.X.Ticks {
			h = max(h, gap+widthIn(textSize, shortened(textSize, t.Label, mostName)))
		}
	}
	return h + rowText + 3
}

func (p *Panel) left() (w vg.Length) {
	if p.Y.Bare {
		return gap
	}
	for _, t := range p.Y.Ticks {
		w = max(w, widthIn(textSize, p.named(t.Label)))
	}
	w += gap
	if p.Y.Label != "" {
		w += textSize + gap + 2
	}
	return w
}

// turn sets the names below cells upright where they would touch each other. Where even that is too close, one of so
// many is shown that they fit.
func (p *Panel) turn(width vg.Length) {
	p.turned, p.every = false, 1
	if !p.celled() || len(p.Series) == 0 || len(p.X.Ticks) == 0 {
		return
	}
	each := width / vg.Length(len(p.X.Ticks))
	for _, t := range p.X.Ticks {
		p.turned = p.turned || widthIn(textSize, t.Label)+gap > each
	}
	for p.turned && each*vg.Length(p.every) < textSize+0.5 {
		p.every++
	}
}

// mostName is the most room that the name of a row or of a column of cells has, in points. A longer one loses its
// middle.
const mostName = 120

// named is a label of the y axis as it is drawn.
func (p *Panel) named(label string) string {
	if p.dotted() || p.celled() {
		return shortened(textSize, label, mostName)
	}
	return label
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
	for _, row := range pg.Rows {
		for _, p := range row {
			p.turn(w)
		}
	}

	height = 2
	tops := make([]vg.Length, len(pg.Rows)) // from the top of the page down to the axes
	legend := vg.Length(len(pg.legendRows())) * (rowText + 1)
	y := legend + 2
	for r, row := range pg.Rows {
		head, foot := vg.Length(0), vg.Length(0)
		for _, p := range row {
			head, foot = max(head, p.head()+p.besideHead(w)), max(foot, p.foot())
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
			if !p.turned {
				p.X.Ticks = fitting(p.X.Ticks, w+2*gap)
			}
			p.Top = fitting(p.Top, w+2*gap)
			x += left[i]
			end := x + w
			if p.Wide {
				end = pg.width() - side - right[cols-1]
			}
			as = append(as, vg.Rectangle{
				Min: vg.Point{X: x, Y: height - tops[r] - vg.Length(pg.Heights[r])},
				Max: vg.Point{X: end, Y: height - tops[r]},
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
