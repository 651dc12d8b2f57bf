package traces

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// FloodOptions describes a SYN flood: flows of one packet each, from sources that are drawn at random (CERT Advisory
// CA-1996-21; RFC 4987).
type FloodOptions struct {
	Rate       float64 // new flows a second, from LeastRate to MostRate
	Process    string  // of their beginnings: constant or poisson
	Start, End units.Time
	Timeout    units.Time // after the packet, until the flow counts as ended and its rule is taken away; above 0
	Size       float64    // frame bytes
	Seed       uint64
}

// Where the packets of a flood go.
var (
	floodTarget = netip.AddrFrom4([4]byte{48, 0, 0, 1})
	floodPort   = uint16(80)
)

var floodStream = numeric.Streams("traces/flood")

// Flood makes the flows: TCP to port 80 of 48.0.0.1, no two with the same source. It refuses more flows than a workload
// can hold. In the fluid engine a flow sends its packet within a microsecond, or the mean time to the next flow if that
// is shorter, so that the whole packet meets the slow path, and a 2^-40 part of it when the flow ends.
func Flood(o FloodOptions) (*Workload, error) {
	if n := o.Rate * (o.End - o.Start).Seconds(); n > maxFlows {
		return nil, fmt.Errorf("some %.0f flows, want at most %d: a lower rate or a shorter time", n, maxFlows)
	}
	r := rand.New(floodStream.At(o.Seed, 0))
	sources := newSources(r)
	a := Arrivals{Process: o.Process, Rate: o.Rate}
	last := min(units.Nanosecond, o.Timeout)
	width := min(units.Time(float64(units.Second)/o.Rate), units.Microsecond, o.Timeout)
	w := &Workload{}
	var segments segments
	err := a.each(r, o.End-o.Start, func(t units.Time) bool {
		t += o.Start
		w.Flows = append(w.Flows, Flow{Tuple: sources.next(), Segments: segments.of(
			Segment{t, t + width, 1 - breath, (1 - breath) * o.Size},
			Segment{t + width + o.Timeout - last, t + width + o.Timeout, breath, breath * o.Size})})
		return len(w.Flows) < maxFlows
	})
	if err != nil {
		return nil, err
	}
	w.Provenance = []string{fmt.Sprintf("SYN flood: %d flows of one packet of %gB, %v, %s, from %v until %v, "+
		"time-out %v, seed %d", len(w.Flows), o.Size, units.PPS(o.Rate), o.Process, o.Start, o.End, o.Timeout, o.Seed)}
	return w, nil
}

// breath is the part of a packet with which a flow that is silent ends, so that it goes on until then.
const breath = 1. / (1 << 40)

// sources draws pairs of an address and a port without repetition: it counts, and a Feistel network of four rounds
// (Luby and Rackoff, SIAM Journal on Computing 17, 1988) permutes the 2^48 pairs. Addresses that no host has, and ports
// below 1024, are passed over.
type sources struct {
	keys [4]uint64
	n    uint64
}

func newSources(r *rand.Rand) *sources {
	s := &sources{}
	for i := range s.keys {
		s.keys[i] = r.Uint64()
	}
	return s
}

func (s *sources) next() flow.FiveTuple {
	for {
		x := s.permute(s.n)
		s.n++
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(x>>16))
		if port := uint16(x); b[0] > 0 && b[0] != 127 && b[0] < 224 && port >= 1024 {
			return flow.FiveTuple{Src: netip.AddrFrom4(b), Dst: floodTarget, SrcPort: port, DstPort: floodPort,
				Proto: flow.TCP}
		}
	}
}

// permute is a permutation of the numbers below 2^48.
func (s *sources) permute(x uint64) uint64 {
	left, right := x>>24, x&(1<<24-1)
	for _, key := range s.keys {
		h := (right ^ key) * 0xd6e8feb86659fd93
		h ^= h >> 32
		h *= 0xd6e8feb86659fd93
		left, right = right, left^h>>40
	}
	return left<<24 | right
}
