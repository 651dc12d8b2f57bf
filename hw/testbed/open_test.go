package testbed

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/hw/standins/trexserver"
	"github.com/smartinco/smartinco/hw/trex"
)

// silent is an interface of a generator at which nothing arrives.
type silent struct{ closed chan struct{} }

func (silent) Name() string                      { return "silent" }
func (silent) MAC() net.HardwareAddr             { return net.HardwareAddr{2, 0, 0, 0, 0, 1} }
func (silent) MTU() int                          { return 1500 }
func (silent) Send(frames [][]byte) (int, error) { return len(frames), nil }
func (silent) Dropped() uint64                   { return 0 }
func (silent) SetPromiscuous(bool) error         { return nil }
func (silent) Up() bool                          { return true }
func (s silent) Close() error                    { close(s.closed); return nil }
func (s silent) Receive(func([]byte, time.Duration)) error {
	<-s.closed
	return nil
}

// generates is the address of a generator of two ports.
func generates(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- trexserver.New(silent{make(chan struct{})}, silent{make(chan struct{})}).Serve(ctx, l, nil)
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// user acquires port 0 of a generator for somebody.
func user(t *testing.T, addr, name string) *trex.Port {
	t.Helper()
	c, err := trex.Dial(t.Context(), trex.Options{Addr: addr, User: name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	p, err := c.Acquire(t.Context(), 0, false)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(t *testing.T, text string) *File {
	t.Helper()
	f, err := Parse("t.yaml", []byte(text), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// with is a testbed with another switch, engine or generator than least's; empty for that.
func with(t *testing.T, sw, engine, generator string) *File {
	t.Helper()
	if sw == "" {
		sw = `ovs: {address: "unix:/x", uplink: p0}`
	}
	if engine == "" {
		engine = "docker: {image: i, host: \"unix:///x\", ports: [{in: a}]}"
	}
	if generator == "" {
		generator = `trex: {address: "127.0.0.1:1"}`
	}
	return parse(t, fmt.Sprintf("name: t\nswitch: {%s}\ncontainers: {%s}\ngenerator: {%s}\n", sw, engine, generator))
}

// A part that cannot be opened is an error, and nothing that could be taken for a part: a nil pointer in an interface
// is not nil, and whoever closes it panics.
func TestWhatCannotBeOpenedIsNil(t *testing.T) {
	ctx := t.Context()
	none := func(kind string, part any, err error) {
		if err == nil || part != nil {
			t.Errorf("%s: opened as %#v, %v", kind, part, err)
		}
	}
	taken := generates(t)
	user(t, taken, "alice")
	for _, sw := range []string{"", "doca: {pci: a, representors: vf0, uplink: p0, ports: [b]}",
		"tc: {uplink: nosuch0}"} {
		f := with(t, sw, "", "")
		d, err := choose("switch", switches, f)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := d.open(ctx, f)
		none(d.name, raw, err)
		part, err := open(ctx, "switch", switches, f)
		none(d.name, part, err)
	}
	f := with(t, "", "", "")
	raw, err := openDocker(ctx, f)
	none("docker", raw, err)
	for _, addr := range []string{"127.0.0.1:1", taken} {
		f := with(t, "", "", fmt.Sprintf("trex: {address: %q}", addr))
		raw, err := openTRex(ctx, f)
		none("trex", raw, err)
		part, err := open(ctx, "generator", generators, f)
		none("trex", part, err)
		if !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v: want ErrUnavailable", err)
		}
	}
	if _, err := openTRex(ctx, with(t, "", "", fmt.Sprintf("trex: {address: %q}", taken))); err == nil ||
		!strings.Contains(err.Error(), "port is already taken by 'alice'") {
		t.Errorf("a port of alice's: %v", err)
	}
	// Any driver that makes the mistake.
	f = with(t, "", "", "")
	part, err := open(ctx, "generator", []driver[part]{{"typed", func(*File) bool { return true },
		func(context.Context, *File) (part, error) {
			var nothing *typed
			return nothing, errors.New("no")
		}, nil, nil}}, f)
	if err == nil || part != nil {
		t.Errorf("opened as %#v, %v", part, err)
	}
}

type part interface{ Close() error }
type typed struct{}

func (*typed) Close() error { return nil }
