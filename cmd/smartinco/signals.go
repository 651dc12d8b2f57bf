package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// ending are the signals that end the program in good order: an interrupt, an order to end, and a terminal or a
// connection that has gone.
var ending = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// grace is how long a verb may take to come back after a signal. Together with what ends the process it stays below a
// second.
const grace = 400 * time.Millisecond

// listen gives the signals that end the program. One that is ignored, as nohup and shells without job control have it,
// stays ignored.
func listen() <-chan os.Signal {
	c := make(chan os.Signal, 16)
	for _, s := range ending {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	return c
}

// supervise runs a verb and gives the program's exit code: the verb's or, after a signal, 128 and the signal's number.
//
// A signal ends the verb's context. A verb that does not come back within grace, because it is inside a library or
// blocked on a file, is left where it is: what is on disk is then as after a kill, which every reader of it knows to be
// incomplete. Where the verb holds hardware (see holds), it has the time that it takes, until an interrupt or an order
// to end comes a second time. A second hangup does not count, since a connection that breaks sends several; nor does
// what comes within grace, since timeout(1) sends its signal twice.
func supervise(signals <-chan os.Signal, stderr io.Writer, verb func(context.Context) int) int {
	h := &hold{}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), holdKey{}, h))
	defer cancel()
	code := make(chan int, 1)
	go func() { code <- verb(ctx) }()
	first := syscall.Signal(0)
	var since time.Time
	var look <-chan time.Time
	for {
		select {
		case c := <-code:
			if first != 0 {
				c = 128 + int(first)
			}
			return c
		case s := <-signals:
			switch sig := s.(syscall.Signal); {
			case first == 0:
				first, since = sig, time.Now()
				cancel()
				look = time.After(grace)
			case sig != syscall.SIGHUP && time.Since(since) >= grace:
				complain(stderr, first, "before the testbed was clear; smartinco hw clean does the rest")
				return 128 + int(first)
			}
		case <-look:
			left := h.until()
			if left <= 0 {
				complain(stderr, first, "in the middle of its work; what it wrote is incomplete")
				return 128 + int(first)
			}
			look = time.After(left)
		}
	}
}

// complain says why the verb has not the last word. A terminal that takes nothing does not hold the end up.
func complain(stderr io.Writer, s syscall.Signal, why string) {
	said := make(chan bool)
	go func() {
		fmt.Fprintf(stderr, "smartinco: ended by a signal (%v) %s\n", s, why)
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(50 * time.Millisecond):
	}
}

// hold says whether a verb holds hardware that it must leave clean.
type hold struct {
	mu       sync.Mutex
	holders  int
	released time.Time
}

type holdKey struct{}

// until is how long the verb may go on before it is asked for again; not above 0 when its time is over.
func (h *hold) until() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holders > 0 {
		return grace
	}
	return grace - time.Since(h.released)
}

// holds is called by a verb that is about to drive hardware, with its context. Until release is called, a signal ends
// the context and nothing else, so that traffic is stopped and the testbed cleaned; and a standard output or error that
// nobody reads any more, as of a broken pipeline, is an error of the write and not the end of the process.
func holds(ctx context.Context, stderr io.Writer) (release func()) {
	h, ok := ctx.Value(holdKey{}).(*hold)
	if !ok {
		return func() {}
	}
	h.mu.Lock()
	h.holders++
	h.mu.Unlock()
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	silent := context.AfterFunc(ctx, func() {
		fmt.Fprintln(stderr, "stopping traffic and cleaning the testbed; another signal ends at once and leaves that "+
			"to smartinco hw clean")
	})
	return sync.OnceFunc(func() {
		silent()
		signal.Stop(pipe)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.holders--
		h.released = time.Now()
	})
}
