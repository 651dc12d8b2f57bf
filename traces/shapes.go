package traces

import (
	"fmt"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// Shape is a load over time that a formula gives.
type Shape interface {
	// Rate is in packets a second, at a time from 0.
	Rate(t units.Time) float64
	String() string
}

// Diurnal is a load that rises and falls as a cosine: Mean · (1 + Amplitude · cos 2π(t−Peak)/Period).
type Diurnal struct {
	Mean      float64    // packets a second
	Amplitude float64    // 0 to 1
	Period    units.Time // above 0
	Peak      units.Time // of one of the periods, not negative
}

// Rate implements Shape.
func (d Diurnal) Rate(t units.Time) float64 {
	since := (t%d.Period + d.Period - d.Peak%d.Period) % d.Period
	return float64(d.Mean * float64(1+float64(d.Amplitude*numeric.CosTurn(float64(since)/float64(d.Period)))))
}

// String implements Shape.
func (d Diurnal) String() string {
	return fmt.Sprintf("diurnal load: mean %v, amplitude %g, period %v, peak at %v", units.PPS(d.Mean), d.Amplitude,
		d.Period, d.Peak)
}

// FlashCrowd is a load that rises to many times what it was, stays there, and falls back, linearly: the phases that Ari
// et al. name (Managing Flash Crowds on the Internet, MASCOTS 2003).
type FlashCrowd struct {
	Base             float64    // packets a second before and after
	Factor           float64    // at the top, of Base; 1 or more
	Begin            units.Time // of the rise
	Rise, Hold, Fall units.Time // how long each phase lasts; 0 for a step
}

// Rate implements Shape.
func (f FlashCrowd) Rate(t units.Time) float64 {
	t -= f.Begin
	share := 0.0 // of the way to the top
	switch {
	case t < 0:
	case t < f.Rise:
		share = float64(t) / float64(f.Rise)
	case t < f.Rise+f.Hold:
		share = 1
	case t < f.Rise+f.Hold+f.Fall:
		share = float64(f.Rise+f.Hold+f.Fall-t) / float64(f.Fall)
	}
	return float64(f.Base * float64(1+float64((f.Factor-1)*share)))
}

// String implements Shape.
func (f FlashCrowd) String() string {
	return fmt.Sprintf("flash crowd: %v, %g times as much from %v on, rise %v, hold %v, fall %v", units.PPS(f.Base),
		f.Factor, f.Begin, f.Rise, f.Hold, f.Fall)
}

// ShapeOptions says how a shape becomes traffic.
type ShapeOptions struct {
	Step     units.Time // above 0: the rate in the middle of each step holds in all of it; not of microbursts
	End      units.Time // above 0
	Flows    int        // equal flows that carry the load, 1 or more
	Lifetime units.Time // as in LoadOptions
	Size     float64    // frame bytes
	Offset   int        // index of the first flow among all synthetic flows of the run, for its address
}

// Shaped is the traffic of a shape. Where its rate is 0 the flows are silent. Without a lifetime they share their
// segments, which must not be changed. It refuses more flows than a workload can hold.
func Shaped(s Shape, o ShapeOptions) (*Workload, error) {
	var segments []Segment // whose Packets are the rate, until all are there
	for i := range (o.End-1)/o.Step + 1 {
		x := Segment{Start: i * o.Step}
		x.End = min(x.Start+o.Step, o.End)
		x.Packets = s.Rate(x.Start + (x.End-x.Start)/2)
		switch n := len(segments); {
		case x.Packets <= 0:
		case n > 0 && segments[n-1].End == x.Start && segments[n-1].Packets == x.Packets:
			segments[n-1].End = x.End
		default:
			segments = append(segments, x)
		}
	}
	return shared(segments, o, fmt.Sprintf("%v, in steps of %v", s, o.Step))
}

// shared spreads segments, whose Packets are the rate of all flows together, over the flows.
func shared(segments []Segment, o ShapeOptions, from string) (*Workload, error) {
	for i := range segments {
		x := &segments[i]
		x.Packets *= (x.End - x.Start).Seconds() / float64(o.Flows)
		x.Bytes = x.Packets * o.Size
	}
	w := &Workload{}
	if err := w.carry(segments, o.Flows, o.Lifetime, o.Offset); err != nil {
		return nil, err
	}
	w.sort()
	packets, bytes := w.Totals()
	w.Provenance = []string{fmt.Sprintf("%s: %.0f packets, %.0f bytes in %d flows", from, packets, bytes, len(w.Flows))}
	return w, nil
}
