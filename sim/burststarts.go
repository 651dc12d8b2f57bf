package sim

import (
	"io"
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// burstStarts finds the packets with which the bursts of flows begin, the first burst of each flow left out: those that
// come at least a gap after the packet of their flow before them. They come in order of time. Of those at one instant,
// those of flows with packets of their own come first, and then those of lower numbers.
//
// A gap is a property of what is sent, so this is a pass over the traffic of its own, beside that of the data plane. It
// holds a cursor for each flow that lives, and for flows with packets of their own the time of the last packet of each.
type burstStarts struct {
	gap     units.Time
	traffic *traces.Workload
	flow    int      // to begin next
	paced   []cursor // a heap, by burst
	own     ownStarts
}

// burst is a flow and the time of a burst's first packet, or of the decision on it.
type burst struct {
	at units.Time
	f  flow.ID
}

func (b burst) sooner(c burst) bool { return b.at < c.at || b.at == c.at && b.f < c.f }

func newBurstStarts(w *traces.Workload, gap units.Time, stopped func() bool) *burstStarts {
	s := &burstStarts{gap: gap, traffic: w}
	if len(w.Packets) > 0 {
		s.own = ownStarts{gap: gap, stream: traces.MergePackets(w.Packets), buf: make([]traces.Arrival, 1<<12),
			last: make([]units.Time, len(w.Flows)), stopped: stopped}
		for i := range s.own.last {
			s.own.last[i] = unpaced
		}
		for _, p := range w.Packets {
			for _, f := range p.Flows {
				s.own.last[f] = none
			}
		}
		s.own.find()
	}
	return s
}

// What stands in place of the time of a flow's last packet.
const (
	none    units.Time = -1 // it has sent none
	unpaced units.Time = -2 // it has no packets of its own
)

// next is the next burst that begins.
func (s *burstStarts) next() (first burst, ok bool) {
	for s.flow < len(s.traffic.Flows) {
		segs := s.traffic.Flows[s.flow].Segments
		if len(segs) > 0 && (len(s.paced) > 0 && segs[0].Start >= s.paced[0].at ||
			s.own.more && segs[0].Start >= s.own.burst.at) {
			break // all of its bursts are later
		}
		s.begin(flow.ID(s.flow))
		s.flow++
	}
	switch {
	case s.own.more && (len(s.paced) == 0 || s.own.burst.at <= s.paced[0].at):
		first = s.own.burst
		s.own.find()
		return first, true
	case len(s.paced) == 0:
		return burst{}, false
	}
	first = s.paced[0].burst
	if !s.paced[0].find(s) {
		last := len(s.paced) - 1
		s.paced[0] = s.paced[last]
		s.paced = s.paced[:last]
	}
	s.sink()
	return first, true
}

// begin gives a flow without packets of its own a cursor.
func (s *burstStarts) begin(f flow.ID) {
	if s.own.stream != nil && s.own.last[f] != unpaced {
		return
	}
	c := cursor{burst: burst{f: f}, last: none}
	if !c.find(s) {
		return
	}
	i := len(s.paced)
	s.paced = append(s.paced, c)
	for i > 0 && s.paced[i].sooner(s.paced[(i-1)/2].burst) {
		s.paced[i], s.paced[(i-1)/2] = s.paced[(i-1)/2], s.paced[i]
		i = (i - 1) / 2
	}
}

// sink restores the heap after its first cursor has changed.
func (s *burstStarts) sink() {
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(s.paced); child++ {
			if s.paced[child].sooner(s.paced[least].burst) {
				least = child
			}
		}
		if least == i {
			return
		}
		s.paced[i], s.paced[least] = s.paced[least], s.paced[i]
		i = least
	}
}

// cursor is a flow whose packets are evenly spaced, in one run or one for each segment, as the packet engine has them.
type cursor struct {
	burst
	last    units.Time // packet before the next one
	segment int        // the next
	before  float64    // packets of the segments before, as the trace counts them

	start  units.Time // of the run
	period traces.Period
	k, n   int64 // the next packet is number k of n in it
}

// find moves on to the flow's next burst; false if there is none.
func (c *cursor) find(s *burstStarts) bool {
	for {
		if c.k == c.n && !c.run(s.traffic) {
			return false
		}
		if c.k > 0 && c.longest() < s.gap { // no gap between the packets of a run
			c.k = c.n - 1
			c.last = c.start + c.period.At(c.k)
			c.k++
			continue
		}
		at := c.start + c.period.At(c.k)
		gap := c.last != none && at-c.last >= s.gap
		c.last = at
		c.k++
		if gap {
			c.at = at
			return true
		}
	}
}

// longest is the longest time between two packets of the run.
func (c *cursor) longest() units.Time {
	return (c.period.Num-1)/units.Time(c.period.Den) + 1
}

// run begins the next run of packets; false if there is none.
func (c *cursor) run(w *traces.Workload) bool {
	segs := w.Flows[c.f].Segments
	if len(w.Constant) > 0 && w.Constant[c.f].Period.Num > 0 {
		p := w.Constant[c.f]
		c.start, c.period, c.k, c.n = p.Phase, p.Period, 0, p.Period.Before(p.End-p.Phase)
		c.segment++
		return c.segment == 1 && c.n > 0
	}
	for c.segment < len(segs) {
		g := &segs[c.segment]
		c.segment++
		n := int64(math.Round(c.before+g.Packets) - math.Round(c.before))
		c.before += g.Packets
		if n > 0 {
			c.start, c.period, c.k, c.n = g.Start, traces.Spread(g.End-g.Start, n), 0, n
			return true
		}
	}
	return false
}

// ownStarts are the bursts of flows with packets of their own.
type ownStarts struct {
	burst         // the next
	more    bool  // there is one
	err     error // of reading
	gap     units.Time
	stream  *traces.PacketMerge // nil where no flow has any
	buf     []traces.Arrival
	head, n int          // buf[head:n] is read and not used
	last    []units.Time // packet of each flow, or why there is none
	stopped func() bool
}

// find moves on to the next burst.
func (o *ownStarts) find() {
	for o.more = true; ; {
		if o.head == o.n && !o.fill() {
			o.more = false
			return
		}
		x := &o.buf[o.head]
		o.head++
		last := o.last[x.Flow]
		o.last[x.Flow] = x.At
		if last != none && x.At-last >= o.gap {
			o.burst = burst{x.At, x.Flow}
			return
		}
	}
}

func (o *ownStarts) fill() bool {
	if o.stopped() {
		return false
	}
	n, err := o.stream.Read(o.buf)
	if o.head, o.n = 0, n; n == 0 && err != io.EOF {
		o.err = err
	}
	return n > 0
}
