package hashing

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var cheetahRow = policy.Row{
	Info: policy.Info{Name: "cheetah",
		Rule:   "the instances in turn; each packet of the flow then says which it was, so that there are no rules",
		Source: "Barbette et al., NSDI 2020: the stateless Cheetah, with round robin",
		Score:  "turns until it is next", Sees: policy.T0,
		State: "whose turn it was", Cost: "log n",
		Deviates: "what tells the instance, the paper's cookie, stands in the packets as a given, and costs nothing; " +
			"a flow whose instance has died is sent on as a new one would be"},
	Dispatch: policy.ByPacket,
	Reasons:  []string{"next in turn"},
	Maker:    policy.Plain(func(policy.Env) policy.Policy { return &cheetah{} }),
}

type cheetah struct {
	policy.Stateless
	last flow.Instance
}

func (c *cheetah) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	n := len(v.IDs)
	slot, _ := slices.BinarySearch(v.IDs, c.last+1)
	slot %= n
	if log != nil {
		for i := range n {
			log.Add(i, float64((i-slot+n)%n), true)
		}
	}
	c.last = v.IDs[slot]
	return policy.Answer{Slot: slot}
}

// Keeps implements policy.Keeper: packets name their instance as long as it is there.
func (c *cheetah) Keeps(*policy.Work, *policy.View, func(flow.Instance) bool) (until units.Time, hops int) {
	return units.Never, 0
}
