package trexserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/smartinco/smartinco/hw/trex/zmtp"
)

// What one client may take: connections, and the times until it says what it is, until its next request has come, and
// until it has taken an answer. TRex's own client asks every few seconds; ours opens a new connection after a pause.
const (
	maxConns      = 64 // a listener's
	handshakeTime = 5 * time.Second
	idleTime      = 10 * time.Minute
	writeTime     = 10 * time.Second
)

// Serve sends and receives on the devices, answers requests that come to rpc, and publishes to those who connect to
// pub, which may be nil. It returns when ctx ends, when a client shuts the server down, or with the error of a device
// that can no longer receive. Then all traffic has ended and the listeners, connections and devices are closed.
func (s *Server) Serve(ctx context.Context, rpc, pub net.Listener) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var senders, others sync.WaitGroup
	for _, p := range s.ports {
		senders.Go(func() { p.transmit(ctx) })
		others.Go(func() {
			if err := p.device.Receive(p.receive); err != nil {
				cancel(fmt.Errorf("port %d, %s: %w", p.id, p.device.Name(), err))
			}
		})
	}
	listen := func(l net.Listener, own zmtp.SocketType, serve func(context.Context, net.Conn, *zmtp.Conn) error) {
		others.Go(func() {
			if err := accept(ctx, l, own, serve); err != nil {
				cancel(err)
			}
		})
	}
	listen(rpc, zmtp.REP, s.reply)
	if pub != nil {
		listen(pub, zmtp.PUB, s.subscriber)
		others.Go(func() { s.publishAll(ctx) })
	}
	select {
	case <-ctx.Done():
	case <-s.closing:
	}
	cause := context.Cause(ctx)
	cancel(nil)
	senders.Wait()
	var errs []error
	for _, p := range s.ports {
		errs = append(errs, p.device.Close())
	}
	others.Wait()
	if cause != nil && !errors.Is(cause, context.Canceled) {
		errs = append(errs, cause)
	}
	return errors.Join(errs...)
}

// accept serves each connection in its own goroutine until ctx ends, and returns when all of them have ended.
// Connections beyond maxConns are closed at once.
func accept(ctx context.Context, l net.Listener, own zmtp.SocketType,
	serve func(context.Context, net.Conn, *zmtp.Conn) error) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var all sync.WaitGroup
	free := make(chan struct{}, maxConns)
	defer all.Wait()
	for {
		tcp, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			// Such as too many open files: it passes.
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case free <- struct{}{}:
		default:
			tcp.Close()
			continue
		}
		all.Go(func() {
			defer func() { <-free }()
			defer tcp.Close()
			defer context.AfterFunc(ctx, func() { tcp.Close() })()
			tcp.SetDeadline(time.Now().Add(handshakeTime))
			conn, err := zmtp.Handshake(tcp, own)
			if err != nil {
				return // it is not one of ours
			}
			tcp.SetDeadline(time.Time{})
			serve(ctx, tcp, conn) // ends with the connection; what the client owns stays its own
		})
	}
}

// reply answers the requests of one client.
func (s *Server) reply(_ context.Context, tcp net.Conn, c *zmtp.Conn) error {
	for {
		tcp.SetReadDeadline(time.Now().Add(s.idle))
		frames, err := c.Recv()
		if err != nil {
			return err
		}
		// What stands before the empty frame is the way back; the request is what comes after.
		way := 0
		for way < len(frames)-1 && len(frames[way]) > 0 {
			way++
		}
		answer := s.Handle(frames[len(frames)-1])
		tcp.SetWriteDeadline(time.Now().Add(writeTime))
		if err := c.Send(append(frames[:way+1:way+1], answer)...); err != nil {
			return err
		}
	}
}

const (
	// how often a sending port wakes; packets that have become due since go out together
	tick     = 250 * time.Microsecond
	rest     = 50 * time.Microsecond // between two ticks, however long sending takes
	patience = 2 * time.Millisecond  // waits from here on are left to Go's timers
)

// allowance is how many packets may go out at once if ticks have lately taken so long. A port that is late catches up
// at twice its rate, tick by tick, since a burst would overflow queues that the traffic itself does not.
func (p *port) allowance(tick time.Duration) int {
	rate := 0.0 // packets a ns
	for _, src := range p.sources {
		if src.n > 0 {
			rate += 1 / src.period
		}
	}
	return max(batch/4, int(2*rate*float64(tick)))
}

// transmit sends what is due until ctx ends.
func (p *port) transmit(ctx context.Context) {
	var planned time.Duration // when this tick was to be
	pause := tick             // from the tick before until then, where there was traffic all the time
	took := tick              // a tick, in the mean of the last ones
	for {
		p.server.mu.Lock()
		began := p.server.now()
		took += (pause + max(0, began-planned) - took) / 16
		next := p.advance(began, p.allowance(took))
		now := p.server.now()
		p.server.mu.Unlock()

		pause = max(tick, now-began+rest)
		planned = began + pause
		if next < 0 {
			planned = now + time.Hour
		} else if next > planned {
			planned = next
		}
		wait := planned - now
		if wait < patience {
			if ctx.Err() != nil {
				return
			}
			sleep(wait)
			continue
		}
		t := time.NewTimer(wait - time.Millisecond) // Go's timers may be late by as much
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-p.xmit: // traffic was started or changed
			t.Stop()
			planned = p.server.now()
		case <-t.C:
		}
	}
}
