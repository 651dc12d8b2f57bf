package hashing

import (
	"slices"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

var boundedRow = policy.Row{
	Info: policy.Info{Name: "bounded-load",
		Rule:   "consistent hashing with bounded loads: as ring, and on along the ring where an instance has its part",
		Source: "Mirrokni, Thorup and Zadimoghaddam, SODA 2018",
		Score:  "the point's place on the ring", Sees: policy.T0 | policy.T1,
		State: "a ring of points, some for each instance", Cost: "n",
		Deviates: "flows stay where they are when others end or instances come and go; " +
			"in the paper those move that would be elsewhere, and a bin has one point"},
	Unit:     policy.Either,
	Tuple:    true,
	Reasons:  []string{"next point to the flow's hash", "the next point's instance has its part: one further on"},
	Counters: []string{"points passed over"},
	Maker: policy.Make(func(o boundedOptions, env policy.Env) (policy.Policy, error) {
		return &bounded{ring: newRing(o.ringOptions), factor: o.Factor, passed: &env.Counts[0]}, nil
	}),
}

type boundedOptions struct {
	Factor      int `yaml:"factor" default:"125" min:"100" max:"1000000"`
	ringOptions `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (boundedOptions) Docs() string {
	return `
factor: percentage of the mean number of flows, the new one included, that an instance may have, rounded up
`
}

// bounded is a ring on which an instance that has its part of the flows is passed over.
type bounded struct {
	ring
	factor int
	passed *uint64
}

func (b *bounded) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer) {
	part := b.part(v)
	for at := b.next(w.Hash()); ; at = (at + 1) % len(b.points) {
		a.Slot, _ = slices.BinarySearch(v.IDs, b.points[at].id)
		if int(v.Flows[a.Slot]) < part { // holds for one at least, since the parts of all are the flows or more
			log.Add(a.Slot, float64(at), true)
			return a
		}
		a.Why = 1
		*b.passed++
	}
}

// part is the most flows that an instance may have with the new one.
func (b *bounded) part(v *policy.View) int {
	flows := 1
	for _, n := range v.Flows {
		flows += int(n)
	}
	n := 100 * len(v.IDs)
	return (flows*b.factor + n - 1) / n
}
