package hashing

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func TestContract(t *testing.T) {
	for _, row := range Policies {
		policytest.Run(t, row, maglevOptions{Table: 7}, maglevOptions{Table: 251})
	}
}

// The example of the paper (table 1): three backends with these preference lists, and then without the second.
func TestMaglevPaper(t *testing.T) {
	all := []backend{{id: 1, offset: 3, skip: 4}, {id: 2, offset: 0, skip: 2}, {id: 3, offset: 3, skip: 1}}
	table := make([]flow.Instance, 7)
	fill(table, all)
	if want := []flow.Instance{2, 1, 2, 1, 3, 3, 1}; !slices.Equal(table, want) {
		t.Errorf("table %v, want %v", table, want)
	}
	fill(table, []backend{all[0], all[2]})
	if want := []flow.Instance{1, 1, 1, 1, 3, 3, 3}; !slices.Equal(table, want) {
		t.Errorf("without the second: %v, want %v", table, want)
	}
}

// Envoy's own vectors of a table without weights.
func TestMaglevEnvoy(t *testing.T) {
	type in struct {
		Keys    []string
		Weights []int
		M       int `yaml:"M"`
	}
	tried := 0
	const group = "table (xxHash64: offset = h(key) mod M, skip = h(key, seed 1) mod (M-1) + 1, " +
		"hosts in order of their keys)"
	for _, c := range policytest.Vectors(t, "envoy-maglev", group) {
		x := policytest.Decode[in](t, &c.In)
		if slices.ContainsFunc(x.Weights, func(w int) bool { return w != 1 }) {
			continue // instances have no weights
		}
		tried++
		var all []backend
		for i, key := range x.Keys {
			all = append(all, named(flow.Instance(i+1), key, x.M))
		}
		table := make([]flow.Instance, x.M)
		fill(table, all)
		for i, want := range policytest.Decode[[]flow.Instance](t, &c.Out) {
			if table[i] != want+1 {
				t.Errorf("%s: entry %d is of backend %d, want %d", c.ID, i, table[i]-1, want)
			}
		}
	}
	if tried == 0 {
		t.Error("no vector without weights")
	}
}

// As a backend leaves, its entries go to the others, few of whose own move.
func TestMaglevDisruption(t *testing.T) {
	for _, c := range policytest.Vectors(t, "envoy-maglev", "slots of survivors that move when the first key leaves") {
		m, want := policytest.Decode[int](t, &c.In), policytest.Decode[[4]int](t, &c.Out)
		var all []backend
		for i := range 8 {
			all = append(all, named(flow.Instance(i+1), fmt.Sprintf("127.0.0.1:%d", 90+i), m))
		}
		before, after, entries := make([]flow.Instance, m), make([]flow.Instance, m), make([]int, 9)
		fill(before, all)
		fill(after, all[1:])
		moved := 0
		for i, id := range before {
			entries[id]++
			if id != 1 && after[i] != id {
				moved++
			}
		}
		got := [4]int{entries[1], moved, slices.Min(entries[1:]), slices.Max(entries[1:])}
		if got != want {
			t.Errorf("%s: leaver's entries, moved ones, least and most %v, want %v", c.ID, got, want)
		}
	}
}

// A flow goes where it went before, whatever came between, while the instances are the same.
func TestMaglevIsConsistent(t *testing.T) {
	row := policy.Table[policy.Row](Policies).Find("maglev")
	r := rand.New(rand.NewPCG(1, 1))
	flows := make([]policy.Work, 500)
	for i := range flows {
		flows[i].Tuple = policytest.Tuple(r)
	}
	picks := func(ids ...flow.Instance) (all []flow.Instance) {
		p, v := policytest.New(t, row, maglevOptions{Table: 251}, 1), &policy.View{}
		for _, id := range ids {
			slot, _ := slices.BinarySearch(v.IDs, id)
			v.IDs = slices.Insert(v.IDs, slot, id)
			p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
		}
		for i := range flows {
			all = append(all, v.IDs[p.Pick(&flows[i], v, nil).Slot])
		}
		return all
	}
	if a, b := picks(1, 2, 3, 4, 5), picks(5, 3, 1, 2, 4); !slices.Equal(a, b) {
		t.Error("the order in which instances join makes a difference")
	}
	a, b := picks(1, 2, 3, 4, 5), picks(1, 2, 4, 5)
	for i := range a {
		if a[i] == 3 && b[i] == 3 {
			t.Fatalf("flow %d goes to an instance that has left", i)
		}
	}
	used := slices.Compact(slices.Sorted(slices.Values(a)))
	if len(used) != 5 {
		t.Errorf("500 flows use instances %v of five", used)
	}
}

func TestATableIsOfAPrime(t *testing.T) {
	for m, ok := range map[int]bool{2: true, 251: true, 65537: true, 250: false, 65535: false, 25: false} {
		if _, err := newMaglev(maglevOptions{m}, policy.Env{}); (err == nil) != ok {
			t.Errorf("table: %d: error %v", m, err)
		}
	}
}
