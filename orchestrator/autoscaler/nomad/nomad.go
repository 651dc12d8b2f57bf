// Package nomad has the strategies of the Nomad Autoscaler, made again from its rules and held against its own test
// vectors and the running plugins.
//
// A strategy answers a count and a metric with another count, or with none. Around it stand the rules of an evaluation:
// counts are kept within the bounds, a check that scales out beats one that does nothing, which beats one that scales
// in, and after each scaling nothing is done for the length of a cool-down.
//
// A count is what was asked for last, as Nomad's is the count of the job and not that of the running allocations. The
// metric is the mean utilisation of the ready instances, where a policy of Nomad would query the mean utilisation of a
// processor, or for pass-through the load in instances, where one would query the length of a queue. It is that of
// packets, or what agents report, which is what Nomad's own source of metrics has (cpu-allocated, memory-allocated).
// Nomad evaluates every 10 s unless told otherwise; here autoscaler.interval says how often.
package nomad

import (
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{targetValueRow, thresholdRow, passThroughRow, fixedValueRow}

const source = "nomad-autoscaler ede4e617, plugins/builtin/strategy/"

const (
	state = "the time and the direction of the last scaling"
	// deviates holds for all rows.
	deviates = "the metric is a packet rate unless it is to be what agents report; no scale-in while counters are " +
		"missing; flows that are held where there is no instance want one; autoscaler.interval is the evaluation " +
		"interval"
)

// Pause are the options that all strategies have.
type Pause struct {
	Cooldown units.Time `yaml:"cooldown" default:"5min"`
	Up       units.Time `yaml:"cooldown_on_scale_up" default:"5min"`
}

// Docs implements strictyaml.Documented.
func (Pause) Docs() string {
	return `
cooldown: time after a scale-in in which nothing is scaled; at its very end it still holds
cooldown_on_scale_up: the same after a scale-out
`
}

// Bounds are the options of the strategies that bound a step.
type Bounds struct {
	MaxUp   int `yaml:"max_scale_up" default:"0" min:"0"`
	MaxDown int `yaml:"max_scale_down" default:"0" min:"0"`
}

// Docs implements strictyaml.Documented.
func (Bounds) Docs() string {
	return `
max_scale_up: most instances added at once; 0 for no limit
max_scale_down: most instances removed at once; 0 for no limit
`
}

// limit keeps a count that a strategy has found within a step of the present one.
func (o Bounds) limit(count, to int) int {
	switch change := to - count; {
	case o.MaxDown > 0 && -change > o.MaxDown:
		return count - o.MaxDown
	case o.MaxUp > 0 && change > o.MaxUp:
		return count + o.MaxUp
	}
	return to
}

// action is what a check says: another count, or the same for none.
type action struct {
	count  int
	reason string
}

// handler is the evaluation around a strategy.
type handler struct {
	Pause
	recommend func(*policy.Snapshot, *policy.Steps) int
	last      units.Time // when it scaled last; Never before
	up        bool       // the last scaling was one out
}

func newHandler(p Pause, recommend func(*policy.Snapshot, *policy.Steps) int) *handler {
	return &handler{Pause: p, recommend: recommend, last: units.Never}
}

// metered is the handler of a strategy that goes by a metric. Where that is reported, an evaluation in which the report
// of any instance is missing fails as a whole, and so does one without any: plugins/builtin/apm/nomad/plugin/job.go
// gives no metric where one allocation does not answer, and policy/check.go none where there is no point.
func metered(p Pause, o signal.Metered, check func(*policy.Snapshot, signal.Reading) action) (policy.Scaler, error) {
	return newHandler(p, func(s *policy.Snapshot, steps *policy.Steps) int {
		return o.Recommend(s, steps, func(s *policy.Snapshot, r signal.Reading) (int, string) {
			switch {
			case o.Reported() && r.Missing > 0:
				return s.Wanted, "failed to query source: reports are missing: " + strconv.Itoa(r.Missing)
			case !r.Known:
				return s.Wanted, "failed to query source: no metrics available"
			}
			a := check(s, r)
			return a.count, a.reason
		})
	}), o.Check()
}

// Evaluate implements policy.Scaler.
func (h *handler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	n := h.recommend(s, steps)
	if within(s, n) != s.Wanted {
		if length, since := h.pause(); h.last != units.Never && s.Now-h.last <= length {
			n = steps.Take(policy.RateLimited, s.Wanted, "within "+length.String()+" of "+since)
		}
	}
	n = steps.Clamp(s, n)
	if n != s.Wanted {
		h.last, h.up = s.Now, n > s.Wanted
	}
	return policy.Proposal{Desired: n}
}

// pause is the length of the cool-down that the last scaling began, and what that was.
func (h *handler) pause() (units.Time, string) {
	if h.up {
		return h.Up, "the last scale-out"
	}
	return h.Cooldown, "the last scale-in"
}

func within(s *policy.Snapshot, n int) int { return min(max(n, s.Min), s.Max) }

func factor(f float64) string { return "factor " + strconv.FormatFloat(f, 'f', 4, 64) }
