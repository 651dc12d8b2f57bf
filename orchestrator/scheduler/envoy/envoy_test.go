package envoy

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/orchestrator/scheduler/hashing"
	"github.com/smartinco/smartinco/units"
)

func TestContract(t *testing.T) {
	others := map[string][]any{
		"envoy-least-request": {leastOptions{"full-scan", 2, 0.5, usual},
			leastOptions{"n-choices", 5, 1, slowOptions{2.5, 35}}},
		"envoy-round-robin": {slowOptions{0.5, 0}},
		"envoy-peak-ewma":   {peakOptions{units.Second, 10 * units.Microsecond, 1}},
		"envoy-ring-hash":   {ringOptions{1, 7, boundOptions{}}, ringOptions{64, 128, boundOptions{100}}},
		"envoy-maglev":      {maglevOptions{2, boundOptions{}}, maglevOptions{251, boundOptions{120}}},
	}
	for _, row := range Policies {
		policytest.Run(t, row, others[row.Name]...)
	}
}

// usual are Envoy's defaults.
var usual = slowOptions{1, 10}

// view has instances 1, 2, 3 ... of weights.
func view(weights ...int32) *policy.View {
	v := &policy.View{Weight: weights, Flows: make([]int32, len(weights))}
	for i := range weights {
		v.IDs = append(v.IDs, flow.Instance(i+1))
	}
	return v
}

// sequence is the hosts of some flows, from 0 on, which do not end but are not counted either.
func sequence(p policy.Policy, v *policy.View, flows int) (all []int) {
	for range flows {
		all = append(all, p.Pick(&policy.Work{}, v, nil).Slot)
	}
	return all
}

// new hosts are there.
var come = hosts{changed: true}

func TestLeastRequestChoices(t *testing.T) {
	type in struct {
		Active   []int32
		Draws    []uint64
		FullScan bool `yaml:"full_scan"`
	}
	for _, c := range policytest.Vectors(t, "envoy-least-request", "choices") {
		x := policytest.Decode[in](t, &c.In)
		v := view(slices.Repeat([]int32{1}, len(x.Active))...)
		v.Flows = x.Active
		p := &least{hosts: come, scan: x.FullScan, choices: len(x.Draws), draw: func() (n uint64) {
			n, x.Draws = x.Draws[0], x.Draws[1:]
			return n
		}}
		if got, want := p.Pick(&policy.Work{}, v, nil).Slot, policytest.Decode[int](t, &c.Out); got != want {
			t.Errorf("%s: host %d, want %d", c.ID, got, want)
		}
	}
}

// Of equal hosts that were drawn, the first one drawn is taken.
func TestTheFirstDrawnWinsATie(t *testing.T) {
	draws := []uint64{2, 0, 1}
	p := &least{hosts: come, choices: 3, draw: func() (n uint64) {
		n, draws = draws[0], draws[1:]
		return n
	}}
	v := view(1, 1, 1)
	v.Flows = []int32{3, 4, 3}
	if got := p.Pick(&policy.Work{}, v, nil).Slot; got != 2 {
		t.Errorf("host %d, want 2", got)
	}
}

func TestLeastRequestOfUnlikeWeights(t *testing.T) {
	const group = "unequal weights: earliest deadline first, weight/(active+1)^bias"
	for _, c := range policytest.Vectors(t, "envoy-least-request", group) {
		x := policytest.Decode[struct {
			Weights []int32
			Phases  [][]any
		}](t, &c.In)
		v := view(x.Weights...)
		p := &least{hosts: come, bias: 1}
		var got [][]int
		for _, phase := range x.Phases {
			for i, active := range phase[0].([]any) {
				v.Flows[i] = int32(active.(int))
			}
			got = append(got, sequence(p, v, phase[1].(int)))
		}
		if want := policytest.Decode[[][]int](t, &c.Out); !slices.EqualFunc(got, want, slices.Equal[[]int]) {
			t.Errorf("%s: hosts %v, want %v", c.ID, got, want)
		}
	}
}

// Envoy's documentation of the weight: weight 2 with 4 flows counts 0.4, so its host is due after 2.5.
func TestFlowsPutOffADeadline(t *testing.T) {
	v := view(2, 1)
	v.Flows = []int32{4, 1000}
	var log policy.Weighed
	if (&least{hosts: come, bias: 1}).Pick(&policy.Work{}, v, &log); math.Abs(log.Ratings[0].Score-2.5) > 1e-9 {
		t.Errorf("deadline %v, want 2.5", log.Ratings[0].Score)
	}
}

// Ties of a full scan are decided by draws that leave each host the same chance, those of n choices by the first drawn.
func TestLeastRequestTies(t *testing.T) {
	const n, flows = 5, 50000
	for _, method := range []string{"full-scan", "n-choices"} {
		p, v := policytest.New(t, &leastRow, leastOptions{method, 2, 1, usual}, 3), view(1, 1, 1, 1, 1)
		p.Observe(&policy.Event{Kind: policy.Joined}, v)
		count := [n]float64{}
		for _, slot := range sequence(p, v, flows) {
			count[slot]++
		}
		for i, got := range count {
			if sigma := math.Sqrt(flows * 0.2 * 0.8); math.Abs(got-flows/n) > 5*sigma {
				t.Errorf("%s: host %d has %v of %d flows", method, i, got, flows)
			}
		}
	}
}

// A schedule that begins after some picks goes on as one that has made them.
func TestAScheduleThatBeginsLater(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var rows []int32
		var weights []float64
		for i := range 2 + r.IntN(8) {
			rows, weights = append(rows, int32(i)), append(weights, float64(1+r.IntN(100))+r.Float64())
		}
		weight := func(slot int) float64 { return weights[slot] }
		picks := r.IntN(500)
		var from, later edf
		from.start(rows, weight, 0)
		for range picks {
			from.pick(weight)
		}
		later.start(rows, weight, uint32(picks))
		for k := range 100 {
			a, _ := from.pick(weight)
			if b, _ := later.pick(weight); a != b {
				t.Fatalf("weights %v after %d picks: pick %d is %d, want %d", weights, picks, k, b, a)
			}
		}
	}
}

// Hosts of equal weights take turns; those of unlike ones get what their weights say.
func TestRoundRobin(t *testing.T) {
	for _, c := range []struct {
		weights []int32
		want    string
	}{
		{[]int32{1, 1, 1}, "012012"}, {[]int32{7, 7, 7}, "012012"}, {[]int32{3}, "00"}, {[]int32{0, 5, 5}, "1212"},
		{[]int32{1, 2}, "101101"}, {[]int32{3, 1}, "00100010"}, {[]int32{1, 0, 3}, "2202"},
		{[]int32{5, 5, 1}, "01010101201"},
	} {
		var got strings.Builder
		for _, slot := range sequence(&roundRobin{hosts: come}, view(c.weights...), len(c.want)) {
			got.WriteString(strconv.Itoa(slot))
		}
		if got.String() != c.want {
			t.Errorf("weights %v: hosts %s, want %s", c.weights, got.String(), c.want)
		}
	}
}

// The cycle begins at a place that the seed says, and so do schedules.
func TestRoundRobinBeginsAnywhere(t *testing.T) {
	for _, weights := range [][]int32{{1, 1, 1, 1, 1}, {5, 4, 3, 2, 1}} {
		first := map[int]bool{}
		for seed := range uint64(200) {
			p, v := policytest.New(t, &roundRobinRow, usual, seed), view(weights...)
			p.Observe(&policy.Event{Kind: policy.Joined}, v)
			first[p.Pick(&policy.Work{}, v, nil).Slot] = true
		}
		if len(first) != 5 {
			t.Errorf("weights %v: 200 seeds begin with hosts %v, want all five", weights, first)
		}
	}
}

func TestRandom(t *testing.T) {
	draws := []uint64{0, 4, 3, 1<<64 - 1}
	p := &random{hosts: come, draw: func() (n uint64) {
		n, draws = draws[0], draws[1:]
		return n
	}}
	if got, want := sequence(p, view(9, 0, 1, 1), 4), []int{0, 2, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("hosts %v, want %v: the remainders by three", got, want)
	}
}

// named are hosts of keys and weights.
func named(keys []string, weights []int) (all []host) {
	sum := 0
	for _, w := range weights {
		sum += w
	}
	for i, key := range keys {
		all = append(all, host{key, float64(weights[i]) / float64(sum), int32(i)})
	}
	return all
}

func ones(n int) []int { return slices.Repeat([]int{1}, n) }

// envoysRing is the ring of Envoy's test.
func envoysRing(t *testing.T) (r ring, keys []string, want [][2]string) {
	c := policytest.Vectors(t, "envoy-ring-hash", `ring (xxHash64 of "key_j")`)[0]
	x := policytest.Decode[struct {
		Keys   []string
		PerKey int `yaml:"per_key"`
	}](t, &c.In)
	r.min, r.max = len(x.Keys)*x.PerKey, 8<<20
	r.fill(named(x.Keys, ones(len(x.Keys))))
	return r, x.Keys, policytest.Decode[[][2]string](t, &c.Out)
}

func TestRing(t *testing.T) {
	r, keys, want := envoysRing(t)
	var got [][2]string
	for _, p := range r.points {
		got = append(got, [2]string{strconv.FormatUint(p.hash, 10), keys[p.row]})
	}
	if !slices.Equal(got, want) {
		t.Errorf("points %v, want %v", got, want)
	}
	for _, c := range policytest.Vectors(t, "envoy-ring-hash",
		"lookup on the first ring: first position >= hash, wrapping") {
		hash, _ := strconv.ParseUint(policytest.Decode[string](t, &c.In), 10, 64)
		if got, want := keys[r.points[r.behind(hash)].row], policytest.Decode[string](t, &c.Out); got != want {
			t.Errorf("hash %d: %s, want %s", hash, got, want)
		}
	}
	if at := r.behind(r.points[len(r.points)-1].hash + 1); at != 0 {
		t.Errorf("behind the last point: point %d, want the first", at)
	}
}

// How many points each host has: as Envoy's comments say of four hosts on a ring of six, and by weights.
func TestPointsOfARing(t *testing.T) {
	for _, c := range []struct {
		weights  []int
		min, max int
		want     []int
	}{
		{ones(4), 1, 6, []int{1, 1, 1, 1}},
		{ones(4), 6, 6, []int{2, 1, 2, 1}},
		{ones(4), 6, 100, []int{2, 2, 2, 2}},
		{[]int{1, 2, 5}, 1, 100, []int{1, 2, 5}},
		{[]int{1, 2, 5}, 10, 100, []int{2, 4, 10}},
		{[]int{1, 2, 5}, 1, 4, []int{1, 1, 2}},
		{ones(1), 1024, 8 << 20, []int{1024}},
	} {
		r, count := ring{min: c.min, max: c.max}, make([]int, len(c.weights))
		var keys []string
		for i := range c.weights {
			keys = append(keys, strconv.Itoa(i+1))
		}
		r.fill(named(keys, c.weights))
		for _, p := range r.points {
			count[p.row]++
		}
		if !slices.Equal(count, c.want) {
			t.Errorf("weights %v, %d to %d points: %v, want %v", c.weights, c.min, c.max, count, c.want)
		}
	}
}

func TestMaglev(t *testing.T) {
	const group = "table (xxHash64: offset = h(key) mod M, skip = h(key, seed 1) mod (M-1) + 1, " +
		"hosts in order of their keys)"
	for _, c := range policytest.Vectors(t, "envoy-maglev", group) {
		x := policytest.Decode[struct {
			Keys    []string
			Weights []int
			M       int `yaml:"M"`
		}](t, &c.In)
		table := make([]int32, x.M)
		fill(table, named(x.Keys, x.Weights))
		if want := policytest.Decode[[]int32](t, &c.Out); !slices.Equal(table, want) {
			t.Errorf("%s: table %v, want %v", c.ID, table, want)
		}
	}
}

func TestMaglevDisruption(t *testing.T) {
	var keys []string
	for i := range 8 {
		keys = append(keys, fmt.Sprintf("127.0.0.1:%d", 90+i))
	}
	for _, c := range policytest.Vectors(t, "envoy-maglev", "slots of survivors that move when the first key leaves") {
		m, want := policytest.Decode[int](t, &c.In), policytest.Decode[[4]int](t, &c.Out)
		before, after, entries, moved := make([]int32, m), make([]int32, m), make([]int, 8), 0
		fill(before, named(keys, ones(8)))
		fill(after, named(keys[1:], ones(7)))
		for i, row := range before {
			entries[row]++
			if row != 0 && after[i] != row-1 {
				moved++
			}
		}
		got := [4]int{entries[0], moved, slices.Min(entries), slices.Max(entries)}
		if got != want {
			t.Errorf("%s: leaver's entries, moved ones, least and most %v, want %v", c.ID, got, want)
		}
	}
}

// Without weights, the table is that of the policy maglev.
func TestMaglevWithoutWeights(t *testing.T) {
	theirs := policy.Table[policy.Row](hashing.Policies).Find("maglev")
	a, b := policytest.New(t, &maglevRow, policytest.Options(&maglevRow), 1),
		policytest.New(t, theirs, policytest.Options(theirs), 1)
	v := &policy.View{}
	for i := range 12 { // 10 comes before 2
		v.IDs, v.Weight = append(v.IDs, flow.Instance(i+1)), append(v.Weight, 3)
		for _, p := range []policy.Policy{a, b} {
			p.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, v)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		w := policy.Work{Tuple: policytest.Tuple(r)}
		if got, want := a.Pick(&w, v, nil).Slot, b.Pick(&w, v, nil).Slot; got != want {
			t.Fatalf("host %d, want %d", got, want)
		}
	}
}

// Weights 1 and 2 share 65,537 entries as in Envoy's test of them.
func TestMaglevShares(t *testing.T) {
	table, count := make([]int32, 65537), [2]int{}
	fill(table, named([]string{"127.0.0.1:90", "127.0.0.1:91"}, []int{1, 2}))
	for _, row := range table {
		count[row]++
	}
	if want := [2]int{21846, 43691}; count != want {
		t.Errorf("%v entries, want %v", count, want)
	}
}

func TestATableIsOfAPrime(t *testing.T) {
	for m, ok := range map[int]bool{2: true, 251: true, 65537: true, 250: false, 65535: false, 25: false} {
		if _, err := newMaglev(maglevOptions{Table: m}, policy.Env{}); (err == nil) != ok {
			t.Errorf("table: %d: error %v", m, err)
		}
	}
}

func TestMistakesInOptions(t *testing.T) {
	for want, o := range map[string]ringOptions{
		"min_ring: 8: want max_ring, 7, at most":      {8, 7, boundOptions{}},
		"balance_factor: 99: want 0, or 100 at least": {7, 7, boundOptions{99}},
	} {
		if _, err := newRing(o, policy.Env{}); err == nil || err.Error() != want {
			t.Errorf("%+v: error %v, want %s", o, err, want)
		}
	}
}

func TestChoiceOverTheBound(t *testing.T) {
	for _, c := range policytest.Vectors(t, "envoy-bounded-load", "choice when hosts are over their bound") {
		x := policytest.Decode[struct {
			Host     int
			Order    []int
			Overload []float64
		}](t, &c.In)
		next := func() (host int) {
			host, x.Order = x.Order[0], x.Order[1:]
			return host
		}
		got, _ := choose(x.Host, len(x.Order), next, func(host int) float64 { return x.Overload[host] })
		if want := policytest.Decode[int](t, &c.Out); got != want {
			t.Errorf("%s: host %d, want %d", c.ID, got, want)
		}
	}
}

// The orders of five hosts that Envoy's test, bounded_load_hlb_test.cc at 8b9304c63c5c, names with their seeds.
func TestShuffle(t *testing.T) {
	for seed, want := range map[uint32][]int{2: {2, 1, 0, 4, 3}, 6: {4, 0, 2, 3, 1}, 7: {0, 1, 4, 3, 2}} {
		var s shuffle
		s.begin([]int32{0, 1, 2, 3, 4}, seed)
		var got []int
		for range want {
			got = append(got, s.next())
		}
		if !slices.Equal(got, want) {
			t.Errorf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

// What the C++ standard (ISO 14882:2011, 26.5.5) says of mt19937: the 10,000th number of the default seed.
func TestTwister(t *testing.T) {
	var m twister
	m.seed(5489)
	for range 9999 {
		m.next()
	}
	if got := m.next(); got != 4123659995 {
		t.Errorf("%d, want 4123659995", got)
	}
}

// A number that is out of range is drawn again.
func TestBelow(t *testing.T) {
	var m twister
	m.seed(1)
	for range 1000 {
		if x := m.below(3 << 30); x >= 3<<30 {
			t.Fatalf("%d, want a number below %d", x, uint32(3<<30))
		}
	}
}

// A host has its share of the flows times the factor, and one more: Envoy asks before it counts the new flow.
func TestBounds(t *testing.T) {
	weights := []int32{1, 1, 2}
	for _, row := range []policy.Row{ringRow, maglevRow} {
		o := policytest.Options(&row)
		switch x := o.(type) {
		case ringOptions:
			x.Factor = 125
			o = x
		case maglevOptions:
			x.Factor = 125
			o = x
		}
		p, v := policytest.New(t, &row, o, 1), view(weights...)
		p.Observe(&policy.Event{Kind: policy.Joined}, v)
		r, why := rand.New(rand.NewPCG(1, 1)), map[uint8]int{}
		same := policytest.Tuple(r)
		for f := range 1000 {
			w := &policy.Work{Tuple: same} // they all have the same entry
			if f%2 == 0 {
				w.Tuple = policytest.Tuple(r)
			}
			a := p.Pick(w, v, nil)
			why[a.Why]++
			v.Flows[a.Slot]++
			total := ((f+1)*125 + 99) / 100
			if most := math.Ceil(float64(total)*float64(weights[a.Slot])/4) + 1; float64(v.Flows[a.Slot]) > most {
				t.Fatalf("%s: host %d has %d of %d flows, want %v at most", row.Name, a.Slot, v.Flows[a.Slot], f+1,
					most)
			}
		}
		if why[ofHash] == 0 || why[ofShuffle] == 0 {
			t.Errorf("%s: reasons %v, want both of them", row.Name, why)
		}
	}
}

// A look at other hosts allocates nothing.
func TestBoundsDoNotAllocate(t *testing.T) {
	p, v := policytest.New(t, &maglevRow, maglevOptions{251, boundOptions{100}}, 1), view(1, 2, 3, 4)
	p.Observe(&policy.Event{Kind: policy.Joined}, v)
	w, over := policy.Work{}, 0
	if n := testing.AllocsPerRun(100, func() {
		a := p.Pick(&w, v, nil)
		v.Flows[a.Slot]++
		if a.Why != ofHash {
			over++
		}
	}); n != 0 || over == 0 {
		t.Errorf("%v allocations a decision, %d of them beyond the first host; want none, and some", n, over)
	}
}

// A flow's host does not depend on the order in which hosts come, and stays where others go.
func TestHashingIsConsistent(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	flows := make([]policy.Work, 500)
	for i := range flows {
		flows[i].Tuple = policytest.Tuple(r)
	}
	for _, row := range []policy.Row{ringRow, maglevRow} {
		picks := func(ids ...flow.Instance) (all []flow.Instance) {
			p, v := policytest.New(t, &row, policytest.Options(&row), 1), &policy.View{}
			for _, id := range ids {
				slot, _ := slices.BinarySearch(v.IDs, id)
				v.IDs, v.Weight = slices.Insert(v.IDs, slot, id), slices.Insert(v.Weight, slot, int32(id))
				p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
			}
			for i := range flows {
				all = append(all, v.IDs[p.Pick(&flows[i], v, nil).Slot])
			}
			return all
		}
		a, b, c := picks(3, 4, 5, 6), picks(6, 4, 3, 5), picks(3, 5, 6)
		if !slices.Equal(a, b) {
			t.Errorf("%s: the order in which hosts come makes a difference", row.Name)
		}
		moved := 0
		for i := range a {
			if a[i] != 4 && c[i] != a[i] {
				moved++
			}
		}
		if moved > 50 {
			t.Errorf("%s: %d of 500 flows move as another host leaves", row.Name, moved)
		}
	}
}

// Where no instance has a weight, a flow is refused.
func TestNoHost(t *testing.T) {
	for _, row := range Policies {
		p, v := policytest.New(t, &row, policytest.Options(&row), 1), view(0, 0)
		p.Observe(&policy.Event{Kind: policy.Joined}, v)
		if a := p.Pick(&policy.Work{}, v, nil); a.Verdict != policy.Drop || row.Reasons[a.Why] != refused {
			t.Errorf("%s: %+v", row.Name, a)
		}
	}
}
