package hashing

import "github.com/smartinco/smartinco/orchestrator/policy"

var spillRow = policy.Row{
	Info: policy.Info{Name: "spill-over",
		Rule: "the home of the flow's hash, as hrw, while that has few; with a threshold or more, the one with fewest",
		Source: "the way in which Nezha (Li et al., SIGCOMM 2025) and Meili (Su et al., arXiv 2312.11871) use other " +
			"SmartNICs: what one cannot take goes to one that is idle",
		Score: "flows, those of the home and, where these are too many, of all", Sees: policy.T0 | policy.T1,
		State: "a hash for each instance", Cost: "n",
		Deviates: "a rule by numbers of flows, or of requests, where the two systems go by what a card's processors " +
			"and tables have left, and move the state of a virtual switch or of a network function"},
	Unit:  policy.Either,
	Tuple: true,
	Reasons: []string{atHome: "home", spilled: "home has too many: fewest", refused: "no instance has a weight: " +
		"refused"},
	Counters: []string{"sent elsewhere than home"},
	Maker: policy.Make(func(o spillOptions, env policy.Env) (policy.Policy, error) {
		return &spill{threshold: int32(o.Threshold), ties: env.Ties, elsewhere: &env.Counts[0]}, nil
	}),
}

// The reasons.
const (
	atHome uint8 = iota
	spilled
	refused
)

type spillOptions struct {
	Threshold int `yaml:"threshold" default:"16" min:"1" max:"1000000000"`
}

// Docs implements strictyaml.Documented.
func (spillOptions) Docs() string {
	return `
threshold: with so many flows, or requests, a home takes no more, unless all others have as many
`
}

type spill struct {
	Rendezvous
	threshold int32
	ties      policy.Ties
	elsewhere *uint64
}

func (s *spill) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	home := s.Best(w, v, nil)
	if home < 0 {
		return policy.Answer{Verdict: policy.Drop, Why: refused}
	}
	if v.Flows[home] < s.threshold {
		log.Add(home, float64(v.Flows[home]), true)
		return policy.Answer{Slot: home}
	}
	best, ties := home, 1
	for slot, n := range v.Flows {
		takes := v.Weight[slot] > 0
		log.Add(slot, float64(n), takes)
		switch {
		case !takes || slot == home || best == home && n >= v.Flows[home]: // of equal ones, home
		case n < v.Flows[best]:
			best, ties = slot, 1
		case n == v.Flows[best]:
			ties++
			if s.ties.Wins(ties) {
				best = slot
			}
		}
	}
	if best == home {
		return policy.Answer{Slot: home}
	}
	*s.elsewhere++
	return policy.Answer{Slot: best, Why: spilled}
}
