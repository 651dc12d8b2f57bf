package hashing

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// With equal weights, whatever they are, it is the rule without weights: the highest hash.
func TestEqualWeightsAreNone(t *testing.T) {
	all := flows(2000)
	for _, weight := range []int32{1, 3, 65535} {
		ids := numbered(9)
		for i := range ids {
			ids[i].weight = weight
		}
		for i, id := range homesAmong(t, &hrwRow, nil, ids, all) {
			hash := func(x instance) float64 { return draw(xxhash.Sum64String(keyOf(x.id)), all[i].Hash()) }
			want := slices.MaxFunc(ids, func(a, b instance) int {
				if hash(a) < hash(b) {
					return -1
				}
				return 1
			})
			if id != want.id {
				t.Fatalf("weights %d: flow %d goes to %d, want %d", weight, i, id, want.id)
			}
		}
	}
}

// Each instance has its weight's part of the flows.
func TestSharesAreThoseOfTheWeights(t *testing.T) {
	const n = 40000
	all := flows(n)
	for _, weights := range [][]int32{{1, 1, 1, 1, 1, 1, 1, 1}, {4, 3, 2}, {1, 1000}, {7}} {
		ids, sum := numbered(len(weights)), 0.0
		for i, w := range weights {
			ids[i].weight = w
			sum += float64(w)
		}
		got := count(homesAmong(t, &hrwRow, nil, ids, all))
		for _, x := range ids {
			near(t, fmt.Sprintf("weights %v, instance %d", weights, x.id), got[x.id], n, float64(x.weight)/sum)
		}
	}
}

// With the weight of one instance, flows move to it or away from it, and no others.
func TestAWeightMovesTheFlowsOfItsInstance(t *testing.T) {
	all, ids := flows(4000), []instance{{1, 2}, {2, 5}, {3, 3}, {4, 1}}
	before := homesAmong(t, &hrwRow, nil, ids, all)
	for _, weight := range []int32{1, 2, 9} {
		ids[1].weight = weight
		for i, id := range homesAmong(t, &hrwRow, nil, ids, all) {
			if more := weight > 5; id != before[i] && (more && id != 2 || !more && before[i] != 2) {
				t.Fatalf("weight 5 to %d: flow %d went from %d to %d", weight, i, before[i], id)
			}
		}
	}
}

func TestWithoutAWeightThereAreNoFlows(t *testing.T) {
	p, v := joined(t, &hrwRow, nil, numbered(3))
	v.Weight = []int32{0, 1, 0}
	all := flows(100)
	for i := range all {
		if a := p.Pick(&all[i], v, nil); a != (policy.Answer{Slot: 1}) {
			t.Fatalf("answer %+v with the weights %v", a, v.Weight)
		}
	}
	v.Weight = []int32{0, 0, 0}
	if a := p.Pick(&all[0], v, nil); a.Verdict != policy.Drop || a.Why != 1 {
		t.Errorf("answer %+v without a weight: want that the flow is refused", a)
	}
}
