package trex

import (
	"encoding/binary"
	"fmt"
	"net"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// latencyTrailer is what the server writes over the end of the payload of a packet that measures latency.
const latencyTrailer = 16

// transport headers by protocol: their length, and where in them the checksum is. Other protocols have none.
var transports = map[uint8]struct{ size, checksum int }{
	flow.TCP: {20, 16}, flow.UDP: {8, 6}, flow.ICMP: {8, 2}, flow.ICMPv6: {8, 2},
}

// packet builds the frame without its check sequence: Ethernet, IPv4 or IPv6, the transport's header, zeros. Checksums
// are right, but for UDP over IPv4 it is left out (RFC 768), so that addresses may change on the way.
func (f *Flow) packet() ([]byte, error) {
	t := f.Tuple
	if f.Frame < MinFrame || f.Frame > MaxFrame {
		return nil, fmt.Errorf("frame is %v, want %v to %v", f.Frame, MinFrame, MaxFrame)
	}
	if !t.Src.IsValid() || !t.Dst.IsValid() || t.Src.Is4() != t.Dst.Is4() {
		return nil, fmt.Errorf("addresses are %v and %v, want two of IPv4 or two of IPv6", t.Src, t.Dst)
	}
	network := 20
	if !t.Src.Is4() {
		network = 40
	}
	need := ethernetLen + network + transports[t.Proto].size
	if f.Latency {
		need += latencyTrailer
	}
	if f.Frame < units.Bytes(need+fcs) {
		return nil, fmt.Errorf("frame is %v, the headers need %dB", f.Frame, need+fcs)
	}
	b := make([]byte, f.Frame-fcs)
	for i, mac := range []net.HardwareAddr{f.DstMAC, f.SrcMAC} {
		if len(mac) != 0 && len(mac) != 6 {
			return nil, fmt.Errorf("MAC address %v has %d bytes, want 6", mac, len(mac))
		}
		copy(b[6*i:], mac)
	}
	ip := b[ethernetLen:]
	pseudo := uint32(t.Proto) + uint32(len(ip)-network)
	if t.Src.Is4() {
		binary.BigEndian.PutUint16(b[12:], 0x0800)
		src, dst := t.Src.As4(), t.Dst.As4()
		ip[0], ip[8], ip[9] = 0x45, 64, t.Proto
		binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
		copy(ip[12:], src[:])
		copy(ip[16:], dst[:])
		binary.BigEndian.PutUint16(ip[10:], ^fold(sum16(0, ip[:20])))
		pseudo = sum16(pseudo, ip[12:20])
	} else {
		binary.BigEndian.PutUint16(b[12:], 0x86dd)
		src, dst := t.Src.As16(), t.Dst.As16()
		ip[0], ip[6], ip[7] = 0x60, t.Proto, 64
		binary.BigEndian.PutUint16(ip[4:], uint16(len(ip)-40))
		copy(ip[8:], src[:])
		copy(ip[24:], dst[:])
		pseudo = sum16(pseudo, ip[8:40])
	}
	transport(ip[network:], t, pseudo)
	return b, nil
}

func transport(b []byte, t flow.FiveTuple, pseudo uint32) {
	head, ok := transports[t.Proto]
	if !ok {
		return
	}
	switch t.Proto {
	case flow.ICMP, flow.ICMPv6:
		b[0], b[1] = byte(t.SrcPort), byte(t.DstPort) // type and code
		if t.Proto == flow.ICMP {
			pseudo = 0
		}
	case flow.UDP:
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)))
	case flow.TCP:
		b[12], b[13] = 5<<4, 0x10 // ACK
		binary.BigEndian.PutUint16(b[14:], 0xffff)
	}
	if t.Proto == flow.UDP || t.Proto == flow.TCP {
		binary.BigEndian.PutUint16(b, t.SrcPort)
		binary.BigEndian.PutUint16(b[2:], t.DstPort)
	}
	if t.Proto == flow.UDP && t.Src.Is4() {
		return
	}
	c := ^fold(sum16(pseudo, b))
	if c == 0 && t.Proto == flow.UDP {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(b[head.checksum:], c)
}

// sum16 is the Internet checksum's sum (RFC 1071), not yet folded. Frames are short enough not to overflow it.
func sum16(s uint32, b []byte) uint32 {
	for ; len(b) > 1; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint32(b[0]) << 8
	}
	return s
}

func fold(s uint32) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}
