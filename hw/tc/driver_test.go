package tc

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/internal/needs"
)

func open(t testing.TB, c Config) *Driver {
	t.Helper()
	d, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func tupleOf(n int) flow.FiveTuple {
	return flow.FiveTuple{Src: netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}),
		Dst:     netip.AddrFrom4([4]byte{10, 255, 0, 1}),
		SrcPort: 1000, DstPort: 80, Proto: flow.UDP}
}

func ruleOf(n int, i flow.Instance) hw.Rule {
	return hw.Rule{Flow: flow.ID(n), Tuple: tupleOf(n), Instance: i}
}

func attach(t testing.TB, d *Driver, instances ...flow.Instance) {
	t.Helper()
	for _, i := range instances {
		if err := d.Attach(context.Background(), i, hw.Ports{In: devices[2*i-1], Out: devices[2*i]}); err != nil {
			t.Fatal(err)
		}
	}
}

// answers reads n answers and wants each to be of a kind. It returns the last.
func answers(t testing.TB, d *Driver, n int, kind hw.EventKind) (e hw.Event) {
	t.Helper()
	for k := range n {
		if e = <-d.Events(); e.Kind != kind {
			t.Fatalf("answer %d of %d: %v, %q; want %v", k+1, n, e.Kind, e.Reason, kind)
		}
	}
	return e
}

// count is how many filters a device has.
func (k *fakeKernel) count(port string) (n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.filters {
		if k.ports[f.Ifindex-1] == port {
			n++
		}
	}
	return n
}

func TestTheKernelsWordsAreTheReason(t *testing.T) {
	k := newFakeKernel(true, devices...)
	d := open(t, k.config())
	attach(t, d, 1)
	if err := d.Install(ruleOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Confirmed)
	k.mu.Lock()
	k.refuse = "TC offload is disabled on net device"
	k.mu.Unlock()
	ctx := context.Background()
	if err := errors.Join(d.Install(ruleOf(2, 1)), d.Move(hw.Move{Flow: 1})); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if e := answers(t, d, 1, hw.Rejected); !strings.Contains(e.Reason, k.refuse) {
			t.Errorf("rejected because %q, want %q", e.Reason, k.refuse)
		}
	}
	if err := d.Attach(ctx, 2, hw.Ports{In: "vf2", Out: "vf3"}); err == nil ||
		!strings.Contains(err.Error(), "instance 2 at vf3") || !strings.Contains(err.Error(), k.refuse) {
		t.Errorf("attached with %v", err)
	}
	if r, err := d.Rules(ctx); err != nil || len(r.Rules) != 1 || r.Rules[0].Instance != 1 {
		t.Errorf("rules %+v, %v; want that of flow 1, where it was", r.Rules, err)
	}
	if _, err := d.Detach(ctx, 1); err == nil {
		t.Error("detached although its rule cannot be made to drop")
	}
	k.mu.Lock()
	k.refuse = ""
	k.mu.Unlock()
	if _, err := d.Detach(ctx, 1); err != nil {
		t.Error(err)
	}
}

func TestOpenKeepsOffOthersFilters(t *testing.T) {
	k := newFakeKernel(true, devices...)
	if err := k.foreign("p0", "vf0", 11); err != nil {
		t.Fatal(err)
	}
	_, err := Open(k.config())
	if err == nil || !strings.Contains(err.Error(), "p0 has 1 filters of somebody else at pref 10 or 11") {
		t.Errorf("Open: %v", err)
	}
	c := k.config()
	c.Pref = 12
	d := open(t, c)
	attach(t, d, 1)
	if err := d.Install(ruleOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Confirmed)

	// A second uplink, with the same pref.
	other := c
	other.Uplink, other.Sink = "vf5", "vf5"
	d2 := open(t, other)
	d2.Close()
	if err := RemoveAll(other); err != nil {
		t.Fatal(err)
	}
	if n := k.count("p0") + k.count("vf1"); n != 3 {
		t.Errorf("%d filters, want somebody's, a rule and an output", n)
	}
	d.Close()
	if err := RemoveAll(c); err != nil {
		t.Fatal(err)
	}
	if n := k.count("p0") + k.count("vf1"); n != 1 {
		t.Errorf("%d filters after RemoveAll, want somebody's", n)
	}
}

// An output's filter that somebody removes is put back, and its counter goes on; one whose port has gone does not keep
// the next run from adopting the rest.
func TestOutputsAreMended(t *testing.T) {
	k := newFakeKernel(true, devices...)
	d := open(t, k.config())
	attach(t, d, 1)
	out := func(want uint64) {
		t.Helper()
		if err := k.packet("vf1", make([]byte, 60)); err != nil {
			t.Fatal(err)
		}
		r, err := d.Counters(context.Background())
		if err != nil || len(r.Counters) != 1 || r.Counters[0].TxPackets != want {
			t.Errorf("counters %+v, %v; want %d packets", r.Counters, err, want)
		}
	}
	out(1)
	f := d.output(1, d.instances[1])
	if err := k.request(f.remove()); err != nil {
		t.Fatal(err)
	}
	out(1) // that packet met no filter
	out(2)
	d.Close()

	k.mu.Lock()
	k.filters[0].action = output.actionOf(label{kind: kindOutput, uplink: 1, a: 1, b: 99})
	k.mu.Unlock()
	c := k.config()
	c.Adopt = true
	d = open(t, c)
	if r, err := d.Counters(context.Background()); err != nil || len(r.Counters) != 0 || k.count("vf1") != 0 {
		t.Errorf("adopted %+v, %v, %d filters; want nothing", r.Counters, err, k.count("vf1"))
	}
}

// actionOf is the action of a filter with another label, as the fake keeps it.
func (f filter) actionOf(l label) []syscall.NetlinkRouteAttr {
	f.label = l
	k := newFakeKernel(f.skipSW, slices.Repeat([]string{"any"}, 20)...)
	if err := k.request(f.add()); err != nil {
		panic(err)
	}
	return k.filters[0].action
}

// A socket that breaks ends the driver: it says so, and nobody waits for it.
func TestABrokenSocketEndsTheDriver(t *testing.T) {
	k := newFakeKernel(true, devices...)
	d := open(t, k.config())
	attach(t, d, 1)
	k.mu.Lock()
	k.broken = unix.ENOBUFS
	k.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := d.Counters(ctx); !errors.Is(err, unix.ENOBUFS) && !errors.Is(err, hw.ErrClosed) {
		t.Errorf("Counters: %v", err)
	}
	if e := answers(t, d, 1, hw.Lost); !strings.Contains(e.Reason, unix.ENOBUFS.Error()) {
		t.Errorf("lost because %q", e.Reason)
	}
	for range d.Events() {
	}
	if err := d.Install(ruleOf(1, 1)); !errors.Is(err, hw.ErrClosed) {
		t.Errorf("Install: %v", err)
	}
}

// An uplink that has gone ends the driver, which says so. Its rules have not been removed by anybody.
func TestAnUplinkThatHasGoneEndsTheDriver(t *testing.T) {
	k := newFakeKernel(true, devices...)
	d := open(t, k.config())
	attach(t, d, 1)
	if err := d.Install(ruleOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Confirmed)
	if err := k.unplug("p0"); err != nil {
		t.Fatal(err)
	}
	uplinkIsGone(t, d)
}

// uplinkIsGone wants a driver to find that p0 has gone, and nothing else before it ends.
func uplinkIsGone(t *testing.T, d *Driver) {
	t.Helper()
	const gone = "network device p0 is gone"
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := d.Counters(ctx); err == nil || !errors.Is(err, hw.ErrClosed) && !strings.Contains(err.Error(), gone) {
		t.Errorf("Counters: %v, want an error that says %q", err, gone)
	}
	for _, kind := range []hw.EventKind{hw.PortGone, hw.Lost} {
		if e := answers(t, d, 1, kind); e.Instance != 0 || e.Reason != gone {
			t.Errorf("%v of instance %d, %q: want %q, of none", kind, e.Instance, e.Reason, gone)
		}
	}
	if e, open := <-d.Events(); open {
		t.Errorf("%v, %q after the driver has ended", e.Kind, e.Reason)
	}
}

// Rules move at random under traffic: no packet is lost from the books, no filter is left.
func TestMovesLoseNothing(t *testing.T) {
	k := newFakeKernel(true, devices...)
	d := open(t, k.config())
	attach(t, d, 1, 2, 3)
	const flows = 200
	var perFlow [flows]uint64
	var perInstance [4]uint64
	var at [flows]flow.Instance
	for f := range flows {
		at[f] = 1
		if err := d.Install(ruleOf(f, 1)); err != nil {
			t.Fatal(err)
		}
	}
	answers(t, d, flows, hw.Confirmed)
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		var moves []hw.Move
		for f := range flows {
			for range r.IntN(3) {
				if err := k.packet("p0", frameOf(f)); err != nil {
					t.Fatal(err)
				}
				<-k.out[devices[2*at[f]-1]]
				perFlow[f]++
				perInstance[at[f]]++
			}
			at[f] = flow.Instance(1 + r.IntN(3))
			moves = append(moves, hw.Move{Flow: flow.ID(f), Instance: at[f]})
		}
		if err := d.Move(moves...); err != nil {
			t.Fatal(err)
		}
		answers(t, d, flows, hw.Confirmed)
	}
	rules, err := d.Rules(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for f, q := range rules.Rules {
		if q.Packets != perFlow[f] || q.Instance != at[f] {
			t.Fatalf("flow %d: %d packets at instance %d; want %d at %d", f, q.Packets, q.Instance, perFlow[f], at[f])
		}
	}
	counters, err := d.Counters(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range counters.Counters {
		if c.RxPackets != perInstance[c.Instance] {
			t.Errorf("instance %d was charged with %d packets, want %d", c.Instance, c.RxPackets,
				perInstance[c.Instance])
		}
	}
	if n := k.count("p0"); n != flows {
		t.Errorf("%d filters for %d rules", n, flows)
	}
}

func frameOf(n int) []byte {
	f := make([]byte, 60)
	f[12], f[13], f[14], f[23] = 8, 0, 0x45, flow.UDP
	t := tupleOf(n)
	copy(f[26:], t.Src.AsSlice())
	copy(f[30:], t.Dst.AsSlice())
	copy(f[34:], big16(t.SrcPort))
	copy(f[36:], big16(t.DstPort))
	return f
}

// In software the packet socket shows what has met a rule, too, and is read late on a busy machine. What comes up are
// the packets that came while their flow had no rule, whatever has become of it since, and those that came right before
// its rule was taken away, which may have met it or not: none is lost, and none that a rule has forwarded for certain
// comes up besides.
func TestPacketsComeUpByTheTimeOfTheirArrival(t *testing.T) {
	k := newFakeKernel(false, devices...)
	d := open(t, k.config())
	attach(t, d, 1)
	var late []arrival
	came := func(what byte) { // at a time of its own, however coarse the clock
		time.Sleep(time.Millisecond)
		f := frameOf(1)
		f[len(f)-1] = what
		late = append(late, arrival{f, time.Now()})
		time.Sleep(time.Millisecond)
	}
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		answers(t, d, 1, hw.Confirmed)
	}
	came('a')
	do(d.Install(ruleOf(1, 1)))
	came('B')
	do(d.Move(hw.Move{Flow: 1}))
	came('C')
	time.Sleep(onItsWay)
	came('d')
	do(d.Remove(1))
	came('e')
	do(d.Install(ruleOf(1, 1)))
	came('F')
	for _, a := range append(late, arrival{frameOf(2), time.Now()}) {
		k.up <- a
	}
	var up []byte
	for e := range d.Events() {
		if e.Tuple == tupleOf(2) { // the last
			break
		}
		up = append(up, e.Frame[len(e.Frame)-1])
	}
	if string(up) != "ade" {
		t.Errorf("%q came up, want %q: from before the rule, right before its removal, and between that and the next",
			up, "ade")
	}
	if n := len(d.steered.ended); n != 0 {
		t.Errorf("%d rules that have ended are remembered", n)
	}
}

// A rule that somebody has removed may have been gone since the reading that found it began.
func TestAReadingFindsARuleAtItsBeginning(t *testing.T) {
	k := newFakeKernel(false, devices...)
	d := open(t, k.config())
	attach(t, d, 1)
	if err := d.Install(ruleOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Confirmed)
	time.Sleep(2 * onItsWay) // so that the rule was in force for certain, for a while
	var found time.Time
	if err := d.do(context.Background(), func() error {
		k.onDump = func() {
			k.onDump, found = nil, time.Now()
			time.Sleep(2 * onItsWay) // a long reading
		}
		return d.settle()
	}); err != nil {
		t.Fatal(err)
	}
	if err := k.delete(ruleOf(1, 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Rules(context.Background()); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Ended)
	if d.steered.met(tupleOf(1), found) {
		t.Error("a packet that came while the rules were read is taken to have met one that may have been gone by then")
	}
}

// A rule is idle only when its counter has stood still for longer than the counter may be old.
func TestIdleTimeBeginsWithWhatTheCounterShows(t *testing.T) {
	c := newFakeKernel(true, devices...).config()
	c.CounterLag = time.Hour
	d := open(t, c)
	r := ruleOf(1, 0)
	r.Idle = time.Second
	if err := d.Install(r); err != nil {
		t.Fatal(err)
	}
	answers(t, d, 1, hw.Confirmed)
	for _, ago := range []time.Duration{2 * time.Second, time.Hour + time.Minute} {
		if err := d.do(context.Background(), func() error {
			d.flows[1].used = time.Now().Add(-ago)
			return d.look()
		}); err != nil {
			t.Fatal(err)
		}
		if rules, err := d.Rules(context.Background()); err != nil || len(rules.Rules) == 0 != (ago > time.Hour) {
			t.Errorf("%v after its counter stood still there are %d rules, %v", ago, len(rules.Rules), err)
		}
	}
	if e := answers(t, d, 1, hw.Ended); !e.Idle {
		t.Errorf("ended because %q", e.Reason)
	}
}

// yes is a kernel that does whatever it is asked, in no time and without a memory.
type yes struct {
	*fakeKernel
	fakeSocket
}

func (y *yes) dial() (socket, error) { return y, nil }

func (y *yes) send(b []byte) error {
	messages, err := syscall.ParseNetlinkMessage(b)
	for _, m := range messages {
		if m.Header.Type == unix.RTM_GETTFILTER && m.Header.Flags&unix.NLM_F_DUMP == unix.NLM_F_DUMP {
			y.answer(m, unix.NLMSG_DONE, unix.NLM_F_MULTI, make([]byte, 4))
			continue
		}
		y.answer(m, unix.NLMSG_ERROR, unix.NLM_F_CAPPED, make([]byte, 20))
	}
	return err
}

// BenchmarkInstallRemove is what the driver costs besides the kernel.
func BenchmarkInstallRemove(b *testing.B) {
	k := newFakeKernel(true, devices...)
	y := &yes{fakeKernel: k, fakeSocket: fakeSocket{k: k}}
	c := k.config()
	c.system = y
	d := open(b, c)
	// It would find that no rule is there.
	if err := d.do(context.Background(), func() error { d.looked = time.Now().Add(time.Hour); return nil }); err !=
		nil {
		b.Fatal(err)
	}
	const n = 1000
	rules, ids := make([]hw.Rule, n), make([]flow.ID, n)
	for f := range n {
		ids[f], rules[f] = flow.ID(f), ruleOf(f, 0)
	}
	for b.Loop() {
		if err := d.Install(rules...); err != nil {
			b.Fatal(err)
		}
		answers(b, d, n, hw.Confirmed)
		if err := d.Remove(ids...); err != nil {
			b.Fatal(err)
		}
		answers(b, d, n, hw.Confirmed)
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e6/float64(b.N)/n, "µs/rule")
}

func TestProbe(t *testing.T) {
	k := newFakeKernel(true, devices...)
	d := open(t, k.config())
	attach(t, d, 1)
	d.Close()
	before := k.count("p0")
	if p, err := Probe(k.config()); err != nil || !p.InHardware || p.Leftovers != 1 {
		t.Errorf("probed %+v, %v; want a card, and the output that the driver left", p, err)
	}
	if n := k.count("p0"); n != before {
		t.Errorf("%d filters after the probe, %d before", n, before)
	}
	k.refuse = "Requested priority is out of supported range"
	if _, err := Probe(k.config()); err == nil || !strings.Contains(err.Error(), k.refuse) {
		t.Errorf("probed with %v", err)
	}
	soft := newFakeKernel(false, devices...)
	if p, err := Probe(soft.config()); err != nil || p.InHardware {
		t.Errorf("probed %+v, %v; want no card", p, err)
	}
}

// The loopback device is no port of a card, and hands no filter to one.
func TestLoopbackIsNoCard(t *testing.T) {
	on, err := Offloads("lo")
	if errors.Is(err, unix.ENOENT) {
		needs.Kernel(t, "the kernel has no ethtool over netlink: "+err.Error())
	}
	if err != nil || on {
		t.Errorf("lo offloads: %v, %v", on, err)
	}
	if on, err := featureOn("lo", "loopback"); err != nil || !on {
		t.Errorf("lo is a loopback: %v, %v", on, err)
	}
	if _, err := Offloads("nowhere"); err == nil {
		t.Error("a device that is not there offloads or not")
	}
	if mode, err := EswitchMode("lo"); err == nil {
		t.Errorf("lo has an eSwitch in mode %q", mode)
	}
}
