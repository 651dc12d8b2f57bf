// Package plain has the autoscalers of textbooks: two water marks, a controller, and the queue rule of Shenango. A
// fixed number is the policy none.
package plain

import (
	"fmt"
	"math"
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{
	{Info: policy.Info{
		Name:   "threshold",
		Rule:   "one more when the mean utilisation is above a high mark, one fewer when it is below a low one",
		Source: "own choice: the usual rule with hysteresis", Sees: policy.T0 | policy.T2,
		State: "the time of the last scaling", Cost: "n",
	}, ScalerMaker: policy.MakeScaler(newThreshold)},
	{Info: policy.Info{
		Name:   "pid",
		Rule:   "the number follows the load over a target each, by a proportional, integral and derivative controller",
		Source: "Åström and Hägglund, PID Controllers, 1995: the velocity form; the gains are own choice",
		Sees:   policy.T0 | policy.T2, State: "the controller's output, its last error and the slope of it", Cost: "n",
		Deviates: "the output is rounded, so within a deadband of the error the controller rests",
	}, ScalerMaker: policy.MakeScaler(newPID)},
	queueRule,
}

// ThresholdOptions are those of threshold.
type ThresholdOptions struct {
	signal.Options `yaml:",inline"`
	High           float64    `yaml:"high" default:"0.8" above:"0"`
	Low            float64    `yaml:"low" default:"0.4" min:"0"`
	Cooldown       units.Time `yaml:"cooldown" default:"10s"`
}

// Docs implements strictyaml.Documented.
func (ThresholdOptions) Docs() string {
	return `
high: the mean utilisation of the instances' limit above which there is one instance more
low: the mean utilisation below which there is one fewer; below high
cooldown: after a scaling, nothing is scaled for this long
`
}

type threshold struct {
	ThresholdOptions
	last units.Time // when the number last changed; Never before
}

func newThreshold(o ThresholdOptions, _ policy.Env) (policy.Scaler, error) {
	if o.Low >= o.High {
		return nil, fmt.Errorf("low: %v: want a number below high, which is %v", o.Low, o.High)
	}
	return &threshold{o, units.Never}, nil
}

// Evaluate implements policy.Scaler.
func (p *threshold) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	n := signal.Recommend(s, steps, p.recommend)
	if to := min(max(n, s.Min), s.Max); to != s.Wanted && p.last != units.Never && s.Now-p.last < p.Cooldown {
		n = steps.Take(policy.RateLimited, s.Wanted, "less than "+p.Cooldown.String()+" since the last scaling")
	}
	n = steps.Clamp(s, n)
	if n != s.Wanted {
		p.last = s.Now
	}
	return policy.Proposal{Desired: n}
}

func (p *threshold) recommend(s *policy.Snapshot) (int, string) {
	u := p.Utilisation(s)
	reason := signal.Percent(u) + " of the limit each, "
	switch {
	case numeric.Exceeds(u, p.High):
		return s.Wanted + 1, reason + "above " + signal.Percent(p.High)
	case numeric.Exceeds(p.Low, u) && s.Wanted > 0:
		return s.Wanted - 1, reason + "below " + signal.Percent(p.Low)
	}
	return s.Wanted, reason + "between the marks"
}

// PIDOptions are those of pid.
type PIDOptions struct {
	signal.Options `yaml:",inline"`
	Target         float64 `yaml:"target" default:"0.5" above:"0"`
	P              float64 `yaml:"p" default:"0.2" min:"0"`
	I              float64 `yaml:"i" default:"0.2" min:"0"`
	D              float64 `yaml:"d" default:"0" min:"0"`
	Deadband       float64 `yaml:"deadband" default:"0.5" min:"0"`
}

// Docs implements strictyaml.Documented.
func (PIDOptions) Docs() string {
	return `
target: the utilisation of the instances' limit to hold. The error is in instances: how many would bring the load to it,
	less those that were asked for
p: instances for each that the error has risen by
i: instances a second for each of the error
d: instances for each that the error rises by in a second
deadband: at an error of no more than this the controller rests; below 0.5, the number can swing between two
`
}

type pid struct {
	PIDOptions
	begun     bool
	at        units.Time
	output    float64 // between the bounds of the number, so that nothing winds up
	err, rise float64 // the last error, and by how much it rose in a second
}

func newPID(o PIDOptions, _ policy.Env) (policy.Scaler, error) { return &pid{PIDOptions: o}, nil }

// Evaluate implements policy.Scaler.
func (p *pid) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	return policy.Proposal{Desired: steps.Clamp(s, signal.Recommend(s, steps, p.recommend))}
}

func (p *pid) recommend(s *policy.Snapshot) (int, string) {
	err := p.Load(s)/float64(p.Target*s.Limit) - float64(s.Wanted)
	reason := "error of " + strconv.FormatFloat(err, 'f', 2, 64) + " instances"
	if !p.begun {
		p.begun, p.at, p.err, p.output = true, s.Now, err, float64(s.Wanted)
		return s.Wanted, reason + ", the first"
	}
	dt := (s.Now - p.at).Seconds()
	if dt <= 0 || err < 0 && s.Missing() > 0 {
		return s.Wanted, reason + ", which is not new, or of counters that are missing"
	}
	rise := (err - p.err) / dt
	proportional, derivative := float64(p.P*(err-p.err)), float64(p.D*(rise-p.rise))
	p.at, p.err, p.rise = s.Now, err, rise
	if math.Abs(err) <= p.Deadband {
		p.rise = 0 // it rests: a slope begins anew
		return s.Wanted, reason + ", within the deadband"
	}
	out := p.output + proportional + float64(p.I*err*dt) + derivative
	p.output = min(max(out, float64(s.Min)), float64(s.Max))
	return int(math.Round(p.output)), reason + ", output " + strconv.FormatFloat(p.output, 'f', 2, 64)
}
