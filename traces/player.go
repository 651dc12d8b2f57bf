package traces

import (
	"container/heap"
	"iter"
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Stream is traffic that is played: its flows come one by one, in order of time, and are forgotten when they have
// ended.
type Stream struct {
	Layer      Layer
	Provenance []string
	// end of the traffic, as far as it is known in advance: no packet is played from then on; 0 is no end
	End units.Time

	flows iter.Seq2[begun, error]
}

// begun is a flow with a time: neither it nor any later one begins before at.
type begun struct {
	at       units.Time
	flow     Flow
	constant Periodic
	own      *ownPackets // nil for none
}

// ownPackets are a flow's packets with times of their own.
type ownPackets struct {
	src   PacketReader
	buf   [64]Arrival
	at, n int
}

func (o *ownPackets) next() (a Arrival, ok bool) {
	if o.at == o.n {
		o.at = 0
		o.n, _ = o.src.Read(o.buf[:]) // processes have no errors
	}
	if o.n == 0 {
		return a, false
	}
	o.at++
	return o.buf[o.at-1], true
}

// Stream plays the whole workload. One with the packets of a capture cannot be played.
func (w *Workload) Stream() *Stream {
	own := map[flow.ID]func() PacketReader{}
	for _, p := range w.Packets {
		own[p.Flows[0]] = p.Open
		if p.one != nil {
			for k, f := range p.Flows {
				own[f] = func() PacketReader { return p.one(k) }
			}
		}
	}
	return &Stream{Layer: w.Layer, Provenance: w.Provenance, flows: func(yield func(begun, error) bool) {
		for i, f := range w.Flows {
			b := begun{at: f.Segments[0].Start, flow: f}
			if len(w.Constant) > 0 {
				b.constant = w.Constant[i]
			}
			if open := own[flow.ID(i)]; open != nil {
				b.own = &ownPackets{src: open()}
			}
			if !yield(b, nil) {
				return
			}
		}
	}}
}

// playing is a flow under way. Its packets are those of the packet engine. In a segment they are evenly spaced from its
// start. Their number is what the segment adds to the rounded sum of packets of all segments so far.
type playing struct {
	flow     Flow
	constant Periodic
	own      *ownPackets
	order    int64 // among the flows

	segment int        // segments that have begun
	packets float64    // their sum over these segments
	bytes   float64    // likewise
	owed    int64      // bytes of segments without a packet
	start   units.Time // time of the segment's first packet
	gap     Period     // between the segment's packets
	at      units.Time // time of the next packet
	k, n    int64      // the next packet is number k of n, from 0
	octets  int64      // bytes of the n packets
	payload int64      // sent by the flow so far
	heard   bool       // a packet of the flow was played
}

// next finds the flow's next packet, if there is one.
func (p *playing) next() bool {
	if p.own != nil {
		a, ok := p.own.next()
		p.at, p.start, p.gap, p.k, p.n, p.octets = a.At, a.At, Every(1), 0, 1, int64(a.Bytes)
		return ok
	}
	if p.k++; p.k < p.n {
		p.at = p.start + p.gap.At(p.k)
		return true
	}
	for p.segment < len(p.flow.Segments) {
		s := &p.flow.Segments[p.segment]
		p.segment++
		n := int64(math.Round(p.packets+s.Packets) - math.Round(p.packets))
		p.owed += int64(math.Round(p.bytes+s.Bytes) - math.Round(p.bytes))
		p.packets += s.Packets
		p.bytes += s.Bytes
		p.start = s.Start
		if c := p.constant; c.Period.Num > 0 {
			n = c.Period.Before(c.End - c.Phase)
			p.owed = n * int64(math.Round(s.Bytes/s.Packets))
			p.start, p.gap = c.Phase, c.Period
		} else if n > 0 {
			p.gap = Spread(s.End-s.Start, n)
		}
		if n > 0 {
			p.at = p.start
			p.k, p.n, p.octets, p.owed = 0, n, p.owed, 0
			return true
		}
	}
	return false
}

// size is the number of bytes of the next packet. All packets of a segment together have the segment's bytes.
func (p *playing) size() int64 { return share(p.octets, p.k+1, p.n) - share(p.octets, p.k, p.n) }

// before counts the packets of the current segment that come before end, and their bytes.
func (p *playing) before(end units.Time) (packets, octets int64) {
	packets = min(p.n, p.gap.Before(end-p.start))
	return packets, share(p.octets, packets, p.n)
}

// share is octets * k / n, without overflow.
func share(octets, k, n int64) int64 { return octets/n*k + mulDiv(octets%n, k, n) }

// played is a packet.
type played struct {
	at      units.Time
	tuple   *flow.FiveTuple
	bytes   int64 // in the stream's layer
	playing *playing
}

// packets plays streams together, packet by packet in order of time. Of packets at the same time, those of the earlier
// flow come first. Nothing comes from end on, unless end is 0.
func packets(flows iter.Seq2[begun, error], end units.Time) iter.Seq2[played, error] {
	if end == 0 {
		end = units.Never
	}
	return func(yield func(played, error) bool) {
		next, stop := iter.Pull2(flows)
		defer stop()
		var on playings
		b, err, more := next()
		for order := int64(0); ; {
			for more && (len(on) == 0 || b.at <= on[0].at) {
				if err != nil {
					yield(played{}, err)
					return
				}
				p := &playing{flow: b.flow, constant: b.constant, own: b.own, order: order}
				order++
				if p.next() {
					heap.Push(&on, p)
				}
				b, err, more = next()
			}
			if len(on) == 0 || on[0].at >= end {
				return
			}
			p := on[0]
			if !yield(played{p.at, &p.flow.Tuple, p.size(), p}, nil) {
				return
			}
			if p.next() {
				heap.Fix(&on, 0)
			} else {
				heap.Pop(&on)
			}
		}
	}
}

// playings is a heap ordered by the time of the next packet.
type playings []*playing

func (h playings) Len() int { return len(h) }
func (h playings) Less(i, j int) bool {
	return h[i].at < h[j].at || h[i].at == h[j].at && h[i].order < h[j].order
}
func (h playings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *playings) Push(x any)   { *h = append(*h, x.(*playing)) }
func (h *playings) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
