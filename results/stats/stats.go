// Package stats says how sure the numbers of several runs are: intervals of a mean, differences between two settings,
// and rankings of many, with the effect first and its p-value second.
//
// Runs of one setting differ in their seed. Two settings under the same seeds meet the same traffic (common random
// numbers), and are compared seed by seed (Paired); under different seeds they are two samples (Unpaired). A scenario
// without randomness gives the same value under every seed. It has no interval, and ErrConstant says so: a difference
// between two such settings is exact.
package stats

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/combin"
	"gonum.org/v1/gonum/stat/distuv"

	"github.com/smartinco/smartinco/numeric"
)

// ErrConstant says that every run gives the same value.
var ErrConstant = errors.New("every seed gives the same value: as far as these runs show, the scenario is " +
	"deterministic, so one run says all, and an interval would say nothing")

// ErrFew says that there are too few runs.
var ErrFew = errors.New("one run: want at least two, under different seeds, for an interval")

// Interval is an estimate and the bounds between which the true value lies, if the procedure's assumptions hold, in the
// share Confidence of all cases.
type Interval struct {
	Value, Low, High float64
	Confidence       float64 // above 0 and below 1
	N                int     // runs, or pairs of runs, behind it
}

// Constant says whether there are at least two values, all of them equal.
func Constant(xs []float64) bool {
	return len(xs) > 1 && !slices.ContainsFunc(xs, func(x float64) bool { return x != xs[0] })
}

// spread is nil if there are two values that differ.
func spread(xs []float64) error {
	switch {
	case len(xs) < 2:
		return ErrFew
	case Constant(xs):
		return ErrConstant
	}
	return nil
}

// Mean is the mean with Student's interval (Biometrika 6 (1908) 1-25), which takes the mean for normally distributed.
// The error is ErrFew or ErrConstant; Value and N are set even so, Low and High are then NaN.
func Mean(xs []float64, confidence float64) (Interval, error) {
	in := Interval{Value: mean(xs), Low: math.NaN(), High: math.NaN(), Confidence: confidence, N: len(xs)}
	if err := spread(xs); err != nil {
		return in, err
	}
	n := float64(len(xs))
	half := float64(student(n-1, confidence) * math.Sqrt(stat.Variance(xs, nil)/n))
	in.Low, in.High = in.Value-half, in.Value+half
	return in, nil
}

// mean is exact for equal values.
func mean(xs []float64) float64 {
	if len(xs) == 0 {
		return math.NaN()
	}
	if Constant(xs) {
		return xs[0]
	}
	return stat.Mean(xs, nil)
}

// student is the two-sided quantile of Student's distribution.
func student(freedom, confidence float64) float64 {
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: freedom}.Quantile((1 + confidence) / 2)
}

// Resamples is how many resamples Bootstrap takes unless it is told otherwise: what Efron and Tibshirani use for
// intervals (An Introduction to the Bootstrap, 1993, chapter 14).
const Resamples = 2000

// Bootstrap is a statistic of the values with its interval by the bootstrap, bias-corrected and accelerated (B. Efron,
// Journal of the American Statistical Association 82 (1987) 171-185). It assumes no distribution; with fewer than ten
// values it is too narrow. r is the caller's named stream. Errors are those of Mean.
func Bootstrap(
	xs []float64, statistic func([]float64) float64, confidence float64, resamples int, r *rand.Rand,
) (Interval, error) {
	in := Interval{Value: statistic(xs), Low: math.NaN(), High: math.NaN(), Confidence: confidence, N: len(xs)}
	if err := spread(xs); err != nil {
		return in, err
	}
	again, sample := make([]float64, resamples), make([]float64, len(xs))
	below := 0.0
	for i := range again {
		for j := range sample {
			sample[j] = xs[r.IntN(len(xs))]
		}
		again[i] = statistic(sample)
		switch cmp.Compare(again[i], in.Value) {
		case -1:
			below++
		case 0:
			below += 0.5
		}
	}
	slices.Sort(again)
	bias := numeric.NormalQuantile(min(max(below, 0.5), float64(resamples)-0.5) / float64(resamples))
	a := acceleration(xs, statistic)
	at := func(p float64) float64 {
		z := bias + numeric.NormalQuantile(p)
		p = distuv.UnitNormal.CDF(bias + z/(1-float64(a*z)))
		return again[min(max(int(math.Floor(p*float64(resamples+1)))-1, 0), resamples-1)]
	}
	in.Low, in.High = at((1-confidence)/2), at((1+confidence)/2)
	return in, nil
}

// acceleration is Efron's constant a from the statistic without each value in turn (the jackknife).
func acceleration(xs []float64, statistic func([]float64) float64) float64 {
	without := make([]float64, len(xs))
	for i := range xs {
		without[i] = statistic(slices.Delete(slices.Clone(xs), i, i+1))
	}
	middle := mean(without)
	square, cube := 0.0, 0.0
	for _, x := range without {
		d := middle - x
		square += float64(d * d)
		cube += float64(d * d * d)
	}
	if square == 0 {
		return 0
	}
	return cube / (6 * math.Pow(square, 1.5))
}

// Difference is the mean of one setting less that of another.
type Difference struct {
	Interval
	P      float64 // of no difference, two-sided; NaN where there is no interval
	Paired bool
}

// Paired compares two settings under the same seeds: a[i] and b[i] belong together. Interval and p-value are Student's,
// of the differences. The error is ErrFew, or ErrConstant where all differences are the same; Value and N are set even
// so.
func Paired(a, b []float64, confidence float64) (Difference, error) {
	if len(a) != len(b) {
		panic(fmt.Sprintf("stats: %d values paired with %d", len(a), len(b)))
	}
	ds := make([]float64, len(a))
	for i := range a {
		ds[i] = a[i] - b[i]
	}
	in, err := Mean(ds, confidence)
	d := Difference{Interval: in, P: math.NaN(), Paired: true}
	if err != nil {
		return d, err
	}
	n := float64(len(ds))
	t := in.Value / math.Sqrt(stat.Variance(ds, nil)/n)
	d.P = 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: n - 1}.CDF(-math.Abs(t))
	return d, nil
}

// Unpaired compares two settings under different seeds. The interval of the difference is Welch's (Biometrika 34 (1947)
// 28-35), the p-value that of Mann and Whitney (Annals of Mathematical Statistics 18 (1947) 50-60), which assumes no
// distribution. The error is ErrFew where either has fewer than two values, and ErrConstant where neither varies.
func Unpaired(a, b []float64, confidence float64) (Difference, error) {
	d := Difference{P: math.NaN(), Interval: Interval{Value: mean(a) - mean(b), Low: math.NaN(), High: math.NaN(),
		Confidence: confidence, N: min(len(a), len(b))}}
	if len(a) < 2 || len(b) < 2 {
		return d, ErrFew
	}
	if Constant(a) && Constant(b) {
		return d, ErrConstant
	}
	va, vb := stat.Variance(a, nil)/float64(len(a)), stat.Variance(b, nil)/float64(len(b))
	sum := va + vb
	freedom := float64(sum*sum) / (float64(va*va)/float64(len(a)-1) + float64(vb*vb)/float64(len(b)-1))
	half := float64(student(freedom, confidence) * math.Sqrt(sum))
	d.Low, d.High = d.Value-half, d.Value+half
	d.P = mannWhitney(a, b, mostExact)
	return d, nil
}

// mostExact is up to how many values in all mannWhitney counts. With so many the normal distribution is close.
const mostExact = 60

// mannWhitney is the share of all ways to deal the values out, with their ranks, in which the sum of a's ranks is as
// far from its mean as it is or farther. Equal values share the mean of their ranks. Of more than most values it is
// that of the normal distribution, with the corrections for ties and for continuity.
func mannWhitney(a, b []float64, most int) float64 {
	all := slices.Sorted(slices.Values(slices.Concat(a, b)))
	n, n1 := len(all), len(a)
	type tie struct{ rank, count int } // twice the rank
	var ties []tie
	seen, cubes := 0, 0.0 // twice the sum of a's ranks
	for i := 0; i < n; {
		j := i
		for j < n && all[j] == all[i] {
			j++
		}
		t := tie{i + 1 + j, j - i}
		ties = append(ties, t)
		cubes += float64(t.count * (t.count*t.count - 1))
		for _, x := range a {
			if x == all[i] {
				seen += t.rank
			}
		}
		i = j
	}
	middle := n1 * (n + 1)
	far := func(sum int) int { return max(sum-middle, middle-sum) }
	if n > most {
		n, n2 := float64(n), float64(len(b))
		twice := float64(n1) * n2 / 6 * (n + 1 - cubes/(n*(n-1))) // the variance
		return math.Erfc(max(0, float64(far(seen)-1)/2) / math.Sqrt(twice))
	}
	// ways[k][s] counts the ways in which k values of the ties so far have ranks that sum up to s/2.
	ways := make([][]float64, n1+1)
	for k := range ways {
		ways[k] = make([]float64, n*(n+1)+1)
	}
	ways[0][0] = 1
	for _, t := range ties {
		for k := n1; k > 0; k-- {
			for c := 1; c <= min(k, t.count); c++ {
				choices, from := combin.Binomial(t.count, c), ways[k-c]
				for s, w := range from[:len(from)-c*t.rank] {
					ways[k][s+c*t.rank] += float64(float64(choices) * w)
				}
			}
		}
	}
	extreme, total := 0.0, 0.0
	for s, w := range ways[n1] {
		total += w
		if far(s) >= far(seen) {
			extreme += w
		}
	}
	return extreme / total
}

// Holm adjusts p-values of several questions that are asked at once, so that one wrong answer among all of them is as
// rare as the level says (S. Holm, Scandinavian Journal of Statistics 6 (1979) 65-70). A p of NaN asked nothing, and
// stays.
func Holm(ps []float64) []float64 {
	var order []int
	adjusted := slices.Clone(ps)
	for i, p := range ps {
		if !math.IsNaN(p) {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(ps[i], ps[j]) })
	least := 0.0
	for k, i := range order {
		least = max(least, min(1, ps[i]*float64(len(order)-k)))
		adjusted[i] = least
	}
	return adjusted
}
