package ipvs

import (
	"math/rand/v2"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// The schedulers that take the server with the greatest weight.
var (
	ovf = heaviestRow("ovf", "the server with the greatest weight, until it has more active connections than that",
		func(v *policy.View, slot int) bool { return v.Flows[slot] <= v.Weight[slot] })
	fo = heaviestRow("fo", "the server with the greatest weight; the others stand by",
		func(*policy.View, int) bool { return true })
)

func heaviestRow(name, rule string, fits func(*policy.View, int) bool) policy.Row {
	return policy.Row{
		Info: policy.Info{Name: "ipvs-" + name, Rule: rule, Source: source + name + ".c", Score: "weight",
			Sees: policy.T0 | policy.T1, State: state, Cost: "n", Deviates: lacks},
		Highest: true,
		Reasons: reasons("greatest weight"),
		Maker: policy.Make(func(o Options, _ policy.Env) (policy.Policy, error) {
			return &heaviest{newService(o), fits}, nil
		}),
	}
}

type heaviest struct {
	service
	fits func(v *policy.View, slot int) bool
}

func (h *heaviest) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	h.expire(v)
	if log != nil {
		for slot, w := range v.Weight {
			log.Add(slot, float64(w), h.available(v, slot) && h.fits(v, slot))
		}
	}
	best := -1
	for _, at := range h.order {
		slot := int(at)
		if h.available(v, slot) && h.fits(v, slot) && (best < 0 || v.Weight[slot] > v.Weight[best]) {
			best = slot
		}
	}
	return answer(best)
}

var twos = policy.Row{
	Info: policy.Info{Name: "ipvs-twos",
		Rule:   "the one with the fewer connections for its weight of two servers drawn by their weights",
		Source: source + "twos.c",
		Score:  "256 times the active connections, and the inactive ones, over the weight",
		Sees:   policy.T0 | policy.T1, State: state, Cost: "n",
		Deviates: "read in the source, and not held against a kernel; " + lacks},
	Reasons: reasons("better of the two drawn"),
	Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
		return &ofTwo{newService(o), env.Rand}, nil
	}),
}

// ofTwo draws twice, with replacement, from 0 to the sum of the weights, both included. Therefore the newest server has
// one chance more than its weight, as in the kernel.
type ofTwo struct {
	service
	rand *rand.Rand
}

func (o *ofTwo) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	o.expire(v)
	total := 0
	for slot, w := range v.Weight {
		if o.available(v, slot) {
			total += int(w)
		}
	}
	if total == 0 {
		return answer(-1)
	}
	a, b := o.rand.IntN(total+1), o.rand.IntN(total+1)
	one, two := o.drawn(v, a), o.drawn(v, b)
	if log != nil {
		for slot := range v.IDs {
			if slot == one || slot == two {
				log.Add(slot, float64(o.overhead(v, slot))/float64(v.Weight[slot]), true)
			}
		}
	}
	if o.overhead(v, two)*int64(v.Weight[one]) < o.overhead(v, one)*int64(v.Weight[two]) {
		return answer(two)
	}
	return answer(one)
}

// drawn is the row of the server that a draw falls on.
func (o *ofTwo) drawn(v *policy.View, draw int) int {
	for _, at := range o.order {
		slot := int(at)
		if !o.available(v, slot) {
			continue
		}
		if draw -= int(v.Weight[slot]); draw <= 0 {
			return slot
		}
	}
	panic("a draw beyond the sum of the weights")
}
