package chart

import (
	"image/color"
	"math"
	"testing"
)

type (
	rgb [3]float64 // linear light
	lab struct{ l, a, b float64 }
)

// linear decodes sRGB.
func linear(c color.NRGBA) (to rgb) {
	for i, v := range []uint8{c.R, c.G, c.B} {
		if x := float64(v) / 255; x <= 0.04045 {
			to[i] = x / 12.92
		} else {
			to[i] = math.Pow((x+0.055)/1.055, 2.4)
		}
	}
	return to
}

func times(m [3][3]float64, v [3]float64) (to [3]float64) {
	for i, row := range m {
		to[i] = row[0]*v[0] + row[1]*v[1] + row[2]*v[2]
	}
	return to
}

// labOf is a colour in CIELAB under D65.
func labOf(c rgb) lab {
	xyz := times([3][3]float64{
		{0.4124564, 0.3575761, 0.1804375}, {0.2126729, 0.7151522, 0.0721750}, {0.0193339, 0.1191920, 0.9503041}}, c)
	f := func(t float64) float64 {
		if t > 216.0/24389 {
			return math.Cbrt(t)
		}
		return (24389.0/27*t + 16) / 116
	}
	x, y, z := f(xyz[0]/0.95047), f(xyz[1]), f(xyz[2]/1.08883)
	return lab{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

// deuteranope is a colour as someone without middle-wavelength cones sees it: Viénot, Brettel and Mollon, Digital Video
// Colourmaps for Checking the Legibility of Displays by Dichromats, Color Research and Application 24 (1999).
func deuteranope(c rgb) rgb {
	lms := times([3][3]float64{
		{17.8824, 43.5161, 4.11935}, {3.45565, 27.1554, 3.86714}, {0.0299566, 0.184309, 1.46709}}, c)
	lms[1] = 0.494207*lms[0] + 1.24827*lms[2]
	to := times([3][3]float64{ // the inverse
		{0.0809444479, -0.130504409, 0.116721066}, {-0.0102485335, 0.0540193266, -0.113614708},
		{-0.000365296938, -0.00412161469, 0.693511405}}, lms)
	for i := range to {
		to[i] = min(1, max(0, to[i]))
	}
	return to
}

// ciede2000 is the difference of two colours: Sharma, Wu and Dalal, The CIEDE2000 Color-Difference Formula, Color
// Research and Application 30 (2005).
func ciede2000(p, q lab) float64 {
	const full = 25 * 25 * 25 * 25 * 25 * 25 * 25
	sin := func(deg float64) float64 { return math.Sin(deg * math.Pi / 180) }
	cos := func(deg float64) float64 { return math.Cos(deg * math.Pi / 180) }
	rest := func(c float64) float64 { return math.Sqrt(math.Pow(c, 7) / (math.Pow(c, 7) + full)) }
	hue := func(v lab) float64 { return math.Mod(math.Atan2(v.b, v.a)*180/math.Pi+360, 360) }
	g := 1 + 0.5*(1-rest((math.Hypot(p.a, p.b)+math.Hypot(q.a, q.b))/2))
	p.a, q.a = p.a*g, q.a*g
	cp, cq, hp, hq := math.Hypot(p.a, p.b), math.Hypot(q.a, q.b), hue(p), hue(q)
	dh, h := hq-hp, (hp+hq)/2
	switch {
	case cp*cq == 0:
		dh, h = 0, hp+hq
	case dh > 180:
		dh, h = dh-360, h+180
	case dh < -180:
		dh, h = dh+360, h+180
	}
	h = math.Mod(h, 360)
	l, c := (p.l+q.l)/2-50, (cp+cq)/2
	t := 1 - 0.17*cos(h-30) + 0.24*cos(2*h) + 0.32*cos(3*h+6) - 0.2*cos(4*h-63)
	dl := (q.l - p.l) / (1 + 0.015*l*l/math.Sqrt(20+l*l))
	dc := (cq - cp) / (1 + 0.045*c)
	dhue := 2 * math.Sqrt(cp*cq) * sin(dh/2) / (1 + 0.015*c*t)
	turn := -2 * rest(c) * sin(60*math.Exp(-math.Pow((h-275)/25, 2)))
	return math.Sqrt(dl*dl + dc*dc + dhue*dhue + turn*dc*dhue)
}

// The pairs are from table 1 of the article on the formula.
func TestColourDifference(t *testing.T) {
	for _, c := range []struct {
		p, q lab
		want float64
	}{
		{lab{50, 2.6772, -79.7751}, lab{50, 0, -82.7485}, 2.0425},
		{lab{50, -1.3802, -84.2814}, lab{50, 0, -82.7485}, 1.0000},
		{lab{50, 0, 0}, lab{50, -1, 2}, 2.3669},
		{lab{50, 2.5, 0}, lab{50, 0, -2.5}, 4.3065},
		{lab{50, 2.5, 0}, lab{73, 25, -18}, 27.1492},
		{lab{50, 2.5, 0}, lab{56, -27, -3}, 31.9030},
		{lab{60.2574, -34.0099, 36.2677}, lab{60.4626, -34.1751, 39.4387}, 1.2644},
		{lab{2.0776, 0.0795, -1.1350}, lab{0.9033, -0.0636, -0.5514}, 0.9082},
	} {
		if got := ciede2000(c.p, c.q); math.Abs(got-c.want) > 1e-4 {
			t.Errorf("%v and %v are %.4f apart, want %.4f", c.p, c.q, got, c.want)
		}
	}
}
