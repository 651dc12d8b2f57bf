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
	buf     []byte // of the reason
	reason  string
	shown   struct{ most, above mpps }
}

func newHottestInstance(o HottestOptions, _ policy.Env) (policy.Scaler, error) {
	return &hottestInstance{HottestOptions: o, history: policy.History{Span: o.Stabilization}}, nil
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
	var most float64 // its load
	fresh := false   // heat that no scale-out has answered
	for k := range s.Instances {
		i := &s.Instances[k]
		if i.State != policy.Ready {
			continue
		}
		load := p.Metric.Of(i)
		fresh = fresh || numeric.Exceeds(load, above) && i.Rate.Sampled > since
		if hottest == nil || load > most {
			hottest, most = i, load
		}
	}
	hot, b := false, p.buf[:0]
	if hottest == nil {
		b = append(b, "no instance is ready"...)
	} else {
		hot = numeric.Exceeds(most, above)
		b = strconv.AppendInt(append(b, "instance "...), int64(hottest.ID), 10)
		b = append(p.shown.most.append(append(b, " at "...), most), ", the hottest"...)
		if hot {
			b = p.shown.above.append(append(b, ", above "...), above)
		}
	}
	if s.Held > 0 {
		b = strconv.AppendInt(append(b, ", and flows are held: "...), int64(s.Held), 10)
	}
	n := s.Current
	switch left := n - 1; {
	case (hot || s.Held > 0) && starts:
		b = append(b, "; an instance starts"...)
	case fresh || s.Held > 0:
		n++
	case hot:
		b = append(b, "; counted before the last scale-out could help"...)
	case p.Below > 0 && left >= 0 && !numeric.Exceeds(s.Load(p.Metric), float64(float64(left)*p.Below)):
		n = left
		b = appendMpps(append(appendMpps(b[:0], s.Load(p.Metric)), " is at most "...), p.Below)
		b = strconv.AppendInt(append(b, " each on "...), int64(left), 10)
	}
	if p.buf = b; string(b) != p.reason {
		p.reason = string(b)
	}
	return n, p.reason
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
