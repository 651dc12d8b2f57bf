package hashing

import (
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// A flow goes home, which is hrw's, until home has the threshold; then to the one with fewest, unless none has fewer.
func TestSpillOver(t *testing.T) {
	p, v := joined(t, &spillRow, spillOptions{Threshold: 3}, numbered(4))
	all := flows(400)
	home := homesAmong(t, &hrwRow, nil, numbered(4), all)
	for i := range all {
		at := int(home[i]) - 1
		next := (at + 1) % 4
		for _, c := range []struct {
			flows []int32 // of home, and of those behind it in turn
			slot  int
			why   uint8
		}{
			{[]int32{2, 0, 0, 0}, at, atHome},
			{[]int32{3, 1, 2, 2}, next, spilled},
			{[]int32{3, 2, 9, 9}, next, spilled},
			{[]int32{3, 3, 3, 3}, at, atHome},
			{[]int32{3, 4, 5, 6}, at, atHome},
			{[]int32{9, 4, 5, 6}, next, spilled},
		} {
			for k, n := range c.flows {
				v.Flows[(at+k)%4] = n
			}
			if a := p.Pick(&all[i], v, nil); a != (policy.Answer{Slot: c.slot, Why: c.why}) {
				t.Fatalf("flows %v from home, %d, on: %+v, want %d for %d", c.flows, at, a, c.slot, c.why)
			}
		}
		v.Flows[at], v.Flows[next], v.Weight[next] = 9, 0, 0
		if a := p.Pick(&all[i], v, nil); a.Slot == next {
			t.Fatalf("flow %d goes to an instance without a weight", i)
		}
		v.Weight[next] = 1
	}
	for slot := range v.Weight {
		v.Weight[slot] = 0
	}
	if a := p.Pick(&all[0], v, nil); a.Verdict != policy.Drop || a.Why != refused {
		t.Errorf("without weights: %+v, want that it is refused", a)
	}
}
