package kubernetes

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var horizontal = policy.ScalerRow{Info: policy.Info{
	Name:   "hpa",
	Rule:   "the most that any metric of a spec proposes, held back by the spec's behavior",
	Source: "Kubernetes 1.36.3, pkg/controller/podautoscaler",
	Sees:   policy.T0 | policy.T2 | policy.T3,
	State:  "the recommendations of the longest window, and the changes of the longest period of a policy",
	Cost:   "n, and the recommendations of the longest window",
	Deviates: "reconstructed: cpu is what an instance processes over its limit, unless it is to be that which an " +
		"agent on it reports; " +
		"evaluations come at exact times, and a read takes none; an instance never turns unready; the scenario's " +
		"bounds hold as well, and nothing scales to zero; numbers stop at the largest that there is, where " +
		"Kubernetes' begin anew",
}, Asleep: true, ScalerMaker: policy.MakeScaler(newHorizontal)}

// Options are those of hpa: the object, and the flags of the controller.
type Options struct {
	Spec                   Spec       `yaml:"spec" default:"{}"`
	Tolerance              float64    `yaml:"tolerance" default:"0.1" min:"0"`
	DownscaleStabilization units.Time `yaml:"downscale_stabilization" default:"300s"`
	CPUInitialization      units.Time `yaml:"cpu_initialization_period" default:"300s"`
	InitialReadinessDelay  units.Time `yaml:"initial_readiness_delay" default:"30s"`
	CPU                    string     `yaml:"cpu" enum:"processed|reported" default:"processed"`
}

// Unused implements strictyaml.Partial: cpu says nothing by default.
func (o Options) Unused(key string) bool { return key == "cpu" && o.CPU == "processed" }

// Measures implements policy.Measurer.
func (o Options) Measures() (all policy.MetricSet) {
	o.Spec.complete()
	for i := range o.Spec.Metrics {
		m := measured(&o.Spec.Metrics[i])
		if !m.cpu || o.CPU == "reported" {
			all |= policy.SetOf(m.metric)
		}
	}
	return all
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
spec: the spec of the HorizontalPodAutoscaler, as in its manifest
tolerance: relative distance from a target within which nothing changes, where the behavior has none of its own
downscale_stabilization: the window of a scale-in, where the behavior has none of its own
cpu_initialization_period: for so long after an instance was ordered, its cpu counts only once a window was measured
	after it was ready
initial_readiness_delay: an instance that turned unready within this time of its start was never ready; without effect
	here, where no instance that is ready turns unready
cpu: what the cpu of an instance is: what it processes over scheduler.limit, or the share of a core that an agent on it
	reports, as on a cluster; see vnf.cpu
`
}

// Unscaled implements scenarios.Unscaled.
func (Options) Unscaled() string { return "whole seconds and quantities in its spec" }

// scaler is an object and what the controller remembers of it.
type scaler struct {
	rule       Rule // recommend, or what stands in its place
	measures   []measure
	least      int
	most       int
	behavior   *Behavior // nil: the older path
	up, down   units.Time
	tolerances Tolerances
	delays     Delays

	begun   bool
	past    []event // recommendations, before they were stabilised
	changes changes

	pods []Pod // of the present measure
	text []byte
	said string // the reason that was given last
}

func newHorizontal(o Options, _ policy.Env) (policy.Scaler, error) {
	for _, r := range o.Spec.rules(func(string) bool { return false }) {
		if r.Wrong {
			return nil, fmt.Errorf("spec.%s: want %s", r.Keys[0], r.Want)
		}
	}
	o.Spec.complete()
	p := &scaler{
		least: o.Spec.MinReplicas, most: MostReplicas, behavior: o.Spec.Behavior,
		down: o.DownscaleStabilization, tolerances: o.Tolerances(),
		delays: Delays{Initialization: o.CPUInitialization, Readiness: o.InitialReadinessDelay},
	}
	if o.Spec.MaxReplicas > 0 {
		p.most = o.Spec.MaxReplicas
	}
	for i := range o.Spec.Metrics {
		m := measured(&o.Spec.Metrics[i])
		m.limit = m.cpu && o.CPU != "reported"
		p.measures = append(p.measures, m)
	}
	if b := p.behavior; b != nil {
		p.up = units.Time(b.ScaleUp.StabilizationWindowSeconds) * units.Second
		p.down = p.down / units.Second * units.Second // the flag's whole seconds, as Kubernetes has it
		if seconds := b.ScaleDown.StabilizationWindowSeconds; seconds >= 0 {
			p.down = units.Time(seconds) * units.Second
		}
	}
	p.rule = p.recommend
	return p, nil
}

func (p *scaler) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	current := s.Wanted
	if !p.begun {
		p.begun = true
		p.past = append(p.past, event{s.Now, current})
	}
	least := min(max(p.least, s.Min), s.Max)
	most := max(min(p.most, s.Max), least)
	n := current
	switch {
	case current == 0:
		n = steps.Take(policy.Recommended, 0, "ScalingDisabled: no instance is asked for")
		return policy.Proposal{Desired: steps.Clamp(s, n)}
	case current > most:
		n = steps.Take(policy.Recommended, most, "more than the greatest number")
	case current < least:
		n = steps.Take(policy.Recommended, least, "fewer than the least number")
	default:
		if desired, ok := p.rule(s, current, steps); ok {
			n = p.normalize(s.Now, current, desired, least, most, steps)
		}
	}
	if p.behavior != nil {
		p.changes.add(p.behavior, s.Now, current, n)
	}
	return policy.Proposal{Desired: n}
}

// normalize runs a recommendation through the stages behind it.
func (p *scaler) normalize(now units.Time, current, desired, least, most int, steps *policy.Steps) int {
	var n int
	var reason string
	if p.behavior == nil {
		n, reason = stabilizeDown(p.past, now, p.down, desired)
	} else {
		n, reason = stabilize(p.past, now, p.up, p.down, current, desired)
	}
	p.past = append(since(p.past, now, max(p.up, p.down)), event{now, desired})
	steps.Take(policy.Stabilised, n, reason)
	if p.behavior == nil {
		n, reason = limitUp(current, n, least, most)
	} else {
		n, reason = p.changes.limit(p.behavior, now, current, n, least, most)
	}
	kind := policy.Clamped
	if reason == scaleUpLimit || reason == scaleDownLimit {
		kind = policy.RateLimited
	}
	return steps.Take(kind, n, reason)
}

// recommend takes the most that any metric proposes. ok is false where none says anything, or where one says nothing
// and the others would have fewer.
func (p *scaler) recommend(s *policy.Snapshot, current int, steps *policy.Steps) (desired int, ok bool) {
	invalid := -1
	p.text = append(p.text[:0], "ValidMetricFound: "...)
	for i := range p.measures {
		m := &p.measures[i]
		n, found, err := p.propose(m, s, current)
		if err != nil {
			if invalid < 0 {
				invalid = i
			}
			continue
		}
		if ok {
			p.text = append(p.text, "; "...)
		}
		p.text = m.say(p.text, found, n)
		if desired == 0 || n > desired {
			desired = n
		}
		ok = true
	}
	if invalid >= 0 && (!ok || desired < current) {
		desired, ok = current, false
		p.text = append(append(p.text[:0], p.measures[invalid].failed...), ": nothing that counts was measured"...)
	}
	if string(p.text) != p.said {
		p.said = string(p.text)
	}
	return steps.Take(policy.Recommended, desired, p.said), ok
}

// measure is a metric of the object as the calculator takes it.
type measure struct {
	rule   rule
	cpu    bool
	limit  bool          // cpu is what is processed over the limit
	metric policy.Metric // where that is not so
	target int64         // in percent with the rule utilization, in thousandths otherwise
	name   string
	failed string // the condition where nothing is known of it
}

// rule is which of the calculator's functions a target takes.
type rule uint8

const (
	utilization rule = iota
	average
	value
	averageValue
)

// measured is what a metric says, whose spec keeps its rules.
func measured(m *Metric) (x measure) {
	for _, src := range m.sources() {
		t := src.target
		if t == nil {
			continue
		}
		x = measure{name: m.Type + " " + src.name, cpu: src.name == "cpu", metric: policy.Metrics[src.name],
			failed: "FailedGet" + m.Type + "Metric"}
		switch {
		case t.Type == "Utilization":
			x.rule, x.target = utilization, int64(t.AverageUtilization)
		case t.Type == "Value":
			x.rule, x.target = value, t.Value.Milli()
		case m.Type == "Object" || m.Type == "External":
			x.rule, x.target = averageValue, t.AverageValue.Milli()
		default:
			x.rule, x.target = average, t.AverageValue.Milli()
		}
	}
	return x
}

// propose is what the calculator makes of a metric, and what it found.
func (p *scaler) propose(m *measure, s *policy.Snapshot, current int) (n int, found int64, err error) {
	switch m.rule {
	case utilization:
		return Utilization(current, m.target, p.tolerances, p.look(m, s))
	case average:
		return Average(current, m.target, p.tolerances, p.look(m, s))
	}
	if !m.known(s) {
		return 0, 0, ErrNoMetrics
	}
	found = milli(s.Load(m.metric), math.MaxInt64)
	if m.rule == averageValue {
		n, found = AverageValue(s.Current, m.target, found, p.tolerances)
		return n, found, nil
	}
	ready := 0
	for i := range s.Instances {
		if s.Instances[i].State != policy.Starting { // one that drains runs, and is ready, to the end
			ready++
		}
	}
	n, err = Value(current, len(s.Instances), ready, m.target, found, p.tolerances)
	return n, found, err
}

// of is the metric of an instance in the unit in which it is asked for: that of policy.Metric, but of a delay
// microseconds, as a Quantity counts thousandths.
func (m *measure) of(i *policy.Instance) float64 {
	if policy.Delays.Has(m.metric) {
		return 1e6 * m.metric.Of(i)
	}
	return m.metric.Of(i)
}

// known reports whether the metric was measured at all.
func (m *measure) known(s *policy.Snapshot) bool {
	if m.metric.Class() == policy.T2 {
		return s.Measured
	}
	return slices.ContainsFunc(s.Instances, func(i policy.Instance) bool { return i.Usage.Known })
}

// look is the pods as a metric has them.
func (p *scaler) look(m *measure, s *policy.Snapshot) []Pod {
	p.pods = p.pods[:0]
	for k := range s.Instances {
		i := &s.Instances[k]
		t := Status{
			Gone: i.State == policy.Draining, Pending: i.State == policy.Starting,
			Measured: i.Rate.Known && !i.Rate.Stale,
			Started:  i.Created, Condition: True, Since: i.Ready, Sampled: i.Rate.Sampled, Window: s.Window,
		}
		if !m.limit && m.metric.Class() == policy.T3 {
			t.Measured, t.Sampled, t.Window = m.metric.Fresh(i), i.Usage.Sampled, s.Period
		}
		pod := Pod{Class: t.Class(s.Now, m.cpu, p.delays), Request: core}
		if m.limit {
			pod.Usage = milli(i.Rate.Tx/s.Limit, math.MaxInt32)
		} else {
			pod.Usage = milli(m.of(i), math.MaxInt64)
		}
		p.pods = append(p.pods, pod)
	}
	return p.pods
}

// core is the request of a pod in thousandths: one core, which stands for the limit of an instance.
const core = 1000

// milli is a number of 0 or more in thousandths, rounded, and at most a number.
func milli(x float64, most int64) int64 {
	if x = math.Round(x * 1000); x < float64(most) {
		return int64(x)
	}
	return most
}

// say appends what was found of a metric, its target, and the number that it proposes.
func (m *measure) say(b []byte, found int64, n int) []byte {
	b = append(b, m.name...)
	b = m.quantity(append(b, " at "...), found)
	b = m.quantity(append(b, " of "...), m.target)
	if m.rule == average || m.rule == averageValue {
		b = append(b, " each"...)
	}
	return strconv.AppendInt(append(b, " wants "...), int64(n), 10)
}

func (m *measure) quantity(b []byte, x int64) []byte {
	switch {
	case m.rule == utilization:
		return append(strconv.AppendInt(b, x, 10), " %"...)
	case m.metric <= policy.Processed && !m.cpu:
		return append(strconv.AppendFloat(b, float64(x)/1e9, 'g', 6, 64), " Mpps"...)
	}
	return strconv.AppendFloat(b, float64(x)/1e3, 'g', 6, 64)
}
