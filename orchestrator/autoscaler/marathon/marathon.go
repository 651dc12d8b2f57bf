// Package marathon has marathon-autoscale, the program that scales applications of Marathon on Mesos, which have no
// autoscaler of their own.
//
// Each cycle it compares a mean with a range, and scales when the mean has been beyond the range, on the same side, for
// some cycles in a row. It knows a processor's utilisation, the share of memory in use, the length of a queue, and two
// combinations of the first two. These can be had from agents. Otherwise the packet rate of an instance stands for the
// processor, and its flows for memory. The flows that are held stand for the queue.
package marathon

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
	Name:   "marathon",
	Rule:   "the number times a factor when a mean is above its range for some evaluations in a row, or over it below",
	Source: "mesosphere/marathon-autoscale 8949324, marathon_autoscaler.py, autoscaler/modes",
	State:  "how many evaluations in a row were above, and below",
	Sees:   policy.T0 | policy.T1 | policy.T2 | policy.T3, Cost: "n",
	Deviates: "unless agents are asked, a packet rate stands for the processor's time and flows for memory; held " +
		"flows stand for the messages of a queue; the modes and, or do what their text says, while the released ones " +
		"fail because they are given the " +
		"application in the wrong place; no scale-in while counters are missing; flows that are held where there is " +
		"no instance want one; the defaults are those of the source's examples, and an own choice for flows",
}, ScalerMaker: policy.MakeScaler(newMarathon)}}

// Options are those of marathon.
type Options struct {
	Mode        string      `yaml:"trigger_mode" enum:"rate|flows|mem|held|and|or" default:"rate"`
	Metric      string      `yaml:"metric" enum:"offered|processed|cpu" default:"offered"`
	MinRate     float64     `yaml:"min_rate" default:"0.55" min:"0"`
	MaxRate     float64     `yaml:"max_rate" default:"0.8" min:"0"`
	MinFlows    float64     `yaml:"min_flows" default:"50" min:"0"`
	MaxFlows    float64     `yaml:"max_flows" default:"100" min:"0"`
	MemoryLimit units.Bytes `yaml:"memory_limit" default:"0B"`
	MinMemory   float64     `yaml:"min_memory" default:"0.45" min:"0"`
	MaxMemory   float64     `yaml:"max_memory" default:"0.8" min:"0"`
	MinHeld     int         `yaml:"min_held" default:"3" min:"0"`
	MaxHeld     int         `yaml:"max_held" default:"10" min:"0"`
	Multiplier  float64     `yaml:"autoscale_multiplier" default:"1.5" above:"1"`
	UpFactor    int         `yaml:"scale_up_factor" default:"3" min:"1"`
	DownFactor  int         `yaml:"cool_down_factor" default:"4" min:"1"`
	Bitwise     bool        `yaml:"or_bitwise" default:"true"`
}

// read is what is read of the instances: what the mode rate goes by, or the memory.
func (o Options) read() signal.Metered {
	if o.Mode == "mem" {
		return signal.Metered{Metric: "memory", Full: float64(o.MemoryLimit)}
	}
	return signal.Metered{Metric: o.Metric}
}

// two reports whether the mode is a combination of two means.
func (o Options) two() bool { return o.Mode == "and" || o.Mode == "or" }

// byRate, byFlows and byMemory report which means the mode goes by.
func (o Options) byRate() bool   { return o.Mode == "rate" || o.two() }
func (o Options) byFlows() bool  { return o.Mode == "flows" || o.two() && o.Metric != "cpu" }
func (o Options) byMemory() bool { return o.Mode == "mem" || o.two() && o.Metric == "cpu" }

// Unused implements strictyaml.Partial: a mode that does not go by memory does not say how much there is.
func (o Options) Unused(key string) bool {
	return !o.byMemory() && (key == "memory_limit" || key == "min_memory" || key == "max_memory")
}

// Measures implements policy.Measurer.
func (o Options) Measures() (all policy.MetricSet) {
	if o.byRate() {
		all = o.read().Measures()
	}
	if o.byMemory() {
		all |= policy.SetOf(policy.Memory)
	}
	return all
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
trigger_mode: what is compared: rate, the mean utilisation; flows, the mean number of flows of an instance; mem, the
	mean share of memory that the agents report; held, the number of flows that are held; and, rate and flows where
	they agree, or with metric: cpu, rate and mem, as the source has it; or, either of the two
metric: what rate goes by: the packets offered to the instances, or processed by them, as a share of scheduler.limit;
	or the use of the processor that their agents report, as in the source
min_rate: the mean utilisation below which there are too many
max_rate: the one above which there are too few
min_flows: the mean number of flows below which there are too many instances
max_flows: the one above which there are too few
memory_limit: with mem, the memory that an instance may use
min_memory: the mean share of it below which there are too many
max_memory: the one above which there are too few
min_held: the number of held flows below which there are too many instances
max_held: the one above which there are too few
autoscale_multiplier: by how much the number is multiplied, rounded up, or divided, rounded down
scale_up_factor: evaluations in a row with too few instances, of which the last scales out
cool_down_factor: evaluations in a row with too many, of which the last scales in
or_bitwise: with or, what is done where one says too few and the other too many. true: scale in, as in the source, which
	takes the bitwise or of 1 and -1; false: scale out
`
}

// direction is 1 for too few instances, -1 for too many, 0 for neither.
type direction int

type marathon struct {
	Options
	ups, downs int // in a row
}

func newMarathon(o Options, _ policy.Env) (policy.Scaler, error) {
	if o.byMemory() && o.MemoryLimit == 0 {
		return nil, fmt.Errorf("memory_limit: 0B: want the memory that an instance may use, above 0B, with "+
			"trigger_mode: %s", o.Mode)
	}
	return &marathon{Options: o}, nil
}

// Evaluate implements policy.Scaler.
func (p *marathon) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	return policy.Proposal{Desired: steps.Clamp(s, p.read().Recommend(s, steps, p.recommend))}
}

func (p *marathon) recommend(s *policy.Snapshot, r signal.Reading) (int, string) {
	ready, starting := signal.Ready(s), 0
	for i := range s.Instances {
		if s.Instances[i].State == policy.Starting {
			starting++
		}
	}
	switch unread := r.Missing + r.Unread; { // in the source, these are errors, which leave the counters as they are
	case p.Mode != "held" && ready+starting == 0:
		return s.Wanted, "there is no instance to ask"
	case p.byRate() && starting > 0:
		return s.Wanted, "an instance that starts has no rate yet"
	case p.byRate() && p.read().Reported() && unread > 0:
		return s.Wanted, "instances whose processors were not reported: " + strconv.Itoa(unread)
	case p.Mode == "mem" && r.Unread > 0:
		return s.Wanted, "instances that have not reported yet: " + strconv.Itoa(r.Unread)
	}
	d, reason := p.look(s, r, ready+starting)
	switch d {
	case 1:
		p.ups, p.downs = p.ups+1, 0
		reason += ": too few, " + strconv.Itoa(p.ups) + " of " + strconv.Itoa(p.UpFactor) + " in a row"
		if p.ups >= p.UpFactor {
			p.ups = 0
			return signal.Whole(math.Ceil(float64(s.Wanted) * p.Multiplier)), reason
		}
	case -1:
		p.ups, p.downs = 0, p.downs+1
		reason += ": too many, " + strconv.Itoa(p.downs) + " of " + strconv.Itoa(p.DownFactor) + " in a row"
		if p.downs >= p.DownFactor {
			p.downs = 0
			return signal.Whole(math.Floor(float64(s.Wanted) / p.Multiplier)), reason
		}
	default:
		p.ups, p.downs = 0, 0
		reason += ": within the range"
	}
	return s.Wanted, reason
}

// look compares what the mode says.
func (p *marathon) look(s *policy.Snapshot, r signal.Reading, instances int) (direction, string) {
	var by [2]direction
	var said [2]string
	n := 0
	compare := func(value, least, most float64, text string) {
		by[n], said[n] = beyond(value, least, most), text
		n++
	}
	if p.byRate() {
		compare(r.Utilisation, p.MinRate, p.MaxRate, p.read().Each(r.Utilisation))
	}
	if p.byFlows() {
		mean := each(s, instances, func(i *policy.Instance) float64 { return float64(i.Flows) })
		compare(mean, p.MinFlows, p.MaxFlows, strconv.FormatFloat(mean, 'f', 2, 64)+" flows each")
	}
	if p.byMemory() {
		mean := each(s, instances, memory) / float64(p.MemoryLimit)
		compare(mean, p.MinMemory, p.MaxMemory, signal.Percent(mean)+" of the memory each")
	}
	if p.Mode == "held" {
		compare(float64(s.Held), float64(p.MinHeld), float64(p.MaxHeld), strconv.Itoa(s.Held)+" flows are held")
	}
	switch p.Mode {
	case "and":
		return both(by[0], by[1]), said[0] + " and " + said[1]
	case "or":
		return either(by[0], by[1], p.Bitwise), said[0] + " or " + said[1]
	}
	return by[0], said[0]
}

// each is the mean over the instances that start or are ready.
func each(s *policy.Snapshot, instances int, of func(*policy.Instance) float64) float64 {
	sum := 0.0
	for k := range s.Instances {
		if i := &s.Instances[k]; i.State != policy.Draining {
			sum += of(i)
		}
	}
	return sum / float64(max(1, instances))
}

// memory is what an instance uses. One that an agent does not report uses none, as in modes/scalemem.py.
func memory(i *policy.Instance) float64 {
	if policy.Memory.Fresh(i) {
		return i.Usage.Memory
	}
	return 0
}

func beyond(value, least, most float64) direction {
	switch {
	case numeric.Exceeds(value, most):
		return 1
	case numeric.Exceeds(least, value):
		return -1
	}
	return 0
}

// both is a direction in which two agree.
func both(a, b direction) direction {
	if a == b {
		return a
	}
	return 0
}

// either is the direction of any of two. Of opposite ones, the bitwise or is the one down.
func either(a, b direction, bitwise bool) direction {
	if !bitwise && a*b < 0 {
		return 1
	}
	return a | b
}
