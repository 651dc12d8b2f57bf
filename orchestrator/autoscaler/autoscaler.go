package autoscaler

import (
	"fmt"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Autoscaler is the host of one scaling policy and one victim policy.
type Autoscaler struct {
	scaler policy.Scaler // nil: the number of instances is never evaluated
	victim policy.Victim
	shows  struct{ scaler, victim policy.Class }
	moves  bool
	wants  policy.MetricSet
	last   policy.Proposal

	counts policy.ScalingCounts // but its Counters
	row    *policy.ScalerRow
	own    []uint64 // the policy adds to them

	steps     policy.Steps
	scaled    units.Time // when an evaluation last changed the number; Never before
	scaledOut units.Time // when one last raised it; Never before
	scores    []float64
}

// New makes the policies that the options, which are valid, name. The seed feeds their random streams.
func New(o Options, seed uint64) (a *Autoscaler, err error) {
	d := o.decode()
	a = &Autoscaler{moves: d.moves, wants: d.measures(), row: d.scaler, own: make([]uint64, len(d.scaler.Counters)),
		scaled: units.Never, scaledOut: units.Never}
	a.shows.scaler, a.shows.victim = d.scaler.Sees, d.victim.Sees
	a.victim = d.victim.New(policy.Env{Rand: numeric.Stream(seed, "victim/"+d.victim.Name)})
	if d.scaler.New != nil {
		env := policy.Env{Rand: numeric.Stream(seed, "autoscaler/"+d.scaler.Name), Counts: a.own}
		if a.scaler, err = d.scaler.New(d.options, env); err != nil {
			return nil, fmt.Errorf("autoscaler.policy.%s.%w", d.scaler.Name, err)
		}
	}
	return a, nil
}

// Active reports whether the number of instances is evaluated at all; under none it is not.
func (a *Autoscaler) Active() bool { return a.scaler != nil }

// Measures are the metrics of class T3 that the policy goes by.
func (a *Autoscaler) Measures() policy.MetricSet { return a.wants }

// Moves reports whether a scale-in moves the flows of its victim, or lets them finish.
func (a *Autoscaler) Moves() bool { return a.moves }

// Foresees reports whether the policy is an oracle, which is shown Snapshot.Ahead.
func (a *Autoscaler) Foresees() bool { return a.Active() && a.shows.scaler.Has(policy.T5) }

// Evaluate asks the policy how many instances there shall be. The number is within the snapshot's bounds; the steps are
// valid until the next call. Snapshot.LastScaling and LastScaleOut are filled in, and what the policy may not see is
// cleared.
//
// The caller carries the number out: cool-downs count from it. Evaluate must not be called on an autoscaler that is not
// Active. Calls come in order of time.
func (a *Autoscaler) Evaluate(s *policy.Snapshot) (desired int, steps []policy.Step) {
	s.LastScaling, s.LastScaleOut = a.scaled, a.scaledOut
	s.Narrow(a.shows.scaler)
	a.steps = a.steps[:0]
	a.last = a.scaler.Evaluate(s, &a.steps)
	desired = a.last.Desired
	if desired < s.Min || desired > s.Max { // a fault of the policy
		desired = a.steps.Clamp(s, desired)
	}
	a.counts.Evaluations++
	switch {
	case desired > s.Current:
		a.scaled, a.scaledOut = s.Now, s.Now
		a.counts.Out++
	case desired < s.Current:
		a.scaled = s.Now
		a.counts.In++
	}
	return desired, a.steps
}

// Counts is what the scaling policy has done so far; nil for one that counts nothing itself.
func (a *Autoscaler) Counts() *policy.ScalingCounts {
	if len(a.own) == 0 {
		return nil
	}
	c := a.counts
	c.Name, c.Counters = a.row.Name, policy.Named(a.row.Counters, a.own)
	return &c
}

// Shares are what the last evaluation wants of the instances' shares of a core, as in policy.Proposal.
func (a *Autoscaler) Shares() (resize []policy.Resize, fresh float64) {
	return a.last.Resize, a.last.Share
}

// PickVictim returns the index of the instance to remove, and the scores by which the victim policy ranks them all: the
// lowest goes; of several with the same score, the newest. The list must not be empty and is in order of the instances'
// numbers. What the policy may not see is cleared. The scores are valid until the next call.
func (a *Autoscaler) PickVictim(now units.Time, from []policy.Instance) (victim int, scores []float64) {
	policy.Narrow(from, a.shows.victim)
	a.scores = append(a.scores[:0], make([]float64, len(from))...)
	a.victim.Score(now, from, a.scores)
	for i, score := range a.scores {
		if score <= a.scores[victim] {
			victim = i
		}
	}
	return victim, a.scores
}
