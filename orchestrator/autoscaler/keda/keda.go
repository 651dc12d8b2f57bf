// Package keda has the scaling of a KEDA ScaledObject, made again from its source and held against its test vectors.
//
// KEDA has two parts. One looks at its triggers from time to time and decides whether there is anything to do at all:
// it brings the first instance, and takes the last one away after a cool-down. Between one and many, Kubernetes'
// autoscaler decides, here package kubernetes, to which the triggers are external metrics. When a trigger fails, the
// fallback stands in for its metric.
package keda

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
	"github.com/smartinco/smartinco/units/calendar"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{{Info: policy.Info{
	Name:   "keda",
	Rule:   "none while no trigger is active, else the most that any trigger's metric over its threshold wants",
	Source: "kedacore/keda 8b4f083c, pkg/scaling/executor/scale_scaledobjects.go, pkg/fallback/fallback.go",
	Sees:   policy.T0 | policy.T1 | policy.T2 | policy.T3,
	State:  "when a trigger was last active, how often in a row each has failed, and what hpa keeps",
	Cost:   "n for each trigger, and as hpa",
	Deviates: "a trigger is a packet rate, queues, flows, held flows, or the time of day, and fails while counters " +
		"or reports are missing; a poll comes with the first evaluation at which it is due, and where it changes the " +
		"number, the controller looks at it in the next one; a formula has the functions of numbers and lists alone, " +
		"and powers to 13 digits; one that gives no number fails; left out: jobs, pauses",
}, Counters: []string{activated: "activations", deactivated: "deactivations", failed: "failures of triggers",
	fellBack: "metrics of the fallback"}, ScalerMaker: policy.MakeScaler(newKEDA)}}

const (
	activated = iota
	deactivated
	failed
	fellBack
)

// Options are those of keda.
type Options struct {
	Polling         units.Time `yaml:"polling_interval" default:"30s" above:"0"`
	Cooldown        units.Time `yaml:"cooldown_period" default:"300s"`
	InitialCooldown units.Time `yaml:"initial_cooldown_period" default:"0s"`
	Idle            int        `yaml:"idle_replica_count" default:"-1" min:"-1"`
	Min             int        `yaml:"min_replica_count" default:"0" min:"0"`
	Max             int        `yaml:"max_replica_count" default:"100" min:"1"`
	Triggers        []trigger  `yaml:"triggers"`
	Resources       []resource `yaml:"resources"`
	CPU             string     `yaml:"cpu" enum:"processed|reported" default:"processed"`

	Cron   []cronTrigger `yaml:"cron"`
	Begins string        `yaml:"begins" default:"2026-01-01 00:00"`

	Modifiers     *modifiers `yaml:"scaling_modifiers"`
	Fallback      *fallback  `yaml:"fallback"`
	Tolerance     float64    `yaml:"tolerance" default:"0.1" min:"0"`
	Stabilization units.Time `yaml:"downscale_stabilization" default:"300s"`
	Config        *config    `yaml:"horizontal_pod_autoscaler_config"`
}

// Unused implements strictyaml.Partial.
func (o Options) Unused(key string) bool {
	return key == "cpu" && o.CPU == "processed" || key == "begins" && len(o.Cron) == 0
}

// Unscaled implements scenarios.Unscaled.
func (o Options) Unscaled() string {
	if o.Config != nil {
		return "whole seconds in its behavior"
	}
	return ""
}

// object is that beneath, between one and many. Its metrics are those of resources.
func (o Options) object() kubernetes.Options {
	spec := kubernetes.Spec{MinReplicas: max(1, o.Min), MaxReplicas: o.Max}
	if o.Config != nil {
		spec.Behavior = &o.Config.Behavior.Behavior
	}
	for _, r := range o.Resources {
		spec.Metrics = append(spec.Metrics, r.metric())
	}
	var flags kubernetes.Options
	strictyaml.Defaults(&flags)
	flags.Spec, flags.CPU = spec, o.CPU
	flags.Tolerance, flags.DownscaleStabilization = o.Tolerance, o.Stabilization
	return flags
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
polling_interval: how often it is looked at whether a trigger is active
cooldown_period: how long ago a trigger must have been active last, for the last instance to go
initial_cooldown_period: the same from the beginning, while none has been active
idle_replica_count: how many instances there are while no trigger is active; below min_replica_count; -1 for none such,
	and none are there if min_replica_count is 0. The controller makes any but 0 the least number again, as in KEDA
min_replica_count: fewest instances while a trigger is active; with 0, it is 1. instances.min holds as well
max_replica_count: most instances; instances.max holds as well
triggers: what is looked at; without any of these, of resources and of cron, the packets offered, at 0.7 of
	scheduler.limit each
resources: what the instances use, which the controller asks for itself; it takes no part in whether the object is
	active, unless there is nothing else: then it always is
cpu: what the cpu of an instance is: what it processes over scheduler.limit, or the share of a core that an agent on it
	reports
cron: how many instances there are to be in which part of the day
begins: the date and time at which the run begins, for cron, in UTC
scaling_modifiers: one metric in the place of those of triggers and cron, all of which then need a name
fallback: what stands for the metric of a trigger that fails; where it is absent, nothing does
tolerance: relative distance from a threshold within which nothing changes
downscale_stabilization: the controller goes no lower than its highest number of this long, where the behavior has no
	window of its own
horizontal_pod_autoscaler_config: how fast the controller changes the number; where it is absent, to twice the number or
	4 at most
`
}

// Measures implements policy.Measurer.
func (o Options) Measures() (all policy.MetricSet) {
	if len(o.Resources) > 0 {
		all = o.object().Measures()
	}
	for i := range o.Triggers {
		if o.Triggers[i].Metric == "queue" {
			all |= policy.SetOf(policy.Queue)
		}
	}
	return all
}

// resource is what the instances use of one, on average.
type resource struct {
	Name  string  `yaml:"name" enum:"cpu|memory" required:"true"`
	Type  string  `yaml:"metric_type" enum:"Utilization|AverageValue" required:"true"`
	Value float64 `yaml:"value" above:"0" required:"true"`
}

// Docs implements strictyaml.Documented.
func (resource) Docs() string {
	return `
name: which it is
metric_type: what the value is. memory has AverageValue alone, since no instance requests any
value: with Utilization, whole percent of what an instance may use; with AverageValue, cores or bytes of each
`
}

// check says what is wrong with it.
func (r resource) check() error {
	switch whole := r.Value == math.Trunc(r.Value) && r.Value <= math.MaxInt32; {
	case r.Type != "Utilization":
	case r.Name == "memory":
		return fmt.Errorf("metric_type: Utilization: want AverageValue of memory, of which no instance requests any")
	case !whole:
		return fmt.Errorf("value: %v: want whole percent with metric_type: Utilization", r.Value)
	}
	return nil
}

// metric is that of the controller.
func (r resource) metric() kubernetes.Metric {
	t := kubernetes.Target{Type: r.Type}
	if r.Type == "Utilization" {
		t.AverageUtilization = int(r.Value)
	} else {
		t.AverageValue = kubernetes.Quantity(strconv.FormatFloat(r.Value, 'f', -1, 64))
	}
	return kubernetes.Metric{Type: "Resource", Resource: &kubernetes.Resource{Name: r.Name, Target: t}}
}

// external is a trigger as the controller sees it: a metric of its own.
type external interface {
	called() string                                // in the formula
	said() string                                  // in reasons
	value(*policy.Snapshot) (x float64, ok bool)   // the metric; ok is false where it fails
	unit(*policy.Snapshot) float64                 // of the metric, as its threshold is given
	target(*policy.Snapshot) float64               // what it is held at, in the metric's unit
	active(s *policy.Snapshot, value float64) bool // whether there is anything to do
	forAll() bool                                  // whether the target is for all instances together
	quantity(b []byte, x float64) []byte           // appends the metric
}

type keda struct {
	Options
	hpa        policy.Scaler
	externals  []external
	formula    *formula // nil for none
	resources  kubernetes.Proposer
	tolerances kubernetes.Tolerances
	counts     []uint64

	polled, active units.Time // when it was last looked, and when a trigger was last active; Never before
	failures       []int      // of each trigger, in a row
	looks          []look     // at each, the last
	text           []byte
	said           string // the reason that was given last
}

func newKEDA(o Options, env policy.Env) (policy.Scaler, error) {
	switch {
	case o.Min > o.Max:
		return nil, fmt.Errorf("min_replica_count: %d: want at most max_replica_count, which is %d", o.Min, o.Max)
	case o.Idle >= 0 && o.Idle >= o.Min:
		return nil, fmt.Errorf("idle_replica_count: %d: want less than min_replica_count, which is %d, or -1", o.Idle,
			o.Min)
	}
	if len(o.Triggers)+len(o.Resources)+len(o.Cron) == 0 {
		o.Triggers = []trigger{{Metric: "offered", Threshold: .7, Type: "AverageValue"}}
	}
	k := &keda{Options: o, counts: env.Counts, polled: units.Never, active: units.Never}
	if err := k.connect(); err != nil {
		return nil, err
	}
	k.failures, k.looks = make([]int, len(k.externals)), make([]look, len(k.externals))
	object := o.object()
	k.tolerances = object.Tolerances()
	var err error
	if len(o.Resources) > 0 {
		if k.resources, err = kubernetes.NewProposer(object); err != nil {
			return nil, err
		}
	}
	k.hpa, err = kubernetes.Around(object, func(kubernetes.Rule) kubernetes.Rule { return k.recommend })
	return k, err
}

// connect makes what the object goes by.
func (k *keda) connect() error {
	for i := range k.Triggers {
		k.externals = append(k.externals, &k.Triggers[i])
	}
	for i, r := range k.Resources {
		if err := r.check(); err != nil {
			return fmt.Errorf("resources.%d.%w", i, err)
		}
	}
	for i, t := range k.Cron {
		begins, err := calendar.ParseBegin(k.Begins)
		if err != nil {
			return fmt.Errorf("begins: %w", err)
		}
		c, err := t.clock(begins)
		if err != nil {
			return fmt.Errorf("cron.%d.%w", i, err)
		}
		k.externals = append(k.externals, c)
	}
	if len(k.externals) == 0 && k.Min == 0 {
		return errors.New("min_replica_count: 0: want 1 or more where there are resources alone: they bring none back")
	}
	return k.modify()
}

// modify makes the formula.
func (k *keda) modify() (err error) {
	m, f := k.Modifiers, k.Fallback
	switch {
	case m == nil && f != nil && f.Behavior == "scalingModifiers":
		return errors.New("fallback.behavior: scalingModifiers: want scaling_modifiers with this key")
	case m == nil:
		return nil
	case f != nil && m.Target != math.Trunc(m.Target): // else HasValidFallback has none, without a word
		return fmt.Errorf("scaling_modifiers.target: %v: want a whole number with fallback", m.Target)
	case len(k.externals) == 0:
		return errors.New("scaling_modifiers: want triggers or cron with this key")
	}
	var names []string
	for _, e := range k.externals {
		switch name := e.called(); {
		case name == "":
			return fmt.Errorf("scaling_modifiers: want a name for each trigger: %s has none", e.said())
		case slices.Contains(names, name):
			return fmt.Errorf("scaling_modifiers: want a name of its own for each trigger: two are called %s", name)
		default:
			names = append(names, name)
		}
	}
	if k.formula, err = m.compiled(names); err != nil {
		return fmt.Errorf("scaling_modifiers.%w", err)
	}
	return nil
}

// Evaluate implements policy.Scaler.
func (k *keda) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	if k.polled == units.Never || s.Now-k.polled >= k.Polling {
		k.polled = s.Now
		n, reason := k.execute(s)
		if to := min(max(n, s.Min), s.Max); n != s.Wanted && to != s.Wanted {
			k.counts[deactivated] += one(to < s.Wanted)
			k.counts[activated] += one(to > s.Wanted)
			return policy.Proposal{Desired: steps.Clamp(s, steps.Take(policy.Recommended, n, reason))}
		}
	}
	return k.hpa.Evaluate(s, steps)
}

// look is what a trigger says at a time.
type look struct {
	value    float64
	ok       bool // it says something; else it fails
	fallback bool // by its fallback
	absent   bool // it is nil in the formula
}

// look looks at all triggers. What they say is the same in a poll and for the controller, and a failure counts in both.
func (k *keda) look(s *policy.Snapshot) (failing int) {
	ready := 0
	for i := range s.Instances {
		if s.Instances[i].State != policy.Starting {
			ready++
		}
	}
	failing = -1
	for i, e := range k.externals {
		l := &k.looks[i]
		*l = look{}
		if l.value, l.ok = e.value(s); l.ok {
			k.failures[i] = 0
			continue
		}
		k.failures[i]++
		k.counts[failed]++
		f, forAll, target := k.Fallback, e.forAll(), e.target(s)
		if k.formula != nil {
			forAll, target = k.formula.Type == "Value", k.formula.Target
		}
		switch {
		case f != nil && f.Behavior == "scalingModifiers":
			l.absent = k.failures[i] > f.Threshold
			l.ok = l.absent
		default:
			l.value, l.fallback = f.reports(k.failures[i], target, forAll, s.Wanted, ready)
			l.ok = l.fallback
			k.counts[fellBack] += one(l.fallback)
		}
		if !l.ok {
			failing = i
		}
	}
	return failing
}

// compose is the metric of the formula. A fallback stands for it as a whole, also where other triggers fail.
func (k *keda) compose(s *policy.Snapshot, failing int) (l look) {
	for i := range k.looks {
		if k.looks[i].fallback {
			return k.looks[i]
		}
	}
	if failing >= 0 {
		return look{}
	}
	for i, e := range k.externals {
		if k.looks[i].absent {
			k.formula.metrics[e.called()] = nil
		} else {
			k.formula.metrics[e.called()] = cut(k.looks[i].value / e.unit(s))
		}
	}
	switch x, err := k.formula.run(); {
	case err != nil || x == nil && k.Fallback == nil:
		return look{}
	case x == nil:
		return look{value: cut(float64(k.Fallback.Replicas) * k.formula.Target), ok: true}
	default:
		return look{value: *x, ok: true}
	}
}

// state is whether any trigger is active, and whether any fails.
func (k *keda) state(s *policy.Snapshot) (active, fails bool) {
	failing := k.look(s)
	fails = failing >= 0
	switch {
	case len(k.externals) == 0:
		return true, false
	case k.formula != nil:
		l := k.compose(s, failing)
		return !fails && l.ok && l.value > k.formula.Activation, fails
	}
	for i, e := range k.externals {
		l := &k.looks[i]
		active = active || l.fallback || l.ok && e.active(s, l.value)
	}
	return active, fails
}

// execute is what a poll makes of the number, with the reason where it changes it.
func (k *keda) execute(s *policy.Snapshot) (int, string) {
	current := s.Wanted
	active, fails := k.state(s)
	switch {
	case active && (k.Idle >= 0 && current < k.Min || current == 0):
		k.active = s.Now
		return max(1, k.Min), "ScalerActive: a trigger is active"
	case active && fails:
	case active:
		k.active = s.Now
	case fails && (k.Fallback == nil || k.Fallback.Replicas != 0):
	case k.Idle >= 0 && current > k.Idle || current > 0 && k.Min == 0:
		if k.cooledDown(s.Now) {
			n := k.Min
			if k.Idle >= 0 {
				n = k.Idle
			}
			return n, "ScalerNotActive: no trigger is active, and the cool-down is over"
		}
	case k.Idle < 0 && current < k.Min:
		return k.Min, "fewer than the least number"
	}
	return current, ""
}

func one(is bool) uint64 {
	if is {
		return 1
	}
	return 0
}

// cooledDown reports whether the cool-down is over. One that is exactly over is not.
func (k *keda) cooledDown(now units.Time) bool {
	if k.active == units.Never {
		return now > k.InitialCooldown
	}
	return now-k.active > k.Cooldown
}

// recommend is the most that any metric wants, in the place of the metrics of the object. As there, one that fails only
// lets the number rise.
func (k *keda) recommend(s *policy.Snapshot, current int, steps *policy.Steps) (desired int, ok bool) {
	failing := k.look(s)
	k.text = append(k.text[:0], "ValidMetricFound: "...)
	bad := ""
	take := func(n int, err error, name string) {
		if err != nil {
			bad = name
			return
		}
		desired, ok = max(desired, n), true
	}
	if k.formula != nil {
		l := k.compose(s, failing)
		n, err := k.wants(s, current, l, k.formula.Target, k.formula.Type == "Value", k.formula.said(), k.formula)
		take(n, err, k.formula.said())
	} else {
		for i, e := range k.externals {
			n, err := k.wants(s, current, k.looks[i], e.target(s), e.forAll(), e.said(), e)
			take(n, err, e.said())
		}
	}
	for i, r := range k.Resources {
		n, text, err := k.resources.Propose(i, s, current, k.separated())
		if err == nil {
			k.text = text
		}
		take(n, err, r.Name)
	}
	if bad != "" && (!ok || desired < current) {
		desired, ok = current, false
		k.text = append(append(k.text[:0], "FailedGetExternalMetric: "...), bad...)
		k.text = append(k.text, " fails: nothing that counts was measured"...)
	}
	if string(k.text) != k.said {
		k.said = string(k.text)
	}
	return steps.Take(policy.Recommended, desired, k.said), ok
}

// separated is the reason so far, ready for more.
func (k *keda) separated() []byte {
	if n := len(k.text); k.text[n-1] == ' ' {
		return k.text
	}
	return append(k.text, "; "...)
}

// wants is what a metric wants, which is added to the reason.
func (k *keda) wants(s *policy.Snapshot, current int, l look, target float64, forAll bool, name string,
	of interface{ quantity([]byte, float64) []byte }) (n int, err error) {
	if !l.ok {
		return 0, kubernetes.ErrNoMetrics
	}
	least, usage := max(1, milli(target)), milli(l.value)
	if usage < 0 && !forAll { // pkg/controller/podautoscaler/replica_calculator.go takes it for a sum that overflowed
		usage = math.MaxInt64
	}
	if forAll {
		ready := 0
		for i := range s.Instances {
			if s.Instances[i].State != policy.Starting {
				ready++
			}
		}
		if n, err = kubernetes.Value(current, len(s.Instances), ready, least, usage, k.tolerances); err != nil {
			return 0, err
		}
	} else {
		n, _ = kubernetes.AverageValue(s.Current, least, usage, k.tolerances)
	}
	b := of.quantity(append(append(k.separated(), name...), " at "...), l.value)
	b = of.quantity(append(b, " of "...), target)
	if !forAll {
		b = append(b, " each"...)
	}
	k.text = strconv.AppendInt(append(b, " wants "...), int64(n), 10)
	if l.fallback {
		k.text = append(k.text, " by the fallback"...)
	}
	return n, nil
}
