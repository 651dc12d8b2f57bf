package traces

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// mmppTimes are the packets of an MMPP-2 up to end, with rates in bursts and between them.
func mmppTimes(r *rand.Rand, high, low float64, on, off, end units.Time) (ts []units.Time) {
	rates, lengths, state := [2]float64{low, high}, [2]units.Time{off, on}, 0
	for t := units.Time(0); t < end; state = 1 - state {
		until := min(end, t+1+units.Time(float64(lengths[state])*numeric.Exponential(r)))
		if rate := rates[state]; rate > 0 {
			for {
				x := float64(units.Second) / rate * numeric.Exponential(r)
				if x >= float64(until-t) {
					break
				}
				t += units.Time(x)
				ts = append(ts, t)
			}
		}
		t = until
	}
	return ts
}

func momentsOf(ts []units.Time) []counts {
	var d dispersion
	for _, t := range ts {
		d.add(instant{}.add(t - ts[0]))
	}
	return d.moments(instant{}.add(ts[len(ts)-1] - ts[0]))
}

// slowMoments counts the packets of each whole window on its own.
func slowMoments(times []units.Time, window units.Time) (k counts) {
	k.window, k.n = window, int64((times[len(times)-1]-times[0])/window)
	n := make([]float64, k.n+1)
	for _, t := range times {
		n[(t-times[0])/window]++
	}
	for _, x := range n[:k.n] {
		k.mean += x / float64(k.n)
	}
	for _, x := range n[:k.n] {
		k.second += (x - k.mean) * (x - k.mean) / float64(k.n)
		k.third += (x - k.mean) * (x - k.mean) * (x - k.mean) / float64(k.n)
	}
	return k
}

// The moments are those of every window; the index is 0 of packets at equal distances, 1 of a Poisson process within
// four deviations, and large of bursts.
func TestTheIndexOfDispersion(t *testing.T) {
	const each = 100 * units.Microsecond
	r := numeric.Stream(1, "test")
	gap := func(mean units.Time) units.Time { return units.Time(float64(mean) * numeric.Exponential(r)) }
	even, random, bursts := []units.Time{7}, []units.Time{7}, []units.Time{7}
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
		"bursts": {bursts, func(float64) (from, to float64) { return 1.5, math.Inf(1) }},
	} {
		all := momentsOf(c.times)
		if first, last := all[0].window, all[len(all)-1].window; len(all) < 13 || first < each || first > 2*each ||
			last != units.Second && last != 2*units.Second {
			t.Errorf("%s: %d scales from %v to %v", name, len(all), first, last)
		}
		for _, k := range all {
			want := slowMoments(c.times, k.window)
			third := math.Abs(k.third-want.third) / max(1, math.Abs(want.third))
			if k.n != want.n || math.Abs(k.mean-want.mean) > 1e-9*want.mean ||
				math.Abs(k.second-want.second) > 1e-6*max(1, want.second) || third > 1e-3 {
				t.Errorf("%s: %+v, want %+v", name, k, want)
			}
			if from, to := c.index(float64(k.n)); k.second/k.mean < from || k.second/k.mean > to {
				t.Errorf("%s, %v: %v, want %v to %v", name, k.window, k.second/k.mean, from, to)
			}
		}
		some := shown(all)
		if len(some) != 10 || some[0].Window != all[0].window || some[9].Window != all[len(all)-1].window {
			t.Errorf("%s: %v are shown", name, some)
		}
		for i := 1; i < len(some); i++ {
			if some[i].Window <= some[i-1].Window {
				t.Errorf("%s: %v are shown", name, some)
			}
		}
	}
}

// A window counts when ten of it are whole and it holds a packet in the mean.
func TestScalesLieBetweenThePacketsAndTheLength(t *testing.T) {
	for _, c := range []struct {
		packets     int
		gap         units.Time
		first, last units.Time
		scales      int
	}{
		{2, units.Second, 0, 0, 0},
		{11, units.Millisecond, units.Millisecond, units.Millisecond, 1},
		{20, units.Millisecond, units.Millisecond, units.Millisecond, 1},
		{21, units.Millisecond, units.Millisecond, 2 * units.Millisecond, 2},
		{1001, 3 * units.Nanosecond, 5 * units.Nanosecond, 200 * units.Nanosecond, 6},
		{101, 24 * units.Hour, 100_000 * units.Second, 500_000 * units.Second, 3},
	} {
		var ts []units.Time
		for i := range c.packets {
			ts = append(ts, units.Time(i)*c.gap)
		}
		all := momentsOf(ts)
		if len(all) != c.scales || len(all) > 0 && (all[0].window != c.first || all[len(all)-1].window != c.last) {
			t.Errorf("%d packets %v apart: %+v, want %d scales from %v to %v", c.packets, c.gap, all, c.scales, c.first,
				c.last)
		}
	}
	var d dispersion // of years, whose windows are longer than any time
	for i := range int64(1000) {
		d.add(instant{sec: i * 1e7})
	}
	for _, k := range d.moments(instant{sec: 999e7}) {
		if k.window <= 0 || k.second > k.mean {
			t.Errorf("%+v", k)
		}
	}
}

// The parameters of a process come back from some 2000 bursts: the ratio of rates within 5 % and the times within 15 %.
// The rate is that of the packets.
func TestAnMMPPIsFittedBack(t *testing.T) {
	const us, ms = units.Microsecond, units.Millisecond
	for i, c := range []struct {
		high, low float64
		on, off   units.Time
	}{
		{3e5, 3e4, ms, 9 * ms}, {1e5, 1e4, 5 * ms, 5 * ms}, {1e5, 2e4, 9 * ms, ms}, {2e5, 1e5, 2 * ms, 3 * ms},
		{1e6, 1e3, 100 * us, 900 * us}, {5e5, 0, ms, 99 * ms}, {2e5, 0, 2 * ms, 3 * ms},
	} {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		length := 2000 * (c.on + c.off)
		ts := mmppTimes(r, c.high, c.low, c.on, c.off, length)
		m := fitMMPP(momentsOf(ts))
		if m == nil {
			t.Errorf("%+v: none fits", c)
			continue
		}
		t.Logf("%+v: %v, misfit %.3f", c, m, m.Misfit)
		off := func(got, want float64) float64 { return math.Abs(got/want - 1) }
		burst := off(m.Burst, c.high/c.low) < 0.05
		if c.low <= 1e3 { // whatever comes between bursts
			burst = m.Burst > 500
		}
		rate := float64(len(ts)) / length.Seconds()
		if off(m.Rate, rate) > 0.01 || !burst || off(float64(m.On), float64(c.on)) > 0.15 ||
			off(float64(m.Off), float64(c.off)) > 0.15 || m.Misfit > 0.15 {
			t.Errorf("%+v, %.4g packets a second: %v, misfit %.3f", c, rate, m, m.Misfit)
		}
	}
}

// No process is fitted to what is not bursty, or has too few packets.
func TestNoMMPPFits(t *testing.T) {
	r := numeric.Stream(2, "test")
	var even, pairs []units.Time
	for i := range units.Time(10_000) {
		even = append(even, i*units.Microsecond)
		pairs = append(pairs, i/2*units.Microsecond) // bursts that long windows do not see
	}
	all := map[string][]units.Time{"even": even, "pairs": pairs}
	for i := range 40 {
		all[fmt.Sprintf("poisson %d", i)] = mmppTimes(r, 1e5, 1e5, units.Millisecond, units.Millisecond, units.Second/8)
	}
	for name, ts := range all {
		if m := fitMMPP(momentsOf(ts)); m != nil {
			t.Errorf("%s: %v", name, m)
		}
	}
	bursts := momentsOf(mmppTimes(r, 1e5, 1e3, units.Millisecond, units.Millisecond, units.Second))
	if fitMMPP(bursts[:5]) == nil || fitMMPP(bursts[:4]) != nil {
		t.Error("a process is fitted to five scales, and to no fewer")
	}
}
