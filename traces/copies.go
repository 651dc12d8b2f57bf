package traces

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// transform applies speed-up and copies to a workload read at trace time, orders it, and describes what was done. sp
// holds its packets; it is nil if they are not wanted.
func (w *Workload) transform(path, format string, o Options, sp *spool) (*Workload, error) {
	if len(w.Flows) == 0 {
		return nil, fmt.Errorf("traces: %s: no packets%s", path, cutText(o.From, o.To))
	}
	packets, bytes := w.Totals()
	text := fmt.Sprintf("%s %s: %s packets, %s bytes, %d flows%s", format, filepath.Base(path), whole(packets),
		whole(bytes), len(w.Flows), cutText(o.From, o.To))
	if o.MTU > 0 {
		text += fmt.Sprintf(", split at an MTU of %d B", o.MTU)
	}
	if o.Speedup != 1 {
		text += fmt.Sprintf(", %g times as fast", o.Speedup)
	}
	if o.Copies > 1 {
		text += fmt.Sprintf(", %d copies with shifted addresses and random phases", o.Copies)
	}
	span := w.End()
	longest := maxSpan
	if o.Copies > 1 {
		longest /= 2
	}
	if !(float64(span)/o.Speedup < float64(longest)) {
		return nil, fmt.Errorf("traces: %s: %v at speedup %g is longer than %v", path, span, o.Speedup, longest)
	}
	if n := w.segments(); o.Copies > 1 && (o.Copies > maxFlows/len(w.Flows) || o.Copies > maxSegments/n) {
		return nil, fmt.Errorf("traces: %s: %d copies of %d flows with %d spans of constant rate, want at most %d "+
			"flows and %d spans: fewer copies or a coarser resolution",
			path, o.Copies, len(w.Flows), n, maxFlows, maxSegments)
	}
	if o.Speedup != 1 {
		for i := range w.Flows {
			speed(w.Flows[i].Segments, o.Speedup)
		}
	}
	if sp != nil {
		numbers := make([]flow.ID, len(w.Flows))
		for i := range w.Flows {
			numbers[i] = flow.ID(i)
			s := &w.Flows[i].Segments[0]
			s.End = max(s.End, speedUp(sp.last[i], o.Speedup)+1)
		}
		w.Packets = []Packets{sp.packets(0, numbers)}
		sp.last = nil
		text += ", packet by packet"
	}
	w.copies(o, sp)
	w.sort()
	w.Provenance = append(w.Provenance, text)
	return w, nil
}

// segments counts the segments of all flows.
func (w *Workload) segments() (n int) {
	for i := range w.Flows {
		n += len(w.Flows[i].Segments)
	}
	return n
}

// speed divides the times of a flow's segments. Segments keep at least a picosecond each and do not overlap.
func speed(ss []Segment, by float64) {
	end := units.Time(math.MinInt64)
	for i := range ss {
		s := &ss[i]
		s.Start = max(speedUp(s.Start, by), end)
		s.End = max(speedUp(s.End, by), s.Start+1)
		end = s.End
	}
}

var phaseStreams = numeric.Streams("traces/phases") // by copy

// copies superposes copies of the workload. Copy 0 is the original. Copy k starts at a phase drawn uniformly from the
// length of the original, from a random stream of its own. It does not wrap around, so the whole lasts up to twice as
// long, and it depends on no other copy.
func (w *Workload) copies(o Options, sp *spool) {
	original, span, segments := len(w.Flows), w.End(), w.segments()
	w.Flows = slices.Grow(w.Flows, original*(o.Copies-1))
	for k := 1; k < o.Copies; k++ {
		phase := units.Time(rand.New(phaseStreams.At(o.Seed, uint64(k))).Int64N(int64(span)))
		if sp != nil {
			numbers := make([]flow.ID, original)
			for i := range numbers {
				numbers[i] = flow.ID(len(w.Flows) + i)
			}
			w.Packets = append(w.Packets, sp.packets(phase, numbers))
		}
		all := make([]Segment, 0, segments) // of this copy
		for _, f := range w.Flows[:original] {
			first := len(all)
			for _, s := range f.Segments {
				s.Start += phase
				s.End += phase
				all = append(all, s)
			}
			w.Flows = append(w.Flows, Flow{Tuple: ShiftTuple(f.Tuple, k), Segments: all[first:len(all):len(all)]})
		}
	}
}

// ShiftTuple returns the five-tuple that flow t of a recording has in copy k. To each address, as a number, it adds k
// times 2654435769 (2^32 over the golden ratio), modulo 2^32 on the low 32 bits. The shift is one to one: flows that
// talked to the same host still do. Copy 0 keeps its addresses.
func ShiftTuple(t flow.FiveTuple, k int) flow.FiveTuple {
	t.Src, t.Dst = shift(t.Src, k), shift(t.Dst, k)
	return t
}

func shift(a netip.Addr, k int) netip.Addr {
	by := uint32(k) * 2654435769
	if a.Is4() {
		b := a.As4()
		addLow(b[:], by)
		return netip.AddrFrom4(b)
	}
	b := a.As16()
	addLow(b[12:], by)
	return netip.AddrFrom16(b)
}

func addLow(b []byte, by uint32) {
	x := uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
	x += by
	b[0], b[1], b[2], b[3] = byte(x>>24), byte(x>>16), byte(x>>8), byte(x)
}

func cutText(from, to units.Time) string {
	if from == 0 && to == 0 {
		return ""
	}
	if to == 0 {
		return fmt.Sprintf(", cut from %v", from)
	}
	return fmt.Sprintf(", cut from %v to %v", from, to)
}

// whole prints a count. It is a whole number unless a cut divided a connection.
func whole(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
}
