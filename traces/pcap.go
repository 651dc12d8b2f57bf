package traces

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"

	"github.com/smartinco/smartinco/units"
)

// records reads the records of a pcap (draft-ietf-opsawg-pcap) or pcapng file (draft-ietf-opsawg-pcapng) in place: a
// record is a slice of one buffer that slides over the file. Tests compare it with gopacket's readers. Another file may
// begin where a record would: files that were joined are read as one.
type records struct {
	src  *source
	buf  []byte // buf[r:w] is read and not yet used
	r, w int

	big    bool  // the file's numbers are big endian
	pcap   iface // of a pcap, which has one
	header int   // bytes before a frame in a pcap
	swap   swapped
	ng     bool
	ifaces []iface // of the current section of a pcapng

	joined   int64 // files after the first
	modified int64 // records with the header of a modified pcap
	carried  int64 // times whose fraction was a second or more, or negative
}

// swapped says whether a pcap holds the length on the wire before the captured length, as old versions did.
type swapped uint8

const (
	never swapped = iota
	perhaps
	always
)

// record is one frame as the file holds it.
type record struct {
	data    []byte // what was captured; valid until the next record is read
	length  uint32 // on the wire
	link    uint32
	iface   int
	at      instant
	stamped bool // has a time, as all have but simple packet blocks
}

const (
	modifiedHeader = 24

	maxSnap  = 262144  // captured bytes of a frame that libpcap accepts whatever the header says
	maxEpoch = 1 << 40 // seconds
	picos    = uint64(units.Second)
)

// magics are the first four bytes of a pcap, with its byte order, the ticks of its clock in a second, and the number of
// bytes before a frame. A modified pcap (A. Kuznetzov's patches to libpcap) has 8 bytes more there.
var magics = map[string]struct {
	big    bool
	ticks  uint64
	header int
}{
	"\xd4\xc3\xb2\xa1": {false, 1e6, 16}, "\xa1\xb2\xc3\xd4": {true, 1e6, 16},
	"\x4d\x3c\xb2\xa1": {false, 1e9, 16}, "\xa1\xb2\x3c\x4d": {true, 1e9, 16},
	"\x34\xcd\xb2\xa1": {false, 1e6, modifiedHeader}, "\xa1\xb2\xcd\x34": {true, 1e6, modifiedHeader},
	"\x0a\x0d\x0d\x0a": {}, // pcapng, which says so for each section
}

// open reads the header of a file that begins with a magic number.
func (x *records) open() error {
	b, err := x.need(4)
	if err != nil {
		return err
	}
	m := magics[string(b)]
	if x.ng = m.ticks == 0; x.ng {
		_, _, err := x.block()
		return midway(err)
	}
	if b, err = x.need(24); err != nil {
		return midway(err)
	}
	x.big, x.header = m.big, m.header
	major, minor := x.u16(b[4:]), x.u16(b[6:])
	if major != 2 {
		return fmt.Errorf("version %d.%d, want 2", major, minor)
	}
	x.swap = never
	if minor < 3 {
		x.swap = always
	} else if minor == 3 {
		x.swap = perhaps
	}
	// The upper bits of the link type say whether the frames have a check sequence, or are reserved.
	x.pcap = iface{link: x.u32(b[20:]) & 0xffff, snap: min(max(x.u32(b[16:]), maxSnap), maxRecord), ticks: m.ticks,
		factor: picos / m.ticks}
	if !supported[x.pcap.link] {
		return fmt.Errorf("link type %d is not supported: want Ethernet, LINUX_SLL, LINUX_SLL2, raw IP or loopback",
			x.pcap.link)
	}
	x.r += 24
	return nil
}

// another reports whether another file begins here. As a record, a pcap's magic, its version and the zeros after them
// would be an empty frame of December 2055, and a pcapng's would be one of 1975.
func (x *records) another() bool {
	if x.w-x.r < 4 && x.need1() != nil {
		return false
	}
	b := x.buf[x.r : x.r+4]
	switch b[0] { // of the magics
	case 0xd4, 0xa1, 0x4d, 0x34, 0x0a:
	default:
		return false
	}
	m, ok := magics[string(b)]
	if !ok || m.ticks == 0 && x.ng {
		return false
	}
	b, err := x.need(16)
	if err != nil {
		return false
	}
	if m.ticks == 0 {
		order := binary.LittleEndian.Uint32(b[8:])
		return order == 0x1a2b3c4d || order == 0x4d3c2b1a
	}
	major := b[4:6]
	if !m.big {
		major = []byte{b[5], b[4]}
	}
	return major[0] == 0 && major[1] == 2 && binary.LittleEndian.Uint64(b[8:]) == 0
}

func (x *records) need1() error {
	_, err := x.need(4)
	return err
}

// next reads a record; io.EOF after the last.
func (x *records) next(f *record) error {
	for {
		if x.another() {
			if err := x.open(); err != nil {
				return err
			}
			x.joined++
			continue
		}
		if !x.ng {
			break
		}
		if packet, err := x.nextBlock(f); packet || err != nil {
			return err
		}
	}
	b, err := x.need(x.header)
	if err != nil {
		return err
	}
	captured, length := x.u32(b[8:]), x.u32(b[12:])
	if x.swap == always || x.swap == perhaps && captured > length {
		captured, length = length, captured
	}
	if captured > x.pcap.snap {
		return fmt.Errorf("%d bytes captured: exceeds snap length %d", captured, x.pcap.snap)
	}
	f.length, f.link, f.iface, f.stamped = length, x.pcap.link, 0, true
	if f.at, err = x.time(x.u32(b), x.u32(b[4:])); err != nil {
		return err
	}
	if x.header == modifiedHeader {
		x.modified++
	}
	n := x.header + int(captured)
	if b, err = x.need(n); err != nil {
		return midway(err)
	}
	f.data = b[x.header:n]
	x.r += n
	return nil
}

// time is the time of a record in a pcap. Some writers add to the fraction, or subtract from it, without a carry. Up to
// a second in either direction the time is known all the same.
func (x *records) time(sec, fraction uint32) (instant, error) {
	ticks := int64(x.pcap.ticks)
	if int64(fraction) < ticks {
		return instant{int64(sec), int64(fraction) * int64(x.pcap.factor)}, nil
	}
	x.carried++
	at := instant{int64(sec), int64(fraction) * int64(x.pcap.factor)}
	if int64(fraction) >= 2*ticks {
		if at.ps = int64(int32(fraction)) * int64(x.pcap.factor); at.ps >= 0 || at.ps <= -int64(picos) {
			return at, fmt.Errorf("time of %d s and %d of %d parts of a second", sec, fraction, ticks)
		}
	}
	return at.normal(), nil
}

// midway is the error of a file that ends where it may not.
func midway(err error) error {
	if err == io.EOF {
		return ErrTruncated
	}
	return err
}

func (x *records) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if x.big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (x *records) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if x.big {
		v = bits.ReverseBytes16(v)
	}
	return v
}

// need returns the next n bytes, which stay unread. The error is io.EOF if there are none, and ErrTruncated if there
// are fewer.
func (x *records) need(n int) ([]byte, error) {
	if x.w-x.r >= n {
		return x.buf[x.r : x.r+n], nil
	}
	return x.fill(n)
}

// fill slides the buffer. It grows with what the file holds, not with what it claims.
func (x *records) fill(n int) ([]byte, error) {
	x.w = copy(x.buf, x.buf[x.r:x.w])
	x.r = 0
	for x.w < n {
		if x.w == len(x.buf) {
			x.buf = append(x.buf, make([]byte, max(2*x.src.Size(), len(x.buf)))...)
		}
		x.src.next()
		k, err := x.src.Read(x.buf[x.w:])
		x.w += k
		if x.w >= n {
			break
		}
		switch {
		case err == io.EOF && x.w == 0:
			return nil, io.EOF
		case err == io.EOF || err == io.ErrUnexpectedEOF:
			return nil, ErrTruncated
		case err != nil:
			return nil, err
		}
	}
	return x.buf[:n], nil
}
