package scheduler

import (
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/choices"
	"github.com/smartinco/smartinco/orchestrator/scheduler/envoy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/haproxy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/hashing"
	"github.com/smartinco/smartinco/orchestrator/scheduler/ipvs"
	"github.com/smartinco/smartinco/orchestrator/scheduler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/scheduler/rss"
	"github.com/smartinco/smartinco/orchestrator/scheduler/swarm"
	"github.com/smartinco/smartinco/orchestrator/scheduler/thesis"
)

// Policies is the table of all scheduling policies: that of each family, one behind the other.
var Policies = policy.Table[policy.Row](slices.Concat(
	thesis.Policies, choices.Policies, hashing.Policies, rss.Policies, ipvs.Policies, swarm.Policies,
	haproxy.Policies, kubernetes.Policies, envoy.Policies))

// Scheduler is the host of one policy.
type Scheduler struct {
	policy.Policy
	row      *policy.Row
	noTarget policy.Verdict // on work that comes when no instance takes any
	weighed  policy.Weighed
	best     [2]lowest // of the candidates that fit, and of those that do not
}

// New makes the policy that the options name. The seed feeds its random streams.
func New(o Options, seed uint64) (*Scheduler, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return Host(Policies.Find(o.Policy.Name), o, seed)
}

// Host makes a policy that need not be in the table.
func Host(row *policy.Row, o Options, seed uint64) (*Scheduler, error) {
	env := policy.Env{
		Rand: numeric.Stream(seed, "scheduler/policy/"+row.Name), Counts: make([]uint64, len(row.Counters)),
	}
	if o.Ties == "random" {
		env.Ties = policy.DrawnTies(numeric.Stream(seed, "scheduler/ties"))
	}
	p, err := row.New(o.of(row), env)
	if err != nil {
		return nil, fmt.Errorf("scheduler.policy.%s.%w", row.Name, err)
	}
	s := &Scheduler{Policy: p, row: row, noTarget: policy.Hold}
	if o.NoInstance == "drop" {
		s.noTarget = policy.Drop
	}
	return s, nil
}

// Row describes the policy.
func (s *Scheduler) Row() *policy.Row { return s.row }

// Decide says what becomes of a unit of work, and why. log asks for the candidates.
func (s *Scheduler) Decide(w *policy.Work, v *policy.View, log bool) (a policy.Answer, reason string) {
	if len(v.IDs) == 0 {
		s.weighed.Ratings = s.weighed.Ratings[:0]
		if s.noTarget == policy.Drop {
			return policy.Answer{Verdict: policy.Drop}, "no instance is ready: dropped"
		}
		return policy.Answer{Verdict: policy.Hold}, "no instance is ready: held"
	}
	var weighed *policy.Weighed
	if log {
		s.weighed.Ratings = s.weighed.Ratings[:0]
		weighed = &s.weighed
	}
	a = s.Pick(w, v, weighed)
	return a, s.row.Reasons[a.Why]
}
