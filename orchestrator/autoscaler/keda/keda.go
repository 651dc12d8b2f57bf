// Package keda has the scaling of a KEDA ScaledObject, made again from its source and held against its test vectors.
//
// KEDA has two parts. One looks at its triggers from time to time and decides whether there is anything to do at all:
// it brings the first instance, and takes the last one away after a cool-down. Between one and many, Kubernetes'
// autoscaler decides, here package kubernetes, to which the triggers are external metrics. When a trigger fails, the
// fallback stands in for its metric.
package keda

import (
	"fmt"
	"math"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{{Info: policy.Info{
	Name:   "keda",
	Rule:   "none while no trigger is active, else the most that any trigger's metric over its threshold wants",
	Source: "kedacore/keda 8b4f083c, pkg/scaling/executor/scale_scaledobjects.go, pkg/fallback/fallback.go",
	Sees:   policy.T0 | policy.T1 | policy.T2 | policy.T3,
	State:  "when a trigger was last active, how often in a row each has failed, and what hpa keeps",
	Cost:   "n for each trigger, and as hpa",
	Deviates: "a trigger is a packet rate, queues, flows, or held flows, and fails while counters or reports are " +
		"missing; a poll comes with the first evaluation at which it is due, and where it changes the number, the " +
		"controller looks at it in the next one; left out: the formula of scaling modifiers, triggers by cpu or by " +
		"the time of day, jobs, pauses",
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
	Fallback        *fallback  `yaml:"fallback"`
	Tolerance       float64    `yaml:"tolerance" default:"0.1" min:"0"`
	Stabilization   units.Time `yaml:"downscale_stabilization" default:"300s"`
	Config          *config    `yaml:"horizontal_pod_autoscaler_config"`
}

// Unscaled implements scenarios.Unscaled.
func (o Options) Unscaled() string {
	if o.Config != nil {
		return "whole seconds in its behavior"
	}
	return ""
}

// object is that beneath, between one and many.
func (o Options) object() kubernetes.Options {
	spec := kubernetes.Spec{MinReplicas: max(1, o.Min), MaxReplicas: o.Max}
	if o.Config != nil {
		spec.Behavior = &o.Config.Behavior.Behavior
	}
	return kubernetes.Options{Spec: spec, Tolerance: o.Tolerance, DownscaleStabilization: o.Stabilization}
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
triggers: what is looked at; without any, the packets offered, at 0.7 of scheduler.limit each
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
	for i := range o.Triggers {
		if o.Triggers[i].Metric == "queue" {
			all = policy.SetOf(policy.Queue)
		}
	}
	return all
}

// trigger is one of an object's.
type trigger struct {
	Metric     string  `yaml:"metric" enum:"offered|processed|queue|flows|held" required:"true"`
	Threshold  float64 `yaml:"threshold" above:"0" required:"true"`
	Activation float64 `yaml:"activation_threshold" default:"0" min:"0"`
	Type       string  `yaml:"metric_type" enum:"AverageValue|Value" default:"AverageValue"`
}

// Docs implements strictyaml.Documented.
func (trigger) Docs() string {
	return `
metric: packets offered to the instances or processed by them, packets in their queues, the flows that they have, or the
	flows that are held
threshold: what the metric is held at: a share of scheduler.limit for packets offered or processed, a number for others
activation_threshold: above this, in the same unit, the trigger is active
metric_type: whether the threshold is for each instance, or for all together
`
}

// fallback is what is reported of a trigger that fails.
type fallback struct {
	Threshold int    `yaml:"failure_threshold" default:"3" min:"0"`
	Replicas  int    `yaml:"replicas" required:"true" min:"0" max:"1000000"`
	Behavior  string `yaml:"behavior" default:"static"`
}

// Names implements strictyaml.Tabled.
func (fallback) Names(key string) []string {
	if key == "behavior" {
		return []string{"static", "currentReplicas", "currentReplicasIfHigher", "currentReplicasIfLower"}
	}
	return nil
}

// Docs implements strictyaml.Documented.
func (fallback) Docs() string {
	return `
failure_threshold: evaluations in a row in which the trigger failed, after which the fallback holds
replicas: how many instances the metric then stands for
behavior: whether it is always so many, as many as there are, or the higher or the lower of the two
`
}

// stands is for how many instances the reported metric stands.
func (f *fallback) stands(current int) int {
	switch f.Behavior {
	case "currentReplicas":
		return current
	case "currentReplicasIfHigher":
		return max(current, f.Replicas)
	case "currentReplicasIfLower":
		return min(current, f.Replicas)
	}
	return f.Replicas
}

// reports is the metric that is reported of a trigger that has failed so many times in a row, cut off after
// thousandths. With forAll, the threshold is for all instances, of which so many are ready. ok is false where the
// failure is passed on.
func (f *fallback) reports(failures int, threshold float64, forAll bool, current, ready int) (metric float64, ok bool) {
	if f == nil || failures <= f.Threshold || forAll && ready == 0 {
		return 0, false
	}
	n := float64(f.stands(current))
	if forAll {
		n /= float64(ready)
	}
	return math.Floor(float64(milli(threshold))*n) / 1000, true
}

type keda struct {
	Options
	hpa        policy.Scaler
	tolerances kubernetes.Tolerances
	counts     []uint64

	polled, active units.Time // when it was last looked, and when a trigger was last active; Never before
	failures       []int      // of each trigger, in a row
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
	if len(o.Triggers) == 0 {
		o.Triggers = []trigger{{Metric: "offered", Threshold: .7, Type: "AverageValue"}}
	}
	k := &keda{Options: o, counts: env.Counts, polled: units.Never, active: units.Never,
		failures: make([]int, len(o.Triggers))}
	var err error
	object := o.object()
	k.tolerances = object.Tolerances()
	k.hpa, err = kubernetes.Around(object, func(kubernetes.Rule) kubernetes.Rule { return k.recommend })
	return k, err
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

// execute is what a poll makes of the number, with the reason where it changes it.
func (k *keda) execute(s *policy.Snapshot) (int, string) {
	current := s.Wanted
	active, fails := false, false
	for i := range k.Triggers {
		t := &k.Triggers[i]
		if value, ok := t.value(s); ok {
			active = active || value > t.in(s, t.Activation)
		} else {
			fails = true
		}
	}
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

// recommend is the most that any trigger's metric wants, in the place of the metrics of the object. As there, one that
// fails only lets the number rise.
func (k *keda) recommend(s *policy.Snapshot, current int, steps *policy.Steps) (desired int, ok bool) {
	ready := 0
	for i := range s.Instances {
		if s.Instances[i].State != policy.Starting {
			ready++
		}
	}
	bad := -1
	k.text = append(k.text[:0], "ValidMetricFound: "...)
	for i := range k.Triggers {
		t := &k.Triggers[i]
		forAll, threshold := t.Type == "Value", t.in(s, t.Threshold)
		value, measured := t.value(s)
		if measured {
			k.failures[i] = 0
		} else {
			k.failures[i]++
			k.counts[failed]++
			if value, measured = k.Fallback.reports(k.failures[i], threshold, forAll, current, ready); !measured {
				bad = i
				continue
			}
			k.counts[fellBack]++
		}
		target, usage := max(1, milli(threshold)), milli(value)
		var n int
		if forAll {
			var err error
			if n, err = kubernetes.Value(current, len(s.Instances), ready, target, usage, k.tolerances); err != nil {
				bad = i
				continue
			}
		} else {
			n, _ = kubernetes.AverageValue(s.Current, target, usage, k.tolerances)
		}
		if ok {
			k.text = append(k.text, "; "...)
		}
		k.text = t.say(k.text, value, threshold, n)
		if k.failures[i] > 0 {
			k.text = append(k.text, " by the fallback"...)
		}
		desired, ok = max(desired, n), true
	}
	if bad >= 0 && (!ok || desired < current) {
		desired, ok = current, false
		k.text = append(append(k.text[:0], "FailedGetExternalMetric: "...), k.Triggers[bad].Metric...)
		k.text = append(k.text, " fails: nothing that counts was measured"...)
	}
	if string(k.text) != k.said {
		k.said = string(k.text)
	}
	return steps.Take(policy.Recommended, desired, k.said), ok
}

// packets reports whether the metric is a packet rate.
func (t *trigger) packets() bool { return t.Metric == "offered" || t.Metric == "processed" }

// in is a threshold in the metric's unit.
func (t *trigger) in(s *policy.Snapshot, threshold float64) float64 {
	if t.packets() {
		return threshold * s.Limit
	}
	return threshold
}

// value is the metric. ok is false where it fails.
func (t *trigger) value(s *policy.Snapshot) (value float64, ok bool) {
	switch {
	case t.Metric == "held":
		return float64(s.Held), true
	case t.packets():
		if !s.Measured && len(s.Instances) > 0 || s.Missing() > 0 {
			return 0, false
		}
		return s.Load(policy.Metrics[t.Metric]), true
	}
	if t.Metric == "queue" {
		known := false
		for i := range s.Instances {
			u := &s.Instances[i].Usage
			if known = known || u.Known; u.Known && u.Stale {
				return 0, false
			}
		}
		return s.Load(policy.Queue), known || len(s.Instances) == 0
	}
	flows := 0
	for i := range s.Instances {
		flows += int(s.Instances[i].Flows)
	}
	return float64(flows), true
}

func (t *trigger) say(b []byte, value, threshold float64, n int) []byte {
	b = t.quantity(append(append(b, t.Metric...), " at "...), value)
	b = t.quantity(append(b, " of "...), threshold)
	if t.Type != "Value" {
		b = append(b, " each"...)
	}
	return strconv.AppendInt(append(b, " wants "...), int64(n), 10)
}

func (t *trigger) quantity(b []byte, x float64) []byte {
	if t.packets() {
		return append(b, signal.Mpps(x)...)
	}
	return strconv.AppendFloat(b, x, 'g', 6, 64)
}

// milli is a metric in thousandths, as the controller is told it.
func milli(x float64) int64 {
	if x = math.Round(x * 1000); x < math.MaxInt64 {
		return int64(x)
	}
	return math.MaxInt64
}
