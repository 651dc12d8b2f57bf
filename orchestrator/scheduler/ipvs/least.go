package ipvs

import "github.com/smartinco/smartinco/orchestrator/policy"

// The schedulers that take the server with the least of something. It is a quotient, of what a server has and its
// weight, and quotients are compared by cross-multiplication, as in the kernel.
var (
	lc = leastRow("lc", "the server with the fewest connections, an inactive one counting as 1/256",
		"256 times the active connections, and the inactive ones", (*least).connectionsAlone)
	wlc = leastRow("wlc", "the server with the fewest connections for its weight, an inactive one counting as 1/256",
		"256 times the active connections, and the inactive ones, over the weight", (*least).connectionsByWeight)
	sed = leastRow("sed", "the server with the fewest active connections, the flow's own included, for its weight",
		"active connections and one more, over the weight", (*least).expectedDelay)
	nq = leastRow("nq", "the first server without an active connection; if there is none, as ipvs-sed",
		"0 for a server without active connections; else these and one more, over the weight", (*least).neverQueue)
)

func leastRow(name, rule, score string, of func(*least, *policy.View, int) (int64, int64)) policy.Row {
	return policy.Row{
		Info: policy.Info{Name: "ipvs-" + name, Rule: rule, Source: source + name + ".c", Score: score,
			Sees: policy.T0 | policy.T1, State: state, Cost: "n", Deviates: lacks},
		Reasons: reasons("least"),
		Maker: policy.Make(func(o Options, _ policy.Env) (policy.Policy, error) {
			return &least{newService(o), of}, nil
		}),
	}
}

type least struct {
	service
	of func(l *least, v *policy.View, slot int) (has, weight int64)
}

func (l *least) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	l.expire(v)
	l.log(v, log, func(slot int) float64 {
		has, weight := l.of(l, v, slot)
		return float64(has) / float64(weight)
	})
	best, bestHas, bestWeight := -1, int64(0), int64(0)
	for _, at := range l.order {
		slot := int(at)
		if !l.available(v, slot) {
			continue
		}
		if has, weight := l.of(l, v, slot); best < 0 || has*bestWeight < bestHas*weight {
			best, bestHas, bestWeight = slot, has, weight
		}
	}
	return answer(best)
}

func (l *least) connectionsAlone(v *policy.View, slot int) (int64, int64) {
	return l.overhead(v, slot), 1
}

func (l *least) connectionsByWeight(v *policy.View, slot int) (int64, int64) {
	return l.overhead(v, slot), int64(v.Weight[slot])
}

func (l *least) expectedDelay(v *policy.View, slot int) (int64, int64) {
	return int64(v.Flows[slot]) + 1, int64(v.Weight[slot])
}

func (l *least) neverQueue(v *policy.View, slot int) (int64, int64) {
	if v.Flows[slot] == 0 {
		return 0, 1
	}
	return l.expectedDelay(v, slot)
}
