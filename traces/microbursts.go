package traces

import (
	"fmt"

	"github.com/smartinco/smartinco/units"
)

// Microbursts is a load with short bursts: Rate comes on top of Base for Length, once in each Period from Start on.
type Microbursts struct {
	Base   float64    // packets a second of all flows together; 0 for silence between the bursts
	Rate   float64    // likewise, on top of Base in a burst; above 0
	Length units.Time // above 0 and at most Period
	Period units.Time
	Start  units.Time // of the first burst
}

// String describes the load for the provenance.
func (m Microbursts) String() string {
	return fmt.Sprintf("microbursts: %v for %v every %v from %v on, on top of %v", units.PPS(m.Rate), m.Length,
		m.Period, m.Start, units.PPS(m.Base))
}

// segments are the spans of constant rate up to end, whose Packets hold the rate.
func (m Microbursts) segments(end units.Time) (all []Segment) {
	hold := func(from, to units.Time, rate float64) {
		if to = min(to, end); from < to && rate > 0 {
			all = append(all, Segment{Start: from, End: to, Packets: rate})
		}
	}
	hold(0, m.Start, m.Base)
	for at := m.Start; at < end; at += m.Period {
		hold(at, at+m.Length, m.Base+m.Rate)
		hold(at+m.Length, at+m.Period, m.Base)
	}
	return all
}

// Traffic is the traffic of the bursts. Without a lifetime the flows share their segments, which must not be changed.
// It refuses more flows than a workload can hold.
func (m Microbursts) Traffic(o ShapeOptions) (*Workload, error) {
	return shared(m.segments(o.End), o, m.String())
}
