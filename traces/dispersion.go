package traces

import "github.com/smartinco/smartinco/units"

// Index is the index of dispersion for counts: the variance of the number of packets in a window over its mean, Var
// N(t) / E N(t). It is 0 for packets at equal distances, 1 for a Poisson process whatever the window, and grows with
// the window where bursts are longer (Cox and Lewis, The Statistical Analysis of Series of Events, 1966; Gusella,
// Characterizing the variability of arrival processes with indexes of dispersion, IEEE JSAC 9, 1991). Of a Poisson
// process, the index of n windows has a standard deviation of sqrt(2/n).
type Index struct {
	Window  units.Time `json:"window"`
	Windows int64      `json:"windows"` // whole ones
	Index   float64    `json:"index"`
}

// What is shown: so many scales, from the mean time between two packets to a tenth of the length.
const (
	shownScales  = 10
	leastWindows = 10
)

// decades of nanoseconds, as many as fit a recording of 278 years: windows are 1, 2 and 5 of each.
const decades = 18

// dispersion counts packets in windows of every length, from the first packet on. The zero value is ready. A window of
// ten ends where one of the decade below ends, so most packets change few counts.
type dispersion struct {
	total  int64
	now    int64 // nanosecond of the last packet
	scales [3 * decades]scale
}

// scale is windows of one length.
type scale struct {
	number         int64   // of the window that is counted
	before         int64   // packets before it
	squares, cubes float64 // of the counts of the windows before
}

func (s *scale) enter(number, total int64) {
	if number != s.number {
		n := float64(total - s.before)
		s.squares += float64(n * n)
		s.cubes += float64(float64(n*n) * n)
		s.number, s.before = number, total
	}
}

// nanoseconds is a length of time, cut.
func (t instant) nanoseconds() int64 { return t.sec*1e9 + t.ps/int64(units.Nanosecond) }

// add counts a packet, at a time since the first one.
func (d *dispersion) add(at instant) {
	if ns := at.nanoseconds(); ns != d.now {
		d.now = ns
		for i := 0; i < len(d.scales) && ns != d.scales[i].number; i, ns = i+3, ns/10 {
			d.scales[i].enter(ns, d.total)
			d.scales[i+1].enter(ns/2, d.total)
			d.scales[i+2].enter(ns/5, d.total)
		}
	}
	d.total++
}

// counts are the central moments of the packets in a window.
type counts struct {
	window              units.Time
	n                   int64 // windows
	mean, second, third float64
}

// moments are those of the whole windows of a recording of a length, for all windows that are at least as long as the
// mean time between two packets and of which there are ten.
func (d *dispersion) moments(length instant) (all []counts) {
	ns := length.nanoseconds()
	window := int64(1)
	for i := range d.scales {
		switch {
		case i == 0:
		case i%3 == 2:
			window = window / 2 * 5
		default:
			window *= 2
		}
		s := &d.scales[i] // whose last window is not whole
		k := counts{window: units.Time(window) * units.Nanosecond, n: ns / window}
		if k.n < leastWindows || window > int64(units.Never/units.Nanosecond) {
			break
		}
		if n := float64(k.n); d.total/k.n >= 1 && s.before > 0 {
			k.mean = float64(s.before) / n
			squares, cubes := s.squares/n, s.cubes/n
			k.second = max(0, squares-float64(k.mean*k.mean))
			k.third = cubes - float64(3*k.mean*squares) + float64(2*float64(k.mean*k.mean)*k.mean)
			all = append(all, k)
		}
	}
	return all
}

// shown are the indices at ten of the scales, or at all if there are fewer, evenly in the logarithm.
func shown(all []counts) (some []Index) {
	for i := range min(shownScales, len(all)) {
		k := &all[i]
		if len(all) > shownScales {
			k = &all[(i*(len(all)-1)+(shownScales-1)/2)/(shownScales-1)]
		}
		some = append(some, Index{k.window, k.n, k.second / k.mean})
	}
	return some
}
