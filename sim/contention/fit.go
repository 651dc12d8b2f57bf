package contention

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize"
	"gonum.org/v1/gonum/stat/distuv"
)

// Parameter is a fitted number.
type Parameter struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Low   *float64 `json:"low"`  // ends of the 95 % confidence interval; nil where none is possible
	High  *float64 `json:"high"` // as Low
}

// Residual is what the law leaves unexplained of a point.
type Residual struct {
	N        int     `json:"n"`
	Measured float64 `json:"measured_pps"`
	Fitted   float64 `json:"fitted_pps"`
	Residual float64 `json:"residual_pps"` // measured − fitted
	Relative float64 `json:"relative"`     // residual over measured
}

// Fitted is a USL with what speaks for and against it.
type Fitted struct {
	Law        USL         `json:"-"`
	Parameters []Parameter `json:"parameters"` // lambda, sigma, kappa
	Freedom    int         `json:"degrees_of_freedom"`
	RMS        float64     `json:"rms_pps"` // weighted root mean square of the residuals
	R2         float64     `json:"r2"`      // share of the weighted variance of the rates that the law explains
	Residuals  []Residual  `json:"residuals"`
	Notes      []string    `json:"notes,omitempty"` // what the reader must know before believing the numbers
}

const parameters = 3

// Fit finds the USL that minimises the weighted sum of squared residuals of the rates of one instance. It wants points
// at three different n or more; each N and Rate positive, each Weight not negative (0 counts as 1).
//
// One over the rate is linear in 1/λ, σ/λ and κ/λ: that linear fit is the start, and Nelder and Mead's simplex (1965),
// over the parameters' square roots so that none becomes negative, goes on from there. The confidence intervals are the
// linearised ones, Student's t times the root of the diagonal of s²(JᵀWJ)⁻¹, with J the derivatives of the rates and s²
// the weighted sum of squares over the degrees of freedom (Seber and Wild, "Nonlinear Regression", 1989, section 5.1).
// With three points there is no degree of freedom and no interval: the law passes through the points, right or wrong.
func Fit(points []Point) (*Fitted, error) {
	points, err := checked(points)
	if err != nil {
		return nil, err
	}
	scale := points[0].Rate
	for _, p := range points {
		scale = max(scale, p.Rate)
	}
	u, err := minimise(points, linearStart(points, scale), scale)
	if err != nil {
		return nil, err
	}

	f := &Fitted{Law: u, Freedom: len(points) - parameters}
	var sum, weights, mean float64
	for _, p := range points {
		weights += p.Weight
		mean += p.Weight * p.Rate
	}
	mean /= weights
	var spread float64
	for _, p := range points {
		fit := u.Capacity(p.N)
		d := p.Rate - fit
		sum += p.Weight * d * d
		spread += p.Weight * (p.Rate - mean) * (p.Rate - mean)
		f.Residuals = append(f.Residuals, Residual{p.N, p.Rate, fit, d, d / p.Rate})
	}
	f.RMS = math.Sqrt(sum / weights)
	f.R2 = 1
	if spread > 0 {
		f.R2 = 1 - sum/spread
	}
	f.confidence(points, sum, scale)
	return f, nil
}

func checked(points []Point) ([]Point, error) {
	points = append([]Point(nil), points...)
	distinct := map[int]bool{}
	for i := range points {
		p := &points[i]
		if p.N < 1 || p.N > MaxN {
			return nil, fmt.Errorf("contention: point %d has n = %d: want 1 to %d", i+1, p.N, MaxN)
		}
		if err := positive(fmt.Sprintf("the rate of point %d", i+1), p.Rate); err != nil {
			return nil, err
		}
		if !(p.Weight >= 0) || math.IsInf(p.Weight, 0) {
			return nil, fmt.Errorf("contention: point %d has the weight %v: want a finite number of at least 0",
				i+1, p.Weight)
		}
		if p.Weight == 0 {
			p.Weight = 1
		}
		distinct[p.N] = true
	}
	if len(distinct) < parameters {
		return nil, fmt.Errorf("contention: points at %d different numbers of instances: want at least %d, "+
			"one for each of lambda, sigma and kappa", len(distinct), parameters)
	}
	return points, nil
}

// linearStart fits scale/rate = a + b(n−1) + cn(n−1), each equation weighted so that its residual is, to first order,
// that of the rate, and clamps what is negative.
func linearStart(points []Point, scale float64) []float64 {
	a, y := mat.NewDense(len(points), parameters, nil), mat.NewVecDense(len(points), nil)
	for i, p := range points {
		r, m := p.Rate/scale, float64(p.N)
		w := math.Sqrt(p.Weight) * r * r
		a.SetRow(i, []float64{w, w * (m - 1), w * m * (m - 1)})
		y.SetVec(i, w/r)
	}
	var x mat.VecDense
	start := []float64{1, 0.1, 0.01}
	if err := x.SolveVec(a, y); err == nil && x.AtVec(0) > 0 {
		start = []float64{1 / x.AtVec(0), max(0, x.AtVec(1)/x.AtVec(0)), max(0, x.AtVec(2)/x.AtVec(0))}
	}
	for i := range start {
		start[i] = math.Sqrt(start[i])
	}
	return start
}

func minimise(points []Point, x []float64, scale float64) (USL, error) {
	law := func(x []float64) USL { return USL{scale * x[0] * x[0], x[1] * x[1], x[2] * x[2]} }
	problem := optimize.Problem{Func: func(x []float64) float64 {
		u, sum := law(x), 0.0
		for _, p := range points {
			d := (p.Rate - u.Capacity(p.N)) / scale
			sum += p.Weight * d * d
		}
		return sum
	}}
	settings := &optimize.Settings{
		MajorIterations: 20000,
		Converger:       &optimize.FunctionConverge{Absolute: 1e-28, Relative: 1e-13, Iterations: 200},
	}
	// The simplex can collapse short of the minimum; begun again around the best point it goes on.
	best := math.Inf(1)
	for round := 0; round < 5; round++ {
		r, err := optimize.Minimize(problem, x, settings, &optimize.NelderMead{SimplexSize: 0.05})
		if err != nil {
			return USL{}, fmt.Errorf("contention: the fit did not converge: %w", err)
		}
		if !(r.F < best) {
			break
		}
		x, best = r.X, r.F
	}
	u := law(x)
	return NewUSL(u.Lambda, u.Sigma, u.Kappa)
}

func (f *Fitted) confidence(points []Point, sum, scale float64) {
	u := f.Law
	f.Parameters = []Parameter{{Name: "lambda", Value: u.Lambda}, {Name: "sigma", Value: u.Sigma},
		{Name: "kappa", Value: u.Kappa}}
	if f.Freedom == 0 {
		f.Notes = append(f.Notes,
			"as many points as parameters: the law passes through them, and no confidence interval is possible")
		return
	}
	j := mat.NewDense(len(points), parameters, nil)
	for i, p := range points {
		m, w, d := float64(p.N), math.Sqrt(p.Weight), u.denominator(p.N)
		slope := -u.Lambda / scale / (d * d)
		j.SetRow(i, []float64{w / d, w * slope * (m - 1), w * slope * m * (m - 1)})
	}
	var normal, inverse mat.Dense
	normal.Mul(j.T(), j)
	if err := inverse.Inverse(&normal); err != nil {
		f.Notes = append(f.Notes, "the points do not tell the parameters apart: no confidence interval")
		return
	}
	t := distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(f.Freedom)}.Quantile(0.975)
	s2 := sum / scale / scale / float64(f.Freedom)
	for i, unit := range []float64{scale, 1, 1} {
		half := t * math.Sqrt(max(0, s2*inverse.At(i, i))) * unit
		low, high := f.Parameters[i].Value-half, f.Parameters[i].Value+half
		f.Parameters[i].Low, f.Parameters[i].High = &low, &high
	}
	for _, p := range f.Parameters[1:] {
		if *p.Low <= 0 {
			f.Notes = append(f.Notes, p.Name+" is not distinguishable from 0 at 95 %")
		}
	}
}
