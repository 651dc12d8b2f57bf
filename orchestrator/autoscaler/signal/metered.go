package signal

import (
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Metered choose what counts where the source of a policy asks agents: packets, as with Options, or what the agents on
// the instances report. What is done where reports are missing is each policy's own, as its source has it.
type Metered struct {
	Metric string  `yaml:"metric" enum:"offered|processed|cpu|memory|queue" default:"offered"`
	Full   float64 `yaml:"full" default:"0" min:"0"`
}

// Docs implements strictyaml.Documented.
func (Metered) Docs() string {
	return `
metric: what counts: the packets offered to the instances, or processed by them, as a share of scheduler.limit; or what
	their agents report: cpu as a share of the cores that each may use, memory and queue as a share of full
full: with metric: memory or queue, how many bytes or packets an instance can hold
`
}

// Unused implements strictyaml.Partial: metrics that have a measure of their own do not say full.
func (o Metered) Unused(key string) bool { return key == "full" && o.Full == 0 }

// Measures implements policy.Measurer.
func (o Metered) Measures() policy.MetricSet { return policy.SetOf(o.metric()).Reported() }

func (o Metered) metric() policy.Metric { return policy.Metrics[o.Metric] }

// Reported tells whether the metric is one of those that agents report.
func (o Metered) Reported() bool { return o.metric().Class() == policy.T3 }

// Check says which option does not fit the metric.
func (o Metered) Check() error {
	switch needs := o.metric() == policy.Memory || o.metric() == policy.Queue; {
	case needs && o.Full == 0:
		return fmt.Errorf("full: 0: want what an instance can hold, above 0, with metric: %s", o.Metric)
	case !needs && o.Full != 0:
		return fmt.Errorf("full: %v: want metric: memory or queue with this key", o.Full)
	}
	return nil
}

// One is as much of the metric as one instance can have: in packets a second, cores, bytes or packets.
func (o Metered) One(s *policy.Snapshot) float64 {
	switch {
	case !o.Reported():
		return s.Limit
	case o.metric() == policy.CPU:
		return 1
	}
	return o.Full
}

// Reading is what is known of the metric.
type Reading struct {
	Known       bool       // anything
	Load        float64    // over all instances; of packets, with what held flows are expected to bring
	Utilisation float64    // the mean over the ready instances, as a share of what one can have
	Missing     int        // instances that were read before, and not the last time
	Unread      int        // ready instances of which nothing was reported yet
	At          units.Time // the end of what the newest of it describes
}

// Read reads the metric. The mean of what is reported is over those ready instances whose agents reported last time,
// and so an instance that drains has no part in it; that of packets is Options.Utilisation.
func (o Metered) Read(s *policy.Snapshot) (r Reading) {
	m := o.metric()
	r.Load = s.Load(m)
	if !o.Reported() {
		r.Known, r.Missing, r.At = s.Measured, s.Missing(), Sampled(s)
		r.Utilisation = r.Load / float64(float64(max(1, Ready(s)))*s.Limit)
		return r
	}
	sum, n := 0.0, 0
	for k := range s.Instances {
		i := &s.Instances[k]
		switch {
		case i.State != policy.Ready:
		case !i.Usage.Known:
			r.Unread++
		case i.Usage.Stale:
			r.Missing++
		default:
			one := o.Full
			if m == policy.CPU {
				one = i.Cores()
			}
			sum, n = sum+m.Of(i)/one, n+1
			r.At = max(r.At, i.Usage.Sampled)
		}
	}
	if r.Known = n > 0; r.Known {
		r.Utilisation = sum / float64(n)
	}
	return r
}

// Recommend is the function of this name for a rule that goes by the metric. Of packets, it does not ask while nothing
// has been measured, and recommends no scale-in while counters are missing. Of reports, it always asks: what the rule
// does without them is its own.
func (o Metered) Recommend(s *policy.Snapshot, steps *policy.Steps,
	rule func(*policy.Snapshot, Reading) (int, string)) int {
	if !o.Reported() {
		return Recommend(s, steps, func(s *policy.Snapshot) (int, string) { return rule(s, o.Read(s)) })
	}
	n, reason := rule(s, o.Read(s))
	return steps.Take(policy.Recommended, woken(s, n, &reason), reason)
}

// Each says a share as that of what each instance can have: "83.2 % of the limit each".
func (o Metered) Each(share float64) string {
	switch o.metric() {
	case policy.CPU:
		return Percent(share) + " of the processor each"
	case policy.Memory:
		return Percent(share) + " of the memory each"
	case policy.Queue:
		return Percent(share) + " of the queue each"
	}
	return Percent(share) + " of the limit each"
}

// Amount says a load: "12.5 Mpps", "3.2 cores".
func (o Metered) Amount(load float64) string {
	unit := " packets"
	switch o.metric() {
	case policy.Offered, policy.Processed:
		return Mpps(load)
	case policy.CPU:
		unit = " cores"
	case policy.Memory:
		unit = " bytes"
	}
	return strconv.FormatFloat(load, 'g', 4, 64) + unit
}
