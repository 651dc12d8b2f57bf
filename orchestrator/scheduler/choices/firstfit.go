package choices

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
)

var firstFit = policy.Row{
	Info: policy.Info{Name: "first-fit", Rule: "the first instance by number that can still handle the flow",
		Source: "Johnson et al., SIAM J. Comput. 3 (1974) 299, for bins; what fits is as for best-fit",
		Score:  "load in packets a second", Sees: policy.T0 | policy.T2,
		State:    "flows that no counter shows yet, and how long flows have lived",
		Cost:     "n",
		Deviates: "sizes are estimated, and bins empty again; a flow that fits nowhere opens no bin"},
	Bursts:  true,
	Reasons: thesis.Reasons("first that the flow fits on"),
	Maker: policy.Make(func(o thesis.Options, env policy.Env) (policy.Policy, error) {
		return &first{thesis.NewFit(o, env)}, nil
	}),
}

// first takes the first instance whose load and the flow's expected demand together stay within the limit.
type first struct{ thesis.Fit }

func (f *first) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	for i := range v.IDs {
		l := f.Load(i)
		fits := f.Fits(v, l)
		log.Add(i, l, fits)
		if fits {
			return policy.Answer{Slot: i}
		}
	}
	return f.NoFit()
}
