package contention

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const mpps = 1e6

func near(a, b, rel float64) bool { return math.Abs(a-b) <= rel*max(math.Abs(a), math.Abs(b)) }

func TestUSLGivesTheShapeOfTheThesis(t *testing.T) {
	u, err := NewUSL(25*mpps, 0.38, 0.019)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		n           int
		each, total float64 // Mpps, two digits
	}{{1, 25, 25}, {4, 10.55, 42.19}, {6, 7.23, 43.35}, {8, 5.29, 42.34}} {
		if got := u.Capacity(c.n) / mpps; math.Abs(got-c.each) > 0.06 {
			t.Errorf("each of %d: %.3f Mpps, want %.2f", c.n, got, c.each)
		}
		if got := u.Total(c.n) / mpps; math.Abs(got-c.total) > 0.4 {
			t.Errorf("%d together: %.3f Mpps, want %.2f", c.n, got, c.total)
		}
	}
	if u.Capacity(0) != u.Capacity(1) || u.Capacity(-3) != u.Capacity(1) {
		t.Error("fewer than one instance must count as one")
	}
}

func TestUSLPeaksWhereTheLawSays(t *testing.T) {
	u := USL{25 * mpps, 0.38, 0.019}
	best := 1
	for n := 1; n < 100; n++ {
		if u.Total(n) > u.Total(best) {
			best = n
		}
	}
	if at := math.Sqrt((1 - u.Sigma) / u.Kappa); math.Abs(float64(best)-at) > 1 {
		t.Errorf("most at %d instances, want within 1 of %.2f", best, at)
	}
}

func TestTableInterpolatesAndHoldsItsEnds(t *testing.T) {
	tab, err := NewTable(map[int]float64{2: 20, 4: 10, 8: 6})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]float64{-1: 20, 1: 20, 2: 20, 3: 15, 4: 10, 5: 9, 6: 8, 7: 7, 8: 6, 9: 6, 1000: 6} {
		if got := tab.Capacity(n); got != want {
			t.Errorf("Capacity(%d) = %v, want %v", n, got, want)
		}
	}
}

func TestConstant(t *testing.T) {
	c, err := NewConstant(7)
	if err != nil || c.Capacity(1) != 7 || c.Capacity(50) != 7 {
		t.Error(c, err)
	}
}

func TestConstructorsRefuse(t *testing.T) {
	usl := func(l, s, k float64) error { _, err := NewUSL(l, s, k); return err }
	table := func(p map[int]float64) error { _, err := NewTable(p); return err }
	constant := func(r float64) error { _, err := NewConstant(r); return err }
	for _, c := range []struct {
		err  error
		want string
	}{
		{usl(0, 0, 0), "lambda is 0"},
		{usl(math.NaN(), 0, 0), "lambda is NaN"},
		{usl(1, -1, 0), "sigma is -1"},
		{usl(1, 0, math.Inf(1)), "kappa is +Inf"},
		{table(nil), "no points"},
		{table(map[int]float64{0: 1}), "0 instances"},
		{table(map[int]float64{3: -1}), "the rate of 3 instances is -1"},
		{constant(math.Inf(1)), "rate is +Inf"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got %v, want an error with %q", c.err, c.want)
		}
	}
}

func TestFitRecoversExactParameters(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	laws := []USL{{25e6, 0.38, 0.019}, {25e6, 0, 0}, {1000, 0.5, 0}, {3e9, 0, 0.01}}
	for range 20 {
		laws = append(laws, USL{1e5 + rng.Float64()*1e8, rng.Float64(), rng.Float64() / 20})
	}
	for _, u := range laws {
		var points []Point
		for _, n := range []int{1, 2, 3, 4, 6, 8, 12} {
			points = append(points, Point{N: n, Rate: u.Capacity(n)})
		}
		f, err := Fit(points)
		if err != nil {
			t.Errorf("%+v: %v", u, err)
			continue
		}
		got := f.Law
		if !near(got.Lambda, u.Lambda, 1e-5) || math.Abs(got.Sigma-u.Sigma) > 1e-5 ||
			math.Abs(got.Kappa-u.Kappa) > 1e-5 {
			t.Errorf("fitted %+v, want %+v", got, u)
		}
		if f.RMS > 1e-4*u.Lambda || f.Freedom != 4 {
			t.Errorf("%+v: rms %v, %d degrees of freedom", u, f.RMS, f.Freedom)
		}
	}
}

func TestFitOfThePublishedPoints(t *testing.T) {
	f, err := Fit([]Point{{N: 1, Rate: 25 * mpps}, {N: 4, Rate: 10.5 * mpps}, {N: 8, Rate: 42 * mpps / 8}})
	if err != nil {
		t.Fatal(err)
	}
	// Solved by hand: 3σ + 12κ = 25/10.5 − 1 and 7σ + 56κ = 25/5.25 − 1.
	const sigma, kappa = 0.3832199546, 0.0192743764
	if !near(f.Law.Lambda, 25*mpps, 1e-6) || !near(f.Law.Sigma, sigma, 1e-5) || !near(f.Law.Kappa, kappa, 1e-5) {
		t.Errorf("fitted %+v", f.Law)
	}
	if f.Parameters[0].Low != nil || len(f.Notes) == 0 || !strings.Contains(f.Notes[0], "no confidence") {
		t.Errorf("three points must give no confidence: %+v %q", f.Parameters, f.Notes)
	}
}

func TestConfidenceCoversTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	truth := USL{25e6, 0.38, 0.019}
	want := []float64{truth.Lambda, truth.Sigma, truth.Kappa}
	const trials = 150
	covered := make([]int, parameters)
	for range trials {
		var points []Point
		for n := 1; n <= 12; n++ {
			points = append(points, Point{N: n, Rate: truth.Capacity(n) + rng.NormFloat64()*1e5})
		}
		f, err := Fit(points)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range f.Parameters {
			if *p.Low <= want[i] && want[i] <= *p.High {
				covered[i]++
			}
		}
	}
	for i, c := range covered {
		if share := float64(c) / trials; share < 0.88 {
			t.Errorf("parameter %d: %.2f of the 95 %% intervals hold the truth", i, share)
		}
	}
}

func TestAHeavyPointIsMetMoreClosely(t *testing.T) {
	points := []Point{{1, 25, 1}, {2, 14, 1}, {4, 10.5, 1}, {6, 8, 1}, {8, 5.25, 1}}
	even, err := Fit(points)
	if err != nil {
		t.Fatal(err)
	}
	points[2].Weight = 1e4
	heavy, err := Fit(points)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(heavy.Residuals[2].Residual) >= math.Abs(even.Residuals[2].Residual) {
		t.Errorf("residual %v with weight, %v without", heavy.Residuals[2].Residual, even.Residuals[2].Residual)
	}
}

func TestFitRefuses(t *testing.T) {
	for want, points := range map[string][]Point{
		"0 different":          nil,
		"2 different":          {{N: 1, Rate: 3}, {N: 2, Rate: 2}, {N: 2, Rate: 2.1}},
		"point 2 has n = 0":    {{N: 1, Rate: 3}, {N: 0, Rate: 2}, {N: 3, Rate: 2}},
		"the rate of point 1":  {{N: 1, Rate: math.NaN()}, {N: 2, Rate: 2}, {N: 3, Rate: 2}},
		"point 1 has the weig": {{N: 1, Rate: 1, Weight: -1}, {N: 2, Rate: 2}, {N: 3, Rate: 2}},
	} {
		if _, err := Fit(points); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestParse(t *testing.T) {
	want := []Point{{N: 1, Rate: 25e6}, {N: 4, Rate: 10.5e6}, {N: 8, Rate: 5.25e6}}
	for name, text := range map[string]string{
		"a.csv":     "n,rate\n8, 5.25Mpps\n# middle\n\n1,25Mpps\n4,10500000\n",
		"bare.txt":  "\ufeff1,25Mpps\n4,10.5Mpps\n8,5250kpps\n",
		"flow.yaml": "{1: 25Mpps, 4: 10.5Mpps, 8: 5.25Mpps}",
		"key.yml":   "points:\n  4: 10.5Mpps\n  1: 25Mpps\n  8: 5250000\n",
	} {
		got, err := Parse(name, strings.NewReader(text))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	got, err := Parse("w.csv", strings.NewReader("n,rate,weight\n1,2pps,3\n1,3pps,1\n"))
	if err != nil || !slices.Equal(got, []Point{{1, 2, 3}, {1, 3, 1}}) {
		t.Errorf("weights: got %v, %v", got, err)
	}
}

func TestParseSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"e.csv", "", "e.csv: no points"},
		{"e.csv", "n,rate\n", "e.csv: no points"},
		{"e.csv", "1,25Mpps\nx,10Mpps\n", `e.csv:2: n is "x": want a whole number`},
		{"e.csv", "1,25Mbps\n", `e.csv:1: rate: "25Mbps" is not a packet rate`},
		{"e.csv", "1,-5\n", `e.csv:1: rate is "-5": want a positive`},
		{"e.csv", "1,NaN\n", `e.csv:1: rate is "NaN"`},
		{"e.csv", "1,2,3,4\n", "e.csv:1: 4 columns"},
		{"e.csv", "1,2,zero\n", `e.csv:1: weight "zero"`},
		{"e.csv", "1,\"2\n", "e.csv: "},
		{"e.yaml", "- 1\n", "e.yaml:1: want a mapping"},
		{"e.yaml", "1: 2pps\n1: 3pps\n", "e.yaml:2: n = 1 is there twice"},
		{"e.yaml", "1: [2]\n", "e.yaml:1: rate"},
		{"e.yaml", ": :", "e.yaml: "},
		{"e.csv", strings.Repeat("#\n", maxFile), "longer than"},
	} {
		if _, err := Parse(c.name, strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.20q: got %v, want an error with %q", c.text, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"n,rate\n1,25Mpps\n", "{1: 25Mpps, 4: 10.5Mpps, 8: 5.25Mpps}", "points: {1: 2}", "1,2,3",
		"\"", "&a [*a]"} {
		f.Add("p.csv", s)
		f.Add("p.yaml", s)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		points, err := Parse(name, strings.NewReader(text))
		if err != nil {
			return
		}
		for i, p := range points {
			if p.N < 1 || p.N > MaxN || !(p.Rate > 0) || math.IsInf(p.Rate, 0) || i > 0 && p.N < points[i-1].N {
				t.Fatalf("point %d: %+v", i, p)
			}
		}
		if len(points) > 20 {
			return
		}
		if fit, err := Fit(points); err == nil {
			if _, err := NewUSL(fit.Law.Lambda, fit.Law.Sigma, fit.Law.Kappa); err != nil {
				t.Fatal(err)
			}
		}
	})
}
