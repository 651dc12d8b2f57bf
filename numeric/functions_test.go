package numeric

import (
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// quantiles of the standard normal distribution, of 40 digits' arithmetic.
var quantiles = map[float64]float64{
	1e-300: -37.047096299361199237, 1e-100: -21.273453560965324294, 1e-17: -8.4937932241095980661,
	1e-9: -5.9978070150076868614, 0.025: -1.9599639845400542118, 0.25: -0.6744897501960817432,
	0.49: -0.025068908258711058033, 0.5: 0, 0.925: 1.4395314709384562291, 0.999: 3.0902323061678132778,
}

func TestFunctionsAreThoseOfMath(t *testing.T) {
	near := func(name string, x, got, want, within float64) {
		t.Helper()
		if math.Abs(got-want) > within*max(math.Abs(want), 1e-12) {
			t.Errorf("%s(%g) is %.17g, want %.17g", name, x, got, want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		x := r.Float64()*1380 - 690
		near("Exp", x, Exp(x), math.Exp(x), 7e-16)
		near("Log", math.Exp(x), Log(math.Exp(x)), math.Log(math.Exp(x)), 9e-16)
		p := Uniform(r)
		near("Log", p, Log(p), math.Log(p), 9e-16)
		near("NormalQuantile", p, NormalQuantile(p), distuv.UnitNormal.Quantile(p), 1e-11)
	}
	for p, z := range quantiles {
		near("NormalQuantile", p, NormalQuantile(p), z, 1e-15)
	}
	if Exp(-1e9) != 0 || !math.IsInf(Exp(1e9), 1) || Exp(0) != 1 || Log(1) != 0 || NormalQuantile(0.5) != 0 {
		t.Error("the ends are wrong")
	}
}

func TestCosTurn(t *testing.T) {
	for i := range 4097 {
		x := float64(i) / 4096
		if got, want := CosTurn(x), math.Cos(2*math.Pi*x); math.Abs(got-want) > 1e-15 { // 2πx is rounded
			t.Errorf("cosine of %v turns: %v, want %v", x, got, want)
		}
	}
	for x, want := range map[float64]float64{0: 1, 0.5: -1, 1: 1, 1.0 / 6: 0.5, 0.25: 6.123233995736766e-17} {
		if got := CosTurn(x); math.Abs(got-want) > 0x1p-52 {
			t.Errorf("cosine of %v turns: %v, want %v", x, got, want)
		}
	}
}
