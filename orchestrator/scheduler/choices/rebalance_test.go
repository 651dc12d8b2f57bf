package choices

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/units"
)

// rebalanceOnce moves flows of so many packets a second, by row, after one second.
func rebalanceOnce(t *testing.T, o rebalanceOptions, flows [][]uint64) (moves []policy.Move, single uint64) {
	env := policy.Env{Counts: make([]uint64, 1)}
	p, err := rebalanceRow.New(o, env)
	if err != nil {
		t.Fatal(err)
	}
	v := view(make([]float64, len(flows))...)
	v.Limit, v.Now = 1000, units.Second
	var counted []policy.Counted
	for slot, all := range flows {
		for _, packets := range all {
			work := policy.Work{Flow: flow.ID(len(counted)), At: v.IDs[slot]}
			counted = append(counted, policy.Counted{Work: work, Slot: slot, Packets: packets})
		}
	}
	return p.(policy.Mover).Moves(v, counted, nil), env.Counts[0]
}

func TestRebalance(t *testing.T) {
	for _, c := range []struct {
		flows  [][]uint64
		want   string // flow>row
		single uint64
	}{
		{flows: [][]uint64{{300, 200, 200, 100, 100}, {300}, {300}}, want: "[1>1 2>2]"}, // the greatest does not fit
		{flows: [][]uint64{{100, 100, 100, 100}, {0}}, want: "[0>1 1>1]"},               // of equal ones, by number
		{flows: [][]uint64{{10}, {200, 300, 100}, {20}}, want: "[1>0 3>2]", single: 1},
		{flows: [][]uint64{{300, 300}, {300, 300}, {0, 0}}, want: "[0>2]"}, // there is room for one
		{flows: [][]uint64{{900}, {100}, {0}}, want: "[]", single: 1},
		{flows: [][]uint64{{110, 5}, {100}}, want: "[]"}, // above the mean by no more than the threshold
		{flows: [][]uint64{{150, 80}, {150}}, want: "[]"},
		{flows: [][]uint64{{500, 90, 60}, {10}, {300}}, want: "[1>1 2>1]", single: 1},
		{flows: [][]uint64{{0}, {0}}, want: "[]"}, {flows: [][]uint64{{500, 400}}, want: "[]"},
	} {
		moves, single := rebalanceOnce(t, rebalanceOptions{Tick: units.Second, Threshold: 0.02}, c.flows)
		got := []string{}
		for _, m := range moves {
			got = append(got, fmt.Sprintf("%d>%d", m.Flow, m.Slot))
		}
		if fmt.Sprint(got) != c.want || single != c.single {
			t.Errorf("%v: moves %v, %d overloaded by one flow; want %s, %d", c.flows, got, single, c.want, c.single)
		}
	}
}

// The released solver of RSS++ moves other buckets of the same load: it passes over those that fit exactly, and then
// widens its allowance until the greatest one moves. The greedy pass makes all loads equal.
func TestRebalanceIsNotRSSPP(t *testing.T) {
	type in struct {
		Over, Under []float64
		Buckets     [][2]float64
	}
	type out struct{ To []int }
	const mean, scale = 0.5, 1000
	for _, c := range policytest.Vectors(t, "rss++", "moves of one tick, the released solver") {
		if c.ID != "one-over" {
			continue
		}
		x := policytest.Decode[in](t, &c.In)
		packets := func(load float64) uint64 { return uint64(load*scale + 0.5) }
		flows := make([][]uint64, 1+len(x.Under))
		to, load := make([]int, len(x.Buckets)), make([]uint64, 1+len(x.Under))
		for i, b := range x.Buckets {
			flows[0], to[i] = append(flows[0], packets(b[1])), -1
			load[0] += packets(b[1])
		}
		if load[0] != packets(mean+x.Over[0]) {
			t.Fatalf("the overloaded core has %d", load[0])
		}
		for i, room := range x.Under {
			load[1+i] = packets(mean - room)
			flows[1+i] = []uint64{load[1+i]}
		}
		moves, _ := rebalanceOnce(t, rebalanceOptions{Tick: units.Second, Threshold: 0.02}, flows)
		for _, m := range moves {
			to[m.Flow] = m.Slot - 1
			load[0] -= flows[0][m.Flow]
			load[m.Slot] += flows[0][m.Flow]
		}
		if slices.Equal(to, policytest.Decode[out](t, &c.Out).To) {
			t.Errorf("it moves what the solver moves: %v", to)
		}
		if want := []int{-1, 0, 1, -1, -1}; !slices.Equal(to, want) {
			t.Errorf("underloaded cores that take buckets: %v, want %v", to, want)
		}
		if want := slices.Repeat([]uint64{packets(mean)}, len(load)); !slices.Equal(load, want) {
			t.Errorf("loads %v, want %v", load, want)
		}
		return
	}
	t.Error("no vector of one overloaded core")
}

// Whatever the loads, each move brings those of two instances closer, and leaves the one that takes the flow at the
// mean or below it.
func TestEachMoveBringsLoadsCloser(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	some := 0
	for range 2000 {
		flows := make([][]uint64, 1+r.IntN(6))
		owner, rate := []int{}, []uint64{}
		load, sum := make([]uint64, len(flows)), uint64(0)
		for slot := range flows {
			for range r.IntN(8) {
				n := uint64(r.IntN(20) * r.IntN(20))
				flows[slot], owner, rate = append(flows[slot], n), append(owner, slot), append(rate, n)
				load[slot] += n
				sum += n
			}
		}
		moves, _ := rebalanceOnce(t, rebalanceOptions{Tick: units.Second}, flows)
		some += len(moves)
		for _, m := range moves {
			from, x := owner[m.Flow], rate[m.Flow]
			before := max(load[from], load[m.Slot])
			load[from] -= x
			load[m.Slot] += x
			owner[m.Flow] = m.Slot
			if x == 0 || max(load[from], load[m.Slot]) >= before || load[m.Slot]*uint64(len(flows)) > sum {
				t.Fatalf("%v: move %+v of %d packets leaves loads %v", flows, m, x, load)
			}
		}
	}
	if some == 0 {
		t.Error("nothing has moved")
	}
}

// Each tick counts anew, and the threshold is of the packets that the limit allows since the one before.
func TestEachTickCountsAnew(t *testing.T) {
	m := policytest.New(t, &rebalanceRow, rebalanceOptions{Tick: units.Second, Threshold: 0.1}, 1).(policy.Mover)
	v := view(0, 0)
	v.Limit = 1000
	counted := []policy.Counted{{Work: policy.Work{Flow: 0, At: 1}, Packets: 150},
		{Work: policy.Work{Flow: 1, At: 1}, Packets: 50}}
	for _, c := range []struct {
		now   units.Time
		moves []policy.Move
	}{
		{units.Second, nil}, // above the mean by 100, of 1000 in this time
		{2 * units.Second, nil},
		{2500 * units.Millisecond, []policy.Move{{Flow: 1, Slot: 1}}}, // of 500
	} {
		v.Now = c.now
		if got := m.Moves(v, counted, nil); !slices.Equal(got, c.moves) {
			t.Errorf("at %v: moves %v, want %v", c.now, got, c.moves)
		}
	}
}
