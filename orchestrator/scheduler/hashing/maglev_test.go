package hashing

import (
	"fmt"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

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

// As an instance leaves, no flow goes to it any more, and the others have all flows.
func TestMaglevUsesAllThatAreThere(t *testing.T) {
	all, o := flows(500), maglevOptions{Table: 251}
	p, v := joined(t, &maglevRow, o, numbered(5))
	if used := count(homes(p, v, all)); len(used) != 5 {
		t.Errorf("500 flows use instances %v of five", used)
	}
	leaves(p, v, 3)
	if used := count(homes(p, v, all)); len(used) != 4 || used[3] > 0 {
		t.Errorf("as 3 left, 500 flows use instances %v", used)
	}
}

func TestATableIsOfAPrime(t *testing.T) {
	for m, ok := range map[int]bool{2: true, 251: true, 65537: true, 250: false, 65535: false, 25: false} {
		if _, err := newMaglev(maglevOptions{m}, policy.Env{}); (err == nil) != ok {
			t.Errorf("table: %d: error %v", m, err)
		}
	}
}
