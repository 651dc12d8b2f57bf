package plots

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// page is a grid of panels under one legend.
type page struct {
	width   vg.Length
	rows    [][]*panel
	heights []vg.Length // of the axes of each row
	note    string      // after the legend, such as what the bands are
	scale   string      // after that: how much smaller the runs were; empty if they were not
}

// entry is one line of the legend.
type entry struct {
	name  string
	width vg.Length
	draw  func(c draw.Canvas, left, mid vg.Length)
}

const (
	keyWidth = 20 // of the sample in the legend
	rowText  = textSize + gap
)

// legend collects what the panels show, each name once, in order of appearance.
func (pg *page) legend() (es []entry) {
	seen := map[string]bool{}
	add := func(name string, f func(c draw.Canvas, left, mid vg.Length)) {
		if name != "" && !seen[name] {
			seen[name] = true
			es = append(es, entry{name, keyWidth + gap + widthIn(textSize, name), f})
		}
	}
	for _, row := range pg.rows {
		for _, p := range row {
			for _, s := range p.series {
				add(s.name, func(c draw.Canvas, left, mid vg.Length) { drawKey(c, s, left, mid) })
			}
		}
	}
	for _, row := range pg.rows {
		for _, p := range row {
			for _, m := range p.marks {
				name := "published"
				if m.limit != "" {
					name = m.limit
				}
				add(name, func(c draw.Canvas, left, mid vg.Length) {
					stroke(c, grey, 0.9, markDashes(m), segment(left, mid, left+keyWidth, mid))
				})
			}
		}
	}
	for _, note := range []string{pg.note, pg.scale} {
		if note != "" {
			es = append(es, entry{note, widthIn(textSize, note), nil})
		}
	}
	return es
}

func drawKey(c draw.Canvas, s series, left, mid vg.Length) {
	l := lookOf(s.look)
	if s.kind == bars {
		drawBar(c, l, vg.Rectangle{Min: vg.Point{X: left, Y: mid - 3}, Max: vg.Point{X: left + keyWidth, Y: mid + 3.5}})
		return
	}
	if s.lo != nil {
		fill(c, fade(l.color, 0x38), box(vg.Rectangle{Min: vg.Point{X: left, Y: mid - 3}, Max: vg.Point{X: left + keyWidth, Y: mid + 3}}))
	}
	stroke(c, l.color, widthOf(s), dashesOf(s), segment(left, mid, left+keyWidth, mid))
	if !s.thin {
		drawMarker(c, l, vg.Point{X: left + keyWidth/2, Y: mid})
	}
}

func widthOf(s series) vg.Length {
	if s.thin {
		return 0.7
	}
	return lineWidth
}

func dashesOf(s series) []vg.Length {
	if s.thin {
		return []vg.Length{0.7, 1.3}
	}
	return lookOf(s.look).dashes
}

func markDashes(m mark) []vg.Length {
	if m.limit != "" {
		return []vg.Length{1, 1.5}
	}
	return []vg.Length{6, 2}
}

func segment(x0, y0, x1, y1 vg.Length) (p vg.Path) {
	p.Move(vg.Point{X: x0, Y: y0})
	p.Line(vg.Point{X: x1, Y: y1})
	return p
}

// legendRows breaks the entries into rows that fit the page.
func (pg *page) legendRows() (rows [][]entry) {
	const sep = 10
	used := vg.Length(0)
	for _, e := range pg.legend() {
		if len(rows) == 0 || used+sep+e.width > pg.width-8 {
			rows, used = append(rows, nil), -sep
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += sep + e.width
	}
	return rows
}

// head is the space that a panel needs above its axes, and foot below.
func (p *panel) head() (h vg.Length) {
	if p.title != "" || p.topOf != "" {
		h = rowText
	}
	if p.top != nil {
		h += rowText - 1
	}
	return h + 2
}

func (p *panel) foot() vg.Length {
	if p.x.bare {
		return 4
	}
	return 2*rowText + 3
}

func (p *panel) left() (w vg.Length) {
	for _, t := range p.y.ticks {
		w = max(w, widthIn(textSize, t.label))
	}
	w += gap
	if p.y.label != "" {
		w += textSize + gap + 2
	}
	return w
}

// layout places the axes of all panels: those of a column have the same sides, those of a row the same height.
func (pg *page) layout() (areas [][]vg.Rectangle, height vg.Length) {
	const side, between = 2, 8
	cols := 0
	for _, row := range pg.rows {
		cols = max(cols, len(row))
	}
	left, right := make([]vg.Length, cols), make([]vg.Length, cols)
	for _, row := range pg.rows {
		for i, p := range row {
			p.ranges()
			left[i] = max(left[i], p.left())
			if n := len(p.x.ticks); n > 0 { // a number at the end of the axis reaches beyond it
				t := p.x.ticks[n-1]
				over := widthIn(textSize, t.label)/2 - (100 - p.x.at(t.at, 0, 100))
				right[i] = max(right[i], over)
			}
			right[i] = max(right[i], 2)
		}
	}
	room := pg.width - 2*side - vg.Length(cols-1)*between
	for i := range cols {
		room -= left[i] + right[i]
	}
	w := room / vg.Length(max(cols, 1))

	height = 2
	tops := make([]vg.Length, len(pg.rows)) // from the top of the page down to the axes
	legend := vg.Length(len(pg.legendRows())) * (rowText + 1)
	y := legend + 2
	for r, row := range pg.rows {
		head, foot := vg.Length(0), vg.Length(0)
		for _, p := range row {
			head, foot = max(head, p.head()), max(foot, p.foot())
		}
		tops[r] = y + head
		y += head + pg.heights[r] + foot
	}
	height += y
	for r, row := range pg.rows {
		x := vg.Length(side)
		var as []vg.Rectangle
		for i, p := range row {
			p.room = left[i]
			p.x.ticks, p.top = thin(p.x.ticks, w+2*gap), thin(p.top, w+2*gap)
			x += left[i]
			as = append(as, vg.Rectangle{
				Min: vg.Point{X: x, Y: height - tops[r] - pg.heights[r]},
				Max: vg.Point{X: x + w, Y: height - tops[r]},
			})
			x += w + right[i] + between
		}
		areas = append(areas, as)
	}
	return areas, height
}

// drawOn draws the page on a canvas of its width and of the height that layout gives.
func (pg *page) drawOn(c draw.Canvas) {
	areas, height := pg.layout()
	fill(c, white, box(vg.Rectangle{Max: vg.Point{X: pg.width, Y: height}}))
	y := height - 2
	for _, row := range pg.legendRows() {
		total := vg.Length(10 * (len(row) - 1))
		for _, e := range row {
			total += e.width
		}
		x := (pg.width - total) / 2
		for _, e := range row {
			at := x
			if e.draw != nil {
				e.draw(c, x, y-textSize/2-1)
				at += keyWidth + gap
			}
			text(c, black, textSize, vg.Point{X: at, Y: y - textSize + 1}, 0, e.name)
			x += e.width + 10
		}
		y -= rowText + 1
	}
	for r, row := range pg.rows {
		for i, p := range row {
			p.draw(draw.Canvas{Canvas: c.Canvas, Rectangle: areas[r][i]})
		}
	}
}

// at is the place of a value on an axis between lo and hi.
func (a axis) at(v float64, lo, hi vg.Length) vg.Length {
	from, to := a.scale(a.min), a.scale(a.max)
	return lo + vg.Length((a.scale(v)-from)/(to-from))*(hi-lo)
}

func (p *panel) point(c draw.Canvas, x, y float64) vg.Point {
	y = math.Min(math.Max(y, p.y.min), p.y.max)
	return vg.Point{X: p.x.at(x, c.Min.X, c.Max.X), Y: p.y.at(y, c.Min.Y, c.Max.Y)}
}
