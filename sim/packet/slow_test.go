package packet

import (
	"math/big"

	"github.com/smartinco/smartinco/flow"
)

// Slow is the obvious simulator of one queue, to which every path is held. It keeps each packet in the system with the
// work that it still needs, looks at all flows for the next packet, and goes from one arrival or departure to the next.
// At a tie a departure comes first, then arrivals in the order of their flows.
type Slow struct {
	Room    int
	Service func(size int32) int64 // of an accepted packet, in order of acceptance
	Flows   []SlowFlow

	now    int64
	fifo   []slowPacket // the first is in service
	done   []slowPacket
	lost   int64 // time in the system of packets that were lost there
	number int64 // time-integral of the number in the system
}

// SlowFlow sends a packet every Num/Den picoseconds from First on, to the nearest one, and none at End or later. A
// period of 0 sends nothing.
type SlowFlow struct {
	First, Num, Den, End int64
	Size                 int32
	Offered, Lost        uint64
	Waits, Sojourns      []int64 // of the packets that were processed
}

type slowPacket struct {
	parcel
	needs, served int64 // served is when its service began
	left          int64
}

// Advance simulates everything before h.
func (s *Slow) Advance(h int64) {
	for {
		var next *SlowFlow
		which := 0
		for i := range s.Flows {
			f := &s.Flows[i]
			if f.Num > 0 && f.next() < min(f.End, h) && (next == nil || f.next() < next.next()) {
				next, which = f, i
			}
		}
		if next == nil {
			break
		}
		at := next.next()
		next.Offered++
		if !s.take(parcel{at, at, flow.ID(which), next.Size}) {
			next.Lost++
		}
	}
	s.until(h)
}

// next is when the flow's next packet comes.
func (f *SlowFlow) next() int64 {
	if f.Den == 1 {
		return f.First + int64(f.Offered)*f.Num
	}
	t := new(big.Int).Mul(big.NewInt(int64(f.Offered)), big.NewInt(2*f.Num))
	t.Add(t, big.NewInt(f.Den))
	return f.First + t.Quo(t, big.NewInt(2*f.Den)).Int64()
}

// Queued is how many packets each flow has in the system.
func (s *Slow) Queued() []uint64 {
	n := make([]uint64, len(s.Flows))
	for _, p := range s.fifo {
		n[p.f]++
	}
	return n
}

func (s *Slow) until(t int64) {
	for len(s.fifo) > 0 && s.now+s.fifo[0].needs <= t {
		p := s.fifo[0]
		s.work(s.now + p.needs)
		p.left = s.now
		s.done = append(s.done, p)
		if int(p.f) < len(s.Flows) {
			f := &s.Flows[p.f]
			f.Waits, f.Sojourns = append(f.Waits, p.served-p.at), append(f.Sojourns, p.left-p.at)
		}
		if s.fifo = s.fifo[1:]; len(s.fifo) > 0 {
			s.fifo[0].served = s.now
		}
	}
	s.work(t)
}

// work goes on to t, with no departure in between.
func (s *Slow) work(t int64) {
	s.number += int64(len(s.fifo)) * (t - s.now)
	if len(s.fifo) > 0 {
		s.fifo[0].needs -= t - s.now
	}
	s.now = t
}

func (s *Slow) take(x parcel) bool {
	s.until(x.at)
	if len(s.fifo) == s.Room {
		return false
	}
	s.fifo = append(s.fifo, slowPacket{parcel: x, needs: s.Service(x.size), served: x.at})
	return true
}

// speed changes the mean service time from one value to another, without what the bytes take. Each packet still needs
// as much of its own service as before.
func (s *Slow) speed(now int64, from, to float64, perByte int64) {
	s.until(now)
	for i := range s.fifo {
		p := &s.fifo[i]
		bytes := perByte * int64(p.size)
		if i == 0 {
			p.needs = up(p.needs, to+float64(bytes), from+float64(bytes))
		} else {
			p.needs = up(p.needs-bytes, to, from) + bytes
		}
	}
}

// up is span*to/from, rounded up.
func up(span int64, to, from float64) int64 {
	x := new(big.Rat).SetInt64(span)
	x.Mul(x, new(big.Rat).SetFloat64(to)).Quo(x, new(big.Rat).SetFloat64(from))
	n, rest := new(big.Int).QuoRem(x.Num(), x.Denom(), new(big.Int))
	return n.Int64() + int64(rest.Sign())
}

// flush loses what is in the system.
func (s *Slow) flush(now int64) (lost int) {
	s.until(now)
	for _, p := range s.fifo {
		s.lost += now - p.at
		if int(p.f) < len(s.Flows) {
			s.Flows[p.f].Lost++
		}
	}
	lost = len(s.fifo)
	s.fifo = nil
	return lost
}

// idle is when the server falls idle without further arrivals.
func (s *Slow) idle() int64 {
	t := s.now
	for _, p := range s.fifo {
		t += p.needs
	}
	return t
}
