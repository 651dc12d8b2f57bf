package traces

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// datagram is a UDP datagram to a port.
func datagram(port uint16, payload []byte) []byte {
	b := make([]byte, 8)
	binary.BigEndian.PutUint16(b, 40000)
	binary.BigEndian.PutUint16(b[2:], port)
	binary.BigEndian.PutUint16(b[4:], uint16(8+len(payload)))
	return cat(b, payload)
}

func TestTunnelsAreEnteredOnDemand(t *testing.T) {
	inner4, inner6 := ip4(flow.TCP, 1, 0, make([]byte, 20)), ip6(flow.UDP, udpPorts)
	copy(inner4[12:], []byte{192, 0, 2, 1, 192, 0, 2, 2})
	copy(inner4[20:], udpPorts[:4])
	in4 := flow.FiveTuple{Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"), SrcPort: 1025,
		DstPort: 53, Proto: flow.TCP}
	arp := flow.FiveTuple{Src: netip.MustParseAddr("fe80::ff:fe00:1"), Dst: netip.MustParseAddr("fe80::ff:fe00:2"),
		SrcPort: 0x806, Proto: notIP}
	vni := []byte{8, 0, 0, 0, 0, 0, 7, 0}
	gtp := func(flags byte, kind byte, rest ...byte) []byte {
		return cat([]byte{flags, kind, 0, 0, 0, 0, 0, 1}, rest)
	}
	outer := func(port uint16) flow.FiveTuple {
		x := tuple4
		x.SrcPort, x.DstPort = 40000, port
		return x
	}
	vxlan := func(packet []byte) []byte { return cat(vni, macs, []byte{8, 0}, packet) }
	between := func(payload []byte) []byte { // a tunnel in a tunnel
		b := ip4(flow.UDP, 1, 0, datagram(4789, payload))
		copy(b[12:], inner4[12:20])
		return b
	}
	middle := flow.FiveTuple{Src: in4.Src, Dst: in4.Dst, SrcPort: 40000, DstPort: 4789, Proto: flow.UDP}
	deep := inner4
	for range maxDepth {
		deep = between(vxlan(deep))
	}
	for _, c := range []struct {
		name    string
		port    uint16
		payload []byte
		inner   flow.FiveTuple // outer(port) if there is nothing to enter
		kind    Kind
		counted bool // as a packet of a tunnel
	}{
		{"VXLAN", 4789, cat(vni, macs, []byte{8, 0}, inner4), in4, IP, true},
		{"VXLAN with a VLAN inside, on Linux's port", 8472, cat(vni, macs, []byte{0x81, 0, 0, 5, 0x86, 0xdd}, inner6),
			tuple6, IP, true},
		{"ARP in VXLAN", 4789, cat(vni, macs, []byte{8, 6}, make([]byte, 28)), arp, NonIP, true},
		{"VXLAN in VXLAN", 4789, cat(vni, macs, []byte{8, 0},
			ip4(flow.UDP, 1, 0, datagram(4789, cat(vni, macs, []byte{8, 0}, inner4)))), in4, IP, true},
		{"VXLAN in VXLAN, cut inside", 4789, vxlan(between(cat(vni, macs))), middle, IP, true},
		{"more tunnels than are entered", 4789, vxlan(deep), middle, IP, true},
		{"not VXLAN, by its flags", 4789, cat([]byte{0}, vni[1:], macs, []byte{8, 0}, inner4), outer(4789), IP, false},
		{"VXLAN, cut inside", 4789, cat(vni, macs), outer(4789), IP, true},
		{"GTP-U", 2152, cat(gtp(0x30, 255), inner4), in4, IP, true},
		{"GTP-U with a sequence number", 2152, cat(gtp(0x32, 255, 0, 1, 0, 0), inner6), tuple6, IP, true},
		{"GTP-U with the PDU session container", 2152, cat(gtp(0x34, 255, 0, 0, 0, 0x85, 1, 0x10, 9, 0), inner4),
			in4, IP, true},
		{"GTP-U with two extension headers", 2152, cat(gtp(0x34, 255, 0, 0, 0, 0xc0, 1, 0, 0, 0x85, 2, 0, 0, 0, 0, 0, 0,
			0), inner4), in4, IP, true},
		{"an echo of GTP-U", 2152, gtp(0x32, 1, 0, 0, 0, 0), outer(2152), IP, false},
		{"an extension header without a length", 2152, cat(gtp(0x34, 255, 0, 0, 0, 0x85, 0, 0, 0, 0x85), inner4),
			outer(2152), IP, false},
		{"another port", 2153, cat(gtp(0x30, 255), inner4), outer(2153), IP, false},
	} {
		frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, datagram(c.port, c.payload)))
		closed, open := walker{}, walker{enter: true}
		if got, kind := closed.frame(linkEthernet, frame); got != outer(c.port) || kind != IP {
			t.Errorf("%s, not entered: got %v, kind %d", c.name, got, kind)
		}
		if got, kind := open.frame(linkEthernet, frame); got != c.inner || kind != c.kind {
			t.Errorf("%s: got %v, kind %d; want %v, kind %d", c.name, got, kind, c.inner, c.kind)
		}
		want := int64(0)
		if c.counted {
			want = 1
		}
		if closed.outer != want || closed.inner != 0 || open.inner+open.outer != want ||
			(open.inner == 1) != (c.counted && c.inner != outer(c.port)) {
			t.Errorf("%s: counted %d, %d and, entered, %d, %d", c.name, closed.outer, closed.inner, open.outer,
				open.inner)
		}
		for n := range frame { // no frame, however cut, may crash
			open.frame(linkEthernet, frame[:n])
		}
	}
}

// What is inside the tunnel decides the flow. Packets and bytes are those of the wire, and later fragments of the
// tunnel follow their first.
func TestAFlowInATunnel(t *testing.T) {
	vni := []byte{8, 0, 0, 0, 0, 0, 7, 0}
	whole := datagram(4789, cat(vni, macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, cat(udpPorts, make([]byte, 100)))))
	ether := cat(macs, []byte{8, 0})
	first, second := cat(ether, ip4(flow.UDP, 9, 0x2000, whole[:104])), cat(ether, ip4(flow.UDP, 9, 13, whole[104:]))
	path := write(t, "x.pcap", pcapOf(linkEthernet, stamped{0, first}, stamped{1, second},
		stamped{2, cat(ether, ip4(flow.UDP, 1, 0, whole))}))
	for _, c := range []struct {
		inner bool
		port  uint16
		notes []Count
	}{
		{false, 4789, []Count{{"fragments kept in the flow of their first fragment", 1},
			{"packets in VXLAN or GTP-U tunnels, in the flow of the tunnel's addresses", 2}}},
		{true, 53, []Count{{"fragments kept in the flow of their first fragment", 1},
			{"packets in VXLAN or GTP-U tunnels, in the flow of the addresses inside", 2}}},
	} {
		w, err := ReadCapture(path, Options{Inner: c.inner})
		if err != nil {
			t.Fatal(err)
		}
		check(t, w)
		packets, octets := w.Totals()
		if want := float64(len(first) + len(second) + 34 + len(whole)); len(w.Flows) != 1 ||
			w.Flows[0].Tuple.DstPort != c.port || packets != 3 || octets != want {
			t.Errorf("inner %v: got %v, %g packets, %g bytes; want one flow to port %d, 3 packets, %g bytes", c.inner,
				w.Flows, packets, octets, c.port, want)
		}
		if !slices.Equal(w.Skipped, c.notes) {
			t.Errorf("inner %v: notes %v, want %v", c.inner, w.Skipped, c.notes)
		}
	}
}

func TestLabelsAndSessionsArePassed(t *testing.T) {
	udp4, udp6 := ip4(flow.UDP, 1, 0, udpPorts), ip6(flow.UDP, udpPorts)
	at := func(ethertype uint16) flow.FiveTuple {
		return flow.FiveTuple{Src: netip.MustParseAddr("fe80::ff:fe00:1"), Dst: netip.MustParseAddr("fe80::ff:fe00:2"),
			SrcPort: ethertype, Proto: notIP}
	}
	for _, c := range []struct {
		name  string
		frame []byte
		want  flow.FiveTuple
		kind  Kind
	}{
		{"one label", cat([]byte{0x88, 0x47, 0, 6, 0x41, 64}, udp4), tuple4, IP},
		{"two labels", cat([]byte{0x88, 0x47, 0, 6, 0x40, 64, 0, 7, 0x41, 64}, udp6), tuple6, IP},
		{"a label of the receiver's, behind a VLAN tag", cat([]byte{0x81, 0, 0, 7, 0x88, 0x48, 0, 6, 0x41, 64}, udp4),
			tuple4, IP},
		{"a pseudowire", cat([]byte{0x88, 0x47, 0, 6, 0x41, 64, 0, 0, 0, 0}, udp4), at(0x8847), NonIP},
		{"labels without a bottom", []byte{0x88, 0x47, 0, 6, 0x40, 64}, at(0x8847), Malformed},
		{"PPPoE, IPv4", cat([]byte{0x88, 0x64, 0x11, 0, 0, 1, 0, 30, 0, 0x21}, udp4), tuple4, IP},
		{"PPPoE, IPv6", cat([]byte{0x88, 0x64, 0x11, 0, 0, 1, 0, 50, 0, 0x57}, udp6), tuple6, IP},
		{"PPPoE, LCP", cat([]byte{0x88, 0x64, 0x11, 0, 0, 1, 0, 10, 0xc0, 0x21}, make([]byte, 8)), at(0x8864), NonIP},
		{"PPPoE, cut", []byte{0x88, 0x64, 0x11, 0, 0, 1}, at(0x8864), Malformed},
	} {
		var w walker
		frame := cat(macs, c.frame)
		if got, kind := w.frame(linkEthernet, frame); got != c.want || kind != c.kind {
			t.Errorf("%s: got %v, kind %d; want %v, kind %d", c.name, got, kind, c.want, c.kind)
		}
		for n := range frame {
			w.frame(linkEthernet, frame[:n])
		}
	}
}
