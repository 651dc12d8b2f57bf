package choices

import (
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var jiqRow = policy.Row{
	Info: policy.Info{Name: "jiq",
		Rule:   "the instance that has been without flows longest; if none is, one drawn at random",
		Source: "join-idle-queue: Lu et al., Performance Evaluation 68 (2011) 1056",
		Score:  "flows", Sees: policy.T0 | policy.T1,
		State: "a list of the idle instances", Cost: "n, to keep the list; constant without idle instances",
		Deviates: "a job is a flow; one dispatcher has the only list, so that idle instances choose among none"},
	Unit:    policy.Either,
	Reasons: []string{"idle longest", "none is idle: drawn"},
	Maker:   policy.Plain(func(env policy.Env) policy.Policy { return &jiq{rand: env.Rand} }),
}

// jiq keeps the instances without flows in the order in which they became idle.
type jiq struct {
	idle []flow.Instance
	rand *rand.Rand
}

func (j *jiq) Observe(e *policy.Event, v *policy.View) {
	if e.Slot < 0 {
		return
	}
	switch e.Kind {
	case policy.Joined, policy.Ended:
		if v.Flows[e.Slot] == 0 {
			j.idle = append(j.idle, v.IDs[e.Slot])
		}
	case policy.Placed, policy.Left:
		if at := slices.Index(j.idle, v.IDs[e.Slot]); at >= 0 {
			j.idle = slices.Delete(j.idle, at, at+1)
		}
	}
}

func (j *jiq) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer) {
	if len(j.idle) > 0 {
		a.Slot, _ = slices.BinarySearch(v.IDs, j.idle[0])
	} else {
		a = policy.Answer{Slot: j.rand.IntN(len(v.IDs)), Why: 1}
	}
	log.Add(a.Slot, float64(v.Flows[a.Slot]), true)
	return a
}
