package packet

import (
	"math/bits"
	"strconv"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/packet/queue"
	"github.com/smartinco/smartinco/units"
)

// The delays of a packet that an instance has processed. Those in force are the true ones: where the service changed
// while the packet was in the system, they are what came of it.
const (
	wait     = iota // at the instance, from the arrival at its ring until its service begins
	sojourn         // at the instance, until its service ends
	endToEnd        // from the generator until its service ends: link, eSwitch and slow path included
	delayKinds
)

var delayNames = [delayKinds]string{"wait", "sojourn", "end-to-end"}

// delays are those of one flow or one instance, by kind. A packet that came to the instance when it was sent is entered
// for sojourn alone, and only the others for endToEnd too, with their sojourns apart in late: settle makes of that what the
// names say.
type delays [delayKinds + 1]spans

const late = delayKinds

// spans counts spans of time in the buckets of queue.Histogram, of which it keeps those between the least and the
// greatest that it has seen.
type spans struct {
	sum     wide
	longest int64
	first   int // bucket of counts[0]
	counts  []uint64
}

// add counts one span.
func (s *spans) add(v int64) {
	b := queue.Bucket(units.Time(v))
	if i := b - s.first; uint(i) >= uint(len(s.counts)) {
		s.reach(b, b)
	}
	s.counts[b-s.first]++
	s.sum.add(uint64(v))
	s.longest = max(s.longest, v)
}

// reach makes room for the buckets from lo to hi, and for those of the same groups of 32.
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

// n is how many spans there are.
func (s *spans) n() (n uint64) {
	for _, c := range s.counts {
		n += c
	}
	return n
}

// add enters one packet.
func (d *delays) add(waited, stayed, took int64) {
	d[wait].add(waited)
	if stayed == took {
		d[sojourn].add(stayed)
		return
	}
	d[late].add(stayed)
	d[endToEnd].add(took)
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

// addProduct adds n*v.
func (w *wide) addProduct(n, v uint64) {
	hi, lo := bits.Mul64(n, v)
	w.addWide(wide{hi, lo})
}

// over is w/n as a float64 that is the same on every machine; n is above 0.
func (w wide) over(n uint64) float64 {
	q, r := bits.Div64(w.hi%n, w.lo, n)
	return float64(float64(w.hi/n)*(1<<64)) + (float64(q) + float64(r)/float64(n))
}

// book is an instance's account of delays. It goes from one arrival or departure to the next, in order of time, and
// keeps two sums that know nothing of each other: of the delays of the packets, and of how many were in the system for
// how long. Little's law says that they are equal.
type book struct {
	marks  []mark // of the packets in the ring, slot by slot
	oldest int    // slot of the packet that leaves next
	n      int    // packets in the system at the time at
	at     int64
	left   int64 // last departure
	area   wide  // time-integral of n
	cut    wide  // times in the system of packets that were lost there
	lost   uint64
	all    delays
	flows  []delays // of all flows; nil where they are not wanted
}

// mark is when a packet was sent and when it came to the ring.
type mark struct{ sent, at int64 }

func newBook(buffer int, now int64, flows []delays) *book {
	b := &book{marks: make([]mark, buffer), at: now, flows: flows}
	for k := range b.all {
		b.all[k].reach(0, queue.Buckets-1)
	}
	return b
}

// accept enters the packet that arrives at t and takes slot pos of the ring.
func (b *book) accept(ring []slot, pos int, t, sent int64) {
	b.depart(ring, t)
	b.marks[pos] = mark{sent, t}
	b.n++
}

// depart enters the departures up to now.
func (b *book) depart(ring []slot, now int64) {
	marks, oldest, n, at, left, area := b.marks, b.oldest, b.n, b.at, b.left, b.area
	waits, sojourns := (*[queue.Buckets]uint64)(b.all[wait].counts), (*[queue.Buckets]uint64)(b.all[sojourn].counts)
	for n > 0 && ring[oldest].dep <= now {
		p, m := &ring[oldest], &marks[oldest]
		if oldest++; oldest == len(ring) {
			oldest = 0
		}
		area.addProduct(uint64(n), uint64(p.dep-at))
		at = p.dep
		n--
		waited, stayed := max(left-m.at, 0), p.dep-m.at
		left = p.dep
		// These are b.all.add and spans.add, where every bucket has its place.
		w, s := &b.all[wait], &b.all[sojourn]
		waits[queue.Bucket(units.Time(waited))]++
		w.sum.add(uint64(waited))
		w.longest = max(w.longest, waited)
		if m.sent == m.at {
			sojourns[queue.Bucket(units.Time(stayed))]++
			s.sum.add(uint64(stayed))
			s.longest = max(s.longest, stayed)
		} else {
			b.all[late].add(stayed)
			b.all[endToEnd].add(p.dep - m.sent)
		}
		if b.flows != nil {
			b.flows[p.f].add(waited, stayed, p.dep-m.sent)
		}
	}
	area.addProduct(uint64(n), uint64(now-at))
	b.oldest, b.n, b.at, b.left, b.area = oldest, n, now, left, area
}

// flush enters that the packets in the system are lost.
func (b *book) flush(ring []slot, now int64) {
	b.depart(ring, now)
	b.lost += uint64(b.n)
	b.cut.addWide(b.unfinished(now))
	b.oldest = (b.oldest + b.n) % len(ring)
	b.n, b.left = 0, now
}

// unfinished is how long the packets in the system have been there.
func (b *book) unfinished(now int64) (sum wide) {
	for k := range b.n {
		sum.add(uint64(now - b.marks[(b.oldest+k)%len(b.marks)].at))
	}
	return sum
}

// Delays writes the delays of the run, of its instances and of its flows to rec, and returns the check of Little's
// law; nil where delays are not measured. It follows End.
func (e *Engine) Delays(now units.Time, rec results.Recorder) *results.Little {
	if !e.measure {
		return nil
	}
	little := &results.Little{Holds: true}
	var run delays
	var area, stays wide
	accepted := uint64(0)
	for k := range e.instances {
		b := e.instances[k].book
		if b == nil {
			continue
		}
		b.depart(e.instances[k].ring, int64(now))
		all := b.all.settle()
		sum := all[sojourn].sum
		sum.addWide(b.cut)
		sum.addWide(b.unfinished(int64(now)))
		if sum != b.area && little.Holds {
			little.Holds, little.Where = false, "instance "+strconv.Itoa(k)
		}
		little.Checked++
		area.addWide(b.area)
		stays.addWide(sum)
		accepted += all[sojourn].n() + b.lost + uint64(b.n)
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

// write hands the delays of one scope to rec, one row a kind; a scope without packets has none.
func (d *delays) write(rec results.Recorder, scope string, number int) {
	all := d.settle()
	for k := range delayKinds {
		s := &all[k]
		n := s.n()
		if n == 0 {
			continue
		}
		row := results.Latency{Scope: scope, Number: int32(number), Kind: delayNames[k], Count: int64(n), Mean: s.sum.over(n), Max: s.longest}
		var buckets []results.Bucket
		for i, c := range s.counts {
			if c > 0 {
				lo, hi := queue.Bounds(s.first + i)
				buckets = append(buckets, results.Bucket{Scope: scope, Number: row.Number, Kind: row.Kind, Low: int64(lo), High: int64(hi), Count: int64(c)})
			}
		}
		for _, q := range []struct {
			perMille int64
			to       *int64
		}{{500, &row.P50}, {900, &row.P90}, {990, &row.P99}, {999, &row.P999}} {
			*q.to = min(results.Quantile(buckets, q.perMille), s.longest)
		}
		rec.Latency(&row, buckets)
	}
}
