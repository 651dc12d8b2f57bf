package traces

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

func write(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func zipped(parts ...[]byte) []byte {
	var b bytes.Buffer
	for _, p := range parts {
		z := gzip.NewWriter(&b)
		z.Write(p)
		z.Close()
	}
	return b.Bytes()
}

// stamped is a frame and the microsecond at which it was captured.
type stamped struct {
	us   int
	data []byte
}

func pcapOf(link uint16, frames ...stamped) []byte {
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	w.WriteFileHeader(65535, layers.LinkType(link))
	for _, f := range frames {
		w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1e9, int64(f.us)*1000), CaptureLength: len(f.data),
			Length: len(f.data)}, f.data)
	}
	return b.Bytes()
}

func pcapngOf(link uint16, frames ...stamped) []byte {
	var b bytes.Buffer
	w, _ := pcapgo.NewNgWriter(&b, layers.LinkType(link))
	for _, f := range frames {
		w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1e9, int64(f.us)*1000), CaptureLength: len(f.data),
			Length: len(f.data)}, f.data)
	}
	w.Flush()
	return b.Bytes()
}

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// ip4 is an IPv4 packet from 10.0.0.1 to 10.0.0.2.
func ip4(proto byte, id, frag uint16, payload []byte) []byte {
	b := make([]byte, 20)
	b[0], b[8], b[9] = 0x45, 64, proto
	binary.BigEndian.PutUint16(b[2:], uint16(20+len(payload)))
	binary.BigEndian.PutUint16(b[4:], id)
	binary.BigEndian.PutUint16(b[6:], frag)
	copy(b[12:], []byte{10, 0, 0, 1, 10, 0, 0, 2})
	return cat(b, payload)
}

// ip6 is an IPv6 packet from 2001:db8::1 to 2001:db8::2.
func ip6(next byte, payload []byte) []byte {
	b := make([]byte, 40)
	b[0], b[6], b[7] = 0x60, next, 64
	binary.BigEndian.PutUint16(b[4:], uint16(len(payload)))
	for _, i := range []int{8, 24} {
		copy(b[i:], []byte{0x20, 0x01, 0x0d, 0xb8})
	}
	b[23], b[39] = 1, 2
	return cat(b, payload)
}

var (
	udpPorts = []byte{0x04, 0x01, 0x00, 0x35, 0, 8, 0, 0} // 1025 to 53
	macs     = []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}
	tuple4   = flow.FiveTuple{Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: 1025,
		DstPort: 53, Proto: flow.UDP}
	tuple6 = flow.FiveTuple{Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"),
		SrcPort: 1025, DstPort: 53, Proto: flow.UDP}
)

func TestFramesOfEveryLinkTypeGiveTheirFiveTuple(t *testing.T) {
	udp4, udp6 := ip4(flow.UDP, 1, 0, udpPorts), ip6(flow.UDP, udpPorts)
	noPorts4 := tuple4
	noPorts4.SrcPort, noPorts4.DstPort = 0, 0
	icmp := func(t flow.FiveTuple, proto uint8, kind, code uint16) flow.FiveTuple {
		t.Proto, t.SrcPort, t.DstPort = proto, kind, code
		return t
	}
	arp := flow.FiveTuple{Src: netip.MustParseAddr("fe80::ff:fe00:1"), Dst: netip.MustParseAddr("fe80::ff:fe00:2"),
		SrcPort: 0x806, Proto: notIP}
	nothing := flow.FiveTuple{Src: netip.IPv6Unspecified(), Dst: netip.IPv6Unspecified(), Proto: notIP}
	sll := cat([]byte{0, 0, 0, 1, 0, 6}, macs[6:], []byte{0, 0, 8, 0})
	sll2 := cat([]byte{8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6}, macs[6:], []byte{0, 0})
	for _, c := range []struct {
		name  string
		link  uint32
		frame []byte
		want  flow.FiveTuple
		kind  Kind
	}{
		{"ethernet, IPv4", linkEthernet, cat(macs, []byte{8, 0}, udp4), tuple4, IP},
		{"ethernet, IPv6", linkEthernet, cat(macs, []byte{0x86, 0xdd}, udp6), tuple6, IP},
		{"VLAN", linkEthernet, cat(macs, []byte{0x81, 0, 0, 7, 8, 0}, udp4), tuple4, IP},
		{"QinQ", linkEthernet, cat(macs, []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0}, udp4), tuple4, IP},
		{"SLL", linkSLL, cat(sll, udp4), tuple4, IP},
		{"SLL2", linkSLL2, cat(sll2, udp4), tuple4, IP},
		{"raw", linkRaw, udp4, tuple4, IP},
		{"raw, IPv6", linkRaw, udp6, tuple6, IP},
		{"null, little endian", linkNull, cat([]byte{2, 0, 0, 0}, udp4), tuple4, IP},
		{"loop, big endian", linkLoop, cat([]byte{0, 0, 0, 24}, udp6), tuple6, IP},
		{"IPv4 options", linkRaw, func() []byte {
			b := ip4(flow.UDP, 1, 0, cat([]byte{1, 1, 1, 1}, udpPorts))
			b[0] = 0x46
			return b
		}(), tuple4, IP},
		{"IPv6 hop-by-hop and destination options", linkRaw, ip6(0, cat([]byte{60, 0, 1, 4, 0, 0, 0, 0}, []byte{17, 1},
			make([]byte, 14), udpPorts)), tuple6, IP},
		{"IPv6 authentication header", linkRaw, ip6(51, cat([]byte{17, 4}, make([]byte, 22), udpPorts)), tuple6, IP},
		{"ICMP, echo", linkRaw, ip4(flow.ICMP, 1, 0, []byte{8, 0, 0, 0, 0, 1, 0, 1}), icmp(tuple4, flow.ICMP, 8, 0),
			IP},
		{"ICMP, reply", linkEthernet, cat(macs, []byte{8, 0}, ip4(flow.ICMP, 1, 0, []byte{0, 0, 0, 0, 0, 1, 0, 1})),
			icmp(tuple4, flow.ICMP, 0, 0), IP},
		{"ICMP, port unreachable", linkRaw, ip4(flow.ICMP, 1, 0, cat([]byte{3, 3, 0, 0, 0, 0, 0, 0}, udp4)),
			icmp(tuple4, flow.ICMP, 3, 3), IP},
		{"ICMPv6, echo, behind an option", linkRaw, ip6(0, cat([]byte{58, 0, 1, 4, 0, 0, 0, 0}, []byte{128, 0, 0, 0})),
			icmp(tuple6, flow.ICMPv6, 128, 0), IP},
		{"ICMP, cut in type and code", linkRaw, ip4(flow.ICMP, 1, 0, []byte{8}), icmp(tuple4, flow.ICMP, 0, 0),
			Malformed},
		{"ICMP, first fragment", linkRaw, ip4(flow.ICMP, 9, 0x2000, []byte{8, 0, 0, 0, 0, 1, 0, 1}),
			icmp(tuple4, flow.ICMP, 8, 0), IP},
		{"ICMP, lost first fragment", linkRaw, ip4(flow.ICMP, 9, 185, []byte{8, 8, 8, 8, 8, 8, 8, 8}),
			icmp(tuple4, flow.ICMP, 0, 0), Orphan},
		{"ARP", linkEthernet, cat(macs, []byte{8, 6}, make([]byte, 28)), arp, NonIP},
		{"cut in the Ethernet header", linkEthernet, macs, nothing, Malformed},
		{"cut in the ports", linkRaw, udp4[:22], noPorts4, Malformed},
		{"empty", linkRaw, nil, nothing, Malformed},
		{"lost first fragment", linkRaw, ip4(flow.UDP, 9, 185, udpPorts), noPorts4, Orphan},
	} {
		var w walker
		if got, kind := w.frame(c.link, c.frame); got != c.want || kind != c.kind {
			t.Errorf("%s: got %v, kind %d; want %v, kind %d", c.name, got, kind, c.want, c.kind)
		}
		for n := range c.frame { // no frame, however cut, may crash
			w.frame(c.link, c.frame[:n])
		}
	}
}

func TestFragmentsFollowTheirFirst(t *testing.T) {
	var w walker
	ping := flow.FiveTuple{Src: tuple4.Src, Dst: tuple4.Dst, SrcPort: echoRequest, Proto: flow.ICMP}
	first6 := ip6(44, cat([]byte{60, 0, 0, 1, 0, 0, 0, 5}, []byte{17, 0, 1, 4, 0, 0, 0, 0}, udpPorts))
	for _, c := range []struct {
		frame []byte
		want  flow.FiveTuple
		kind  Kind
	}{
		{ip4(flow.UDP, 5, 0x2000, udpPorts), tuple4, IP},
		{ip4(flow.UDP, 5, 0x2001, make([]byte, 8)), tuple4, Fragment},
		{ip4(flow.UDP, 5, 0x0002, make([]byte, 8)), tuple4, Fragment},
		{ip4(flow.ICMP, 5, 0x2000, []byte{8, 0, 0, 0, 0, 1, 0, 1}), ping, IP},
		{ip4(flow.ICMP, 5, 0x0001, make([]byte, 8)), ping, Fragment},
		{first6, tuple6, IP},
		{ip6(44, cat([]byte{60, 0, 0, 16, 0, 0, 0, 5}, make([]byte, 8))), tuple6, Fragment},
	} {
		if got, kind := w.frame(linkRaw, c.frame); got != c.want || kind != c.kind {
			t.Errorf("got %v, kind %d; want %v, kind %d", got, kind, c.want, c.kind)
		}
	}
	for id := range uint32(3 * maxFragments) {
		w.remember(fragment{id: id}, tuple4)
	}
	if len(w.fragments) > maxFragments {
		t.Errorf("remembers %d fragments, want at most %d", len(w.fragments), maxFragments)
	}
}

// The shipped captures are decoded by gopacket's own layers, slowly, and must say the same.
func TestHeaderWalkAgreesWithGopacket(t *testing.T) {
	for _, name := range []string{"echo-connections.pcap.gz", "tls2.pcap.gz"} {
		f, err := os.Open(filepath.Join("data", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		r, err := pcapgo.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := OpenCapture(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		n := 0
		for p, err := range c.All() {
			if err != nil {
				t.Fatal(err)
			}
			data, ci, err := r.ReadPacketData()
			if err != nil {
				t.Fatal(err)
			}
			n++
			if n > 8000 {
				break
			}
			slow := gopacket.NewPacket(data, r.LinkType(), gopacket.DecodeOptions{NoCopy: true})
			var want flow.FiveTuple
			src, dst := slow.NetworkLayer().NetworkFlow().Endpoints()
			want.Src, _ = netip.AddrFromSlice(src.Raw())
			want.Dst, _ = netip.AddrFromSlice(dst.Raw())
			switch l := slow.TransportLayer().(type) {
			case *layers.TCP:
				want.SrcPort, want.DstPort, want.Proto = uint16(l.SrcPort), uint16(l.DstPort), flow.TCP
			case *layers.UDP:
				want.SrcPort, want.DstPort, want.Proto = uint16(l.SrcPort), uint16(l.DstPort), flow.UDP
			}
			if p.Tuple != want || int(p.Bytes) != ci.Length {
				t.Fatalf("%s: packet %d: got %v, %d B; want %v, %d B", name, n, p.Tuple, p.Bytes, want, ci.Length)
			}
		}
	}
}

func TestEveryWrappingOfACaptureReadsTheSame(t *testing.T) {
	frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, udpPorts))
	frames := []stamped{{0, frame}, {10, frame}, {5, frame}, {100_010, frame}}
	pcap, ng := pcapOf(linkEthernet, frames...), pcapngOf(linkEthernet, frames...)
	for name, b := range map[string][]byte{"pcap": pcap, "pcap.gz": zipped(pcap), "pcapng": ng, "pcapng.gz": zipped(ng),
		"pcap.gz of three members": zipped(pcap[:50], nil, pcap[50:])} {
		w, err := ReadCapture(write(t, "x", b), Options{Resolution: 100 * units.Millisecond})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(t, w)
		size, end := float64(len(frame)), 100*units.Millisecond
		want := []Segment{{0, end, 3, 3 * size}, {end, 2 * end, 1, size}}
		if len(w.Flows) != 1 || len(w.Flows[0].Segments) != 2 || w.Flows[0].Segments[0] != want[0] ||
			w.Flows[0].Segments[1] != want[1] {
			t.Errorf("%s: got %v, want segments %v", name, w.Flows, want)
		}
		if len(w.Skipped) != 1 || w.Skipped[0].N != 1 || !strings.Contains(w.Skipped[0].Reason, "backwards") {
			t.Errorf("%s: got notes %v, want one timestamp that went backwards", name, w.Skipped)
		}
	}
}

func TestACaptureCutAnywhereIsTruncatedOrShorter(t *testing.T) {
	frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, udpPorts))
	for name, whole := range map[string][]byte{"pcap": pcapOf(linkEthernet, stamped{0, frame}, stamped{1, frame}),
		"pcapng": pcapngOf(linkEthernet, stamped{0, frame}, stamped{1, frame})} {
		clean := 0
		for n := 4; n < len(whole); n++ {
			_, err := ReadCapture(write(t, "x", whole[:n]), Options{})
			switch {
			case err == nil || strings.HasSuffix(err.Error(), "no packets"):
				clean++
			case !errors.Is(err, ErrTruncated):
				t.Errorf("%s cut to %d of %d bytes: %v, want ErrTruncated", name, n, len(whole), err)
			}
		}
		if clean > 3 {
			t.Errorf("%s: %d cuts went unnoticed, want those between records alone", name, clean)
		}
	}
	_, err := ReadCapture(write(t, "two.pcap", pcapOf(linkEthernet, stamped{0, frame},
		stamped{1, frame})[:24+16+len(frame)+16]), Options{})
	if err == nil || !strings.Contains(err.Error(), "two.pcap: packet 2:") {
		t.Errorf("got %v, want an error that names the file and packet 2", err)
	}
	z := zipped(pcapOf(linkEthernet, stamped{0, frame}))
	if _, err := ReadCapture(write(t, "x", z[:len(z)-4]), Options{}); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut gzip: %v, want ErrTruncated", err)
	}
}

func TestBadCapturesSayWhatIsWrong(t *testing.T) {
	frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, udpPorts))
	late := pcapOf(linkEthernet, stamped{0, frame}, stamped{0, frame})
	binary.LittleEndian.PutUint32(late[24+16+len(frame):], 1<<31-1)
	long := pcapOf(linkEthernet, stamped{0, frame})
	binary.LittleEndian.PutUint32(long[24+8:], 1<<31-1)
	binary.LittleEndian.PutUint32(long[24+12:], 1<<31-1)
	bomb := pcapngOf(linkEthernet)
	bomb = append(bomb, 0xaa, 0xaa, 0, 0, 0, 0, 0, 0x40)
	for want, b := range map[string][]byte{
		"not a packet capture: it begins with 68 65 6c 6c": []byte("hello"),
		"not a packet capture: it begins with ,":           nil,
		"link type 105":                                    pcapOf(105, stamped{0, frame}),
		"packet 2: time 2038":                              late,
		"exceeds snap length":                              long,
		"no packets":                                       pcapOf(linkEthernet),
		"longer than 16 MiB":                               zipped(bomb, make([]byte, 20<<20)),
		"file is truncated":                                {0x1f, 0x8b, 8},
		"packet 1: link type 60":                           pcapngOf(60, stamped{0, frame}),
	} {
		_, err := ReadCapture(write(t, "bad", b), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "bad: ") {
			t.Errorf("got %v, want the file's name and %q", err, want)
		}
	}
}

func TestAPacketTakesNoAllocation(t *testing.T) {
	c, err := OpenCapture(filepath.Join("data", "echo-connections.pcap.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Next()
	if n := testing.AllocsPerRun(10000, func() { c.Next() }); n > 0 {
		t.Errorf("%v allocations a packet, want none", n)
	}
}

func FuzzCapture(f *testing.F) {
	frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, udpPorts))
	pcap, ng := pcapOf(linkEthernet, stamped{0, frame}, stamped{9, frame}),
		pcapngOf(linkRaw, stamped{0, ip6(44, make([]byte, 16))})
	for _, b := range [][]byte{nil, pcap, ng, zipped(ng), zipped(pcap), pcap[:70]} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if src := sourceOf(b); src != nil {
			if w, err := readCapture(src, "x", Options{Copies: 2, Speedup: 3, Inner: true}, heldInCore); err == nil {
				check(t, w)
			}
		}
		if src := sourceOf(b); src != nil {
			if w, err := readCapture(src, "x", Options{Copies: 2, Packets: true, MTU: 1500}, heldInCore); err == nil {
				check(t, w)
				if packets, _ := w.Totals(); float64(len(readAll(t, MergePackets(w.Packets)))) != packets {
					t.Error("there are not as many packets as in the flows")
				}
			}
		}
		inspected(b)
	})
}

// sourceOf is a source of bytes, without a file; nil if they are compressed and damaged.
func sourceOf(b []byte) *source {
	src, err := newSource(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil
	}
	return src
}

// inspected is Inspect of bytes, without a file.
func inspected(b []byte) (*Summary, error) {
	src, err := newSource(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	f, err := sniff(src)
	if err != nil {
		return nil, err
	}
	return inspect(src, "x", f, Options{})
}

// BenchmarkCapture reads packets of a capture that is not compressed, from the page cache.
func BenchmarkCapture(b *testing.B) {
	f, err := os.Open(filepath.Join("data", "echo-connections.pcap.gz"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		b.Fatal(err)
	}
	path := write(b, "x.pcap", raw)
	b.Run("packets", func(b *testing.B) {
		n, cpu := 0, cpuTime(b)
		for b.Loop() {
			c, err := OpenCapture(path)
			if err != nil {
				b.Fatal(err)
			}
			var p Packet
			for err = c.Read(&p); err == nil; err = c.Read(&p) {
				n++
			}
			c.Close()
		}
		b.ReportMetric(float64(n)/(cpuTime(b)-cpu)/1e6, "Mpkt/cpu-s")
	})
	b.Run("flows", func(b *testing.B) {
		n, cpu := 0.0, cpuTime(b)
		for b.Loop() {
			w, err := ReadCapture(path, Options{})
			if err != nil {
				b.Fatal(err)
			}
			packets, _ := w.Totals()
			n += packets
		}
		b.ReportMetric(n/(cpuTime(b)-cpu)/1e6, "Mpkt/cpu-s")
	})
}

// Files of whatever kind that were joined are read one after the other.
func TestJoinedCapturesAreReadAsOne(t *testing.T) {
	frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, udpPorts))
	pcap, ng := pcapOf(linkEthernet, stamped{0, frame}), pcapngOf(linkEthernet, stamped{0, frame})
	raw := pcapOf(linkRaw, stamped{0, frame[14:]})
	for _, c := range []struct {
		files  [][]byte
		joined int64
	}{
		{[][]byte{pcap, pcap, raw}, 2}, {[][]byte{pcap, ng, pcap}, 2}, {[][]byte{ng, ng}, 0}, {[][]byte{ng, pcap}, 1},
	} {
		w, err := ReadCapture(write(t, "x", cat(c.files...)), Options{})
		if err != nil {
			t.Errorf("%d files: %v", len(c.files), err)
			continue
		}
		packets, _ := w.Totals()
		joined := int64(0)
		for _, n := range w.Skipped {
			joined += n.N
		}
		if packets != float64(len(c.files)) || len(w.Flows) != 1 || joined != c.joined {
			t.Errorf("got %g packets in %d flows, %v; want %d in one, %d joined", packets, len(w.Flows),
				w.Skipped, len(c.files), c.joined)
		}
	}
	_, err := ReadCapture(write(t, "x", cat(pcap, pcapOf(105, stamped{0, frame}))), Options{})
	if err == nil || !strings.Contains(err.Error(), "packet 2: link type 105 is not supported") {
		t.Errorf("a joined file of another link type: %v", err)
	}
}

// deepest is a reader that records the greatest depth of calls that it was read at.
type deepest struct {
	io.Reader
	calls int
}

func (d *deepest) Read(p []byte) (int, error) {
	d.calls = max(d.calls, runtime.Callers(0, make([]uintptr, 1000)))
	return d.Reader.Read(p)
}

// However many files without a packet are joined, the stack stays as deep as for one.
func TestManyJoinedCapturesTakeNoStack(t *testing.T) {
	frame := cat(macs, []byte{8, 0}, ip4(17, 1, 0, udpPorts))
	const joined = 10_000
	one := cat(pcapngOf(linkEthernet), pcapOf(linkEthernet))
	depth := func(b []byte) int {
		d := &deepest{Reader: bytes.NewReader(b)}
		src, err := newSource(d, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		c, err := newCapture(src, "x")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for p, err := range c.All() {
			if n++; err != nil || p.Tuple != tuple4 {
				t.Fatal(p, err)
			}
		}
		if n != 1 {
			t.Errorf("%d packets, want 1", n)
		}
		return d.calls
	}
	last := pcapOf(linkEthernet, stamped{0, frame})
	few, many := depth(cat(one, last)), depth(cat(bytes.Repeat(one, joined), last))
	if many > few+10 {
		t.Errorf("reads %d calls deep of %d files, and %d of one", many, joined, few)
	}
}

// pcap versions before 2.3 had the two lengths the other way round, and so had some writers of 2.3.
func TestLengthsOfOldCaptures(t *testing.T) {
	frame := cat(macs, []byte{8, 0}, ip4(flow.UDP, 1, 0, udpPorts))
	file := func(minor uint16, captured, length int) []byte {
		b := pcapOf(linkEthernet, stamped{0, frame})
		binary.LittleEndian.PutUint16(b[6:], minor)
		binary.LittleEndian.PutUint32(b[24+8:], uint32(captured))
		binary.LittleEndian.PutUint32(b[24+12:], uint32(length))
		return b
	}
	n := len(frame)
	for _, c := range []struct {
		file []byte
		over int64
	}{{file(4, n, 1500), 0}, {file(3, n, 1500), 0}, {file(3, 1500, n), 0}, {file(2, 1500, n), 0},
		{file(4, n, n-4), 1}} {
		s, err := Inspect(write(t, "x", c.file), Options{})
		want := int64(1500)
		if c.over > 0 {
			want = int64(n)
		}
		if err != nil || s.Bytes != want {
			t.Errorf("got %v, %v; want %d bytes", s, err, want)
		}
	}
}

// A time whose fraction lacks a carry is known up to a second in either direction.
func TestFractionsOfASecond(t *testing.T) {
	x := records{pcap: iface{ticks: 1e6, factor: 1e6}}
	for _, c := range []struct {
		fraction int64
		want     instant
		carried  int64
	}{
		{999_999, instant{5, 999_999_000_000}, 0}, {1_000_000, instant{6, 0}, 1},
		{1_999_999, instant{6, 999_999_000_000}, 1},
		{-1, instant{4, 999_999_000_000}, 1}, {-999_999, instant{4, 1_000_000}, 1},
	} {
		x.carried = 0
		if got, err := x.time(5, uint32(c.fraction)); err != nil || got != c.want || x.carried != c.carried {
			t.Errorf("%d: got %v, %v, %d carried; want %v", c.fraction, got, err, x.carried, c.want)
		}
	}
	for _, fraction := range []int64{2_000_000, -1_000_000, 1 << 31} {
		if got, err := x.time(5, uint32(fraction)); err == nil {
			t.Errorf("%d: got %v, want an error", fraction, got)
		}
	}
}
