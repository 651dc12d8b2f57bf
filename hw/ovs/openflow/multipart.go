package openflow

import (
	"bytes"
	"fmt"
	"time"
)

// Kinds of multipart requests (7.3.5).
const (
	multipartDesc     = 0
	multipartFlow     = 1
	multipartPort     = 4
	multipartPortDesc = 13
	replyMore         = 1
)

// appendMultipart begins a request of the given kind.
func appendMultipart(b []byte, xid uint32, kind byte) ([]byte, int) {
	b, at := begin(b, TypeMultipartRequest, xid)
	return zeros(append(b, 0, kind), 6), at
}

// AppendFlowStatsRequest asks for the rules of a table (or AnyTable) whose cookie agrees with cookie under mask.
func AppendFlowStatsRequest(b []byte, xid uint32, table uint8, cookie, mask uint64) []byte {
	b, at := appendMultipart(b, xid, multipartFlow)
	b = append(b, table, 0, 0, 0)
	b = zeros(be.AppendUint32(be.AppendUint32(b, PortAny), anyGroup), 4)
	b = be.AppendUint64(be.AppendUint64(b, cookie), mask)
	all := Match{}
	return finish(all.append(b), at)
}

// AppendPortStatsRequest asks for the counters of a port, or of all with PortAny.
func AppendPortStatsRequest(b []byte, xid, port uint32) []byte {
	b, at := appendMultipart(b, xid, multipartPort)
	return finish(zeros(be.AppendUint32(b, port), 4), at)
}

// AppendDescRequest asks what the switch is.
func AppendDescRequest(b []byte, xid uint32) []byte {
	b, at := appendMultipart(b, xid, multipartDesc)
	return finish(b, at)
}

// AppendPortDescRequest asks for all ports by number and name.
func AppendPortDescRequest(b []byte, xid uint32) []byte {
	b, at := appendMultipart(b, xid, multipartPortDesc)
	return finish(b, at)
}

// Desc says what a switch is: Hardware "Open vSwitch" and Software "3.1.0", for instance.
type Desc struct {
	Manufacturer, Hardware, Software string
}

// FlowStats is one rule with its counters.
type FlowStats struct {
	Table          uint8
	Priority       uint16
	Idle, Hard     uint16
	Flags          uint16
	Cookie         uint64
	Age            time.Duration // since it was added
	Packets, Bytes uint64
	Match          Match
	Do             Instructions
}

// PortStats is what a port has counted.
type PortStats struct {
	Port                 uint32
	RxPackets, TxPackets uint64
	RxBytes, TxBytes     uint64
	RxDropped, TxDropped uint64
	RxErrors, TxErrors   uint64
}

// PortDesc names a port.
type PortDesc struct {
	Port uint32
	Name string
	Down bool // by configuration, or no carrier
}

// Multipart is one part of an answer. Exactly one of the other fields is filled, according to the request; an answer is
// complete with the first part whose More is false. Parse reuses the slices.
type Multipart struct {
	More      bool
	Desc      Desc
	Flows     []FlowStats
	Ports     []PortStats
	PortDescs []PortDesc
}

// Parse reads the body of a multipart reply. Kinds other than those that this package asks for are an error.
func (m *Multipart) Parse(body []byte) error {
	*m = Multipart{Flows: m.Flows[:0], Ports: m.Ports[:0], PortDescs: m.PortDescs[:0]}
	if len(body) < 8 {
		return ErrTruncated
	}
	m.More = be.Uint16(body[2:])&replyMore != 0
	kind, b := be.Uint16(body), body[8:]
	switch kind {
	case multipartDesc:
		if len(b) != descBytes {
			return ErrTruncated
		}
		m.Desc, b = Desc{text(b[:256]), text(b[256:512]), text(b[512:768])}, nil
	case multipartFlow:
		for len(b) > 0 {
			if len(b) < 2 {
				return ErrTruncated
			}
			n := int(be.Uint16(b))
			if n < 56 || n > len(b) {
				return ErrTruncated
			}
			m.Flows = append(m.Flows, FlowStats{})
			if err := m.Flows[len(m.Flows)-1].parse(b[:n]); err != nil {
				return err
			}
			b = b[n:]
		}
	case multipartPort:
		for ; len(b) >= 112; b = b[112:] {
			u := func(i int) uint64 { return be.Uint64(b[8+8*i:]) }
			m.Ports = append(m.Ports, PortStats{be.Uint32(b), u(0), u(1), u(2), u(3), u(4), u(5), u(6), u(7)})
		}
	case multipartPortDesc:
		for ; len(b) >= portBytes; b = b[portBytes:] {
			m.PortDescs = append(m.PortDescs, parsePort(b))
		}
	default:
		return fmt.Errorf("openflow: multipart reply of kind %d was not asked for", kind)
	}
	if len(b) > 0 {
		return ErrTruncated
	}
	return nil
}

func (f *FlowStats) parse(b []byte) error {
	*f = FlowStats{
		Table: b[2], Age: time.Duration(be.Uint32(b[4:]))*time.Second + time.Duration(be.Uint32(b[8:])),
		Priority: be.Uint16(b[12:]), Idle: be.Uint16(b[14:]), Hard: be.Uint16(b[16:]), Flags: be.Uint16(b[18:]),
		Cookie: be.Uint64(b[24:]), Packets: be.Uint64(b[32:]), Bytes: be.Uint64(b[40:]),
	}
	n, err := f.Match.parse(b[48:])
	if err != nil {
		return err
	}
	return f.Do.parse(b[48+n:])
}

const (
	descBytes = 4*256 + 32
	portBytes = 64
)

// text reads a string from a field that zeros fill up.
func text(field []byte) string {
	s, _, _ := bytes.Cut(field, []byte{0})
	return string(s)
}

func parsePort(b []byte) PortDesc {
	return PortDesc{be.Uint32(b), text(b[16:32]), be.Uint32(b[32:])&1 != 0 || be.Uint32(b[36:])&1 != 0}
}

// PortStatus says that a port came, went or changed (7.4.3).
type PortStatus struct {
	Gone bool
	Port PortDesc
}

// Parse reads the body of a port status message.
func (p *PortStatus) Parse(body []byte) error {
	if len(body) < 8+portBytes {
		return ErrTruncated
	}
	*p = PortStatus{body[0] == 1, parsePort(body[8:])}
	return nil
}
