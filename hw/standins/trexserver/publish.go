package trexserver

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/smartinco/smartinco/hw/trex"
	"github.com/smartinco/smartinco/hw/trex/zmtp"
)

const (
	publishEvery = 500 * time.Millisecond
	compressFrom = 257 // bytes
	backlog      = 16  // messages that wait for a slow subscriber before others are dropped
)

// eventsWait is published when there is something for get_async_events.
var eventsWait = []byte("{}")

// subscriber sends what is published to one client.
func (s *Server) subscriber(ctx context.Context, tcp net.Conn, c *zmtp.Conn) error {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for { // subscriptions; everybody gets everything, as each client of TRex asks for
			if _, err := c.Recv(); err != nil {
				return
			}
		}
	}()
	queue := make(chan []byte, backlog)
	s.mu.Lock()
	s.subscribers[queue] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.subscribers, queue)
		s.mu.Unlock()
	}()
	for {
		select {
		case m := <-queue:
			tcp.SetWriteDeadline(time.Now().Add(writeTime))
			if err := c.Send(m); err != nil {
				return err
			}
		case <-gone:
			return errors.New("subscriber is gone")
		case <-ctx.Done():
			return nil
		}
	}
}

// deliver hands a message to all subscribers that keep up.
func (s *Server) deliver(m []byte) {
	for queue := range s.subscribers {
		select {
		case queue <- m:
		default:
		}
	}
}

// publish sends the counters, and wakes those who wait for events.
func (s *Server) publish(baseline bool) {
	if len(s.subscribers) == 0 {
		return
	}
	data := s.totals()
	data["ts"] = dict{"value": s.now().Nanoseconds(), "freq": time.Second.Nanoseconds()}
	for _, p := range s.ports {
		for key, v := range p.report() {
			data[key+"-"+string(rune('0'+p.id))] = v
		}
	}
	data["template"], data["unknown"] = [32]int{}, 0
	message := dict{"name": "trex-global", "type": 0, "data": data}
	if baseline {
		message["baseline"] = true
	}
	b := encode(message)
	if len(b) >= compressFrom {
		b = trex.Pack(b)
	}
	s.deliver(b)
	s.deliver(eventsWait)
}

// publishAll publishes the counters twice a second, and at once that there are events.
func (s *Server) publishAll(ctx context.Context) {
	t := time.NewTicker(publishEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			s.mu.Lock()
			s.publish(false)
			s.mu.Unlock()
		case <-s.wake:
			s.mu.Lock()
			s.deliver(eventsWait)
			s.mu.Unlock()
		}
	}
}
