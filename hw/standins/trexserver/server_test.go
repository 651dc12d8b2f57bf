package trexserver

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/smartinco/smartinco/hw/trex"
	"github.com/smartinco/smartinco/hw/trex/zmtp"
)

// The messages at which the original aborts are refused, and the next request is answered.
func TestSurvivesWhatAbortsTheOriginal(t *testing.T) {
	b, fatal := newBench(), 0
	for _, r := range sessions(t) {
		if r.Session != "kill" || strings.HasPrefix(r.Label, "ping") {
			continue
		}
		answer := b.Handle(r.wire(t))
		var got struct {
			Error struct{ Code trex.Code }
		}
		if err := json.Unmarshal(answer, &got); err != nil || got.Error.Code != trex.CodeInvalidRequest {
			t.Errorf("%s: %s, want code %d", r.Label, answer, trex.CodeInvalidRequest)
		}
		if r.Response == nil || string(r.Response) == "null" {
			fatal++
		} else if !bytes.Equal(bytes.TrimSpace(answer), r.Response) {
			t.Errorf("%s: %s, recorded %s", r.Label, answer, r.Response)
		}
		b.ask(t, "ping", dict{})
	}
	if fatal != 5 {
		t.Errorf("%d messages that abort the original, want 5", fatal)
	}
}

// owner takes both ports of a bench.
func (b *bench) owner(t testing.TB) {
	b.token = func() string { return "handler8" }
	for port := range b.ports {
		b.ask(t, "acquire", dict{"port_id": port, "user": "tester", "session_id": 1, "force": false})
	}
}

// command asks for something on port 0 as its owner.
func (b *bench) command(t testing.TB, method string, params dict) any {
	t.Helper()
	params = maps.Clone(params)
	params["port_id"], params["handler"] = 0, "handler8"
	return b.ask(t, method, params)
}

// burst is a stream of so many packets.
func burst(packet []byte, packets int, pps float64, flowStats dict, instructions ...dict) dict {
	if instructions == nil {
		instructions = []dict{}
	}
	return dict{"enabled": true, "self_start": true, "isg": 0.0, "flags": 0, "action_count": 0, "next_stream_id": -1,
		"packet": dict{"binary": base64.StdEncoding.EncodeToString(packet), "meta": ""},
		"mode":   dict{"type": "single_burst", "total_pkts": packets, "rate": dict{"type": "pps", "value": pps}},
		"vm":     dict{"instructions": instructions}, "flow_stats": flowStats}
}

var start = dict{"mul": dict{"type": "raw", "op": "abs", "value": 1}, "duration": -1, "force": false}

// stop ends a run so that the next one counts.
func (b *bench) stop(t testing.TB) {
	b.command(t, "stop_traffic", dict{})
	b.command(t, "remove_rx_filters", dict{})
}

// udp is the packet of the recordings, 64 bytes on the wire, and as long as it was where statistics were recorded.
const (
	udp = "02000000000102000000000008004500002e0001000040113abd10000001300000010401000c001a000078787878787878787878" +
		"7878787878787878"
	udp80 = "0200000000010200000000000800450000420001000040113aa910000001300000010401000c002e000078787878787878787878" +
		"78787878787878787878787878787878787878787878787878787878"
)

func unhex(t testing.TB, s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What goes over the wire is what the original sent: addresses by the flags, and the marks of statistics. Of a latency
// packet's trailer, number and time differ from run to run.
func TestFramesAsRecorded(t *testing.T) {
	other := "0a00000000020a0000000001" + udp[24:]
	stats := dict{"enabled": true, "stream_id": 41, "rule_type": "stats"}
	latency := dict{"enabled": true, "stream_id": 42, "rule_type": "latency"}
	off := dict{"enabled": false}
	for _, c := range []struct {
		name, packet string
		flags        int
		flowStats    dict
		want         string
		trailer      int // bytes at the end that are not compared
	}{
		{"both addresses the port's", other, 0, off, udp, 0},
		{"source from the packet", other, 1, off, "0200000000010a0000000001" + udp[24:], 0},
		{"both from the packet", other, 3, off, other, 0},
		{"not counted", udp80, 3, off, udp80, 0},
		{"counted", udp80, 3, stats, "020000000001020000000000080045010042fc00000040113ea810000001300000010401000c002" +
			"e00007878787878787878787878787878787878787878787878787878787878787878787878787878", 0},
		{"latency", udp80, 3, latency, "020000000001020000000000080045010042ffff000040113aa910000001300000010401000c0" +
			"02e000078787878787878787878787878787878787878787878ab070000feffffff3b50296eca060000", 12},
	} {
		b := newBench()
		b.versions = 7 // as the original had counted
		b.owner(t)
		var got []byte
		b.cables[0].lose = func(f []byte) bool { got = bytes.Clone(f); return false }
		s := burst(unhex(t, c.packet), 1, 100, c.flowStats)
		s["flags"] = c.flags
		b.command(t, "add_stream", dict{"stream_id": 1, "stream": s})
		b.command(t, "start_traffic", start)
		b.until(b.clock + time.Second)
		want := unhex(t, c.want)
		if n := len(want) - c.trailer; len(got) != len(want) || !bytes.Equal(got[:n], want[:n]) {
			t.Errorf("%s: on the wire\n%x, recorded\n%x", c.name, got, want)
		}
	}
}

// A counted packet's checksums are right, of whatever protocol and length, and a checksum that was left out stays so.
func TestChecksumsOfCountedPackets(t *testing.T) {
	for _, rule := range []string{"stats", "latency"} {
		for _, proto := range []layers.IPProtocol{layers.IPProtocolTCP, layers.IPProtocolUDP} {
			for _, payload := range []int{16, 17, 1000} {
				ip := &layers.IPv4{Version: 4, IHL: 5, TTL: 64, Protocol: proto, SrcIP: net.IP{16, 0, 0, 1},
					DstIP: net.IP{48, 0, 0, 1}}
				udp := &layers.UDP{SrcPort: 1025, DstPort: 12}
				tcp := &layers.TCP{SrcPort: 1025, DstPort: 12, ACK: true}
				udp.SetNetworkLayerForChecksum(ip)
				tcp.SetNetworkLayerForChecksum(ip)
				var transport gopacket.SerializableLayer = udp
				if proto == layers.IPProtocolTCP {
					transport = tcp
				}
				packet := gopacket.NewSerializeBuffer()
				if err := gopacket.SerializeLayers(packet,
					gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true},
					&layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: make(net.HardwareAddr, 6),
						EthernetType: layers.EthernetTypeIPv4},
					ip, transport, gopacket.Payload(bytes.Repeat([]byte{0x5a}, payload))); err != nil {
					t.Fatal(err)
				}
				b := newBench()
				b.owner(t)
				sent := 0
				b.cables[0].lose = func(f []byte) bool {
					sent++
					p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
					p.Layers()[2].(interface {
						SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
					}).SetNetworkLayerForChecksum(p.NetworkLayer())
					if err, wrong := p.VerifyChecksums(); err != nil || len(wrong) > 0 {
						t.Errorf("%s, %v of %d B: checksums %v %v", rule, proto, payload, err, wrong)
					}
					return false
				}
				b.command(t, "add_stream", dict{"stream_id": 1,
					"stream": burst(packet.Bytes(), 3, 100, dict{"enabled": true, "stream_id": 5, "rule_type": rule})})
				b.command(t, "start_traffic", start)
				b.until(b.clock + time.Second)
				if sent != 3 {
					t.Errorf("%d packets, want 3", sent)
				}
			}
		}
	}
	b := unhex(t, udp80)
	fixTransport(b[ethernetHeader:])
	if !bytes.Equal(b, unhex(t, udp80)) {
		t.Errorf("a checksum that was left out was written: %x", b)
	}
}

// Whatever is lost, late or repeated on the way is counted so, and nothing else is.
func TestLossAndOrderAreCounted(t *testing.T) {
	b := newBench()
	b.owner(t)
	const packets = 1000
	b.command(t, "add_stream", dict{"stream_id": 1, "stream": burst(unhex(t, udp80), packets, 10_000,
		dict{"enabled": true, "stream_id": 5, "rule_type": "latency"})})
	random := rand.New(rand.NewPCG(1, 2))
	for run := range 2 { // the counters go on from the first run to the second
		var lost, late, repeated uint64
		var held []byte
		b.cables[0].lose = func(f []byte) bool {
			switch n := random.IntN(20); {
			case n == 0:
				lost++
				return true
			case n == 1 && held == nil: // overtaken by the packet that goes through next
				held = bytes.Clone(f)
				return true
			case n == 2:
				repeated++
				b.ports[1].receive(f, 0)
				return false
			case held != nil:
				late++
				b.ports[1].receive(f, 0)
				b.ports[1].receive(held, 0)
				held = nil
				return true
			}
			return false
		}
		before := b.stats(t)
		b.command(t, "start_traffic", start)
		b.until(b.clock + time.Second)
		b.stop(t)
		if held != nil {
			lost++
		}
		after := b.stats(t)
		got := after.minus(before)
		// Of the packets lost at the end of a run nobody learns from the numbers.
		if got.late != late || got.sent != packets || got.received != packets-lost+repeated ||
			got.repeated != repeated || got.lost > lost || got.lost+3 < lost {
			t.Errorf("run %d: %+v, want %d late, %d repeated and about %d lost of %d", run, got, late, repeated, lost,
				packets)
		}
	}
}

type flowTotals struct{ sent, received, lost, late, repeated uint64 }

func (a flowTotals) minus(b flowTotals) flowTotals {
	return flowTotals{a.sent - b.sent, a.received - b.received, a.lost - b.lost, a.late - b.late,
		a.repeated - b.repeated}
}

// stats are the counters of group 5.
func (b *bench) stats(t *testing.T) flowTotals {
	var r struct {
		Flows map[string]map[string]map[string]float64  `json:"flow_stats"`
		Lat   map[string]struct{ Er map[string]uint64 } `json:"latency"`
	}
	if err := json.Unmarshal(encode(b.ask(t, "get_pgid_stats", dict{"pgids": []int{5}})), &r); err != nil {
		t.Fatal(err)
	}
	er := r.Lat["5"].Er
	return flowTotals{uint64(r.Flows["5"]["tp"]["0"]), uint64(r.Flows["5"]["rp"]["1"]), er["drp"], er["ooo"], er["dup"]}
}

// Numbers of packets against the definition of RFC 4737, by a slow way.
func TestOrderAgainstItsDefinition(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var numbers []uint32
		for n := range uint32(50) {
			if random.IntN(8) > 0 {
				numbers = append(numbers, n)
			}
		}
		for range random.IntN(6) { // move some back
			i := random.IntN(len(numbers))
			n := numbers[i]
			numbers = append(numbers[:i], numbers[i+1:]...)
			at := min(len(numbers), i+2+random.IntN(5))
			numbers = append(numbers[:at], append([]uint32{n}, numbers[at:]...)...)
		}
		var o order
		var late uint64
		for i, n := range numbers {
			o.add(n)
			for _, before := range numbers[:i] {
				if before > n {
					late++
					break
				}
			}
		}
		// The last number seen ends what can be known to be lost.
		if o.late+o.repeated != late || o.lost != uint64(o.next)-uint64(len(numbers)) {
			t.Errorf("%v: %+v, want %d late and %d lost", numbers, o, late, int(o.next)-len(numbers))
		}
	}
}

// A field engine's variables go through their range, and the header's checksum stays right.
func TestFieldEngine(t *testing.T) {
	for _, c := range []struct {
		op    string
		first uint64
		want  []byte // last byte of the source address
	}{
		{"inc", 2, []byte{2, 3, 4, 1, 2, 3}},
		{"dec", 2, []byte{2, 1, 4, 3, 2, 1}},
	} {
		b := newBench()
		b.owner(t)
		var got []byte
		b.cables[0].lose = func(f []byte) bool {
			got = append(got, f[29])
			var sum uint32
			for i := 14; i < 34; i += 2 {
				sum += uint32(binary.BigEndian.Uint16(f[i:]))
			}
			if sum>>16+sum&0xffff != 0xffff {
				t.Errorf("header checksum is wrong in %x", f)
			}
			return false
		}
		b.command(t, "add_stream", dict{"stream_id": 1, "stream": burst(unhex(t, udp), len(c.want), 1000,
			dict{"enabled": false},
			dict{"type": "flow_var", "name": "a", "size": 1, "op": c.op, "init_value": c.first, "min_value": 1,
				"max_value": 4, "step": 1},
			dict{"type": "write_flow_var", "name": "a", "pkt_offset": 29, "add_value": 0, "is_big_endian": true},
			dict{"type": "fix_checksum_ipv4", "pkt_offset": 14})})
		b.command(t, "start_traffic", start)
		b.until(b.clock + time.Second)
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s", c.op, d)
		}
	}
}

// Packets are due where the stream's rate puts them, also after a change of the rate, and a busy machine delays them
// but loses none.
func TestPacketsAreDueByTheRate(t *testing.T) {
	b := newBench()
	b.owner(t)
	s := burst(unhex(t, udp), 1, 1000, dict{"enabled": false})
	s["mode"] = dict{"type": "continuous", "rate": dict{"type": "pps", "value": 1000}}
	b.command(t, "add_stream", dict{"stream_id": 1, "stream": s})
	b.command(t, "start_traffic", start)
	sent := func() uint64 { return b.ports[0].tx.packets }
	b.until(b.clock + 500*time.Millisecond)
	if sent() != 501 {
		t.Errorf("%d packets in half a second of 1000 pps, want 501", sent())
	}
	b.command(t, "update_traffic", dict{"mul": dict{"type": "pps", "op": "abs", "value": 2000}, "force": false})
	b.until(b.clock + 500*time.Millisecond)
	if sent() != 1501 {
		t.Errorf("%d packets after half a second of 2000 pps more, want 1501", sent())
	}
	b.clock += 500 * time.Millisecond // the machine slept
	b.until(b.clock + 2*time.Millisecond)
	if sent() != 2505 {
		t.Errorf("%d packets after 0.502 s more, want 2505", sent())
	}
}

// serve runs a bench's server on loopback.
func (b *bench) serve(t *testing.T) (rpc, pub string) {
	t.Helper()
	var listeners [2]net.Listener
	for i := range listeners {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners[i] = l
	}
	began := time.Now()
	b.Server.now = func() time.Duration { return time.Since(began) }
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(ctx, listeners[0], listeners[1]) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return listeners[0].Addr().String(), listeners[1].Addr().String()
}

// As with the original, a client that vanishes leaves its port acquired and its traffic running: the same user and
// session gets the port back, another one needs force. Meanwhile everybody is answered.
func TestClientsComeAndGo(t *testing.T) {
	rpc, _ := newBench().serve(t)
	dial := func(session uint32) *trex.Client {
		c, err := trex.Dial(t.Context(), trex.Options{Addr: rpc, User: "a", Session: session})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	first, second := dial(1), dial(2)
	if _, err := first.Acquire(t.Context(), 0, false); err != nil {
		t.Fatal(err)
	}
	first.Close()
	if _, err := second.Acquire(t.Context(), 0, false); err == nil ||
		!strings.Contains(err.Error(), "already owned by another session of 'a'") {
		t.Errorf("another session acquires: %v", err)
	}
	again := dial(1)
	port, err := again.Acquire(t.Context(), 0, false)
	if err != nil {
		t.Errorf("the same session comes back: %v", err)
	}
	if _, err := second.Acquire(t.Context(), 0, true); err != nil {
		t.Errorf("by force: %v", err)
	}
	if err := port.Release(t.Context()); err == nil || !strings.Contains(err.Error(), "not owned by you") {
		t.Errorf("the one who lost the port releases it: %v", err)
	}
	// One who connects and says nothing, and one who speaks something else, keep nobody from being answered.
	for _, hello := range []string{"", "GET / HTTP/1.1\r\n\r\n"} {
		tcp, err := net.Dial("tcp", rpc)
		if err != nil {
			t.Fatal(err)
		}
		defer tcp.Close()
		tcp.Write([]byte(hello))
	}
	if _, err := second.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Whoever takes connections and says nothing keeps others waiting for a while, and the server no longer than that.
func TestClientsAreLimited(t *testing.T) {
	b := newBench()
	b.idle = 300 * time.Millisecond
	rpc, _ := b.serve(t)
	dial := func() (net.Conn, error) {
		tcp, err := net.Dial("tcp", rpc)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tcp.Close() })
		tcp.SetDeadline(time.Now().Add(20 * time.Second))
		_, err = zmtp.Handshake(tcp, zmtp.REQ)
		return tcp, err
	}
	idle, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := idle.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("an idle client reads %d bytes, %v; want its connection closed", n, err)
	}
	b2 := newBench()
	rpc, _ = b2.serve(t)
	var all []net.Conn
	for range maxConns {
		tcp, err := dial()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tcp)
	}
	if _, err := dial(); err == nil {
		t.Errorf("connection %d is served", maxConns+1)
	}
	all[0].Close()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := dial(); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("after one has gone: %v", err)
		}
	}
}

// A subscriber gets the counters, compressed, and is told at once that there are events.
func TestPublisher(t *testing.T) {
	rpc, pub := newBench().serve(t)
	tcp, err := net.Dial("tcp", pub)
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	tcp.SetDeadline(time.Now().Add(20 * time.Second))
	sub, err := zmtp.Handshake(tcp, zmtp.SUB)
	if err != nil {
		t.Fatal(err)
	}
	if err := sub.Send([]byte{1}); err != nil {
		t.Fatal(err)
	}
	next := func() string {
		frames, err := sub.Recv()
		if err != nil || len(frames) != 1 {
			t.Fatal(frames, err)
		}
		body, packed, err := trex.Unpack(frames[0], 1<<20)
		if err != nil || packed != (len(body) >= compressFrom) {
			t.Fatalf("%q, compressed %v, %v", body, packed, err)
		}
		return string(body)
	}
	if m := next(); !strings.Contains(m, `"name":"trex-global"`) || !strings.Contains(m, `"opackets-1":0`) {
		t.Errorf("published %s", m)
	}
	c, err := trex.Dial(t.Context(), trex.Options{Addr: rpc})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Acquire(t.Context(), 0, false); err != nil {
		t.Fatal(err)
	}
	for next() != "{}" { // or the deadline ends it
	}
}

// A client's shutdown ends Serve.
func TestShutdown(t *testing.T) {
	b := newBench()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- b.Serve(t.Context(), l, nil) }()
	c, err := trex.Dial(t.Context(), trex.Options{Addr: l.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Call(t.Context(), "shutdown", trex.Params{"user": "a", "force": false}, nil); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Whatever a client sends is answered with one line of JSON, and the server lives.
func FuzzHandle(f *testing.F) {
	for i, r := range sessions(f) {
		if b := r.wire(f); i%10 == 0 && len(b) < 2000 || r.Hex != nil {
			f.Add(b)
		}
	}
	b := newBench()
	f.Fuzz(func(t *testing.T, message []byte) {
		b.Server = newServer(b.Server.now, []Device{b.cables[0], b.cables[1]})
		b.cables[0].to, b.cables[1].to = b.ports[1], b.ports[0]
		b.handle, b.token = "LkxKmeqc", func() string { return "42QL30a7" }
		b.ports[0].handler = "42QL30a7"
		body, _, err := trex.Unpack(b.Handle(message), maxUnpacked)
		if err != nil || !json.Valid(body) || !bytes.HasSuffix(body, []byte("\n")) {
			t.Errorf("%q is answered %q, %v", message, body, err)
		}
		b.until(b.clock + 10*time.Millisecond)
	})
}
