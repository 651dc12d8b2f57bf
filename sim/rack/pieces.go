package rack

import (
	"fmt"
	"io"
	"math"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// piece is what the dispatcher sends of a flow to one life, or, for life 0, does not send. Times are those at the
// dispatcher.
type piece struct {
	from, to units.Time // to is Never until the flow is steered elsewhere
	flow     flow.ID
	life     int32
	before   int32 // the flow's piece before it, or -1
	leak     int32 // number of its leak, or -1
}

// fate is what became of a piece's packets.
type fate struct {
	offered, processed, dropped, reordered, queued float64
	moves                                          int32 // within its node
}

// opens begins a piece of a flow, and ends the one before.
func (r *rack) opens(now units.Time, f flow.ID, to int32) {
	r.closes(now, f)
	r.pieces = append(r.pieces, piece{now, units.Never, f, 0, r.last[f], -1})
	r.last[f] = int32(len(r.pieces) - 1)
	if to > 0 {
		r.gives(r.last[f], to)
	}
}

// gives a life a piece that is nobody's.
func (r *rack) gives(i, to int32) {
	p, l := &r.pieces[i], r.lives[to]
	p.life = to
	l.pieces = append(l.pieces, i)
	if l.to < r.end && r.ends(p.flow)+r.link > l.to {
		r.leaksFrom(i, max(p.from+r.link, l.to), r.link)
	}
}

// closes ends the flow's piece.
func (r *rack) closes(now units.Time, f flow.ID) {
	if i := r.last[f]; i >= 0 && r.pieces[i].to == units.Never {
		p := &r.pieces[i]
		if p.to = now; p.leak >= 0 {
			k := &r.leaks[p.leak]
			k.to = max(k.from, now+k.shift)
		}
	}
}

func (r *rack) ends(f flow.ID) units.Time {
	s := r.traffic.Flows[f].Segments
	return s[len(s)-1].End
}

// extend gives a life's plant the flows of its pieces that it does not have yet.
func (r *rack) extend(l *life) error {
	if l.given == len(l.pieces) {
		return nil
	}
	w, from := &l.traffic, r.traffic
	kept := l.pieces[:l.given]
	for _, i := range l.pieces[l.given:] {
		p := &r.pieces[i]
		segments := cut(from.Flows[p.flow].Segments, p.from, p.to, r.link)
		if len(segments) == 0 {
			continue
		}
		if len(from.Constant) > 0 {
			c := from.Constant[p.flow]
			if c.Period.Num > 0 {
				c.Phase += c.Period.At(c.Period.Before(p.from-c.Phase)) + r.link
				c.End = min(c.End, p.to) + r.link
			}
			w.Constant = append(w.Constant, c)
		}
		if len(from.Tenants) > 0 {
			w.Tenants = append(w.Tenants, from.Tenants[p.flow])
		}
		kept = append(kept, i)
		w.Flows = append(w.Flows, traces.Flow{Tuple: from.Flows[p.flow].Tuple, Segments: segments})
	}
	l.pieces, l.given = kept, len(kept)
	if l.session != nil || len(from.Packets) == 0 || r.sc.Engine != "packet" {
		return nil
	}
	return r.replays(l)
}

// cut is what a flow sends from one time to before another, shifted. What is not cut is shared.
func cut(all []traces.Segment, from, to, shift units.Time) []traces.Segment {
	if from <= all[0].Start && to >= all[len(all)-1].End && shift == 0 {
		return all
	}
	var some []traces.Segment
	for _, s := range all {
		a, b := max(s.Start, from), min(s.End, to)
		if a >= b {
			continue
		}
		if part := b - a; part < s.End-s.Start {
			share := float64(part) / float64(s.End-s.Start)
			s.Packets, s.Bytes = s.Packets*share, s.Bytes*share
		}
		s.Start, s.End = a+shift, b+shift
		some = append(some, s)
	}
	return some
}

// replays gives a life the packets of its flows that have times of their own.
func (r *rack) replays(l *life) error {
	local := map[flow.ID]flow.ID{}
	for k, i := range l.pieces {
		local[r.pieces[i].flow] = flow.ID(k)
	}
	for _, all := range r.traffic.Packets {
		number := make([]int32, len(all.Flows))
		var own []flow.ID
		for k, f := range all.Flows {
			to, here := local[f]
			if number[k] = -1; !here {
				continue
			}
			p := &r.pieces[l.pieces[to]]
			if p.before >= 0 || p.to < r.ends(f) || p.from > r.traffic.Flows[f].Segments[0].Start {
				return fmt.Errorf("workload: flow %d has packets with times of their own, and would go to two nodes: "+
					"want engine: fluid", f)
			}
			number[k] = int32(len(own))
			own = append(own, to)
		}
		if len(own) > 0 {
			l.traffic.Packets = append(l.traffic.Packets, traces.Packets{Flows: own,
				Open: func() traces.PacketReader { return &part{all.Open(), number, r.link} }})
		}
	}
	return nil
}

// part reads the packets of some of the flows.
type part struct {
	of     traces.PacketReader
	number []int32 // of the flow here, by that there; -1 for none
	shift  units.Time
}

// Read implements traces.PacketReader.
func (p *part) Read(to []traces.Arrival) (int, error) {
	for {
		n, err := p.of.Read(to)
		if n == 0 {
			return 0, err
		}
		some := to[:0]
		for _, x := range to[:n] {
			if k := p.number[x.Flow]; k >= 0 {
				some = append(some, traces.Arrival{At: x.At + p.shift, Flow: flow.ID(k), Bytes: x.Bytes})
			}
		}
		if len(some) > 0 {
			return len(some), nil
		}
		if err != nil && err != io.EOF {
			return 0, err
		}
	}
}

// flows writes the flows that have begun, in order of their numbers.
func (r *rack) flows(rec results.Recorder) {
	var row results.Flow // escapes, so there is one for all flows
	var texts results.Texts
	buf := make([]byte, 0, 64)
	text := func(a netip.Addr) string {
		if !a.IsValid() {
			return a.String()
		}
		return texts.Of(a.AppendTo(buf))
	}
	for f := range r.traffic.Flows {
		w := &r.traffic.Flows[f]
		if len(w.Segments) == 0 || w.Segments[0].Start >= r.end {
			continue
		}
		row = results.Flow{Flow: int32(f), Src: text(w.Tuple.Src), Dst: text(w.Tuple.Dst),
			SrcPort: int32(w.Tuple.SrcPort), DstPort: int32(w.Tuple.DstPort), Proto: int32(w.Tuple.Proto),
			Start: w.Segments[0].Start.Seconds(),
			End:   min(w.Segments[len(w.Segments)-1].End, r.end).Seconds()}
		there := int32(0)
		for i := r.last[f]; i >= 0; i = r.pieces[i].before {
			x, life := &r.fates[i], r.pieces[i].life
			row.Offered += x.offered
			row.Processed += x.processed
			row.Dropped += x.dropped
			row.Reordered += x.reordered
			row.Queued += x.queued
			row.Moves += x.moves
			if life == 0 {
				continue
			}
			if row.Instance == 0 {
				row.Instance = life
			}
			if there > 0 && there != life {
				row.Moves++
			}
			there = life
		}
		rec.Flow(&row)
	}
}

// sent is how much of a flow leaves the dispatcher from one time to before another.
func (r *rack) sent(f flow.ID, from, to units.Time) (packets, bytes float64) {
	for _, s := range r.traffic.Flows[f].Segments {
		a, b := max(s.Start, from), min(s.End, to)
		if a >= b {
			continue
		}
		share := 1.0
		if part := b - a; part < s.End-s.Start {
			share = float64(part) / float64(s.End-s.Start)
		}
		packets += float64(s.Packets * share)
		bytes += float64(s.Bytes * share)
	}
	if r.sc.Engine != "packet" || len(r.traffic.Constant) == 0 || packets == 0 {
		return packets, bytes
	}
	if c := r.traffic.Constant[f]; c.Period.Num > 0 {
		n := float64(c.Period.Before(min(to, c.End)-c.Phase) - c.Period.Before(min(from, c.End)-c.Phase))
		return n, math.Round(float64(bytes/packets) * n)
	}
	return packets, bytes
}
