package traces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// The types of blocks of a pcapng.
const (
	ngSection   = 0x0a0d0d0a
	ngInterface = 1
	ngPacket    = 2 // obsolete
	ngSimple    = 3
	ngEnhanced  = 6
)

const maxInterfaces = 1 << 16

// iface is what a file says of an interface.
type iface struct {
	link   uint32
	snap   uint32 // bytes of a frame that are captured at most
	ticks  uint64 // ticks of its clock in a second
	factor uint64 // picoseconds in a tick, 0 if that is not whole
	offset int64  // seconds to add to its clock
}

// block reads a block of a pcapng. A section header sets the byte order.
func (x *records) block() (kind uint32, body []byte, err error) {
	b, err := x.need(12)
	if err != nil {
		return 0, nil, err
	}
	if kind = x.u32(b); kind == ngSection { // the number is a palindrome
		switch order := binary.LittleEndian.Uint32(b[8:]); order {
		case 0x1a2b3c4d:
			x.big = false
		case 0x4d3c2b1a:
			x.big = true
		default:
			return 0, nil, fmt.Errorf("section header with byte order % x, want 1a2b3c4d in either order", b[8:12])
		}
		x.ifaces = x.ifaces[:0]
	}
	size := x.u32(b[4:])
	if size > maxRecord {
		return 0, nil, errRecord
	}
	if size < 12 || size%4 != 0 || kind == ngSection && size < 28 {
		return 0, nil, fmt.Errorf("block of type %#x is %d bytes long, want a multiple of 4 that holds its header",
			kind, size)
	}
	if b, err = x.need(int(size)); err != nil {
		return 0, nil, midway(err)
	}
	if end := x.u32(b[size-4:]); end != size {
		return 0, nil, fmt.Errorf("block of type %#x begins with length %d and ends with %d", kind, size, end)
	}
	x.r += int(size)
	if kind == ngSection && x.u16(b[12:]) != 1 {
		return 0, nil, fmt.Errorf("section of version %d.%d, want 1", x.u16(b[12:]), x.u16(b[14:]))
	}
	return kind, b[8 : size-4], nil
}

// nextBlock reads a block, and reports whether it is a packet.
func (x *records) nextBlock(f *record) (packet bool, err error) {
	kind, b, err := x.block()
	if err != nil {
		return false, err
	}
	switch kind {
	case ngInterface:
		if err := x.describe(b); err != nil {
			return false, err
		}
	case ngEnhanced, ngPacket:
		if len(b) < 20 {
			return false, fmt.Errorf("packet block of %d bytes, want 20 or more", len(b))
		}
		n := x.u32(b)
		if kind == ngPacket {
			n = uint32(x.u16(b))
		}
		if int64(n) >= int64(len(x.ifaces)) {
			return false, fmt.Errorf("packet of interface %d, of which there are %d", n, len(x.ifaces))
		}
		captured := x.u32(b[12:])
		if int64(captured) > int64(len(b)-20) {
			return false, fmt.Errorf("%d bytes captured in a block that holds %d", captured, len(b)-20)
		}
		i := &x.ifaces[n]
		f.data, f.length, f.link, f.iface, f.stamped = b[20:20+captured], x.u32(b[16:]), i.link, int(n), true
		f.at, err = i.time(uint64(x.u32(b[4:]))<<32 | uint64(x.u32(b[8:])))
		return true, err
	case ngSimple:
		if len(b) < 4 {
			return false, fmt.Errorf("simple packet block of %d bytes, want 4 or more", len(b))
		}
		if len(x.ifaces) == 0 {
			return false, errors.New("packet of interface 0, of which there are 0")
		}
		i := &x.ifaces[0]
		f.length, f.link, f.iface, f.stamped = x.u32(b), i.link, 0, false
		captured := min(f.length, i.snap)
		if int64(captured) > int64(len(b)-4) {
			return false, fmt.Errorf("%d bytes captured in a block that holds %d", captured, len(b)-4)
		}
		f.data = b[4 : 4+captured]
		return true, nil
	}
	return false, nil
}

// describe reads an interface description block.
func (x *records) describe(b []byte) error {
	if len(b) < 8 {
		return fmt.Errorf("interface description of %d bytes, want 8 or more", len(b))
	}
	if len(x.ifaces) == maxInterfaces {
		return fmt.Errorf("more than %d interfaces in a section", maxInterfaces)
	}
	i := iface{link: uint32(x.u16(b)), snap: x.u32(b[4:]), ticks: 1e6}
	if i.snap == 0 {
		i.snap = maxRecord
	}
	for b = b[8:]; len(b) >= 4; {
		code, size := x.u16(b), int(x.u16(b[2:]))
		if code == 0 {
			break
		}
		if size > len(b)-4 {
			return fmt.Errorf("interface option %d of %d bytes in %d", code, size, len(b)-4)
		}
		v := b[4 : 4+size]
		b = b[min(len(b), 4+(size+3)&^3):]
		switch {
		case code == 9 && size == 1: // if_tsresol: a power of ten, or of two with the highest bit set
			n := uint(v[0] & 0x7f)
			if v[0]&0x80 != 0 {
				if n > 63 {
					return fmt.Errorf("timestamp resolution of 2^-%d s, want 2^-63 or coarser", n)
				}
				i.ticks = 1 << n
				break
			}
			if n > 19 {
				return fmt.Errorf("timestamp resolution of 10^-%d s, want 10^-19 or coarser", n)
			}
			for i.ticks = 1; n > 0; n-- {
				i.ticks *= 10
			}
		case code == 14 && size == 8: // if_tsoffset
			first, second := x.u32(v), x.u32(v[4:])
			if x.big {
				first, second = second, first
			}
			i.offset = int64(uint64(second)<<32 | uint64(first))
		}
	}
	if i.ticks <= picos && picos%i.ticks == 0 {
		i.factor = picos / i.ticks
	}
	x.ifaces = append(x.ifaces, i)
	return nil
}

// time is a reading of the interface's clock, cut to a picosecond.
func (i *iface) time(ticks uint64) (instant, error) {
	sec, rest := ticks/i.ticks, ticks%i.ticks
	if sec > maxEpoch || i.offset > maxEpoch || i.offset < -maxEpoch {
		return instant{}, fmt.Errorf("timestamp %d of %d a second is out of range", ticks, i.ticks)
	}
	ps := rest * i.factor
	if i.factor == 0 {
		hi, lo := bits.Mul64(rest, picos)
		ps, _ = bits.Div64(hi, lo, i.ticks) // rest < ticks, so the quotient is below picos
	}
	return instant{int64(sec) + i.offset, int64(ps)}, nil
}
