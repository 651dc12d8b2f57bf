package packet

import (
	"math/bits"
	"strconv"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// The delays of a packet that an instance has processed. They are the true ones, also for a packet that was in the
// system when the service rate changed.
const (
	wait     = iota // from the arrival at the instance's ring until the service begins
	sojourn         // from that arrival until the service ends
	endToEnd        // from the generator until the service ends: link, eSwitch and slow path included
	delayKinds
)

var delayNames = [delayKinds]string{"wait", "sojourn", "end-to-end"}

// delays are those of one flow or one instance, by kind. A packet that came to the instance when it was sent is entered
// for sojourn alone. Another is entered for endToEnd too, with its sojourn apart, in late. settle turns this into what
// the names say.
type delays [delayKinds + 1]spans

const late = delayKinds

// spans counts spans of time in log-linear buckets. It keeps the buckets between the least and the greatest span seen.
type spans struct {
	sum     wide
	longest int64
	first   int // bucket of counts[0]
	counts  []uint64
}

// add counts one span.
func (s *spans) add(v int64) {
	b := int(bucket(uint64(v)))
	if i := b - s.first; uint(i) >= uint(len(s.counts)) {
		s.reach(b, b)
	}
	s.counts[b-s.first]++
	s.sum.add(uint64(v))
	s.longest = max(s.longest, v)
}

// reach makes room for the buckets from lo to hi, rounded to groups of 32.
func (s *spans) reach(lo, hi int) {
	if len(s.counts) > 0 {
		lo, hi = min(lo, s.first), max(hi, s.first+len(s.counts)-1)
	}
	lo, hi = lo&^31, hi|31
	counts := make([]uint64, hi+1-lo)
	copy(counts[max(s.first-lo, 0):], s.counts)
	s.first, s.counts = lo, counts
}

// merge adds the spans of o.
func (s *spans) merge(o *spans) {
	if len(o.counts) == 0 {
		return
	}
	s.sum.addWide(o.sum)
	s.longest = max(s.longest, o.longest)
	s.reach(o.first, o.first+len(o.counts)-1)
	for i, c := range o.counts {
		s.counts[o.first-s.first+i] += c
	}
}

// at is how many spans bucket b holds.
func (s *spans) at(b int) uint64 {
	if i := b - s.first; uint(i) < uint(len(s.counts)) {
		return s.counts[i]
	}
	return 0
}

// n is how many spans there are.
func (s *spans) n() (n uint64) {
	for _, c := range s.counts {
		n += c
	}
	return n
}

// trimmed is the same spans without empty buckets at either end. It shares the counts.
func (s *spans) trimmed() spans {
	o := *s
	for len(o.counts) > 0 && o.counts[0] == 0 {
		o.first, o.counts = o.first+1, o.counts[1:]
	}
	for k := len(o.counts); k > 0 && o.counts[k-1] == 0; k-- {
		o.counts = o.counts[:k-1]
	}
	return o
}

// possible says whether the sum is one that the buckets allow. In a leap packets are counted by bucket without it.
func (s *spans) possible() bool {
	var least, most wide
	for i, c := range s.counts {
		lo, hi := Bounds(s.first + i)
		least.addProduct(c, uint64(lo))
		most.addProduct(c, uint64(hi))
	}
	return !s.sum.less(least) && !most.less(s.sum)
}

// addStay enters how long a packet was at the instance, and how long it took in all.
func (d *delays) addStay(stayed, took int64) {
	if stayed == took {
		d[sojourn].add(stayed)
		return
	}
	d[late].add(stayed)
	d[endToEnd].add(took)
}

// possible says whether every sum is.
func (d *delays) possible() bool {
	for k := range d {
		if !d[k].possible() {
			return false
		}
	}
	return true
}

// settle returns the delays of all packets by kind.
func (d *delays) settle() (all delays) {
	all[wait].merge(&d[wait])
	all[sojourn].merge(&d[sojourn])
	all[sojourn].merge(&d[late])
	all[endToEnd].merge(&d[sojourn])
	all[endToEnd].merge(&d[endToEnd])
	return all
}

// wide is a whole number of 128 bits: sums of picoseconds outgrow 64 within minutes.
type wide struct{ hi, lo uint64 }

func (w *wide) add(v uint64) {
	var c uint64
	w.lo, c = bits.Add64(w.lo, v, 0)
	w.hi += c
}

func (w *wide) addWide(v wide) {
	var c uint64
	w.lo, c = bits.Add64(w.lo, v.lo, 0)
	w.hi += v.hi + c
}

// sub subtracts v, which is not greater.
func (w *wide) sub(v wide) {
	var c uint64
	w.lo, c = bits.Sub64(w.lo, v.lo, 0)
	w.hi -= v.hi + c
}

// addProduct adds n*v.
func (w *wide) addProduct(n, v uint64) {
	hi, lo := bits.Mul64(n, v)
	w.addWide(wide{hi, lo})
}

// addTimes adds n*v.
func (w *wide) addTimes(v wide, n uint64) {
	w.addProduct(n, v.lo)
	w.hi += n * v.hi
}

func (w wide) less(v wide) bool { return w.hi < v.hi || w.hi == v.hi && w.lo < v.lo }

// over is w/n as a float64 that is the same on every machine; n is above 0.
func (w wide) over(n uint64) float64 {
	q, r := bits.Div64(w.hi%n, w.lo, n)
	return float64(float64(w.hi/n)*(1<<64)) + (float64(q) + float64(r)/float64(n))
}

// Delays writes the delays of the run, of its instances and of its flows to rec and returns the check of Little's law,
// or nil if delays are not measured. It follows End. The law says nothing of packets that were leaped over. What is
// checked of those is that the sums of their delays fit the histograms.
func (e *Engine) Delays(now units.Time, rec results.Recorder) *results.Little {
	if !e.measure {
		return nil
	}
	little := &results.Little{Holds: true}
	var run delays
	var area, stays wide
	accepted := uint64(0)
	for k := range e.instances {
		s := &e.instances[k].server
		b := s.book
		if b == nil {
			continue
		}
		number, times := b.close(s, int64(now))
		for i := range b.all {
			b.all[i] = b.all[i].trimmed() // nothing is entered any longer
		}
		if (number != times || !b.all.possible()) && little.Holds {
			little.Holds, little.Where = false, "instance "+strconv.Itoa(k)
		}
		little.Checked++
		area.addWide(number)
		stays.addWide(times)
		accepted += b.all[wait].n() + b.lost + s.n - b.next
		for i := range run {
			run[i].merge(&b.all[i])
		}
	}
	if now > 0 {
		little.Number = area.over(uint64(now))
		little.Rate = float64(accepted) / now.Seconds()
	}
	if accepted > 0 {
		little.Time = stays.over(accepted) / float64(units.Second)
	}
	run.write(rec, "run", 0)
	for k := range e.instances {
		if b := e.instances[k].book; b != nil {
			b.all.write(rec, "instance", k)
		}
	}
	for f := range e.delays {
		e.delays[f].write(rec, "flow", f)
	}
	return little
}

// write hands the delays of one scope to rec, a row for each kind. A scope without packets has no row.
func (d *delays) write(rec results.Recorder, scope string, number int) {
	all := d.settle()
	for k := range delayKinds {
		if row, buckets, ok := all[k].Row(scope, number, delayNames[k]); ok {
			rec.Latency(&row, buckets)
		}
	}
}
