package chart

import (
	"slices"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// drawParallel draws the upright axes of a panel and the lines over them, the first series on top.
func (p *Panel) drawParallel(c draw.Canvas) {
	if p.Beside == nil {
		return
	}
	at := func(axis int, y float64) vg.Point {
		return vg.Point{X: p.X.place(float64(axis), c.Min.X, c.Max.X), Y: p.Beside[axis].place(y, c.Min.Y, c.Max.Y)}
	}
	for _, s := range slices.Backward(p.Series) {
		if s.Kind != Parallel || len(s.X) == 0 {
			continue
		}
		l := s.Look.look()
		clr, width := l.color, vg.Length(1.2)
		if s.Thin {
			clr, width = fade(grey, 0x60), 0.5
		}
		var line vg.Path
		for i := range s.X {
			if i == 0 {
				line.Move(at(int(s.X[i]), s.Y[i]))
			} else {
				line.Line(at(int(s.X[i]), s.Y[i]))
			}
		}
		stroke(c, clr, width, dashesOf(s), line)
		if !s.Thin {
			for i := range s.X {
				drawMarker(c, l, at(int(s.X[i]), s.Y[i]))
			}
		}
	}
	for i, a := range p.Beside {
		x := at(i, a.Min).X
		stroke(c, black, 0.6, nil, segment(x, c.Min.Y, x, c.Max.Y))
		right, room := true, p.besideRoom(c)
		for _, t := range a.Ticks { // they stand left of the last axis, and right of the others
			y := a.place(t.At, c.Min.Y, c.Max.Y)
			stroke(c, black, hairWidth, nil, segment(x-1.5, y, x+1.5, y))
			label := shortened(smallSize, t.Label, room)
			w := widthIn(smallSize, label)
			left := x + gap
			if right = i < len(p.Beside)-1; !right {
				left = x - gap - w
			}
			r := vg.Rectangle{Min: vg.Point{X: left - 1, Y: y - smallSize*0.45},
				Max: vg.Point{X: left + w + 1, Y: y + smallSize*0.5}}
			fill(c, fade(white, 0xd0), box(r))
			text(c, black, smallSize, vg.Point{X: left, Y: y - smallSize*0.32}, 0, label)
		}
		name := besideName(a.Label, c.Max.X-c.Min.X, len(p.Beside))
		for k := range name {
			y := c.Max.Y + gap + vg.Length(len(name)-1-k)*smallSize
			text(c, black, smallSize, vg.Point{X: x, Y: y}, p.besideAlign(i), name[k])
		}
	}
}

// besideRoom is the room between an axis and the next.
func (p *Panel) besideRoom(c draw.Canvas) vg.Length {
	n := vg.Length(max(len(p.Beside)-1, 1))
	return (c.Max.X-c.Min.X)/n - 3*gap
}

// besideAlign is how much of an axis' name stands left of it: all of the last one's, and none of the first one's.
func (p *Panel) besideAlign(i int) float64 {
	switch i {
	case 0:
		return 0
	case len(p.Beside) - 1:
		return 1
	}
	return 0.5
}

// besideHead is the room that the names of the axes need above them.
func (p *Panel) besideHead(width vg.Length) (h vg.Length) {
	for _, a := range p.Beside {
		h = max(h, vg.Length(len(besideName(a.Label, width, len(p.Beside))))*smallSize)
	}
	return h
}

// besideName breaks the name of one of n axes into lines, at points too. It has two thirds of the way to the next axis,
// since the outer ones stand on one side of their axes.
func besideName(name string, width vg.Length, n int) (lines []string) {
	room := 2*width/vg.Length(3*max(n-1, 1)) - gap
	if widthIn(smallSize, name) > room {
		name = strings.ReplaceAll(name, ".", ". ")
	}
	for _, line := range wrapped(smallSize, name, room) {
		lines = append(lines, shortened(smallSize, line, room))
	}
	return lines
}
