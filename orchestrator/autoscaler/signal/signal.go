// Package signal has what autoscalers from elsewhere go by here: the packet rate of the instances, where their sources
// have a processor's utilisation or requests a second; or what agents on the instances report, as their sources do.
package signal

import (
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Options choose the packets that count.
type Options struct {
	Metric string `yaml:"metric" enum:"offered|processed" default:"offered"`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return "metric: the packets that count: those offered to the instances, or processed by them"
}

// Load is the rate over all instances, and what held flows are expected to bring, in packets a second.
func (o Options) Load(s *policy.Snapshot) float64 { return s.Load(policy.Metrics[o.Metric]) }

// Utilisation is the load as a share of the limit of the ready instances: the mean utilisation of one. Where none is
// ready, it is that of one that has the whole load.
//
// An instance that starts does not count, as with the agents whose averages the sources read, nor does one that drains.
// But what a draining one carries is load, because the others will have it.
func (o Options) Utilisation(s *policy.Snapshot) float64 {
	return o.Load(s) / float64(float64(max(1, Ready(s)))*s.Limit)
}

// Ready counts the ready instances.
func Ready(s *policy.Snapshot) int {
	n := 0
	for i := range s.Instances {
		if s.Instances[i].State == policy.Ready {
			n++
		}
	}
	return n
}

// Sampled is the end of the window that the newest counters describe; 0 where there are none.
func Sampled(s *policy.Snapshot) (at units.Time) {
	for i := range s.Instances {
		if r := &s.Instances[i].Rate; r.Known {
			at = max(at, r.Sampled)
		}
	}
	return at
}

// Most is the largest number of instances that is ever recommended.
const Most = 1e9

// Whole is a number of instances, at most Most, of a whole number that may be out of range. Of NaN it is 0.
func Whole(x float64) int {
	switch {
	case x >= Most:
		return Most
	case x > 0:
		return int(x)
	}
	return 0
}

// Recommend asks a rule whose number is a state: one that changes what was asked for last, Snapshot.Wanted, rather than
// to find the number anew. So a failed instance stays wanted. Like Steps.Recommend it does not ask while nothing has
// been measured, and recommends no scale-in while counters are missing. Flows that are held where there is no instance
// want one.
func Recommend(s *policy.Snapshot, steps *policy.Steps, rule func(*policy.Snapshot) (int, string)) int {
	n, reason := s.Wanted, "nothing measured yet"
	if s.Measured {
		if n, reason = rule(s); n < s.Wanted {
			if missing := s.Missing(); missing > 0 {
				n, reason = s.Wanted, "no scale-in while counters are missing: "+strconv.Itoa(missing)
			}
		}
	}
	return steps.Take(policy.Recommended, woken(s, n, &reason), reason)
}

// woken is one instance where none is there, and flows are held.
func woken(s *policy.Snapshot, n int, reason *string) int {
	if n == 0 && s.Wanted == 0 && s.Held > 0 {
		*reason = "flows are held, and there is no instance"
		return 1
	}
	return n
}

// Percent prints a share: "83.2 %".
func Percent(x float64) string { return strconv.FormatFloat(100*x, 'f', 1, 64) + " %" }

// Mpps prints a packet rate: "12.5 Mpps".
func Mpps(rate float64) string { return strconv.FormatFloat(rate/1e6, 'g', 4, 64) + " Mpps" }
