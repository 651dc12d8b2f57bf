package traces

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// MMPP is a Poisson process of two states, Markov-modulated (MMPP-2): it has one rate in bursts and another between
// them, and both last for exponential times. Its fields are keys of a workload of requests with arrivals: mmpp. None
// fits packets that are no burstier than a Poisson process, or less so in long windows, nor those of fewer than five
// scales.
type MMPP struct {
	Rate   float64    `json:"rate"`     // packets a second, in the mean
	Burst  float64    `json:"burst"`    // the rate in a burst, over that between bursts; at most MostBurst
	On     units.Time `json:"on_time"`  // mean length of a burst
	Off    units.Time `json:"off_time"` // mean time between bursts
	Misfit float64    `json:"misfit"`   // root mean square of the relative error of the index of dispersion
}

// MostBurst is the greatest value of the key burst, and mostPhase that of on_time and off_time.
const (
	MostBurst = 1e6
	mostPhase = units.Hour
)

// String prints the process so that a scenario can take it: as keys and values.
func (m *MMPP) String() string {
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	return fmt.Sprintf("arrivals: mmpp, rate: %s, burst: %s, on_time: %v, off_time: %v", number(m.Rate),
		number(m.Burst), m.On, m.Off)
}

// leastScales is to how many an MMPP-2 is fitted at least.
const leastScales = 5

// fitMMPP fits an MMPP-2 to the moments of counts; nil where none fits.
//
// The process has four parameters, which follow from the moments that Heffes and Lucantoni match (A Markov modulated
// characterization of packetized voice and data traffic and related statistical multiplexer performance, IEEE JSAC 4,
// 1986, 856-868): the mean, the index of dispersion and the third moment. They take the index at one time and at
// infinity. Here it is fitted at all scales, by least squares of the relative error: with r = 1/on + 1/off,
//
//	IDC(t) = 1 + a (1 - (1 - exp(-rt)) / rt)
//
// The third moment tells short bursts from long ones: with p = on / (on + off), and d the difference of the two rates,
// the rate has the variance v = d² p (1-p) = a r mean / 2, and the third cumulant of the counts, less what is
// Poisson's, is 6 s (t/r² - 2/r³ + exp(-rt) (t/r² + 2/r³)) with s = v d (1-2p). It is taken from the scales near 1/r.
func fitMMPP(all []counts) *MMPP {
	bursty := slices.ContainsFunc(all, func(k counts) bool {
		return k.second/k.mean > 1+float64(4*math.Sqrt(2/float64(k.n)))
	})
	if !bursty || len(all) < leastScales {
		return nil
	}
	a, r, misfit := fitIndex(all)
	if a <= 0 {
		return nil
	}
	rate := all[0].mean / all[0].window.Seconds()
	v := float64(a * r * rate / 2)
	s := thirdCumulant(all, r)
	x := float64(s*s) / float64(float64(v*v)*v) // (1-2p)² / p(1-p)
	p := float64(0.5 * (1 - math.Copysign(math.Sqrt(x/(x+4)), s)))
	d := math.Sqrt(v / float64(p*(1-p)))
	low := rate - float64(p*d)
	m := &MMPP{Rate: round(rate), Burst: MostBurst, Misfit: misfit}
	if low*MostBurst <= low+d { // none between bursts, at most: the variance then says how long they are
		p = float64(rate*rate) / (float64(rate*rate) + v)
	} else {
		m.Burst = round((low + d) / low)
	}
	m.On, m.Off = phase(r*(1-p)), phase(r*p)
	if m.On > mostPhase || m.Off > mostPhase {
		return nil
	}
	return m
}

// round rounds to four digits.
func round(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 4, 64), 64)
	return y
}

// phase is the mean length of a phase that ends at a rate.
func phase(rate float64) units.Time {
	return units.Time(max(1, min(round(float64(units.Second)/rate), float64(units.Never/2))))
}

// growth is 1 - (1 - exp(-x)) / x.
func growth(x float64) float64 {
	if x < 1e-5 {
		return x / 2
	}
	return 1 - (1-numeric.Exp(-x))/x
}

// fitIndex fits a and r, and says how good the fit is. A scale counts in proportion to the number of its independent
// windows, and those that are shorter than 1/r are not independent: so the fit is made twice.
func fitIndex(all []counts) (a, r, misfit float64) {
	weights := make([]float64, len(all))
	for i, k := range all {
		weights[i] = min(1, float64(k.n)/1000)
	}
	_, r, misfit = fitWeighted(all, weights)
	for i, k := range all {
		weights[i] = min(1, 1/float64(r*k.window.Seconds()))
	}
	a, r, _ = fitWeighted(all, weights)
	return a, r, misfit
}

// fitWeighted finds the r with the least misfit: a then follows.
func fitWeighted(all []counts, weights []float64) (a, r, misfit float64) {
	fit := func(r float64) (a, misfit float64) {
		var up, down, sum float64
		for i, k := range all {
			index, g := k.second/k.mean, growth(r*k.window.Seconds())
			w := weights[i] / float64(index*index)
			up += float64(float64(w*g) * (index - 1))
			down += float64(float64(w*g) * g)
		}
		a = up / down
		for i, k := range all {
			index := k.second / k.mean
			e := (index - 1 - float64(a*growth(r*k.window.Seconds()))) / index
			misfit += float64(weights[i] * float64(e*e))
			sum += weights[i]
		}
		return a, math.Sqrt(misfit / sum)
	}
	ratio := numeric.Exp(0.1)
	misfit = math.Inf(1)
	for x := 0.1 / all[len(all)-1].window.Seconds(); x < 10/all[0].window.Seconds(); x *= ratio {
		if b, e := fit(x); e < misfit {
			a, r, misfit = b, x, e
		}
	}
	for h := ratio; h > 1+1e-9; h = 1 + float64((h-1)/2) { // and nearer
		for _, x := range []float64{r / h, r * h} {
			if b, e := fit(x); e < misfit {
				a, r, misfit = b, x, e
			}
		}
	}
	return a, r, misfit
}

// thirdCumulant is s of fitMMPP.
func thirdCumulant(all []counts, r float64) float64 {
	sum, weights := 0.0, 0.0
	for _, k := range all {
		t := k.window.Seconds()
		if x := r * t; x > 0.2 && x < 5 {
			e := numeric.Exp(-x)
			shape := float64(t/float64(r*r)*(1+e)) - float64(2/float64(float64(r*r)*r)*(1-e))
			rest := k.third - float64(3*k.second) + float64(2*k.mean)
			w := min(1, 1/x)
			sum += float64(w * (rest / float64(6*shape)))
			weights += w
		}
	}
	if weights == 0 {
		return 0
	}
	return sum / weights
}
