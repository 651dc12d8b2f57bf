package thesis

import "github.com/smartinco/smartinco/orchestrator/policy"

// bestFit takes, of the instances whose load and the flow's expected demand together stay within the limit, the one
// with the highest load.
type bestFit struct{ Fit }

func (b *bestFit) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if log != nil {
		b.Weigh(v, log)
	}
	best, load, ties := -1, 0.0, 0
	for i, l := range b.load {
		switch {
		case !b.Fits(v, l):
		case best < 0 || l > load:
			best, load, ties = i, l, 1
		case l == load:
			ties++
			if b.ties.Wins(ties) {
				best = i
			}
		}
	}
	if best < 0 {
		return b.NoFit()
	}
	return policy.Answer{Slot: best}
}
