package thesis

import (
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// HottestOptions are those of hottest-instance.
type HottestOptions struct {
	Above         float64       // packets a second beyond which an instance is hot; 0 for the limit
	Below         float64       // packets a second that each instance may carry after a scale-in; 0 for no scale-in
	Metric        policy.Metric // the load that is compared with them
	Stabilization units.Time    // a scale-in goes no lower than the highest recommendation of this long
	Pace          policy.Pace
}

// hottestInstance asks for one instance more while any is hot, or flows are held. The thesis calls its rule an internal
// heuristic and does not say what it compares. Under this one, its Figure 10 needs as many instances as published.
//
// The same heat counts once: nothing is asked for while an instance starts, nor because of counters that were sampled
// before the newest instance was ready or the last scale-out was ordered.
//
// It asks for one instance fewer when none is hot, no flow is held, and the others could carry the whole load at Below
// each. Draining instances are never hot, because their flows leave them, but their load is part of the whole.
type hottestInstance struct {
	HottestOptions
	history policy.History
}

func newHottestInstance(o HottestOptions, _ policy.Env) (policy.Scaler, error) {
	return &hottestInstance{o, policy.History{Span: o.Stabilization}}, nil
}

func (p *hottestInstance) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	var n int
	if s.Wanted > s.Current { // the number is a state of this rule: a failure must not change it
		n = steps.Take(policy.Recommended, s.Wanted, "failed instances are to be replaced")
	} else {
		n = steps.Recommend(s, p.recommend)
	}
	n = steps.Stabilise(s, n, &p.history)
	n = steps.RateLimit(s, n, &p.Pace)
	return policy.Proposal{Desired: steps.Clamp(s, n)}
}

func (p *hottestInstance) recommend(s *policy.Snapshot) (int, string) {
	starts, since := latest(s)
	above := p.Above
	if above == 0 {
		above = s.Limit
	}
	var hottest *policy.Instance
	fresh := false // heat that no scale-out has answered
	for k := range s.Instances {
		i := &s.Instances[k]
		if i.State != policy.Ready {
			continue
		}
		load := p.Metric.Of(i)
		fresh = fresh || numeric.Exceeds(load, above) && i.Rate.Sampled > since
		if hottest == nil || load > p.Metric.Of(hottest) {
			hottest = i
		}
	}
	hot, reason := false, "no instance is ready"
	if hottest != nil {
		most := p.Metric.Of(hottest)
		hot = numeric.Exceeds(most, above)
		reason = "instance " + strconv.Itoa(int(hottest.ID)) + " at " + mpps(most) + ", the hottest"
		if hot {
			reason += ", above " + mpps(above)
		}
	}
	if s.Held > 0 {
		reason += ", and flows are held: " + strconv.Itoa(s.Held)
	}
	switch {
	case (hot || s.Held > 0) && starts:
		return s.Current, reason + "; an instance starts"
	case fresh || s.Held > 0:
		return s.Current + 1, reason
	case hot:
		return s.Current, reason + "; counted before the last scale-out could help"
	}
	load := s.Load(p.Metric)
	if left := s.Current - 1; p.Below > 0 && left >= 0 && !numeric.Exceeds(load, float64(float64(left)*p.Below)) {
		return left, mpps(load) + " is at most " + mpps(p.Below) + " each on " + strconv.Itoa(left)
	}
	return s.Current, reason
}

// latest reports whether an instance starts, and when the last scale-out began to help: when it was ordered, if it took
// draining instances back, and when the newest instance was ready.
func latest(s *policy.Snapshot) (starts bool, since units.Time) {
	if s.LastScaleOut != units.Never {
		since = s.LastScaleOut
	}
	for k := range s.Instances {
		switch i := &s.Instances[k]; i.State {
		case policy.Starting:
			starts = true
		case policy.Ready:
			since = max(since, i.Ready)
		}
	}
	return starts, since
}
