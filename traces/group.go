package traces

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/smartinco/smartinco/flow"
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
	// captures: longer IP packets are split as a NIC would have done; 0 leaves them whole
	MTU     int64
	Inner   bool // captures: packets in VXLAN and GTP-U tunnels belong to the flow of the addresses inside
	Packets bool // captures: keep the packets as well, for Workload.Packets, and give each flow one segment

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

// ReadCapture reads a packet capture as flows: the package comment says how, and Capture lists the formats. A capture
// with no packets in the cut is an error.
//
// With Options.Packets, the packets are kept while their flows are being learnt: up to a million in memory, more in a
// temporary file of 16 bytes a packet. They are read again from there. So memory grows with the flows and not with the
// packets.
func ReadCapture(path string, o Options) (*Workload, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	defer src.Close()
	src.ctx = o.Context
	return readCapture(src, path, o, heldInCore)
}

// readCapture keeps up to held packets in memory.
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
		// c.last and not p.Time, which may be units.Never.
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
	// flows that had a packet, by a hash of their ports: most packets need no look-up in the map
	lately [1 << 10]int32
	flows  []Flow
	last   []units.Time // packet of each flow
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
