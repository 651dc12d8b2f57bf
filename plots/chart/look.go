package chart

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Look is how a series is told from others, by colour and, in greyscale, by dashes, marker and hatch. Series that are told
// apart by their order take 0, 1 and so on.
type Look int

type look struct {
	color  color.NRGBA
	dashes []vg.Length
	marker func(at vg.Point, r vg.Length) vg.Path
	hatch  []float64 // slopes of the hatching lines
}

// looks are in the order in which series take them. The colours are those of Okabe and Ito, Color Universal Design (2008).
var looks = [Looks]look{
	{color.NRGBA{0x00, 0x72, 0xB2, 0xff}, nil, circle, []float64{1}},
	{color.NRGBA{0xD5, 0x5E, 0x00, 0xff}, []vg.Length{4, 1.5}, square, []float64{-1}},
	{color.NRGBA{0x00, 0x9E, 0x73, 0xff}, []vg.Length{1.2, 1.2}, triangle, []float64{1, -1}},
	{color.NRGBA{0xCC, 0x79, 0xA7, 0xff}, []vg.Length{5, 1.5, 1, 1.5}, diamond, []float64{0}},
	{color.NRGBA{0xE6, 0x9F, 0x00, 0xff}, []vg.Length{2.5, 1}, circle, nil},
	{color.NRGBA{0x56, 0xB4, 0xE9, 0xff}, []vg.Length{6, 2}, square, []float64{0, 1}},
	{color.NRGBA{0x00, 0x00, 0x00, 0xff}, []vg.Length{1, 2}, triangle, []float64{0, -1}},
}

// Looks is how many looks there are; from there on they repeat.
const Looks = 7

func (l Look) look() look { return looks[l%Looks] }

func circle(at vg.Point, r vg.Length) (p vg.Path) {
	const k = 0.5522847498 // control points of the cubic that is closest to a quarter of a circle
	pt := func(x, y vg.Length) vg.Point { return vg.Point{X: at.X + x*r, Y: at.Y + y*r} }
	p.Move(pt(1, 0))
	p.CubeTo(pt(1, k), pt(k, 1), pt(0, 1))
	p.CubeTo(pt(-k, 1), pt(-1, k), pt(-1, 0))
	p.CubeTo(pt(-1, -k), pt(-k, -1), pt(0, -1))
	p.CubeTo(pt(k, -1), pt(1, -k), pt(1, 0))
	p.Close()
	return p
}

func square(at vg.Point, r vg.Length) vg.Path {
	r *= 0.9
	return box(vg.Rectangle{Min: vg.Point{X: at.X - r, Y: at.Y - r}, Max: vg.Point{X: at.X + r, Y: at.Y + r}})
}

func triangle(at vg.Point, r vg.Length) vg.Path {
	return polygon(vg.Point{X: at.X, Y: at.Y + 1.2*r}, vg.Point{X: at.X - 1.1*r, Y: at.Y - 0.8*r}, vg.Point{X: at.X + 1.1*r, Y: at.Y - 0.8*r})
}

func diamond(at vg.Point, r vg.Length) vg.Path {
	r *= 1.25
	return polygon(vg.Point{X: at.X, Y: at.Y + r}, vg.Point{X: at.X - r, Y: at.Y}, vg.Point{X: at.X, Y: at.Y - r}, vg.Point{X: at.X + r, Y: at.Y})
}

func drawMarker(c draw.Canvas, l look, at vg.Point) {
	p := l.marker(at, markSize)
	fill(c, white, p)
	stroke(c, l.color, 0.8, nil, p)
}

// drawBar fills a rectangle with a tint and hatches it. There is no pattern fill to lean on, so the lines are cut one by one;
// they lie on one grid for the whole page, so that equal hatches look equal whatever the bar.
func drawBar(c draw.Canvas, l look, r vg.Rectangle) {
	fill(c, fade(l.color, 0x40), box(r))
	area := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
	w, h := r.Size().X, r.Size().Y
	for _, slope := range l.hatch {
		step := vg.Length(hatchGap * math.Sqrt(1+slope*slope))
		s := vg.Length(slope)
		lo, hi := r.Min.Y-max(0, s*r.Max.X, s*r.Min.X), r.Max.Y-min(0, s*r.Max.X, s*r.Min.X)
		for y := step * vg.Length(math.Ceil(float64(lo/step))); y <= hi && w > 0 && h > 0; y += step {
			for _, seg := range area.ClipLinesXY([]vg.Point{{X: r.Min.X, Y: y + s*r.Min.X}, {X: r.Max.X, Y: y + s*r.Max.X}}) {
				var p vg.Path
				p.Move(seg[0])
				p.Line(seg[len(seg)-1])
				stroke(c, l.color, hairWidth, nil, p)
			}
		}
	}
	stroke(c, l.color, 0.7, nil, box(r))
}
