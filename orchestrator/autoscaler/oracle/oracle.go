// Package oracle has the scaling policy that is told what no autoscaler can know: what the workload will offer. It is
// what others are measured against, and no hardware can run it.
package oracle

import (
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{{Info: policy.Info{
	Name:   "oracle",
	Rule:   "the fewest instances that carry all that will be offered until others could be ready",
	Source: "this project",
	Sees:   policy.T0 | policy.T5, Cost: "constant",
	Deviates: "no source; what an instance carries is a share of scheduler.limit, and not what it can process beside " +
		"others; that flows do not divide is not looked at, nor what the link or the card does not forward",
}, ScalerMaker: policy.MakeScaler(newOracle)}}

// Options are those of oracle.
type Options struct {
	Target float64 `yaml:"target" doc:"the share of scheduler.limit that an instance carries" default:"1" above:"0"`
}

type oracle struct{ Options }

func newOracle(o Options, _ policy.Env) (policy.Scaler, error) { return &oracle{o}, nil }

// Evaluate implements policy.Scaler.
func (p *oracle) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	share := float64(p.Target * s.Limit)
	n := numeric.Ceil(s.Ahead/share, signal.Most)
	reason := signal.Mpps(s.Ahead) + " at most ahead, at " + signal.Mpps(share) + " each"
	if n == 0 && s.Held > 0 {
		n, reason = 1, "flows are held: "+strconv.Itoa(s.Held)
	}
	return policy.Proposal{Desired: steps.Clamp(s, steps.Take(policy.Recommended, n, reason))}
}
