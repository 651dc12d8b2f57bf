package envoy

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// schedule is where the deadlines of unlike weights come from.
const schedule = "; edf_scheduler.h as of pull request 31592"

// starts is where slow start differs.
const starts = "without health checks, a slow start begins when the instance comes; "

var roundRobinRow = policy.Row{
	Info: policy.Info{Name: "envoy-round-robin",
		Rule:   "the hosts in turn or, where their weights differ, the one with the earliest deadline",
		Source: source + "round_robin/round_robin_lb.h at 12ca3fdb052c" + schedule + slowSource,
		Score:  "place in the cycle, or the deadline where weights differ", Sees: policy.T0,
		State: "a place in the cycle, or a deadline a host", Cost: "constant; log n where weights differ",
		Deviates: starts + lacks + zero},
	Unit:    policy.Either,
	Reasons: []string{"next in the cycle", refused, "earliest deadline"},
	Maker: policy.Make(func(o slowOptions, env policy.Env) (policy.Policy, error) {
		seed := env.Rand.Uint64()
		return &roundRobin{slowStart: slowStart{slowOptions: o}, picks: uint32(seed), next: seed}, nil
	}),
}

// roundRobin begins at a random place. So does the schedule, each time that it is made.
type roundRobin struct {
	hosts
	slowStart
	edf
	picks uint32 // that the schedule begins after
	next  uint64
}

// Observe notes that hosts have come or gone, and when.
func (r *roundRobin) Observe(e *policy.Event, v *policy.View) {
	r.hosts.Observe(e, v)
	r.follow(e, v)
}

// prepare makes the schedule anew where hosts have come or gone, as of that time.
func (r *roundRobin) prepare(v *policy.View) {
	if !r.refresh(v) {
		return
	}
	if r.used = len(r.rows) > 0 && (!r.equal || r.some(v, r.when)); r.used {
		r.start(r.rows, func(slot int) float64 { return r.weight(v, slot, r.when) }, r.picks)
	}
}

func (r *roundRobin) weight(v *policy.View, slot int, now units.Time) float64 {
	return float64(float64(v.Weight[slot]) * r.part(v, slot, now))
}

func (r *roundRobin) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	r.prepare(v)
	if len(r.rows) == 0 {
		return none
	}
	if r.used {
		slot, deadline := r.pick(func(slot int) float64 { return r.weight(v, slot, v.Now) })
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
	Unit:    policy.Either,
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
