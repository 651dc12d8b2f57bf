package traces

import (
	"fmt"
	"io"
	"iter"
	"math"
	"time"

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

// Capture reads a packet capture, pcap or pcapng, gzip or not, packet by packet: in constant memory and without an
// allocation a packet. Link types: Ethernet, Linux cooked (SLL and SLL2), raw IP, and BSD loopback; in pcapng,
// each interface may have its own.
type Capture struct {
	path    string
	src     *source
	records records
	walk    walker

	n     int64
	first instant
	began bool // first is set
	last  units.Time
	kinds [Malformed + 1]int64
	cut   int64 // packets captured in part
	long  int64 // frames longer than longFrame
	back  int64 // timestamps that went backwards
	err   error
}

// supported are the link types that the header walk understands.
var supported = map[uint32]bool{linkNull: true, linkEthernet: true, linkRawBSD: true, linkRawBSDI: true, linkRaw: true,
	linkLoop: true, linkSLL: true, linkIPv4: true, linkIPv6: true, linkSLL2: true}

// longFrame is the longest frame of an Ethernet with an MTU of 1500 bytes and two VLAN tags, without its check sequence.
const longFrame = 1522

// OpenCapture opens a capture and reads its header. Close it when done.
func OpenCapture(path string) (_ *Capture, err error) {
	src, err := openSource(path)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	defer func() {
		if err != nil {
			src.Close()
		}
	}()
	c := &Capture{path: path, src: src, records: records{src: src}}
	magic, err := src.Peek(4)
	if _, known := magics[string(magic)]; !known {
		if err != nil && src.err != nil && src.err != io.EOF {
			return nil, fmt.Errorf("traces: %s: capture header: %w", path, src.truncated(err))
		}
		return nil, fmt.Errorf("traces: %s: not a packet capture: it begins with % x, want pcap (d4c3b2a1, a1b2c3d4, 4d3cb2a1, a1b23c4d) or pcapng (0a0d0d0a)", path, magic)
	}
	if err := c.records.open(); err != nil {
		return nil, fmt.Errorf("traces: %s: %s header: %w", path, c.Format(), err)
	}
	if link := c.records.pcap.link; !c.records.ng && !supported[link] {
		return nil, fmt.Errorf("traces: %s: link type %d is not supported: want Ethernet, LINUX_SLL, LINUX_SLL2, raw IP or loopback", path, link)
	}
	return c, nil
}

// Close closes the file.
func (c *Capture) Close() error { return c.src.Close() }

// Format is "pcap" or "pcapng".
func (c *Capture) Format() string {
	if c.records.ng {
		return "pcapng"
	}
	return "pcap"
}

// Next reads a packet. The error is io.EOF after the last one, and ErrTruncated, wrapped, if the file ends inside one;
// it names the packet, counted from 1. After an error Next returns it again.
func (c *Capture) Next() (p Packet, err error) {
	err = c.Read(&p)
	return
}

// Read is Next into a packet of the caller's, which is faster. After an error the packet is not to be used.
func (c *Capture) Read(p *Packet) error {
	var f record
	return c.next(p, &f)
}

// next is Read that keeps the record as the file holds it.
func (c *Capture) next(p *Packet, f *record) error {
	if c.err != nil {
		return c.err
	}
	if err := c.read(p, f); err != nil {
		if err != io.EOF {
			err = fmt.Errorf("traces: %s: packet %d: %w", c.path, c.n+1, err)
		}
		c.err = err
		return err
	}
	c.n++
	return nil
}

// All are the packets; the last pair holds the error if there was one other than io.EOF.
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
	if c.records.ng && !supported[f.link] {
		return fmt.Errorf("link type %d of interface %d is not supported", f.link, f.iface)
	}
	if uint32(len(f.data)) > f.length || f.length > math.MaxInt32 {
		return fmt.Errorf("%d bytes captured of a frame of %d", len(f.data), f.length)
	}
	if f.stamped {
		if err := c.time(f.at); err != nil {
			return err
		}
	}
	if uint32(len(f.data)) < f.length {
		c.cut++
	}
	if f.length > longFrame {
		c.long++
	}
	p.Time, p.Bytes = c.last, int32(f.length)
	p.Tuple, p.Kind = c.walk.frame(f.link, f.data)
	c.kinds[p.Kind]++
	return nil
}

// time rebases a timestamp to the first one. One that goes backwards counts, and becomes that of the packet before.
// A pcapng simple packet has none, and is taken to come with the packet before.
func (c *Capture) time(at instant) error {
	if !c.began {
		c.first, c.began = at, true
	}
	seconds := at.sec - c.first.sec
	if seconds > int64(maxSpan/units.Second) {
		return fmt.Errorf("time %v is more than %v after the first packet's", time.Unix(at.sec, at.ps/1000).UTC().Format(time.RFC3339Nano), maxSpan)
	}
	t := units.Time(max(seconds, -1))*units.Second + units.Time(at.ps-c.first.ps)
	if t < c.last {
		c.back++
		return nil
	}
	c.last = t
	return nil
}

// notes count what was peculiar in the packets read so far; all of them were kept.
func (c *Capture) notes() []Count {
	var cs []Count
	for _, n := range []Count{
		{"frames longer than 1522 bytes, jumbo or before segmentation by the NIC", c.long},
		{"frames captured in part, counted with their length on the wire", c.cut},
		{"frames that are not IP, kept as one flow per MAC pair and EtherType", c.kinds[NonIP]},
		{"frames with cut or damaged headers, kept with what could be read", c.kinds[Malformed]},
		{"fragments kept in the flow of their first fragment", c.kinds[Fragment]},
		{"fragments without a first fragment, kept with ports 0", c.kinds[Orphan]},
		{"timestamps that went backwards, moved to the packet before", c.back},
	} {
		cs = count(cs, n.Reason, n.N)
	}
	return cs
}
