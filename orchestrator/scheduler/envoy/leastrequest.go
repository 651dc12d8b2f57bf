package envoy

import (
	"slices"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

var leastRow = policy.Row{
	Info: policy.Info{Name: "envoy-least-request",
		Rule:   "the host with the fewest flows of some; where weights differ, that with the earliest deadline",
		Source: source + "least_request/least_request_lb.cc at 0a31a547fa09" + schedule,
		Score:  "flows, or the deadline where weights differ", Sees: policy.T0 | policy.T1,
		State: "a deadline a host where weights differ",
		Cost:  "the draws; n with full-scan; log n where weights differ",
		Deviates: "active_request_bias is 1; a schedule is made with the flows of the first decision after hosts " +
			"have come or gone, not of that moment; " + lacks + zero},
	Reasons: []string{"fewest flows", refused, "earliest deadline"},
	Maker: policy.Make(func(o leastOptions, env policy.Env) (policy.Policy, error) {
		return &least{choices: o.Choices, scan: o.Method == "full-scan", draw: env.Rand.Uint64,
			picks: env.Rand.Uint32()}, nil
	}),
}

type leastOptions struct {
	Method  string `yaml:"method" enum:"n-choices|full-scan" default:"n-choices"`
	Choices int    `yaml:"choices" default:"2" min:"2" max:"65536"`
}

// Docs implements strictyaml.Documented.
func (leastOptions) Docs() string {
	return `
method: where weights are equal (selection_method). n-choices: of hosts drawn with replacement, of which the first drawn
	wins a tie; full-scan: of all hosts, of which a tie is decided at random
choices: how many are drawn (choice_count)
`
}

type least struct {
	hosts
	edf
	picks   uint32 // that the schedule begins after
	scan    bool
	choices int
	draw    func() uint64
	drawn   []int
}

func (l *least) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	weight := func(slot int) float64 { return float64(v.Weight[slot]) / float64(v.Flows[slot]+1) }
	if l.refresh(v) && !l.equal {
		l.start(l.rows, weight, l.picks)
	}
	switch {
	case len(l.rows) == 0:
		return none
	case !l.equal:
		slot, deadline := l.pick(weight)
		log.Add(slot, deadline, true)
		return policy.Answer{Slot: slot, Why: 2}
	case l.scan:
		return policy.Answer{Slot: l.ofAll(v, log)}
	}
	return policy.Answer{Slot: l.ofDrawn(v, log)}
}

func (l *least) ofDrawn(v *policy.View, log *policy.Weighed) int {
	best := -1
	l.drawn = l.drawn[:0]
	for range l.choices {
		slot := int(l.rows[l.draw()%uint64(len(l.rows))])
		l.drawn = append(l.drawn, slot)
		if best < 0 || v.Flows[slot] < v.Flows[best] {
			best = slot
		}
	}
	if log != nil {
		slices.Sort(l.drawn)
		for _, slot := range slices.Compact(l.drawn) {
			log.Add(slot, float64(v.Flows[slot]), true)
		}
	}
	return best
}

func (l *least) ofAll(v *policy.View, log *policy.Weighed) int {
	best, ties := -1, uint64(0)
	for _, row := range l.rows {
		slot := int(row)
		log.Add(slot, float64(v.Flows[slot]), true)
		switch {
		case best < 0 || v.Flows[slot] < v.Flows[best]:
			best, ties = slot, 1
		case v.Flows[slot] == v.Flows[best]:
			if ties++; l.draw()%ties == 0 {
				best = slot
			}
		}
	}
	return best
}
