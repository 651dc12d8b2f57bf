package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// An address without a host is the loopback interface's: what it serves has no password.
func TestListeningWithoutAHostIsLoopback(t *testing.T) {
	for _, addr := range []string{":0", "127.0.0.1:0", "localhost:0"} {
		l, err := listenTCP("--listen", addr)
		if err != nil {
			t.Fatal(err)
		}
		if at := l.Addr().(*net.TCPAddr); !at.IP.IsLoopback() {
			t.Errorf("%s listens at %v", addr, at)
		}
		l.Close()
	}
	if _, err := listenTCP("--listen", "4501"); !errors.Is(err, errUsage) {
		t.Errorf("4501: %v, want a user's mistake", err)
	}
}

// Those who connect to the metrics and say nothing, or read nothing, do not keep them from others.
func TestMetricsAreServedBesideIdleClients(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := metricsServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "up 1\n") }))
	for name, d := range map[string]time.Duration{"header": s.ReadHeaderTimeout, "read": s.ReadTimeout,
		"write": s.WriteTimeout, "idle": s.IdleTimeout} {
		if d <= 0 || d > time.Minute {
			t.Errorf("%s timeout %v", name, d)
		}
	}
	s.ReadHeaderTimeout = 200 * time.Millisecond
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(limited(l, 2)) }()
	for range 4 {
		idle, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer idle.Close()
	}
	answer, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if b, err := io.ReadAll(answer.Body); err != nil || string(b) != "up 1\n" {
		t.Errorf("%q, %v", b, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("ended with %v", err)
	}
}
