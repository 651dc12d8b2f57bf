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
