package kubernetes

import "github.com/smartinco/smartinco/orchestrator/policy"

// Tolerances are those of the object: of its behavior, where that has its own.
func (o *Options) Tolerances() Tolerances {
	t := Tolerances{Down: o.Tolerance, Up: o.Tolerance}
	if b := o.Spec.Behavior; b != nil {
		if b.ScaleUp.Tolerance != "" {
			t.Up = b.ScaleUp.Tolerance.Float()
		}
		if b.ScaleDown.Tolerance != "" {
			t.Down = b.ScaleDown.Tolerance.Float()
		}
	}
	return t
}

// Completed is the behavior with what is absent, as the API server completes it.
func (b Behavior) Completed() Behavior {
	s := Spec{Behavior: &b}
	s.complete()
	return *s.Behavior
}

// Rule finds the number of replicas that the controller then stabilises and limits, and takes it down in steps. ok is
// false where nothing is to change.
type Rule func(s *policy.Snapshot, current int, steps *policy.Steps) (desired int, ok bool)

// Around makes the controller of an object around another rule than that of its metrics: replace is given the latter
// and returns the former. The programs that are built upon the controller put their numbers in there.
func Around(o Options, replace func(metrics Rule) Rule) (policy.Scaler, error) {
	s, err := newHorizontal(o, policy.Env{})
	if err != nil {
		return nil, err
	}
	p := s.(*scaler)
	p.rule = replace(p.rule)
	return p, nil
}

// Proposer is what each metric of an object proposes by itself. A program whose own metrics stand beside them takes the
// most of all.
type Proposer struct{ object *scaler }

// NewProposer makes the metrics of an object.
func NewProposer(o Options) (Proposer, error) {
	s, err := newHorizontal(o, policy.Env{})
	if err != nil {
		return Proposer{}, err
	}
	return Proposer{s.(*scaler)}, nil
}

// Propose is what a metric proposes where so many replicas are wanted, with what was found appended to b. The error
// says that nothing is known of it.
func (p Proposer) Propose(metric int, s *policy.Snapshot, current int, b []byte) (int, []byte, error) {
	m := &p.object.measures[metric]
	n, found, err := p.object.propose(m, s, current)
	if err != nil {
		return 0, b, err
	}
	return n, m.say(b, found, n), nil
}
