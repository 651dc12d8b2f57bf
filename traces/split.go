package traces

import "github.com/smartinco/smartinco/flow"

// split cuts frames as a NIC would have cut them. A host that leaves this to its NIC (TCP segmentation offload)
// captures frames that were never on a wire.
type split struct {
	mtu            int64 // of IP packets; 0 leaves all frames whole
	frames, pieces int64
}

// LeastMTU is the smallest MTU to which frames are split. Every host accepts packets of that size (RFC 791).
const LeastMTU = 576

// of returns the number of packets into which a frame is cut and their bytes on the wire: size for all but the last.
// Each piece has the frame's link and IP headers. TCP segments and UDP datagrams have headers of their own as well;
// other protocols are cut into IP fragments.
func (s *split) of(w *walker, f *record, p *Packet) (n int64, size, last int32) {
	whole := int64(f.length)
	link := int64(len(f.data) - w.ip) // headers before IP's
	if s.mtu == 0 || p.Kind == NonIP || p.Kind == Malformed || whole-link <= s.mtu {
		return 1, p.Bytes, p.Bytes
	}
	head := int64(w.ip - w.transport)
	room := (s.mtu - head) &^ 7 // fragments begin at multiples of 8 bytes (RFC 791, RFC 8200)
	if p.Kind == IP {
		own := transportHeader[p.Tuple.Proto]
		switch at := len(f.data) - w.transport + 12; p.Tuple.Proto {
		case flow.TCP:
			if at < len(f.data) { // its options are repeated, too
				own = max(own, int64(f.data[at]>>4)*4)
			}
			fallthrough
		case flow.UDP:
			head += own
			room = s.mtu - head
		}
	}
	load := whole - link - head
	if room < 8 || load <= room {
		return 1, p.Bytes, p.Bytes
	}
	n = (load + room - 1) / room
	s.frames++
	s.pieces += n
	return n, int32(link + head + room), int32(link + head + load - (n-1)*room)
}

// notes counts what was split.
func (s *split) notes(cs []Count) []Count {
	cs = count(cs, "frames beyond the MTU, split as by the NIC", s.frames)
	return count(cs, "packets that they were split into", s.pieces)
}
