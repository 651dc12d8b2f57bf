package traces

import (
	"fmt"
	"io"
	"iter"
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Packet is one frame of a capture.
type Packet struct {
	Time  units.Time // since the capture's first packet; never less than that of the packet before
	Tuple flow.FiveTuple
	Bytes int32 // on the wire, whatever part of it was captured
	Kind  Kind
}

// Capture reads a packet capture, pcap or pcapng, compressed or not, packet by packet. It takes constant memory and
// does not allocate per packet. Link types: Ethernet, Linux cooked (SLL and SLL2), raw IP, and BSD loopback; in pcapng,
// each interface may have its own.
type Capture struct {
	path    string
	format  string
	src     *source
	records records
	walk    walker

	n     int64
	first instant
	began bool    // first is set
	last  instant // since first
	kinds [Malformed + 1]int64
	cut   int64  // packets captured in part
	over  int64  // packets captured with more than their length
	long  int64  // frames longer than longFrame
	back  int64  // timestamps that went backwards
	bare  int64  // packets without a timestamp
	far   int64  // packets more than maxSpan after the first
	alien int64  // packets of a link type that is not supported
	link  uint32 // the last of these
	err   error
}

// supported are the link types that the header walk understands.
var supported = map[uint32]bool{linkNull: true, linkEthernet: true, linkRawBSD: true, linkRawBSDI: true, linkRaw: true,
	linkLoop: true, linkSLL: true, linkIPv4: true, linkIPv6: true, linkSLL2: true}

// longFrame is the longest frame of an Ethernet with an MTU of 1500 bytes and two VLAN tags, without its check
// sequence.
const longFrame = 1522

// OpenCapture opens a capture and reads its header. Close it when done.
func OpenCapture(path string) (*Capture, error) {
	src, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	c, err := newCapture(src, path)
	if err != nil {
		src.Close()
	}
	return c, err
}

// newCapture reads a capture's header.
func newCapture(src *source, path string) (*Capture, error) {
	c := &Capture{path: path, src: src, records: records{src: src}}
	magic, err := src.Peek(4)
	if _, known := magics[string(magic)]; !known {
		if err != nil && src.err != nil && src.err != io.EOF {
			return nil, fmt.Errorf("traces: %s: capture header: %w", path, src.truncated(err))
		}
		head, _ := src.Peek(512)
		if err := foreign(head, ""); err != nil {
			return nil, fmt.Errorf("traces: %s: %w", path, err)
		}
		return nil, fmt.Errorf("traces: %s: not a packet capture: it begins with % x, want pcap (d4c3b2a1, a1b2c3d4, "+
			"4d3cb2a1, a1b23c4d) or pcapng (0a0d0d0a)", path, magic)
	}
	if err := c.records.open(); err != nil {
		return nil, fmt.Errorf("traces: %s: %s header: %w", path, c.Format(), err)
	}
	c.format = c.Format()
	return c, nil
}

// Close closes the file.
func (c *Capture) Close() error { return c.src.Close() }

// Format is "pcap" or "pcapng"; of files that were joined, the first's.
func (c *Capture) Format() string {
	switch {
	case c.format != "":
		return c.format
	case c.records.ng:
		return "pcapng"
	}
	return "pcap"
}

// Next reads a packet. The error is io.EOF after the last one. It is a wrapped ErrTruncated if the file ends inside a
// packet, which it names, counted from 1. A packet more than 100 days after the first is an error. After an error Next
// returns the same error again.
func (c *Capture) Next() (p Packet, err error) {
	err = c.Read(&p)
	return
}

// Read is Next into a packet of the caller's, which is faster. After an error the packet must not be used.
func (c *Capture) Read(p *Packet) error {
	var f record
	if err := c.next(p, &f); err != nil {
		return err
	}
	if p.Time > maxSpan {
		c.err = c.tooFar()
	}
	return c.err
}

// tooFar is the error for the last packet if its time does not fit.
func (c *Capture) tooFar() error {
	return fmt.Errorf("traces: %s: packet %d: time %v is more than %v after the first packet's: want a cut that "+
		"leaves it out", c.path, c.n, c.first.plus(c.last), maxSpan)
}

// next is Read for a caller that also wants the record as the file holds it. It accepts any time: one that does not fit
// becomes units.Never.
func (c *Capture) next(p *Packet, f *record) error {
	if c.err != nil {
		return c.err
	}
	if err := c.read(p, f); err != nil {
		if err != io.EOF {
			err = fmt.Errorf("traces: %s: packet %d: %w", c.path, c.n+1, err)
		} else if c.n > 0 && c.alien == c.n {
			err = fmt.Errorf("traces: %s: packet 1: link type %d is not supported, and no packet is of another", c.path,
				c.link)
		}
		c.err = err
		return err
	}
	c.n++
	return nil
}

// All iterates over the packets. The last pair holds the error if there was one other than io.EOF.
func (c *Capture) All() iter.Seq2[Packet, error] {
	return func(yield func(Packet, error) bool) {
		for {
			p, err := c.Next()
			if err == io.EOF || !yield(p, err) || err != nil {
				return
			}
		}
	}
}

func (c *Capture) read(p *Packet, f *record) (err error) {
	if err := c.records.next(f); err != nil {
		return err
	}
	captured := uint32(len(f.data))
	switch {
	case captured > f.length: // a frame is not shorter than what there is of it
		f.length = captured
		c.over++
	case f.length > math.MaxInt32:
		return fmt.Errorf("%d bytes captured of a frame of %d", captured, f.length)
	case captured < f.length:
		c.cut++
	}
	if f.stamped {
		c.time(f.at)
	} else {
		c.bare++
	}
	if f.length > longFrame {
		c.long++
	}
	p.Time, p.Bytes = c.last.time(), int32(f.length)
	if p.Time > maxSpan {
		c.far++
	}
	if !supported[f.link] {
		c.alien++
		c.link = f.link
		p.Tuple, p.Kind = nonIP(nil, nil, 0), NonIP
		return nil
	}
	p.Tuple, p.Kind = c.walk.frame(f.link, f.data)
	c.kinds[p.Kind]++
	return nil
}

// time rebases a timestamp to the first one. A timestamp that goes backwards is counted and replaced by that of the
// packet before. A pcapng simple packet has no timestamp, and is taken to come with the packet before.
func (c *Capture) time(at instant) {
	if !c.began {
		c.first, c.began = at, true
	}
	if t := at.minus(c.first); t.before(c.last) {
		c.back++
	} else {
		c.last = t
	}
}

// notes counts what was peculiar in the packets read so far. All of them were kept.
func (c *Capture) notes() []Count {
	var cs []Count
	for _, n := range []Count{
		{"frames longer than 1522 bytes, jumbo or before segmentation by the NIC", c.long},
		{"frames captured in part, counted with their length on the wire", c.cut},
		{"frames captured with more bytes than their length, counted with what was captured", c.over},
		{"frames that are not IP, kept as one flow per MAC pair and EtherType", c.kinds[NonIP]},
		{"frames of a link type that is not supported, kept as one flow", c.alien},
		{"frames with cut or damaged headers, kept with what could be read", c.kinds[Malformed]},
		{"fragments kept in the flow of their first fragment", c.kinds[Fragment]},
		{"fragments without a first fragment, kept with ports 0", c.kinds[Orphan]},
		{"timestamps that went backwards, moved to the packet before", c.back},
		{"timestamps with a fraction below 0 or of a second or more, carried", c.records.carried},
		{"packets without a timestamp, taken to come with the packet before", c.bare},
		{"packets more than 100 days after the first, for which a run needs a cut", c.far},
		{"packets in the format of a modified pcap", c.records.modified},
		{"files joined to the first, read as one with it", c.records.joined},
		{"packets in VXLAN or GTP-U tunnels, in the flow of the tunnel's addresses", c.walk.outer},
		{"packets in VXLAN or GTP-U tunnels, in the flow of the addresses inside", c.walk.inner},
	} {
		cs = count(cs, n.Reason, n.N)
	}
	return c.src.notes(cs)
}
