package aws

import (
	"cmp"
	"fmt"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// StepOptions are those of aws-step.
type StepOptions struct {
	signal.Metered `yaml:",inline"`
	Period         units.Time `yaml:"period" default:"60s" above:"0"`
	High           float64    `yaml:"high" default:"0.5" min:"0"`
	HighPeriods    int        `yaml:"high_periods" default:"2" min:"1" max:"1000"`
	HighSteps      []step     `yaml:"high_steps"`
	Low            float64    `yaml:"low" default:"0.5" min:"0"`
	LowPeriods     int        `yaml:"low_periods" default:"2" min:"1" max:"1000"`
	LowSteps       []step     `yaml:"low_steps"`
	Adjustment     string     `yaml:"adjustment_type" enum:"change|percent-change|exact" default:"percent-change"`
	Least          int        `yaml:"min_adjustment_magnitude" default:"0" min:"0" max:"1000000"`
	Cooldown       units.Time `yaml:"cooldown" default:"300s"`
}

// Docs implements strictyaml.Documented.
func (StepOptions) Docs() string {
	return `
period: the alarms look at means over this long, and act at the end of it
high: the mean utilisation of the instances' limit from which on the high alarm counts a period
high_periods: periods in a row that it counts, of which the last makes a step
high_steps: the steps of the high alarm; without any, those of AWS' example, for percent-change: 10 from 0.1
	above the threshold on, 30 from 0.2 on
low: the mean utilisation up to which the low alarm counts a period
low_periods: periods in a row that it counts, of which the last makes a step
low_steps: the steps of the low alarm; without any, -10 from 0.1 below the threshold on, -30 from 0.2 on
adjustment_type: what a step's adjustment is: change, a number to add; percent-change, a share of the present number to
	add; exact, the new number. AWS calls them ChangeInCapacity, PercentChangeInCapacity and ExactCapacity
min_adjustment_magnitude: least change by a share
cooldown: after a step up, only a larger one goes up for this long; after one down, none goes down, unless one goes up
	before
`
}

// step is a step adjustment. It holds from its distance to that of the next one.
type step struct {
	Beyond float64 `yaml:"beyond" default:"0" min:"0"`
	Adjust int     `yaml:"adjust" default:"0" min:"-1000000" max:"1000000"`
}

// Docs implements strictyaml.Documented.
func (step) Docs() string {
	return `
beyond: the distance from the threshold, in utilisation, from which on the step holds, up to that of the next one
adjust: the adjustment; 0 for none
`
}

// The steps of the example of the user guides.
var (
	exampleHigh = []step{{0, 0}, {.1, 10}, {.2, 30}}
	exampleLow  = []step{{0, 0}, {.1, -10}, {.2, -30}}
)

type stepping struct {
	StepOptions
	pace    pace
	periods periods
	chosen  *step // by the alarm that has gone off; nil if none has
}

func newStep(o StepOptions, _ policy.Env) (policy.Scaler, error) {
	if len(o.HighSteps) == 0 {
		o.HighSteps = exampleHigh
	}
	if len(o.LowSteps) == 0 {
		o.LowSteps = exampleLow
	}
	err := cmp.Or(o.Check(), ascending("high_steps", o.HighSteps), ascending("low_steps", o.LowSteps))
	if err != nil {
		return nil, err
	}
	return &stepping{StepOptions: o, pace: newPace(o.Cooldown, o.Cooldown),
		periods: newPeriods(o.Period, max(o.HighPeriods, o.LowPeriods))}, nil
}

func ascending(key string, steps []step) error {
	for i := 1; i < len(steps); i++ {
		if b, before := steps[i].Beyond, steps[i-1].Beyond; b <= before {
			return fmt.Errorf("%s: %d: beyond: %v: want more than the %v before it", key, i, b, before)
		}
	}
	return nil
}

// Evaluate implements policy.Scaler.
func (p *stepping) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	p.chosen = nil
	n := p.Recommend(s, steps, p.recommend)
	n = steps.Clamp(s, p.pace.hold(s, steps, n, p.adjusted))
	p.pace.note(s, n)
	return policy.Proposal{Desired: n}
}

func (p *stepping) recommend(s *policy.Snapshot, r signal.Reading) (int, string) {
	if !p.periods.read(s.Now, r) {
		return s.Wanted, p.periods.going()
	}
	u := p.periods.last()
	reason := ""
	switch {
	case p.periods.all(p.HighPeriods, func(u float64) bool { return !numeric.Exceeds(p.High, u) }):
		p.choose(p.HighSteps, u-p.High)
		reason = p.periods.alarm(p.HighPeriods, " from ", p.High)
	case p.periods.all(p.LowPeriods, func(u float64) bool { return !numeric.Exceeds(u, p.Low) }):
		p.choose(p.LowSteps, p.Low-u)
		reason = p.periods.alarm(p.LowPeriods, " up to ", p.Low)
	default:
		return s.Wanted, p.periods.quiet(p.Metered)
	}
	if p.chosen == nil || p.chosen.Adjust == 0 && p.Adjustment != "exact" {
		return s.Wanted, reason + ": no step"
	}
	return p.adjusted(s.Wanted), fmt.Sprintf("%s: %s %d", reason, p.Adjustment, p.chosen.Adjust)
}

// choose takes the last step whose distance is reached.
func (p *stepping) choose(steps []step, distance float64) {
	for i := range steps {
		if !numeric.Exceeds(steps[i].Beyond, max(0, distance)) {
			p.chosen = &steps[i]
		}
	}
}

// adjusted is what the chosen step makes of a number.
func (p *stepping) adjusted(count int) int {
	if p.chosen == nil {
		return count
	}
	by := p.chosen.Adjust
	switch p.Adjustment {
	case "exact":
		return max(0, by)
	case "percent-change":
		by = percent(count, by, p.Least)
	}
	return max(0, count+by)
}
