package traces

import (
	"context"
	"fmt"
	"io"
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

// Options is what is done to a recording. The zero value replays it as it is.
type Options struct {
	Speedup    float64    // divides all times; 0 is 1
	Copies     int        // superposed copies, the original included; 0 is 1
	From, To   units.Time // cut in the recording's time, From included, To not; To 0 is the end
	Resolution units.Time // captures: width of a segment, in the recording's time; 0 is 100 ms
	Timeout    units.Time // captures: silence after which a five-tuple is a new flow; 0 is never
	Seed       uint64     // root of the phases of the copies
	MTU        int64      // captures: IP packets that are longer are split into such as a NIC would have sent; 0 leaves them whole
	Inner      bool       // captures: packets in VXLAN and GTP-U tunnels belong to the flow of the addresses inside
	Packets    bool       // captures: keep the packets as well, for Workload.Packets, and give each flow one segment

	Context context.Context // reading is given up, with its error, when it is done; nil is never
}

func (o Options) normal() (Options, error) {
	if o.Speedup == 0 {
		o.Speedup = 1
	}
	if o.Copies == 0 {
		o.Copies = 1
	}
	if o.Resolution == 0 {
		o.Resolution = 100 * units.Millisecond
	}
	switch {
	case !(o.Speedup > 0) || math.IsInf(o.Speedup, 1):
		return o, fmt.Errorf("speedup is %g, want a positive number", o.Speedup)
	case o.Copies < 0:
		return o, fmt.Errorf("copies is %d, want 1 or more", o.Copies)
	case o.Resolution < 0 || o.Resolution > units.Hour:
		return o, fmt.Errorf("resolution is %v, want more than 0 and at most 1h", o.Resolution)
	case o.Timeout < 0:
		return o, fmt.Errorf("timeout is %v, want 0 or more", o.Timeout)
	case o.MTU != 0 && (o.MTU < LeastMTU || o.MTU > math.MaxUint16):
		return o, fmt.Errorf("mtu is %d bytes, want 0, or %d to %d", o.MTU, LeastMTU, math.MaxUint16)
	}
	return o, checkCut(o.From, o.To)
}

func checkCut(from, to units.Time) error {
	if from < 0 || to < 0 || to != 0 && to <= from {
		return fmt.Errorf("cut is from %v to %v, want 0 <= from < to", from, to)
	}
	return nil
}

const outsideCut = "packets outside the cut"

// ReadCapture reads a packet capture as flows: see the package's text for how, and Capture for the formats. A capture
// with no packets in the cut is an error.
//
// With Options.Packets, the packets are kept while their flows are being learnt, beyond a million of them in a temporary file
// of 16 bytes each, and are read again from there: memory grows with the flows and not with the packets.
func ReadCapture(path string, o Options) (*Workload, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	defer src.Close()
	src.ctx = o.Context
	return readCapture(src, path, o, heldInCore)
}

// readCapture keeps so many packets in memory.
func readCapture(src *source, path string, o Options, held int) (_ *Workload, err error) {
	o, err = o.normal()
	if err != nil {
		return nil, fmt.Errorf("traces: %s: %w", path, err)
	}
	c, err := newCapture(src, path)
	if err != nil {
		return nil, err
	}
	c.walk.enter = o.Inner
	g := grouper{width: o.Resolution, timeout: o.Timeout, whole: o.Packets}
	var sp *spool
	if o.Packets {
		sp = &spool{most: held}
		defer func() {
			if err != nil {
				sp.close()
			}
		}()
	}
	outside, cut := int64(0), split{mtu: o.MTU}
	var p Packet
	var raw record
	for {
		if err := c.next(&p, &raw); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if p.Time < o.From || o.To > 0 && p.Time >= o.To {
			outside++
			continue
		}
		// From the capture's own time: p.Time may be units.Never.
		if p.Time = c.last.minus(instant{}.add(o.From)).time(); p.Time > maxSpan {
			return nil, c.tooFar()
		}
		n, size, last := cut.of(&c.walk, &raw, &p)
		for ; n > 0; n-- {
			if p.Bytes = size; n == 1 {
				p.Bytes = last
			}
			f := g.add(&p)
			if sp != nil {
				if err := sp.add(Arrival{p.Time, flow.ID(f), p.Bytes}); err != nil {
					return nil, fmt.Errorf("traces: %s: temporary file of its packets: %w", path, err)
				}
			}
		}
	}
	w := &Workload{Flows: g.flows, Layer: Frames, Skipped: cut.notes(c.notes())}
	w.skip(outsideCut, outside)
	if sp != nil {
		if err := sp.end(o.Speedup); err != nil {
			return nil, fmt.Errorf("traces: %s: temporary file of its packets: %w", path, err)
		}
		sp.last = g.last
	}
	return w.transform(path, c.Format(), o, sp)
}

// grouper collects packets into flows. Packets come in order of time.
type grouper struct {
	width, timeout units.Time
	whole          bool // a flow is one segment, from its first bin to its last
	index          map[flow.FiveTuple]int32
	lately         [1 << 10]int32 // flows that had a packet, by a hash of their ports: most packets are found without the map
	flows          []Flow
	last           []units.Time // packet of each flow
}

// add returns the number of the packet's flow.
func (g *grouper) add(p *Packet) int32 {
	late := &g.lately[(uint32(p.Tuple.SrcPort)*31+uint32(p.Tuple.DstPort))%uint32(len(g.lately))]
	i := *late
	ok := int(i) < len(g.flows) && g.flows[i].Tuple == p.Tuple
	if !ok {
		i, ok = g.index[p.Tuple]
	}
	if !ok || g.timeout > 0 && p.Time-g.last[i] > g.timeout {
		if g.index == nil {
			g.index = map[flow.FiveTuple]int32{}
		}
		i = int32(len(g.flows))
		g.index[p.Tuple] = i
		g.flows = append(g.flows, Flow{Tuple: p.Tuple})
		g.last = append(g.last, 0)
	}
	*late = i
	f := &g.flows[i]
	g.last[i] = p.Time
	n := len(f.Segments)
	if n > 0 && g.whole && p.Time >= f.Segments[0].End {
		s := &f.Segments[0]
		s.End = p.Time - (p.Time-s.Start)%g.width + g.width
	}
	if n == 0 || p.Time >= f.Segments[n-1].End {
		start := p.Time
		if n > 0 {
			start -= (p.Time - f.Segments[0].Start) % g.width
		}
		f.Segments = append(f.Segments, Segment{Start: start, End: start + g.width})
		n++
	}
	s := &f.Segments[n-1]
	s.Packets++
	s.Bytes += float64(p.Bytes)
	return i
}

// transform applies speed-up and copies to a workload read at trace time, orders it, and says what was done. sp holds its
// packets; nil if they are not wanted.
func (w *Workload) transform(path, format string, o Options, sp *spool) (*Workload, error) {
	if len(w.Flows) == 0 {
		return nil, fmt.Errorf("traces: %s: no packets%s", path, cutText(o.From, o.To))
	}
	packets, bytes := w.Totals()
	text := fmt.Sprintf("%s %s: %s packets, %s bytes, %d flows%s", format, filepath.Base(path), whole(packets), whole(bytes), len(w.Flows), cutText(o.From, o.To))
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
		return nil, fmt.Errorf("traces: %s: %d copies of %d flows with %d spans of constant rate, want at most %d flows and %d spans: fewer copies or a coarser resolution",
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

// segments counts those of all flows.
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

// copies superposes. Copy 0 is the original. Copy k starts at a phase drawn uniformly from the length of the original,
// from a random stream of its own: it does not wrap around, so the whole lasts up to twice as long, and it depends on no
// other copy.
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

// ShiftTuple gives flow t of a recording the addresses that it has in copy k: to each address, as a number, it adds
// k times 2654435769 (2^32 over the golden ratio), modulo 2^32 on the low 32 bits. The shift is one to one; flows that
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

// whole prints a count, which is whole unless a cut divided a connection.
func whole(x float64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", x), ".0")
}
