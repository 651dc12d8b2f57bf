package forecast

// line is at0 + slope x.
type line struct{ at0, slope float64 }

// fit is the line of least squares through n points, 1 or more. Through points of the same x, it has no slope. Its sums
// are of distances from the means, so that nothing is lost where the points are far from 0.
func fit(n int, point func(int) (x, y float64)) line {
	var mx, my float64
	for i := range n {
		x, y := point(i)
		mx, my = mx+x, my+y
	}
	mx, my = mx/float64(n), my/float64(n)
	var xx, xy float64
	for i := range n {
		x, y := point(i)
		xx += float64((x - mx) * (x - mx))
		xy += float64((x - mx) * (y - my))
	}
	if xx == 0 {
		return line{at0: my}
	}
	slope := xy / xx
	return line{my - float64(slope*mx), slope}
}
