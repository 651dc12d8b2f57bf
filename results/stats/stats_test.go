package stats

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/numeric"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// Student's own data: the hours of sleep gained by two drugs in ten patients (Biometrika 6 (1908) 20). The results are
// those of R's t.test(extra ~ group, data = sleep, paired = TRUE), and of its one-sample test for the second drug.
var sleepA = []float64{0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0}
var sleepB = []float64{1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4}

func TestStudentsSleep(t *testing.T) {
	d, err := Paired(sleepA, sleepB, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the difference", d.Value, -1.58, 1e-9)
	near(t, "its low end", d.Low, -2.4598858, 1e-6)
	near(t, "its high end", d.High, -0.7001142, 1e-6)
	near(t, "p", d.P, 0.00283289, 1e-7)
	in, err := Mean(sleepB, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the mean", in.Value, 2.33, 1e-9)
	near(t, "its low end", in.Low, 0.8976775, 1e-6)
	near(t, "its high end", in.High, 3.7623225, 1e-6)
	// R's t.test(extra ~ group, data = sleep): Welch's interval.
	u, err := Unpaired(sleepA, sleepB, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "Welch's low end", u.Low, -3.3654832, 1e-6)
	near(t, "Welch's high end", u.High, 0.2054832, 1e-6)
}

// Permeability constants of the human chorioamnion: Hollander and Wolfe, Nonparametric Statistical Methods, 1973, page
// 69. R's wilcox.test(x, y, alternative = "greater") gives W = 35 and p = 0.1272, which is doubled here.
func TestMannWhitneyOfHollanderAndWolfe(t *testing.T) {
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	d, err := Unpaired(x, y, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "p", d.P, 2*0.1272, 1e-4)
	near(t, "p by counting", d.P, slowMannWhitney(x, y), 1e-12)
	// With ties the two tails differ: of ten ways to deal 0 0 1 1 3 out, only one is as far from the middle.
	if d, err = Unpaired([]float64{1, 1, 3}, []float64{0, 0}, 0.95); err != nil {
		t.Fatal(err)
	}
	near(t, "p with ties", d.P, 0.1, 1e-12)
}

// slowMannWhitney counts the ways to deal the values out that are as far from the middle.
func slowMannWhitney(x, y []float64) float64 {
	all := append(slices.Clone(x), y...)
	u := func(first []float64, second []float64) (twice int) {
		for _, a := range first {
			for _, b := range second {
				if a > b {
					twice += 2
				} else if a == b {
					twice++
				}
			}
		}
		return twice
	}
	middle := len(x) * len(y)
	far := func(twice int) int { return max(twice-middle, middle-twice) }
	seen := far(u(x, y))
	extreme, ways := 0, 0
	for mask := range 1 << len(all) {
		var a, b []float64
		for i, v := range all {
			if mask>>i&1 == 1 {
				a = append(a, v)
			} else {
				b = append(b, v)
			}
		}
		if len(a) != len(x) {
			continue
		}
		ways++
		if far(u(a, b)) >= seen {
			extreme++
		}
	}
	return float64(extreme) / float64(ways)
}

// With and without ties, the p-value is that of counting all ways.
func TestMannWhitneyIsCounting(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 60 {
		x, y := make([]float64, 2+r.IntN(5)), make([]float64, 2+r.IntN(5))
		for _, s := range [][]float64{x, y} {
			for i := range s {
				s[i] = float64(r.IntN(9))
			}
		}
		d, err := Unpaired(x, y, 0.95)
		if errors.Is(err, ErrConstant) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		near(t, "p", d.P, slowMannWhitney(x, y), 1e-12)
	}
}

// The spatial test data of Efron and Tibshirani, An Introduction to the Bootstrap, 1993, table 14.1: the variance is
// 171.5, and the 90 % BCa interval (115.8, 259.6), from 2000 resamples (table 14.2); the percentile interval, which is
// neither corrected nor accelerated, is (100.8, 233.9).
func TestBootstrapOfEfronAndTibshirani(t *testing.T) {
	a := []float64{48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41}
	variance := func(xs []float64) (sum float64) {
		m := mean(xs)
		for _, x := range xs {
			sum += (x - m) * (x - m)
		}
		return sum / float64(len(xs))
	}
	in, err := Bootstrap(a, variance, 0.9, 20000, numeric.Stream(1, "results/stats/test/efron"))
	if err != nil {
		t.Fatal(err)
	}
	near(t, "the variance", in.Value, 171.5, 0.05)
	near(t, "the low end", in.Low, 115.8, 3)
	near(t, "the high end", in.High, 259.6, 6)
	near(t, "the acceleration", acceleration(a, variance), 0.061, 0.0005)
	again, _ := Bootstrap(a, variance, 0.9, 20000, numeric.Stream(1, "results/stats/test/efron"))
	if again != in {
		t.Error("the same stream gives another interval")
	}
}

// Where counting ends, the normal approximation is close to it.
func TestTheNormalApproximationIsClose(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		x, y := make([]float64, mostExact/2), make([]float64, mostExact/2)
		for i := range x {
			x[i], y[i] = math.Round(numeric.Normal(r)*10), math.Round(numeric.Normal(r)*10+5)
		}
		exact := mannWhitney(x, y, mostExact)
		near(t, "p", mannWhitney(x, y, 0), exact, 0.02*exact+0.001)
	}
}

// An interval of 95 % covers the true mean in 95 % of all samples, whichever the procedure.
func TestIntervalsCover(t *testing.T) {
	r := numeric.Stream(1, "results/stats/test/cover")
	const rounds = 2000
	student, boot := 0, 0
	for range rounds {
		xs := make([]float64, 20)
		for i := range xs {
			xs[i] = 5 + numeric.Normal(r)
		}
		if in, err := Mean(xs, 0.95); err == nil && in.Low <= 5 && 5 <= in.High {
			student++
		}
		if in, err := Bootstrap(xs, mean, 0.95, 400, r); err == nil && in.Low <= 5 && 5 <= in.High {
			boot++
		}
	}
	near(t, "Student's coverage", float64(student)/rounds, 0.95, 0.015)
	near(t, "the bootstrap's coverage", float64(boot)/rounds, 0.93, 0.025) // too narrow for few values, as it says
}

// The example of Wikipedia's article on the procedure, at 5 %: of 0.01, 0.04, 0.03 and 0.005 the first and the last are
// rejected. The adjusted values are R's p.adjust(c(.01, .04, .03, .005), "holm").
func TestHolm(t *testing.T) {
	got := Holm([]float64{0.01, 0.04, math.NaN(), 0.03, 0.005})
	for i, want := range []float64{0.03, 0.06, math.NaN(), 0.06, 0.02} {
		if math.IsNaN(want) != math.IsNaN(got[i]) || math.Abs(want-got[i]) > 1e-12 {
			t.Errorf("p %d is %v, want %v", i, got[i], want)
		}
	}
	// The slow way: H of rank k is rejected at a level if every one up to it is, each at the level over what is left.
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		ps := make([]float64, 1+r.IntN(6))
		for i := range ps {
			ps[i] = math.Round(r.Float64()*50) / 50
		}
		level := 0.01 + r.Float64()/2
		sorted := slices.Sorted(slices.Values(ps))
		rejected := map[float64]bool{}
		for k, p := range sorted {
			if p*float64(len(ps)-k) > level {
				break
			}
			rejected[p] = true
		}
		for i, p := range Holm(ps) {
			if ps[i]*float64(len(ps)) != level && (p <= level) != rejected[ps[i]] {
				t.Fatalf("%v at %v: p %d of %v is adjusted to %v", ps, level, i, ps[i], p)
			}
		}
	}
}

// What does not vary has no interval, and what was seen once has none; the error says which.
func TestNoIntervalWithoutSpread(t *testing.T) {
	for name, c := range map[string]struct {
		xs   []float64
		want error
	}{
		"constant": {[]float64{0.1, 0.1, 0.1}, ErrConstant}, "one": {[]float64{3}, ErrFew}, "none": {nil, ErrFew},
	} {
		in, err := Mean(c.xs, 0.95)
		_, err2 := Bootstrap(c.xs, mean, 0.95, 10, numeric.Stream(1, "results/stats/test/none"))
		d, err3 := Paired(c.xs, make([]float64, len(c.xs)), 0.95)
		u, err4 := Unpaired(c.xs, c.xs, 0.95)
		for _, err := range []error{err, err2, err3, err4} {
			if !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", name, err, c.want)
			}
		}
		if !math.IsNaN(in.Low) || !math.IsNaN(d.P) || !math.IsNaN(u.P) || len(c.xs) > 0 && in.Value != c.xs[0] {
			t.Errorf("%s: %+v, %+v, %+v", name, in, d, u)
		}
	}
	if d, err := Paired([]float64{5, 7}, []float64{4, 6}, 0.95); !errors.Is(err, ErrConstant) || d.Value != 1 {
		t.Errorf("equal differences: %+v, %v", d, err)
	}
}
