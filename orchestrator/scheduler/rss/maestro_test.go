package rss

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

func TestBalancedTable(t *testing.T) {
	b, err := os.ReadFile("testdata/maestro.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		ID     string
		Cores  int
		Counts []uint64
		Table  []int
	}
	if err := yaml.Unmarshal(b, &cases); err != nil || len(cases) == 0 {
		t.Fatal(len(cases), err)
	}
	for _, c := range cases {
		if got := balancedTable(c.Counts, c.Cores); !slices.Equal(got, c.Table) {
			t.Errorf("%s: %v, want %v", c.ID, got, c.Table)
		}
	}
}

// The steps of the rule, by hand.
func TestBalancedTableByHand(t *testing.T) {
	for _, c := range []struct {
		what   string
		cores  int
		counts []uint64
		table  []int
	}{
		// 12 and 4, mean 8: the 4 fits, and both have 8. Neither is above the mean; that which was not before is first.
		{"the greatest that fits", 2, []uint64{8, 2, 4, 2}, []int{1, 0, 0, 0}},
		// 110 and 10, mean 60: nothing of the first fits but the 10. It has an elephant, and an even number.
		{"an elephant", 2, []uint64{5, 100, 5, 10}, []int{1, 0, 1, 1}},
		// 10 and 4, mean 7: neither 6 nor 4 fits. The 4 goes all the same, and the second is above the mean then.
		{"the smallest is spread", 2, []uint64{6, 2, 4, 2}, []int{1, 0, 0, 0}},
		// Three elephants among four: 0 and 2, then the lowest that is left.
		{"numbers of elephants", 4, []uint64{70, 80, 90, 1}, []int{1, 2, 0, 3}},
		// Mean 1.2, and nothing fits: 3 and 2 get 0 and 2, the two empty ones 1 and 3, and the last one 4.
		{"more instances than entries", 5, []uint64{3, 1, 2}, []int{0, 4, 2}},
		{"no packets", 2, []uint64{0, 0, 0, 0}, []int{0, 1, 0, 1}},
	} {
		if got := balancedTable(c.counts, c.cores); !slices.Equal(got, c.table) {
			t.Errorf("%s: %v, want %v", c.what, got, c.table)
		}
	}
}

// The table is dealt out in turn until something has been counted, balanced then, and made anew by the same counts
// when the number of instances changes.
func TestTraining(t *testing.T) {
	m := with(t, maestroRow, 2, func(o *maestroOptions) {
		o.Table, o.Fields, o.Training = 4, "dstip", units.Second
	}).(*maestro)
	v := view(1, 2)
	var flows [4]policy.Counted // of each entry
	for a := netip.MustParseAddr("10.0.0.1"); ; a = a.Next() {
		t := flow.FiveTuple{Src: a, Dst: a, Proto: flow.UDP}
		b := m.bucket(&t)
		flows[b] = policy.Counted{Work: policy.Work{Flow: flow.ID(b), Tuple: t}, Slot: b % 2}
		if !slices.ContainsFunc(flows[:], func(c policy.Counted) bool { return !c.Work.Tuple.Src.IsValid() }) {
			break
		}
	}
	if moves := m.Moves(v, flows[:], nil); len(moves) > 0 || m.Every() != units.Second {
		t.Errorf("nothing counted: moves %v, next after %v", moves, m.Every())
	}
	for b, n := range []uint64{5, 100, 5, 10} {
		flows[b].Packets = n
	}
	want := []policy.Move{{Flow: 0, Slot: 1}, {Flow: 1, Slot: 0}, {Flow: 2, Slot: 1}}
	if moves := m.Moves(v, flows[:], nil); !slices.Equal(moves, want) || m.Every() != units.Never {
		t.Errorf("balanced: moves %v, want %v; next after %v", moves, want, m.Every())
	}
	if moves := m.Moves(v, flows[:], nil); len(moves) > 0 {
		t.Errorf("balanced twice: moves %v", moves)
	}
	m.Observe(&policy.Event{Kind: policy.Left, Slot: 0}, v)
	if want := []flow.Instance{2, 2, 2, 2}; !slices.Equal(m.table, want) {
		t.Errorf("instance 1 left: table %v", m.table)
	}
	m.Observe(&policy.Event{Kind: policy.Joined, Slot: 1}, view(2, 3))
	if want := []flow.Instance{3, 2, 3, 3}; !slices.Equal(m.table, want) {
		t.Errorf("instance 3 joined: table %v, want %v", m.table, want)
	}
}
