package autoscaler

import (
	"fmt"
	"math"
	"strings"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/thesis"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// DefaultOptions are the options that the default tags of Options state.
func DefaultOptions() Options {
	return Options{
		Policy: "target-utilization", Target: 0.5, Interval: units.Second, Metric: "offered",
		Stabilization: 10 * units.Second, Victim: "newest", Drain: "move",
	}
}

// Static reports whether the policy is one that never changes the number of instances.
func (o Options) Static() bool {
	r := Policies.Find(o.Policy)
	return r != nil && r.New == nil
}

// Validate reports the first key whose value is not one of those that its documentation lists, with what is expected.
func (o Options) Validate() error {
	_, err := o.decode()
	return err
}

// decoded is what the options say.
type decoded struct {
	scaler *policy.ScalerRow
	victim *policy.VictimRow
	moves  bool
	thesis thesis.Options
}

// options are those of the chosen scaling policy. The keys of the thesis' one stand in Options itself.
func (d *decoded) options() any {
	if _, ok := d.scaler.Options.(thesis.Options); ok {
		return d.thesis
	}
	return d.scaler.Options
}

func (o Options) decode() (d decoded, err error) {
	if d.scaler = Policies.Find(o.Policy); d.scaler == nil {
		return d, unknown("policy", o.Policy, Policies.Names())
	}
	if !(o.Target > 0) || math.IsInf(o.Target, 0) {
		return d, fmt.Errorf("autoscaler.target: %v, want a finite number above 0, such as 0.5", o.Target)
	}
	if o.Interval <= 0 {
		return d, fmt.Errorf("autoscaler.interval: %v, want a time above 0", o.Interval)
	}
	metric, err := choose("metric", o.Metric, []choice[policy.Metric]{{"offered", policy.Offered}, {"processed", policy.Processed}})
	if err != nil {
		return d, err
	}
	if !(o.Tolerance >= 0) || math.IsInf(o.Tolerance, 0) {
		return d, fmt.Errorf("autoscaler.tolerance: %v, want a finite number of 0 or more", o.Tolerance)
	}
	for _, t := range []struct {
		key   string
		value units.Time
	}{
		{"scale_out_cooldown", o.ScaleOutCooldown},
		{"scale_in_cooldown", o.ScaleInCooldown},
		{"stabilization", o.Stabilization},
	} {
		if t.value < 0 {
			return d, fmt.Errorf("autoscaler.%s: %v, want a time of 0 or more", t.key, t.value)
		}
	}
	for _, n := range []struct {
		key   string
		value int
	}{{"max_step_out", o.MaxStepOut}, {"max_step_in", o.MaxStepIn}} {
		if n.value < 0 {
			return d, fmt.Errorf("autoscaler.%s: %d, want 0 or more", n.key, n.value)
		}
	}
	if d.victim = Victims.Find(o.Victim); d.victim == nil {
		return d, unknown("victim", o.Victim, Victims.Names())
	}
	if d.moves, err = choose("drain", o.Drain, []choice[bool]{{"move", true}, {"finish", false}}); err != nil {
		return d, err
	}
	d.thesis = thesis.Options{
		Target: o.Target, Metric: metric, Tolerance: o.Tolerance, Stabilization: o.Stabilization,
		Pace: policy.Pace{
			OutCooldown: o.ScaleOutCooldown, InCooldown: o.ScaleInCooldown, MostOut: o.MaxStepOut, MostIn: o.MaxStepIn,
		},
	}
	return d, nil
}

// choice is a word that a key takes, and what it means.
type choice[T any] struct {
	name  string
	value T
}

func choose[T any](key, text string, from []choice[T]) (meaning T, err error) {
	names := make([]string, len(from))
	for i, c := range from {
		if c.name == text {
			return c.value, nil
		}
		names[i] = c.name
	}
	return meaning, unknown(key, text, names)
}

func unknown(key, text string, known []string) error {
	return fmt.Errorf("autoscaler.%s: %q is not known: want one of %s", key, text, strings.Join(known, ", "))
}
