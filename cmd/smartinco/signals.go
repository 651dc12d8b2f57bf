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

// ending are the signals that end the program in good order: an interrupt, an order to end, and the loss of its
// terminal or connection.
var ending = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP}

// grace is how long a verb may take to return after a signal. With the time to end the process it stays below a second.
const grace = 400 * time.Millisecond

// listen returns the signals that end the program. A signal that is ignored, as under nohup or in a shell without job
// control, stays ignored.
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
// A signal ends the verb's context. A verb that does not return within grace, because it is inside a library or blocked
// on a file, is abandoned: the disk then looks as after a kill, and every reader knows that the files are incomplete. A
// verb that holds hardware (see holds) may take as long as it needs, until a second interrupt or order to end. A second
// hangup does not count, since a connection that breaks sends several; nor does a signal within grace, since timeout(1)
// sends its signal twice.
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

// complain says why the program ends before its verb. A terminal that accepts no output does not delay the end.
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

// until is how long the verb may go on before the next look; 0 or less when its time is over.
func (h *hold) until() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holders > 0 {
		return grace
	}
	return grace - time.Since(h.released)
}

// holds is called by a verb that is about to drive hardware, with its context. Until release is called, a signal only
// ends the context, so that the verb can stop the traffic and clean the testbed. A broken pipe at standard output or
// error is then an error of the write and does not end the process.
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
