package traces

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// TCP and UDP payloads are cut into segments with headers of their own, anything else into IP fragments. A frame that
// fits the MTU, and one that is not IP, stays whole.
func TestFramesBeyondTheMTUAreSplit(t *testing.T) {
	tcp := make([]byte, 32+4000) // 12 B of options
	copy(tcp, udpPorts[:4])
	tcp[12] = 8 << 4
	udp := append(udpPorts[:8:8], make([]byte, 3000)...)
	esp := make([]byte, 4000)
	ether := cat(macs, []byte{8, 0})
	for _, c := range []struct {
		name   string
		link   uint16
		frame  []byte
		pieces []int
	}{
		{"TCP with options", linkEthernet, cat(ether, ip4(flow.TCP, 1, 0, tcp)),
			[]int{1514, 1514, 14 + 52 + 4000 - 2*1448}},
		{"TCP behind two VLAN tags", linkEthernet, cat(macs, []byte{0x88, 0xa8, 0, 7, 0x81, 0, 0, 8, 8, 0},
			ip4(flow.TCP, 1, 0, tcp)), []int{1522, 1522, 22 + 52 + 4000 - 2*1448}},
		{"TCP over IPv6", linkRaw, ip6(flow.TCP, tcp), []int{1500, 1500, 72 + 4000 - 2*1428}},
		{"UDP", linkRaw, ip4(flow.UDP, 1, 0, udp), []int{1500, 1500, 28 + 3000 - 2*1472}},
		{"another protocol", linkRaw, ip4(50, 1, 0, esp), []int{1500, 1500, 20 + 4000 - 2*1480}},
		{"over IPv6, fragments begin at multiples of 8", linkRaw, ip6(50, esp), []int{1496, 1496, 40 + 4000 - 2*1456}},
		{"a later fragment", linkRaw, ip4(flow.UDP, 9, 185, udp), []int{1500, 1500, 20 + 3008 - 2*1480}},
		{"as long as the MTU", linkEthernet, cat(ether, ip4(flow.TCP, 1, 0, tcp[:1480])), []int{1514}},
		{"not IP", linkEthernet, cat(macs, []byte{8, 6}, make([]byte, 3000)), []int{3014}},
	} {
		whole := pcapOf(c.link, stamped{0, c.frame})
		cut := pcapOf(c.link, stamped{0, c.frame[:min(len(c.frame), 80)]}) // captured in part
		binary.LittleEndian.PutUint32(cut[24+12:], uint32(len(c.frame)))
		for _, file := range [][]byte{whole, cut} {
			w, err := ReadCapture(write(t, "x.pcap", file), Options{MTU: 1500, Packets: true})
			if err != nil {
				t.Fatal(err)
			}
			check(t, w)
			var got []int
			for _, p := range readAll(t, MergePackets(w.Packets)) {
				got = append(got, int(p.Bytes))
			}
			packets, _ := w.Totals()
			if len(got) != len(c.pieces) || int(packets) != len(got) {
				t.Errorf("%s: got %v, want %v", c.name, got, c.pieces)
				continue
			}
			for i := range got {
				if got[i] != c.pieces[i] {
					t.Errorf("%s: got %v, want %v", c.name, got, c.pieces)
					break
				}
			}
			counted := int64(0)
			for _, n := range w.Skipped {
				if strings.Contains(n.Reason, "split into") {
					counted = n.N
				}
			}
			if want := int64(len(c.pieces)); want > 1 && counted != want || want == 1 && counted != 0 {
				t.Errorf("%s: %v, want %d pieces", c.name, w.Skipped, want)
			}
		}
	}
}

// Without an MTU, the capture of a host whose NIC segments its packets stays as it is; with one, no frame is longer.
func TestFramesOfRecordedCapturesAreSplit(t *testing.T) {
	for _, c := range []struct {
		file    string
		packets int
		longest int32
		mtu     int64
		header  int32
	}{
		{"data/tls2.pcap.gz", 7451, 1514, 576, 14},
		{"pcap/open5gs-5g-roaming-lbo.pcapng", 2690, 9024, 1500, 16}, // that of LINUX_SLL
	} {
		path, here := recording(t, c.file)
		if !here {
			continue
		}
		longest := func(o Options) (n int, most int32) {
			o.Packets = true
			w, err := ReadCapture(path, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range readAll(t, MergePackets(w.Packets)) {
				n, most = n+1, max(most, p.Bytes)
			}
			return
		}
		if n, most := longest(Options{}); n != c.packets || most != c.longest {
			t.Errorf("%s: %d packets of at most %d B, want %d of %d", c.file, n, most, c.packets, c.longest)
		}
		if n, most := longest(Options{MTU: c.mtu}); n <= c.packets || most > int32(c.mtu)+c.header {
			t.Errorf("%s at an MTU of %d: %d packets of at most %d B, want more, of at most %d with the header",
				c.file, c.mtu, n, most, int32(c.mtu)+c.header)
		} else {
			t.Logf("%s at an MTU of %d: %d packets of at most %d B", c.file, c.mtu, n, most)
		}
	}
}
