package switchtest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// rig is a bench with an open driver.
type rig struct {
	*testing.T
	*Bench
	sw      hw.Switch
	stashed []hw.Event // read while waiting for something else
}

func (r *rig) context() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r.Cleanup(cancel)
	return ctx
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

func (r *rig) open(adopt bool) {
	r.Helper()
	sw, err := r.Open(adopt)
	r.must(err)
	r.sw, r.stashed = sw, nil
}

func (r *rig) close() {
	if err := r.sw.Close(); err != nil {
		r.Error(err)
	}
}

// tuple returns the five-tuple of the n-th flow: TCP and UDP, IPv4 and IPv6 in turn.
func tuple(n int) flow.FiveTuple {
	t := flow.FiveTuple{
		Src: netip.AddrFrom4([4]byte{10, 1, byte(n >> 8), byte(n)}), Dst: netip.MustParseAddr("10.2.0.1"),
		SrcPort: uint16(1024 + n), DstPort: 443, Proto: flow.UDP,
	}
	if n&1 != 0 {
		t.Proto = flow.TCP
	}
	if n&2 != 0 {
		t.Src, t.Dst = netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", n+1)), netip.MustParseAddr("2001:db8:2::1")
	}
	return t
}

// frame makes a frame of a flow, of the given length.
func frame(t flow.FiveTuple, length int) []byte {
	eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2},
		EthernetType: layers.EthernetTypeIPv4}
	var ip gopacket.SerializableLayer
	var network gopacket.NetworkLayer
	overhead := 14
	if t.Src.Is4() {
		l := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocol(t.Proto), SrcIP: t.Src.AsSlice(),
			DstIP: t.Dst.AsSlice()}
		ip, network, overhead = l, l, overhead+20
	} else {
		l := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocol(t.Proto), SrcIP: t.Src.AsSlice(),
			DstIP: t.Dst.AsSlice()}
		eth.EthernetType = layers.EthernetTypeIPv6
		ip, network, overhead = l, l, overhead+40
	}
	var transport gopacket.SerializableLayer
	if t.Proto == flow.TCP {
		l := &layers.TCP{SrcPort: layers.TCPPort(t.SrcPort), DstPort: layers.TCPPort(t.DstPort), ACK: true,
			Window: 1000}
		_ = l.SetNetworkLayerForChecksum(network)
		transport, overhead = l, overhead+20
	} else {
		l := &layers.UDP{SrcPort: layers.UDPPort(t.SrcPort), DstPort: layers.UDPPort(t.DstPort)}
		_ = l.SetNetworkLayerForChecksum(network)
		transport, overhead = l, overhead+8
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
		eth, ip, transport, gopacket.Payload(make([]byte, max(length-overhead, 0))))
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

// ports returns the ports of an instance: each has a pair of Bench.Ports.
func (r *rig) ports(i flow.Instance) hw.Ports {
	return hw.Ports{In: r.Ports[2*i-2], Out: r.Ports[2*i-1]}
}

func (r *rig) attach(instances ...flow.Instance) {
	r.Helper()
	for _, i := range instances {
		r.must(r.sw.Attach(r.context(), i, r.ports(i)))
	}
}

func rule(n int, i flow.Instance) hw.Rule {
	return hw.Rule{Flow: flow.ID(n), Tuple: tuple(n), Instance: i}
}

// event waits for the next event that is, or is not, a packet-in.
func (r *rig) event(packetIn bool) hw.Event {
	r.Helper()
	for i, e := range r.stashed {
		if (e.Kind == hw.PacketIn) == packetIn {
			r.stashed = slices.Delete(r.stashed, i, i+1)
			return e
		}
	}
	late := time.After(patience)
	for {
		select {
		case e, ok := <-r.sw.Events():
			switch {
			case !ok:
				r.Fatal("Events was closed")
			case e.At.IsZero() || time.Since(e.At) < 0:
				r.Fatalf("%v at %v: want a time in the past", e.Kind, e.At)
			case (e.Kind == hw.PacketIn) == packetIn:
				return e
			}
			r.stashed = append(r.stashed, e)
		case <-late:
			r.Fatalf("no event within %v (packet-in: %v); others: %+v", patience, packetIn, r.stashed)
		}
	}
}

// answer waits for the next event that is no packet-in, and wants it to be the given one in the fields that matter.
func (r *rig) answer(want hw.Event) hw.Event {
	r.Helper()
	e := r.event(false)
	got := hw.Event{Kind: e.Kind, Op: e.Op, Idle: e.Idle, Flow: e.Flow, Instance: e.Instance}
	if want.Kind == hw.Lost || want.Kind == hw.Restored {
		got = hw.Event{Kind: e.Kind}
	}
	switch {
	case fmt.Sprint(got) != fmt.Sprint(want):
		r.Fatalf("got  %v of %v, flow %d, instance %d, idle %v, %q\nwant %v of %v, flow %d, instance %d, idle %v",
			e.Kind, e.Op, e.Flow, e.Instance, e.Idle, e.Reason, want.Kind, want.Op, want.Flow, want.Instance, want.Idle)
	case (e.Kind == hw.Rejected || e.Kind == hw.Ended || e.Kind == hw.Lost) && e.Reason == "":
		r.Fatalf("%v of flow %d gives no reason", e.Kind, e.Flow)
	case e.Latency < 0 || e.Kind == hw.Confirmed && e.Latency == 0:
		r.Fatalf("%v of flow %d after %v", e.Kind, e.Flow, e.Latency)
	}
	return e
}

func (r *rig) confirmed(op hw.Op, f int, i flow.Instance) hw.Event {
	r.Helper()
	return r.answer(hw.Event{Kind: hw.Confirmed, Op: op, Flow: flow.ID(f), Instance: i})
}

// settle waits until packets are treated as the switch has confirmed.
func (r *rig) settle() {
	r.Helper()
	if r.Settle != nil {
		r.must(r.Settle())
	}
}

func (r *rig) rejected(op hw.Op, f int, i flow.Instance) {
	r.Helper()
	r.answer(hw.Event{Kind: hw.Rejected, Op: op, Flow: flow.ID(f), Instance: i})
}

func (r *rig) install(rules ...hw.Rule) {
	r.Helper()
	r.must(r.sw.Install(rules...))
	for _, q := range rules {
		r.confirmed(hw.OpInstall, int(q.Flow), q.Instance)
	}
}

// send sends n frames of a flow to the uplink.
func (r *rig) send(f, n int) {
	r.Helper()
	for range n {
		r.must(r.Send(r.Uplink, frame(tuple(f), length)))
	}
}

const length = 100

// arrives waits for n frames of a flow to leave by a port, unchanged.
func (r *rig) arrives(port string, f, n int) {
	r.Helper()
	want, late := frame(tuple(f), length), time.After(patience)
	for n > 0 {
		select {
		case b := <-r.Out(port):
			if t, ok := hw.TupleOf(b); !ok {
				continue // what a kernel says to its neighbours
			} else if t != tuple(f) || !bytes.Equal(b, want) {
				r.Fatalf("a frame of %v left by %s:\ngot  %x\nwant %x", t, port, b, want)
			}
			n--
		case <-late:
			r.Fatalf("%d frames of flow %d did not leave by %s within %v", n, f, port, patience)
		}
	}
}

// nothing wants no frame of any flow to have left by any port.
func (r *rig) nothing() {
	r.Helper()
	for _, p := range append(r.Ports[:], r.Sink, r.Uplink) {
		for more := true; more; {
			select {
			case b := <-r.Out(p):
				if t, ok := hw.TupleOf(b); ok {
					r.Errorf("a frame of %v left by %s", t, p)
				}
			default:
				more = false
			}
		}
	}
}

// goesUp sends a frame and waits for it to come as a packet-in.
func (r *rig) goesUp(f int) {
	r.Helper()
	r.send(f, 1)
	e := r.event(true)
	if e.Tuple != tuple(f) || !bytes.Equal(e.Frame, frame(tuple(f), length)) {
		r.Fatalf("packet-in of %v, %x\nwant %v, %x", e.Tuple, e.Frame, tuple(f), frame(tuple(f), length))
	}
}

// counter reads one instance's counter.
func (r *rig) counter(i flow.Instance) telemetry.Counter {
	r.Helper()
	got, err := r.sw.Counters(r.context())
	r.must(err)
	for _, c := range got.Counters {
		if c.Instance == i {
			return c
		}
	}
	r.Fatalf("no counter of instance %d in %+v", i, got.Counters)
	return telemetry.Counter{}
}

// counts waits until an instance has counted exactly so many frames in and out.
func (r *rig) counts(i flow.Instance, rx, tx uint64) {
	r.Helper()
	want := telemetry.Counter{Instance: i, RxPackets: rx, TxPackets: tx, RxBytes: rx * length}
	var last telemetry.Counter
	r.until(fmt.Sprintf("the counter of instance %d is %+v", i, want), func() (any, bool) {
		c := r.counter(i)
		if c.RxPackets < last.RxPackets || c.RxBytes < last.RxBytes || c.TxPackets < last.TxPackets {
			r.Fatalf("the counter of instance %d went back, from %+v to %+v", i, last, c)
		}
		last = c
		return c, c == want
	})
}

// ruleCounts waits until a rule is in force with this instance and so many frames.
func (r *rig) ruleCounts(f int, i flow.Instance, packets uint64) {
	r.Helper()
	r.until(fmt.Sprintf("the rule of flow %d leads to %d and has counted %d frames", f, i, packets),
		func() (any, bool) {
			got := r.rules()
			at := slices.IndexFunc(got, func(q hw.RuleCount) bool { return q.Flow == flow.ID(f) })
			return got, at >= 0 && got[at].Tuple == tuple(f) && got[at].Instance == i && got[at].Packets == packets &&
				got[at].Bytes == packets*length
		})
}

func (r *rig) rules() []hw.RuleCount {
	r.Helper()
	got, err := r.sw.Rules(r.context())
	r.must(err)
	return got.Rules
}

// until waits for a condition, since a switch's counters may lag.
func (r *rig) until(what string, holds func() (any, bool)) {
	r.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		got, ok := holds()
		if ok {
			return
		}
		if time.Since(begin) > patience {
			r.Fatalf("not within %v: %s\ngot %+v", patience, what, got)
		}
	}
}
