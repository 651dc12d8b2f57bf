package traces

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// CaptureFormat is a format in which captures are written.
type CaptureFormat uint8

// The formats.
const (
	PCAPNG CaptureFormat = iota // times in nanoseconds
	PCAP                        // times in microseconds, one link type a file; TRex reads no other
)

// captureWriter writes packets in a format. The file says nothing of the machine that wrote it.
type captureWriter struct {
	w       io.Writer
	format  CaptureFormat
	links   map[layers.LinkType]int // by interface of a pcapng; the one of a pcap
	ng      *pcapgo.NgWriter
	classic *pcapgo.Writer
	buf     *bufio.Writer // of classic
}

func newCaptureWriter(w io.Writer, format CaptureFormat) *captureWriter {
	return &captureWriter{w: w, format: format, links: map[layers.LinkType]int{}}
}

// write adds a frame of which data was captured.
func (c *captureWriter) write(link layers.LinkType, at time.Time, length int, data []byte) (err error) {
	i, known := c.links[link]
	if !known {
		if i, err = c.begin(link); err != nil {
			return err
		}
		c.links[link] = i
	}
	ci := gopacket.CaptureInfo{Timestamp: at, CaptureLength: len(data), Length: length, InterfaceIndex: i}
	if c.ng != nil {
		return c.ng.WritePacket(ci, data)
	}
	switch {
	case at.Unix() > math.MaxUint32:
		return fmt.Errorf("time %v is too late for a pcap: want pcapng", at.UTC().Format(time.RFC3339Nano))
	case len(data) > maxSnap:
		return fmt.Errorf("%d bytes of a frame are too many for a pcap: want pcapng", len(data))
	}
	return c.classic.WritePacket(ci, data)
}

// begin begins the file, or an interface of it.
func (c *captureWriter) begin(link layers.LinkType) (i int, err error) {
	iface := pcapgo.NgInterface{LinkType: link}
	switch {
	case c.classic != nil:
		return 0, fmt.Errorf("a frame of link type %v, and others before it: a pcap holds one kind, want pcapng", link)
	case c.ng != nil:
		return c.ng.AddInterface(iface)
	case c.format == PCAP:
		c.buf = bufio.NewWriterSize(c.w, 1<<16)
		c.classic = pcapgo.NewWriter(c.buf)
		return 0, c.classic.WriteFileHeader(maxSnap, link)
	}
	c.ng, err = pcapgo.NewNgWriterInterface(c.w, iface,
		pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "smartinco"}})
	return 0, err
}

// flush is called once, at the end.
func (c *captureWriter) flush() error {
	switch {
	case c.ng != nil:
		return c.ng.Flush()
	case c.buf != nil:
		return c.buf.Flush()
	}
	return nil
}
