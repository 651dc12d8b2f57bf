package rss

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func TestORSSRounds(t *testing.T) {
	for _, c := range []struct {
		what   string
		flows  [][2]uint64 // slot, packets
		most   int
		moves  []policy.Move
		counts []uint64
	}{
		{"11 of a mean of 10 is even", [][2]uint64{{0, 11}, {1, 10}, {2, 10}}, 10, nil, []uint64{0, 0}},
		// The mean is 31/3, rounded down to 10.
		{"12 of 10 is not, and the flow goes to and fro", [][2]uint64{{0, 12}, {1, 10}, {2, 10}}, 10, nil,
			[]uint64{1, 1}},
		{"9 of 10 is not", [][2]uint64{{0, 9}, {1, 10}, {1, 1}, {2, 10}}, 1,
			[]policy.Move{{Flow: 1, Slot: 0}}, []uint64{1, 1}},
		{"the largest first", [][2]uint64{{0, 30}, {0, 20}, {0, 20}, {0, 10}, {0, 10}, {1, 30}, {2, 30}}, 1,
			[]policy.Move{{Flow: 0, Slot: 1}}, []uint64{1, 1}},
		// 40 and 0: 10 moves four times, once too often, and back.
		{"of equal flows the lowest", [][2]uint64{{0, 10}, {0, 10}, {0, 10}, {0, 10}, {1, 0}}, 10,
			[]policy.Move{{Flow: 0, Slot: 1}, {Flow: 1, Slot: 1}}, []uint64{1, 0}},
		{"nothing is sent", [][2]uint64{{0, 0}, {1, 0}}, 10, nil, []uint64{0, 0}},
		{"a mean that is rounded down to 0", [][2]uint64{{0, 1}}, 1, []policy.Move{{Flow: 0, Slot: 1}}, []uint64{1, 1}},
	} {
		env := policy.Env{Counts: make([]uint64, 2)}
		o := policytest.Options(&orssRow).(orssOptions)
		o.Most = c.most
		p, _ := newORSS(o, env)
		v := view(1, 2, 3)
		last := c.flows[len(c.flows)-1][0]
		v.IDs = v.IDs[:max(2, last+1)]
		var counted []policy.Counted
		for i, f := range c.flows {
			counted = append(counted,
				policy.Counted{Work: policy.Work{Flow: flow.ID(i)}, Slot: int(f[0]), Packets: f[1]})
		}
		moves := p.(policy.Mover).Moves(v, counted, nil)
		if !slices.Equal(moves, c.moves) || !slices.Equal(env.Counts, c.counts) {
			t.Errorf("%s: %v, counts %v, want %v, counts %v", c.what, moves, env.Counts, c.moves, c.counts)
		}
	}
}

func TestORSSPlaces(t *testing.T) {
	for place, want := range map[string][]int{"first": {40, 0, 0}, "random": nil} {
		p := with(t, orssRow, 3, func(o *orssOptions) { o.New = place })
		n := make([]int, 3)
		for f := range flow.ID(40) {
			n[p.Pick(&policy.Work{Flow: f}, view(1, 2, 3), nil).Slot]++
		}
		if want != nil && !slices.Equal(n, want) || want == nil && slices.Min(n) == 0 {
			t.Errorf("new: %s: flows %v, want %v", place, n, want)
		}
	}
}
