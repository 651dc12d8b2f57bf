package swarm

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
)

func TestContract(t *testing.T) {
	for _, row := range Policies {
		policytest.Run(t, row)
	}
}

// The weights of a scenario are none of Swarm's.
func TestAllTasksAreAlike(t *testing.T) {
	p := policytest.New(t, &Policies[0], nil, 1)
	v := &policy.View{}
	for i := range 3 {
		v.IDs = append(v.IDs, flow.Instance(i+1))
		v.Weight, v.MaxConn = append(v.Weight, int32(2*i)), append(v.MaxConn, 1)
		p.Observe(&policy.Event{Kind: policy.Joined, Slot: i}, v)
	}
	got := ""
	for range 7 {
		a := p.Pick(&policy.Work{}, v, nil)
		p.Observe(&policy.Event{Kind: policy.Placed, Slot: a.Slot, Work: &policy.Work{}}, v)
		got += string(rune('A' + a.Slot))
	}
	if want := "CBACBAC"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
