// Package openflow speaks the part of OpenFlow 1.3 (wire version 4) that it takes to steer flows through a switch:
// rules, their counters, packets sent up and down, barriers and errors. Section numbers in this package are those of
// the OpenFlow Switch Specification 1.3.5.
//
// Messages are written by Append functions, which add one complete message to a byte slice, so that a batch is built
// without allocation and goes out in one write. They are read by Parse methods, which take a message's body (what
// follows the eight header bytes), check every length, and never keep more of the input than they say. A message, or
// a part of one, that this package does not know is skipped where the protocol allows that and is an error otherwise.
//
// Conn is a connection to a switch: version handshake, framing, and writes by several goroutines.
package openflow

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Version is OpenFlow 1.3 on the wire.
const Version = 4

// HeaderLen is the length of the header that begins every message.
const HeaderLen = 8

// Type is the kind of a message (section 7.1).
type Type uint8

// The messages that this package reads or writes.
const (
	TypeHello            Type = 0
	TypeError            Type = 1
	TypeEchoRequest      Type = 2
	TypeEchoReply        Type = 3
	TypeFeaturesRequest  Type = 5
	TypeFeaturesReply    Type = 6
	TypeSetConfig        Type = 9
	TypePacketIn         Type = 10
	TypeFlowRemoved      Type = 11
	TypePortStatus       Type = 12
	TypePacketOut        Type = 13
	TypeFlowMod          Type = 14
	TypeMultipartRequest Type = 18
	TypeMultipartReply   Type = 19
	TypeBarrierRequest   Type = 20
	TypeBarrierReply     Type = 21
)

// Reserved port numbers (section 7.2.1).
const (
	PortMax        = 0xffffff00 // greatest number of a real port
	PortInPort     = 0xfffffff8 // back to where the packet came from; the only way to do that
	PortTable      = 0xfffffff9 // through the flow tables; in a packet-out only
	PortController = 0xfffffffd
	PortLocal      = 0xfffffffe
	PortAny        = 0xffffffff
)

// Wildcards of requests.
const (
	AnyTable = 0xff
	anyGroup = 0xffffffff
	noBuffer = 0xffffffff
)

// ErrTruncated says that a message ended before its own lengths said it would, or that those lengths contradict each
// other.
var ErrTruncated = errors.New("openflow: message is shorter than its contents")

// ErrVersion says that a message, or the whole peer, does not speak OpenFlow 1.3.
var ErrVersion = errors.New("openflow: peer does not speak OpenFlow 1.3")

// Header begins every message. Length counts the header too.
type Header struct {
	Version uint8
	Type    Type
	Length  uint16
	XID     uint32 // chosen by who asks, repeated by who answers
}

// Parse reads a header from the first eight bytes.
func (h *Header) Parse(b []byte) error {
	if len(b) < HeaderLen {
		return ErrTruncated
	}
	*h = Header{b[0], Type(b[1]), be.Uint16(b[2:]), be.Uint32(b[4:])}
	if h.Length < HeaderLen {
		return fmt.Errorf("%w: length %d in the header", ErrTruncated, h.Length)
	}
	return nil
}

var be = binary.BigEndian

// begin appends a header whose length finish fills in.
func begin(b []byte, t Type, xid uint32) ([]byte, int) {
	start := len(b)
	return be.AppendUint32(append(b, Version, byte(t), 0, 0), xid), start
}

func finish(b []byte, start int) []byte {
	be.PutUint16(b[start+2:], uint16(len(b)-start))
	return b
}

func zeros(b []byte, n int) []byte {
	for ; n > 0; n-- {
		b = append(b, 0)
	}
	return b
}

func appendEmpty(b []byte, t Type, xid uint32) []byte {
	b, at := begin(b, t, xid)
	return finish(b, at)
}

// AppendHello opens a connection (7.5.1): it offers version 1.3 alone.
func AppendHello(b []byte, xid uint32) []byte {
	b, at := begin(b, TypeHello, xid)
	return finish(append(b, 0, 1, 0, 8, 0, 0, 0, 1<<Version), at)
}

// checkHello says whether the peer that sent a hello with this header and body speaks 1.3.
func checkHello(h Header, body []byte) error {
	for len(body) >= 4 {
		n := int(be.Uint16(body[2:]))
		if n < 4 || n > len(body) {
			break
		}
		if be.Uint16(body) == 1 && n >= 8 {
			if be.Uint32(body[4:])&(1<<Version) == 0 {
				return fmt.Errorf("%w: its version bitmap is %#x", ErrVersion, be.Uint32(body[4:]))
			}
			return nil
		}
		n = (n + 7) &^ 7
		body = body[min(n, len(body)):]
	}
	if h.Version < Version {
		return fmt.Errorf("%w: its greatest version is %d", ErrVersion, h.Version)
	}
	return nil
}

// AppendEchoRequest asks whether the peer is there (7.5.2).
func AppendEchoRequest(b []byte, xid uint32) []byte { return appendEmpty(b, TypeEchoRequest, xid) }

// AppendEchoReply answers an echo request with the data that came with it.
func AppendEchoReply(b []byte, xid uint32, data []byte) []byte {
	b, at := begin(b, TypeEchoReply, xid)
	return finish(append(b, data...), at)
}

// AppendFeaturesRequest asks for Features (7.3.1).
func AppendFeaturesRequest(b []byte, xid uint32) []byte {
	return appendEmpty(b, TypeFeaturesRequest, xid)
}

// AppendBarrierRequest asks the switch to answer when everything sent before has taken effect (7.3.7).
func AppendBarrierRequest(b []byte, xid uint32) []byte {
	return appendEmpty(b, TypeBarrierRequest, xid)
}

// AppendSetConfig sets how many bytes of a packet that matches no rule go to the controller (7.3.2). Open vSwitch
// sends no asynchronous message at all on a management socket until this is more than 0.
func AppendSetConfig(b []byte, xid uint32, missSendLen uint16) []byte {
	b, at := begin(b, TypeSetConfig, xid)
	return finish(be.AppendUint16(append(b, 0, 0), missSendLen), at)
}

// Features describes a switch.
type Features struct {
	DatapathID   uint64
	Buffers      uint32 // packets that the switch can hold for the controller
	Tables       uint8
	Capabilities uint32
}

// Parse reads the body of a features reply.
func (f *Features) Parse(body []byte) error {
	if len(body) < 24 {
		return ErrTruncated
	}
	*f = Features{be.Uint64(body), be.Uint32(body[8:]), body[12], be.Uint32(body[16:])}
	return nil
}

// AppendPacketOut sends a frame out of a port (7.3.6), or through the tables with PortTable. inPort is where the frame
// is taken to have come from.
func AppendPacketOut(b []byte, xid, inPort, outPort uint32, frame []byte) []byte {
	b, at := begin(b, TypePacketOut, xid)
	b = be.AppendUint32(b, noBuffer)
	b = be.AppendUint32(b, inPort)
	b = zeros(be.AppendUint16(b, 16), 6)
	b = appendOutput(b, outPort, 0)
	return finish(append(b, frame...), at)
}

// MaxFrame is the longest frame that fits a packet-out.
const MaxFrame = 0xffff - 40

// PacketIn is a packet that the switch sent up (7.4.1).
type PacketIn struct {
	Total  int   // bytes of the frame; Frame may hold fewer
	Reason uint8 // 0 table miss, 1 a rule said so
	Table  uint8
	Cookie uint64 // of the rule
	Match  Match  // the metadata of the packet: its port
	Frame  []byte // part of the body
}

// Parse reads the body of a packet-in.
func (p *PacketIn) Parse(body []byte) error {
	if len(body) < 16 {
		return ErrTruncated
	}
	*p = PacketIn{Total: int(be.Uint16(body[4:])), Reason: body[6], Table: body[7], Cookie: be.Uint64(body[8:])}
	n, err := p.Match.parse(body[16:])
	if err != nil {
		return err
	}
	if len(body) < 16+n+2 {
		return ErrTruncated
	}
	p.Frame = body[16+n+2:]
	return nil
}

// Error is the switch's refusal of a request (7.4.4). Which request that was, the header's XID says.
type Error struct {
	Type, Code uint16
}

// Parse reads the body of an error message.
func (e *Error) Parse(body []byte) error {
	if len(body) < 4 {
		return ErrTruncated
	}
	*e = Error{be.Uint16(body), be.Uint16(body[2:])}
	return nil
}

func (e Error) Error() string {
	name := errorTypes[e.Type]
	if name == "" {
		name = fmt.Sprintf("error type %d", e.Type)
	}
	if c := errorCodes[e]; c != "" {
		return name + ": " + c
	}
	return fmt.Sprintf("%s: code %d", name, e.Code)
}

// TableFull is the error with which a switch refuses a rule for lack of room.
var TableFull = Error{5, 1}

var errorTypes = map[uint16]string{
	0: "hello failed", 1: "bad request", 2: "bad action", 3: "bad instruction", 4: "bad match", 5: "flow-mod failed",
	6: "group-mod failed", 7: "port-mod failed", 8: "table-mod failed", 9: "queue operation failed",
	10: "switch configuration failed", 11: "role request failed", 12: "meter-mod failed", 13: "table features failed",
	0xffff: "experimenter error",
}

var errorCodes = map[Error]string{
	{0, 0}: "incompatible version", {0, 1}: "not permitted",
	{1, 0}: "bad version", {1, 1}: "bad type", {1, 2}: "bad multipart type", {1, 5}: "not permitted",
	{1, 6}: "bad length", {1, 9}: "bad table", {1, 10}: "controller is a slave", {1, 11}: "bad port",
	{1, 12}: "bad packet",
	{1, 13}: "multipart buffer overflow",
	{2, 0}:  "bad type", {2, 1}: "bad length", {2, 4}: "bad output port", {2, 5}: "bad argument",
	{2, 6}: "not permitted",
	{2, 7}: "too many actions", {2, 9}: "bad output group", {2, 10}: "inconsistent with the match",
	{3, 0}: "unknown instruction", {3, 1}: "unsupported instruction", {3, 2}: "bad table",
	{3, 3}: "unsupported metadata", {3, 4}: "unsupported metadata mask",
	{4, 0}: "bad type", {4, 1}: "bad length", {4, 6}: "bad field", {4, 7}: "bad value", {4, 8}: "bad mask",
	{4, 9}: "bad prerequisite", {4, 10}: "duplicate field", {4, 11}: "not permitted",
	{5, 0}: "unknown", {5, 1}: "table is full", {5, 2}: "bad table", {5, 3}: "overlaps another rule",
	{5, 4}: "not permitted",
	{5, 5}: "bad timeout", {5, 6}: "bad command", {5, 7}: "bad flags",
}
