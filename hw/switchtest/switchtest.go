// Package switchtest holds every hw.Switch to one contract: that of its documentation, seen from outside, with frames
// that come in at ports and frames that leave by them.
package switchtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// Bench is a switch with its ports wired to the test. What is nil the switch cannot do, and is skipped.
type Bench struct {
	Uplink, Sink string
	Ports        [6]string // for instances: no two the same, and none of them the uplink or the sink

	// Open starts a driver that adopts, or removes, what an earlier one left. The test closes it.
	Open func(adopt bool) (hw.Switch, error)
	// Send puts a frame into the switch at a port.
	Send func(port string, frame []byte) error
	// Out gives the frames that leave by a port, each time the same channel. It must have room for some hundred.
	Out func(port string) <-chan []byte

	// Settle waits until the data path does what the switch has confirmed; nil if it always does.
	Settle func() error

	// Volatile says that rules end with their driver, so that there is nothing to adopt.
	Volatile bool

	// Room leaves room for n more rules in the table.
	Room func(n int) error
	// Stop and Start take the switch away from under its driver, as a crash does, and bring it back without its rules.
	Stop, Start func() error
	// Foreign adds a rule of somebody else that forwards from one port to another.
	Foreign func(from, to string) error
	// Delete removes a flow's rule from the switch behind the driver's back.
	Delete func(r hw.Rule) error
}

// Run holds a switch to the contract. The factory makes a bench with no rule of ours in it for each part; it cleans up
// by t.Cleanup.
func Run(t *testing.T, factory func(t *testing.T) *Bench) {
	for _, part := range []struct {
		name string
		run  func(*rig)
	}{
		{"InstallSteersTheFlow", installSteers},
		{"PacketsWithoutARuleGoUp", missesGoUp},
		{"ASecondRuleIsRejected", duplicates},
		{"ImpossibleRulesAreRejected", impossible},
		{"MoveKeepsCounters", moves},
		{"InstanceZeroDrops", drops},
		{"RemoveReturnsCounters", removes},
		{"IdleRulesEnd", idles},
		{"ForwardDeliversAndCounts", forwards},
		{"InstancesAreCounted", instances},
		{"AnswersComeInOrder", order},
		{"AThousandRulesAtOnce", thousand},
		{"ManyCallersAtOnce", concurrent},
		{"RulesAreAdopted", adopted},
		{"RulesAreRemovedUnlessAdopted", notAdopted},
		{"FullTableRejects", fullTable},
		{"RulesComeBackAfterARestart", restart},
		{"RequestsWaitForTheSwitch", waiting},
		{"ForeignRulesStay", foreign},
		{"ARuleDeletedBySomebodyElseIsReported", deleted},
		{"CloseEndsEverything", closed},
	} {
		t.Run(part.name, func(t *testing.T) {
			r := &rig{T: t, Bench: factory(t)}
			r.open(false)
			t.Cleanup(r.close)
			part.run(r)
		})
	}
}

// patience bounds every wait. It is not a measure of speed: only a failing test waits so long.
const patience = time.Minute

// rig is a bench with a driver.
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

// tuple is that of the n-th flow: TCP and UDP, IPv4 and IPv6 in turn.
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

// frame is one of a flow, of the given length.
func frame(t flow.FiveTuple, length int) []byte {
	eth := &layers.Ethernet{SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, EthernetType: layers.EthernetTypeIPv4}
	var ip gopacket.SerializableLayer
	var network gopacket.NetworkLayer
	overhead := 14
	if t.Src.Is4() {
		l := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocol(t.Proto), SrcIP: t.Src.AsSlice(), DstIP: t.Dst.AsSlice()}
		ip, network, overhead = l, l, overhead+20
	} else {
		l := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocol(t.Proto), SrcIP: t.Src.AsSlice(), DstIP: t.Dst.AsSlice()}
		eth.EthernetType = layers.EthernetTypeIPv6
		ip, network, overhead = l, l, overhead+40
	}
	var transport gopacket.SerializableLayer
	if t.Proto == flow.TCP {
		l := &layers.TCP{SrcPort: layers.TCPPort(t.SrcPort), DstPort: layers.TCPPort(t.DstPort), ACK: true, Window: 1000}
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

// ports are those of an instance: Ports in pairs.
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

// answer waits for the next event that is no packet-in, and wants it to be the one given, as far as that is given.
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

// settle waits until packets are treated as was confirmed.
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

// counts waits until an instance has counted so many frames in and out: no more, and no less.
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
	r.until(fmt.Sprintf("the rule of flow %d leads to %d and has counted %d frames", f, i, packets), func() (any, bool) {
		got := r.rules()
		at := slices.IndexFunc(got, func(q hw.RuleCount) bool { return q.Flow == flow.ID(f) })
		return got, at >= 0 && got[at].Tuple == tuple(f) && got[at].Instance == i && got[at].Packets == packets && got[at].Bytes == packets*length
	})
}

func (r *rig) rules() []hw.RuleCount {
	r.Helper()
	got, err := r.sw.Rules(r.context())
	r.must(err)
	return got.Rules
}

// until waits for a condition. It is how a test meets a switch whose counters lag.
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

func installSteers(r *rig) {
	if c := r.sw.Capabilities(); c.Name == "" || c.PacketInQueue < 1 || c.Counting == "" || c.SlowPath == "" {
		r.Errorf("capabilities %+v: want a name, room for packet-ins, and words on counters and slow path", c)
	}
	r.attach(1, 2)
	for f := range 4 {
		r.install(rule(f, 1))
		r.send(f, 3)
		r.arrives(r.ports(1).In, f, 3)
	}
	r.must(r.Send(r.ports(1).Out, frame(tuple(0), length)))
	r.arrives(r.Sink, 0, 1)
	r.nothing()
}

func missesGoUp(r *rig) {
	r.attach(1)
	for f := range 4 {
		r.goesUp(f)
	}
	// Neither what is no flow, nor what comes in elsewhere.
	arp := append([]byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6}, make([]byte, 46)...)
	r.must(r.Send(r.Uplink, arp))
	r.must(r.Send(r.Ports[0], frame(tuple(5), length)))
	r.goesUp(6)
}

func duplicates(r *rig) {
	r.attach(1, 2)
	r.install(rule(0, 1))
	same, other := rule(1, 2), rule(0, 2)
	same.Tuple = tuple(0)
	r.must(r.sw.Install(other, same, rule(2, 2)))
	r.rejected(hw.OpInstall, 0, 2)
	r.rejected(hw.OpInstall, 1, 2)
	r.confirmed(hw.OpInstall, 2, 2)
	r.send(0, 1)
	r.arrives(r.ports(1).In, 0, 1)
	if n := len(r.rules()); n != 2 {
		r.Errorf("%d rules, want 2", n)
	}
}

func impossible(r *rig) {
	negative, icmp, mixed, idle, instance := rule(0, 0), rule(1, 0), rule(2, 0), rule(3, 0), rule(4, -1)
	negative.Flow = -1
	icmp.Tuple.Proto = flow.ICMP
	mixed.Tuple.Src = tuple(0).Src
	idle.Idle = -time.Second
	r.must(r.sw.Install(negative, icmp, mixed, idle, instance))
	for f := -1; f < 4; f++ {
		if f == 0 {
			continue
		}
		r.rejected(hw.OpInstall, f, 0)
	}
	r.rejected(hw.OpInstall, 4, -1)
	if got := r.rules(); len(got) != 0 {
		r.Errorf("rules in force: %+v", got)
	}
}

func moves(r *rig) {
	r.attach(1, 2)
	r.install(rule(0, 1))
	r.send(0, 5)
	r.ruleCounts(0, 1, 5)
	r.counts(1, 5, 0)
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}, hw.Move{Flow: 7, Instance: 2}))
	r.confirmed(hw.OpMove, 0, 2)
	r.rejected(hw.OpMove, 7, 2)
	r.arrives(r.ports(1).In, 0, 5)
	r.settle()
	r.send(0, 4)
	r.arrives(r.ports(2).In, 0, 4)
	r.ruleCounts(0, 2, 9)
	r.counts(1, 5, 0)
	r.counts(2, 4, 0)
	r.nothing()
}

func drops(r *rig) {
	r.attach(1)
	r.install(rule(0, 0))
	r.send(0, 2)
	r.ruleCounts(0, 0, 2)
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 1}))
	r.confirmed(hw.OpMove, 0, 1)
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(1).In, 0, 1)
	r.ruleCounts(0, 1, 3)
	r.must(r.sw.Move(hw.Move{Flow: 0}))
	r.confirmed(hw.OpMove, 0, 0)
	r.settle()
	r.send(0, 3)
	r.ruleCounts(0, 0, 6)
	r.nothing()
}

func removes(r *rig) {
	r.attach(1)
	r.install(rule(0, 1), rule(1, 1))
	r.send(0, 6)
	r.ruleCounts(0, 1, 6)
	r.must(r.sw.Remove(0, 3))
	e := r.confirmed(hw.OpRemove, 0, 1)
	if e.Packets != 6 || e.Bytes != 6*length || e.Tuple != tuple(0) {
		r.Errorf("removed with %d packets, %d B, %v: want 6, %d, %v", e.Packets, e.Bytes, e.Tuple, 6*length, tuple(0))
	}
	r.rejected(hw.OpRemove, 3, 0)
	r.arrives(r.ports(1).In, 0, 6)
	r.settle()
	r.goesUp(0)
	r.nothing()
	if got := r.rules(); len(got) != 1 || got[0].Flow != 1 {
		r.Errorf("rules in force: %+v", got)
	}
	r.install(rule(0, 1)) // begins to count at zero
	r.settle()
	r.send(0, 1)
	r.ruleCounts(0, 1, 1)
}

func idles(r *rig) {
	resolution := r.sw.Capabilities().IdleResolution
	if resolution == 0 {
		r.Skip("the switch does not end idle rules")
	}
	r.attach(1)
	idle := rule(0, 1)
	idle.Idle = resolution + resolution/2 // rounded up
	r.install(idle, rule(1, 1))
	began := time.Now()
	r.send(0, 3)
	e := r.answer(hw.Event{Kind: hw.Ended, Idle: true, Flow: 0, Instance: 1})
	if e.Packets != 3 || e.Bytes != 3*length || e.Tuple != tuple(0) {
		r.Errorf("ended with %d packets, %d B, %v: want 3, %d, %v", e.Packets, e.Bytes, e.Tuple, 3*length, tuple(0))
	}
	if d := time.Since(began); d < idle.Idle {
		r.Errorf("ended after %v, want %v at least", d, idle.Idle)
	}
	r.arrives(r.ports(1).In, 0, 3)
	r.settle()
	r.goesUp(0)
	if got := r.rules(); len(got) != 1 || got[0].Flow != 1 {
		r.Errorf("rules in force: %+v", got)
	}
	r.must(r.sw.Remove(0))
	r.rejected(hw.OpRemove, 0, 0)
}

func forwards(r *rig) {
	r.attach(1, 2)
	r.goesUp(0)
	r.must(r.sw.Forward(frame(tuple(0), length), 2))
	r.arrives(r.ports(2).In, 0, 1)
	r.counts(2, 1, 0)
	r.counts(1, 0, 0)
	if r.sw.Forward(frame(tuple(0), length), 3) == nil {
		r.Error("a frame was forwarded to an instance that is not attached")
	}
}

func instances(r *rig) {
	ctx := r.context()
	r.install(rule(0, 1)) // leads nowhere yet
	r.send(0, 2)
	r.ruleCounts(0, 1, 2)
	r.nothing()
	r.attach(2, 1)
	r.settle()
	r.send(0, 4)
	r.arrives(r.ports(1).In, 0, 4)
	for range 3 {
		r.must(r.Send(r.ports(1).Out, frame(tuple(0), length)))
	}
	r.arrives(r.Sink, 0, 3)
	r.counts(1, 4, 3)
	r.counts(2, 0, 0)
	all, err := r.sw.Counters(ctx)
	r.must(err)
	if len(all.Counters) != 2 || all.Counters[0].Instance != 1 || all.At.IsZero() {
		r.Errorf("reading %+v: want instances 1 and 2, and a time", all)
	}

	// At other ports the counters go on.
	r.must(r.sw.Attach(ctx, 1, r.ports(3)))
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(3).In, 0, 1)
	r.must(r.Send(r.ports(3).Out, frame(tuple(0), length)))
	r.arrives(r.Sink, 0, 1)
	r.counts(1, 5, 4)

	for _, bad := range []struct {
		what string
		i    flow.Instance
		at   hw.Ports
	}{
		{"number 0", 0, r.ports(1)},
		{"an unknown input", 4, hw.Ports{In: "nowhere", Out: r.Ports[0]}},
		{"an unknown output", 4, hw.Ports{In: r.Ports[0], Out: "nowhere"}},
		{"the uplink as its output", 4, hw.Ports{In: r.Ports[0], Out: r.Uplink}},
		{"another's output", 4, hw.Ports{In: r.Ports[0], Out: r.ports(2).Out}},
	} {
		if r.sw.Attach(ctx, bad.i, bad.at) == nil {
			r.Errorf("an instance with %s was attached", bad.what)
		}
	}

	// Input and output may be one port, and those of one that has gone are free.
	last, err := r.sw.Detach(ctx, 1)
	r.must(err)
	if want := (telemetry.Counter{Instance: 1, RxPackets: 5, TxPackets: 4, RxBytes: 5 * length}); last != want {
		r.Errorf("detached with %+v, want %+v", last, want)
	}
	if _, err := r.sw.Detach(ctx, 1); err == nil {
		r.Error("an instance was detached twice")
	}
	r.settle()
	r.send(0, 2)
	r.ruleCounts(0, 1, 9)
	r.nothing()
	r.must(r.sw.Attach(ctx, 1, hw.Ports{In: r.ports(3).Out, Out: r.ports(3).Out}))
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(3).Out, 0, 1)
	r.must(r.Send(r.ports(3).Out, frame(tuple(0), length)))
	r.arrives(r.Sink, 0, 1)
	r.counts(1, 1, 1) // from zero again
}

func order(r *rig) {
	r.attach(1, 2)
	const rounds = 50
	for k := range rounds {
		r.must(r.sw.Install(rule(0, 1)))
		r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}))
		r.must(r.sw.Install(rule(0, 1), rule(k+1, 1)))
		r.must(r.sw.Remove(0))
		r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 1}))
	}
	for k := range rounds {
		r.confirmed(hw.OpInstall, 0, 1)
		r.confirmed(hw.OpMove, 0, 2)
		r.rejected(hw.OpInstall, 0, 1)
		r.confirmed(hw.OpInstall, k+1, 1)
		r.confirmed(hw.OpRemove, 0, 2)
		r.rejected(hw.OpMove, 0, 1)
	}
	r.install(rule(0, 2))
	r.send(0, 1)
	r.arrives(r.ports(2).In, 0, 1)
	if n := len(r.rules()); n != rounds+1 {
		r.Errorf("%d rules, want %d", n, rounds+1)
	}
	if len(r.stashed) > 0 {
		r.Errorf("events that nobody asked for: %+v", r.stashed)
	}
}

func thousand(r *rig) {
	r.attach(1)
	const n = 1000
	var rules []hw.Rule
	var flows []flow.ID
	for f := range n {
		rules = append(rules, rule(f, 1))
		flows = append(flows, flow.ID(f))
	}
	r.install(rules...)
	got := r.rules()
	if len(got) != n {
		r.Fatalf("%d rules, want %d", len(got), n)
	}
	for f, q := range got {
		if q.Rule != rules[f] {
			r.Fatalf("rule %d is %+v, want %+v", f, q.Rule, rules[f])
		}
	}
	r.must(r.sw.Remove(flows...))
	for f := range n {
		r.confirmed(hw.OpRemove, f, 1)
	}
	if got := r.rules(); len(got) != 0 {
		r.Errorf("%d rules left", len(got))
	}
}

// concurrent has several callers work on flows of their own, while frames come in and others read.
func concurrent(r *rig) {
	r.attach(1, 2)
	const callers, rounds = 4, 25
	var g errgroup.Group
	for c := range callers {
		g.Go(func() error {
			for k := range rounds {
				f := rule(callers*k+c, 1)
				if err := errors.Join(r.sw.Install(f), r.sw.Move(hw.Move{Flow: f.Flow, Instance: 2}), r.sw.Remove(f.Flow)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for f := range rounds {
			if err := r.Send(r.Uplink, frame(tuple(f), length)); err != nil {
				return err
			}
		}
		return nil
	})
	ctx := r.context()
	g.Go(func() error {
		for range rounds {
			_, counters := r.sw.Counters(ctx)
			_, rules := r.sw.Rules(ctx)
			if err := errors.Join(counters, rules); err != nil {
				return err
			}
		}
		return nil
	})
	r.must(g.Wait())
	next := map[flow.ID]hw.Op{}
	for range 3 * callers * rounds {
		e := r.event(false)
		if e.Kind != hw.Confirmed || e.Op != next[e.Flow] {
			r.Fatalf("%v of %v, flow %d, %q: want %v confirmed", e.Kind, e.Op, e.Flow, e.Reason, next[e.Flow])
		}
		next[e.Flow]++
	}
	if got := r.rules(); len(got) != 0 {
		r.Errorf("rules left: %+v", got)
	}
}

func adopted(r *rig) {
	if r.Volatile {
		r.Skip("the rules end with their driver")
	}
	r.attach(1)
	idle := rule(1, 0)
	idle.Idle = time.Hour
	r.install(rule(0, 1), idle)
	r.send(0, 3)
	r.ruleCounts(0, 1, 3)
	r.counts(1, 3, 0)
	r.close()
	r.send(0, 2) // steered while no driver is there
	r.arrives(r.ports(1).In, 0, 5)
	r.open(true)
	if got := r.rules(); len(got) != 2 || got[0].Rule != rule(0, 1) || got[1].Rule != idle {
		r.Fatalf("adopted %+v", got)
	}
	r.ruleCounts(0, 1, 5)
	r.counts(1, 5, 0)
	r.must(r.sw.Install(rule(0, 1)))
	r.rejected(hw.OpInstall, 0, 1)
	r.attach(2)
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}))
	r.confirmed(hw.OpMove, 0, 2)
	r.settle()
	r.send(0, 1)
	r.arrives(r.ports(2).In, 0, 1)
	r.ruleCounts(0, 2, 6)
	r.must(r.sw.Remove(0))
	if e := r.confirmed(hw.OpRemove, 0, 2); e.Packets != 6 {
		r.Errorf("removed with %d packets, want 6", e.Packets)
	}
	last, err := r.sw.Detach(r.context(), 1)
	r.must(err)
	if last.RxPackets != 5 {
		r.Errorf("detached with %d packets, want 5", last.RxPackets)
	}
	r.settle()
	r.goesUp(0)
}

func notAdopted(r *rig) {
	r.attach(1)
	r.install(rule(0, 1))
	r.close()
	r.open(false)
	if got := r.rules(); len(got) != 0 {
		r.Errorf("rules of an earlier run: %+v", got)
	}
	if got, err := r.sw.Counters(r.context()); err != nil || len(got.Counters) != 0 {
		r.Errorf("instances of an earlier run: %+v, %v", got, err)
	}
	r.goesUp(0)
	r.attach(1)
	r.counts(1, 0, 0)
}

func fullTable(r *rig) {
	if r.Room == nil {
		r.Skip("the table cannot be made smaller")
	}
	r.attach(1)
	r.must(r.Room(3))
	r.must(r.sw.Install(rule(0, 1), rule(1, 1), rule(2, 1), rule(3, 1), rule(4, 1)))
	for f := range 3 {
		r.confirmed(hw.OpInstall, f, 1)
	}
	r.rejected(hw.OpInstall, 3, 1)
	r.rejected(hw.OpInstall, 4, 1)
	r.goesUp(4) // the slow path is what is left
	r.must(r.sw.Move(hw.Move{Flow: 1}))
	r.confirmed(hw.OpMove, 1, 0)
	r.must(r.sw.Remove(1))
	r.confirmed(hw.OpRemove, 1, 0)
	r.install(rule(4, 1))
	r.settle()
	r.send(4, 1)
	r.arrives(r.ports(1).In, 4, 1)
}

func (r *rig) restartable() {
	if r.Stop == nil || r.Start == nil {
		r.Skip("the switch cannot be restarted")
	}
}

func restart(r *rig) {
	r.restartable()
	r.attach(1, 2)
	idle := rule(2, 1)
	idle.Idle = time.Hour
	r.install(rule(0, 1), rule(1, 2), idle)
	r.send(0, 4)
	r.arrives(r.ports(1).In, 0, 4)
	r.must(r.Send(r.ports(1).Out, frame(tuple(0), length)))
	r.ruleCounts(0, 1, 4)
	r.counts(1, 4, 1)
	for round := range uint64(2) {
		r.must(r.Stop())
		r.answer(hw.Event{Kind: hw.Lost})
		r.must(r.Start())
		r.answer(hw.Event{Kind: hw.Restored})
		if n := len(r.rules()); n != 3 {
			r.Errorf("%d rules, want 3", n)
		}
		r.ruleCounts(0, 1, 4+2*round)
		r.send(0, 2)
		r.arrives(r.ports(1).In, 0, 2)
		r.ruleCounts(0, 1, 6+2*round)
		r.counts(1, 6+2*round, 1)
	}
	r.goesUp(3)
	r.must(r.sw.Remove(0))
	if e := r.confirmed(hw.OpRemove, 0, 1); e.Packets != 8 || e.Bytes != 8*length {
		r.Errorf("removed with %d packets, %d B: want 8, %d", e.Packets, e.Bytes, 8*length)
	}
}

func waiting(r *rig) {
	r.restartable()
	ctx := r.context()
	r.attach(1, 2)
	r.install(rule(0, 1), rule(1, 1))
	r.send(1, 2)
	r.ruleCounts(1, 1, 2)
	r.must(r.Stop())
	r.answer(hw.Event{Kind: hw.Lost})
	r.must(r.sw.Move(hw.Move{Flow: 0, Instance: 2}))
	r.must(r.sw.Remove(1))
	r.must(r.sw.Install(rule(1, 2), rule(2, 2), rule(0, 1)))
	if _, err := r.sw.Counters(ctx); !errors.Is(err, hw.ErrDown) {
		r.Errorf("counters of a switch that is away: %v, want ErrDown", err)
	}
	if _, err := r.sw.Rules(ctx); !errors.Is(err, hw.ErrDown) {
		r.Errorf("rules of a switch that is away: %v, want ErrDown", err)
	}
	if err := r.sw.Attach(ctx, 3, r.ports(3)); !errors.Is(err, hw.ErrDown) {
		r.Errorf("attach to a switch that is away: %v, want ErrDown", err)
	}
	if err := r.sw.Forward(frame(tuple(0), length), 1); !errors.Is(err, hw.ErrDown) {
		r.Errorf("forward by a switch that is away: %v, want ErrDown", err)
	}
	r.must(r.Start())
	r.answer(hw.Event{Kind: hw.Restored})
	r.confirmed(hw.OpMove, 0, 2)
	if e := r.confirmed(hw.OpRemove, 1, 1); e.Packets != 2 {
		r.Errorf("removed with %d packets, want 2", e.Packets)
	}
	r.confirmed(hw.OpInstall, 1, 2)
	r.confirmed(hw.OpInstall, 2, 2)
	r.rejected(hw.OpInstall, 0, 1)
	for len(r.Out(r.ports(1).In)) > 0 {
		<-r.Out(r.ports(1).In)
	}
	for f := range 3 {
		r.send(f, 1)
		r.arrives(r.ports(2).In, f, 1)
	}
	r.ruleCounts(1, 2, 1)
}

func foreign(r *rig) {
	if r.Foreign == nil {
		r.Skip("nobody else can put rules into the switch")
	}
	from, to := r.Ports[4], r.Ports[5]
	r.must(r.Foreign(from, to))
	intact := func() {
		r.Helper()
		r.must(r.Send(from, frame(tuple(9), length)))
		r.arrives(to, 9, 1)
	}
	r.attach(1)
	r.install(rule(0, 1))
	intact()
	r.must(r.sw.Remove(0))
	r.confirmed(hw.OpRemove, 0, 1)
	for _, q := range r.rules() {
		r.Errorf("somebody else's rule is shown as %+v", q)
	}
	for _, adopt := range []bool{true, false} {
		r.close()
		intact()
		r.open(adopt)
		intact()
	}
}

func deleted(r *rig) {
	if r.Delete == nil {
		r.Skip("nobody else can delete rules")
	}
	r.attach(1)
	r.install(rule(0, 1), rule(1, 1))
	r.send(0, 2)
	r.ruleCounts(0, 1, 2)
	r.must(r.Delete(rule(0, 1)))
	if e := r.answer(hw.Event{Kind: hw.Ended, Flow: 0, Instance: 1}); e.Packets != 2 {
		r.Errorf("ended with %d packets, want 2", e.Packets)
	}
	r.goesUp(0)
	r.install(rule(0, 1))
}

func closed(r *rig) {
	r.attach(1)
	r.install(rule(0, 1))
	r.close()
	for range r.sw.Events() {
	}
	r.close() // twice is once
	ctx := r.context()
	_, counters := r.sw.Counters(ctx)
	_, rules := r.sw.Rules(ctx)
	_, detach := r.sw.Detach(ctx, 1)
	for what, err := range map[string]error{
		"Install": r.sw.Install(rule(1, 1)), "Move": r.sw.Move(hw.Move{Flow: 0}), "Remove": r.sw.Remove(0),
		"Counters": counters, "Rules": rules, "Attach": r.sw.Attach(ctx, 2, r.ports(2)), "Detach": detach,
		"Forward": r.sw.Forward(frame(tuple(0), length), 1),
	} {
		if !errors.Is(err, hw.ErrClosed) {
			r.Errorf("%s after Close: %v, want ErrClosed", what, err)
		}
	}
}
