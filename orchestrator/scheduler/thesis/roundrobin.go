package thesis

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// roundRobin gives flow i to instance i mod N. It goes by the instances' numbers: the next is the lowest above the one
// chosen last, and after the highest the lowest of all. So an instance that leaves costs no other its turn, and one
// that joins, whose number is the highest, does so at the end of the cycle.
type roundRobin struct {
	last flow.Instance
	slot int // its row, if no instance has left since
}

// What requests bring is not estimated, so that there is nothing to observe.
func newRoundRobin(o Options, env policy.Env) (policy.Policy, error) {
	if env.Unit == policy.Requests {
		return &struct {
			policy.Stateless
			roundRobin
		}{}, nil
	}
	return &struct {
		estimate
		roundRobin
	}{estimate: newEstimate(o, false)}, nil
}

func (r *roundRobin) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	next := r.slot + 1
	if next > len(v.IDs) || v.IDs[r.slot] != r.last {
		next, _ = slices.BinarySearch(v.IDs, r.last+1)
	}
	if next == len(v.IDs) {
		next = 0
	}
	if log != nil {
		for i := range v.IDs {
			turns := i - next
			if turns < 0 {
				turns += len(v.IDs)
			}
			log.Add(i, float64(turns), true)
		}
	}
	r.last, r.slot = v.IDs[next], next
	return policy.Answer{Slot: next}
}
