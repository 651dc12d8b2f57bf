package packet

import (
	"math"
	"math/bits"
	"math/rand/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim/packet/queue"
	"github.com/smartinco/smartinco/units"
)

// clock hands out spans of a whole number of picoseconds whose mean is exact to 2^-20 ps: a capacity of 7 Mpps is served
// in 142857 or 142858 ps, so that a long run does not drift away from the law that gave the capacity.
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

// spans is the sum of the next n spans; n is below 2^43.
func (c *clock) spans(n uint64) int64 {
	c.acc += n * c.frac
	d := int64(n)*c.base + int64(c.acc>>fracBits)
	c.acc &= 1<<fracBits - 1
	return d
}

// ticks is the mean span in 2^-20 ps.
func (c *clock) ticks() uint64 { return uint64(c.base)<<fracBits | c.frac }

// slot is an accepted packet.
type slot struct {
	dep  int64 // when it leaves
	f    flow.ID
	size int32
}

// server is an instance's ring and what serves it. At most len(ring) packets are in the system; that there is room is to
// say that the packet accepted that many acceptances ago has left. The semantics, those of a change of the service time
// included, are package queue's.
type server struct {
	ring []slot
	pos  int   // of the oldest acceptance
	idle int64 // when it falls idle: the last departure
	work int64 // time that all accepted packets take

	clock
	perByte int64
	draw    func(mean int64) int64 // of a random service time; nil for none
	book    *book                  // of delays; nil where they are not measured
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
	p := &s.ring[s.pos]
	if p.dep > x.at {
		return false
	}
	if s.book != nil {
		s.book.accept(s.ring, s.pos, x.at, x.sent)
	}
	d := s.service(int64(x.size) * s.perByte)
	s.work += d
	s.idle = max(s.idle, x.at) + d
	*p = slot{s.idle, x.f, x.size}
	if s.pos++; s.pos == len(s.ring) {
		s.pos = 0
	}
	return true
}

// back is the packet accepted k acceptances before the last.
func (s *server) back(k int) *slot {
	i := s.pos - 1 - k
	if i < 0 {
		i += len(s.ring)
	}
	return &s.ring[i]
}

// held is how many packets are in the system; one that leaves at now has left.
func (s *server) held(now int64) int {
	k := 0
	for k < len(s.ring) && s.back(k).dep > now {
		k++
	}
	return k
}

// flush loses what is in the system, and hands it to lost.
func (s *server) flush(now int64, lost func(*slot)) {
	if s.book != nil {
		s.book.flush(s.ring, now)
	}
	for k := range s.held(now) {
		lost(s.back(k))
		s.back(k).dep = now
	}
	s.work -= max(s.idle-now, 0)
	s.idle = now
}

// speed changes the rate at which packets are served; what is left of those in the system is scaled by the ratio of the
// service times of a 64-byte packet, and rounded up.
func (s *server) speed(now int64, c clock) {
	bytes := uint64(64*s.perByte) << fracBits
	from, to := s.ticks()+bytes, c.ticks()+bytes
	c.acc = s.acc
	s.clock = c
	if from == to {
		return
	}
	old, dep := now, now
	k := s.held(now)
	for i := k - 1; i >= 0; i-- {
		p := s.back(i)
		hi, lo := bits.Mul64(uint64(p.dep-old), to)
		lo, carry := bits.Add64(lo, from-1, 0)
		left, _ := bits.Div64(hi+carry, lo, from)
		old = p.dep
		dep += int64(left)
		p.dep = dep
	}
	if k > 0 {
		s.work += dep - s.idle
		s.idle = dep
	}
}

// exponential draws exponentially distributed service times.
func exponential(r *rand.PCG) func(int64) int64 {
	return func(mean int64) int64 { return int64(queue.Exp(r, units.Time(mean))) }
}

// empirical draws from a measured distribution, scaled to the mean.
func empirical(d *queue.Empirical, r *rand.PCG) func(int64) int64 {
	return func(mean int64) int64 {
		hi, lo := bits.Mul64(uint64(d.Time(0, r)), uint64(mean))
		n := uint64(d.Nominal())
		if hi >= n {
			return int64(units.Second)
		}
		v, _ := bits.Div64(hi, lo, n)
		return int64(min(v, uint64(units.Second)))
	}
}
