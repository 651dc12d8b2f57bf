// Package knative has the Knative Pod Autoscaler, made again from its rules and held against its own test vectors and
// the running program.
//
// It goes by two means of the load: over the stable window, and over the panic window, a tenth of it. When the latter
// wants twice the instances that are ready, it panics: the higher of the two wishes holds, and the number does not
// fall, until a whole stable window has passed without such a wish.
//
// The load is the packet rate of all instances, in the place of Knative's metric rps, requests a second, and
// scheduler.limit is what one instance is trusted with, in the place of the total value of a pod. Knative evaluates
// every 2 s; here autoscaler.interval says how often.
package knative

import (
	"fmt"
	"math"
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{{Info: policy.Info{
	Name:   "kpa",
	Rule:   "the mean load over a target each; after a sudden rise that of a short window, and no fewer for a while",
	Source: "Knative serving 98e5ef90, pkg/autoscaler/scaling/autoscaler.go", Sees: policy.T0 | policy.T2,
	State: "one load for each second of the stable window, one number for every 2 s of the delay; since when it panics",
	Cost:  "n, and the seconds of the windows",
	Deviates: "the load is a packet rate, and the seconds between two evaluations take that of the later one, where " +
		"Knative asks the pods each second; no scale-in while counters are missing; autoscaler.interval is the tick; " +
		"a load that exceeds a whole number of targets by less than 1e-9 of it counts as that number; nothing stands " +
		"for the activator, the burst capacity, the grace period before zero, or the weighted means",
}, ScalerMaker: policy.MakeScaler(newKPA)}}

// Options are those of kpa.
type Options struct {
	signal.Options `yaml:",inline"`
	Target         float64    `yaml:"target" default:"0.7" above:"0"`
	Stable         units.Time `yaml:"stable_window" default:"60s" min:"1s" max:"1h"`
	PanicWindow    float64    `yaml:"panic_window_percentage" default:"10" min:"1" max:"100"`
	PanicThreshold float64    `yaml:"panic_threshold_percentage" default:"200" min:"110" max:"1000"`
	Up             float64    `yaml:"max_scale_up_rate" default:"1000" above:"1"`
	Down           float64    `yaml:"max_scale_down_rate" default:"2" min:"0"`
	Delay          units.Time `yaml:"scale_down_delay" default:"0s" max:"1h"`
	Activation     int        `yaml:"activation_scale" default:"1" min:"1"`
}

// Unscaled implements scenarios.Unscaled.
func (Options) Unscaled() string { return "windows of whole seconds" }

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
target: the share of scheduler.limit that an instance shall carry
stable_window: the load is the mean over this long; fractions of a second do not count
panic_window_percentage: the panic window is this share of the stable one, rounded to whole seconds
panic_threshold_percentage: it panics when the panic window wants this share of the ready instances, or more
max_scale_up_rate: at most this many times the ready instances, rounded up
max_scale_down_rate: at least the ready instances over this, rounded down; 0 for no limit, as for a revision that is not
	reachable
scale_down_delay: no lower than the highest number of this long, counted in periods of 2 s; 0s for none
activation_scale: a number above 0 is at least this
`
}

const (
	second = units.Second
	tick   = 2 * units.Second // for the delay, as in Knative
)

type kpa struct {
	Options
	stable, panicked int // lengths of the windows, in seconds
	loads            seconds
	begun, panics    bool
	since            units.Time // when the panic began, or was last prolonged
	most             int        // while it panics: the highest number since
	delay            *maximum   // nil for none
}

func newKPA(o Options, _ policy.Env) (policy.Scaler, error) {
	if o.Down > 0 && o.Down <= 1 {
		return nil, fmt.Errorf("max_scale_down_rate: %v: want 0, or a number above 1", o.Down)
	}
	k := &kpa{Options: o, stable: int(o.Stable / second)}
	k.panicked = max(1, int(math.Round(float64(k.stable)*o.PanicWindow/100)))
	k.loads.ring = make([]float64, k.stable)
	if o.Delay > 0 {
		k.delay = newMaximum(int((o.Delay + tick - 1) / tick))
	}
	return k, nil
}

// Evaluate implements policy.Scaler.
func (k *kpa) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	ready := signal.Ready(s)
	if !k.begun {
		k.begin(s.Now, ready)
	}
	if !s.Measured {
		return policy.Proposal{Desired: steps.Clamp(s, steps.Recommend(s, nil))}
	}
	k.loads.record(int64(s.Now/second), k.Load(s))
	n := k.decide(s.Now, ready, k.loads.mean(k.stable), k.loads.mean(k.panicked), float64(k.Target*s.Limit), steps)
	if missing := s.Missing(); n < s.Current && missing > 0 {
		reason := "no scale-in while counters are missing: " + strconv.Itoa(missing)
		n = steps.Take(policy.Stabilised, s.Current, reason)
	}
	return policy.Proposal{Desired: steps.Clamp(s, n)}
}

// begin starts in panic where several are ready, so that their number does not fall before a stable window is known.
func (k *kpa) begin(now units.Time, ready int) {
	k.begun, k.most = true, ready
	k.panics, k.since = ready > 1, now
}

// decide finds the number from the two means of the load, and from what one instance shall carry.
func (k *kpa) decide(now units.Time, ready int, stable, panicked, target float64, steps *policy.Steps) int {
	byStable, byPanic := numeric.Ceil(stable/target, signal.Most), numeric.Ceil(panicked/target, signal.Most)
	pods := float64(max(1, ready))
	over := float64(byPanic)/pods >= k.PanicThreshold/100
	switch {
	case over:
		k.panics, k.since = true, now
	case k.panics && k.since+k.window(k.stable) < now:
		k.panics, k.most = false, 0
	}

	n, reason := byStable, k.reason(stable, k.stable, target)
	if k.panics && byPanic > byStable {
		n, reason = byPanic, k.reason(panicked, k.panicked, target)
	}
	if k.panics {
		reason = "panic: " + reason
	}
	wish := n
	steps.Take(policy.Recommended, n, reason)
	n = change(steps, policy.RateLimited, n, k.limit(n, pods), "within the rates of change of the ready instances")
	if wish > 0 {
		n = change(steps, policy.RateLimited, n, max(n, k.Activation), "no fewer to begin with")
	}
	if k.panics {
		k.most = max(k.most, n)
		n = change(steps, policy.Stabilised, n, k.most, "panic: no fewer than before")
	}
	if k.delay != nil {
		k.delay.record(int64(now/tick), n)
		n = change(steps, policy.Stabilised, n, k.delay.current(), "no lower than the highest number of the delay")
	}
	return n
}

// limit bounds a number by the rates of change.
func (k *kpa) limit(n int, pods float64) int {
	least := 0
	if k.Down > 0 {
		least = signal.Whole(math.Floor(pods / k.Down))
	}
	return min(max(n, least), signal.Whole(math.Ceil(k.Up*pods)))
}

func (k *kpa) window(n int) units.Time { return units.Time(n) * second }

func (k *kpa) reason(load float64, window int, target float64) string {
	window = min(window, max(1, k.loads.count))
	return signal.Mpps(load) + " over " + k.window(window).String() + " at " + signal.Mpps(target) + " each"
}

// change takes down a stage that has changed the number.
func change(steps *policy.Steps, kind string, from, to int, reason string) int {
	if from == to {
		return from
	}
	return steps.Take(kind, to, reason)
}
