package choices

import "github.com/smartinco/smartinco/orchestrator/policy"

var sparseRow = policy.Row{
	Info: policy.Info{Name: "jsq-sparse",
		Rule: "join the shortest queue with sparse feedback: the instance with the lowest estimate, which is its " +
			"last report, and one more for each request sent since",
		Source: "van der Boor, Borst and van Leeuwaarden, Hyper-scalable JSQ with sparse feedback, SIGMETRICS 2019",
		Score:  "requests that the instance is estimated to have", Sees: policy.T0 | policy.T1 | policy.T3,
		State: "an estimate for each instance, and how many replies it was since its last report", Cost: "n",
		Deviates: "instances report with each n-th reply, and not at times of their own; requests that were under " +
			"way to the instance as it reported are in no estimate; one that joins is estimated to have what it has"},
	Unit:    policy.Requests,
	Reasons: []string{"lowest estimate"},
	Maker: policy.Make(func(o sparseOptions, env policy.Env) (policy.Policy, error) {
		return &sparse{every: int32(o.Every), ties: env.Ties}, nil
	}),
}

type sparseOptions struct {
	Every int `yaml:"every" default:"1" min:"1" max:"1000000000"`
}

// Docs implements strictyaml.Documented.
func (sparseOptions) Docs() string {
	return `
every: which replies of an instance count as its report: each, or each second, third and so on; the others say nothing
`
}

type sparse struct {
	every     int32
	ties      policy.Ties
	estimates policy.PerSlot[estimate]
}

type estimate struct{ requests, replies int32 }

// Observe counts what is sent, and takes what is reported.
func (s *sparse) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Joined:
		s.estimates.Follow(e, estimate{requests: v.Flows[e.Slot]})
	case policy.Left:
		s.estimates.Follow(e, estimate{})
	case policy.Placed:
		s.estimates[e.Slot].requests++
	case policy.Ended:
		if e.Slot < 0 {
			return
		}
		at := &s.estimates[e.Slot]
		if at.replies++; at.replies >= s.every {
			*at = estimate{requests: e.Queue}
		}
	}
}

func (s *sparse) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	best, ties := 0, 0
	for slot := range s.estimates {
		n := s.estimates[slot].requests
		log.Add(slot, float64(n), true)
		switch {
		case slot == 0 || n < s.estimates[best].requests:
			best, ties = slot, 1
		case n == s.estimates[best].requests:
			ties++
			if s.ties.Wins(ties) {
				best = slot
			}
		}
	}
	return policy.Answer{Slot: best}
}
