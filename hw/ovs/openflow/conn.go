package openflow

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Conn is a connection to a switch after the version handshake. One goroutine may read; any number may write.
type Conn struct {
	nc      net.Conn
	r       *bufio.Reader
	body    []byte
	mu      sync.Mutex // one Write at a time
	timeout time.Duration
}

// Dial connects to a switch: "unix:" and the path of a socket (Open vSwitch's BRIDGE.mgmt), or "tcp:" and host:port
// (what Open vSwitch calls ptcp). The context bounds connecting and the handshake; timeout bounds each later Write.
func Dial(ctx context.Context, address string, timeout time.Duration) (*Conn, error) {
	network, rest, ok := strings.Cut(address, ":")
	if !ok || rest == "" || network != "unix" && network != "tcp" {
		return nil, fmt.Errorf("openflow: address %q: want unix:PATH or tcp:HOST:PORT", address)
	}
	nc, err := new(net.Dialer).DialContext(ctx, network, rest)
	if err != nil {
		return nil, fmt.Errorf("openflow: %w", err)
	}
	c, err := handshake(ctx, nc, timeout)
	if err != nil {
		_ = nc.Close()
		return nil, fmt.Errorf("openflow: %s: %w", address, err)
	}
	return c, nil
}

// handshake exchanges hellos (6.3.1).
func handshake(ctx context.Context, nc net.Conn, timeout time.Duration) (*Conn, error) {
	c := &Conn{nc: nc, r: bufio.NewReaderSize(nc, 1<<16), timeout: timeout}
	stop := context.AfterFunc(ctx, func() { _ = nc.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.Write(AppendHello(nil, 0)); err != nil {
		return nil, err
	}
	h, body, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("waiting for its hello: %w", err)
	}
	switch h.Type {
	case TypeHello:
		return c, checkHello(h, body)
	case TypeError:
		var e Error
		if err := e.Parse(body); err != nil {
			return nil, err
		}
		return nil, e
	}
	return nil, fmt.Errorf("its first message is of type %d, want a hello", h.Type)
}

// Read returns the next message. The body is valid until the next Read. An error is final.
func (c *Conn) Read() (Header, []byte, error) {
	var h Header
	head, err := c.r.Peek(HeaderLen)
	if err != nil {
		if len(head) > 0 && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return h, nil, err
	}
	if err := h.Parse(head); err != nil {
		return h, nil, err
	}
	if h.Version != Version && h.Type != TypeHello && h.Type != TypeError {
		return h, nil, fmt.Errorf("%w: message of version %d", ErrVersion, h.Version)
	}
	n := int(h.Length)
	if cap(c.body) < n {
		c.body = make([]byte, max(n, 4096))
	}
	if _, err := io.ReadFull(c.r, c.body[:n]); err != nil {
		return h, nil, fmt.Errorf("in a message of %d B: %w", n, err)
	}
	return h, c.body[HeaderLen:n], nil
}

// Write sends complete messages. It blocks while the switch does not read, at most for the timeout; after an error the
// connection is of no more use.
func (c *Conn) Write(messages []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timeout > 0 {
		if err := c.nc.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
			return err
		}
	}
	_, err := c.nc.Write(messages)
	return err
}

// Close ends the connection; a Read or Write under way returns.
func (c *Conn) Close() error { return c.nc.Close() }
