package hashing

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func TestContract(t *testing.T) {
	others := map[string][]any{
		"maglev":       {maglevOptions{Table: 7}, maglevOptions{Table: 251}},
		"hash":         {moduloOptions{"source"}, moduloOptions{"destination"}, moduloOptions{"symmetric"}},
		"ring":         {ringOptions{1}, ringOptions{7}},
		"spill-over":   {spillOptions{1}, spillOptions{3}},
		"bounded-load": {boundedOptions{100, ringOptions{1}}, boundedOptions{1000, ringOptions{7}}},
	}
	for _, row := range Policies {
		policytest.Run(t, row, others[row.Name]...)
	}
}

// flows are drawn at random.
func flows(n int) []policy.Work {
	r := rand.New(rand.NewPCG(1, 1))
	all := make([]policy.Work, n)
	for i := range all {
		all[i].Tuple = policytest.Tuple(r)
	}
	return all
}

// instance is one that joins. The weight 0 stands for 1 here.
type instance struct {
	id     flow.Instance
	weight int32
}

func instances(ids ...flow.Instance) (all []instance) {
	for _, id := range ids {
		all = append(all, instance{id: id})
	}
	return all
}

func numbered(n int) (all []instance) {
	for id := range n {
		all = append(all, instance{id: flow.Instance(id + 1)})
	}
	return all
}

// joined is a policy with instances that joined in this order, and its view.
func joined(t *testing.T, row *policy.Row, options any, all []instance) (policy.Policy, *policy.View) {
	p, v := policytest.New(t, row, options, 1), &policy.View{}
	for _, i := range all {
		slot, _ := slices.BinarySearch(v.IDs, i.id)
		v.IDs, v.Weight = slices.Insert(v.IDs, slot, i.id), slices.Insert(v.Weight, slot, max(1, i.weight))
		v.Flows = slices.Insert(v.Flows, slot, 0)
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: slot}, v)
	}
	return p, v
}

// leaves takes an instance off.
func leaves(p policy.Policy, v *policy.View, id flow.Instance) {
	slot, _ := slices.BinarySearch(v.IDs, id)
	p.Observe(&policy.Event{Kind: policy.Left, Slot: slot}, v)
	v.IDs, v.Weight = slices.Delete(v.IDs, slot, slot+1), slices.Delete(v.Weight, slot, slot+1)
	v.Flows = slices.Delete(v.Flows, slot, slot+1)
}

// homes are the instances of flows, none of which is then there.
func homes(p policy.Policy, v *policy.View, all []policy.Work) (at []flow.Instance) {
	for i := range all {
		at = append(at, v.IDs[p.Pick(&all[i], v, nil).Slot])
	}
	return at
}

func homesAmong(t *testing.T, row *policy.Row, options any, ids []instance, all []policy.Work) []flow.Instance {
	p, v := joined(t, row, options, ids)
	return homes(p, v, all)
}

// near fails the test where a count of n trials is further from its probability than five standard deviations of the
// binomial distribution, which one in two million draws is.
func near(t *testing.T, what string, count, n int, p float64) {
	t.Helper()
	want := float64(n) * p
	if sigma := math.Sqrt(want * (1 - p)); math.Abs(float64(count)-want) > 5*sigma {
		t.Errorf("%s: %d of %d, want %.0f, with a standard deviation of %.1f", what, count, n, want, sigma)
	}
}

func count(at []flow.Instance) map[flow.Instance]int {
	n := map[flow.Instance]int{}
	for _, id := range at {
		n[id]++
	}
	return n
}

// minimal are the policies under which an instance that leaves, and one that joins, changes nothing for flows of the
// others, and what shares they give.
var minimal = []*policy.Row{&hrwRow, &ringRow}

func TestNoSurvivorMoves(t *testing.T) {
	all := flows(4000)
	for _, row := range minimal {
		p, v := joined(t, row, policytest.Options(row), numbered(8))
		for _, leaver := range []flow.Instance{1, 8, 5} {
			before := homes(p, v, all)
			leaves(p, v, leaver)
			for i, id := range homes(p, v, all) {
				if before[i] != leaver && id != before[i] {
					t.Fatalf("%s: as %d left, flow %d went from %d to %d", row.Name, leaver, i, before[i], id)
				}
				if id == leaver {
					t.Fatalf("%s: flow %d goes to %d, which has left", row.Name, i, id)
				}
			}
		}
	}
}

func TestFlowsMoveToTheNewestOnly(t *testing.T) {
	all := flows(4000)
	for _, row := range minimal {
		options := policytest.Options(row)
		before := homesAmong(t, row, options, instances(1, 2, 3, 5, 6), all)
		after, moved := homesAmong(t, row, options, instances(1, 2, 3, 5, 6, 4), all), 0
		for i, id := range after {
			if id != before[i] {
				moved++
			}
			if id != before[i] && id != 4 {
				t.Fatalf("%s: as 4 joined, flow %d went from %d to %d", row.Name, i, before[i], id)
			}
		}
		if moved == 0 {
			t.Errorf("%s: nothing moved to an instance that joined", row.Name)
		}
	}
}

func TestTheOrderOfJoiningSaysNothing(t *testing.T) {
	all := flows(1000)
	for _, row := range []*policy.Row{&moduloRow, &hrwRow, &ringRow, &boundedRow, &maglevRow} {
		options := policytest.Options(row)
		want := homesAmong(t, row, options, instances(1, 2, 3, 4, 11), all)
		if got := homesAmong(t, row, options, instances(4, 11, 1, 3, 2), all); !slices.Equal(got, want) {
			t.Errorf("%s: the order in which instances join makes a difference", row.Name)
		}
		p, v := joined(t, row, options, instances(7, 4, 2, 1, 9, 3, 11))
		leaves(p, v, 9)
		leaves(p, v, 7)
		if got := homes(p, v, all); !slices.Equal(got, want) {
			t.Errorf("%s: instances that have left make a difference", row.Name)
		}
	}
}
