package openflow

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

// exchange is one message that was seen between ovs-ofctl and Open vSwitch.
type exchange struct {
	name     string
	toSwitch bool
	bytes    []byte
}

func recorded(t testing.TB) []exchange {
	f, err := os.Open("testdata/ovs-ofctl.hex")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []exchange
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		w := strings.Fields(sc.Text())
		if len(w) != 3 || w[0] == "#" {
			continue
		}
		b, err := hex.DecodeString(w[2])
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, exchange{w[0], w[1] == ">", b})
	}
	if len(out) == 0 || sc.Err() != nil {
		t.Fatal("no recorded messages", sc.Err())
	}
	return out
}

// find returns the recorded message of a type, in a direction.
func find(t *testing.T, name string, toSwitch bool, typ Type) []byte {
	t.Helper()
	for _, x := range recorded(t) {
		if x.name == name && x.toSwitch == toSwitch && Type(x.bytes[1]) == typ {
			return x.bytes
		}
	}
	t.Fatalf("no message of type %d recorded for %s", typ, name)
	return nil
}

var (
	v4 = Match{Has: InPort | EthType | IPProto | Src | Dst | SrcPort | DstPort, InPort: PortLocal, EthType: EthIPv4,
		IPProto: TCP, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: 1000,
		DstPort: 80}
	v6 = Match{Has: v4.Has, InPort: PortLocal, EthType: EthIPv6, IPProto: TCP,
		Src: netip.MustParseAddr("2001:db8::1"), Dst: netip.MustParseAddr("2001:db8::2"), SrcPort: 1000, DstPort: 80}
	steer3 = Instructions{Write: true, Metadata: 3, Goto: 100}
	steer4 = Instructions{Write: true, Metadata: 4, Goto: 100}
)

const cookie = 0x51dc000000000007

func udp(m Match) Match { m.IPProto = UDP; return m }

// Each flow-mod that ovs-ofctl sent is what this package writes for the same request.
func TestFlowModsAreThoseOfOvsOfctl(t *testing.T) {
	for name, f := range map[string]FlowMod{
		"add-tcp4": {Priority: 100, Idle: 10, Flags: SendFlowRemoved, Cookie: cookie, Match: v4, Do: steer3},
		"add-udp4": {Priority: 100, Cookie: cookie, Match: udp(v4)},
		"add-tcp6": {Priority: 100, Cookie: cookie, Match: v6, Do: steer3},
		"add-udp6": {Priority: 100, Cookie: cookie, Match: udp(v6)},
		"add-instance": {Table: 100, Priority: 100, Cookie: cookie, Match: Match{Has: Metadata, Metadata: 3},
			Do: Instructions{Out: 5}},
		"add-miss": {Priority: 1, Cookie: cookie, Match: Match{Has: InPort | EthType | IPProto, InPort: PortLocal,
			EthType: EthIPv4, IPProto: TCP},
			Do: Instructions{Out: PortController, MaxLen: 0xffff}},
		"mod-strict": {Command: ModifyStrict, Priority: 100, Cookie: cookie, CookieMask: ^uint64(0), Match: v4,
			Do: steer4},
		"del-strict": {Command: DeleteStrict, Table: AnyTable, Priority: 100, Cookie: cookie, CookieMask: ^uint64(0),
			Match: v4},
		"add-miss-udp": {Priority: 29999, Cookie: 0x51dc<<48 | 1<<39 | 1,
			Match: Match{Has: InPort | EthType | IPProto, InPort: 1, EthType: EthIPv4, IPProto: UDP},
			Do:    Instructions{Out: PortController, MaxLen: 0xffff}},
		"add-egress": {Priority: 30000, Flags: SendFlowRemoved, Cookie: 0x51dc<<48 | 0x81<<32 | 3,
			Match: Match{Has: InPort, InPort: 5}, Do: Instructions{Out: 1}},
		"mod-instance": {Command: ModifyStrict, Table: 100, Priority: 100, Cookie: cookie, CookieMask: ^uint64(0),
			Match: Match{Has: Metadata, Metadata: 3}, Do: Instructions{Out: 7}},
		"del-table": {Command: DeleteStrict, Table: 100, Priority: 100, Cookie: cookie, CookieMask: ^uint64(0),
			Match: Match{Has: Metadata, Metadata: 3}},
		"del-all": {Command: Delete, Table: AnyTable, Priority: 0x8000, Cookie: 0x51dc << 48, CookieMask: 0xffff << 48},
	} {
		t.Run(name, func(t *testing.T) {
			want := find(t, name, true, TypeFlowMod)
			if got := AppendFlowMod(nil, be.Uint32(want[4:]), &f); !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x", got, want)
			}
			var back FlowMod
			if err := back.Parse(want[HeaderLen:]); err != nil || back != f {
				t.Errorf("parsed %+v, %v\nwant   %+v", back, err, f)
			}
		})
	}
}

func TestOtherRequestsAreThoseOfOvsOfctl(t *testing.T) {
	frame, _ := hex.DecodeString("ffffffffffff020000000001080045000014000000004011669a0a0000010a000002")
	for _, c := range []struct {
		name string
		typ  Type
		got  func(xid uint32) []byte
	}{
		{"show", TypeHello, func(x uint32) []byte { return AppendHello(nil, x) }},
		{"show", TypeFeaturesRequest, func(x uint32) []byte { return AppendFeaturesRequest(nil, x) }},
		{"show", TypeMultipartRequest, func(x uint32) []byte { return AppendPortDescRequest(nil, x) }},
		{"add-tcp4", TypeBarrierRequest, func(x uint32) []byte { return AppendBarrierRequest(nil, x) }},
		{"dump-flows", TypeMultipartRequest, func(x uint32) []byte {
			return AppendFlowStatsRequest(nil, x, AnyTable, 0,
				0)
		}},
		{"dump-cookie", TypeMultipartRequest,
			func(x uint32) []byte { return AppendFlowStatsRequest(nil, x, 0, 0x51dc<<48, 0xffff<<48) }},
		{"dump-exact", TypeMultipartRequest, func(x uint32) []byte {
			return AppendFlowStatsRequest(nil, x, 0, cookie,
				^uint64(0))
		}},
		{"dump-desc", TypeMultipartRequest, func(x uint32) []byte { return AppendDescRequest(nil, x) }},
		{"monitor", TypeSetConfig, func(x uint32) []byte { return AppendSetConfig(nil, x, 0xffff) }},
		{"dump-ports", TypeMultipartRequest, func(x uint32) []byte { return AppendPortStatsRequest(nil, x, PortAny) }},
		{"packet-out", TypePacketOut, func(x uint32) []byte { return AppendPacketOut(nil, x, PortLocal, 5, frame) }},
	} {
		want := find(t, c.name, true, c.typ)
		if got := c.got(be.Uint32(want[4:])); !bytes.Equal(got, want) {
			t.Errorf("%s\ngot  %x\nwant %x", c.name, got, want)
		}
	}
}

func TestAnswersOfOpenVSwitchAreRead(t *testing.T) {
	var f Features
	if err := f.Parse(find(t, "show", false, TypeFeaturesReply)[HeaderLen:]); err != nil || f.Tables != 254 ||
		f.DatapathID != 0xfec661b92c41 {
		t.Errorf("features %+v, %v", f, err)
	}
	var m Multipart
	if err := m.Parse(find(t, "show", false, TypeMultipartReply)[HeaderLen:]); err != nil || len(m.PortDescs) != 1 ||
		m.PortDescs[0] != (PortDesc{PortLocal, "br0", true}) {
		t.Errorf("ports %+v, %v", m.PortDescs, err)
	}
	if err := m.Parse(find(t, "dump-desc", false, TypeMultipartReply)[HeaderLen:]); err != nil ||
		m.Desc != (Desc{"Nicira, Inc.", "Open vSwitch", "3.1.0"}) {
		t.Errorf("description %+v, %v", m.Desc, err)
	}
	if err := m.Parse(find(t, "dump-ports", false, TypeMultipartReply)[HeaderLen:]); err != nil || len(m.Ports) != 1 ||
		m.Ports[0] != (PortStats{Port: PortLocal}) {
		t.Errorf("port counters %+v, %v", m.Ports, err)
	}
	var e Error
	if err := e.Parse(find(t, "bad-flow", false, TypeError)[HeaderLen:]); err != nil ||
		e.Error() != "bad action: bad output group" {
		t.Errorf("error %v, %v", e, err)
	}
	if err := m.Parse(find(t, "dump-flows", false, TypeMultipartReply)[HeaderLen:]); err != nil || m.More {
		t.Fatal(err, m.More)
	}
	type rule struct {
		Table uint8
		Prio  uint16
		Idle  uint16
		Flags uint16
		Match Match
		Do    Instructions
	}
	var got []rule
	for _, f := range m.Flows {
		if f.Cookie != cookie || f.Age <= 0 || f.Age.Seconds() > 2 {
			t.Errorf("rule %+v: want our cookie, and an age of less than a second or so", f)
		}
		got = append(got, rule{f.Table, f.Priority, f.Idle, f.Flags, f.Match, f.Do})
	}
	for _, want := range []rule{
		{0, 100, 10, SendFlowRemoved, v4, steer4},
		{0, 100, 0, 0, udp(v4), Instructions{}},
		{0, 100, 0, 0, v6, steer3},
		{0, 100, 0, 0, udp(v6), Instructions{}},
		{100, 100, 0, 0, Match{Has: Metadata, Metadata: 3}, Instructions{Out: 5}},
	} {
		if !slices.Contains(got, want) {
			t.Errorf("rule %+v is missing in %+v", want, got)
		}
	}
}

// What Open vSwitch says unasked: a packet that a rule sent up, the ends of two rules, a port that comes and goes.
func TestReportsOfOpenVSwitchAreRead(t *testing.T) {
	var p PacketIn
	if err := p.Parse(find(t, "monitor", false, TypePacketIn)[HeaderLen:]); err != nil || p.Total != 106 ||
		len(p.Frame) != 106 ||
		p.Cookie != 0x51dc<<48|1<<39|1 || p.Reason != 1 || p.Match != (Match{Has: InPort, InPort: 1}) {
		t.Errorf("packet-in %+v, %v", p, err)
	}
	ended := v4
	ended.InPort, ended.IPProto = 1, UDP
	var removed []FlowRemoved
	var ports []PortStatus
	for _, x := range recorded(t) {
		var f FlowRemoved
		var s PortStatus
		switch Type(x.bytes[1]) {
		case TypeFlowRemoved:
			if err := f.Parse(x.bytes[HeaderLen:]); err != nil {
				t.Error(err)
			}
			removed = append(removed, f)
		case TypePortStatus:
			if err := s.Parse(x.bytes[HeaderLen:]); err != nil {
				t.Error(err)
			}
			ports = append(ports, s)
		}
	}
	if want := []FlowRemoved{
		{Cookie: cookie, Priority: 30000, Reason: RemovedIdle, Match: ended},
		{Cookie: 0x51dc<<48 | 0x81<<32 | 3, Priority: 30000, Reason: RemovedDelete,
			Match: Match{Has: InPort, InPort: 5}},
	}; !slices.Equal(removed, want) {
		t.Errorf("got  %+v\nwant %+v", removed, want)
	}
	p9 := PortDesc{Port: 9, Name: "p9"}
	if want := []PortStatus{{Port: p9}, {Port: p9}, {Gone: true, Port: p9}}; !slices.Equal(ports, want) {
		t.Errorf("got  %+v\nwant %+v", ports, want)
	}
}

// What is not understood is marked, so that another's rule is never taken for one of ours.
func TestUnknownPartsAreMarked(t *testing.T) {
	var f FlowMod
	if err := f.Parse(find(t, "bad-flow", true, TypeFlowMod)[HeaderLen:]); err != nil || !f.Do.Other {
		t.Errorf("a group action: %+v, %v", f.Do, err)
	}
	var m Match
	masked := []byte{0, 1, 0, 16, 0x80, 0, oxmIPv4Src<<1 | 1, 8, 10, 0, 0, 0, 255, 0, 0, 0}
	if n, err := m.parse(masked); err != nil || n != 16 || m.Has != Other {
		t.Errorf("a masked address: %+v, %d, %v", m, n, err)
	}
}

func TestShortInputIsAnError(t *testing.T) {
	for _, x := range recorded(t) {
		for n := HeaderLen; n < len(x.bytes); n++ {
			parseAny(Type(x.bytes[1]), x.bytes[HeaderLen:n])
		}
	}
	for i, p := range []interface{ Parse([]byte) error }{
		new(Header), new(Features), new(PacketIn), new(Error), new(FlowMod), new(FlowRemoved), new(Multipart),
		new(PortStatus),
	} {
		if p.Parse([]byte{4, 0}) == nil {
			t.Errorf("parser %d accepts two bytes", i)
		}
	}
}

// parseAny reads a body as the message of a type; the caller wants to see it return.
func parseAny(t Type, body []byte) error {
	var p interface{ Parse([]byte) error }
	switch t {
	case TypeFeaturesReply:
		p = new(Features)
	case TypePacketIn:
		p = new(PacketIn)
	case TypeError:
		p = new(Error)
	case TypeFlowMod:
		p = new(FlowMod)
	case TypeFlowRemoved:
		p = new(FlowRemoved)
	case TypePortStatus:
		p = new(PortStatus)
	case TypeMultipartReply:
		p = new(Multipart)
	default:
		return nil
	}
	return p.Parse(body)
}

// Any bytes are read without a panic, and what this package wrote it reads as the same rule.
func FuzzParse(f *testing.F) {
	for _, x := range recorded(f) {
		f.Add(x.bytes[1], x.bytes[HeaderLen:])
	}
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		_ = parseAny(Type(typ), body)
		var m FlowMod
		if m.Parse(body) != nil || m.Match.Has&Other != 0 || m.Do.Other {
			return
		}
		if m.Command != Add && m.Command != ModifyStrict {
			m.Do = Instructions{}
		}
		canonical(&m.Match)
		var back FlowMod
		if err := back.Parse(AppendFlowMod(nil, 1, &m)[HeaderLen:]); err != nil || back != m {
			t.Errorf("wrote %+v\nread  %+v, %v", m, back, err)
		}
	})
}

// canonical drops what a well-formed rule does not have: addresses of another family than EthType's.
func canonical(m *Match) {
	if m.Has&Src != 0 && m.Src.Is4() == (m.EthType == EthIPv6) {
		m.Has, m.Src = m.Has&^Src, netip.Addr{}
	}
	if m.Has&Dst != 0 && m.Dst.Is4() == (m.EthType == EthIPv6) {
		m.Has, m.Dst = m.Has&^Dst, netip.Addr{}
	}
}

func FuzzRead(f *testing.F) {
	messages := recorded(f)
	for _, x := range messages {
		f.Add(x.bytes)
	}
	f.Add(slices.Concat(messages[0].bytes, messages[1].bytes))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := newTestConn(b)
		for {
			h, body, err := c.Read()
			if err != nil {
				return
			}
			if len(body) != int(h.Length)-HeaderLen {
				t.Fatalf("body of %d B for a length of %d", len(body), h.Length)
			}
		}
	})
}
