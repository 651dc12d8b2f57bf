package autoscaler

import (
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/units"
)

// Input is what an evaluation is given.
type Input struct {
	Now      units.Time
	Current  int     // instances that are starting or ready; draining ones are on their way out and do not count
	Min, Max int     // bounds of the number of instances
	Load     float64 // packets a second, over all instances, by Options.Metric, and what Held flows are expected to bring
	Held     int     // flows that wait for an instance, or for room on one
	Known    bool    // whether any counters have been read
	Stale    int     // instances whose counters the last reading lacked
	Limit    float64 // packets a second that one instance is trusted with
}

// Stage is what one stage of an evaluation made of the number of instances.
type Stage struct {
	Kind    string // recommend, stabilise, rate-limit, clamp
	Desired int
	Reason  string // empty if the stage left the number as it was
}

// Proposal is the outcome of an evaluation.
type Proposal struct {
	Desired int
	Stages  [4]Stage // in the order in which they ran
}

// Autoscaler applies one policy and the stages behind it.
type Autoscaler struct {
	opts    Options
	policy  Policy
	victim  *victimRow
	history []recommendation
	scaled  bool // once at least, in either direction
	scaleAt units.Time
	out     bool // has scaled out once at least
	outAt   units.Time
}

type recommendation struct {
	at      units.Time
	desired int
}

// New makes an autoscaler.
func New(opts Options) (*Autoscaler, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	return &Autoscaler{opts: opts, policy: find(opts.Policy).policy, victim: findVictim(opts.Victim)}, nil
}

// Active reports whether the policy evaluates at all; none does not.
func (a *Autoscaler) Active() bool { return a.policy != nil }

var stages = [4]struct {
	kind string
	run  func(a *Autoscaler, in *Input, desired int) (int, string)
}{
	{"recommend", (*Autoscaler).recommend},
	{"stabilise", (*Autoscaler).stabilise},
	{"rate-limit", (*Autoscaler).rateLimit},
	{"clamp", (*Autoscaler).clamp},
}

// Evaluate runs the stages. The caller carries the proposal out: cool-downs count from it. It must not be called on
// an autoscaler that is not Active. Calls come in order of time.
func (a *Autoscaler) Evaluate(in *Input) Proposal {
	var p Proposal
	p.Desired = in.Current
	for i, s := range stages {
		desired, reason := s.run(a, in, p.Desired)
		p.Desired = desired
		p.Stages[i] = Stage{s.kind, desired, reason}
	}
	if p.Desired != in.Current {
		a.scaled, a.scaleAt = true, in.Now
	}
	if p.Desired > in.Current {
		a.out, a.outAt = true, in.Now
	}
	return p
}

// recommend asks the policy, unless nothing has been measured. A scale-in that rests on counters of which some are
// missing is not recommended: as with Kubernetes, what is unknown does not count as idle.
func (a *Autoscaler) recommend(in *Input, current int) (int, string) {
	if !in.Known {
		if current == 0 && in.Held > 0 {
			return 1, "nothing measured yet, and flows are held"
		}
		return current, "nothing measured yet"
	}
	desired, reason := a.policy.Recommend(&a.opts, in)
	if desired < current && in.Stale > 0 {
		return current, fmt.Sprintf("no scale-in while counters of %d instances are missing", in.Stale)
	}
	return desired, reason
}

// stabilise lets a scale-in go no lower than the highest recommendation of the last Stabilization. The number at the
// first evaluation counts as recommended then.
func (a *Autoscaler) stabilise(in *Input, desired int) (int, string) {
	if a.history == nil {
		a.history = append(make([]recommendation, 0, 16), recommendation{in.Now, in.Current})
	}
	a.history = append(a.history, recommendation{in.Now, desired})
	keep := 0
	highest := desired
	for _, r := range a.history {
		if in.Now-r.at < a.opts.Stabilization {
			a.history[keep] = r
			keep++
			highest = max(highest, r.desired)
		}
	}
	a.history = a.history[:keep]
	if held := min(highest, in.Current); held > desired {
		return held, fmt.Sprintf("no lower than the highest recommendation of the last %v", a.opts.Stabilization)
	}
	return desired, ""
}

// rateLimit applies the cool-downs and the largest steps.
func (a *Autoscaler) rateLimit(in *Input, desired int) (int, string) {
	o := &a.opts
	step := desired - in.Current
	switch {
	case step > 0 && a.out && in.Now-a.outAt < o.ScaleOutCooldown:
		return in.Current, fmt.Sprintf("less than %v since the last scale-out", o.ScaleOutCooldown)
	case step < 0 && a.scaled && in.Now-a.scaleAt < o.ScaleInCooldown:
		return in.Current, fmt.Sprintf("less than %v since the last scaling", o.ScaleInCooldown)
	case o.MaxStepOut > 0 && step > o.MaxStepOut:
		return in.Current + o.MaxStepOut, fmt.Sprintf("at most %d added at once", o.MaxStepOut)
	case o.MaxStepIn > 0 && -step > o.MaxStepIn:
		return in.Current - o.MaxStepIn, fmt.Sprintf("at most %d removed at once", o.MaxStepIn)
	}
	return desired, ""
}

// clamp keeps the number within its bounds.
func (a *Autoscaler) clamp(in *Input, desired int) (int, string) {
	switch {
	case desired < in.Min:
		return in.Min, "at least " + strconv.Itoa(in.Min)
	case desired > in.Max:
		return in.Max, "at most " + strconv.Itoa(in.Max)
	}
	return desired, ""
}
