package trexserver_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/standins/trexserver"
	"github.com/smartinco/smartinco/hw/trex"
	"github.com/smartinco/smartinco/internal/needs"
	"github.com/smartinco/smartinco/units"
)

// ip runs a command of iproute2.
func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

// wire makes a network namespace with two interfaces that are the ends of one cable, if0 and if1.
func wire(t testing.TB) (namespace string) {
	t.Helper()
	needs.Root(t, "no network namespace can be made")
	if _, err := exec.LookPath("ip"); err != nil {
		needs.This(t, "no ip: install iproute2")
	}
	namespace = fmt.Sprintf("trex-%d-%d", os.Getpid(), time.Now().UnixNano()%1e9)
	ip(t, "netns", "add", namespace)
	t.Cleanup(func() { exec.Command("ip", "netns", "delete", namespace).Run() })
	ip(t, "-n", namespace, "link", "add", "if0", "type", "veth", "peer", "name", "if1")
	// Nothing but the test's own packets shall pass: without IPv6 addresses the kernel does not announce itself.
	for _, dev := range []string{"if0", "if1"} {
		ip(t, "-n", namespace, "link", "set", dev, "addrgenmode", "none")
		ip(t, "-n", namespace, "link", "set", dev, "arp", "off", "up")
	}
	return namespace
}

// serve runs a server on both ends of a wire and returns its address.
func serve(t testing.TB, namespace string) (addr string) {
	t.Helper()
	var devices []trexserver.Device
	for _, name := range []string{"if0", "if1"} {
		d, err := trexserver.OpenInterface(name, namespace)
		if err != nil {
			t.Fatal(err)
		}
		devices = append(devices, d)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- trexserver.New(devices...).Serve(ctx, l, nil) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("server ended with %v", err)
		}
	})
	return l.Addr().String()
}

func generator(t testing.TB, addr string, o trex.GeneratorOptions) *trex.Generator {
	t.Helper()
	o.Addr, o.TxPort, o.RxPort = addr, 0, 1
	g, err := trex.NewGenerator(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

func stream(i int, rate units.PPS, start, end time.Duration) hw.Stream {
	return hw.Stream{Flow: flow.ID(i), Rate: rate, Start: start, End: end, FrameSize: 64, Tuple: flow.FiveTuple{
		Src: netip.AddrFrom4([4]byte{16, 0, 0, byte(1 + i)}), Dst: netip.MustParseAddr("48.0.0.1"), SrcPort: 1025,
		DstPort: 12, Proto: flow.UDP}}
}

// finish waits until so many packets were sent and received, or a long time, and ends the run.
func finish(t testing.TB, g *trex.Generator, sent, received uint64) hw.Traffic {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		n, err := g.Counters(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n.Sent >= sent && n.Received >= received || time.Now().After(deadline) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	n, err := g.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Every packet of a staircase of flows is sent, arrives, and is counted for its flow, with and without numbers.
func TestStaircaseOverAWire(t *testing.T) {
	addr := serve(t, wire(t))
	for _, ordered := range []bool{false, true} {
		g := generator(t, addr, trex.GeneratorOptions{Ordered: ordered})
		var streams []hw.Stream
		var total, bytes uint64
		for i := range 32 {
			start := time.Duration(i) * 20 * time.Millisecond
			s := stream(i, 500, start, time.Second)
			s.FrameSize = units.Bytes(64 + 46*i) // up to 1490
			streams = append(streams, s)
			n := uint64(500 * (time.Second - start) / time.Second)
			total, bytes = total+n, bytes+n*uint64(s.FrameSize-4)
		}
		if err := g.Load(t.Context(), streams); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second run counts from zero
			if _, err := g.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			n := finish(t, g, total, total)
			if n.Sent != total || n.Received != total || n.SentB != bytes || n.ReceivedB != bytes ||
				n.Ordered != ordered {
				t.Errorf("ordered %v: sent %d (%d B), received %d (%d B), want %d (%d B)", ordered, n.Sent, n.SentB,
					n.Received, n.ReceivedB, total, bytes)
			}
			if len(n.Flows) != len(streams) {
				t.Fatalf("%d flows, want %d", len(n.Flows), len(streams))
			}
			for i, f := range n.Flows {
				want := uint64(500 - 10*i)
				if f != (hw.FlowCounts{Flow: flow.ID(i), Sent: want, Received: want}) {
					t.Errorf("ordered %v: flow %+v, want %d sent and received", ordered, f, want)
				}
			}
		}
		if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// What the wire swallows was sent and not received. What the interface refuses was not sent.
func TestLossOverAWire(t *testing.T) {
	namespace := wire(t)
	addr := serve(t, namespace)
	g := generator(t, addr, trex.GeneratorOptions{})
	const packets = 200
	// A link that is down when traffic starts is an error; these go down after that, a second before the first packet.
	if err := g.Load(t.Context(), []hw.Stream{stream(0, 2000, time.Second, 1100*time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	c, err := trex.Dial(t.Context(), trex.Options{Addr: addr})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, s := range []struct {
		name           string
		down           string
		sent, received uint64
	}{
		{"the far end goes down", "if1", packets, 0},
		{"it is up again", "", packets, packets},
		{"the near end goes down", "if0", 0, 0},
		{"both are up again", "", packets, packets},
	} {
		if err := c.Mark(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := g.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s.down != "" {
			ip(t, "-n", namespace, "link", "set", s.down, "down")
		}
		for {
			st, err := c.Status(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			if !st.State.Busy() {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		n := finish(t, g, s.sent, s.received)
		port, err := c.PortStats(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n.Sent != s.sent || n.Received != s.received || port.TxErrors != packets-s.sent {
			t.Errorf("%s: sent %d, received %d, %d errors, want %d, %d and %d", s.name, n.Sent, n.Received,
				port.TxErrors, s.sent, s.received, packets-s.sent)
		}
		if down := map[bool]string{true: "port 0 and port 1"}[s.down != ""]; n.Down != down { // of a pair, both ends
			t.Errorf("%s: no link at %q, want %q", s.name, n.Down, down)
		}
		if s.down != "" {
			if _, err := g.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "Link state is DOWN.") {
				t.Errorf("%s: traffic is started, %v", s.name, err)
			}
			ip(t, "-n", namespace, "link", "set", s.down, "up")
		}
	}
}

// A server that is told to end before it has begun to receive ends.
func TestAnInterfaceThatIsClosedReceivesNothing(t *testing.T) {
	d, err := trexserver.OpenInterface("if0", wire(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := d.Receive(func([]byte, time.Duration) { t.Error("a frame") }); err != nil {
		t.Error(err)
	}
}

func TestTrafficThatAnInterfaceCannotCarry(t *testing.T) {
	g := generator(t, serve(t, wire(t)), trex.GeneratorOptions{})
	long := stream(0, 10, 0, time.Second)
	long.FrameSize = 1519
	for _, c := range []struct {
		name    string
		streams []hw.Stream
		want    string
	}{
		{"longer than the MTU", []hw.Stream{long}, "interface if0 takes 1514"},
		{"beyond line rate", []hw.Stream{stream(0, 20e6, 0, time.Second)}, "exceed the line rate"},
	} {
		err := g.Load(t.Context(), c.streams)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: loaded with %v, want %q", c.name, err, c.want)
		}
	}
}

func TestOpenInterfaceThatIsNotThere(t *testing.T) {
	namespace := wire(t)
	for _, c := range []struct{ name, namespace, want string }{
		{"if9", namespace, "interface if9: "},
		{"if0", "no-such-namespace", "no-such-namespace"},
	} {
		d, err := trexserver.OpenInterface(c.name, c.namespace)
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s in %s: %v, want %q", c.name, c.namespace, err, c.want)
		}
	}
}

// BenchmarkWire sends 64-byte frames at a rate for a second over a veth pair. It reports at what rate they really went
// out, how many were lost, and what a packet took of the processor, sent and received.
func BenchmarkWire(b *testing.B) {
	for _, rate := range []int{100_000, 200_000, 300_000, 400_000} {
		b.Run(fmt.Sprintf("pps=%d", rate), func(b *testing.B) {
			g := generator(b, serve(b, wire(b)), trex.GeneratorOptions{})
			if err := g.Load(b.Context(), []hw.Stream{stream(0, units.PPS(rate), 0, time.Second)}); err != nil {
				b.Fatal(err)
			}
			var sent, lost uint64
			var took, cpu time.Duration
			for b.Loop() {
				began, err := g.Start(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				before := processor(b)
				time.Sleep(time.Until(began.Add(900 * time.Millisecond)))
				for {
					n, err := g.Counters(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					if n.Sent >= uint64(rate) {
						took += n.At.Sub(began)
						break
					}
					time.Sleep(2 * time.Millisecond)
				}
				cpu += processor(b) - before
				time.Sleep(200 * time.Millisecond) // for what is under way
				n := finish(b, g, 0, 0)
				sent, lost = sent+n.Sent, lost+n.Sent-n.Received
			}
			b.ReportMetric(float64(sent)/took.Seconds(), "packets/s")
			b.ReportMetric(float64(lost), "lost")
			b.ReportMetric(float64(cpu.Nanoseconds())/float64(sent), "cpu-ns/packet")
			b.ReportMetric(0, "ns/op") // the run's length is given
		})
	}
}

// processor is the time that this process has had of the processors.
func processor(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
