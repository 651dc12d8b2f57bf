package netdev_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw/internal/netdev"
	"github.com/smartinco/smartinco/internal/needs"
)

// What is sent at the loopback device comes in at it, once.
func TestFramesGoThroughLoopback(t *testing.T) {
	needs.Root(t, "no packet socket can be opened")
	r, err := netdev.Reader("lo")
	if err != nil {
		t.Fatal(err)
	}
	w, err := netdev.Writer("lo")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	got := make(chan []byte, 1000)
	go func() {
		defer close(got)
		b := make([]byte, 2048)
		for {
			n, err := r.Read(b)
			if err != nil {
				return
			}
			if bytes.HasPrefix(b[12:n], []byte{0x88, 0xb5}) { // a protocol for experiments: nobody else's
				got <- bytes.Clone(b[:n])
			}
		}
	}()
	late := time.After(time.Minute)
	for k := range byte(3) {
		frame := append(make([]byte, 12), 0x88, 0xb5, k)
		frame = append(frame, make([]byte, 50)...)
		if _, err := w.Write(frame); err != nil {
			t.Fatal(err)
		}
		select {
		case f := <-got:
			if !bytes.Equal(f, frame) {
				t.Fatalf("got %x, want %x", f, frame)
			}
		case <-late:
			t.Fatal("the frame did not come in within a minute")
		}
	}
	if err := r.Close(); err != nil { // ends a Read that waits
		t.Fatal(err)
	}
	for f := range got {
		t.Errorf("a frame came in twice: %x", f)
	}
}

func TestADeviceThatIsNotThere(t *testing.T) {
	if _, err := netdev.Reader("nowhere"); err == nil {
		t.Error("Reader opened it")
	}
	if _, err := netdev.Writer("nowhere"); err == nil {
		t.Error("Writer opened it")
	}
}
