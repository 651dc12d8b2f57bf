package main

import (
	"bytes"
	"testing"
	"time"
)

func TestProgressLine(t *testing.T) {
	for want, got := range map[string]string{
		"0 of 1000 runs": progressLine(0, 1000, "runs", time.Second),
		"250 of 1000 runs, 25 %, 50 runs/s, 15s left": progressLine(250, 1000, "runs",
			5*time.Second),
		"1000 of 1000 runs, 100 %, 12.5 runs/s, 0s left": progressLine(1000, 1000, "runs",
			80*time.Second),
		"3 of 330 simulated seconds, 1 %, 1.5 simulated seconds/s, 3m38s left": progressLine(3, 330,
			"simulated seconds", 2*time.Second),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestProgressIsSilentWithoutATerminal(t *testing.T) {
	var b bytes.Buffer
	p := newProgress(&b, "runs", 10)
	p.at(5)
	p.end()
	if b.Len() != 0 {
		t.Errorf("wrote %q", b.String())
	}
}
