package trex

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw/trex/zmtp"
)

// A connection that was not used for a while may be one that the server has closed: the next exchange opens another.
func TestAConnectionThatWasIdleIsNotTrusted(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	accepted := make(chan struct{}, 8)
	go func() {
		for {
			tcp, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- struct{}{}
			go func() {
				defer tcp.Close()
				c, err := zmtp.Handshake(tcp, zmtp.REP)
				for err == nil {
					if _, err = c.Recv(); err == nil {
						err = c.Send(nil, []byte("{}"))
					}
				}
			}()
		}
	}()
	link := &reqLink{addr: l.Addr().String(), timeout: 20 * time.Second}
	defer link.Close()
	for _, c := range []struct {
		unused time.Duration
		want   int // connections so far
	}{{0, 1}, {0, 1}, {2 * idle, 2}} {
		link.used = time.Now().Add(-c.unused)
		if b, err := link.exchange(t.Context(), []byte("{}")); err != nil || string(b) != "{}" {
			t.Fatalf("%q, %v", b, err)
		}
		if n := len(accepted); n != c.want {
			t.Errorf("unused for %v: %d connections, want %d", c.unused, n, c.want)
		}
	}
}

// A server's text is told as far as anybody reads it.
func TestErrorsAreBounded(t *testing.T) {
	if s := (&Error{Method: "ping", Specific: strings.Repeat("x", 1<<20)}).Error(); len(s) > maxText+100 {
		t.Errorf("an error of %d bytes", len(s))
	}
}

// A context that ends together with an exchange, which drops the connection, touches nothing that is gone.
func TestAContextEndsWithAnExchange(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // where nobody answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	link := &reqLink{addr: l.Addr().String(), timeout: 20 * time.Second}
	defer link.Close()
	for range 100 {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond) // the deadline of the connection, too
		if _, err := link.exchange(ctx, []byte("{}")); err == nil {
			t.Error("an answer")
		}
		cancel()
	}
}
