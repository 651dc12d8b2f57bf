//go:build doca && standin

package doca

import (
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/hw/switchtest"
)

// full has the tests do what the figures are for: two million moves, a million rules. It takes some seconds.
var full = os.Getenv("DOCA_FULL") != ""

// bench is the stand-in's card with its ports wired to a test.
type bench struct {
	cfg  Config
	out  map[string]chan []byte
	up   chan []byte // what the kernel shows on the uplink
	gone chan struct{}
}

func newBench(t *testing.T) *bench {
	newCard()
	countersEvery(20) // rather than every half second
	b := &bench{cfg: Config{PCI: "03:00.0", Representors: "vf0-6", Uplink: "p0", Sink: "vf6", Rules: 2048},
		out: map[string]chan []byte{}}
	for _, p := range []string{"p0", "vf0", "vf1", "vf2", "vf3", "vf4", "vf5", "vf6"} {
		b.out[p] = make(chan []byte, 4096)
		if p != "p0" {
			b.cfg.Ports = append(b.cfg.Ports, p)
		}
	}
	b.wire(&b.cfg)
	checkAfter(t)
	return b
}

// checkAfter looks, after a test, whether the driver kept to the SDK's rules and has given everything back.
func checkAfter(t *testing.T) {
	t.Cleanup(func() {
		if m := misuse(); m != "" {
			t.Errorf("the SDK's rules were broken: %s", m)
		}
		if n := objects(); n != 0 {
			t.Errorf("%d objects of the SDK were not given back", n)
		}
	})
}

type device struct {
	b    *bench
	name string
	up   chan []byte
	gone chan struct{}
}

// wire has a driver use the bench's devices.
func (b *bench) wire(c *Config) {
	c.Reader = func(name string) (io.ReadCloser, error) { return b.device(name), nil }
	c.Writer = func(name string) (io.WriteCloser, error) { return b.device(name), nil }
}

func (b *bench) device(name string) *device {
	d := &device{b: b, name: name, gone: make(chan struct{})}
	if name == b.cfg.Uplink {
		b.up, b.gone = make(chan []byte, 4096), d.gone
		d.up = b.up
	}
	return d
}

func (d *device) Read(p []byte) (int, error) {
	select {
	case f := <-d.up:
		return copy(p, f), nil
	case <-d.gone:
		return 0, io.EOF
	}
}

func (d *device) Write(p []byte) (int, error) {
	d.b.out[d.name] <- slices.Clone(p)
	return len(p), nil
}

func (d *device) Close() error {
	close(d.gone)
	return nil
}

func (b *bench) ports() []string { return append([]string{b.cfg.Uplink}, b.cfg.Ports...) }

// send has a frame come in at a port.
func (b *bench) send(port string, frame []byte) error {
	at := slices.Index(b.ports(), port)
	switch v := receive(at, frame); {
	case v.kind == toPort:
		b.out[b.ports()[v.port]] <- frame
	case v.kind == toKernel && port == b.cfg.Uplink:
		select {
		case b.up <- frame:
		case <-b.gone:
		}
	}
	return nil
}

func TestSwitch(t *testing.T) {
	for _, way := range []struct {
		name    string
		inPlace bool
		pace    int
	}{{"moves=remove-and-add", false, 0}, {"moves=remove-and-add,completions=one-by-one", false, 1},
		{"moves=in-place", true, 0}} {
		t.Run(way.name, func(t *testing.T) {
			if way.inPlace && release() == 302 {
				b := newBench(t)
				b.cfg.MoveInPlace = true
				if _, err := Open(b.cfg); err == nil || !strings.Contains(err.Error(), "in place") {
					t.Fatalf("Open with MoveInPlace on 3.2: %v, want that it says why not", err)
				}
				return
			}
			switchtest.Run(t, func(t *testing.T) *switchtest.Bench {
				b := newBench(t)
				b.cfg.MoveInPlace = way.inPlace
				completeAtMost(way.pace)
				return &switchtest.Bench{
					Uplink: "p0", Sink: "vf6", Ports: [6]string(b.cfg.Ports[:6]), Volatile: true,
					Open: func(bool) (hw.Switch, error) { return Open(b.cfg) },
					Send: b.send,
					Out:  func(port string) <-chan []byte { return b.out[port] },
					Room: func(n int) error { limitEntries(entries() + n); return nil },
				}
			})
		})
	}
}

func open(t testing.TB, cfg Config) *Switch {
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*Switch)
}

func tuple(n int) flow.FiveTuple {
	return flow.FiveTuple{Src: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}),
		Dst:     netip.AddrFrom4([4]byte{10, 255, 0, 1}),
		SrcPort: 1000, DstPort: 80, Proto: flow.UDP}
}

// install puts rules for flows 0 to n-1 in force, which lead nowhere.
func install(t testing.TB, s *Switch, n int) {
	t.Helper()
	s.Install(rulesTo(1, n)...)
	answers(t, s, n, hw.Confirmed)
}

// answers reads n answers and wants each to be of a kind.
func answers(t testing.TB, s *Switch, n int, kind hw.EventKind) {
	t.Helper()
	for k := 0; k < n; k++ {
		if e := <-s.Events(); e.Kind != kind {
			t.Fatalf("answer %d of %d: %v, %q; want %v", k+1, n, e.Kind, e.Reason, kind)
		}
	}
}

func frame(n int) []byte {
	f := make([]byte, 60)
	f[12], f[13], f[14], f[23] = 8, 0, 0x45, byte(flow.UDP)
	src, dst := tuple(n).Src.As4(), tuple(n).Dst.As4()
	copy(f[26:], src[:])
	copy(f[30:], dst[:])
	binary.BigEndian.PutUint16(f[34:], tuple(n).SrcPort)
	binary.BigEndian.PutUint16(f[36:], tuple(n).DstPort)
	return f
}

// Rules move at random under traffic whose counters are current: no packet is lost from the books, no entry is left.
func TestMovesLoseNothing(t *testing.T) {
	moves := 20_000
	if full {
		moves = 2_000_000
	}
	b := newBench(t)
	countersEvery(0)
	s := open(t, b.cfg)
	ctx := context.Background()
	for i := flow.Instance(1); i <= 3; i++ {
		if err := s.Attach(ctx, i, hw.Ports{In: b.cfg.Ports[2*i-2], Out: b.cfg.Ports[2*i-1]}); err != nil {
			t.Fatal(err)
		}
	}
	const flows = 500
	before := entries()
	for f := range flows {
		s.Install(hw.Rule{Flow: flow.ID(f), Tuple: tuple(f), Instance: 1})
	}
	answers(t, s, flows, hw.Confirmed)
	r := rand.New(rand.NewPCG(1, 2))
	at := make([]flow.Instance, flows)
	for f := range at {
		at[f] = 1
	}
	perFlow, perInstance := make([]uint64, flows), make([]uint64, 4)
	for n := 0; n < moves; n += flows {
		var batch []hw.Move
		for f := range flows {
			for range r.IntN(3) {
				if v := receive(0, frame(f)); v.kind != toPort || v.port != int(2*at[f]-1) {
					t.Fatalf("flow %d at instance %d: its frame goes to %+v", f, at[f], v)
				}
				perFlow[f]++
				perInstance[at[f]]++
			}
			at[f] = flow.Instance(1 + r.IntN(3))
			batch = append(batch, hw.Move{Flow: flow.ID(f), Instance: at[f]})
		}
		refreshCounters()
		s.Move(batch...)
		answers(t, s, flows, hw.Confirmed)
	}
	refreshCounters()
	rules, err := s.Rules(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for f, q := range rules.Rules {
		if q.Packets != perFlow[f] || q.Instance != at[f] {
			t.Fatalf("flow %d: %d packets at instance %d; want %d at %d", f, q.Packets, q.Instance, perFlow[f], at[f])
		}
	}
	counters, err := s.Counters(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counters.Counters {
		if c.RxPackets != perInstance[c.Instance] {
			t.Errorf("instance %d was charged with %d packets, want %d", c.Instance, c.RxPackets,
				perInstance[c.Instance])
		}
	}
	if n := entries() - before; n != flows {
		t.Errorf("%d entries for %d rules", n, flows)
	}
}

// A hundred thousand rules come and go, ten times: neither the SDK's memory nor Go's grows.
func TestRoundsLeaveNothing(t *testing.T) {
	rounds, n := 4, 10_000
	if full {
		rounds, n = 10, 100_000
	}
	b := newBench(t)
	b.cfg.Rules = n
	s := open(t, b.cfg)
	rules := rulesTo(1, n)
	var first uint64
	var left int
	for k := range rounds {
		cycle(t, s, rules, func(string) {})
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if k == 1 {
			first, left = m.HeapAlloc, objects()
		}
		if k > 1 && (m.HeapAlloc > first+first/4+1<<20 || objects() != left) {
			t.Fatalf("round %d: %d B in Go's heap after %d B, %d objects of the SDK after %d", k, m.HeapAlloc, first,
				objects(), left)
		}
	}
}

// cycle installs n rules, reads them and removes them, and says what each took.
func cycle(t testing.TB, s *Switch, rules []hw.Rule, each func(what string)) {
	ids := make([]flow.ID, len(rules))
	for f, r := range rules {
		ids[f] = r.Flow
	}
	s.Install(rules...)
	answers(t, s, len(rules), hw.Confirmed)
	each("install")
	if got, err := s.Rules(context.Background()); err != nil || len(got.Rules) != len(rules) {
		t.Fatalf("%d rules in force, %v; want %d", len(got.Rules), err, len(rules))
	}
	each("query")
	s.Remove(ids...)
	answers(t, s, len(rules), hw.Confirmed)
	each("remove")
}

func rulesTo(i flow.Instance, n int) []hw.Rule {
	rules := make([]hw.Rule, n)
	for f := range rules {
		rules[f] = hw.Rule{Flow: flow.ID(f), Tuple: tuple(f), Instance: i}
	}
	return rules
}

// BenchmarkRule measures what a rule costs: installed, read, removed, in batches as large as the queue allows. Of each,
// the time that the stand-in itself took stands apart, since on a card that is the SDK's; the rest is the driver's,
// with its reader's.
func BenchmarkRule(b *testing.B) {
	for _, n := range []int{1000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			newCard()
			cfg := Config{PCI: "03:00.0", Representors: "vf0", Uplink: "p0", Ports: []string{"vf0"}, Rules: n}
			wires := &bench{cfg: cfg}
			wires.wire(&cfg)
			s := open(b, cfg)
			rules := rulesTo(1, n)
			spent()
			driver := map[string]time.Duration{}
			var sdk time.Duration
			for b.Loop() {
				begun, before := time.Now(), spent()
				cycle(b, s, rules, func(what string) {
					now, in := time.Now(), spent()-before
					driver[what] += now.Sub(begun) - in
					sdk += in
					begun, before = now, before+in
				})
			}
			each := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(b.N) / float64(n) }
			for what, took := range driver {
				b.ReportMetric(each(took), what+"-µs/rule")
			}
			b.ReportMetric(each(sdk), "stand-in-µs/rule")
			b.ReportMetric(each(b.Elapsed()), "all-µs/rule")
		})
	}
}
