package autopilot

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var horizontal = policy.ScalerRow{Info: policy.Info{
	Name:   "autopilot-horizontal",
	Rule:   "the use of all over some days, over a target each; fewer after some days more, and then slowly",
	Source: "Rzadca et al. (Autopilot), EuroSys 2020, section 3.3",
	Sees:   policy.T0 | policy.T2 | policy.T3,
	State:  "the windows of the horizon, and of the time for which a scale-in is deferred",
	Cost:   "n; when a window ends, the windows, sorted",
	Deviates: "a reconstruction: the target and what a small change is are own choice; it begins with the number " +
		"that there is, and not with a job's history",
}, ScalerMaker: policy.MakeScaler(newHorizontal)}

// HorizontalOptions are those of autopilot-horizontal.
type HorizontalOptions struct {
	Signal `yaml:",inline"`

	Horizon     units.Time `yaml:"horizon" default:"72h" above:"0"`
	Statistic   string     `yaml:"statistic" enum:"max|p95" default:"max"`
	Utilization float64    `yaml:"utilization" default:"0.5" above:"0"`
	Defer       units.Time `yaml:"defer" default:"48h" min:"0"`
	Halve       units.Time `yaml:"halve" default:"1h" min:"0"`
	Small       float64    `yaml:"small" default:"0" min:"0"`
	Growth      float64    `yaml:"growth" default:"0" min:"0"`
}

// Docs implements strictyaml.Documented.
func (HorizontalOptions) Docs() string {
	return `
horizon: how far back use counts
statistic: of the use of all instances in those windows
utilization: average use of a core that an instance is to have
defer: a scale-in goes no lower than the highest recommendation of this long
halve: and then halves the number in this time, at most; 0s for at once
small: changes of less than this share of the number are left alone
growth: most instances that may be starting, as a share of the number; 0 for any
`
}

type horizontalScaler struct {
	o HorizontalOptions
	readings
	sum    float64 // of the present window, over its readings
	count  int
	uses   last // averages of the windows
	wants  last // recommendations, when windows ended
	sorted []float64

	want    int     // the recommendation
	floor   int     // the highest of the last while
	level   float64 // the number as it decays
	decayed int     // the number that the level last gave; another one begins anew
	known   bool
	said    string
}

func newHorizontal(o HorizontalOptions, _ policy.Env) (policy.Scaler, error) {
	return &horizontalScaler{o: o, readings: readings{Signal: o.Signal}, uses: newLast(o.Horizon, o.Window),
		wants: newLast(o.Defer, o.Window)}, nil
}

func (p *horizontalScaler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	if p.next(s) {
		for _, use := range p.readings.uses {
			p.sum += use
		}
		p.count++
	}
	current := s.Wanted
	ended := p.over(s.Now)
	if ended && p.count > 0 {
		p.window()
	}
	if !p.known {
		n := current
		if n == 0 && s.Held > 0 {
			n = 1
		}
		n = steps.Take(policy.Recommended, n, "no window has been measured")
		return policy.Proposal{Desired: steps.Clamp(s, n)}
	}
	n := steps.Take(policy.Recommended, p.want, p.said)
	if n == 0 && current == 0 && s.Held > 0 {
		n = steps.Take(policy.Stabilised, 1, "flows are held, and there is no instance")
	}
	n = p.deferred(current, n, ended, steps)
	n = p.limited(s, current, n, steps)
	return policy.Proposal{Desired: steps.Clamp(s, n)}
}

// window ends a window.
func (p *horizontalScaler) window() {
	p.uses.add(p.sum / float64(p.count))
	p.sum, p.count = 0, 0
	p.sorted = append(p.sorted[:0], p.uses.all()...)
	slices.Sort(p.sorted)
	use := p.sorted[len(p.sorted)-1]
	if p.o.Statistic == "p95" {
		use = p.sorted[max(numeric.Ceil(0.95*float64(len(p.sorted)), len(p.sorted)), 1)-1]
	}
	p.want = numeric.Ceil(use/p.o.Utilization, signal.Most)
	p.wants.add(float64(p.want))
	p.floor = int(slices.Max(p.wants.all()))
	p.known = true
	p.said = fmt.Sprintf("%s of %d windows is %.4g cores, at %s each", p.o.Statistic, len(p.sorted), use,
		strconv.FormatFloat(p.o.Utilization, 'g', -1, 64))
}

// deferred lets the number fall to the highest recommendation of the last while, in steps at the ends of windows that
// halve it in a time.
func (p *horizontalScaler) deferred(current, n int, ended bool, steps *policy.Steps) int {
	if p.floor > n {
		n = steps.Take(policy.Stabilised, p.floor, "the highest recommendation of the time of deferral")
	}
	if n >= current || p.o.Halve == 0 {
		p.decayed = -1
		return n
	}
	if p.decayed != current {
		p.level, p.decayed = float64(current), current
	}
	if !ended {
		return steps.Take(policy.RateLimited, current, "the number falls at the ends of windows")
	}
	p.level *= numeric.Exp(-math.Ln2 * float64(p.o.Window) / float64(p.o.Halve))
	p.decayed = max(p.floor, int(math.Round(p.level)))
	return steps.Take(policy.RateLimited, p.decayed, "the number falls slowly")
}

// limited leaves small changes alone, and bounds how many instances start at once.
func (p *horizontalScaler) limited(s *policy.Snapshot, current, n int, steps *policy.Steps) int {
	if change := math.Abs(float64(n - current)); change > 0 && change < float64(p.o.Small*float64(current)) {
		return steps.Take(policy.RateLimited, current, "a small change")
	}
	if p.o.Growth == 0 || n <= current {
		return n
	}
	starting := 0
	for k := range s.Instances {
		if s.Instances[k].State == policy.Starting {
			starting++
		}
	}
	if most := current + max(0, max(1, int(float64(current)*p.o.Growth))-starting); n > most {
		return steps.Take(policy.RateLimited, most, "as many start as may at once")
	}
	return n
}
