package scheduler

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scheduler is the host of one policy.
type Scheduler struct {
	policy.Policy
	row      *policy.Row
	ruleless bool
	reasons  []string // the row's, and those of noInstance
	counts   counts
	noTarget policy.Verdict // on work that comes when no instance takes any
	weighed  policy.Weighed
	best     [2]lowest // of the candidates that fit, and of those that do not

	budget int        // most moves in a second; 0: any number
	second units.Time // of the run
	spent  int        // moves in it
}

// New makes the policy that the options, which are valid, name. The seed feeds its random streams.
func New(o Options, seed uint64) (*Scheduler, error) {
	return Host(Policies.Find(o.Policy.Name), o, seed)
}

// Host makes a policy of flows, or of their bursts, that need not be in the table.
func Host(row *policy.Row, o Options, seed uint64) (*Scheduler, error) {
	if !row.On(policy.Flows) {
		return nil, fmt.Errorf("scheduler.policy: %s decides on requests, and this engine has flows: want a policy of "+
			"flows, as smartinco policies lists them", row.Name)
	}
	unit := policy.Flows
	if o.ByBurst() {
		unit = policy.Bursts
	}
	if err := o.checkUnit(row); err != nil {
		return nil, err
	}
	return HostOf(row, o, unit, seed)
}

// HostOf makes a policy for units of a kind on which it decides: Flows, Requests or Bursts.
func HostOf(row *policy.Row, o Options, unit policy.Unit, seed uint64) (*Scheduler, error) {
	p, counts, err := Make(row, o, unit, seed)
	if err != nil {
		return nil, err
	}
	s := &Scheduler{Policy: p, row: row, ruleless: o.withoutRules(row), noTarget: policy.Hold,
		reasons: slices.Concat(row.Reasons, noInstance), budget: o.MoveBudget}
	s.counts.reasons, s.counts.own = make([]uint64, len(s.reasons)), counts
	if o.NoInstance == "drop" {
		s.noTarget = policy.Drop
	}
	return s, nil
}

// Make makes the policy alone, for units of a kind on which it decides: Flows, Requests or Bursts. Its random streams
// are those of the seed; counts are its own counters, to which it adds.
func Make(row *policy.Row, o Options, unit policy.Unit, seed uint64) (p policy.Policy, counts []uint64, err error) {
	source := numeric.Streams("scheduler/policy/"+row.Name).At(seed, 0)
	env := policy.Env{Rand: rand.New(source), Source: source, Unit: unit, Counts: make([]uint64, len(row.Counters))}
	if o.Ties == "random" {
		env.Ties = policy.DrawnTies(numeric.Stream(seed, "scheduler/ties"))
	}
	if p, err = row.New(o.of(row), env); err != nil {
		return nil, nil, fmt.Errorf("scheduler.policy.%s.%w", row.Name, err)
	}
	return p, env.Counts, nil
}

// noInstance are the reasons of the host, which answers in place of the policy where no instance takes work.
var noInstance = []string{"no instance is ready: held", "no instance is ready: dropped"}

// Row describes the policy.
func (s *Scheduler) Row() *policy.Row { return s.row }

// Ruleless is Options.Ruleless.
func (s *Scheduler) Ruleless() bool { return s.ruleless }

// Decide says what becomes of a unit of work, and why. log asks for the candidates.
func (s *Scheduler) Decide(w *policy.Work, v *policy.View, log bool) (a policy.Answer, reason string) {
	if log {
		s.weighed.Ratings = s.weighed.Ratings[:0]
	}
	if log && len(v.IDs) > 0 {
		a = s.Pick(w, v, &s.weighed)
	} else {
		a = s.Answer(w, v)
	}
	return a, s.reasons[a.Why]
}

// Answer is Decide without the reason, and without a log.
func (s *Scheduler) Answer(w *policy.Work, v *policy.View) policy.Answer {
	switch {
	case len(v.IDs) > 0:
		return s.Pick(w, v, nil)
	case s.noTarget == policy.Drop:
		return policy.Answer{Verdict: policy.Drop, Why: uint8(len(s.row.Reasons) + 1)}
	}
	return policy.Answer{Verdict: policy.Hold, Why: uint8(len(s.row.Reasons))}
}
