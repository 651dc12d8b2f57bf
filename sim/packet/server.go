package packet

import (
	"math"
	"math/bits"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// clock hands out spans of a whole number of picoseconds whose mean is exact to 2^-20 ps. A capacity of 7 Mpps is
// served in 142857 or 142858 ps, so that a long run does not drift away from it.
type clock struct {
	base      int64
	frac, acc uint64
}

const fracBits = 20

// newClock hands out perSecond spans a second: 1 to 1e12.
func newClock(perSecond float64) clock {
	ticks := uint64(math.Round(float64(units.Second) / perSecond * (1 << fracBits)))
	ticks = max(ticks, 1<<fracBits)
	return clock{base: int64(ticks >> fracBits), frac: ticks & (1<<fracBits - 1)}
}

// span is the next span.
func (c *clock) span() int64 {
	c.acc += c.frac
	d := c.base + int64(c.acc>>fracBits)
	c.acc &= 1<<fracBits - 1
	return d
}

// extra is by how much the sum of the next n spans, which it passes over, exceeds n*base; n is below 2^43.
func (c *clock) extra(n uint64) int64 {
	c.acc += n * c.frac
	d := int64(c.acc >> fracBits)
	c.acc &= 1<<fracBits - 1
	return d
}

// last is the sum of the n spans that were handed out last; n is below 2^43.
func (c *clock) last(n uint64) int64 {
	d := int64(n)*c.base + int64(n*c.frac>>fracBits)
	if n*c.frac&(1<<fracBits-1) > c.acc {
		d++
	}
	return d
}

// ticks is the mean span in 2^-20 ps.
func (c *clock) ticks() uint64 { return uint64(c.base)<<fracBits | c.frac }

// server is an instance's ring and what serves it. At a tie a departure comes before an arrival, and arrivals come in
// the order of their flows. When a packet leaves is known when it is accepted: the server falls idle at idle, so its
// service starts at max(idle, t). A log keeps the last packets accepted. At most room packets are in the system, so
// there is room if the packet accepted room acceptances ago has left.
type server struct {
	room int
	dep  []int64 // of the packet accepted as number n, at n modulo its length, a power of two: when it leaves
	who  []whose // and whose it is
	n    uint64  // packets accepted, plus room that count as gone at time 0
	idle int64   // when it falls idle: the last departure
	work int64   // time that all accepted packets take
	even int64   // packets in the system from then on take the clock's spans
	clock
	perByte int64
	draw    func(mean int64) int64 // of a random service time; nil for none
	book    *book                  // of delays; nil where they are not measured
}

// whose says what an accepted packet is; the flow is unknown after a jump.
type whose struct {
	f    flow.ID
	size int32
}

const unknown flow.ID = -1

// margin is how many packets the log holds beyond those that may be in the system, at least. So many are decided at a
// time and entered into the book.
const margin = 1024

// newServer is an idle server; book may be nil.
func newServer(room int, c clock, perByte int64, draw func(int64) int64, b *book) server {
	size := 1 << bits.Len(uint(room+margin-1))
	s := server{room: room, dep: make([]int64, size), who: make([]whose, size), n: uint64(room), clock: c,
		perByte: perByte, draw: draw, book: b}
	if b != nil {
		b.open(&s)
	}
	return s
}

// service draws the service time of an accepted packet; bytes is what its bytes cost.
func (s *server) service(bytes int64) int64 {
	if s.draw != nil {
		return s.draw(s.base) + bytes
	}
	return s.span() + bytes
}

// take offers a packet and says whether it was accepted.
func (s *server) take(x parcel) bool {
	mask := uint64(len(s.dep) - 1)
	if s.dep[(s.n-uint64(s.room))&mask] > x.at {
		return false
	}
	d := s.service(int64(x.size) * s.perByte)
	s.work += d
	s.idle = max(s.idle, x.at) + d
	s.dep[s.n&mask], s.who[s.n&mask] = s.idle, whose{x.f, x.size}
	if s.book != nil {
		s.book.accept(s, x.at, x.sent)
	}
	s.n++
	return true
}

// back is where the packet accepted k packets before the last stands.
func (s *server) back(k int) int { return int((s.n - 1 - uint64(k)) & uint64(len(s.dep)-1)) }

// held is how many packets are in the system; one that leaves at now has left.
func (s *server) held(now int64) int {
	k := 0
	for k < s.room && s.dep[s.back(k)] > now {
		k++
	}
	return k
}

// flush loses what is in the system, and hands it to lost.
func (s *server) flush(now int64, lost func(whose)) {
	k := s.held(now)
	if s.book != nil {
		s.book.flush(s, uint64(k), now)
	}
	for i := range k {
		lost(s.who[s.back(i)])
		s.dep[s.back(i)] = now
	}
	s.work -= max(s.idle-now, 0)
	s.idle, s.even = now, now
}

// speed changes the rate at which packets are served. The packets in the system stay, in their order, and have the rest
// of their own service at the new rate; what their bytes take does not change. The packet in service keeps the share of
// its service that is left, as if that service took the mean time for its size.
func (s *server) speed(now int64, c clock) {
	from, to := s.ticks(), c.ticks()
	c.acc = s.acc
	s.clock = c
	if from == to {
		return
	}
	old, dep := now, now
	k := s.held(now)
	for i := k - 1; i >= 0; i-- {
		p, bytes := &s.dep[s.back(i)], int64(s.who[s.back(i)].size)*s.perByte
		left := *p - old
		old = *p
		switch {
		case i < k-1:
			left = scaled(left-bytes, to, from) + bytes
		case bytes < summable>>fracBits:
			left = scaled(left, to+uint64(bytes)<<fracBits, from+uint64(bytes)<<fracBits)
		default: // a packet takes seconds: no fraction of a picosecond matters
			left = scaled(left, to>>fracBits+uint64(bytes), from>>fracBits+uint64(bytes))
		}
		dep += left
		*p = dep
	}
	if k > 0 {
		s.work += dep - s.idle
		s.idle = dep
	}
	s.even = max(s.idle, now)
}

// scaled is span*to/from, rounded up.
func scaled(span int64, to, from uint64) int64 {
	hi, lo := bits.Mul64(uint64(span), to)
	lo, carry := bits.Add64(lo, from-1, 0)
	left, _ := bits.Div64(hi+carry, lo, from)
	return int64(left)
}

// ring takes the packets of the keys, each with its own service time. certain says that these packets, and all accepted
// before them, will have left before anything can happen to them: then their delays are known, and their flows are not
// asked for again.
func (s *server) ring(m *merger, keys []uint64, certain bool) {
	b, size := s.book, uint64(len(s.dep))
	for len(keys) > 0 {
		if b != nil && certain {
			b.enter(s, s.n)
		} else if b != nil {
			b.enter(s, s.n-uint64(s.room))
		}
		// As many as fit before the log's end, so that no access wraps.
		old, next := (s.n-uint64(s.room))&(size-1), s.n&(size-1)
		k := min(uint64(len(keys)), size-old, size-next, margin)
		some := keys[:k]
		keys = keys[k:]
		idle := s.idle
		if s.draw != nil {
			some = s.decideAtRandom(m, some, s.dep[old:], s.dep[next:])
		} else {
			some = some[:s.decide(m, some, s.dep[old:], s.dep[next:])]
		}
		s.n += uint64(len(some))
		if certain {
			if b != nil {
				b.enterKeys(m, some, s.dep[next:], idle)
				b.next = s.n
			}
			continue
		}
		who, lanes := s.who[next:][:len(some)], m.lanes
		for i, key := range some {
			who[i] = lanes[key&laneMask].whose
		}
		if b != nil {
			b.note(next, m, some)
		}
	}
}

// decide accepts packets while there is room, moves their keys to the front and returns how many there are. old says
// when the packets accepted room acceptances earlier leave; dep receives when these do.
func (s *server) decide(m *merger, keys []uint64, old, dep []int64) int {
	lanes, base, idle := m.lanes, m.base, s.idle
	old, dep = old[:len(keys)], dep[:len(keys)]
	work, n := int64(0), 0
	if s.frac == 0 {
		for _, key := range keys {
			t := base + int64(key>>laneBits)
			l := &lanes[key&laneMask]
			if old[n] > t {
				l.lost++
				continue
			}
			work += l.svc
			idle = max(idle, t) + l.svc
			dep[n] = idle
			keys[n] = key
			n++
		}
	} else {
		acc, frac := s.acc, s.frac
		for _, key := range keys {
			t := base + int64(key>>laneBits)
			l := &lanes[key&laneMask]
			if old[n] > t {
				l.lost++
				continue
			}
			work += l.svc
			acc += frac
			idle = max(idle, t) + l.svc + int64(acc>>fracBits)
			acc &= 1<<fracBits - 1
			dep[n] = idle
			keys[n] = key
			n++
		}
	}
	s.idle = idle
	s.work += work + s.extra(uint64(n))
	return n
}

// decideAtRandom is decide for random service times.
func (s *server) decideAtRandom(m *merger, keys []uint64, old, dep []int64) []uint64 {
	n := 0
	for _, key := range keys {
		t := m.base + int64(key>>laneBits)
		l := &m.lanes[key&laneMask]
		if old[n] > t {
			l.lost++
			continue
		}
		d := s.draw(s.base) + l.svc - s.base
		s.work += d
		s.idle = max(s.idle, t) + d
		dep[n], keys[n] = s.idle, key
		n++
	}
	return keys[:n]
}

// lindley is ring for services that take the clock's spans alone, and does without the log. There is room if the server
// stays busy for no longer than the last room-1 services take (Lindley's recursion, with a bound). It is for packets
// that are certain, in the sense of ring.
func (s *server) lindley(m *merger, keys []uint64) {
	n, idle := 0, s.idle-m.base
	switch limit, odd := s.bound(); {
	case s.frac > 0:
		n, idle = passOdd(keys, m.lanes, idle, s.clock, limit, odd)
	case s.book != nil:
		n, idle = passOn(keys, m.lanes, idle, s.base, limit)
	default:
		n, idle = pass(keys, m.lanes, idle, s.base, limit)
	}
	s.passed(keys[:n], m, idle)
}

// bound is how long the server is busy at most if there is room, where services take the clock's spans alone: limit,
// and a picosecond more while the clock's fraction is below odd.
func (s *server) bound() (limit int64, odd uint64) {
	k := uint64(s.room - 1)
	return int64(k)*s.base + int64(k*s.frac>>fracBits), k * s.frac & (1<<fracBits - 1)
}

// passed books the packets of the keys, accepted without the log. The server falls idle at idle, counted from m.base.
func (s *server) passed(keys []uint64, m *merger, idle int64) {
	n := uint64(len(keys))
	if s.book != nil {
		s.book.enterSpans(m, keys, s.clock, s.idle)
		s.book.next += n
	}
	s.n += n
	s.work += int64(n)*s.base + s.extra(n)
	s.idle = idle + m.base
}

// pass counts the packets that find the server busy for no longer than limit. Each keeps it busy for span more. The
// others are charged to their lanes.
func pass(keys []uint64, lanes []lane, idle, span, limit int64) (n int, then int64) {
	for _, key := range keys {
		t := int64(key >> laneBits)
		if idle-t > limit {
			lanes[key&laneMask].lost++
			continue
		}
		idle = max(idle, t) + span
		n++
	}
	return n, idle
}

// passOn is pass that moves the keys of the packets that it counts to the front.
func passOn(keys []uint64, lanes []lane, idle, span, limit int64) (n int, then int64) {
	for _, key := range keys {
		t := int64(key >> laneBits)
		if idle-t > limit {
			lanes[key&laneMask].lost++
			continue
		}
		idle = max(idle, t) + span
		keys[n] = key
		n++
	}
	return n, idle
}

// passOdd is passOn for spans that are not a whole number of picoseconds, and a limit to match.
func passOdd(keys []uint64, lanes []lane, idle int64, c clock, limit int64, odd uint64) (n int, then int64) {
	for _, key := range keys {
		t, bound := int64(key>>laneBits), limit // c.last(room-1)
		if c.acc < odd {
			bound++
		}
		if idle-t > bound {
			lanes[key&laneMask].lost++
			continue
		}
		idle = max(idle, t) + c.span()
		keys[n] = key
		n++
	}
	return n, idle
}

// spans is the clock of services that take so long, apart from the clock's fraction of a picosecond.
func (s *server) spans(service int64) clock {
	c := s.clock
	c.base = service
	return c
}

// relog brings the log up to date when services took these spans. The packets' flows are unknown.
func (s *server) relog(spans clock) {
	for k := range s.room {
		s.dep[s.back(k)] = s.idle - spans.last(uint64(k))
		s.who[s.back(k)] = whose{f: unknown}
	}
}
