// Package marathon has marathon-autoscale, the program that scales applications of Marathon on Mesos, which have no
// autoscaler of their own.
//
// Each cycle it compares a mean with a range, and scales when the mean has been beyond the range, on the same side, for
// some cycles in a row. It knows a processor's utilisation, the share of memory in use, the length of a queue, and two
// combinations of the first two. Here these are the packet rate of an instance, its flows, which take up its memory,
// and the flows that are held.
package marathon

import (
	"math"
	"strconv"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/signal"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Scalers is this family's part of the table.
var Scalers = []policy.ScalerRow{{Info: policy.Info{
	Name:   "marathon",
	Rule:   "the number times a factor when a mean is above its range for some evaluations in a row, or over it below",
	Source: "mesosphere/marathon-autoscale 8949324, marathon_autoscaler.py, autoscaler/modes",
	State:  "how many evaluations in a row were above, and below",
	Sees:   policy.T0 | policy.T1 | policy.T2, Cost: "n",
	Deviates: "a packet rate stands for the processor's time, flows for memory, held flows for the messages of a " +
		"queue; the modes and, or do what their text says, while the released ones fail because they are given the " +
		"application in the wrong place; no scale-in while counters are missing; flows that are held where there is " +
		"no instance want one; the defaults are those of the source's examples, and an own choice for flows",
}, ScalerMaker: policy.MakeScaler(newMarathon)}}

// Options are those of marathon.
type Options struct {
	Mode           string `yaml:"trigger_mode" enum:"rate|flows|held|and|or" default:"rate"`
	signal.Options `yaml:",inline"`
	MinRate        float64 `yaml:"min_rate" default:"0.55" min:"0"`
	MaxRate        float64 `yaml:"max_rate" default:"0.8" min:"0"`
	MinFlows       float64 `yaml:"min_flows" default:"50" min:"0"`
	MaxFlows       float64 `yaml:"max_flows" default:"100" min:"0"`
	MinHeld        int     `yaml:"min_held" default:"3" min:"0"`
	MaxHeld        int     `yaml:"max_held" default:"10" min:"0"`
	Multiplier     float64 `yaml:"autoscale_multiplier" default:"1.5" above:"1"`
	UpFactor       int     `yaml:"scale_up_factor" default:"3" min:"1"`
	DownFactor     int     `yaml:"cool_down_factor" default:"4" min:"1"`
	Bitwise        bool    `yaml:"or_bitwise" default:"true"`
}

// Docs implements strictyaml.Documented.
func (Options) Docs() string {
	return `
trigger_mode: what is compared: rate, the mean utilisation; flows, the mean number of flows of an instance; held, the
	number of flows that are held; and, rate and flows where they agree; or, either
min_rate: the mean utilisation of the instances' limit below which there are too many
max_rate: the one above which there are too few
min_flows: the mean number of flows below which there are too many instances
max_flows: the one above which there are too few
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

func newMarathon(o Options, _ policy.Env) (policy.Scaler, error) { return &marathon{Options: o}, nil }

// Evaluate implements policy.Scaler.
func (p *marathon) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	return policy.Proposal{Desired: steps.Clamp(s, signal.Recommend(s, steps, p.recommend))}
}

func (p *marathon) recommend(s *policy.Snapshot) (int, string) {
	ready, starting := signal.Ready(s), 0
	for i := range s.Instances {
		if s.Instances[i].State == policy.Starting {
			starting++
		}
	}
	switch { // in the source, these are errors, which leave the counters as they are
	case p.Mode != "held" && ready+starting == 0:
		return s.Wanted, "there is no instance to ask"
	case p.Mode != "held" && p.Mode != "flows" && starting > 0:
		return s.Wanted, "an instance that starts has no rate yet"
	}
	d, reason := p.look(s, ready+starting)
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
func (p *marathon) look(s *policy.Snapshot, instances int) (direction, string) {
	if p.Mode == "held" {
		return beyond(float64(s.Held), float64(p.MinHeld), float64(p.MaxHeld)), strconv.Itoa(s.Held) + " flows are held"
	}
	rate := p.Utilisation(s)
	flows := 0
	for i := range s.Instances {
		if s.Instances[i].State != policy.Draining {
			flows += int(s.Instances[i].Flows)
		}
	}
	mean := float64(flows) / float64(max(1, instances))
	byRate, byFlows := beyond(rate, p.MinRate, p.MaxRate), beyond(mean, p.MinFlows, p.MaxFlows)
	said := signal.Percent(rate) + " of the limit each"
	saidFlows := strconv.FormatFloat(mean, 'f', 2, 64) + " flows each"
	switch p.Mode {
	case "flows":
		return byFlows, saidFlows
	case "and":
		return both(byRate, byFlows), said + " and " + saidFlows
	case "or":
		return either(byRate, byFlows, p.Bitwise), said + " or " + saidFlows
	}
	return byRate, said
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
