package hw

import (
	"encoding/binary"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
)

// TupleOf finds the five-tuple of an Ethernet frame with TCP or UDP over IPv4 or IPv6, under any number of VLAN tags.
// It reports false for every other frame, and for the later fragments of a packet, which have no ports.
func TupleOf(frame []byte) (flow.FiveTuple, bool) {
	if len(frame) < 14 {
		return flow.FiveTuple{}, false
	}
	ether, b := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	for (ether == 0x8100 || ether == 0x88a8) && len(b) >= 4 {
		ether, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	var t flow.FiveTuple
	switch {
	case ether == 0x0800 && len(b) >= 20:
		n := int(b[0]&15) * 4
		if n < 20 || len(b) < n || binary.BigEndian.Uint16(b[6:])&0x1fff != 0 {
			return t, false
		}
		t.Proto, t.Src, t.Dst = b[9], netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:]))
		b = b[n:]
	case ether == 0x86dd && len(b) >= 40:
		t.Proto, t.Src, t.Dst = b[6], netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		b = b[40:]
		for extension[t.Proto] && len(b) >= 8 {
			n := int(b[1])*8 + 8
			if t.Proto == 44 { // fragment: fixed length, and an offset
				if binary.BigEndian.Uint16(b[2:])>>3 != 0 {
					return t, false
				}
				n = 8
			}
			if len(b) < n {
				return t, false
			}
			t.Proto, b = b[0], b[n:]
		}
	}
	if t.Proto != flow.TCP && t.Proto != flow.UDP || len(b) < 4 {
		return flow.FiveTuple{}, false
	}
	t.SrcPort, t.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	return t, true
}

// extension holds the IPv6 headers that may stand between the address and the transport header.
var extension = [256]bool{0: true, 43: true, 44: true, 60: true}
