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
	State: "a histogram of 176 buckets; with memory, another one, and of each instance its request and the peak of " +
		"its interval",
	Cost: "n",
	Deviates: "memory is requested and not reserved: it says who is changed, and changes nothing of what an instance " +
		"does; one that uses more than its limit counts as killed, and goes on; memory has cpu's percentiles; an " +
		"evicted instance drains while its successor starts; the changes in place count with the evictions, and one " +
		"that is under way is waited for; " +
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

	Controlled     string      `yaml:"controlled_resources" default:"cpu"`
	MemoryRequest  units.Bytes `yaml:"memory_request" default:"0B"`
	MemoryLimit    float64     `yaml:"memory_limit" default:"0" min:"0"`
	MinMemory      units.Bytes `yaml:"min_allowed_memory" default:"250MiB"`
	MaxMemory      units.Bytes `yaml:"max_allowed_memory" default:"1000GB"`
	MemoryHalfLife units.Time  `yaml:"memory_half_life" default:"24h" above:"0"`
	MemoryInterval units.Time  `yaml:"memory_interval" default:"24h" above:"0"`
	OOMRatio       float64     `yaml:"oom_bump_up_ratio" default:"1.2" min:"1"`
	OOMLeast       units.Bytes `yaml:"oom_min_bump_up" default:"100MiB"`
	EvictAfterOOM  units.Time  `yaml:"evict_after_oom" default:"10min" min:"0"`
}

// cpu and memory report which resources are controlled.
func (o VerticalOptions) cpu() bool    { return o.Controlled != "memory" }
func (o VerticalOptions) memory() bool { return o.Controlled != "cpu" }

// Unused implements strictyaml.Partial: without memory, nothing is said of it.
func (o VerticalOptions) Unused(key string) bool {
	switch key {
	case "controlled_resources", "memory_request", "memory_limit", "min_allowed_memory", "max_allowed_memory",
		"memory_half_life", "memory_interval", "oom_bump_up_ratio", "oom_min_bump_up", "evict_after_oom":
		return !o.memory()
	}
	return false
}

// Names implements strictyaml.Tabled.
func (VerticalOptions) Names(key string) []string {
	if key == "mode" {
		return []string{"off", "initial", "recreate", "in-place-or-recreate", "in-place"}
	}
	if key == "controlled_resources" {
		return []string{"cpu", "memory", "cpu+memory"}
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
min_change: relative distance from the target, of both resources together
controlled_resources: what is recommended and changed; a cluster has both by default
memory_request: what an instance requests that the policy has not changed; 0B where it says nothing, so that it is
	changed as soon as it may be
memory_limit: most memory of an instance, over its request; 0 for no limit. One that reports more counts as killed
min_allowed_memory: least request; 250MiB is the recommender's
max_allowed_memory: greatest request
memory_half_life: time in which a peak of memory loses half of its weight
memory_interval: of each instance, the peak of each span of this long counts
oom_bump_up_ratio: one that was killed needs so many times its request, or its peak
oom_min_bump_up: and at least so much more
evict_after_oom: one that was killed this soon after it was ready is changed for as long, also within the bounds
`
}

// Measures implements policy.Measurer.
func (o VerticalOptions) Measures() (all policy.MetricSet) {
	if o.CPU == "reported" {
		all = policy.SetOf(policy.CPU)
	}
	if o.memory() {
		all |= policy.SetOf(policy.Memory)
	}
	return all
}

// recommender is what the recommender knows of the use of all instances. How sure it is of memory, the samples of
// cores say too.
type recommender struct {
	uses        *Histogram
	peaks       *Histogram // of memory
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

// recommendation is in thousandths of a core, and in bytes.
type recommendation struct{ cpu, memory bounds }

type bounds struct{ lower, target, upper int64 }

func (r *recommender) recommend(o *VerticalOptions) (all recommendation) {
	all.cpu = r.bounds(o, millicores, r.uses, int64(math.Round(o.MinAllowed*1000)),
		int64(math.Round(o.MaxAllowed*1000)))
	if o.memory() {
		bytes := func(x float64) int64 { return int64(x) }
		all.memory = r.bounds(o, bytes, r.peaks, int64(o.MinMemory), int64(o.MaxMemory))
	}
	return all
}

// bounds are those of a resource, of which a histogram has the use, in whole units, cut off.
func (r *recommender) bounds(o *VerticalOptions, whole func(float64) int64, h *Histogram, least, most int64) bounds {
	estimate := func(percentile float64) int64 {
		x := whole(h.Percentile(percentile))
		return x + scaled(x, o.Margin)
	}
	allowed := func(x int64) int64 { return min(max(x, least), most) }
	c := r.confidence(o.Confidence)
	return bounds{
		lower:  allowed(Widened(estimate(o.Lower), 0.001, c, -2)),
		target: allowed(estimate(o.Target)),
		upper:  allowed(Widened(estimate(o.Upper), 1, c, 1)),
	}
}

// verticalScaler is an object and what recommender and updater remember of it.
type verticalScaler struct {
	o   VerticalOptions
	rec recommender

	containers, spare []container // in order of their numbers; none without memory
	fresh             int64       // what new ones request
	requests          int         // changes of memory alone in this evaluation, which no plant has to make

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
	case o.MinMemory > o.MaxMemory:
		return nil, fmt.Errorf("min_allowed_memory: %v, want at most max_allowed_memory, %v", o.MinMemory, o.MaxMemory)
	case o.MemoryLimit > 0 && o.MemoryLimit < 1:
		return nil, fmt.Errorf("memory_limit: %v, want 1 or more, or 0", o.MemoryLimit)
	}
	return &verticalScaler{o: o, fresh: int64(o.MemoryRequest), rec: recommender{
		uses:  NewHistogram(cpuBuckets, leastWeight, o.HalfLife),
		peaks: NewHistogram(MemoryBuckets, leastWeight, o.MemoryHalfLife)}}, nil
}

func (p *verticalScaler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	p.sample(s)
	if p.o.memory() {
		p.follow(s, p.fresh)
	}
	n := min(max(s.Wanted, s.Min), s.Max)
	if p.rec.samples == 0 {
		return policy.Proposal{Desired: steps.Take(policy.Recommended, n, "no use of a core was measured")}
	}
	r := p.rec.recommend(&p.o)
	if r != p.was || p.said == "" {
		p.was = r
		p.say(r)
	}
	answer, said := policy.Proposal{Desired: n}, p.said
	if p.o.Mode != "off" {
		p.fresh = r.memory.target
		if p.o.cpu() {
			answer.Share = float64(r.cpu.target) / 1000
		}
	}
	if p.o.Mode != "off" && p.o.Mode != "initial" {
		if answer.Resize = p.update(s, r); p.requests > 0 {
			said += fmt.Sprintf("; %d now request it, in place", p.requests)
		}
	}
	steps.Take(policy.Recommended, n, said)
	return answer
}

// say makes the reasons of a recommendation.
func (p *verticalScaler) say(r recommendation) {
	p.said, p.reason = "target ", "the target is "
	if p.o.cpu() {
		p.said += fmt.Sprintf("%s of a core each, %s to %s", cores(r.cpu.target), cores(r.cpu.lower),
			cores(r.cpu.upper))
		p.reason += cores(r.cpu.target) + " of a core"
	}
	if p.o.cpu() && p.o.memory() {
		p.said, p.reason = p.said+"; ", p.reason+" and "
	}
	if p.o.memory() {
		p.said += fmt.Sprintf("%s of memory each, %s to %s", megabytes(r.memory.target), megabytes(r.memory.lower),
			megabytes(r.memory.upper))
		p.reason += megabytes(r.memory.target) + " of memory"
	}
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
	p.due, p.resize, p.requests = p.due[:0], p.resize[:0], 0
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
		var c *container
		if p.o.memory() {
			c = &p.containers[k]
		}
		u, outside := p.compare(i, c, r)
		u.slot = k
		quick := c != nil && p.quickly(c, i, s.Now)
		switch u.place = p.o.Mode == "in-place" || p.o.Mode == "in-place-or-recreate" && !i.Refused; {
		case u.diff == 0:
		case !outside && !quick && (s.Now-i.Ready < p.o.Lifetime || u.diff < p.o.MinChange):
		case p.o.Mode == "in-place" && i.Refused:
		default:
			p.due = append(p.due, u)
		}
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
		p.change(s, u, r)
	}
	return p.resize
}

// compare holds what an instance has against a recommendation. It is outside where any resource is beyond its bounds.
func (p *verticalScaler) compare(i *policy.Instance, c *container, r recommendation) (u update, outside bool) {
	u.id = i.ID
	with := func(now int64, b bounds, unit float64) {
		u.grows = u.grows || now < b.target
		outside = outside || now < b.lower || now > b.upper
		has := max(float64(now)*unit, 1) // in thousandths; one that requests none has one
		u.diff += math.Abs(float64(float64(b.target)*unit)-has) / has
	}
	if p.o.cpu() {
		with(int64(math.Round(i.Cores()*1000)), r.cpu, 1)
	}
	if c != nil {
		with(c.request, r.memory, 1000)
	}
	return u, outside
}

// change asks for what an instance is to have. Of memory alone, a change in place is nothing that a plant has to do.
func (p *verticalScaler) change(s *policy.Snapshot, u update, r recommendation) {
	has := s.Instances[u.slot].Cores()
	share := has
	if p.o.cpu() {
		share = float64(r.cpu.target) / 1000
	}
	if u.place && p.o.memory() {
		c := &p.containers[u.slot]
		c.asked = r.memory.target
		if share == has {
			c.request = c.asked
			p.requests++
			return
		}
	}
	p.resize = append(p.resize, policy.Resize{Instance: u.id, Share: share, Recreate: !u.place, Reason: p.reason})
}

// cores prints thousandths of a core.
func cores(milli int64) string { return strconv.FormatFloat(float64(milli)/1000, 'g', -1, 64) }

// megabytes prints bytes.
func megabytes(bytes int64) string {
	return strconv.FormatFloat(float64(bytes)/1e6, 'f', -1, 64) + " MB"
}
