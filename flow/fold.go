package flow

import (
	"encoding/binary"
	"net/netip"
)

// Fold is the number that IPVS and HAProxy hash for an address: its words in network order, combined by exclusive or.
func Fold(a netip.Addr) (n uint32) {
	if a.Is4() {
		b := a.As4()
		return binary.BigEndian.Uint32(b[:])
	}
	b := a.As16()
	for i := 0; i < len(b); i += 4 {
		n ^= binary.BigEndian.Uint32(b[i:])
	}
	return n
}
