package openflow

import (
	"fmt"
	"net/netip"
)

// Field is a set of match fields.
type Field uint16

// The fields that a Match can hold.
const (
	InPort Field = 1 << iota
	Metadata
	EthType
	IPProto
	Src
	Dst
	SrcPort
	DstPort
	Other // the match holds more than this package knows, or a mask: found in others' rules only
)

// Match says which packets a rule applies to (7.2.3): those that agree in every field of Has. Addresses need EthType,
// which must be that of their family, and ports need IPProto; nothing else in a Match has a meaning unless its bit is
// set. Matches made of the same fields are equal when == says so.
type Match struct {
	Has              Field
	InPort           uint32
	Metadata         uint64 // a register that a rule writes and the rules of later tables match
	EthType          uint16 // EthIPv4, EthIPv6
	IPProto          uint8  // TCP, UDP
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16
}

// Values of EthType and IPProto.
const (
	EthIPv4 = 0x0800
	EthIPv6 = 0x86dd
	TCP     = 6
	UDP     = 17
)

// Numbers of the OXM fields (7.2.3.7). TCP's and UDP's ports are two fields each.
const (
	oxmBasic     = 0x8000
	oxmInPort    = 0
	oxmMetadata  = 2
	oxmEthType   = 5
	oxmIPProto   = 10
	oxmIPv4Src   = 11
	oxmIPv4Dst   = 12
	oxmTCPSrc    = 13
	oxmTCPDst    = 14
	oxmUDPSrc    = 15
	oxmUDPDst    = 16
	oxmIPv6Src   = 26
	oxmIPv6Dst   = 27
	matchTypeOXM = 1
)

func oxm(b []byte, field, length byte) []byte {
	return append(b, oxmBasic>>8, oxmBasic&0xff, field<<1, length)
}

func (m *Match) append(b []byte) []byte {
	start := len(b)
	b = append(b, 0, matchTypeOXM, 0, 0)
	if m.Has&InPort != 0 {
		b = be.AppendUint32(oxm(b, oxmInPort, 4), m.InPort)
	}
	if m.Has&Metadata != 0 {
		b = be.AppendUint64(oxm(b, oxmMetadata, 8), m.Metadata)
	}
	if m.Has&EthType != 0 {
		b = be.AppendUint16(oxm(b, oxmEthType, 2), m.EthType)
	}
	v6 := m.EthType == EthIPv6
	if m.Has&Src != 0 {
		b = appendAddr(b, m.Src, v6, oxmIPv4Src, oxmIPv6Src)
	}
	if m.Has&Dst != 0 {
		b = appendAddr(b, m.Dst, v6, oxmIPv4Dst, oxmIPv6Dst)
	}
	if m.Has&IPProto != 0 {
		b = append(oxm(b, oxmIPProto, 1), m.IPProto)
	}
	udp := byte(0)
	if m.IPProto == UDP {
		udp = oxmUDPSrc - oxmTCPSrc
	}
	if m.Has&SrcPort != 0 {
		b = be.AppendUint16(oxm(b, oxmTCPSrc+udp, 2), m.SrcPort)
	}
	if m.Has&DstPort != 0 {
		b = be.AppendUint16(oxm(b, oxmTCPDst+udp, 2), m.DstPort)
	}
	n := len(b) - start
	be.PutUint16(b[start+2:], uint16(n))
	return zeros(b, -n&7)
}

func appendAddr(b []byte, a netip.Addr, v6 bool, four, six byte) []byte {
	if v6 {
		x := a.As16()
		return append(oxm(b, six, 16), x[:]...)
	}
	a = a.Unmap()
	if !a.Is4() {
		a = netip.IPv4Unspecified()
	}
	x := a.As4()
	return append(oxm(b, four, 4), x[:]...)
}

// parse reads a match and returns its length with padding.
func (m *Match) parse(b []byte) (int, error) {
	*m = Match{}
	if len(b) < 4 {
		return 0, ErrTruncated
	}
	if t := be.Uint16(b); t != matchTypeOXM {
		return 0, fmt.Errorf("openflow: match of type %d, want %d (OXM)", t, matchTypeOXM)
	}
	n := int(be.Uint16(b[2:]))
	padded := (n + 7) &^ 7
	if n < 4 || padded > len(b) {
		return 0, ErrTruncated
	}
	for f := b[4:n]; len(f) > 0; {
		if len(f) < 4 || len(f) < 4+int(f[3]) {
			return 0, ErrTruncated
		}
		v := f[4 : 4+int(f[3])]
		m.field(be.Uint16(f), f[2], v)
		f = f[4+len(v):]
	}
	return padded, nil
}

// field takes one OXM field in. The low bit of id says that a mask follows the value.
func (m *Match) field(class uint16, id byte, v []byte) {
	if class != oxmBasic || id&1 != 0 {
		m.Has |= Other
		return
	}
	switch id, n := id>>1, len(v); {
	case id == oxmInPort && n == 4:
		m.Has, m.InPort = m.Has|InPort, be.Uint32(v)
	case id == oxmMetadata && n == 8:
		m.Has, m.Metadata = m.Has|Metadata, be.Uint64(v)
	case id == oxmEthType && n == 2:
		m.Has, m.EthType = m.Has|EthType, be.Uint16(v)
	case id == oxmIPProto && n == 1:
		m.Has, m.IPProto = m.Has|IPProto, v[0]
	case id == oxmIPv4Src && n == 4:
		m.Has, m.Src = m.Has|Src, netip.AddrFrom4([4]byte(v))
	case id == oxmIPv4Dst && n == 4:
		m.Has, m.Dst = m.Has|Dst, netip.AddrFrom4([4]byte(v))
	case id == oxmIPv6Src && n == 16:
		m.Has, m.Src = m.Has|Src, netip.AddrFrom16([16]byte(v))
	case id == oxmIPv6Dst && n == 16:
		m.Has, m.Dst = m.Has|Dst, netip.AddrFrom16([16]byte(v))
	case (id == oxmTCPSrc || id == oxmUDPSrc) && n == 2:
		m.Has, m.SrcPort = m.Has|SrcPort, be.Uint16(v)
	case (id == oxmTCPDst || id == oxmUDPDst) && n == 2:
		m.Has, m.DstPort = m.Has|DstPort, be.Uint16(v)
	default:
		m.Has |= Other
	}
}

// Instructions say what a rule does with a packet (7.2.4): send it out of a port, write the metadata register, go on
// to another table, or, when all are zero, drop it.
type Instructions struct {
	Out      uint32 // port; 0 for none
	MaxLen   uint16 // bytes that go up, with Out PortController; 0xffff for the whole packet
	Metadata uint64 // written when Write is set
	Write    bool
	Goto     uint8 // a table behind the rule's own; 0 for none
	Other    bool  // there is more than this package knows: found in others' rules only
}

const (
	instGoto    = 1
	instWrite   = 2
	instApply   = 4
	actionOut   = 0
	outputBytes = 16
)

func appendOutput(b []byte, port uint32, maxLen uint16) []byte {
	b = be.AppendUint32(append(b, 0, actionOut, 0, outputBytes), port)
	return zeros(be.AppendUint16(b, maxLen), 6)
}

func (in *Instructions) append(b []byte) []byte {
	if in.Out != 0 {
		b = zeros(append(b, 0, instApply, 0, 8+outputBytes), 4)
		b = appendOutput(b, in.Out, in.MaxLen)
	}
	if in.Write {
		b = zeros(append(b, 0, instWrite, 0, 24), 4)
		b = be.AppendUint64(be.AppendUint64(b, in.Metadata), ^uint64(0))
	}
	if in.Goto != 0 {
		b = append(b, 0, instGoto, 0, 8, in.Goto, 0, 0, 0)
	}
	return b
}

func (in *Instructions) parse(b []byte) error {
	*in = Instructions{}
	for len(b) > 0 {
		if len(b) < 8 {
			return ErrTruncated
		}
		n := int(be.Uint16(b[2:]))
		if n < 8 || n > len(b) {
			return ErrTruncated
		}
		switch t := be.Uint16(b); {
		case t == instGoto && b[4] != 0 && in.Goto == 0:
			in.Goto = b[4]
		case t == instWrite && n == 24 && be.Uint64(b[16:]) == ^uint64(0) && !in.Write:
			in.Write, in.Metadata = true, be.Uint64(b[8:])
		case t == instApply && n == 8+outputBytes && be.Uint16(b[8:]) == actionOut && be.Uint32(b[12:]) != 0 &&
			in.Out == 0:
			in.Out, in.MaxLen = be.Uint32(b[12:]), be.Uint16(b[16:])
		default:
			in.Other = true
		}
		b = b[n:]
	}
	return nil
}

// Command is what a FlowMod does.
type Command uint8

// The commands (7.3.4.1). A strict one means the one rule with this match and priority; Delete means all rules that
// the match covers. All but Add are limited to rules whose cookie agrees with Cookie under CookieMask. Add resets the
// counters of a rule that it replaces, ModifyStrict keeps them, and does nothing where there is no such rule.
const (
	Add          Command = 0
	ModifyStrict Command = 2
	Delete       Command = 3
	DeleteStrict Command = 4
)

// Flags of a rule.
const SendFlowRemoved = 1 // tell the controller when the rule goes, with its last counters

// FlowMod adds, changes or deletes rules.
type FlowMod struct {
	Command            Command
	Table              uint8 // AnyTable with the deletes
	Priority           uint16
	Idle, Hard         uint16 // seconds until an unused, or any, rule is removed; 0 for never
	Flags              uint16
	Cookie, CookieMask uint64
	Match              Match
	Do                 Instructions
}

// AppendFlowMod appends a flow-mod message.
func AppendFlowMod(b []byte, xid uint32, f *FlowMod) []byte {
	b, at := begin(b, TypeFlowMod, xid)
	b = be.AppendUint64(be.AppendUint64(b, f.Cookie), f.CookieMask)
	b = append(b, f.Table, byte(f.Command))
	b = be.AppendUint16(be.AppendUint16(be.AppendUint16(b, f.Idle), f.Hard), f.Priority)
	b = be.AppendUint32(be.AppendUint32(be.AppendUint32(b, noBuffer), PortAny), anyGroup)
	b = zeros(be.AppendUint16(b, f.Flags), 2)
	b = f.Match.append(b)
	if f.Command != Delete && f.Command != DeleteStrict {
		b = f.Do.append(b)
	}
	return finish(b, at)
}

// Parse reads the body of a flow-mod: what a switch does, and a test of this package.
func (f *FlowMod) Parse(body []byte) error {
	if len(body) < 40 {
		return ErrTruncated
	}
	*f = FlowMod{
		Cookie: be.Uint64(body), CookieMask: be.Uint64(body[8:]), Table: body[16], Command: Command(body[17]),
		Idle: be.Uint16(body[18:]), Hard: be.Uint16(body[20:]), Priority: be.Uint16(body[22:]),
		Flags: be.Uint16(body[36:]),
	}
	n, err := f.Match.parse(body[40:])
	if err != nil {
		return err
	}
	return f.Do.parse(body[40+n:])
}

// Reasons of a FlowRemoved.
const (
	RemovedIdle   = 0
	RemovedHard   = 1
	RemovedDelete = 2
)

// FlowRemoved says that a rule is gone (7.4.2), with the last that it counted.
type FlowRemoved struct {
	Cookie         uint64
	Priority       uint16
	Reason         uint8
	Table          uint8
	Packets, Bytes uint64
	Match          Match
}

// Parse reads the body of a flow-removed.
func (f *FlowRemoved) Parse(body []byte) error {
	if len(body) < 40 {
		return ErrTruncated
	}
	*f = FlowRemoved{
		Cookie: be.Uint64(body), Priority: be.Uint16(body[8:]), Reason: body[10], Table: body[11],
		Packets: be.Uint64(body[24:]), Bytes: be.Uint64(body[32:]),
	}
	_, err := f.Match.parse(body[40:])
	return err
}
