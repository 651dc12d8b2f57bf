// Package forecast has the Predictive Horizontal Pod Autoscaler of J. Thomperoo, made again from its source and held
// against its test suite, and against the library with which it forecasts.
//
// It is Kubernetes' autoscaler with a stage of its own. What the metrics want is kept as a series, a model says how
// that goes on, and one of the two numbers, or what lies between them, goes through the stages of the controller. The
// models are a line of least squares and Holt-Winters' seasons.
package forecast

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{
	{Info: policy.Info{
		Name:   "phpa-linear",
		Rule:   "the most that a spec's metrics want, or that a line through what they wanted lately will reach",
		Source: source + ", algorithms/linear_regression", Sees: policy.T0 | policy.T2 | policy.T3,
		State: "the newest `history_size` numbers, and what hpa keeps", Cost: cost, Deviates: deviates,
	}, Asleep: true, Counters: counters, ScalerMaker: policy.MakeScaler(newLinear)},
	{Info: policy.Info{
		Name:   "phpa-holt-winters",
		Rule:   "the most that a spec's metrics want, or that the seasons of what they wanted have next",
		Source: source + ", algorithms/holt_winters", Sees: policy.T0 | policy.T2 | policy.T3,
		State: "the numbers of `stored_seasons` and a part of one, and what hpa keeps", Cost: cost,
		Deviates: deviates + "; the program hands its series on with the newest number first, but for the present " +
			"one: with `series: time` it is in order; damped trends and known first values are left out",
	}, Asleep: true, Counters: counters, ScalerMaker: policy.MakeScaler(newHoltWinters)},
}

const (
	source   = "jthomperoo/predictive-horizontal-pod-autoscaler c91d060, internal"
	cost     = "as hpa, and the numbers kept"
	deviates = "as hpa, whose metrics these are; one model; a forecast that exceeds a whole number by less than 1e-9 " +
		"of it is that number; what a behavior leaves out is completed as Kubernetes does it, with periods of 15 s, " +
		"not 60 s"
)

// Counters.
const (
	made = iota
	more
	fewer
)

var counters = []string{made: "forecasts", more: "forecasts above what the metrics want",
	fewer: "forecasts below it"}

// Options are those of both policies: of the object, and of its model.
type Options struct {
	Spec                  kubernetes.Spec `yaml:"spec" default:"{}"`
	Tolerance             float64         `yaml:"tolerance" default:"0.1" min:"0"`
	CPUInitialization     units.Time      `yaml:"cpu_initialization_period" default:"30s"`
	InitialReadinessDelay units.Time      `yaml:"initial_readiness_delay" default:"30s"`
	Decision              string          `yaml:"decision_type" enum:"maximum|minimum|mean|median" default:"maximum"`
	PerSync               int             `yaml:"per_sync_period" default:"1" min:"1"`
	CPU                   string          `yaml:"cpu" enum:"processed|reported" default:"processed"`
}

// object is the object beneath.
func (o Options) object() kubernetes.Options {
	if o.Spec.Behavior == nil {
		o.Spec.Behavior = &defaults
	}
	return kubernetes.Options{Spec: o.Spec, Tolerance: o.Tolerance, DownscaleStabilization: 300 * units.Second,
		CPUInitialization: o.CPUInitialization, InitialReadinessDelay: o.InitialReadinessDelay, CPU: o.CPU}
}

// Measures implements policy.Measurer.
func (o Options) Measures() policy.MetricSet { return o.object().Measures() }

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
spec: the metrics, the bounds and the behavior, as in the spec of a HorizontalPodAutoscaler
tolerance: relative distance from a target within which nothing changes, where the behavior has none of its own
cpu_initialization_period: for so long after an instance was ordered, its cpu counts only once a window was measured
	after it was ready
initial_readiness_delay: as under hpa, without effect here
decision_type: which number holds, of what the metrics want and what is forecast. Their mean is rounded to the nearest
	number, their median cut off
per_sync_period: the model runs in one of so many evaluations; in the others, what the metrics want holds
cpu: what the cpu of an instance is: what it processes over scheduler.limit, or the share of a core that an agent on it
	reports
`
}

// Unscaled implements scenarios.Unscaled.
func (Options) Unscaled() string { return "whole seconds and quantities in its spec" }

// predictive is the stage between the metrics and the controller.
type predictive struct {
	Options
	model  model
	counts []uint64
	passed int // evaluations since the model ran, the present one included
}

// model is what is expected of a series of numbers.
type model interface {
	// add adds what the metrics want now, drop takes that back, and forget drops what is too old.
	add(now units.Time, replicas int)
	drop()
	forget()
	// expect is what the series has next, rounded up. ok is false where the model cannot say.
	expect(now units.Time) (replicas int, ok bool)
}

func newPredictive(o Options, m model, env policy.Env) (policy.Scaler, error) {
	p := &predictive{Options: o, model: m, counts: env.Counts, passed: 1}
	return kubernetes.Around(o.object(), p.around)
}

// defaults is the behavior of an object that has none, as internal/controllers/controller.go has it.
var defaults = kubernetes.Behavior{
	ScaleUp: kubernetes.Rules{SelectPolicy: "Max", Policies: []kubernetes.ScalingPolicy{
		{Type: "Percent", Value: 100, PeriodSeconds: 60}, {Type: "Pods", Value: 4, PeriodSeconds: 60}}},
	ScaleDown: kubernetes.Rules{StabilizationWindowSeconds: 300, SelectPolicy: "Max",
		Policies: []kubernetes.ScalingPolicy{{Type: "Percent", Value: 100, PeriodSeconds: 60}}},
}

// around joins what the metrics want with what the model expects.
func (p *predictive) around(metrics kubernetes.Rule) kubernetes.Rule {
	return func(s *policy.Snapshot, current int, steps *policy.Steps) (int, bool) {
		wanted, ok := metrics(s, current, steps)
		if !ok {
			return wanted, false
		}
		p.model.add(s.Now, wanted)
		if p.passed < p.PerSync {
			p.passed++
			p.model.forget()
			return wanted, true
		}
		expected, ok := p.model.expect(s.Now)
		if !ok { // the program then keeps neither the number nor the evaluation
			p.model.drop()
			return wanted, true
		}
		p.passed = 1
		p.model.forget()
		p.count(expected, wanted)
		n, reason := p.decide(wanted, expected), ""
		if n != wanted {
			reason = "the " + p.Decision + " of these and of the " + strconv.Itoa(expected) + " that are forecast"
		}
		return steps.Take(policy.Forecast, n, reason), true
	}
}

func (p *predictive) count(expected, wanted int) {
	p.counts[made]++
	switch {
	case expected > wanted:
		p.counts[more]++
	case expected < wanted:
		p.counts[fewer]++
	}
}

// decide joins two numbers.
func (p *predictive) decide(a, b int) int {
	switch p.Decision {
	case "minimum":
		return min(a, b)
	case "mean":
		if a+b <= 0 {
			return 0
		}
		return int(math.Round(float64(a+b) / 2))
	case "median":
		return (a + b) / 2
	}
	return max(a, b)
}

// ceil rounds a forecast up. It is not ok where that is no number.
func ceil(x float64) (n int, ok bool) {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return 0, false
	case x > 0:
		return numeric.Ceil(x, signal.Most), true
	}
	return int(math.Ceil(max(x, -signal.Most))), true
}

// replicas is a number at a time.
type replicas struct {
	at units.Time
	n  int
}

// LinearOptions are those of phpa-linear.
type LinearOptions struct {
	Options     `yaml:",inline"`
	HistorySize int        `yaml:"history_size" default:"6" min:"1" max:"100000"`
	LookAhead   units.Time `yaml:"look_ahead" default:"10s"`
}

// Docs implements strictyaml.Documented.
func (LinearOptions) Docs() string {
	return `
history_size: evaluations before the present one through which the line goes
look_ahead: how far from now what the line reaches is what is forecast
`
}

type linear struct {
	LinearOptions
	past []replicas // oldest first
}

func newLinear(o LinearOptions, env policy.Env) (policy.Scaler, error) {
	return newPredictive(o.Options, &linear{LinearOptions: o}, env)
}

func (m *linear) add(now units.Time, n int) { m.past = append(m.past, replicas{now, n}) }

func (m *linear) drop() { m.past = m.past[:len(m.past)-1] }

func (m *linear) forget() {
	if extra := len(m.past) - m.HistorySize; extra > 0 {
		m.past = slices.Delete(m.past, 0, extra)
	}
}

// expect fits a line to the numbers by their age at the time that is asked for, at which the age is 0.
func (m *linear) expect(now units.Time) (int, bool) {
	return ceil(fit(len(m.past), func(i int) (x, y float64) {
		return (now - m.past[i].at + m.LookAhead).Seconds(), float64(m.past[i].n)
	}).at0)
}

// HoltWintersOptions are those of phpa-holt-winters.
type HoltWintersOptions struct {
	Options         `yaml:",inline"`
	Alpha           float64 `yaml:"alpha" default:"0.9" min:"0" max:"1"`
	Beta            float64 `yaml:"beta" default:"0.9" min:"0" max:"1"`
	Gamma           float64 `yaml:"gamma" default:"0.9" min:"0" max:"1"`
	Trend           string  `yaml:"trend" enum:"add|mul" default:"add"`
	Seasonal        string  `yaml:"seasonal" enum:"add|mul" default:"add"`
	SeasonalPeriods int     `yaml:"seasonal_periods" default:"6" min:"2" max:"10000"`
	StoredSeasons   int     `yaml:"stored_seasons" default:"4" min:"1" max:"1000"`
	Initialization  string  `yaml:"initialization_method" enum:"estimated|legacy-heuristic" default:"estimated"`
	Series          string  `yaml:"series" enum:"time|released" default:"time"`
}

// Docs implements strictyaml.Documented.
func (HoltWintersOptions) Docs() string {
	return `
alpha: how far the level follows what is measured: 0 not at all, 1 wholly
beta: how far the trend does
gamma: how far the season does
trend: whether the trend is added to the level or multiplied by it
seasonal: whether the season is added or multiplied
seasonal_periods: evaluations in a season
stored_seasons: seasons that are kept beside the one that goes on. Before there are two, and 10 evaluations with 2 for
	each 2 of a season, 0 instances are forecast. When there is one season too many, the oldest is dropped at once
initialization_method: how the first level, trend and season are found. Both are statsmodels': estimated is by a line
	through moving averages, legacy-heuristic by the first two seasons
series: whether the numbers count in order of time, or as the released program has them
`
}

type holtWintersModel struct {
	HoltWintersOptions
	holtWinters
	past   []float64 // oldest first
	series []float64
}

func newHoltWinters(o HoltWintersOptions, env policy.Env) (policy.Scaler, error) {
	kinds := map[string]kind{"add": additive, "mul": multiplicative}
	m := &holtWintersModel{HoltWintersOptions: o, holtWinters: holtWinters{
		alpha: o.Alpha, beta: o.Beta, gamma: o.Gamma, period: o.SeasonalPeriods, trend: kinds[o.Trend],
		season: kinds[o.Seasonal], legacy: o.Initialization == "legacy-heuristic",
	}}
	if enough := (m.least()+m.period-1)/m.period - 1; o.StoredSeasons < enough {
		return nil, fmt.Errorf("stored_seasons: %d: want %d or more, or too few evaluations are kept for a forecast",
			o.StoredSeasons, enough)
	}
	return newPredictive(o.Options, m, env)
}

func (m *holtWintersModel) add(_ units.Time, n int) { m.past = append(m.past, float64(n)) }

func (m *holtWintersModel) drop() { m.past = m.past[:len(m.past)-1] }

// forget drops whole seasons.
func (m *holtWintersModel) forget() {
	if extra := len(m.past)/m.period - m.StoredSeasons; extra > 0 {
		m.past = slices.Delete(m.past, 0, extra*m.period)
	}
}

func (m *holtWintersModel) expect(units.Time) (int, bool) {
	if len(m.past) < m.least() {
		return 0, true
	}
	y := m.past
	if m.Series == "released" {
		last := len(y) - 1
		m.series = append(m.series[:0], y[:last]...)
		slices.Reverse(m.series)
		m.series = append(m.series, y[last])
		y = m.series
	}
	return ceil(m.next(y))
}
