// Package ringleader has the rules by which RingLeader (Lin et al., NSDI 2023) says how many cores an application has.
// Its NIC watches the queue in which the application's requests wait for a core, and sends the host two hints:
//
//   - congestion, by the rule of Shenango (Ousterhout et al., NSDI 2019): fewer requests left the queue during an epoch
//     than had waited at its start, so that one that was there is still there;
//   - that a core can be given back: at no time of an epoch, which is a longer one, did as many wait as a threshold
//     says.
//
// Here a core is an instance, an epoch is the time between two evaluations, and what waits is what the scheduler holds:
// requests or flows. So the rules are for schedulers that hold work when the instances have enough of it, as RingLeader
// does and those with a bound for each instance.
package ringleader

import (
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{{Info: policy.Info{
	Name: "ringleader",
	Rule: "one more when less left the scheduler's queue since the last evaluation than had waited then; one fewer " +
		"when little has waited for long",
	Source: "Lin et al., NSDI 2023, as released: RingleaderNIC a7ac4eaca4e5, ringleader/perf_monitor.v, catnip " +
		"libos.rs; the rule for more is that of Shenango: Ousterhout et al., NSDI 2019, 4.1",
	Sees: policy.T0 | policy.T1, State: "the longest queue of this epoch of the second rule, and its age", Cost: "n",
	Deviates: "all applications are one, so no core is taken from one that is less urgent; epochs follow each other, " +
		"where there a new one begins when the host has answered a hint; which instance goes is autoscaler.victim's, " +
		"and newest is the source's",
}, Counters: []string{congested: "epochs with congestion", unanswered: "of these, while an instance started",
	spare: "epochs after which an instance can go"},
	ScalerMaker: policy.MakeScaler(newScaler)}}

// The counters.
const (
	congested = iota
	unanswered
	spare
)

// Options are those of ringleader.
type Options struct {
	Threshold int `yaml:"scale_in_threshold" default:"1" min:"0"`
	Epochs    int `yaml:"scale_in_epochs" default:"16" min:"1"`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
scale_in_threshold: one instance goes when, during all of an epoch of the second rule, less than this waited; 0 for
	never
scale_in_epochs: how many times autoscaler.interval, the epoch of the first rule, that of the second one is; both are
	powers of 2 there, in cycles of the NIC
`
}

type scaler struct {
	Options
	counts  []uint64
	longest int // queue, in this epoch of the second rule
	age     int // of that, in evaluations
}

func newScaler(o Options, env policy.Env) (policy.Scaler, error) {
	return &scaler{Options: o, counts: env.Counts}, nil
}

// Evaluate implements policy.Scaler.
func (p *scaler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	n, reason := p.recommend(s)
	return policy.Proposal{Desired: steps.Clamp(s, steps.Take(policy.Recommended, n, reason))}
}

// recommend answers both hints. Each can come with the other: then one instance more and one fewer is none.
func (p *scaler) recommend(s *policy.Snapshot) (n int, reason string) {
	q := &s.Backlog
	n = s.Wanted
	reason = strconv.Itoa(q.Left) + " left the queue, in which " + strconv.Itoa(q.Start) + " had waited"
	if q.Left < q.Start {
		p.counts[congested]++
		if starts(s) {
			p.counts[unanswered]++
			reason += "; an instance starts"
		} else {
			n++
		}
	}
	p.longest = max(p.longest, q.Most)
	if p.age++; p.age < p.Epochs {
		return n, reason
	}
	longest := p.longest
	p.longest, p.age = 0, 0
	if longest < p.Threshold {
		p.counts[spare]++
		if s.Wanted > 1 {
			n--
			reason += "; at most " + strconv.Itoa(longest) + " waited for long"
		}
	}
	return n, reason
}

// starts reports whether an instance is on its way: then the hint that asked for it has not been answered.
func starts(s *policy.Snapshot) bool {
	for i := range s.Instances {
		if s.Instances[i].State == policy.Starting {
			return true
		}
	}
	return s.Wanted > s.Current
}
