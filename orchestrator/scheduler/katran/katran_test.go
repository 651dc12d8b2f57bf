package katran

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func TestContract(t *testing.T) {
	policytest.Run(t, Policies[0], options{"maglev-v2"})
}

// ringOf is a ring of servers whose hashes are 1, 2, 3 ...
func ringOf(entries int, v2 bool, weights ...int32) []int32 {
	var reals []real
	for i, w := range weights {
		reals = append(reals, newReal(uint64(i+1), w, int32(i), entries))
	}
	ring := make([]int32, entries)
	fill(ring, reals, v2)
	return ring
}

func count(ring []int32, n int) []int {
	all := make([]int, n)
	for _, row := range ring {
		all[row]++
	}
	return all
}

func TestEntries(t *testing.T) {
	for _, c := range policytest.Vectors(t, "katran", "slots of endpoints on a ring") {
		x := policytest.Decode[struct {
			Weights any
			Ring    int
			Version int
		}](t, &c.In)
		weights := slices.Repeat([]int32{1}, 400)
		if x.Weights != "400 of 1" {
			weights = weights[:0]
			for _, w := range x.Weights.([]any) {
				weights = append(weights, int32(w.(int)))
			}
		}
		got := count(ringOf(x.Ring, x.Version == 2, weights...), len(weights))
		if strings.HasPrefix(c.ID, "v1-2-1-ring-7") {
			if want := policytest.Decode[[]int](t, &c.Out); !slices.Equal(got, want) {
				t.Errorf("%s: %v entries, want %v", c.ID, got, want)
			}
			continue
		}
		if got, want := slices.Max(got)-slices.Min(got), policytest.Decode[int](t, &c.Out); got != want {
			t.Errorf("%s: most minus least %d, want %d", c.ID, got, want)
		}
	}
}

// The second version gives entries by weight, also where one server has almost all of it.
func TestEntriesByWeight(t *testing.T) {
	for _, c := range []struct {
		weights []int32
		want    []int
	}{
		{[]int32{2, 1, 1}, []int{32769, 16384, 16384}},
		{[]int32{65535, 1}, []int{65536, 1}},
		{[]int32{1}, []int{65537}},
	} {
		if got := count(ringOf(entries, true, c.weights...), len(c.weights)); !slices.Equal(got, c.want) {
			t.Errorf("weights %v: %v entries, want %v", c.weights, got, c.want)
		}
	}
}

// A ring by hand: two servers whose lists begin at the same entry.
func TestTurns(t *testing.T) {
	for _, c := range []struct {
		v2      bool
		weights [2]int32
		want    []int32
	}{
		{false, [2]int32{1, 1}, []int32{0, 0, 0, 0, 1, 1, 1}},
		{false, [2]int32{3, 1}, []int32{0, 0, 0, 0, 0, 1, 1}},
		{true, [2]int32{1, 2}, []int32{1, 0, 0, 1, 1, 1, 1}},
	} {
		reals := []real{{row: 0, weight: c.weights[0], at: 0, skip: 1}, {row: 1, weight: c.weights[1], at: 0, skip: 6}}
		ring := make([]int32, 7)
		fill(ring, reals, c.v2)
		if !slices.Equal(ring, c.want) {
			t.Errorf("v2 %v, weights %v: ring %v, want %v", c.v2, c.weights, ring, c.want)
		}
	}
}

// What MurmurHash3_x64_128 gives for 16 bytes, by the Go module github.com/twmb/murmur3 v1.2.2.
func TestMurmur3(t *testing.T) {
	for _, c := range []struct {
		x, y uint64
		seed uint32
		want uint64
	}{
		{1, 42, 0, 0x0b85e5b738ec6ba3},
		{1, 2718281828, 2307, 0x811a3d9354794c04},
		{0, 42, 0, 0x3ac79cd6e3dbd8e0},
		{0x123456789abcdef0, 42, 0, 0xf0501c6ca6070d2e},
		{1<<64 - 1, 2718281828, 2307, 0x9fae090267c66538},
	} {
		if got := murmur3(c.x, c.y, c.seed); got != c.want {
			t.Errorf("%#x, %d, seed %d: %#x, want %#x", c.x, c.y, c.seed, got, c.want)
		}
	}
}

// The list of a server comes from two of these hashes.
func TestPreferenceList(t *testing.T) {
	const at, skip = 0x0b85e5b738ec6ba3 % 65537, 0x811a3d9354794c04%65536 + 1
	if r := newReal(1, 1, 0, entries); r.at != at || r.skip != skip {
		t.Errorf("from %d on, %d apart; want %d, %d", r.at, r.skip, at, skip)
	}
}

// The numbers that Bob Jenkins' lookup3.c (driver5) prints.
func TestJhash(t *testing.T) {
	const gettysburg = "Four score and seven years ago"
	for _, c := range []struct {
		key        string
		seed, want uint32
	}{{"", 0, 0xdeadbeef}, {gettysburg, 0, 0x17770551}, {gettysburg, 1, 0xcd628161}} {
		if got := jhash([]byte(c.key), c.seed); got != c.want {
			t.Errorf("%q, seed %d: %#x, want %#x", c.key, c.seed, got, c.want)
		}
	}
}

// The source and the ports are hashed, not the destination and not the protocol.
func TestWhatIsHashed(t *testing.T) {
	for _, src := range []string{"10.1.2.3", "fc00::1:2"} {
		base := flow.FiveTuple{Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr("10.0.0.1"), Proto: flow.TCP,
			SrcPort: 31337, DstPort: 80}
		for name, c := range map[string]struct {
			edit func(*flow.FiveTuple)
			same bool
		}{
			"source":      {func(t *flow.FiveTuple) { t.Src = t.Src.Next() }, false},
			"source port": {func(t *flow.FiveTuple) { t.SrcPort++ }, false},
			"port":        {func(t *flow.FiveTuple) { t.DstPort++ }, false},
			"destination": {func(t *flow.FiveTuple) { t.Dst = t.Dst.Next() }, true},
			"protocol":    {func(t *flow.FiveTuple) { t.Proto = flow.UDP }, true},
		} {
			other := base
			c.edit(&other)
			if same := hashPacket(&other) == hashPacket(&base); same != c.same {
				t.Errorf("%s: with another %s, the same hash: %v, want %v", src, name, same, c.same)
			}
		}
	}
	four := flow.FiveTuple{Src: netip.MustParseAddr("1.2.3.4"), SrcPort: 0x0506, DstPort: 0x0708}
	six := flow.FiveTuple{Src: netip.IPv6Unspecified()}
	word := jhash(make([]byte, 16), 512)
	folded := []byte{byte(word), byte(word >> 8), byte(word >> 16), byte(word >> 24), 0, 0, 0, 0}
	if got, want := hashPacket(&six), jhash(folded, 512*65537); got != want {
		t.Errorf("hash %#x, want that of the hashed address and the ports, %#x", got, want)
	}
	if got, want := hashPacket(&four), jhash([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 512*65537); got != want {
		t.Errorf("hash %#x, want that of the bytes in network order, %#x", got, want)
	}
}

// Flows stay where they are as another instance leaves; of 500, few go elsewhere without need.
func TestDisruption(t *testing.T) {
	picks := func(weights ...int32) (all []flow.Instance) {
		p, v := policytest.New(t, &Policies[0], options{"maglev-v2"}, 1), &policy.View{Weight: weights}
		for i := range weights {
			v.IDs = append(v.IDs, flow.Instance(i+1))
		}
		p.Observe(&policy.Event{Kind: policy.Joined}, v)
		r := rand.New(rand.NewPCG(1, 1))
		for range 500 {
			a := p.Pick(&policy.Work{Tuple: policytest.Tuple(r)}, v, nil)
			if a.Verdict == policy.Drop {
				return nil
			}
			all = append(all, v.IDs[a.Slot])
		}
		return all
	}
	before, after, moved := picks(1, 2, 1, 3), picks(1, 0, 1, 3), 0
	for i, id := range before {
		if after[i] == 2 {
			t.Fatal("a flow goes to an instance of weight 0")
		}
		if id != 2 && after[i] != id {
			moved++
		}
	}
	if moved > 25 {
		t.Errorf("%d of 500 flows move without need", moved)
	}
	if picks(0, 0) != nil {
		t.Error("a flow is placed though no instance has a weight")
	}
}
