package main

import (
	"fmt"
	"io"
	"math"
	"sync"
	"time"
)

// progress is a line on standard error that says how far a verb is. It is silent if standard error is not a terminal.
// Its methods may be called from any goroutine, and on nil.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	unit  string // of what is counted, in the plural
	total float64
	begun time.Time
	drawn time.Time
}

// newProgress begins a line that counts up to total.
func newProgress(stderr io.Writer, unit string, total float64) *progress {
	f := terminal(stderr)
	if f == nil {
		return nil
	}
	now := time.Now()
	return &progress{out: f, unit: unit, total: total, begun: now, drawn: now}
}

// at says that done of the total is done. It draws at most ten times a second.
func (p *progress) at(done float64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.Sub(p.drawn) < 100*time.Millisecond {
		return
	}
	p.drawn = now
	fmt.Fprintf(p.out, "\r\x1b[K%s", progressLine(done, p.total, p.unit, now.Sub(p.begun)))
}

// end takes the line away.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprint(p.out, "\r\x1b[K")
}

func progressLine(done, total float64, unit string, since time.Duration) string {
	line := fmt.Sprintf("%.0f of %.0f %s", math.Floor(done), total, unit)
	if done <= 0 || total <= 0 || since <= 0 {
		return line
	}
	rate := done / since.Seconds()
	left := time.Duration(max(0, total-done) / rate * float64(time.Second)).Round(time.Second)
	return fmt.Sprintf("%s, %.0f %%, %.3g %s/s, %v left", line, 100*done/total, rate, unit, left)
}
