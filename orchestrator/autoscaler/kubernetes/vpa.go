package kubernetes

import (
	"fmt"
	"math"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var vertical = policy.ScalerRow{Info: policy.Info{
	Name:   "vpa",
	Rule:   "each instance the share of a core that a percentile of the use of all needs; the number stays",
	Source: "Kubernetes' Vertical Pod Autoscaler 1.8.1, pkg/recommender and pkg/updater",
	Sees:   policy.T0 | policy.T2 | policy.T3,
	State:  "a histogram of 176 buckets",
	Cost:   "n",
	Deviates: "cpu alone: no memory, and so no kills for lack of it; an evicted instance drains while its successor " +
		"starts; the changes in place count with the evictions, and one that is under way is waited for; " +
		"recommender and updater act in the same evaluation; an instance that has the target is not changed, " +
		"whatever min_change is",
}, Asleep: true, Resizes: true, ScalerMaker: policy.MakeScaler(newVertical)}

// VerticalOptions are those of vpa: the object's policy, and the flags of recommender and updater.
type VerticalOptions struct {
	Mode              string     `yaml:"mode" default:"recreate"`
	CPU               string     `yaml:"cpu" enum:"reported|processed" default:"reported"`
	MinAllowed        float64    `yaml:"min_allowed" default:"0.025" min:"0.01" max:"64"`
	MaxAllowed        float64    `yaml:"max_allowed" default:"1" min:"0.01" max:"64"`
	HalfLife          units.Time `yaml:"half_life" default:"24h" above:"0"`
	Confidence        units.Time `yaml:"confidence_interval" default:"24h" above:"0"`
	Margin            float64    `yaml:"margin" default:"0.15" min:"0"`
	Target            float64    `yaml:"target_percentile" default:"0.9" min:"0" max:"1"`
	Lower             float64    `yaml:"lower_percentile" default:"0.5" min:"0" max:"1"`
	Upper             float64    `yaml:"upper_percentile" default:"0.95" min:"0" max:"1"`
	MinReplicas       int        `yaml:"min_replicas" default:"2" min:"1"`
	EvictionTolerance float64    `yaml:"eviction_tolerance" default:"0.5" min:"0" max:"1"`
	Lifetime          units.Time `yaml:"lifetime" default:"12h" min:"0"`
	MinChange         float64    `yaml:"min_change" default:"0.1" min:"0"`
}

// Names implements strictyaml.Tabled.
func (VerticalOptions) Names(key string) []string {
	if key == "mode" {
		return []string{"off", "initial", "recreate", "in-place-or-recreate", "in-place"}
	}
	return nil
}

// Docs implements strictyaml.Documented.
func (VerticalOptions) Docs() string {
	return `
mode: what is done with a recommendation. off: it is in the log; initial: new instances have it; recreate: and others are
	replaced by such; in-place-or-recreate: others are changed as they run, and replaced where that is refused;
	in-place: changed, or left as they are
cpu: what an instance uses of a core: what an agent on it reports, or what it processes over scheduler.limit
min_allowed: least share of a core
max_allowed: greatest share of a core
half_life: time in which a sample loses half of its weight
confidence_interval: time after which the bounds are as narrow as they are meant to be
margin: what is added to each percentile, as a share of it
target_percentile: of the use of all instances, for the target
lower_percentile: the same for the lower bound: an instance with less is changed
upper_percentile: the same for the upper bound: an instance with more is changed
min_replicas: with fewer instances, none is changed
eviction_tolerance: share of the instances that may be changed at once
lifetime: an instance within the bounds is changed after this time, by min_change or more
min_change: relative distance from the target
`
}

// Measures implements policy.Measurer.
func (o VerticalOptions) Measures() policy.MetricSet {
	if o.CPU == "reported" {
		return policy.SetOf(policy.CPU)
	}
	return 0
}

// recommender is what the recommender knows of the use of a core by all instances.
type recommender struct {
	uses        *Histogram
	samples     int
	first, last units.Time // sample
}

// cpuBuckets are those of the recommender for cores: up to 1000, the first 0.01 wide, each 5 % wider than the last.
var cpuBuckets = Exponential(1000, 0.01, 1.05)

// Sample weights and the least that counts, as the recommender has them.
const (
	sampleWeight = 0.1
	leastWeight  = 0.001 * sampleWeight
)

func (r *recommender) add(cores float64, at units.Time) {
	if r.samples++; r.samples == 1 {
		r.first, r.last = at, at
	}
	r.last = max(r.last, at)
	r.uses.Add(cores, sampleWeight, at)
}

// confidence is 1 after an interval with a sample a minute, and in proportion before and after.
func (r *recommender) confidence(interval units.Time) float64 {
	minutes := float64(interval) / float64(60*units.Second)
	return min(float64(r.last-r.first)/float64(interval), float64(r.samples)/minutes)
}

// millicores is a share of the cores in whole thousandths, cut off.
func millicores(cores float64) int64 { return int64(cores * 1000) }

// scaled is a number of thousandths times a factor, cut off, and at most what the recommender can say.
func scaled(milli int64, by float64) int64 {
	const most = 1e14
	if x := float64(float64(milli) * by); x < most {
		return int64(x)
	}
	return most
}

// Widened is an estimate in thousandths, widened where confidence is low: times 1 + multiplier/confidence to the power
// of the exponent.
func Widened(milli int64, multiplier, confidence float64, exponent int) int64 {
	base, power := 1+multiplier/confidence, 1.0
	for range max(exponent, -exponent) {
		power *= base
	}
	if exponent < 0 {
		power = 1 / power
	}
	return scaled(milli, power)
}

// recommendation is in thousandths of a core.
type recommendation struct{ lower, target, upper int64 }

func (r *recommender) recommend(o *VerticalOptions) recommendation {
	estimate := func(percentile float64) int64 {
		milli := millicores(r.uses.Percentile(percentile))
		return milli + scaled(milli, o.Margin)
	}
	allowed := func(milli int64) int64 {
		return min(max(milli, int64(math.Round(o.MinAllowed*1000))), int64(math.Round(o.MaxAllowed*1000)))
	}
	c := r.confidence(o.Confidence)
	return recommendation{
		lower:  allowed(Widened(estimate(o.Lower), 0.001, c, -2)),
		target: allowed(estimate(o.Target)),
		upper:  allowed(Widened(estimate(o.Upper), 1, c, 1)),
	}
}

// verticalScaler is an object and what recommender and updater remember of it.
type verticalScaler struct {
	o   VerticalOptions
	rec recommender

	due    []update
	ranked []update
	resize []policy.Resize
	was    recommendation
	said   string
	reason string
}

func newVertical(o VerticalOptions, _ policy.Env) (policy.Scaler, error) {
	switch {
	case o.MinAllowed > o.MaxAllowed:
		return nil, fmt.Errorf("min_allowed: %v, want at most max_allowed, %v", o.MinAllowed, o.MaxAllowed)
	}
	return &verticalScaler{o: o, rec: recommender{uses: NewHistogram(cpuBuckets, leastWeight, o.HalfLife)}}, nil
}

func (p *verticalScaler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	p.sample(s)
	n := min(max(s.Wanted, s.Min), s.Max)
	if p.rec.samples == 0 {
		return policy.Proposal{Desired: steps.Take(policy.Recommended, n, "no use of a core was measured")}
	}
	r := p.rec.recommend(&p.o)
	if r != p.was || p.said == "" {
		p.was = r
		p.said = fmt.Sprintf("target %s of a core each, %s to %s", cores(r.target), cores(r.lower), cores(r.upper))
		p.reason = fmt.Sprintf("the target is %s of a core", cores(r.target))
	}
	answer := policy.Proposal{Desired: steps.Take(policy.Recommended, n, p.said)}
	if p.o.Mode != "off" {
		answer.Share = float64(r.target) / 1000
	}
	if p.o.Mode != "off" && p.o.Mode != "initial" {
		answer.Resize = p.update(s, r)
	}
	return answer
}

// sample takes what is new of the instances' use.
func (p *verticalScaler) sample(s *policy.Snapshot) {
	reported := p.o.CPU == "reported"
	newest := p.rec.last
	for k := range s.Instances {
		i := &s.Instances[k]
		switch {
		case reported && i.Usage.Known && i.Usage.Sampled > newest:
			p.rec.add(i.Usage.CPU, i.Usage.Sampled)
		case !reported && i.Rate.Known && i.Rate.Sampled > newest:
			p.rec.add(i.Rate.Tx/s.Limit, i.Rate.Sampled)
		}
	}
}

// update lists the instances that are changed now: those that need more first, then those that are furthest off, as
// many as may be away at once.
func (p *verticalScaler) update(s *policy.Snapshot, r recommendation) []policy.Resize {
	p.due, p.resize = p.due[:0], p.resize[:0]
	running, away := 0, 0
	for k := range s.Instances {
		i := &s.Instances[k]
		if i.State == policy.Ready {
			running++
		}
		switch {
		case i.State != policy.Ready:
			continue
		case i.Asked != i.Share: // under way
			away++
			continue
		}
		now := int64(math.Round(i.Cores() * 1000))
		diff := math.Abs(float64(r.target-now)) / float64(now)
		outside := now < r.lower || now > r.upper
		if now == r.target || !outside && (s.Now-i.Ready < p.o.Lifetime || diff < p.o.MinChange) {
			continue
		}
		place := p.o.Mode == "in-place" || p.o.Mode == "in-place-or-recreate" && !i.Refused
		if p.o.Mode == "in-place" && i.Refused {
			continue
		}
		p.due = append(p.due, update{i.ID, now < r.target, diff, place})
	}
	if len(p.due) == 0 || running < p.o.MinReplicas {
		return nil
	}
	// Those that are away, and those that were asked for and are not there yet, count against the tolerance. Where it
	// is less than one instance, one may go while all are there.
	tolerated := int(float64(s.Wanted) * p.o.EvictionTolerance)
	room := max(running-away-(s.Wanted-tolerated), 0)
	if tolerated == 0 && running >= s.Wanted && away == 0 {
		room = 1
	}
	p.due = firstOf(p.due, room, &p.ranked)
	for _, u := range p.due {
		p.resize = append(p.resize, policy.Resize{Instance: u.id, Share: float64(r.target) / 1000, Recreate: !u.place,
			Reason: p.reason})
	}
	return p.resize
}

// cores prints thousandths of a core.
func cores(milli int64) string { return strconv.FormatFloat(float64(milli)/1000, 'g', -1, 64) }
