package traces

import (
	"fmt"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// StaircaseOptions describes equal constant-rate flows that start one after the other (thesis 4.2).
type StaircaseOptions struct {
	Flows    int        // number of flows; none if not positive
	Start    units.Time // first packet of the first flow
	Interval units.Time // between the first packets of two flows; not negative
	End      units.Time // exclusive, of all flows; a flow that would start later is left out
	Rate     float64    // packets per second of each flow; from LeastRate to MostRate, or there is no flow
	Zipf     float64    // above 0: Rate is the flows' mean, of which they have shares by Zipf
	Size     float64    // frame bytes of each packet
	Offset   int        // index of the first flow among all synthetic flows of the run, for its address
	Process  Process    // how packets come, at Rate in the mean
}

// ConstantOptions describes one constant-rate flow.
type ConstantOptions struct {
	Period Period     // between two packets, or there is no flow
	Phase  units.Time // time of the first packet
	End    units.Time // exclusive
	Size   float64    // frame bytes of each packet
	Offset int        // index of the flow among all synthetic flows of the run, for its address

	// how packets come; unless it is constant, Period is the mean time between two, and Phase the flow's start
	Process Process
	Stream  int // which of the process' streams of random numbers is the flow's
}

// rates are the flows' own, if they have shares by Zipf, and otherwise nil.
func (o *StaircaseOptions) rates() (each []float64) {
	if o.Zipf > 0 {
		each = Zipf(o.Flows, o.Zipf)
		for i := range each {
			each[i] *= o.Rate * float64(o.Flows)
		}
	}
	return each
}

// Extremes are the rates of the fastest and the slowest flow.
func (o *StaircaseOptions) Extremes() [2]float64 {
	if each := o.rates(); len(each) > 0 {
		return [2]float64{each[0], each[len(each)-1]}
	}
	return [2]float64{o.Rate, o.Rate}
}

// begun is how many of the flows begin before the end.
func (o *StaircaseOptions) begun() int {
	switch {
	case o.Flows <= 0 || o.Start >= o.End:
		return 0
	case o.Interval <= 0:
		return o.Flows
	}
	return min(o.Flows, int((o.End-1-o.Start)/o.Interval)+1)
}

// Staircase makes the flows of o, whose Extremes and Process have been checked. Both engines see the same traffic.
func Staircase(o StaircaseOptions) *Workload {
	n := o.begun()
	w := &Workload{Flows: make([]Flow, 0, n), Constant: make([]Periodic, 0, n)}
	period, err := PeriodOf(o.Rate)
	rates := o.rates()
	var segments segments
	for i := 0; i < n && err == nil; i++ {
		if len(rates) > 0 {
			if period, err = PeriodOf(rates[i]); err != nil {
				break
			}
		}
		w.constant(ConstantOptions{Period: period, Phase: o.Start + units.Time(i)*max(o.Interval, 0), End: o.End,
			Size: o.Size, Offset: o.Offset + i, Process: o.Process, Stream: i}, &segments)
	}
	mean := ""
	if o.Zipf > 0 {
		mean = fmt.Sprintf(" in the mean, by Zipf's law to the power %g,", o.Zipf)
	}
	w.Provenance = []string{fmt.Sprintf("staircase: %d flows of %v%s and %gB frames, from %v, one more every %v, "+
		"until %v%s",
		len(w.Flows), units.PPS(o.Rate), mean, o.Size, o.Start, o.Interval, o.End, o.Process.text())}
	return w
}

// Constant makes the flow of o, whose Process has been checked.
func Constant(o ConstantOptions) *Workload {
	w := &Workload{}
	if o.Period.Num > 0 && o.Phase < o.End {
		w.constant(o, new(segments))
	}
	text := fmt.Sprintf("constant: a packet of %gB every %v, from %v until %v", o.Size, o.Period, o.Phase, o.End)
	if o.Process.random() {
		text = fmt.Sprintf("flow: a packet of %gB every %v in the mean, from %v until %v%s", o.Size, o.Period, o.Phase,
			o.End, o.Process.text())
	}
	w.Provenance = []string{text}
	return w
}

// constant adds a flow. In the fluid engine it carries (End-Phase)/Period packets. If packets are evenly spaced, the
// packet engine counts less than one more than that.
func (w *Workload) constant(o ConstantOptions, all *segments) {
	if o.Process.random() {
		w.Packets = append(w.Packets, o.Process.packets(flow.ID(len(w.Flows)), o.Stream, o))
	}
	n := float64(o.End-o.Phase) / o.Period.Mean()
	w.Flows = append(w.Flows, Flow{Tuple: SyntheticTuple(o.Offset), Segments: all.of(
		Segment{Start: o.Phase, End: o.End, Packets: n, Bytes: n * o.Size})})
	c := Periodic{Phase: o.Phase, Period: o.Period, End: o.End}
	if o.Process.random() {
		c = Periodic{}
	}
	w.Constant = append(w.Constant, c)
}

// SyntheticTuple is the five-tuple of the i-th synthetic flow of a run: UDP from 16.0.0.1 + i to 48.0.0.1, ports 1025
// and 12, which are the defaults of the TRex traffic generator. Each flow has a source address of its own, as in the
// thesis. After the 2^24-2 addresses of 16.0.0.0/8 the source port counts on. i is not negative.
func SyntheticTuple(i int) flow.FiveTuple {
	const hosts = 1<<24 - 2
	host := uint32(i%hosts) + 1
	return flow.FiveTuple{
		Src:     netip.AddrFrom4([4]byte{16, byte(host >> 16), byte(host >> 8), byte(host)}),
		Dst:     netip.AddrFrom4([4]byte{48, 0, 0, 1}),
		SrcPort: uint16(1025 + i/hosts), DstPort: 12, Proto: flow.UDP,
	}
}
