package chart

import (
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

var fonts = font.NewCache(liberation.Collection())

func face(size vg.Length) font.Face {
	return fonts.Lookup(font.Font{Typeface: "Liberation", Variant: "Serif"}, size)
}

// Sizes in points. Text is 8 pt at the printed size; the small text is for reference marks alone.
const (
	textSize  = 8
	smallSize = 7
	gap       = 3 // between text and what it belongs to
	tickSize  = 3
	lineWidth = 1.0
	hairWidth = 0.5
	markSize  = 2.0
	hatchGap  = 3.2
	rowText   = textSize + gap
)

var (
	black = color.NRGBA{A: 0xff}
	white = color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
	grey  = color.NRGBA{R: 0x70, G: 0x70, B: 0x70, A: 0xff}
)

func polygon(pts ...vg.Point) (p vg.Path) {
	p.Move(pts[0])
	for _, pt := range pts[1:] {
		p.Line(pt)
	}
	p.Close()
	return p
}

func box(r vg.Rectangle) vg.Path {
	return polygon(r.Min, vg.Point{X: r.Max.X, Y: r.Min.Y}, r.Max, vg.Point{X: r.Min.X, Y: r.Max.Y})
}

func segment(x0, y0, x1, y1 vg.Length) (p vg.Path) {
	p.Move(vg.Point{X: x0, Y: y0})
	p.Line(vg.Point{X: x1, Y: y1})
	return p
}

func fade(c color.NRGBA, alpha uint8) color.NRGBA { c.A = alpha; return c }

func stroke(c draw.Canvas, clr color.Color, width vg.Length, dashes []vg.Length, p vg.Path) {
	c.SetLineStyle(draw.LineStyle{Color: clr, Width: width, Dashes: dashes})
	c.Stroke(p)
}

func fill(c draw.Canvas, clr color.Color, p vg.Path) {
	c.SetColor(clr)
	c.Fill(p)
}

// text draws s with its baseline at pt; align is the share of its width left of pt.
func text(c draw.Canvas, clr color.Color, size vg.Length, pt vg.Point, align float64, s string) {
	f := face(size)
	c.SetColor(clr)
	c.FillString(f, vg.Point{X: pt.X - vg.Length(align)*f.Width(s), Y: pt.Y}, s)
}

// textUp draws s from bottom to top, centred on pt, with its baseline at pt.X.
func textUp(c draw.Canvas, size vg.Length, pt vg.Point, s string) {
	f := face(size)
	c.SetColor(black)
	c.Push()
	c.Translate(vg.Point{X: pt.X, Y: pt.Y - f.Width(s)/2})
	c.Rotate(math.Pi / 2)
	c.FillString(f, vg.Point{}, s)
	c.Pop()
}

func widthIn(size vg.Length, s string) vg.Length {
	f := face(size)
	return f.Width(s)
}

// shortened is s without so much of its middle that it fits the width.
func shortened(size vg.Length, s string, width vg.Length) string {
	const most = 500 // more than any page has room for
	rs := []rune(s)
	if len(rs) > most {
		rs = slices.Concat(rs[:most/2], rs[len(rs)-most/2:])
		s = string(rs)
	}
	for n := len(rs) - 1; widthIn(size, s) > width && n > 0; n-- {
		s = string(rs[:(n+1)/2]) + "…" + string(rs[len(rs)-n/2:])
	}
	return s
}

// wrapped breaks s between words into lines that fit the width.
func wrapped(size vg.Length, s string, width vg.Length) (lines []string) {
	for _, word := range strings.Fields(s) {
		if n := len(lines); n > 0 && widthIn(size, lines[n-1]+" "+word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
