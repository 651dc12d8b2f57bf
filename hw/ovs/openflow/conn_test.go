package openflow

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newTestConn(b []byte) *Conn { return &Conn{r: bufio.NewReader(bytes.NewReader(b))} }

// peer accepts one connection, sends what it is given, and returns the address.
func peer(t *testing.T, send []byte) string {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Write(send)
		_, _ = io.Copy(io.Discard, c)
	}()
	return "unix:" + path
}

func TestHandshake(t *testing.T) {
	refusal := finish(be.AppendUint32([]byte{4, byte(TypeError), 0, 0, 0, 0, 0, 1}, 0), 0)
	for _, c := range []struct {
		name string
		send []byte
		want string
	}{
		{"speaks 1.3", AppendHello(nil, 1), ""},
		{"greater version, no bitmap", []byte{6, 0, 0, 8, 0, 0, 0, 1}, ""},
		{"only 1.0", []byte{1, 0, 0, 8, 0, 0, 0, 1}, "greatest version is 1"},
		{"1.0 and 1.5 by bitmap", []byte{6, 0, 0, 16, 0, 0, 0, 1, 0, 1, 0, 8, 0, 0, 0, 0x42}, "bitmap is 0x42"},
		{"refuses", refusal, "hello failed: incompatible version"},
		{"not OpenFlow", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "does not speak OpenFlow 1.3"},
		{"silent", nil, "hello"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			conn, err := Dial(ctx, peer(t, c.send), time.Second)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestBadAddressIsExplained(t *testing.T) {
	for _, a := range []string{"", "br0", "unix:", "ssl:1.2.3.4:6653"} {
		if _, err := Dial(context.Background(), a, 0); err == nil ||
			!strings.Contains(err.Error(), "want unix:PATH or tcp:HOST:PORT") {
			t.Errorf("%q: %v", a, err)
		}
	}
}

func TestReadTellsAnEndFromABreak(t *testing.T) {
	m := AppendBarrierRequest(AppendEchoRequest(nil, 1), 2)
	c := newTestConn(m[:12])
	if h, _, err := c.Read(); err != nil || h.Type != TypeEchoRequest || h.XID != 1 {
		t.Fatal(h, err)
	}
	if _, _, err := c.Read(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a header: %v", err)
	}
	c = newTestConn(m[:8])
	_, _, _ = c.Read()
	if _, _, err := c.Read(); err != io.EOF {
		t.Errorf("after the last message: %v", err)
	}
}
