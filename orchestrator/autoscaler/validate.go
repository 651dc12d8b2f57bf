package autoscaler

import (
	"fmt"
	"math"

	"github.com/smartinco/smartinco/units"
)

// DefaultOptions are the options that the default tags of Options state.
func DefaultOptions() Options {
	return Options{Policy: "target-utilization", Target: 0.5, Interval: units.Second, Metric: "offered", Stabilization: 10 * units.Second, Victim: "newest", Drain: "move"}
}

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	if find(o.Policy) == nil {
		return fmt.Errorf("autoscaler.policy: %q is not known: want one of %s", o.Policy, join(table, func(r *row) string { return r.Name }))
	}
	if !(o.Target > 0) || math.IsInf(o.Target, 0) {
		return fmt.Errorf("autoscaler.target: %v, want a finite number above 0, such as 0.5", o.Target)
	}
	if o.Interval <= 0 {
		return fmt.Errorf("autoscaler.interval: %v, want a time above 0", o.Interval)
	}
	if o.Metric != "offered" && o.Metric != "processed" {
		return fmt.Errorf("autoscaler.metric: %q is not known: want one of offered, processed", o.Metric)
	}
	if !(o.Tolerance >= 0) || math.IsInf(o.Tolerance, 0) {
		return fmt.Errorf("autoscaler.tolerance: %v, want a finite number of 0 or more", o.Tolerance)
	}
	for _, t := range []struct {
		key   string
		value units.Time
	}{{"scale_out_cooldown", o.ScaleOutCooldown}, {"scale_in_cooldown", o.ScaleInCooldown}, {"stabilization", o.Stabilization}} {
		if t.value < 0 {
			return fmt.Errorf("autoscaler.%s: %v, want a time of 0 or more", t.key, t.value)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"max_step_out", o.MaxStepOut}, {"max_step_in", o.MaxStepIn}} {
		if n.value < 0 {
			return fmt.Errorf("autoscaler.%s: %d, want 0 or more", n.key, n.value)
		}
	}
	if findVictim(o.Victim) == nil {
		return fmt.Errorf("autoscaler.victim: %q is not known: want one of %s", o.Victim, join(victims, func(r *victimRow) string { return r.Name }))
	}
	if o.Drain != "move" && o.Drain != "finish" {
		return fmt.Errorf("autoscaler.drain: %q is not known: want one of move, finish", o.Drain)
	}
	return nil
}
