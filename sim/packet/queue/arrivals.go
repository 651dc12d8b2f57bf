package queue

import (
	"math/rand/v2"

	"github.com/smartinco/smartinco/units"
)

// Packet is one packet of a source.
type Packet struct {
	At   units.Time  // when it reaches the queue
	Size units.Bytes // what it weighs, for services that cost by the byte
}

// Arrivals yields the packets of one source in order of time; ok is false when no more come. A packet that is older
// than the one before counts as arriving with it. Implementations outside this package (a capture, a list) take the
// general path.
type Arrivals interface {
	Next() (p Packet, ok bool)
}

// CBR sends a packet every Period, the first at Phase. The fast paths know it.
type CBR struct {
	Period units.Time // at least 1 ps
	Phase  units.Time
	Size   units.Bytes
}

// Next is part of Arrivals; Phase moves on to the packet after.
func (c *CBR) Next() (Packet, bool) {
	p := Packet{c.Phase, c.Size}
	if c.Period <= 0 || p.At > units.Never-c.Period {
		return p, false
	}
	c.Phase += c.Period
	return p, true
}

// Poisson sends packets with independent, exponentially distributed gaps.
type Poisson struct {
	mean, t units.Time
	size    units.Bytes
	r       *rand.PCG
}

// NewPoisson is a Poisson process of one packet a mean, which starts at start. The same seed and source number give
// the same arrivals.
func NewPoisson(mean, start units.Time, size units.Bytes, seed, source uint64) *Poisson {
	return &Poisson{max(mean, 1), start, size, stream(seed, 2*source+1)}
}

// Next is part of Arrivals.
func (p *Poisson) Next() (Packet, bool) {
	g := Exp(p.r, p.mean)
	if g > units.Never-p.t {
		return Packet{}, false
	}
	p.t += g
	return Packet{p.t, p.size}, true
}

// OnOff sends bursts: a packet every period during an exponentially distributed time, then silence for another.
type OnOff struct {
	period, on, off units.Time
	t, until        units.Time
	size            units.Bytes
	r               *rand.PCG
}

// NewOnOff starts its first burst at start; on and off are mean lengths. Each burst has at least one packet.
func NewOnOff(period, on, off, start units.Time, size units.Bytes, seed, source uint64) *OnOff {
	o := &OnOff{max(period, 1), on, off, start, start, size, stream(seed, 2*source+1)}
	o.until += Exp(o.r, on)
	return o
}

// Next is part of Arrivals.
func (o *OnOff) Next() (Packet, bool) {
	if o.t > units.Never>>2 {
		return Packet{}, false
	}
	p := Packet{o.t, o.size}
	if o.t += o.period; o.t >= o.until {
		o.t = max(o.t, o.until+min(Exp(o.r, o.off), units.Never>>2))
		o.until = o.t + min(Exp(o.r, o.on), units.Never>>2)
	}
	return p, true
}

// List sends the packets that it holds.
type List []Packet

// Next is part of Arrivals; the packet leaves the list.
func (l *List) Next() (Packet, bool) {
	if len(*l) == 0 {
		return Packet{}, false
	}
	p := (*l)[0]
	*l = (*l)[1:]
	return p, true
}

// resumed is a source that was taken off a queue with one packet read ahead.
type resumed struct {
	ahead Packet
	full  bool
	rest  Arrivals
}

func (r *resumed) Next() (Packet, bool) {
	if r.full {
		r.full = false
		return r.ahead, true
	}
	return r.rest.Next()
}
