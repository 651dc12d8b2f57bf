package envoy

import (
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var peakRow = policy.Row{
	Info: policy.Info{Name: "envoy-peak-ewma",
		Rule: "the host of two drawn that has the lower product of its packets' delay, averaged over time, and its " +
			"flows and one more",
		Source: "Envoy, contrib/peak_ewma/load_balancing_policies/source/: peak_ewma_lb.cc at 392fd35a9a25, cost.cc " +
			"at c33e7f824b99",
		Score: "the product, in milliseconds", Sees: policy.T0 | policy.T1 | policy.T3,
		State: "an average of the delay for each host", Cost: "constant; n at each report",
		Deviates: "Envoy takes the time of each request, up to 1,000 of them in 100 ms; here one sample is the " +
			"median of the packets that left an instance since its last report, and its weight goes by the time " +
			"since the sample before it; weights above 0 say nothing; " + lacks + zero},
	Measures: policy.SetOf(policy.DelayP50),
	Reasons:  []string{"lower of two", refused},
	Maker: policy.Make(func(o peakOptions, env policy.Env) (policy.Policy, error) {
		return &peak{peakOptions: o, draw: env.Rand.Uint64}, nil
	}),
}

type peakOptions struct {
	Decay   units.Time `yaml:"decay_time" default:"10s" above:"0"`
	Default units.Time `yaml:"default_rtt" default:"10ms" min:"0"`
	Penalty float64    `yaml:"penalty_value" default:"1000000" min:"0"`
}

// Docs implements strictyaml.Documented.
func (peakOptions) Docs() string {
	return `
decay_time: of the average: a sample that is so much newer than the one before counts 1 - 1/e
default_rtt: the delay that counts for an instance without flows of which none is known: Envoy's, which is long beside
	the delays of packets
penalty_value: what an instance with flows costs, beside these, while no delay of it is known: milliseconds
`
}

type peak struct {
	hosts
	peakOptions
	delays policy.PerSlot[average]
	draw   func() uint64
}

// average is an exponentially weighted moving average of a delay, in milliseconds; 0 before the first sample.
type average struct {
	of float64
	at units.Time // of the last sample
}

// add takes a sample in.
func (a *average) add(delay float64, at, decay units.Time) {
	if a.of > 0 {
		old := numeric.Exp(-float64(at-a.at) / float64(decay))
		delay = float64(old*a.of) + float64((1-old)*delay)
	}
	*a = average{delay, at}
}

func (p *peak) Observe(e *policy.Event, v *policy.View) {
	p.hosts.Observe(e, v)
	p.delays.Follow(e, average{})
	if e.Kind != policy.Reported {
		return
	}
	for slot, delay := range v.Delay {
		if delay > 0 {
			p.delays[slot].add(delay*1e3, e.Until, p.Decay)
		}
	}
}

func (p *peak) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	p.refresh(v)
	n := uint64(len(p.rows))
	switch n {
	case 0:
		return none
	case 1:
		slot := int(p.rows[0])
		log.Add(slot, p.cost(v, slot), true)
		return policy.Answer{Slot: slot}
	}
	r := p.draw()
	i, k := r%n, r>>16%n
	if i == k {
		k = (k + 1) % n
	}
	first, second := int(p.rows[i]), int(p.rows[k])
	a, b := p.cost(v, first), p.cost(v, second)
	if first < second {
		log.Add(first, a, true)
		log.Add(second, b, true)
	} else {
		log.Add(second, b, true)
		log.Add(first, a, true)
	}
	if a < b || a == b && r&1 != 0 {
		return policy.Answer{Slot: first}
	}
	return policy.Answer{Slot: second}
}

func (p *peak) cost(v *policy.View, slot int) float64 {
	return p.costOf(p.delays[slot].of, float64(v.Flows[slot]))
}

// costOf is what an instance of a delay in milliseconds, 0 for none that is known, costs with some flows.
func (p *peak) costOf(delay, flows float64) float64 {
	switch {
	case delay > 0:
		return delay * (flows + 1)
	case flows > 0:
		return p.Penalty + flows
	}
	return p.Default.Seconds() * 1e3
}
