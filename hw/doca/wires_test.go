//go:build doca && standin

package doca

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/internal/nettest"
	"github.com/smartinco/smartinco/hw/switchtest"
)

// network is a stand-in's card among network devices, of which a test holds the other ends.
type network struct {
	nettest.Namespace
	cfg     Config
	sockets map[string]*nettest.Socket // by the card's port
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	newCard()
	n := &network{Namespace: nettest.New(t), sockets: map[string]*nettest.Socket{}}
	n.cfg = Config{
		PCI: "03:00.0", Representors: "vf0-6", Uplink: "uplink", Ports: []string{"a", "b", "c", "d", "e", "f", "sink"},
		Sink:  "sink",
		Rules: 2048, CounterLag: 20 * time.Millisecond, StandIn: &StandIn{Netns: string(n.Namespace), Wire: "wire"},
	}
	n.Pair(t, "uplink", "kernel")
	n.plug(t, "uplink", "wire")
	checkAfter(t)
	return n
}

// plug makes the device of a port, and holds its other end.
func (n *network) plug(t *testing.T, port, device string) {
	t.Helper()
	n.Pair(t, device, "to-"+device)
	n.sockets[port] = n.Listen(t, "to-"+device)
}

// The stand-in passes the suite with real frames too: they come in at devices, leave by devices, and first packets come
// and go through the driver's own packet sockets.
func TestSwitchOnWires(t *testing.T) {
	n := newNetwork(t)
	for _, port := range n.cfg.Ports {
		n.plug(t, port, port)
	}
	switchtest.Run(t, func(t *testing.T) *switchtest.Bench {
		newCard()
		checkAfter(t)
		for _, s := range n.sockets {
			for len(s.C) > 0 {
				<-s.C
			}
		}
		return &switchtest.Bench{
			Uplink: "uplink", Sink: "sink", Ports: [6]string(n.cfg.Ports[:6]), Volatile: true,
			Open: func(bool) (hw.Switch, error) { return Open(n.cfg) },
			Send: func(port string, frame []byte) error { return n.sockets[port].Send(frame) },
			Out:  func(port string) <-chan []byte { return n.sockets[port].C },
			Room: func(k int) error { limitEntries(entries() + k); return nil },
		}
	})
}

// Nothing is lost or made on the way: what came in at the uplink has left by the ports to which the rules lead, or came
// up; what instances sent left by the sink. Devices come and go meanwhile, as those of containers do.
func TestWiresConserve(t *testing.T) {
	n := newNetwork(t)
	n.plug(t, "sink", "sink")
	s := open(t, n.cfg)
	for i := flow.Instance(1); i <= 2; i++ {
		at := hw.Ports{In: n.cfg.Ports[2*i-2], Out: n.cfg.Ports[2*i-1]}
		n.plug(t, at.In, at.In) // after the card was opened
		n.plug(t, at.Out, at.Out)
		if err := s.Attach(t.Context(), i, at); err != nil {
			t.Fatal(err)
		}
	}
	const flows, each = 20, 100
	sent := func(what string, want uint64) {
		t.Helper()
		for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			_, _, sent, unsent := carried()
			if unsent != 0 || sent > want {
				t.Fatalf("%s: %d frames left and %d could not, want %d and 0", what, sent, unsent, want)
			}
			if sent == want {
				return
			}
			if time.Since(begun) > time.Minute {
				t.Fatalf("%s: %d frames left, want %d", what, sent, want)
			}
		}
	}
	take := func(port string, frames int) (of map[flow.FiveTuple]int) {
		t.Helper()
		of = map[flow.FiveTuple]int{}
		for range frames {
			select {
			case f := <-n.sockets[port].C:
				tuple, _ := hw.TupleOf(f)
				of[tuple]++
			case <-time.After(time.Minute):
				t.Fatalf("%d of %d frames at %s: %v", len(of), frames, port, of)
			}
		}
		return of
	}

	for f := range flows { // first packets, each answered by a rule, and sent on
		n.sockets["uplink"].Send(frame(f))
		e := <-s.Events()
		if e.Kind != hw.PacketIn || e.Tuple != tuple(f) || !bytes.Equal(e.Frame, frame(f)) {
			t.Fatalf("%v of %v, want a packet-in of flow %d", e.Kind, e.Tuple, f)
		}
		s.Install(hw.Rule{Flow: flow.ID(f), Tuple: e.Tuple, Instance: flow.Instance(1 + f%2)})
		answers(t, s, 1, hw.Confirmed)
		if err := s.Forward(e.Frame, flow.Instance(1+f%2)); err != nil {
			t.Fatal(err)
		}
	}
	for range each {
		for f := range flows {
			n.sockets["uplink"].Send(frame(f))
		}
	}
	sent("by rules", flows+flows*each)
	for i, port := range []string{"a", "c"} {
		for got, k := range take(port, flows/2*(1+each)) {
			if f := int(got.Src.As4()[3]); f%2 != i || k != 1+each {
				t.Errorf("port %s has %d frames of flow %d, want %d of every second", port, k, f, 1+each)
			}
		}
	}
	for range each {
		n.sockets["b"].Send(frame(0))
		n.sockets["d"].Send(frame(1))
	}
	sent("with the way out", flows+flows*each+2*each)
	take("sink", 2*each)
	time.Sleep(2 * n.cfg.CounterLag)
	counters, err := s.Counters(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counters.Counters {
		if c.RxPackets != flows/2*(1+each) || c.TxPackets != each {
			t.Errorf("instance %d counted %d frames in and %d out, want %d and %d", c.Instance, c.RxPackets,
				c.TxPackets, flows/2*(1+each), each)
		}
	}
	if received, left, _, _ := carried(); received != flows+flows*each+2*each || left != flows {
		t.Errorf("%d frames came in and %d were left to the kernel, want %d and %d", received, left,
			flows+flows*each+2*each, flows)
	}
	for port, socket := range n.sockets {
		if len(socket.C) != 0 {
			t.Errorf("%d frames more at %s", len(socket.C), port)
		}
	}

	// A container ends and another takes its port.
	if _, err := s.Detach(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	n.Unplug(t, "a")
	n.plug(t, "a", "a")
	if err := s.Attach(t.Context(), 3, hw.Ports{In: "a", Out: "b"}); err != nil {
		t.Fatal(err)
	}
	// The kernel may lose what is sent at a device in its first moments, so that a frame is sent until one is there.
	reaches := func(f int, send func()) {
		t.Helper()
		again := time.NewTicker(5 * time.Millisecond)
		defer again.Stop()
		for deadline := time.After(time.Minute); ; {
			send()
			select {
			case got := <-n.sockets["a"].C:
				if of, _ := hw.TupleOf(got); of == tuple(f) {
					return
				}
			case <-again.C:
			case <-deadline:
				t.Fatalf("no frame of flow %d at a device that has come back", f)
			}
		}
	}
	reaches(2, func() {
		if err := s.Forward(frame(2), 3); err != nil {
			t.Errorf("forwarding to a device that has come back: %v", err)
		}
	})
	s.Move(hw.Move{Flow: 0, Instance: 3})
	answers(t, s, 1, hw.Confirmed)
	reaches(0, func() { n.sockets["uplink"].Send(frame(0)) })
}

func TestWiresRefuseTheirConfiguration(t *testing.T) {
	for _, c := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.StandIn = nil }, "drives no card"},
		{func(c *Config) { c.StandIn.Netns = "nosuchplace" }, `network namespace "nosuchplace"`},
		{func(c *Config) { c.StandIn.Wire = "nowire" }, "stand-in: nowire"},
		{func(c *Config) { c.Uplink = "noport" }, "uplink noport"},
		{func(c *Config) { c.Uplink = "lo" }, "uplink lo: a device of type"},
	} {
		n := newNetwork(t)
		c.change(&n.cfg)
		if _, err := Open(n.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want one with %q", err, c.want)
		}
	}
}
