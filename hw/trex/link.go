package trex

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/smartinco/smartinco/hw/trex/zmtp"
)

// maxResponse bounds an unpacked answer. The largest seen, all streams with their packets, has less than 1 MB.
const maxResponse = 16 << 20

// compressFrom is the length from which compressing a request saves more than it costs.
const compressFrom = 256

// idle is how long a connection may be unused. After that the next exchange opens another, since the server, or
// something on the way, may have closed it.
const idle = time.Minute

// link carries one request at a time to the server and its answer back. The zero-dependency interface lets the
// recorded sessions stand in for a server.
type link interface {
	exchange(ctx context.Context, request []byte) ([]byte, error)
	Close() error
}

// reqLink is a ZeroMQ REQ socket that dials when it is first used and again after a failure.
type reqLink struct {
	addr    string
	timeout time.Duration

	mu   sync.Mutex // held through an exchange: REQ is strictly send and receive
	used time.Time
	tcp  net.Conn
	conn *zmtp.Conn
}

// exchange sends a request, compressed if that pays, and returns the unpacked answer. After an error the connection is
// gone, and whether the server carried the request out is unknown.
func (l *reqLink) exchange(ctx context.Context, request []byte) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.used) > idle {
		l.drop()
	}
	answer, err := l.try(ctx, request)
	l.used = time.Now()
	if err != nil {
		l.drop()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("trex: %s: %w", l.addr, err)
	}
	return answer, nil
}

func (l *reqLink) try(ctx context.Context, request []byte) ([]byte, error) {
	deadline := time.Now().Add(l.timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if l.tcp == nil {
		dialer := net.Dialer{Deadline: deadline}
		tcp, err := dialer.DialContext(ctx, "tcp", l.addr)
		if err != nil {
			return nil, err
		}
		l.tcp = tcp
	}
	if err := l.tcp.SetDeadline(deadline); err != nil {
		return nil, err
	}
	// Cancelling the context ends a read that would otherwise wait for its deadline.
	tcp := l.tcp
	ends := context.AfterFunc(ctx, func() { tcp.SetDeadline(time.Unix(1, 0)) })
	defer func() {
		if !ends() { // it may do so only after this exchange, and the next must not meet it
			l.drop()
		}
	}()
	if l.conn == nil {
		conn, err := zmtp.Handshake(l.tcp, zmtp.REQ)
		if err != nil {
			return nil, err
		}
		l.conn = conn
	}
	if len(request) >= compressFrom {
		request = Pack(request)
	}
	if err := l.conn.Send(nil, request); err != nil {
		return nil, err
	}
	frames, err := l.conn.Recv()
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			return nil, fmt.Errorf("no answer within %v: %w", l.timeout, err)
		}
		return nil, err
	}
	if len(frames) != 2 || len(frames[0]) != 0 {
		return nil, fmt.Errorf("an answer of %d frames, want an empty one and the body", len(frames))
	}
	answer, _, err := Unpack(frames[1], maxResponse)
	return answer, err
}

func (l *reqLink) drop() {
	if l.tcp != nil {
		l.tcp.Close()
	}
	l.tcp, l.conn = nil, nil
}

func (l *reqLink) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
	return nil
}
