package chart

import (
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// marker is drawn on the points of a line: white inside, unless a part of it is filled.
type marker struct {
	outline shape
	filled  shape // the part in the series' colour; none if nil
}

// shape is a closed path around a point, or strokes through it. r is about half its width.
type shape func(at vg.Point, r vg.Length) vg.Path

func full(s shape) marker { return marker{s, s} }

func drawMarker(c draw.Canvas, l look, at vg.Point) {
	p := l.marker.outline(at, markSize)
	if p[len(p)-1].Type != vg.CloseComp { // strokes would not stand out from the line without a margin
		stroke(c, white, 2.4, nil, p)
		stroke(c, l.color, 0.9, nil, p)
		return
	}
	fill(c, white, p)
	if l.marker.filled != nil {
		fill(c, l.color, l.marker.filled(at, markSize))
	}
	stroke(c, l.color, 0.8, nil, p)
}

// quarter is how far the control points lie from the ends of the cubic that is closest to a quarter of the unit circle.
const quarter = 0.5522847498

func circle(at vg.Point, r vg.Length) (p vg.Path) {
	const k = quarter
	pt := func(x, y vg.Length) vg.Point { return vg.Point{X: at.X + x*r, Y: at.Y + y*r} }
	p.Move(pt(1, 0))
	p.CubeTo(pt(1, k), pt(k, 1), pt(0, 1))
	p.CubeTo(pt(-k, 1), pt(-1, k), pt(-1, 0))
	p.CubeTo(pt(-1, -k), pt(-k, -1), pt(0, -1))
	p.CubeTo(pt(k, -1), pt(1, -k), pt(1, 0))
	p.Close()
	return p
}

// bowl is the lower half of the circle.
func bowl(at vg.Point, r vg.Length) (p vg.Path) {
	const k = quarter
	pt := func(x, y vg.Length) vg.Point { return vg.Point{X: at.X + x*r, Y: at.Y + y*r} }
	p.Move(pt(-1, 0))
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
	left, right := vg.Point{X: at.X - 1.1*r, Y: at.Y - 0.8*r}, vg.Point{X: at.X + 1.1*r, Y: at.Y - 0.8*r}
	return polygon(vg.Point{X: at.X, Y: at.Y + 1.2*r}, left, right)
}

func triangleDown(at vg.Point, r vg.Length) vg.Path {
	left, right := vg.Point{X: at.X - 1.1*r, Y: at.Y + 0.8*r}, vg.Point{X: at.X + 1.1*r, Y: at.Y + 0.8*r}
	return polygon(vg.Point{X: at.X, Y: at.Y - 1.2*r}, left, right)
}

func diamond(at vg.Point, r vg.Length) vg.Path {
	r *= 1.25
	return polygon(vg.Point{X: at.X, Y: at.Y + r}, vg.Point{X: at.X - r, Y: at.Y},
		vg.Point{X: at.X, Y: at.Y - r}, vg.Point{X: at.X + r, Y: at.Y})
}

func plus(at vg.Point, r vg.Length) vg.Path {
	r *= 1.25
	return append(segment(at.X-r, at.Y, at.X+r, at.Y), segment(at.X, at.Y-r, at.X, at.Y+r)...)
}

func cross(at vg.Point, r vg.Length) vg.Path {
	return append(segment(at.X-r, at.Y-r, at.X+r, at.Y+r), segment(at.X-r, at.Y+r, at.X+r, at.Y-r)...)
}

// star has five points.
func star(at vg.Point, r vg.Length) vg.Path {
	var pts []vg.Point
	for i := range 10 {
		at, r, angle := at, 1.5*r, math.Pi/2+float64(i)*math.Pi/5
		if i%2 == 1 {
			r *= 0.42
		}
		pts = append(pts, vg.Point{X: at.X + r*vg.Length(math.Cos(angle)), Y: at.Y + r*vg.Length(math.Sin(angle))})
	}
	return polygon(pts...)
}
