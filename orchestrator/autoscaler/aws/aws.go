// Package aws has the dynamic policies of Application Auto Scaling, which scales services on AWS, and the predictive
// one of EC2 Auto Scaling, made again from their documentation: the programs are not public.
//
// A policy acts when an alarm goes off. An alarm looks at means over periods of a minute, and goes off when enough of
// them in a row are beyond its threshold. It acts once each period, for as long as it goes on. The metric is the mean
// utilisation of the ready instances: by packets, or by the use of their processors or memory or a queue, as on AWS.
// The present capacity is what was asked for last.
package aws

import (
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
		Name:   "aws-target-tracking",
		Rule:   "the number times the mean utilisation over its target, after minutes above it or well below",
		Source: "AWS, Application Auto Scaling User Guide and API, target tracking",
		Sees:   policy.T0 | policy.T2 | policy.T3, State: state, Cost: cost,
		Deviates: deviates + "; how many periods the alarms look at, and at which share of the target, is what was " +
			"observed: AWS does not say it",
	}, ScalerMaker: policy.MakeScaler(newTracking)},
	{Info: policy.Info{
		Name:   "aws-step",
		Rule:   "a step for the distance of the mean utilisation from a threshold, after minutes beyond it",
		Source: "AWS, Application Auto Scaling User Guide and API, step scaling",
		Sees:   policy.T0 | policy.T2 | policy.T3, State: state, Cost: cost,
		Deviates: deviates + "; how many periods the alarms look at is an own choice: AWS leaves it to its user",
	}, ScalerMaker: policy.MakeScaler(newStep)},
	{Info: policy.Info{
		Name: "aws-predictive",
		Rule: "aws-target-tracking, and no fewer than a forecast by the same hour of the weeks or days before wants",
		Source: "AWS, EC2 Auto Scaling User Guide and API, predictive scaling; its model is not public, and that " +
			"here is an own choice",
		Sees:  policy.T0 | policy.T2 | policy.T3,
		State: state + "; the mean load of each period of the history, and the forecast of each period to come",
		Cost:  cost + "; once in `refresh`, the periods of the horizon and the seasons of the history for each",
		Deviates: deviates + "; the forecast is a mean of the same hours of the weeks before, or else of the days, " +
			"each with twice the weight of the one before it; when a forecast is close to the most, AWS does not " +
			"say, and here it has to be more",
	}, Counters: []string{forecasts: "forecasts", raised: "evaluations that the forecast raised"},
		ScalerMaker: policy.MakeScaler(newPredictive)},
}

// Counters of aws-predictive.
const (
	forecasts = iota
	raised
)

const (
	state    = "a mean for each period that an alarm looks at; the times of the last scaling out and in"
	cost     = "n, and the periods"
	deviates = "made from documentation, held against its examples alone; the metric is a packet rate unless it is " +
		"to be what agents report; where the documentation leaves open what a larger scale-out in a cool-down is, it " +
		"is what the number before the first would become; no warm-up; no scale-in while counters are missing; flows " +
		"that are held where there is no instance want one"
)

// pace is the cool-downs of a policy. One after a scale-in ends with the next scale-out.
type pace struct {
	length          struct{ out, in units.Time }
	lastOut, lastIn units.Time // Never: no cool-down goes on
	base            int        // the number before the scale-outs of the present cool-down
}

func newPace(out, in units.Time) pace {
	p := pace{lastOut: units.Never, lastIn: units.Never}
	p.length.out, p.length.in = out, in
	return p
}

func (p *pace) afterOut(now units.Time) bool {
	return p.lastOut != units.Never && now-p.lastOut < p.length.out
}
func (p *pace) afterIn(now units.Time) bool {
	return p.lastIn != units.Never && now-p.lastIn < p.length.in
}

// hold applies the cool-downs to a number. Within one after a scale-out, what that has added counts as part of the
// next: the number goes no higher than what the rule makes of the one before it.
func (p *pace) hold(s *policy.Snapshot, steps *policy.Steps, n int, rule func(count int) int) int {
	switch to := min(max(n, s.Min), s.Max); {
	case to > s.Wanted && p.afterOut(s.Now):
		if most := max(s.Wanted, rule(p.base)); most < n {
			reason := "within " + p.length.out.String() + " of a scale-out from " + strconv.Itoa(p.base)
			return steps.Take(policy.RateLimited, most, reason)
		}
	case to < s.Wanted && p.afterIn(s.Now):
		return steps.Take(policy.RateLimited, s.Wanted, "within "+p.length.in.String()+" of the last scale-in")
	}
	return n
}

// note begins a cool-down where the number changes.
func (p *pace) note(s *policy.Snapshot, n int) {
	switch {
	case n > s.Wanted:
		if !p.afterOut(s.Now) {
			p.base = s.Wanted
		}
		p.lastOut, p.lastIn = s.Now, units.Never
	case n < s.Wanted:
		p.lastIn, p.base = s.Now, min(p.base, n)
	}
}

// TrackingOptions are those of aws-target-tracking.
type TrackingOptions struct {
	signal.Metered `yaml:",inline"`
	Target         float64    `yaml:"target" default:"0.5" above:"0"`
	Period         units.Time `yaml:"period" default:"60s" above:"0"`
	OutPeriods     int        `yaml:"out_periods" default:"3" min:"1" max:"1000"`
	InPeriods      int        `yaml:"in_periods" default:"15" min:"1" max:"1000"`
	InBelow        float64    `yaml:"in_below" default:"0.9" min:"0" max:"1"`
	OutCooldown    units.Time `yaml:"scale_out_cooldown" default:"300s"`
	InCooldown     units.Time `yaml:"scale_in_cooldown" default:"300s"`
}

// Docs implements strictyaml.Documented.
func (TrackingOptions) Docs() string {
	return `
target: the mean utilisation of the instances' limit to hold
period: the alarms look at means over this long, and act at the end of it
out_periods: periods in a row above the target, of which the last scales out
in_periods: periods in a row below a share of the target, of which the last scales in
in_below: that share
scale_out_cooldown: after a scale-out, only a larger one scales out for this long
scale_in_cooldown: after a scale-in, nothing scales in for this long, unless something scales out before
`
}

type tracking struct {
	TrackingOptions
	pace    pace
	periods periods
}

func newTracking(o TrackingOptions, _ policy.Env) (policy.Scaler, error) {
	return &tracking{o, newPace(o.OutCooldown, o.InCooldown), newPeriods(o.Period, max(o.OutPeriods, o.InPeriods))},
		o.Check()
}

// Evaluate implements policy.Scaler.
func (p *tracking) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	n := p.Recommend(s, steps, p.recommend)
	n = steps.Clamp(s, p.pace.hold(s, steps, n, p.capacity))
	p.pace.note(s, n)
	return policy.Proposal{Desired: n}
}

func (p *tracking) recommend(s *policy.Snapshot, r signal.Reading) (int, string) {
	if !p.periods.read(s.Now, r) {
		return s.Wanted, p.periods.going()
	}
	low := float64(p.Target * p.InBelow)
	switch {
	case p.periods.all(p.OutPeriods, func(u float64) bool { return numeric.Exceeds(u, p.Target) }):
		return p.capacity(s.Wanted), p.periods.alarm(p.OutPeriods, " above ", p.Target)
	case p.periods.all(p.InPeriods, func(u float64) bool { return numeric.Exceeds(low, u) }):
		return min(s.Wanted, p.capacity(s.Wanted)), p.periods.alarm(p.InPeriods, " below ", low)
	}
	return s.Wanted, p.periods.quiet(p.Metered)
}

// capacity is the number that would bring the utilisation of the last period to the target.
func (p *tracking) capacity(count int) int {
	return numeric.Ceil(float64(count)*p.periods.last()/p.Target, signal.Most)
}

// periods keeps the mean of each of the last periods.
type periods struct {
	length units.Time
	most   int
	means  []float64 // the newest last
	at     units.Time
	sum    float64
	count  int // in the present period
}

// read takes a reading in, if anything is known, and reports whether a period has ended. One in which nothing was
// reported has no mean: no alarm goes off at its end, and the alarms look past it, as CloudWatch does with data points
// that are missing.
func (p *periods) read(now units.Time, r signal.Reading) (ended bool) {
	if r.Known {
		return p.add(now, r.Utilisation)
	}
	return p.count > 0 && now >= (p.at+1)*p.length && p.end()
}

func newPeriods(length units.Time, most int) periods { return periods{length: length, most: most} }

// add takes a value of the time up to now, and reports whether a period has ended.
func (p *periods) add(now units.Time, value float64) (ended bool) {
	at := (now - 1) / p.length // the end of a period is part of it
	if p.count > 0 && at != p.at {
		ended = p.end()
	}
	p.at, p.sum, p.count = at, p.sum+value, p.count+1
	if now == (at+1)*p.length {
		ended = p.end()
	}
	return ended
}

func (p *periods) end() bool {
	if len(p.means) == p.most {
		p.means = append(p.means[:0], p.means[1:]...)
	}
	p.means = append(p.means, p.sum/float64(p.count))
	p.sum, p.count = 0, 0
	return true
}

// all reports whether the last n periods are as they have to be.
func (p *periods) all(n int, is func(float64) bool) bool {
	if len(p.means) < n {
		return false
	}
	for _, u := range p.means[len(p.means)-n:] {
		if !is(u) {
			return false
		}
	}
	return true
}

// last is the mean of the newest period; 0 before there is one.
func (p *periods) last() float64 {
	if len(p.means) == 0 {
		return 0
	}
	return p.means[len(p.means)-1]
}

func (p *periods) going() string { return "a period of " + p.length.String() + " goes on" }

func (p *periods) quiet(o signal.Metered) string {
	return "no alarm, with " + o.Each(p.last()) + " over " + p.length.String()
}

// alarm says what has gone off.
func (p *periods) alarm(n int, side string, threshold float64) string {
	return strconv.Itoa(n) + " periods of " + p.length.String() + side + signal.Percent(threshold) + ", the last at " +
		signal.Percent(p.last())
}

// percent is a change by a share of a number, as AWS rounds it: a change of less than one is one, any other loses its
// fraction. It is no less than least, unless it is none.
func percent(count, by, least int) int {
	change := float64(count) * float64(by) / 100
	size := math.Trunc(math.Abs(change))
	if change == 0 {
		return 0
	}
	return int(math.Copysign(max(1, size, float64(least)), change))
}
