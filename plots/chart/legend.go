package chart

import (
	"cmp"
	"slices"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// entry is a name in the legend with its sample, or a note.
type entry struct {
	name  string
	width vg.Length
	draw  func(c draw.Canvas, left, mid vg.Length) // of the sample; nil for a note
	x     vg.Length                                // of its left end
}

const (
	keyWidth  = 20 // of the sample
	legendSep = 10 // between two entries
	ragged    = 3  // most rows of a legend that is not set in columns
)

// legend collects what the panels show, each name once, in order of appearance, and the notes.
func (pg *Page) legend() (es []entry) {
	room := pg.width() - 8
	seen := map[string]bool{}
	add := func(name string, f func(c draw.Canvas, left, mid vg.Length)) {
		if name != "" && !seen[name] {
			seen[name] = true
			name = shortened(textSize, name, room-keyWidth-gap)
			es = append(es, entry{name: name, width: keyWidth + gap + widthIn(textSize, name), draw: f})
		}
	}
	for _, row := range pg.Rows {
		for _, p := range row {
			for _, s := range p.Series {
				if s.Kind == Across {
					continue // it belongs to points of its name
				}
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
		for _, part := range wrapped(textSize, note, room) {
			es = append(es, entry{name: part, width: widthIn(textSize, part)})
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
	if s.Kind.inRows() || s.Kind == Points {
		drawMarker(c, l, vg.Point{X: left + keyWidth - 4, Y: mid})
		return
	}
	if s.Lo != nil {
		band := vg.Rectangle{Min: vg.Point{X: left, Y: mid - 3}, Max: vg.Point{X: left + keyWidth, Y: mid + 3}}
		fill(c, fade(l.color, 0x38), box(band))
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

// legendRows breaks the legend into rows that fit the page. Up to three rows are centred, each for itself. If there are
// more of them, the names are set in columns, to be read downwards.
func (pg *Page) legendRows() (rows [][]entry) {
	es := pg.legend()
	rows = pg.centred(es)
	if len(rows) <= ragged {
		return rows
	}
	names := slices.IndexFunc(es, func(e entry) bool { return e.draw == nil })
	if names < 0 {
		names = len(es)
	}
	return append(pg.inColumns(es[:names]), pg.centred(es[names:])...)
}

// centred fills row after row.
func (pg *Page) centred(es []entry) (rows [][]entry) {
	used := vg.Length(0)
	for _, e := range es {
		if len(rows) == 0 || used+legendSep+e.width > pg.width()-8 {
			rows, used = append(rows, nil), -legendSep
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += legendSep + e.width
	}
	for _, row := range rows {
		total := vg.Length(legendSep * (len(row) - 1))
		for _, e := range row {
			total += e.width
		}
		x := (pg.width() - total) / 2
		for i := range row {
			row[i].x = x
			x += row[i].width + legendSep
		}
	}
	return rows
}

// inColumns sets the entries in as few rows as fit the page.
func (pg *Page) inColumns(es []entry) [][]entry {
	for n := 1; ; n++ {
		var widths []vg.Length
		total := -vg.Length(legendSep)
		for column := range slices.Chunk(es, n) {
			w := slices.MaxFunc(column, func(a, b entry) int { return cmp.Compare(a.width, b.width) }).width
			widths = append(widths, w)
			total += w + legendSep
		}
		if total > pg.width()-8 && n < len(es) {
			continue
		}
		rows := make([][]entry, min(n, len(es)))
		for i, e := range es {
			e.x = (pg.width() - total) / 2
			for _, w := range widths[:i/n] {
				e.x += w + legendSep
			}
			rows[i%n] = append(rows[i%n], e)
		}
		return rows
	}
}

// drawLegend draws the legend from y down.
func (pg *Page) drawLegend(c draw.Canvas, y vg.Length) {
	for _, row := range pg.legendRows() {
		for _, e := range row {
			at := e.x
			if e.draw != nil {
				e.draw(c, at, y-textSize/2-1)
				at += keyWidth + gap
			}
			text(c, black, textSize, vg.Point{X: at, Y: y - textSize + 1}, 0, e.name)
		}
		y -= rowText + 1
	}
}
