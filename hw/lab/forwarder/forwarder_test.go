package forwarder

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/internal/needs"
)

// bench is a forwarder between two pairs of devices, and sockets at their other ends.
type bench struct {
	counts  Counts
	in, out int // sockets
	stop    func() error
}

func newBench(t *testing.T, c Config) *bench {
	t.Helper()
	needs.Root(t, "no packet socket can be opened")
	c.In, c.Out = "fwtesti", "fwtesto"
	for _, name := range []string{c.In, c.Out} {
		v := netlink.NewVeth(netlink.LinkAttrs{Name: name})
		v.PeerName = name + "p"
		_ = netlink.LinkDel(v)
		if err := netlink.LinkAdd(v); err != nil {
			needs.This(t, "no virtual Ethernet devices: "+err.Error())
		}
		t.Cleanup(func() { _ = netlink.LinkDel(v) })
		for _, n := range []string{v.Name, v.PeerName} {
			l, err := netlink.LinkByName(n)
			if err == nil {
				_ = netlink.LinkSetARPOff(l)
				_ = netlink.LinkSetIP6AddrGenMode(l, 1)
				err = netlink.LinkSetUp(l)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	b := &bench{in: socket(t, c.In+"p"), out: socket(t, c.Out+"p")}
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := Run(ctx, c, w, &b.counts)
		w.CloseWithError(err)
		ended <- err
	}()
	line := make([]byte, 100)
	n, err := r.Read(line)
	if err != nil || string(line[:n]) != Ready+"\n" {
		cancel()
		t.Fatalf("it said %q, %v", line[:n], err)
	}
	b.stop = func() error { cancel(); return <-ended }
	t.Cleanup(cancel)
	return b
}

// socket sends and receives at an interface; it gives up receiving after 1 s.
func socket(t *testing.T, name string) int {
	t.Helper()
	i, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(hostToNet(unix.ETH_P_ALL)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	_ = unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 16<<20)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: hostToNet(unix.ETH_P_ALL), Ifindex: i.Index}); err !=
		nil {
		t.Fatal(err)
	}
	return fd
}

// kind marks the frames of the tests: IEEE's ethertype for local experiments.
const kind = 0x88b5

func (b *bench) send(t *testing.T, number, size int) {
	t.Helper()
	f := make([]byte, size)
	copy(f, []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2})
	binary.BigEndian.PutUint16(f[12:], kind)
	binary.BigEndian.PutUint32(f[14:], uint32(number))
	if err := unix.Send(b.in, f, 0); err != nil {
		t.Fatal(err)
	}
}

// receive is the number and size of the next frame of the test, or -1 after a second without any.
func (b *bench) receive(t *testing.T) (number, size int) {
	t.Helper()
	f := make([]byte, 2048)
	for {
		n, err := unix.Read(b.out, f)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return -1, 0
		}
		if n >= 18 && binary.BigEndian.Uint16(f[12:]) == kind {
			return int(binary.BigEndian.Uint32(f[14:])), n
		}
	}
}

// Every packet comes out once, unchanged and in order, whatever its size.
func TestForwards(t *testing.T) {
	b := newBench(t, Config{Ring: 1024})
	const n = 3000
	for from := 0; from < n; from += 500 { // less than the ring at a time
		for i := from; i < from+500; i++ {
			b.send(t, i, 60+i%1455)
		}
		for i := from; i < from+500; i++ {
			if number, size := b.receive(t); number != i || size != 60+i%1455 {
				t.Fatalf("packet %d came as %d with %d bytes", i, number, size)
			}
		}
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	if f, d := b.counts.Forwarded.Load(), b.counts.Dropped.Load(); f < n || d != 0 {
		t.Errorf("%d forwarded, %d dropped", f, d)
	}
}

// A burst beyond the ring loses exactly what does not fit: while the first packet is served, the ring holds it and all
// but one of the others' places.
func TestRingIsFinite(t *testing.T) {
	const ring, n = 64, 1000
	b := newBench(t, Config{Ring: ring, Wait: 20 * time.Millisecond})
	for i := range n {
		b.send(t, i, 60)
	}
	got := 0
	for {
		number, _ := b.receive(t)
		if number < 0 {
			break
		}
		got++
	}
	if err := b.stop(); err != nil {
		t.Error(err)
	}
	f, d := b.counts.Forwarded.Load(), b.counts.Dropped.Load()
	if f+d < n || uint64(got) > f || got < ring || got > ring+n/10 {
		t.Errorf("of %d packets sent at once to a ring of %d, %d came out; %d forwarded, %d dropped", n, ring, got, f,
			d)
	}
}

// A cost is not less than what was asked for, and a wait is no more than that on the average, though sleeps are.
func TestCost(t *testing.T) {
	const n, cost = 100, 2 * time.Millisecond
	for _, c := range []Config{{Ring: 256, Wait: cost}, {Ring: 256, Work: cost},
		{Ring: 256, Wait: cost / 2, Work: cost / 2}} {
		b := newBench(t, c)
		begin := time.Now()
		for i := range n {
			b.send(t, i, 60)
		}
		for i := range n {
			if number, _ := b.receive(t); number != i {
				t.Fatalf("packet %d came as %d", i, number)
			}
		}
		if took := time.Since(begin); took < n*cost {
			t.Errorf("work %v, wait %v: %d packets took %v", c.Work, c.Wait, n, took)
		}
		if err := b.stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, test := range []struct {
		c    Config
		want string
	}{
		{Config{Out: "b", Ring: 2}, "two interfaces"},
		{Config{In: "a", Out: "b", Ring: 3}, "even number"},
		{Config{In: "a", Out: "b", Ring: 2, Wait: -1}, "0 or more"},
	} {
		if err := Run(t.Context(), test.c, io.Discard, new(Counts)); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("error %v, want one with %q", err, test.want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Run(ctx, Config{In: "nonesuch", Out: "lo", Ring: 2}, io.Discard, new(Counts)); err == nil ||
		!strings.Contains(err.Error(), "no interface nonesuch") {
		t.Errorf("error %v", err)
	}
}

func TestSwap(t *testing.T) {
	f := []byte("DDDDDDSSSSSStt...")
	swap(f)
	if !bytes.Equal(f, []byte("SSSSSSDDDDDDtt...")) {
		t.Errorf("%s", f)
	}
	swap(f[:5]) // too short to have addresses
}
