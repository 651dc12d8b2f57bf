package choices

import "github.com/smartinco/smartinco/orchestrator/policy"

var jbsqRow = policy.Row{
	Info: policy.Info{Name: "jbsq",
		Rule: "join the bounded shortest queue, JBSQ(n): the instance with the fewest requests, if it has less than " +
			"n; else the request waits at the dispatcher",
		Source: "Kogias et al., R2P2, USENIX ATC 2019, 4.2",
		Score:  "requests", Sees: policy.T0 | policy.T1, Cost: "n",
		Deviates: "a request is at its instance until its reply has come back, which takes the way there and back too"},
	Unit:    policy.Requests,
	Reasons: []string{"fewest requests, below the bound", "all have the bound: held"},
	Maker: policy.Make(func(o boundOptions, env policy.Env) (policy.Policy, error) {
		return &jbsq{bound: int32(o.N), ties: env.Ties}, nil
	}),
}

type boundOptions struct {
	N int `yaml:"n" default:"2" min:"1" max:"1000000"`
}

// Docs implements strictyaml.Documented.
func (boundOptions) Docs() string {
	return `
n: most requests that an instance has, the one in service included. With 1 it is one queue for all instances
`
}

type jbsq struct {
	policy.Stateless
	bound int32
	ties  policy.Ties
}

func (j *jbsq) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	best, ties := 0, 0
	for slot, n := range v.Flows {
		log.Add(slot, float64(n), n < j.bound)
		switch {
		case slot == 0 || n < v.Flows[best]:
			best, ties = slot, 1
		case n == v.Flows[best]:
			ties++
			if j.ties.Wins(ties) {
				best = slot
			}
		}
	}
	if v.Flows[best] >= j.bound {
		return policy.Answer{Verdict: policy.Hold, Why: 1}
	}
	return policy.Answer{Slot: best}
}
