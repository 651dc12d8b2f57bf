package trex

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

func tuple(src, dst string, proto uint8) flow.FiveTuple {
	return flow.FiveTuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr(dst), SrcPort: 1025, DstPort: 12,
		Proto: proto}
}

// The thirty-second stream of the recorded ramp, which sends 64-byte frames at 100 packets a second from 310 s on, from
// 254 addresses in turn.
func TestStreamAsRecorded(t *testing.T) {
	var recorded map[string]any
	for _, e := range sessions(t) {
		if e.N == 587 {
			recorded = requests(e.Request)[31].Params["stream"].(map[string]any)
		}
	}
	s, err := Streams([]Flow{{Tuple: tuple("16.0.0.1", "48.0.0.1", flow.UDP), Count: 254, Rate: 100,
		Start: 310 * units.Second, Frame: 64, Group: 131}})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := json.Marshal(s[0])
	var got map[string]any
	unmarshal(b, &got)
	for _, key := range []string{"enabled", "self_start", "flags", "action_count", "next_stream_id", "mode",
		"flow_stats"} {
		if a, b := mustJSON(got[key]), mustJSON(recorded[key]); a != b {
			t.Errorf("%s is %s, recorded %s", key, a, b)
		}
	}
	if s[0].Gap != 310e6 {
		t.Errorf("gap is %v µs", s[0].Gap)
	}
	engine := func(m map[string]any) string { return mustJSON(m["vm"].(map[string]any)["instructions"]) }
	if engine(got) != engine(recorded) {
		t.Errorf("engine\n%s, recorded\n%s", engine(got), engine(recorded))
	}
	if len(s[0].Packet.Binary) != 60 {
		t.Errorf("%d bytes of packet, want 60", len(s[0].Packet.Binary))
	}
}

func mustJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(string(b), "100.0", "100") // Python writes 100.0
}

// Packets are read by an independent decoder, and their checksums verified by summing to zero.
func TestPackets(t *testing.T) {
	for _, tt := range []flow.FiveTuple{
		tuple("10.0.0.1", "10.0.0.2", flow.UDP), tuple("10.0.0.1", "10.0.0.2", flow.TCP),
		tuple("10.0.0.1", "10.0.0.2", flow.ICMP),
		tuple("fd00::1", "fd00::2", flow.UDP), tuple("fd00::1", "fd00::2", flow.TCP),
		tuple("fd00::1", "fd00::2", flow.ICMPv6),
	} {
		for _, frame := range []units.Bytes{78, 79, 1518, MaxFrame} {
			f := Flow{Tuple: tt, Frame: frame}
			b, err := f.packet()
			if err != nil {
				t.Errorf("%v: %v", tt, err)
				continue
			}
			p := gopacket.NewPacket(b, layers.LayerTypeEthernet, gopacket.Default)
			if e := p.ErrorLayer(); e != nil {
				t.Errorf("%v at %v: %v", tt, frame, e.Error())
			}
			src, dst := p.NetworkLayer().NetworkFlow().Endpoints()
			if src.String() != tt.Src.String() || dst.String() != tt.Dst.String() {
				t.Errorf("%v: addresses %v, %v", tt, src, dst)
			}
			if l := p.TransportLayer(); l != nil {
				if s, d := l.TransportFlow().Endpoints(); s.String() != "1025" || d.String() != "12" {
					t.Errorf("%v: ports %v, %v", tt, s, d)
				}
			}
			if l, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok &&
				l.TypeCode != layers.CreateICMPv4TypeCode(1, 12) {
				t.Errorf("%v: type and code %v", tt, l.TypeCode)
			}
			if l, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok &&
				l.TypeCode != layers.CreateICMPv6TypeCode(1, 12) {
				t.Errorf("%v: type and code %v", tt, l.TypeCode)
			}
			for _, l := range p.Layers() {
				if l, ok := l.(interface {
					SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
				}); ok {
					l.SetNetworkLayerForChecksum(p.NetworkLayer())
				}
			}
			if wrong, mismatches := p.VerifyChecksums(); wrong != nil || len(mismatches) > 0 {
				t.Errorf("%v at %v: checksums %v %v", tt, frame, wrong, mismatches)
			}
		}
	}
}

func TestFlowsThatCannotBeSent(t *testing.T) {
	v4, v6 := tuple("10.0.0.1", "10.0.0.2", flow.UDP), tuple("fd00::1", "fd00::2", flow.UDP)
	for _, c := range []struct {
		flow Flow
		want string
	}{
		{Flow{Tuple: v4, Frame: 64}, "rate is 0pps"},
		{Flow{Tuple: v4, Rate: 1, Frame: 63}, "frame is 63B, want 64B"},
		{Flow{Tuple: v4, Rate: 1, Frame: 9300}, "want 64B to 9242B"},
		{Flow{Tuple: v6, Rate: 1, Frame: 64}, "headers need 66B"},
		{Flow{Tuple: v6, Rate: 1, Frame: 81, Latency: true}, "headers need 82B"},
		{Flow{Tuple: v4, Rate: 1, Frame: 64, Start: -1}, "start"},
		{Flow{Tuple: flow.FiveTuple{Src: v4.Src, Dst: v6.Dst}, Rate: 1, Frame: 64}, "two of IPv4"},
		{Flow{Rate: 1, Frame: 64}, "two of IPv4"},
		{Flow{Tuple: v6, Rate: 1, Frame: 100, Count: 2}, "need UDP over IPv4"},
		{Flow{Tuple: tuple("255.255.255.254", "10.0.0.1", flow.UDP), Rate: 1, Frame: 64, Count: 3}, "pass the last"},
		{Flow{Tuple: v4, Rate: 1, Frame: 64, SrcMAC: []byte{1, 2}}, "has 2 bytes"},
	} {
		_, err := Streams([]Flow{c.flow})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "flow 0, ") {
			t.Errorf("%+v: %v, want %q", c.flow, err, c.want)
		}
	}
}

// A workload's segments become bursts of as many packets, in the flow's group.
func TestFlowsOfAWorkload(t *testing.T) {
	w := &traces.Workload{Flows: []traces.Flow{
		{Tuple: tuple("10.0.0.1", "10.0.0.9", flow.UDP), Segments: []traces.Segment{
			{Start: 0, End: units.Second, Packets: 100, Bytes: 6400},
			{Start: 2 * units.Second, End: 4 * units.Second, Packets: 400, Bytes: 400 * 128}}},
		{Tuple: tuple("10.0.0.2", "10.0.0.9", flow.UDP),
			Segments: []traces.Segment{{Start: 5, End: units.Second, Packets: 0.2, Bytes: 10}}},
	}}
	flows := Flows(w, 7)
	if len(flows) != 2 || flows[0].Total != 100 || flows[0].Rate != 100 || flows[0].Frame != 64 ||
		flows[1].Total != 400 || flows[1].Rate != 200 || flows[1].Frame != 128 || flows[1].Start != 2*units.Second ||
		flows[1].Group != 7 {
		t.Errorf("%+v", flows)
	}
	s, err := Streams(flows)
	if err != nil || s[1].Mode.Type != "single_burst" || s[1].Mode.Packets != 400 || s[1].Gap != 2e6 {
		t.Errorf("%+v, %v", s, err)
	}
}
