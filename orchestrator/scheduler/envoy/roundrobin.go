package envoy

import "github.com/smartinco/smartinco/orchestrator/policy"

// schedule is where the deadlines of unlike weights come from.
const schedule = "; edf_scheduler.h as of pull request 31592"

var roundRobinRow = policy.Row{
	Info: policy.Info{Name: "envoy-round-robin",
		Rule:   "the hosts in turn or, where their weights differ, the one with the earliest deadline",
		Source: source + "round_robin/round_robin_lb.h at 12ca3fdb052c" + schedule,
		Score:  "place in the cycle, or the deadline where weights differ", Sees: policy.T0,
		State: "a place in the cycle, or a deadline a host", Cost: "constant; log n where weights differ",
		Deviates: lacks + zero},
	Reasons: []string{"next in the cycle", refused, "earliest deadline"},
	Maker: policy.Plain(func(env policy.Env) policy.Policy {
		seed := env.Rand.Uint64()
		return &roundRobin{picks: uint32(seed), next: seed}
	}),
}

// roundRobin begins at a random place. So does the schedule, each time that it is made.
type roundRobin struct {
	hosts
	edf
	picks uint32 // that the schedule begins after
	next  uint64
}

func (r *roundRobin) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	weight := func(slot int) float64 { return float64(v.Weight[slot]) }
	if r.refresh(v) && !r.equal {
		r.start(r.rows, weight, r.picks)
	}
	if len(r.rows) == 0 {
		return none
	}
	if !r.equal {
		slot, deadline := r.pick(weight)
		log.Add(slot, deadline, true)
		return policy.Answer{Slot: slot, Why: 2}
	}
	at := r.next % uint64(len(r.rows))
	r.next++
	slot := int(r.rows[at])
	log.Add(slot, float64(at), true)
	return policy.Answer{Slot: slot}
}

var randomRow = policy.Row{
	Info: policy.Info{Name: "envoy-random", Rule: "a host drawn at random; weights above 0 say nothing",
		Source: source + "random/random_lb.cc at a19aa5407700", Score: "place among the hosts", Sees: policy.T0,
		Cost: "constant", Deviates: lacks + zero},
	Reasons: []string{"drawn", refused},
	Maker: policy.Plain(func(env policy.Env) policy.Policy {
		return &random{draw: env.Rand.Uint64}
	}),
}

type random struct {
	hosts
	draw func() uint64
}

func (r *random) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	r.refresh(v)
	if len(r.rows) == 0 {
		return none
	}
	at := r.draw() % uint64(len(r.rows))
	log.Add(int(r.rows[at]), float64(at), true)
	return policy.Answer{Slot: int(r.rows[at])}
}
