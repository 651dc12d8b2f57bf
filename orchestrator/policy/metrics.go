package policy

import (
	"math"
	"strings"
)

// Metric is a quantity of an instance that a policy can be told to act on.
type Metric uint8

// The metrics. Those from CPU on are of class T3, and are measured only where a policy asks for them by Measurer.
const (
	Offered   Metric = iota // packets a second sent to it
	Processed               // packets a second that came back from it
	Bits                    // frame bits a second sent to it
	Gap                     // seconds between two packets sent to it, on average; infinite where none was
	CPU                     // cores that it uses
	Memory                  // bytes that it uses
	Queue                   // packets in its receive ring
	DelayP50                // seconds that 50 % of the packets were at most there
	DelayP90                // 90 %
	DelayP99                // 99 %
	DelayP999               // 99.9 %
)

// metrics describe the metrics, in their order.
var metrics = [...]struct {
	name  string
	class Class
	of    func(*Instance) float64
}{
	Offered:   {"offered", T2, func(i *Instance) float64 { return i.Rate.Rx }},
	Processed: {"processed", T2, func(i *Instance) float64 { return i.Rate.Tx }},
	Bits:      {"bits", T2, func(i *Instance) float64 { return i.Rate.RxBits }},
	Gap:       {"gap", T2, func(i *Instance) float64 { return gap(i.Rate.Rx) }},
	CPU:       {"cpu", T3, func(i *Instance) float64 { return i.Usage.CPU }},
	Memory:    {"memory", T3, func(i *Instance) float64 { return i.Usage.Memory }},
	Queue:     {"queue", T3, func(i *Instance) float64 { return i.Usage.Queue }},
	DelayP50:  {"delay-p50", T3, func(i *Instance) float64 { return i.Usage.Delay[0] }},
	DelayP90:  {"delay-p90", T3, func(i *Instance) float64 { return i.Usage.Delay[1] }},
	DelayP99:  {"delay-p99", T3, func(i *Instance) float64 { return i.Usage.Delay[2] }},
	DelayP999: {"delay-p999", T3, func(i *Instance) float64 { return i.Usage.Delay[3] }},
}

func gap(rate float64) float64 {
	if rate == 0 {
		return math.Inf(1)
	}
	return 1 / rate
}

// Metrics are the metrics by the names that options have for them.
var Metrics = func() map[string]Metric {
	all := map[string]Metric{}
	for m := range metrics {
		all[metrics[m].name] = Metric(m)
	}
	return all
}()

// String is the metric's name.
func (m Metric) String() string { return metrics[m].name }

// Class is how an observation of the metric reaches the orchestrator.
func (m Metric) Class() Class { return metrics[m].class }

// Of is the metric of an instance, over its last window or as of its last report.
func (m Metric) Of(i *Instance) float64 {
	switch m { // those of most policies, without a call
	case Offered:
		return i.Rate.Rx
	case Processed:
		return i.Rate.Tx
	}
	return metrics[m].of(i)
}

// Fresh reports whether the metric of an instance is known, and the last reading had it.
func (m Metric) Fresh(i *Instance) bool {
	if m.Class() == T3 {
		return i.Usage.Known && !i.Usage.Stale
	}
	return i.Rate.Known && !i.Rate.Stale
}

// In is the View's column of a metric that is Offered or Processed.
func (m Metric) In(v *View) []float64 {
	if m == Processed {
		return v.Back
	}
	return v.Load
}

// Load is the metric over all instances. Held flows count for Offered and Processed, by what they are expected to bring
// in packets a second.
func (s *Snapshot) Load(m Metric) float64 {
	load := 0.0
	for i := range s.Instances {
		load += m.Of(&s.Instances[i])
	}
	if m > Processed {
		return load
	}
	return load + s.HeldLoad
}

// MetricSet is a set of metrics.
type MetricSet uint16

// SetOf is the set of these metrics.
func SetOf(of ...Metric) (s MetricSet) {
	for _, m := range of {
		s |= 1 << m
	}
	return s
}

// Has reports whether the metric is in the set.
func (s MetricSet) Has(m Metric) bool { return s>>m&1 != 0 }

// Delays are the metrics that are quantiles of delay.
var Delays = SetOf(DelayP50, DelayP90, DelayP99, DelayP999)

// Reported are those of class T3, which the plant has to measure.
func (s MetricSet) Reported() MetricSet { return s &^ (1<<CPU - 1) }

// String lists the metrics: "cpu, queue".
func (s MetricSet) String() string {
	var names []string
	for m := range metrics {
		if s.Has(Metric(m)) {
			names = append(names, metrics[m].name)
		}
	}
	return strings.Join(names, ", ")
}

// Measurer is implemented by the options of a scaling policy that goes by metrics of class T3. The plant measures, and
// the log holds, those of them that are named, and no others.
type Measurer interface{ Measures() MetricSet }
