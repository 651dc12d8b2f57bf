package traces

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// ChurnOptions describes a constant load of flows that come and go: as one ends, another takes its place.
type ChurnOptions struct {
	Rate     float64 // packets a second of all flows together; Rate / Flows is from LeastRate to MostRate
	Flows    int     // at once, 1 or more
	NewFlows float64 // a second; above 0 and at most Rate, so that every flow has a packet
	// Exponential makes the lengths of the flows random: the number of their packets is geometric, so that at any time
	// every flow has the same chance to end. Otherwise all flows last Flows / NewFlows, give or take a packet.
	Exponential bool
	End         units.Time // above 0
	Size        float64    // frame bytes
	Offset      int        // index of the first flow among all synthetic flows of the run, for its address
	Seed        uint64
}

var churnStreams = numeric.Streams("traces/churn") // by place

// Churn makes the flows. Each of the Flows places sends at a constant rate for ever, and the flow in it changes after a
// packet: a flow begins with a packet and carries whole packets, in both engines. The places take turns, so that
// packets are evenly spaced, and so are the beginnings of flows that last equally long. It refuses more flows than a
// workload can hold.
func Churn(o ChurnOptions) (*Workload, error) {
	period, err := PeriodOf(o.Rate / float64(o.Flows))
	if err != nil {
		return nil, err
	}
	expected := float64(o.NewFlows*o.End.Seconds()) + float64(o.Flows)
	if expected > maxFlows {
		return nil, fmt.Errorf("some %.0f flows, want at most %d: fewer new flows or a shorter time", expected,
			maxFlows)
	}
	w := &Workload{Flows: make([]Flow, 0, int(expected))}
	mean := o.Rate / o.NewFlows // packets of a flow
	var segments segments
	for i := range o.Flows {
		share := float64(i) / float64(o.Flows)
		phase := units.Time(float64(share * period.Mean()))
		total := period.Before(o.End - phase)
		length := evenLengths(mean, share)
		if o.Exponential {
			length = geometricLengths(mean, rand.New(churnStreams.At(o.Seed, uint64(i))))
		}
		for k := int64(0); k < total; {
			n := min(length(), total-k)
			s := Segment{Start: phase + period.At(k), End: phase + period.At(k+n), Packets: float64(n)}
			s.Bytes = s.Packets * o.Size
			if len(w.Flows) == maxFlows {
				return nil, errCarry
			}
			w.Flows = append(w.Flows, Flow{Segments: segments.of(s)})
			k += n
		}
	}
	w.sort()
	for i := range w.Flows {
		w.Flows[i].Tuple = SyntheticTuple(o.Offset + i)
	}
	lengths := "each as long"
	if o.Exponential {
		lengths = fmt.Sprintf("of lengths at random, seed %d", o.Seed)
	}
	w.Provenance = []string{fmt.Sprintf("churn: %v, %d flows at once, %g new ones a second, %s, %gB frames: %d flows",
		units.PPS(o.Rate), o.Flows, o.NewFlows, lengths, o.Size, len(w.Flows))}
	return w, nil
}

// evenLengths are the packets of flow after flow in a place: mean, to a whole number, the rest being carried. The first
// flow has already sent a share of its packets.
func evenLengths(mean, share float64) func() int64 {
	done, next := int64(0), float64(mean*(1-share))
	return func() int64 {
		n := max(1, int64(math.Ceil(next))-done)
		done += n
		next += mean
		return n
	}
}

// geometricLengths draws the numbers of packets from a geometric distribution from 1 on, by inversion.
func geometricLengths(mean float64, r *rand.Rand) func() int64 {
	if mean <= 1 {
		return func() int64 { return 1 }
	}
	log := numeric.Log(1 - 1/mean)
	return func() int64 { return 1 + int64(min(numeric.Log(numeric.Uniform(r))/log, 1<<62)) }
}
