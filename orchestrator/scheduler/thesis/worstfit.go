package thesis

import "github.com/smartinco/smartinco/orchestrator/policy"

// worstFit takes the instance with the lowest load, whether or not the flow fits: if it does not fit there, it fits
// nowhere.
type worstFit struct{ Fit }

func (w *worstFit) Pick(_ *policy.Work, _ *policy.View, log *policy.Weighed) policy.Answer {
	if log != nil {
		for i, l := range w.load {
			log.Add(i, l, true)
		}
	}
	return policy.Answer{Slot: w.leastLoaded()}
}
