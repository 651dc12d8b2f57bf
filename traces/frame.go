package traces

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/smartinco/smartinco/flow"
)

// framer makes Ethernet frames, without check sequence. Only the headers carry information: the payload is zero. IP and
// transport checksums are valid. MAC addresses are 02:00:00:00:00:01 and :02 for all. TCP segments acknowledge (ACK
// alone), and their sequence numbers count the flow's payload. ICMP has the type and the code that the tuple's ports
// hold. For a transport that gopacket does not write, the ports come first. Protocol 0, which flow logs give a protocol
// that they did not know, is written as 253 (RFC 3692).
type framer struct {
	buf gopacket.SerializeBuffer
}

const unknownProto = 253

var frameMACs = [2][]byte{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}

// nothing holds the zeros of which payloads are slices.
var nothing [1 << 16]byte

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame makes a frame of size bytes, or of more if its headers need more. sent is the payload that the flow has sent
// before. The frame is valid until the next one is made.
func (f *framer) frame(t *flow.FiveTuple, size int64, sent uint32) ([]byte, error) {
	least := headers(t)
	if size = max(size, least); size-etherHeader > 65535 {
		return nil, fmt.Errorf("%v: a frame of %d bytes, want at most %d: one IP packet", t, size, 65535+etherHeader)
	}
	if f.buf == nil {
		f.buf = gopacket.NewSerializeBufferExpectedSize(128, 1<<16)
	}
	if t.Proto == notIP {
		return f.notIP(t, size)
	}
	payload := gopacket.Payload(nothing[:size-least])
	eth := layers.Ethernet{SrcMAC: frameMACs[0], DstMAC: frameMACs[1], EthernetType: layers.EthernetTypeIPv4}
	ip4 := layers.IPv4{Version: 4, IHL: 5, TTL: 64, Flags: layers.IPv4DontFragment,
		Protocol: layers.IPProtocol(t.Proto)}
	ip6 := layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocol(t.Proto)}
	if t.Proto == 0 {
		ip4.Protocol, ip6.NextHeader = unknownProto, unknownProto
	}
	var ip gopacket.SerializableLayer = &ip4
	var network gopacket.NetworkLayer = &ip4
	if t.Src.Is4() {
		ip4.SrcIP, ip4.DstIP = t.Src.AsSlice(), t.Dst.AsSlice()
	} else {
		eth.EthernetType = layers.EthernetTypeIPv6
		ip6.SrcIP, ip6.DstIP = t.Src.AsSlice(), t.Dst.AsSlice()
		ip, network = &ip6, &ip6
	}
	var transport gopacket.SerializableLayer
	switch t.Proto {
	case flow.TCP:
		tcp := &layers.TCP{SrcPort: layers.TCPPort(t.SrcPort), DstPort: layers.TCPPort(t.DstPort), Seq: 1 + sent,
			Ack: 1, ACK: true, Window: 65535}
		_ = tcp.SetNetworkLayerForChecksum(network)
		transport = tcp
	case flow.UDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(t.SrcPort), DstPort: layers.UDPPort(t.DstPort)}
		_ = udp.SetNetworkLayerForChecksum(network)
		transport = udp
	case flow.ICMP:
		transport = &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(uint8(t.SrcPort), uint8(t.DstPort))}
	case flow.ICMPv6:
		icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(uint8(t.SrcPort), uint8(t.DstPort))}
		_ = icmp.SetNetworkLayerForChecksum(network)
		transport = icmp
		payload = nothing[:size-least+4] // identifier and sequence number are no part of gopacket's header
	default:
		head := [12]byte{}
		binary.BigEndian.PutUint16(head[:], t.SrcPort)
		binary.BigEndian.PutUint16(head[2:], t.DstPort)
		if t.Proto == flow.SCTP { // gopacket's own checksum covers what the buffer held before
			binary.LittleEndian.PutUint32(head[8:], crc32.Update(crc32.Checksum(head[:], castagnoli),
				castagnoli, payload))
		}
		transport = gopacket.Payload(head[:transportHeader[t.Proto]])
	}
	err := gopacket.SerializeLayers(f.buf, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		&eth, ip, transport, payload)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", t, err)
	}
	return f.buf.Bytes()[:size], nil // without gopacket's padding to 60 bytes
}

// notIP makes a frame of a flow that is not IP, from the MAC addresses and the EtherType that its tuple holds.
func (f *framer) notIP(t *flow.FiveTuple, size int64) ([]byte, error) {
	if err := f.buf.Clear(); err != nil {
		return nil, err
	}
	b, err := f.buf.AppendBytes(int(size))
	if err != nil {
		return nil, err
	}
	clear(b)
	dst, src := macOf(t.Dst), macOf(t.Src)
	copy(b, dst[:])
	copy(b[6:], src[:])
	binary.BigEndian.PutUint16(b[12:], t.SrcPort)
	return b, nil
}

// macOf undoes linkLocal; it is 0 for an address that holds no MAC address.
func macOf(a netip.Addr) (mac [6]byte) {
	b := a.As16()
	if b[0] != 0xfe || b[1] != 0x80 || b[11] != 0xff || b[12] != 0xfe {
		return
	}
	copy(mac[:3], b[8:11])
	mac[0] ^= 2
	copy(mac[3:], b[13:])
	return
}
