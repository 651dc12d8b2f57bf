package knative

import "math"

// seconds keeps one value for each of the last seconds.
type seconds struct {
	ring  []float64
	last  int64 // the newest second
	count int   // seconds with a value, at most len(ring)
}

// record sets the value of a second. Those since the newest one take it too; the second itself forgets an older value.
func (w *seconds) record(at int64, value float64) {
	fresh := min(at-w.last, int64(len(w.ring)))
	if w.count == 0 {
		fresh = 1
	}
	w.last = at
	w.count = min(w.count+int(fresh), len(w.ring))
	for i := range max(1, fresh) {
		w.ring[w.slot(i)] = value
	}
}

// mean is that of the newest n seconds, or of those that have a value, cut off after six decimals.
func (w *seconds) mean(n int) float64 {
	n = min(n, w.count)
	sum := 0.0
	for i := range n {
		sum += w.ring[w.slot(int64(i))]
	}
	return math.Floor(sum/float64(n)*1e6) / 1e6
}

// slot is where the i-th newest second is.
func (w *seconds) slot(i int64) int {
	return int((w.last - i + int64(len(w.ring))) % int64(len(w.ring)))
}

// maximum is the highest of the numbers of the last periods, the present one included.
type maximum struct {
	periods []period
	now     int64
}

type period struct {
	after int64 // its number plus 1; 0 for none
	most  int
}

func newMaximum(periods int) *maximum { return &maximum{periods: make([]period, periods)} }

func (m *maximum) record(at int64, n int) {
	m.now = at
	p := &m.periods[at%int64(len(m.periods))]
	if p.after != at+1 {
		*p = period{at + 1, n}
	}
	p.most = max(p.most, n)
}

func (m *maximum) current() (most int) {
	for _, p := range m.periods {
		if m.now-p.after+1 < int64(len(m.periods)) && p.after > 0 {
			most = max(most, p.most)
		}
	}
	return most
}
