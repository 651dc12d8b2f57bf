package kubernetes

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ipvs"
	"github.com/smartinco/smartinco/units"
)

func TestContract(t *testing.T) {
	affine := Options{Affinity: 2 * units.Second}
	others := map[string][]any{"kube-iptables": {affine}, "kube-nftables": {affine}}
	for _, s := range schedulers {
		others["kube-ipvs"] = append(others["kube-ipvs"], ipvsOptions{s, Options{}}, ipvsOptions{s, affine})
	}
	for _, row := range Policies {
		policytest.Run(t, row, others[row.Name]...)
	}
}

var schedulers = []string{"rr", "lc", "dh", "sh", "sed", "nq"}

func find(name string) *policy.Row { return policy.Table[policy.Row](Policies).Find(name) }

// world is a policy with instances 1, 2, 3 ... of unlike weights and limits, which say nothing.
type world struct {
	p    policy.Policy
	v    policy.View
	next flow.ID
}

func newWorld(t *testing.T, name string, options any, n int) *world {
	w := &world{p: policytest.New(t, find(name), options, 1)}
	for i := range n {
		w.join(flow.Instance(i + 1))
	}
	return w
}

func (w *world) join(id flow.Instance) {
	v := &w.v
	slot, _ := slices.BinarySearch(v.IDs, id)
	v.IDs, v.Flows = slices.Insert(v.IDs, slot, id), slices.Insert(v.Flows, slot, 0)
	v.Weight, v.MaxConn = slices.Insert(v.Weight, slot, int32(id)%3), slices.Insert(v.MaxConn, slot, 1)
	w.p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
}

func (w *world) leave(id flow.Instance) {
	v := &w.v
	slot, _ := slices.BinarySearch(v.IDs, id)
	w.p.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, v)
	v.IDs, v.Flows = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Flows, slot, slot+1)
	v.Weight, v.MaxConn = slices.Delete(v.Weight, slot, slot+1), slices.Delete(v.MaxConn, slot, slot+1)
}

// flow places a flow of a source, and says where and why.
func (w *world) flow(source string) (flow.Instance, uint8) {
	x := &policy.Work{Flow: w.next}
	x.Tuple = flow.FiveTuple{Src: netip.MustParseAddr(source), Dst: netip.MustParseAddr("10.0.0.1"), Proto: flow.TCP,
		SrcPort: uint16(w.next), DstPort: 80}
	w.next++
	a := w.p.Pick(x, &w.v, nil)
	x.At = w.v.IDs[a.Slot]
	w.v.Flows[a.Slot]++
	w.p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: x}, &w.v)
	return x.At, a.Why
}

// Three endpoints: what kube-proxy writes into the first two rules, and what the kernel compares.
func TestProbabilities(t *testing.T) {
	for _, c := range []struct {
		left      int
		written   string
		threshold uint32
	}{
		{3, "0.3333333333", 0x2AAAAAAB}, // which iptables-save prints as 0.33333333349
		{2, "0.5000000000", 0x40000000},
		{7, "0.1428571429", 306783378},
		{1000, "0.0010000000", 2147484},
	} {
		if got := probability(c.left); got != c.written || threshold(got) != c.threshold {
			t.Errorf("%d rules left: %s, %#x; want %s, %#x", c.left, got, threshold(got), c.written, c.threshold)
		}
	}
}

// given are random numbers of 32 bits.
type given []uint32

func (g *given) Uint64() uint64 {
	x := uint64((*g)[0]) << 32
	*g = (*g)[1:]
	return x
}

// A rule matches where the low 31 bits of its number are below the threshold; the last rule asks for none.
func TestTheChain(t *testing.T) {
	const third, half = 0x2AAAAAAB, 0x40000000
	for _, c := range []struct {
		draws given
		want  flow.Instance
	}{
		{given{third - 1}, 1},
		{given{1<<31 + third - 1}, 1},
		{given{third, half - 1}, 2},
		{given{third, 0}, 2},
		{given{third, half}, 3},
		{given{1<<31 - 1, 1<<32 - 1}, 3},
	} {
		draws := slices.Clone(c.draws)
		env := policy.Env{Rand: rand.New(&draws), Counts: make([]uint64, 1)}
		p, _ := iptablesRow.New(Options{}, env)
		v := &policy.View{IDs: []flow.Instance{1, 2, 3}}
		got := v.IDs[p.Pick(&policy.Work{}, v, nil).Slot]
		if got != c.want || len(draws) != 0 || int(env.Counts[0]) != len(c.draws) {
			t.Errorf("draws %#x: instance %d, %d left, %d counted; want instance %d", c.draws, got, len(draws),
				env.Counts[0], c.want)
		}
	}
}

func TestNumgen(t *testing.T) {
	for _, c := range []struct {
		random  uint32
		n, want int
	}{{0, 3, 0}, {0x55555555, 3, 0}, {0x55555556, 3, 1}, {0xAAAAAAAA, 3, 1}, {0xAAAAAAAB, 3, 2}, {1<<32 - 1, 3, 2},
		{1<<32 - 1, 1, 0}, {1 << 31, 1000, 500}} {
		if got := numgen(c.random, c.n); got != c.want {
			t.Errorf("%#x of %d: %d, want %d", c.random, c.n, got, c.want)
		}
	}
}

// Both modes that draw give all instances the same chance.
func TestDrawsAreUniform(t *testing.T) {
	const n, flows = 7, 70000
	for _, name := range []string{"kube-iptables", "kube-nftables"} {
		w := newWorld(t, name, Options{}, n)
		for range flows {
			w.flow("10.1.0.1")
		}
		const mean, p = flows / n, 1.0 / n
		for i, got := range w.v.Flows {
			if sigma := math.Sqrt(flows * p * (1 - p)); math.Abs(float64(got)-mean) > 5*sigma {
				t.Errorf("%s: instance %d has %d of %d flows, want about %d", name, i+1, got, flows, mean)
			}
		}
	}
}

// The flows of a source follow each other for the time of the option, which begins anew with each of them.
func TestAffinity(t *testing.T) {
	for _, name := range Policies {
		o := any(Options{10 * units.Second})
		if name.Name == "kube-ipvs" {
			o = ipvsOptions{"rr", Options{10 * units.Second}}
		}
		w := newWorld(t, name.Name, o, 50)
		first, why := w.flow("10.1.0.1")
		if why != chosen {
			t.Errorf("%s: the first flow of a source is remembered", name.Name)
		}
		for i := range 100 { // others come between
			w.flow(fmt.Sprintf("10.2.0.%d", i))
		}
		for range 5 {
			w.v.Now += 10*units.Second - 1
			if at, why := w.flow("10.1.0.1"); at != first || why != remembered {
				t.Errorf("%s: instance %d after %d, and reason %d", name.Name, at, first, why)
			}
		}
		w.v.Now += 10 * units.Second
		if _, why := w.flow("10.1.0.1"); why != chosen {
			t.Errorf("%s: remembered for too long", name.Name)
		}
	}
}

// An instance that leaves is forgotten, also when it is taken back.
func TestAffinityEndsWithItsInstance(t *testing.T) {
	w := newWorld(t, "kube-nftables", Options{units.Second}, 2)
	at, _ := w.flow("10.1.0.1")
	w.flow("10.1.0.2")
	w.leave(at)
	w.join(at)
	if _, why := w.flow("10.1.0.1"); why != chosen {
		t.Error("the source is still with an instance that left")
	}
	if _, why := w.flow("10.1.0.1"); why != remembered {
		t.Error("the source is not remembered again")
	}
}

// Of many sources, those of the option's time alone are kept.
func TestAffinityIsBounded(t *testing.T) {
	w := newWorld(t, "kube-nftables", Options{units.Second}, 3)
	for i := range 100_000 {
		w.v.Now += units.Millisecond
		w.flow(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String())
	}
	a := &w.p.(*nftables).affinity
	if len(a.entries) != 1000 || len(a.clients) > 1002 {
		t.Errorf("%d sources in %d places; want the 1000 of a second", len(a.entries), len(a.clients))
	}
}

// Sources that come back, or come in the place of others, allocate nothing.
func TestAffinityDoesNotAllocate(t *testing.T) {
	a, v, i := newAffinity(Options{units.Second}), policy.View{}, byte(0)
	x := policy.Work{At: 1}
	next := func() {
		v.Now += 10 * units.Millisecond
		i++
		x.Tuple.Src = netip.AddrFrom4([4]byte{10, 0, 0, i})
		a.recall(&x, &v)
		a.Observe(&policy.Event{Kind: policy.Placed, Work: &x}, &v)
	}
	for range 1000 {
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n != 0 {
		t.Errorf("%v allocations a flow, want none", n)
	}
}

// Under the mode ipvs, a scheduler does as it does by itself among servers of weight 1.
func TestIPVSAlike(t *testing.T) {
	for _, s := range schedulers {
		inner := policy.Table[policy.Row](ipvs.Policies).Find("ipvs-" + s)
		p := policytest.New(t, inner, policytest.Options(inner), 1)
		w := newWorld(t, "kube-ipvs", ipvsOptions{s, Options{}}, 5)
		alike := &policy.View{}
		for i, id := range w.v.IDs {
			alike.IDs, alike.Flows = append(alike.IDs, id), append(alike.Flows, 0)
			alike.Weight, alike.MaxConn = append(alike.Weight, 1), append(alike.MaxConn, 0)
			p.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, alike)
		}
		for f := range 100 {
			source := netip.AddrFrom4([4]byte{10, 1, 0, byte(f * 7)})
			got, _ := w.flow(source.String())
			x := &policy.Work{Tuple: flow.FiveTuple{Src: source, Dst: netip.MustParseAddr("10.0.0.1"), Proto: flow.TCP}}
			a := p.Pick(x, alike, nil)
			x.At = alike.IDs[a.Slot]
			alike.Flows[a.Slot]++
			p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: x}, alike)
			if got != x.At {
				t.Fatalf("%s: flow %d is on instance %d, want %d", s, f, got, x.At)
			}
		}
	}
}
