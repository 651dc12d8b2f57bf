package chart

import (
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// entry is one line of the legend.
type entry struct {
	name  string
	width vg.Length
	draw  func(c draw.Canvas, left, mid vg.Length)
}

const keyWidth = 20 // of the sample in the legend

// legend collects what the panels show, each name once, in order of appearance.
func (pg *Page) legend() (es []entry) {
	seen := map[string]bool{}
	add := func(name string, f func(c draw.Canvas, left, mid vg.Length)) {
		if name != "" && !seen[name] {
			seen[name] = true
			es = append(es, entry{name, keyWidth + gap + widthIn(textSize, name), f})
		}
	}
	for _, row := range pg.Rows {
		for _, p := range row {
			for _, s := range p.Series {
				add(s.Name, func(c draw.Canvas, left, mid vg.Length) { drawKey(c, s, left, mid) })
			}
		}
	}
	for _, row := range pg.Rows {
		for _, p := range row {
			for _, m := range p.Marks {
				name := "published"
				if m.Limit != "" {
					name = m.Limit
				}
				add(name, func(c draw.Canvas, left, mid vg.Length) {
					stroke(c, grey, 0.9, markDashes(m), segment(left, mid, left+keyWidth, mid))
				})
			}
		}
	}
	for _, note := range pg.Notes {
		if note != "" {
			es = append(es, entry{note, widthIn(textSize, note), nil})
		}
	}
	return es
}

func drawKey(c draw.Canvas, s Series, left, mid vg.Length) {
	l := s.Look.look()
	if s.Kind == Bars {
		drawBar(c, l, vg.Rectangle{Min: vg.Point{X: left, Y: mid - 3}, Max: vg.Point{X: left + keyWidth, Y: mid + 3.5}})
		return
	}
	if s.Lo != nil {
		fill(c, fade(l.color, 0x38), box(vg.Rectangle{Min: vg.Point{X: left, Y: mid - 3}, Max: vg.Point{X: left + keyWidth, Y: mid + 3}}))
	}
	stroke(c, l.color, widthOf(s), dashesOf(s), segment(left, mid, left+keyWidth, mid))
	if !s.Thin {
		drawMarker(c, l, vg.Point{X: left + keyWidth/2, Y: mid})
	}
}

func widthOf(s Series) vg.Length {
	if s.Thin {
		return 0.7
	}
	return lineWidth
}

func dashesOf(s Series) []vg.Length {
	if s.Thin {
		return []vg.Length{0.7, 1.3}
	}
	return s.Look.look().dashes
}

func markDashes(m Mark) []vg.Length {
	if m.Limit != "" {
		return []vg.Length{1, 1.5}
	}
	return []vg.Length{6, 2}
}

// legendRows breaks the entries into rows that fit the page.
func (pg *Page) legendRows() (rows [][]entry) {
	const sep = 10
	used := vg.Length(0)
	for _, e := range pg.legend() {
		if len(rows) == 0 || used+sep+e.width > pg.width()-8 {
			rows, used = append(rows, nil), -sep
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += sep + e.width
	}
	return rows
}

// drawLegend draws the legend from y down.
func (pg *Page) drawLegend(c draw.Canvas, y vg.Length) {
	for _, row := range pg.legendRows() {
		total := vg.Length(10 * (len(row) - 1))
		for _, e := range row {
			total += e.width
		}
		x := (pg.width() - total) / 2
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
}
