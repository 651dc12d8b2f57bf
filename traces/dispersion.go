package traces

import "github.com/smartinco/smartinco/units"

// Index is the index of dispersion of the number of packets in a window: its variance over its mean. It is 0 for
// packets at equal distances, 1 for a Poisson process whatever the window, and grows with the window where bursts are
// longer (Cox and Lewis, The Statistical Analysis of Series of Events, 1966).
type Index struct {
	Window units.Time `json:"window"`
	Index  float64    `json:"index"`
}

// dispersionWindows are in milliseconds.
var dispersionWindows = [...]int64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}

// leastWindows is how many whole windows an index is made of at least.
const leastWindows = 10

// dispersion counts packets in windows of ten lengths, from the first packet on. The zero value is ready.
type dispersion struct {
	total  int64
	now    int64 // millisecond of the last packet
	counts [len(dispersionWindows)]struct {
		number, n int64   // of the window that is counted
		squares   float64 // of the windows before
	}
}

// add counts a packet, at a time since the first one.
func (d *dispersion) add(at instant) {
	d.total++
	if ms := at.sec*1000 + at.ps/int64(units.Millisecond); ms != d.now {
		d.now = ms
		for i, window := range dispersionWindows {
			w := &d.counts[i]
			if number := ms / window; number != w.number {
				w.squares += float64(float64(w.n) * float64(w.n))
				w.number, w.n = number, 0
			}
		}
	}
	for i := range d.counts {
		d.counts[i].n++
	}
}

// indices are those of the whole windows of a recording of a length.
func (d *dispersion) indices(length instant) (all []Index) {
	for i, window := range dispersionWindows {
		w := &d.counts[i] // the last one is not whole
		n := float64((length.sec*1000 + length.ps/int64(units.Millisecond)) / window)
		if mean := float64(d.total-w.n) / n; n >= leastWindows && mean > 0 {
			variance := w.squares/n - float64(mean*mean)
			all = append(all, Index{units.Time(window) * units.Millisecond, max(0, variance/mean)})
		}
	}
	return all
}
