package traces

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Flow is one flow as the fluid engine sees it: who it is, and its rate over time.
type Flow struct {
	Tuple    flow.FiveTuple
	Segments []Segment // in order of time, not overlapping; gaps are silence
}

// Rate is what the flow sends in packets a second, on average from its first packet to the end of its last segment,
// silence included. It is 0 for a flow without segments.
func (f *Flow) Rate() float64 {
	if len(f.Segments) == 0 {
		return 0
	}
	sum := 0.0
	for _, s := range f.Segments {
		sum += s.Packets
	}
	return sum / (f.Segments[len(f.Segments)-1].End - f.Segments[0].Start).Seconds()
}

// Segment is a span of constant rate.
type Segment struct {
	Start, End units.Time // End is exclusive and later than Start
	Packets    float64    // sent in the span, evenly
	Bytes      float64    // sent in the span, as the source counts them: see Workload.Layer
}

// Rate is the segment's packets per second.
func (s Segment) Rate() float64 { return s.Packets / (s.End - s.Start).Seconds() }

// segments are those of many flows, which come from the heap a block at a time. Each block is twice as long as the one
// before it, up to a limit.
type segments []Segment

// of gives a flow its segments.
func (all *segments) of(ss ...Segment) []Segment {
	if len(*all)+len(ss) > cap(*all) {
		*all = make([]Segment, 0, max(len(ss), 8, min(2*cap(*all), 4096)))
	}
	from := len(*all)
	*all = append(*all, ss...)
	return (*all)[from:len(*all):len(*all)]
}

// Workload is the traffic of a run.
type Workload struct {
	Flows []Flow // in order of first packet; ties in the order in which the scenario lists the sources

	// Constant holds, for the packet engine, the exact period and phase of flow i if its source has a constant rate. It
	// is empty or as long as Flows. A zero period says that the flow is not constant.
	Constant []Periodic

	// Tenants says whose flow i is. It is empty or as long as Flows. Flows without a name are those of one tenant.
	Tenants []string

	// Packets holds, for the packet engine, the packets of flows that have times and sizes of their own. Such a flow
	// begins at its first packet and ends after its last one; nothing else of its segments is exact.
	Packets []Packets

	// Layer says what the Bytes of the flows count. Merged workloads have that of the first.
	Layer Layer

	// Provenance says, in a line for each source, where the traffic came from and what was done to it.
	Provenance []string

	// Skipped counts what the readers left out, by reason, in the order of the reasons' names.
	Skipped []Count
}

// Periodic is a constant-rate flow packet by packet: packets at Phase, Phase+Period, ... before End.
type Periodic struct {
	Phase  units.Time
	Period Period
	End    units.Time
}

// Count is a number with its reason.
type Count struct {
	Reason string
	N      int64
}

// End is when the last segment of the last flow ends.
func (w *Workload) End() units.Time {
	var end units.Time
	for i := range w.Flows {
		if s := w.Flows[i].Segments; len(s) > 0 {
			end = max(end, s[len(s)-1].End)
		}
	}
	return end
}

// Tenant is whose a flow is; empty for the flows of nobody in particular.
func (w *Workload) Tenant(f flow.ID) string {
	if len(w.Tenants) == 0 {
		return ""
	}
	return w.Tenants[f]
}

// Totals sums the packets and the frame bytes of all flows.
func (w *Workload) Totals() (packets, bytes float64) {
	for i := range w.Flows {
		for _, s := range w.Flows[i].Segments {
			packets += s.Packets
			bytes += s.Bytes
		}
	}
	return
}
