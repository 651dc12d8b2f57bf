package aws

import (
	"fmt"
	"math"
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// PredictiveOptions are those of aws-predictive.
type PredictiveOptions struct {
	TrackingOptions `yaml:",inline"`
	Mode            string     `yaml:"mode" enum:"forecast-only|forecast-and-scale" default:"forecast-only"`
	Buffer          units.Time `yaml:"scheduling_buffer_time" default:"300s"`
	MaxCapacity     int        `yaml:"max_capacity" default:"0" min:"0" max:"1000000"`
	Breach          string     `yaml:"max_capacity_breach_behavior" enum:"honor|increase" default:"honor"`
	MaxBuffer       int        `yaml:"max_capacity_buffer" default:"0" min:"0" max:"100"`
	Hour            units.Time `yaml:"hour" default:"1h" above:"0"`
	Day             units.Time `yaml:"day" default:"24h" above:"0"`
	Week            units.Time `yaml:"week" default:"168h" above:"0"`
	Least           units.Time `yaml:"least_history" default:"24h" above:"0"`
	History         units.Time `yaml:"history" default:"336h" above:"0"`
	Horizon         units.Time `yaml:"horizon" default:"48h" above:"0"`
	Refresh         units.Time `yaml:"refresh" default:"6h" above:"0"`
}

// Docs implements strictyaml.Documented.
func (PredictiveOptions) Docs() string {
	return `
mode: whether the forecast is only made and counted, or also holds the number up
scheduling_buffer_time: how long before an hour its forecast holds already; less than the hour
max_capacity: most instances; instances.max holds as well; 0 for that alone
max_capacity_breach_behavior: whether that holds, or gives way to a forecast that is more. AWS calls them
	HonorMaxCapacity and IncreaseMaxCapacity
max_capacity_buffer: where it gives way, it is the forecast and this percentage of it
hour: the load is forecast for each span of this long. In an experiment of minutes, shorten this and all that follows
day: after this long, the load is like before; whole hours
week: after this long, it is more so; whole hours
least_history: how much must be known before anything is forecast
history: how much is used
horizon: how far ahead the forecast goes
refresh: how often a new one is made
`
}

type predictive struct {
	PredictiveOptions
	dynamic tracking
	seasons [2]int64 // in hours
	counts  []uint64

	past    []float64 // mean load of each hour, oldest first; NaN where nothing was measured
	now     int64     // the present hour, which follows those
	load    float64   // sum over the evaluations of the present hour
	n       int       // how many
	ahead   []float64 // load that is forecast for each hour from one on
	from    int64
	renewed units.Time // when it was made; Never before

	increased int // max_capacity, or what a forecast has made of it
}

func newPredictive(o PredictiveOptions, env policy.Env) (policy.Scaler, error) {
	for _, t := range []struct {
		key string
		len units.Time
	}{
		{"day", o.Day}, {"week", o.Week}, {"least_history", o.Least}, {"history", o.History}, {"horizon", o.Horizon},
	} {
		if t.len < o.Hour || t.len/o.Hour > 1e5 {
			return nil, fmt.Errorf("%s: %v: want from 1 to 100000 of the hour, which is %v", t.key, t.len, o.Hour)
		}
	}
	switch {
	case o.Day%o.Hour != 0:
		return nil, fmt.Errorf("day: %v: want whole hours of %v", o.Day, o.Hour)
	case o.Week%o.Hour != 0:
		return nil, fmt.Errorf("week: %v: want whole hours of %v", o.Week, o.Hour)
	case o.Buffer >= o.Hour:
		return nil, fmt.Errorf("scheduling_buffer_time: %v: want less than the hour, which is %v", o.Buffer, o.Hour)
	case o.Least > o.History:
		return nil, fmt.Errorf("least_history: %v: want at most the history, which is %v", o.Least, o.History)
	}
	t, err := newTracking(o.TrackingOptions, env)
	return &predictive{PredictiveOptions: o, dynamic: *t.(*tracking), counts: env.Counts,
		seasons: [2]int64{int64(o.Week / o.Hour), int64(o.Day / o.Hour)}, renewed: units.Never,
		increased: o.MaxCapacity}, err
}

// Evaluate implements policy.Scaler. The forecast is a least number, so that the alarms have no cool-down after what
// it does, and none after a scale-in that it prevents.
func (p *predictive) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	if r := p.Read(s); r.Known && r.Missing == 0 {
		p.measure(s.Now, r.Load)
	}
	p.renew(s.Now)
	expected, load := p.expected(s)
	least := s.Min
	if p.Mode == "forecast-and-scale" {
		least = min(max(s.Min, expected), s.Max)
	}
	bounded := *s
	bounded.Min = least
	n := p.Recommend(s, steps, p.dynamic.recommend)
	n = p.dynamic.pace.hold(&bounded, steps, n, p.dynamic.capacity)
	if most := p.most(expected); p.MaxCapacity > 0 {
		if n > most {
			n = steps.Take(policy.RateLimited, most, fmt.Sprintf("max_capacity is %d", most))
		}
		least = max(s.Min, min(least, most))
	}
	done := n // by the alarms
	if least > max(n, s.Min) {
		p.counts[raised]++
		if n < s.Wanted {
			done = min(least, s.Wanted)
		}
		n = steps.Take(policy.Forecast, least, p.Amount(load)+" are forecast")
	}
	p.dynamic.pace.note(s, min(max(done, s.Min), s.Max))
	return policy.Proposal{Desired: steps.Clamp(s, n)}
}

// most is the effective most instances beside a forecast. What was increased stays so.
func (p *predictive) most(expected int) int {
	if p.Breach == "increase" && p.Mode == "forecast-and-scale" && expected > p.increased {
		p.increased = numeric.Ceil(float64(expected)*float64(100+p.MaxBuffer)/100, signal.Most)
	}
	return p.increased
}

// measure takes a load of the present hour.
func (p *predictive) measure(now units.Time, load float64) {
	p.pass(int64(now / p.Hour))
	p.load, p.n = p.load+load, p.n+1
}

// pass ends the hours before one.
func (p *predictive) pass(hour int64) {
	if hour == p.now {
		return
	}
	most := int64(p.History / p.Hour)
	mean := math.NaN()
	if p.n > 0 {
		mean = p.load / float64(p.n)
	}
	p.past = append(p.past, mean)
	for range min(hour-p.now-1, most) {
		p.past = append(p.past, math.NaN())
	}
	if extra := len(p.past) - int(most); extra > 0 {
		p.past = slices.Delete(p.past, 0, extra)
	}
	p.now, p.load, p.n = hour, 0, 0
}

// renew makes a new forecast where one is due.
func (p *predictive) renew(now units.Time) {
	p.pass(int64(now / p.Hour))
	if len(p.past) < int((p.Least+p.Hour-1)/p.Hour) || p.renewed != units.Never && now-p.renewed < p.Refresh {
		return
	}
	p.renewed, p.from, p.ahead = now, p.now, p.ahead[:0]
	for h := range int64(p.Horizon / p.Hour) {
		p.ahead = append(p.ahead, p.forecast(p.now+h))
	}
	p.counts[forecasts]++
}

// forecast is the load of an hour: the weighted mean of those that are whole weeks before it or, where none is known,
// whole days. It is 0 where nothing is known.
func (p *predictive) forecast(hour int64) float64 {
	first := p.now - int64(len(p.past))
	for _, season := range p.seasons {
		sum, weights, weight := 0.0, 0.0, 1.0
		for h := hour - season; h >= first; h -= season {
			if h < p.now && !math.IsNaN(p.past[h-first]) {
				sum, weights = sum+float64(weight*p.past[h-first]), weights+weight
				weight /= 2
			}
		}
		if weights > 0 {
			return sum / weights
		}
	}
	return 0
}

// expected is the number for what is forecast of the present hour, or of the next one when that is near; and the load.
func (p *predictive) expected(s *policy.Snapshot) (n int, load float64) {
	for _, at := range []units.Time{s.Now, s.Now + p.Buffer} {
		if i := int64(at/p.Hour) - p.from; p.renewed != units.Never && i < int64(len(p.ahead)) {
			load = max(load, p.ahead[i])
		}
	}
	return numeric.Ceil(load/float64(p.Target*p.One(s)), signal.Most), load
}
