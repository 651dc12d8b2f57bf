package traces

import (
	"fmt"

	"github.com/smartinco/smartinco/units"
)

// carry adds flows that each carry the segments, which are one flow's share of a load. With a lifetime, each flow ends
// after it and another begins in its place; the n that go on at once take turns, so that flows begin evenly over the
// lifetime. The first addresses are from the one of index offset on. Without a lifetime the flows share the segments.
func (w *Workload) carry(segments []Segment, n int, lifetime units.Time, offset int) error {
	if len(segments) == 0 {
		return nil
	}
	if lifetime == 0 {
		if n > maxFlows-len(w.Flows) {
			return errCarry
		}
		for i := range n {
			w.Flows = append(w.Flows, Flow{Tuple: SyntheticTuple(offset + i), Segments: segments})
		}
		return nil
	}
	lives := int64(segments[len(segments)-1].End/lifetime) + 2
	if lives > int64(maxFlows-len(w.Flows))/int64(n) || (lives+int64(len(segments)))*int64(n) > maxSegments {
		return errCarry
	}
	added := 0
	for i := range n {
		end := units.Time(i) * (lifetime / units.Time(n)) // of the flow that goes on when the load begins
		var life []Segment
		done := func() {
			if len(life) > 0 {
				w.Flows = append(w.Flows, Flow{Tuple: SyntheticTuple(offset + added), Segments: life})
				life, added = nil, added+1
			}
		}
		for _, s := range segments {
			for s.Start >= end {
				done()
				end += lifetime
			}
			for s.End > end {
				part := s
				part.End = end
				share := float64(end-s.Start) / float64(s.End-s.Start)
				part.Packets, part.Bytes = float64(s.Packets*share), float64(s.Bytes*share)
				s.Packets, s.Bytes = s.Packets-part.Packets, s.Bytes-part.Bytes
				s.Start = end
				life = append(life, part)
				done()
				end += lifetime
			}
			if s.Packets > 0 { // a picosecond's may be rounded away
				life = append(life, s)
			}
		}
		done()
	}
	return nil
}

var errCarry = fmt.Errorf("more than %d flows or %d spans of constant rate: want fewer flows or a longer lifetime",
	maxFlows, maxSegments)
