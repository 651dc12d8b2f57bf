package choices

import (
	"math/rand/v2"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var randomRow = policy.Row{
	Info: policy.Info{Name: "random", Rule: "an instance drawn at random, each with the same chance",
		Source: "the baseline of Mitzenmacher, IEEE Trans. Parallel Distrib. Syst. 12 (2001) 1094",
		Score:  "none: 0", Sees: policy.T0, Cost: "constant"},
	Unit:    policy.Either,
	Bursts:  true,
	Reasons: []string{"drawn"},
	Maker:   policy.Plain(func(env policy.Env) policy.Policy { return &random{source: env.Source} }),
}

type random struct {
	policy.Stateless
	source *rand.PCG
}

func (r *random) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	slot := numeric.Below(r.source, len(v.IDs))
	log.Add(slot, 0, true)
	return policy.Answer{Slot: slot}
}
