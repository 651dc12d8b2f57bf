package kubernetes

import (
	"math"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

var iptablesRow = policy.Row{
	Info: policy.Info{Name: "kube-iptables",
		Rule: "the instance of the first rule that matches; rule j of N does so with probability 1/(N-j)",
		Source: source + "iptables/proxier.go, computeProbability with ten decimals (older versions have five); " +
			"iptables 1.8, libxt_statistic.c; Linux 6.1, net/netfilter/xt_statistic.c",
		Score: "place of the instance's rule in the chain", Sees: policy.T0,
		State: "the thresholds of the rules; with affinity, the sources of that time", Cost: "n",
		Deviates: "instances are in order of their numbers, endpoints in that of their addresses; affinity knows all " +
			"sources, while the module recent keeps 100 an endpoint unless it is told otherwise; " + removed},
	Tuple:    true,
	Reasons:  reasons("its rule is the first that matches"),
	Counters: []string{"draws"},
	Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
		return &iptables{newAffinity(o), env, []uint32{0}}, nil
	}),
}

// iptables asks the rules of a chain in turn.
type iptables struct {
	affinity
	env        policy.Env
	thresholds []uint32 // of a rule, by how many rules there are from it on
}

// probability is what kube-proxy writes into a rule that so many rules, itself included, are left from.
func probability(left int) string { return strconv.FormatFloat(1/float64(left), 'f', 10, 64) }

// threshold is what the program iptables makes of a probability: the kernel matches where 31 random bits are below it.
func threshold(probability string) uint32 {
	p, _ := strconv.ParseFloat(probability, 64)
	return uint32(math.Round(p * (1 << 31)))
}

func (p *iptables) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if slot, ok := p.recall(w, v); ok {
		log.Add(slot, float64(slot), true)
		return policy.Answer{Slot: slot, Why: remembered}
	}
	n := len(v.IDs)
	for len(p.thresholds) <= n {
		p.thresholds = append(p.thresholds, threshold(probability(len(p.thresholds))))
	}
	slot := 0
	for slot < n-1 && !p.matches(p.thresholds[n-slot]) {
		log.Add(slot, float64(slot), false)
		slot++
	}
	log.Add(slot, float64(slot), true)
	return policy.Answer{Slot: slot}
}

func (p *iptables) matches(threshold uint32) bool {
	p.env.Counts[0]++
	return p.env.Rand.Uint32()&(1<<31-1) < threshold
}
