package forecast

import (
	"math"

	"github.com/smartinco/smartinco/numeric"
)

// holtWinters is triple exponential smoothing: Holt, ONR memorandum 52 (1957), and Winters, Management Science 6 (1960)
// 324. Level l, trend b and the m seasonal terms s are brought up to date with each value y of a series; with additive
// trend and season, by
//
//	l = α (y − s) + (1 − α) (l' + b')
//	b = β (l − l') + (1 − β) b'
//	s = γ (y − l' − b') + (1 − γ) s'
//
// where ' marks the values before, and s' those of a season ago. With a multiplicative trend, l' b' stands for l' + b',
// and l / l' for l − l'. With a multiplicative season, division stands for the subtraction of s' and of l' + b'.
//
// This is the form of statsmodels, whose season goes by the level and the trend before y.
type holtWinters struct {
	alpha, beta, gamma float64 // 0 to 1
	period             int     // m, 2 or more
	trend, season      kind
	legacy             bool // the older way to find the first level, trend and season

	seasons, averages, sums []float64 // of the present series; of whole numbers, the sums are exact
}

// kind is how a component is combined with the others.
type kind uint8

const (
	additive kind = iota
	multiplicative
)

// with adds or multiplies, without is the inverse.
func (k kind) with(a, b float64) float64 {
	if k == multiplicative {
		return float64(a * b)
	}
	return a + b
}

func (k kind) without(a, b float64) float64 {
	if k == multiplicative {
		return a / b
	}
	return a - b
}

// least is how many values a series must have.
func (h *holtWinters) least() int { return max(2*h.period, averaged+2*(h.period/2)) }

// next is the value that follows a series of least() values or more. It may be infinite or not a number.
func (h *holtWinters) next(y []float64) float64 {
	level, trend := h.begin(y)
	return h.after(y, level, trend)
}

// after is the same where the level, the trend and the seasons before the series are known.
func (h *holtWinters) after(y []float64, level, trend float64) float64 {
	k := 0
	for _, v := range y {
		s := &h.seasons[k]
		expected := h.trend.with(level, trend)
		now := float64(h.alpha*h.season.without(v, *s)) + float64((1-h.alpha)*expected)
		trend = float64(h.beta*h.trend.without(now, level)) + float64((1-h.beta)*trend)
		*s = float64(h.gamma*h.season.without(v, expected)) + float64((1-h.gamma)**s)
		level = now
		if k++; k == h.period {
			k = 0
		}
	}
	return h.season.with(h.trend.with(level, trend), h.seasons[k])
}

// begin finds the first level, trend and seasons.
func (h *holtWinters) begin(y []float64) (level, trend float64) {
	if h.seasons == nil {
		h.seasons = make([]float64, h.period)
	}
	if h.legacy {
		return h.beginLegacy(y)
	}
	return h.beginHeuristic(y)
}

// averaged is how many moving averages the first level and trend are fitted to.
const averaged = 10

// beginHeuristic is the way of Hyndman et al., Forecasting with Exponential Smoothing (2008), 2.6: a season is the mean
// difference of the first cycles from their centred moving average, and level and trend are a line through the first
// averages. Five cycles count, or more where ten averages need them.
func (h *holtWinters) beginHeuristic(y []float64) (level, trend float64) {
	m, half := h.period, h.period/2
	cycles := max(min(5, len(y)/m), (averaged+2*half+m-1)/m)
	y = y[:min(len(y), m*cycles)]
	sum := 0.0
	h.averages, h.sums = h.averages[:0], append(h.sums[:0], 0)
	for _, v := range y {
		sum += v
		h.sums = append(h.sums, sum)
	}
	for i := half; i < len(y)-half; i++ {
		sum := h.sums[i+half+1] - h.sums[i-half]
		if m%2 == 0 { // an average of two, each of m values
			sum -= float64((y[i-half] + y[i+half]) / 2)
		}
		h.averages = append(h.averages, sum/float64(m))
	}
	mean := 0.0
	for k := range h.seasons {
		sum, n := 0.0, 0
		for i := k; i < len(y); i += m {
			if j := i - half; j >= 0 && j < len(h.averages) {
				sum, n = sum+h.season.without(y[i], h.averages[j]), n+1
			}
		}
		h.seasons[k] = sum / float64(n)
		mean += h.seasons[k] / float64(m)
	}
	for k, s := range h.seasons {
		h.seasons[k] = h.season.without(s, mean)
	}
	line := fit(averaged, func(i int) (x, y float64) { return float64(i + 1), h.averages[i] })
	if h.trend == multiplicative {
		return line.at0, 1 + line.slope/line.at0
	}
	return line.at0, line.slope
}

// beginLegacy is the older way of statsmodels: the level is the mean of the first values of all cycles, the trend that
// from the first cycle to the second, and the seasons are the first cycle's distances from the level.
func (h *holtWinters) beginLegacy(y []float64) (level, trend float64) {
	m, n := h.period, 0
	for i := 0; i < len(y); i += m {
		level, n = level+y[i], n+1
	}
	level /= float64(n)
	var first, second float64
	for i := range m {
		first, second = first+y[i], second+y[m+i]
		h.seasons[i] = h.season.without(y[i], level)
	}
	if h.trend == multiplicative {
		if !(first > 0 && second > 0) {
			return math.NaN(), 0
		}
		return level, numeric.Exp((numeric.Log(second) - numeric.Log(first)) / float64(m))
	}
	return level, (second - first) / float64(m) / float64(m)
}
