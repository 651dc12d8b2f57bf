package envoy

import (
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var leastRow = policy.Row{
	Info: policy.Info{Name: "envoy-least-request",
		Rule:   "the host with the fewest flows of some; where weights differ, that with the earliest deadline",
		Source: source + "least_request/least_request_lb.cc at 0a31a547fa09" + schedule + slowSource,
		Score:  "flows, or the deadline where weights differ", Sees: policy.T0 | policy.T1,
		State: "a deadline a host where weights differ",
		Cost:  "the draws; n with full-scan; log n where weights differ",
		Deviates: "a schedule is made with the flows of the first decision after hosts have come or gone, not of " +
			"that moment; " + starts + lacks + zero},
	Unit:    policy.Either,
	Reasons: []string{"fewest flows", refused, "earliest deadline"},
	Maker: policy.Make(func(o leastOptions, env policy.Env) (policy.Policy, error) {
		return &least{slowStart: slowStart{slowOptions: o.slowOptions}, choices: o.Choices,
			scan: o.Method == "full-scan", bias: o.Bias, draw: env.Rand.Uint64, picks: env.Rand.Uint32()}, nil
	}),
}

type leastOptions struct {
	Method  string `yaml:"method" enum:"n-choices|full-scan" default:"n-choices"`
	Choices int    `yaml:"choices" default:"2" min:"2" max:"65536"`

	Bias        float64 `yaml:"active_request_bias" default:"1" min:"0" max:"1000"`
	slowOptions `yaml:",inline"`
}

// Unused implements strictyaml.Partial.
func (o leastOptions) Unused(key string) bool {
	return key == "active_request_bias" && o.Bias == 1 || o.slowOptions.Unused(key)
}

// Docs implements strictyaml.Documented.
func (leastOptions) Docs() string {
	return `
method: where weights are equal (selection_method). n-choices: of hosts drawn with replacement, of which the first drawn
	wins a tie; full-scan: of all hosts, of which a tie is decided at random
choices: how many are drawn (choice_count)
active_request_bias: where weights differ, the power of the flows and one more by which a weight is divided; 0: flows
	do not count
`
}

type least struct {
	hosts
	slowStart
	edf
	picks   uint32 // that the schedule begins after
	bias    float64
	scan    bool
	choices int
	draw    func() uint64
	drawn   []int
}

// Observe notes that hosts have come or gone, and when.
func (l *least) Observe(e *policy.Event, v *policy.View) {
	l.hosts.Observe(e, v)
	l.follow(e, v)
}

// prepare makes the schedule anew where hosts have come or gone, as of that time.
func (l *least) prepare(v *policy.View) {
	if !l.refresh(v) {
		return
	}
	if l.used = len(l.rows) > 0 && (!l.equal || l.some(v, l.when)); l.used {
		l.start(l.rows, func(slot int) float64 { return l.weight(v, slot, l.when) }, l.picks)
	}
}

// weight is that of a row by its flows and by its age.
func (l *least) weight(v *policy.View, slot int, now units.Time) float64 {
	weight, flows := float64(v.Weight[slot]), float64(v.Flows[slot]+1)
	if l.bias != 1 {
		flows = numeric.Exp(float64(l.bias * numeric.Log(flows)))
	}
	return float64(weight / flows * l.part(v, slot, now))
}

func (l *least) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	l.prepare(v)
	switch {
	case len(l.rows) == 0:
		return none
	case l.used:
		slot, deadline := l.pick(func(slot int) float64 { return l.weight(v, slot, v.Now) })
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
