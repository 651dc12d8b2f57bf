package traces

import (
	"encoding/binary"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
)

// Link types of captures, by their number in the registry of tcpdump.org/linktypes.html.
const (
	linkNull     = 0
	linkEthernet = 1
	linkRawBSD   = 12
	linkRawBSDI  = 14
	linkRaw      = 101
	linkLoop     = 108
	linkSLL      = 113
	linkIPv4     = 228
	linkIPv6     = 229
	linkSLL2     = 276
)

// Kind is what a header walk found.
type Kind uint8

// Kinds of frames. Only frames of kind IP and Fragment have an IP five-tuple; the package comment says what the others
// have.
const (
	IP        Kind = iota // five-tuple complete
	Fragment              // later IP fragment whose first fragment was seen: five-tuple complete
	Orphan                // later IP fragment whose first fragment was not seen: ports 0
	NonIP                 // ARP, LLDP, ...
	Malformed             // a header is cut by the snap length or contradicts itself
)

// notIP is the protocol number of flows that are not IP: 255, reserved by IANA.
const notIP = 255

const (
	etherIPv4   = 0x0800
	etherIPv6   = 0x86dd
	etherMPLS   = 0x8847
	etherMPLSUp = 0x8848 // multicast once, now with a label that the receiver assigned
	etherPPPoE  = 0x8864

	etherTransparent = 0x6558 // an Ethernet frame
)

// walker finds the five-tuple of frames. It remembers first fragments. When there are maxFragments of them it forgets
// them all, so memory stays bounded.
type walker struct {
	enter     bool // whether to enter tunnels and find the five-tuple inside
	tunnelled bool // the current frame has a tunnel
	depth     int  // tunnels entered in the current frame
	fragments map[fragment]flow.FiveTuple
	// bytes captured of the last frame from its IP header on, and from the end of that header and its extensions on; in
	// a tunnel, of the packet inside
	ip, transport int

	outer, inner int64 // packets in tunnels that were not entered, and that were
}

const maxFragments = 1 << 16

// fragment is what the fragments of a datagram share (RFC 791 and RFC 8200).
type fragment struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

// frame finds the five-tuple of a frame of the given link type.
func (w *walker) frame(link uint32, b []byte) (flow.FiveTuple, Kind) {
	w.tunnelled, w.depth = false, 0
	t, k := w.link(link, b)
	switch {
	case w.depth > 0:
		w.inner++
	case w.tunnelled:
		w.outer++
	}
	return t, k
}

func (w *walker) link(link uint32, b []byte) (flow.FiveTuple, Kind) {
	switch link {
	case linkEthernet:
		if p, ok := plainIPv4(b); ok {
			w.ip, w.transport = len(b)-14, len(b)-34
			return flow.FiveTuple{
				Src: netip.AddrFrom4([4]byte(p[12:16])), Dst: netip.AddrFrom4([4]byte(p[16:20])),
				SrcPort: binary.BigEndian.Uint16(p[20:]), DstPort: binary.BigEndian.Uint16(p[22:]), Proto: p[9],
			}, IP
		}
		if len(b) < 14 {
			return nonIP(nil, nil, 0), Malformed
		}
		return w.ether(b[6:12], b[:6], binary.BigEndian.Uint16(b[12:]), b[14:])
	case linkSLL: // type(2) ARPHRD(2) length(2) address(8) protocol(2)
		if len(b) < 16 {
			return nonIP(nil, nil, 0), Malformed
		}
		return w.ether(b[6:6+min(8, binary.BigEndian.Uint16(b[4:]))], nil, binary.BigEndian.Uint16(b[14:]), b[16:])
	case linkSLL2: // protocol(2) reserved(2) interface(4) ARPHRD(2) type(1) length(1) address(8)
		if len(b) < 20 {
			return nonIP(nil, nil, 0), Malformed
		}
		return w.ether(b[12:12+min(8, b[11])], nil, binary.BigEndian.Uint16(b), b[20:])
	// address family(4), in the byte order of the machine that captured; the IP version decides
	case linkNull, linkLoop:
		if len(b) < 4 {
			return nonIP(nil, nil, 0), Malformed
		}
		return w.raw(b[4:])
	}
	return w.raw(b)
}

// plainIPv4 recognises the frames that are most common: IPv4 without options, not a fragment, with ports, and in no
// tunnel. The long way gives the same.
func plainIPv4(b []byte) (p *[24]byte, ok bool) {
	if len(b) < 14+20+4 || b[12] != 8 || b[13] != 0 || b[14] != 0x45 || !ported[b[14+9]] || b[14+6]&^0x40|b[14+7] != 0 {
		return nil, false
	}
	p = (*[24]byte)(b[14:])
	return p, p[9] != flow.UDP || tunnel(binary.BigEndian.Uint16(p[22:])) == nil
}

func (w *walker) raw(b []byte) (flow.FiveTuple, Kind) {
	if len(b) == 0 {
		return nonIP(nil, nil, 0), Malformed
	}
	switch b[0] >> 4 {
	case 4:
		return w.ether(nil, nil, etherIPv4, b)
	case 6:
		return w.ether(nil, nil, etherIPv6, b)
	}
	return nonIP(nil, nil, 0), NonIP
}

// ether continues after a link header, past any number of VLAN tags (802.1Q, 802.1ad, and the older 0x9100), MPLS
// labels (RFC 3032) and the header of a PPPoE session (RFC 2516).
func (w *walker) ether(src, dst []byte, proto uint16, b []byte) (flow.FiveTuple, Kind) {
	for proto == 0x8100 || proto == 0x88a8 || proto == 0x9100 {
		if len(b) < 4 {
			return nonIP(src, dst, proto), Malformed
		}
		proto, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	switch proto {
	case etherIPv4:
		if t, k, ok := w.ipv4(b); ok {
			return t, k
		}
		return nonIP(src, dst, proto), Malformed
	case etherIPv6:
		if t, k, ok := w.ipv6(b); ok {
			return t, k
		}
		return nonIP(src, dst, proto), Malformed
	case etherMPLS, etherMPLSUp:
		return w.mpls(src, dst, proto, b)
	case etherPPPoE: // version and type(1) code(1) session(2) length(2) protocol of PPP(2)
		if len(b) < 8 {
			return nonIP(src, dst, proto), Malformed
		}
		if inside := pppIP[binary.BigEndian.Uint16(b[6:])]; inside != 0 && b[1] == 0 {
			return w.ether(src, dst, inside, b[8:])
		}
	}
	return nonIP(src, dst, proto), NonIP
}

// pppIP are the protocols of PPP that carry IP, with the corresponding EtherTypes.
var pppIP = map[uint16]uint16{0x21: etherIPv4, 0x57: etherIPv6}

// mpls skips labels. Only the first bits of what is inside tell whether it is IP.
func (w *walker) mpls(src, dst []byte, proto uint16, b []byte) (flow.FiveTuple, Kind) {
	for bottom := false; !bottom; b = b[4:] {
		if len(b) < 4 {
			return nonIP(src, dst, proto), Malformed
		}
		bottom = b[2]&1 != 0
	}
	if len(b) > 0 {
		version, read := b[0]>>4, w.ipv4
		if version == 6 {
			read = w.ipv6
		}
		if version == 4 || version == 6 {
			if t, k, ok := read(b); ok {
				return t, k
			}
		}
	}
	return nonIP(src, dst, proto), NonIP
}

func (w *walker) ipv4(b []byte) (t flow.FiveTuple, k Kind, ok bool) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return
	}
	header := int(b[0]&15) * 4
	if header < 20 {
		return
	}
	t.Src, t.Dst = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
	t.Proto = b[9]
	w.ip, w.transport = len(b), len(b)-min(header, len(b))
	frag := binary.BigEndian.Uint16(b[6:])
	key := fragment{t.Src, t.Dst, uint32(binary.BigEndian.Uint16(b[4:])), t.Proto}
	if frag&0x1fff != 0 {
		k = w.recall(key, &t)
		return t, k, true
	}
	t, k = w.payload(t, b[min(header, len(b)):])
	if frag&0x2000 != 0 {
		w.remember(key, t)
	}
	return t, k, true
}

// ipv6 skips the extension headers of RFC 8200 and the IPsec authentication header (RFC 4302).
func (w *walker) ipv6(b []byte) (t flow.FiveTuple, k Kind, ok bool) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return
	}
	t.Src, t.Dst = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
	t.Proto = b[6]
	w.ip = len(b)
	b = b[40:]
	var key fragment
	first := false // of several fragments
	for {
		w.transport = len(b)
		unit := extensions[t.Proto]
		if unit == 0 {
			break
		}
		if len(b) < 8 {
			return t, Malformed, true
		}
		size := 8 + unit*int(b[1])
		if t.Proto == 44 {
			size = 8
			offset := binary.BigEndian.Uint16(b[2:])
			key = fragment{t.Src, t.Dst, binary.BigEndian.Uint32(b[4:]), b[0]}
			if offset>>3 != 0 {
				t.Proto = b[0]
				k = w.recall(key, &t)
				return t, k, true
			}
			first = offset&1 != 0
		}
		if len(b) < size {
			return t, Malformed, true
		}
		t.Proto, b = b[0], b[size:]
	}
	t, k = w.payload(t, b)
	if first {
		w.remember(key, t)
	}
	return t, k, true
}

// extensions are the IPv6 extension headers that are skipped, with the unit in bytes of their length field: hop-by-hop,
// routing, fragment, authentication, destination options, mobility, HIP, Shim6. Each is 8 bytes and so many units long.
var extensions = [256]int{0: 8, 43: 8, 44: 8, 51: 4, 60: 8, 135: 8, 139: 8, 140: 8}

// ported are the transports whose header begins with source and destination port.
var ported = [256]bool{flow.TCP: true, flow.UDP: true, flow.SCTP: true, 33: true, 136: true} // DCCP, UDP-Lite

// ports completes t from the transport header. For ICMP, type and code stand for the ports, as in flow logs.
func ports(t *flow.FiveTuple, b []byte) Kind {
	switch icmp := t.Proto == flow.ICMP || t.Proto == flow.ICMPv6; {
	case icmp && len(b) >= 2:
		t.SrcPort, t.DstPort = uint16(b[0]), uint16(b[1])
	case ported[t.Proto] && len(b) >= 4:
		t.SrcPort, t.DstPort = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	case icmp || ported[t.Proto]:
		return Malformed
	}
	return IP
}

func (w *walker) remember(key fragment, t flow.FiveTuple) {
	if w.fragments == nil {
		w.fragments = map[fragment]flow.FiveTuple{}
	} else if len(w.fragments) >= maxFragments {
		clear(w.fragments)
	}
	w.fragments[key] = t
}

func (w *walker) recall(key fragment, t *flow.FiveTuple) Kind {
	x, ok := w.fragments[key]
	if !ok {
		return Orphan
	}
	*t = x // with the addresses inside, if it is in a tunnel
	return Fragment
}

// payload completes t from what follows the IP header, and enters a tunnel if there is one. If what is inside cannot be
// read, the packet stays in the flow of the tunnel.
func (w *walker) payload(t flow.FiveTuple, b []byte) (flow.FiveTuple, Kind) {
	k := ports(&t, b)
	if k != IP || t.Proto != flow.UDP || len(b) < 8 {
		return t, k
	}
	open := tunnel(t.DstPort)
	if open == nil {
		return t, k
	}
	ethertype, inside := open(b[8:])
	if ethertype == 0 {
		return t, k
	}
	if w.tunnelled = true; !w.enter || w.depth == maxDepth {
		return t, k
	}
	ip, transport := w.ip, w.transport
	w.depth++
	var inner flow.FiveTuple
	if ethertype == etherTransparent {
		inner, k = w.link(linkEthernet, inside)
	} else {
		inner, k = w.ether(nil, nil, ethertype, inside)
	}
	if k == Malformed {
		w.depth--
		w.ip, w.transport = ip, transport
		return t, IP
	}
	return inner, k
}

// maxDepth is how many tunnels within each other are entered.
const maxDepth = 4

// tunnel returns the reader for UDP datagrams to a port, or nil if the port is not a tunnel's. The reader returns the
// content and its EtherType, 0 for no content.
func tunnel(port uint16) func([]byte) (uint16, []byte) {
	switch port {
	case 4789, 8472: // by IANA, and by Linux before that
		return vxlan
	case 2152:
		return gtpu
	}
	return nil
}

// vxlan is RFC 7348: flags(1) reserved(3) network(3) reserved(1), and an Ethernet frame.
func vxlan(b []byte) (uint16, []byte) {
	if len(b) < 8 || b[0]&0x08 == 0 {
		return 0, nil
	}
	return etherTransparent, b[8:]
}

// gtpu is 3GPP TS 29.281: a T-PDU of version 1, its optional fields and extension headers, and an IP packet.
func gtpu(b []byte) (uint16, []byte) {
	if len(b) < 8 || b[0]>>5 != 1 || b[0]&0x10 == 0 || b[1] != 255 {
		return 0, nil
	}
	flags := b[0]
	b = b[8:]
	if flags&7 != 0 {
		if len(b) < 4 {
			return 0, nil
		}
		next := b[3]
		b = b[4:]
		for flags&4 != 0 && next != 0 {
			if len(b) < 4 || b[0] == 0 || len(b) < 4*int(b[0]) {
				return 0, nil
			}
			next, b = b[4*int(b[0])-1], b[4*int(b[0]):]
		}
	}
	if len(b) > 0 {
		switch b[0] >> 4 {
		case 4:
			return etherIPv4, b
		case 6:
			return etherIPv6, b
		}
	}
	return 0, nil
}

// nonIP is the five-tuple under which a frame that is not IP is kept.
func nonIP(src, dst []byte, proto uint16) flow.FiveTuple {
	return flow.FiveTuple{Src: linkLocal(src), Dst: linkLocal(dst), SrcPort: proto, Proto: notIP}
}

// linkLocal is the link-local address of a MAC address (RFC 4291, appendix A), or the unspecified address without one.
func linkLocal(mac []byte) netip.Addr {
	if len(mac) == 0 {
		return netip.IPv6Unspecified()
	}
	a := [16]byte{0: 0xfe, 1: 0x80}
	if len(mac) == 6 {
		copy(a[8:11], mac[:3])
		a[8] ^= 2
		a[11], a[12] = 0xff, 0xfe
		copy(a[13:], mac[3:])
	} else {
		copy(a[8:], mac)
	}
	return netip.AddrFrom16(a)
}
