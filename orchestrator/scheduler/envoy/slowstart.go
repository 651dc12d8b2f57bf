package envoy

import (
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// slowSource is where slow start comes from.
const slowSource = "; common/load_balancer_impl.cc (slow start)"

// slowOptions are those of a SlowStartConfig but its window, which is instances.slow_start.
type slowOptions struct {
	Aggression float64 `yaml:"aggression" default:"1" above:"0" max:"1000"`
	MinWeight  float64 `yaml:"min_weight_percent" default:"10" min:"0" max:"100"`
}

// Docs implements strictyaml.Documented.
func (slowOptions) Docs() string {
	return `
aggression: with instances.slow_start, how the weight grows in that time: as its part of it to the power of one over
	this. 1: evenly; more: faster in the beginning
min_weight_percent: with instances.slow_start, the least part of its weight that an instance has
`
}

// Unused implements strictyaml.Partial: an option that is as usual says nothing.
func (o slowOptions) Unused(key string) bool {
	return key == "aggression" && o.Aggression == 1 || key == "min_weight_percent" && o.MinWeight == 10
}

// slowStart has each host begin with a part of its weight when it comes.
type slowStart struct {
	slowOptions
	came   policy.PerSlot[units.Time]
	latest units.Time // when the last host came, which may have gone
}

func (s *slowStart) follow(e *policy.Event, v *policy.View) {
	s.came.Follow(e, v.Now)
	if e.Kind == policy.Joined && v.Weight[e.Slot] > 0 {
		s.latest = v.Now
	}
}

// some reports whether a host may start slowly.
func (s *slowStart) some(v *policy.View, now units.Time) bool {
	return v.SlowStart >= units.Millisecond && since(s.latest, now) <= v.SlowStart/units.Millisecond
}

// part is how much of its weight a host has.
func (s *slowStart) part(v *policy.View, slot int, now units.Time) float64 {
	if !s.some(v, now) {
		return 1
	}
	age, window := since(s.came[slot], now), v.SlowStart/units.Millisecond
	if age >= window {
		return 1
	}
	part := float64(max(1, age)) / float64(window)
	if s.Aggression != 1 {
		part = numeric.Exp(numeric.Log(part) / s.Aggression)
	}
	return max(part, s.MinWeight/100)
}

// since is how many whole milliseconds have gone by: Envoy counts in these.
func since(then, now units.Time) units.Time { return (now - then) / units.Millisecond }
