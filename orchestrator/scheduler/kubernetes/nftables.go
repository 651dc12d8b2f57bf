package kubernetes

import "github.com/smartinco/smartinco/orchestrator/policy"

var nftablesRow = policy.Row{
	Info: policy.Info{Name: "kube-nftables", Rule: "an instance drawn at random",
		Source: source + "nftables/proxier.go at b0f823e6ccd8; Linux 6.1, net/netfilter/nft_numgen.c",
		Score:  "place of the instance in the map", Sees: policy.T0,
		State: "with affinity, the sources of that time", Cost: "constant",
		Deviates: "instances are in order of their numbers, endpoints in that of their addresses; " + removed},
	Tuple:   true,
	Reasons: reasons("drawn"),
	Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
		return &nftables{newAffinity(o), env.Rand.Uint32}, nil
	}),
}

// nftables looks a random number up in a map of the instances.
type nftables struct {
	affinity
	draw func() uint32
}

func (p *nftables) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	slot, ok := p.recall(w, v)
	why := remembered
	if !ok {
		slot, why = numgen(p.draw(), len(v.IDs)), chosen
	}
	log.Add(slot, float64(slot), true)
	return policy.Answer{Slot: slot, Why: why}
}

// numgen is what the expression "numgen random mod n" makes of 32 random bits: not the remainder, but that part of n
// which they are of 2^32.
func numgen(random uint32, n int) int { return int(uint64(random) * uint64(n) >> 32) }
