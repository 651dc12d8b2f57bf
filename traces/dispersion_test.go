package traces

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// slowDispersion counts the packets of each whole window on its own.
func slowDispersion(times []units.Time, window units.Time) (index float64, whole int) {
	whole = int(times[len(times)-1] / window)
	counts := make([]float64, whole+1)
	for _, t := range times {
		counts[t/window]++
	}
	mean, variance := 0.0, 0.0
	for _, n := range counts[:whole] {
		mean += n / float64(whole)
	}
	for _, n := range counts[:whole] {
		variance += (n - mean) * (n - mean) / float64(whole)
	}
	return variance / mean, whole
}

func TestTheIndexOfDispersion(t *testing.T) {
	const each = 100 * units.Microsecond
	r := numeric.Stream(1, "test")
	gap := func(mean units.Time) units.Time { return units.Time(float64(mean) * numeric.Exponential(r)) }
	even, random, bursts := []units.Time{0}, []units.Time{0}, []units.Time{0}
	for len(even) < 200_000 {
		even = append(even, even[len(even)-1]+each)
		random = append(random, random[len(random)-1]+gap(each))
		next := bursts[len(bursts)-1] + each/10
		if len(bursts)%1000 == 0 { // 1000 packets in 10 ms, then 90 ms of silence in the mean
			next += gap(900 * each)
		}
		bursts = append(bursts, next)
	}
	for name, c := range map[string]struct {
		times []units.Time
		index func(windows float64) (from, to float64) // what is to be expected
	}{
		"even": {even, func(float64) (from, to float64) { return 0, 0 }},
		"random": {random, func(n float64) (from, to float64) {
			sd := math.Sqrt(2 / n) // of the index of a Poisson process
			return 1 - 4*sd, 1 + 4*sd
		}},
		"bursts": {bursts, func(float64) (from, to float64) { return 50, math.Inf(1) }},
	} {
		var d dispersion
		for _, at := range c.times {
			d.add(instant{}.add(at))
		}
		got := d.indices(instant{}.add(c.times[len(c.times)-1]))
		if len(got) != len(dispersionWindows) {
			t.Fatalf("%s: %d windows", name, len(got))
		}
		for _, x := range got {
			want, n := slowDispersion(c.times, x.Window)
			from, to := c.index(float64(n))
			if x.Index < from || x.Index > to || math.Abs(x.Index-want) > 1e-6*max(1, want) {
				t.Errorf("%s, %v: %v, want %v, from %v to %v", name, x.Window, x.Index, want, from, to)
			}
		}
	}
	for window, want := range map[int]int{9_999: 0, 10_000: 1, 99_999: 3, 100_000: 4} { // microseconds
		var d dispersion
		d.add(instant{})
		end := instant{}.add(units.Time(window) * units.Microsecond)
		d.add(end)
		if got := d.indices(end); len(got) != want {
			t.Errorf("after %d us: %v, want %d windows", window, got, want)
		}
	}
}
