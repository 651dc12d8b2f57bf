package keda

import (
	"math"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// trigger is one of an object's.
type trigger struct {
	Name       string  `yaml:"name" default:""`
	Metric     string  `yaml:"metric" enum:"offered|processed|queue|flows|held" required:"true"`
	Threshold  float64 `yaml:"threshold" above:"0" required:"true"`
	Activation float64 `yaml:"activation_threshold" default:"0" min:"0"`
	Type       string  `yaml:"metric_type" enum:"AverageValue|Value" default:"AverageValue"`
}

// Unused implements strictyaml.Partial.
func (t trigger) Unused(key string) bool { return key == "name" && t.Name == "" }

// Docs implements strictyaml.Documented.
func (trigger) Docs() string {
	return `
name: what the formula calls it
metric: packets offered to the instances or processed by them, packets in their queues, the flows that they have, or the
	flows that are held
threshold: what the metric is held at: a share of scheduler.limit for packets offered or processed, a number for others
activation_threshold: above this, in the same unit, the trigger is active
metric_type: whether the threshold is for each instance, or for all together
`
}

func (t *trigger) called() string { return t.Name }

func (t *trigger) said() string { return t.Metric }

func (t *trigger) target(s *policy.Snapshot) float64 { return t.Threshold * t.unit(s) }

func (t *trigger) active(s *policy.Snapshot, value float64) bool {
	return value > t.Activation*t.unit(s)
}

func (t *trigger) forAll() bool { return t.Type == "Value" }

// packets reports whether the metric is a packet rate.
func (t *trigger) packets() bool { return t.Metric == "offered" || t.Metric == "processed" }

func (t *trigger) unit(s *policy.Snapshot) float64 {
	if t.packets() {
		return s.Limit
	}
	return 1
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
