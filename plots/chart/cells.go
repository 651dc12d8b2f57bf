package chart

import (
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Map is how a panel of cells turns values into colours. A panel that has one and no series is its key: the colours
// over its x axis.
type Map struct {
	Label     string // what the values are, and their unit
	Min, Max  float64
	Log       bool // neither Min nor Max is 0 or less
	Diverging bool // two colours, which meet in white half way between Min and Max
}

// sequential are nine colours of viridis, by Smith, van der Walt and Firing for matplotlib 2.0 (2015, CC0), from light
// to dark, so that much is dark on paper. Their lightness falls evenly, for colour-blind readers and in greyscale too.
var sequential = []color.NRGBA{
	{0xFD, 0xE7, 0x25, 0xff}, {0xAA, 0xDC, 0x32, 0xff}, {0x5D, 0xC8, 0x63, 0xff}, {0x27, 0xAD, 0x81, 0xff},
	{0x21, 0x90, 0x8C, 0xff}, {0x2C, 0x72, 0x8E, 0xff}, {0x3B, 0x52, 0x8B, 0xff}, {0x47, 0x2D, 0x7B, 0xff},
	{0x44, 0x01, 0x54, 0xff},
}

// diverging is the scheme BuRd of Tol, Colour Schemes, SRON/EPS/TN/09-002 (2021): blue for little, red for much.
var diverging = []color.NRGBA{
	{0x21, 0x66, 0xAC, 0xff}, {0x43, 0x93, 0xC3, 0xff}, {0x92, 0xC5, 0xDE, 0xff}, {0xD1, 0xE5, 0xF0, 0xff},
	{0xF7, 0xF7, 0xF7, 0xff}, {0xFD, 0xDB, 0xC7, 0xff}, {0xF4, 0xA5, 0x82, 0xff}, {0xD6, 0x60, 0x4D, 0xff},
	{0xB2, 0x18, 0x2B, 0xff},
}

// share is where a value lies between the ends, from 0 to 1.
func (m *Map) share(v float64) float64 {
	a := Axis{Log: m.Log}
	lo, hi := a.scale(m.Min), a.scale(m.Max)
	if !(hi > lo) {
		return 0.5
	}
	const steps = 1000 // so that the last bits of a logarithm, which may differ between processors, do not count
	return math.Round(min(max((a.scale(v)-lo)/(hi-lo), 0), 1)*steps) / steps
}

func (m *Map) color(v float64) color.NRGBA { return m.at(m.share(v)) }

// at is the colour at a share of the way, between two of the scheme's in proportion.
func (m *Map) at(share float64) color.NRGBA {
	scheme := sequential
	if m.Diverging {
		scheme = diverging
	}
	place := share * float64(len(scheme)-1)
	i := min(int(place), len(scheme)-2)
	part := place - float64(i)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + float64(part*(float64(b)-float64(a))))) }
	a, b := scheme[i], scheme[i+1]
	return color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 0xff}
}

// inkOn is black or white, whichever stands out on a colour: their contrast is equal at a luminance of 0.179, where it
// is 4.6. Luminance and contrast are those of WCAG 2.2.
func inkOn(c color.NRGBA) color.NRGBA {
	light := func(v uint8) float64 { return math.Pow((float64(v)/255+0.055)/1.055, 2.4) } // exact enough for the dark
	if 0.2126*light(c.R)+0.7152*light(c.G)+0.0722*light(c.B) > 0.179 {
		return black
	}
	return white
}

// celled reports whether the panel shows cells or their key.
func (p *Panel) celled() bool { return p.Map != nil }

// drawKeyOfCells draws the colours over the x axis. Each strip reaches to the end, so that no seam shows.
func (p *Panel) drawKeyOfCells(c draw.Canvas) {
	const strips = 96
	for i := range strips {
		x := c.Min.X + (c.Max.X-c.Min.X)*vg.Length(i)/strips
		fill(c, p.Map.at((float64(i)+0.5)/strips), box(vg.Rectangle{Min: vg.Point{X: x, Y: c.Min.Y}, Max: c.Max}))
	}
}

// drawCells draws a cell around each point of whole numbers. Cells without a value are hatched. The values are printed
// where all of them fit.
func (p *Panel) drawCells(c draw.Canvas, s Series) {
	fill(c, white, box(c.Rectangle))
	sides := func(i int) vg.Rectangle {
		return vg.Rectangle{Min: p.point(c, s.X[i]-0.5, s.Y[i]-0.5), Max: p.point(c, s.X[i]+0.5, s.Y[i]+0.5)}
	}
	printed := true
	for i := range s.X {
		r := sides(i)
		if math.IsNaN(s.V[i]) {
			fill(c, white, box(r))
			hatch(c, r, []float64{1}, hatchGap, grey)
			continue
		}
		fill(c, p.Map.color(s.V[i]), box(r))
		size := r.Size()
		printed = printed && size.Y >= smallSize+1 && widthIn(smallSize, threeDigits(s.V[i])) <= size.X-2
	}
	for i := range s.X {
		r := sides(i)
		if size := r.Size(); min(size.X, size.Y) > 5 { // a seam shows between cells in any case: make it one
			stroke(c, white, hairWidth, nil, box(r))
		}
		if v := s.V[i]; printed && !math.IsNaN(v) {
			middle := vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y+r.Max.Y)/2 - smallSize*0.32}
			text(c, inkOn(p.Map.color(v)), smallSize, middle, 0.5, threeDigits(v))
		}
	}
}

// threeDigits is a number as it stands in a cell.
func threeDigits(v float64) string {
	if a := math.Abs(v); v != 0 && (a >= 1e5 || a < 1e-3) {
		return shortExponent(v)
	}
	if math.Abs(v) >= 1000 {
		return digits(v)
	}
	return Short(Rounded(v, 3))
}

// hatch draws lines of such slopes through a rectangle. No format has a pattern to fill with, so the lines are cut one
// by one. They lie on one grid for the whole page, so that equal hatches look equal everywhere.
func hatch(c draw.Canvas, r vg.Rectangle, slopes []float64, apart float64, clr color.NRGBA) {
	area := draw.Canvas{Canvas: c.Canvas, Rectangle: r}
	w, h := r.Size().X, r.Size().Y
	for _, slope := range slopes {
		step := vg.Length(apart * math.Sqrt(1+slope*slope))
		s := vg.Length(slope)
		lo, hi := r.Min.Y-max(0, s*r.Max.X, s*r.Min.X), r.Max.Y-min(0, s*r.Max.X, s*r.Min.X)
		for y := step * vg.Length(math.Ceil(float64(lo/step))); y <= hi && w > 0 && h > 0; y += step {
			from, to := vg.Point{X: r.Min.X, Y: y + s*r.Min.X}, vg.Point{X: r.Max.X, Y: y + s*r.Max.X}
			for _, seg := range area.ClipLinesXY([]vg.Point{from, to}) {
				var p vg.Path
				p.Move(seg[0])
				p.Line(seg[len(seg)-1])
				stroke(c, clr, hairWidth, nil, p)
			}
		}
	}
}

// shortExponent is a very large or very small number.
func shortExponent(v float64) string { return strconv.FormatFloat(v, 'g', 2, 64) }
