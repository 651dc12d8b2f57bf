// Package zmtp is the part of the ZeroMQ Message Transport Protocol, version 3.0, that the TRex server speaks: the
// NULL mechanism over one TCP connection, for REQ with REP and for SUB with PUB.
//
// It exists because no maintained ZeroMQ module in pure Go reads safely from an untrusted peer. The only one looks for
// a maintainer, allocates whatever length a frame announces, and cannot cancel a read. TRex needs a greeting, one
// command and a frame header, which is less code than protection from those faults.
//
// The protocol is RFC 23 (rfc.zeromq.org/spec/23). Each side sends a greeting of 64 bytes and then a READY command
// that names its socket type; after that come messages, each of one or more frames:
//
//	flags (1 byte)  length (1 byte, or 8 when flag 2 is set)  body
//	   flag 1: more frames of this message follow; flag 2: long length; flag 4: a command, not a message
//
// A version 3.0 peer is never sent a PING, and commands after READY are skipped.
package zmtp

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// MaxMessage bounds the bytes of a received message, all frames together.
const MaxMessage = 16 << 20

const (
	greetingLen = 64
	maxFrames   = 16
	maxCommand  = 4096
)

const (
	flagMore byte = 1 << iota
	flagLong
	flagCommand
)

// SocketType is a role of ZeroMQ, by the name that goes over the wire.
type SocketType string

// The roles with which a TRex client and server meet.
const (
	REQ SocketType = "REQ"
	REP SocketType = "REP"
	PUB SocketType = "PUB"
	SUB SocketType = "SUB"
)

// peers are the roles that may answer each role.
var peers = map[SocketType][]SocketType{
	REQ: {REP, "ROUTER"},
	REP: {REQ, "DEALER"},
	PUB: {SUB, "XSUB"},
	SUB: {PUB, "XPUB"},
}

// ErrProtocol is wrapped by every error that says the peer does not follow the protocol; other errors are the
// connection's own.
var ErrProtocol = errors.New("not ZMTP 3")

func protocolf(format string, args ...any) error {
	return fmt.Errorf("zmtp: %w: %s", ErrProtocol, fmt.Sprintf(format, args...))
}

// Conn is one connection after its handshake. One goroutine may send while another receives.
type Conn struct {
	r *bufio.Reader
	w io.Writer
}

// Handshake greets the peer as a socket of type own and checks that the peer is one that own can talk to. It blocks
// until the peer has answered: set a deadline on the connection.
func Handshake(rw io.ReadWriter, own SocketType) (*Conn, error) {
	c := &Conn{r: bufio.NewReader(rw), w: rw}
	if _, err := rw.Write(greeting()); err != nil {
		return nil, fmt.Errorf("zmtp: greeting: %w", err)
	}
	var g [greetingLen]byte
	if _, err := io.ReadFull(c.r, g[:]); err != nil {
		return nil, fmt.Errorf("zmtp: greeting: %w", err)
	}
	mechanism := string(bytes.TrimRight(g[12:32], "\x00"))
	switch {
	case g[0] != 0xff || g[9] != 0x7f:
		return nil, protocolf("the greeting begins with % x", g[:10])
	case g[10] < 3:
		return nil, protocolf("the peer speaks version %d, want 3", g[10])
	case mechanism != "NULL":
		return nil, protocolf("the peer asks for mechanism %q, want NULL", mechanism)
	}
	if _, err := rw.Write(ready(own)); err != nil {
		return nil, fmt.Errorf("zmtp: READY: %w", err)
	}
	flags, body, err := c.frame(maxCommand)
	if err != nil {
		return nil, fmt.Errorf("zmtp: READY: %w", err)
	}
	if flags&flagCommand == 0 {
		return nil, protocolf("a message where READY was expected")
	}
	peer, err := socketType(body)
	if err != nil {
		return nil, err
	}
	for _, p := range peers[own] {
		if p == peer {
			return c, nil
		}
	}
	return nil, protocolf("the peer is a %.20q socket, which does not talk to %s", peer, own)
}

func greeting() []byte {
	g := make([]byte, greetingLen)
	g[0], g[9], g[10] = 0xff, 0x7f, 3
	copy(g[12:], "NULL")
	return g
}

func ready(own SocketType) []byte {
	b := []byte("\x05READY")
	for _, p := range [][2]string{{"Socket-Type", string(own)}, {"Identity", ""}} {
		if p[0] == "Identity" && own != REQ {
			continue
		}
		b = append(b, byte(len(p[0])))
		b = append(b, p[0]...)
		b = binary.BigEndian.AppendUint32(b, uint32(len(p[1])))
		b = append(b, p[1]...)
	}
	return append([]byte{flagCommand, byte(len(b))}, b...)
}

// socketType finds the property of that name in the body of a READY command.
func socketType(b []byte) (SocketType, error) {
	if len(b) < 6 || string(b[:6]) != "\x05READY" {
		return "", protocolf("command %.20q where READY was expected", b)
	}
	for b = b[6:]; len(b) > 0; {
		n := int(b[0])
		if len(b) < 1+n+4 {
			return "", protocolf("a property of READY is cut short")
		}
		name := b[1 : 1+n]
		size := binary.BigEndian.Uint32(b[1+n:])
		b = b[1+n+4:]
		if uint64(size) > uint64(len(b)) {
			return "", protocolf("the value of property %.20q is cut short", name)
		}
		if bytes.EqualFold(name, []byte("Socket-Type")) {
			return SocketType(b[:size]), nil
		}
		b = b[size:]
	}
	return "", protocolf("READY without a Socket-Type")
}

// Send writes one message of the given frames, in one write.
func (c *Conn) Send(frames ...[]byte) error {
	var b []byte
	for i, f := range frames {
		var flags byte
		if i < len(frames)-1 {
			flags |= flagMore
		}
		if len(f) > 255 {
			b = binary.BigEndian.AppendUint64(append(b, flags|flagLong), uint64(len(f)))
		} else {
			b = append(b, flags, byte(len(f)))
		}
		b = append(b, f...)
	}
	if _, err := c.w.Write(b); err != nil {
		return fmt.Errorf("zmtp: send: %w", err)
	}
	return nil
}

// Recv returns the frames of the next message. It blocks: set a deadline on the connection, or close it. Messages
// longer than MaxMessage are an ErrProtocol.
func (c *Conn) Recv() ([][]byte, error) {
	var frames [][]byte
	for left := uint64(MaxMessage); ; {
		flags, body, err := c.frame(left)
		if err != nil {
			return nil, fmt.Errorf("zmtp: receive: %w", err)
		}
		if flags&flagCommand != 0 {
			continue
		}
		left -= uint64(len(body))
		frames = append(frames, body)
		if flags&flagMore == 0 {
			return frames, nil
		}
		if len(frames) == maxFrames {
			return nil, protocolf("a message of more than %d frames", maxFrames)
		}
	}
}

// frame reads one frame. Its buffer grows with what has arrived, not with what was announced.
func (c *Conn) frame(limit uint64) (flags byte, body []byte, err error) {
	if flags, err = c.r.ReadByte(); err != nil {
		return 0, nil, err
	}
	if flags&^(flagMore|flagLong|flagCommand) != 0 {
		return 0, nil, protocolf("frame flags %#02x", flags)
	}
	var size uint64
	if flags&flagLong != 0 {
		var b [8]byte
		if _, err = io.ReadFull(c.r, b[:]); err != nil {
			return 0, nil, unexpected(err)
		}
		size = binary.BigEndian.Uint64(b[:])
	} else {
		b, err := c.r.ReadByte()
		if err != nil {
			return 0, nil, unexpected(err)
		}
		size = uint64(b)
	}
	if size > limit {
		return 0, nil, protocolf("a frame of %d bytes, at most %d are accepted here", size, limit)
	}
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, c.r, int64(size)); err != nil {
		return 0, nil, unexpected(err)
	}
	return flags, buf.Bytes(), nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
