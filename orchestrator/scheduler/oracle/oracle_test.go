package oracle

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

func TestContract(t *testing.T) {
	policytest.Run(t, Policies[0], options{Moves: true, Tick: units.Second})
}

// bench is a policy with n instances of 10 Mpps.
type bench struct {
	policy policy.Policy
	counts []uint64
	view   policy.View
	at     []int // the slots of the flows
	rates  []float64
}

func newBench(t *testing.T, n int, moves bool) *bench {
	b := &bench{counts: make([]uint64, len(Policies[0].Counters)), view: policy.View{Limit: 10e6}}
	p, err := newOracle(options{Moves: moves, Tick: units.Second}, policy.Env{Counts: b.counts})
	if err != nil {
		t.Fatal(err)
	}
	b.policy = p
	for i := range n {
		b.view.IDs = append(b.view.IDs, flow.Instance(i+1))
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, &b.view)
	}
	return b
}

func (b *bench) work(f int) *policy.Work {
	return &policy.Work{Flow: flow.ID(f), Rate: b.rates[f] * 1e6}
}

// put has a flow of so many Mpps in a slot.
func (b *bench) put(slot int, mpps float64) {
	b.at, b.rates = append(b.at, slot), append(b.rates, mpps)
	b.policy.Observe(&policy.Event{Kind: policy.Placed, Slot: slot, Work: b.work(len(b.at) - 1)}, &b.view)
}

// arrive places a flow as the policy says.
func (b *bench) arrive(mpps float64) int {
	slot := b.policy.Pick(&policy.Work{Rate: mpps * 1e6}, &b.view, nil).Slot
	b.put(slot, mpps)
	return slot
}

// tick has the policy move the flows whose rules are in force: all but the last so many.
func (b *bench) tick(asked int) (moves []policy.Move) {
	var counted []policy.Counted
	for f := range b.at[:len(b.at)-asked] {
		counted = append(counted, policy.Counted{Work: *b.work(f), Slot: b.at[f]})
	}
	moves = b.policy.(policy.Mover).Moves(&b.view, counted, nil)
	for _, m := range moves {
		f := int(m.Flow)
		b.policy.Observe(&policy.Event{Kind: policy.Ended, Slot: b.at[f], Work: b.work(f)}, &b.view)
		b.policy.Observe(&policy.Event{Kind: policy.Placed, Slot: m.Slot, Work: b.work(f)}, &b.view)
		b.at[f] = m.Slot
	}
	return moves
}

// loads are those of the slots, in the policy's unit.
func (b *bench) loads() []rate {
	loads := make([]rate, len(b.view.IDs))
	for f, slot := range b.at {
		loads[slot] += rateOf(b.rates[f] * 1e6)
	}
	return loads
}

// Each flow goes where it adds least to what is above the limit and, of such places, leaves the lowest maximum.
func TestPlacesBest(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		b := newBench(t, 1+rnd.IntN(5), false)
		for range 12 {
			before, r := b.loads(), float64(rnd.IntN(12))
			slot := b.arrive(r)
			cost := func(slot int) [2]rate {
				l := slices.Clone(before)
				l[slot] += rateOf(r * 1e6)
				return [2]rate{excess(l, rateOf(10e6)), slices.Max(l)}
			}
			for other := range before {
				if c, best := cost(other), cost(slot); slices.Compare(c[:], best[:]) < 0 {
					t.Fatalf("a flow of %v Mpps on %v: to %d, which leaves %v; %d leaves %v",
						r, before, slot, best, other, c)
				}
			}
		}
	}
}

// Without moves the oracle knows the flow at hand and not those to come: with 5, 5 and 10 Mpps on two instances of 10
// it leaves 5 above the limit, which a policy that packs does not. With moves it leaves nothing.
func TestWhatMovesAreGoodFor(t *testing.T) {
	for _, moves := range []bool{false, true} {
		b := newBench(t, 2, moves)
		for _, r := range []float64{5, 5, 10} {
			b.arrive(r)
		}
		want := rateOf(5e6)
		if moves {
			if got := b.tick(0); len(got) != 1 {
				t.Errorf("moves %v, want one", got)
			}
			want = 0
		}
		if got := excess(b.loads(), rateOf(10e6)); got != want {
			t.Errorf("moves: %v: loads %v, %d above the limit, want %d", moves, b.loads(), got, want)
		}
	}
}

// exhaustive is the least excess of all assignments.
func exhaustive(loads []rate, flows []item, limit rate) rate {
	if len(flows) == 0 {
		return excess(loads, limit)
	}
	best := rate(math.MaxInt64)
	for slot := range loads {
		loads[slot] += flows[0].rate
		best = min(best, exhaustive(loads, flows[1:], limit))
		loads[slot] -= flows[0].rate
	}
	return best
}

// Searches that are not cut short find the least excess there is, and nothing is below the bound.
func TestSearchIsExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	found := 0
	for range 1500 {
		s := search{limit: 100, loads: make([]rate, 1+rnd.IntN(4)), nodes: mostNodes}
		for i := range s.loads {
			s.loads[i] = rate(rnd.IntN(80) * rnd.IntN(2))
		}
		now := slices.Clone(s.loads)
		for f := range 1 + rnd.IntN(6) {
			x := item{flow.ID(f), rnd.IntN(len(s.loads)), rate(rnd.IntN(130) / (1 + rnd.IntN(3)))}
			s.flows = append(s.flows, x)
			now[x.slot] += x.rate
		}
		fixed, present := slices.Clone(s.loads), excess(now, s.limit)
		least := exhaustive(slices.Clone(s.loads), s.flows, s.limit)
		if s.least = s.bound(); s.least > least {
			t.Fatalf("the bound is %d, and an assignment has %d: %+v", s.least, least, s)
		}
		at := s.solve(present)
		if s.nodes == 0 {
			t.Fatal("cut short")
		}
		got := present
		if at != nil {
			found++
			now := slices.Clone(fixed)
			for i, slot := range at {
				now[slot] += s.flows[i].rate
			}
			if got = excess(now, s.limit); got >= present {
				t.Fatalf("%d above the limit, and %d before: %+v", got, present, s)
			}
		}
		if got != least {
			t.Fatalf("%d above the limit, where %d can be: %+v on %v", got, least, s.flows, fixed)
		}
	}
	if found < 100 {
		t.Errorf("only %d of the cases could be made better", found)
	}
}

// Where nothing can be better, nothing is searched for: a flow that is greater than the limit is above it anywhere, and
// all instances together have no more room than they have.
func TestWhatCannotBeBetterIsNotSearchedFor(t *testing.T) {
	for what, rates := range map[string][]float64{
		"a flow above the limit": {15, 4}, "more than there is room for": {10, 10, 10, 5}, "none above it": {9, 3},
	} {
		b := newBench(t, 3, true)
		for f, r := range rates {
			b.put(f%3, r)
		}
		if got := b.tick(0); len(got) > 0 || b.counts[solved] > 0 {
			t.Errorf("%s: moves %v after %d searches, want neither", what, got, b.counts[solved])
		}
	}
}

// One flow has to leave the instance of two, and no other moves.
func TestMovesFew(t *testing.T) {
	for what, c := range map[string]struct {
		slots []int
		rates []float64
	}{
		"flows of equal rates are alike":               {[]int{0, 0, 1}, []float64{6, 6, 6}},
		"of equal loads that where the flow is counts": {[]int{2, 2, 1}, []float64{7, 6, 5}},
	} {
		b := newBench(t, 3, true)
		for f, slot := range c.slots {
			b.put(slot, c.rates[f])
		}
		if got := b.tick(0); len(got) != 1 || excess(b.loads(), rateOf(10e6)) > 0 {
			t.Errorf("%s: moves %v to loads %v, want one move", what, got, b.loads())
		}
	}
}

// A search comes after changes alone, and is repeated while a flow's rule is on its way.
func TestWhenItSearches(t *testing.T) {
	b := newBench(t, 2, true)
	for _, r := range []float64{5, 5, 10} {
		b.arrive(r)
	}
	for _, c := range []struct {
		what     string
		asked    int
		moves    int
		searches uint64
	}{
		{"no flow has a rule", 3, 0, 0},
		{"the last has none, and the others can make room for it", 1, 1, 1},
		{"nothing can be better", 0, 0, 1},
	} {
		if moves := b.tick(c.asked); len(moves) != c.moves || b.counts[solved] != c.searches {
			t.Errorf("%s: moves %v, %d searches, want %d and %d", c.what, moves, b.counts[solved], c.moves, c.searches)
		}
	}
}

// Three flows of 6 Mpps leave 2 above the limits of two instances. The bound does not say so; the search does, once.
func TestNothingBetter(t *testing.T) {
	b := newBench(t, 2, true)
	for range 3 {
		b.arrive(6)
	}
	for range 3 {
		if moves := b.tick(0); len(moves) > 0 || b.counts[solved] != 1 || b.counts[better] != 0 {
			t.Errorf("moves %v, counts %v, want no moves and one search", moves, b.counts)
		}
	}
}

// Equal flows make few states: thirteen of 4.65 Mpps on five instances leave three to three of them, which is proved.
func TestEqualFlows(t *testing.T) {
	b := newBench(t, 5, true)
	for range 13 {
		b.put(0, 4.65)
	}
	b.tick(0)
	if got, want := excess(b.loads(), rateOf(10e6)), rateOf(3*3.95e6); got != want || b.counts[unproved] != 0 {
		t.Errorf("%d above the limits, want %d; counts %v", got, want, b.counts)
	}
}

// A search among many flows ends, with the best assignment that was found.
func TestCutShort(t *testing.T) {
	b := newBench(t, 7, true)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 25 {
		b.put(rnd.IntN(7), float64(1000+rnd.IntN(4000))/1000)
	}
	before := excess(b.loads(), rateOf(10e6))
	b.tick(0)
	if after := excess(b.loads(), rateOf(10e6)); after >= before || b.counts[unproved] != 1 {
		t.Errorf("%d above the limit, and %d before; counts %v", after, before, b.counts)
	}
}

func TestRateOf(t *testing.T) {
	for pps, want := range map[float64]rate{0: 0, -1: 0, math.Inf(1): 1e15, 1e-3: 1, 4650297.6: 4650297600} {
		if got := rateOf(pps); got != want {
			t.Errorf("%v packets a second: %d, want %d", pps, got, want)
		}
	}
	if got := rateOf(math.NaN()); got != 0 {
		t.Errorf("NaN: %d", got)
	}
}
