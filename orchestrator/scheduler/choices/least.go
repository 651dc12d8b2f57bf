package choices

import (
	"math"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

var leastConnections = policy.Row{
	Info: policy.Info{Name: "least-connections",
		Rule:   "the instance with the fewest flows: join the shortest queue (JSQ), a job being a flow",
		Source: "Winston, J. Appl. Probab. 14 (1977) 181",
		Score:  "flows", Sees: policy.T0 | policy.T1, Cost: "n",
		Deviates: "a queue is the flows assigned and not ended, all of which are served at once"},
	Unit:    policy.Either,
	Bursts:  true,
	Reasons: []string{"fewest flows"},
	Maker:   leastBy("flows"),
}

var leastLoad = policy.Row{
	Info: policy.Info{Name: "least-load",
		Rule:   "the instance with the lowest packet rate in the last window: one for all flows until the next",
		Source: "the periodic update model of Mitzenmacher, IEEE Trans. Parallel Distrib. Syst. 11 (2000) 6",
		Score:  "packets a second", Sees: policy.T0 | policy.T2, Cost: "n",
		Deviates: "the paper's load is the length of a queue"},
	Bursts:  true,
	Reasons: []string{"lowest load"},
	Maker:   leastBy("load"),
}

func leastBy(score string) policy.Maker {
	return policy.Plain(func(env policy.Env) policy.Policy {
		return &least{score: scores[score], ties: env.Ties, first: score == "flows" && env.Ties.First()}
	})
}

// least takes the instance with the lowest score.
type least struct {
	policy.Stateless
	score func(v *policy.View, slot int) float64
	ties  policy.Ties
	first bool // the first of those with the fewest flows
}

func (l *least) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if l.first && log == nil {
		return policy.Answer{Slot: fewest(v.Flows)}
	}
	best, lowest, ties := -1, 0.0, 0
	for slot := range v.IDs {
		score := l.score(v, slot)
		log.Add(slot, score, true)
		switch {
		case best < 0 || score < lowest:
			best, lowest, ties = slot, score, 1
		case score == lowest:
			ties++
			if l.ties.Wins(ties) {
				best = slot
			}
		}
	}
	return policy.Answer{Slot: best}
}

// fewest is the first of the rows with the fewest flows: the least number of flows and row in one word, without a
// branch.
func fewest(flows []int32) int {
	least := int64(math.MaxInt64)
	for slot, n := range flows {
		least = min(least, int64(n)<<32|int64(slot))
	}
	return int(least & (1<<32 - 1))
}
