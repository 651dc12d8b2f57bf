package scenarios

import (
	"fmt"
	"reflect"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Microbursts is a load with short bursts.
type Microbursts struct {
	Rate       units.PPS   `yaml:"rate" required:"true"`
	Base       units.PPS   `yaml:"base" default:"0pps"`
	Length     units.Time  `yaml:"length" default:"100us" above:"0" max:"1h"`
	Period     units.Time  `yaml:"period" default:"10ms" above:"0" max:"2400h"`
	Start      units.Time  `yaml:"start" default:"0s" min:"0"`
	Flows      int         `yaml:"flows" default:"1" min:"1" max:"10000000"`
	Lifetime   units.Time  `yaml:"lifetime" default:"0s"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
}

// Docs implements strictyaml.Documented.
func (Microbursts) Docs() string {
	return `
rate: packet rate of a burst, of all flows together, on top of base
base: packet rate between bursts and below them, of all flows together
length: of a burst
period: from the beginning of a burst to that of the next
start: of the first burst
flows: equal flows that carry base and bursts at once
lifetime: how long a flow lasts before another takes its place; 0s for as long as the load
packet_size: frame size
`
}

// Churn is a constant load of flows that come and go.
type Churn struct {
	Rate       units.PPS   `yaml:"rate" required:"true"`
	Flows      int         `yaml:"flows" required:"true" min:"1" max:"10000000"`
	NewFlows   float64     `yaml:"new_flows" required:"true" above:"0" max:"1e12"`
	Lifetimes  string      `yaml:"lifetimes" enum:"equal|exponential" default:"equal"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
}

// Docs implements strictyaml.Documented.
func (Churn) Docs() string {
	return `
rate: packet rate of all flows together, whatever new_flows is
flows: how many there are at once: as one ends, another begins
new_flows: how many begin in a second, in the mean: each lasts flows / new_flows and has rate / new_flows packets
lifetimes: equal; exponential, the packets of a flow being geometric
packet_size: frame size
`
}

// SYNFlood is flows of one packet each.
type SYNFlood struct {
	Rate       units.PPS   `yaml:"rate" required:"true"`
	Start      units.Time  `yaml:"start" default:"0s" min:"0"`
	End        units.Time  `yaml:"end" default:"0s" min:"0"`
	Arrivals   string      `yaml:"arrivals" enum:"constant|poisson" default:"poisson"`
	Timeout    units.Time  `yaml:"timeout" default:"10s" above:"0" max:"2400h"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
}

// Docs implements strictyaml.Documented.
func (SYNFlood) Docs() string {
	return `
rate: packets a second, each the first and the last of a new TCP flow from a source of its own, drawn at random
start: when it begins
end: no packet from then on; 0 for the end of the run
arrivals: how they come: constant, evenly spaced; poisson
timeout: how long after its packet a flow has ended and the switch forgets its rule, as an idle time-out
packet_size: frame size
`
}

// pattern reports whether the source is one of this file.
func (s *Source) pattern() bool { return s.Microbursts != nil || s.Churn != nil || s.SYNFlood != nil }

// patternRules are those of the sources of this file; none of others.
func (s *Source) patternRules(in *Scenario) (all rules) {
	switch {
	case s.Microbursts != nil:
		m := s.Microbursts
		bursts := int64(in.Duration / max(1, m.Period))
		all.below("microbursts", append(shapeRules(in, "rate", m.Rate, units.Never, m.Lifetime, m.Flows),
			rule("length period", m.Length > m.Period, "at most period, "+m.Period.String()),
			rule("period", bursts > maxPhases, fmt.Sprintf("a longer one: %d in %v, of which at most %d are made",
				bursts, in.Duration, maxPhases))))
	case s.Churn != nil:
		c := s.Churn
		flows := float64(c.NewFlows*in.Duration.Seconds()) + float64(c.Flows)
		all.below("churn", []strictyaml.Rule{
			rule("rate", c.Rate == 0, "a rate above 0"),
			rule("new_flows rate", c.Rate > 0 && c.NewFlows > float64(c.Rate),
				fmt.Sprintf("at most rate, %v: a flow has a packet at least", c.Rate)),
			rule("new_flows flows", flows > maxPhases, fmt.Sprintf("fewer: some %.0f flows in %v, of which at most "+
				"%d are made", flows, in.Duration, maxPhases)),
			atOnce(in.Engine, c.Flows),
		})
	case s.SYNFlood != nil:
		f := s.SYNFlood
		flows := float64(f.Rate) * (in.floodEnd(f) - f.Start).Seconds()
		all.below("syn_flood", []strictyaml.Rule{
			rule("rate", f.Rate == 0, "a rate above 0"),
			rule("end start", f.End != 0 && f.End <= f.Start, "a time after start, "+f.Start.String()),
			rule("rate", flows > maxPhases, fmt.Sprintf("a lower one: some %.0f flows, of which at most %d are made",
				flows, maxPhases)),
		})
	}
	return all
}

// floodEnd is when a flood ends.
func (s *Scenario) floodEnd(f *SYNFlood) units.Time {
	if f.End == 0 || s.Duration > 0 && s.Duration < f.End {
		return s.Duration
	}
	return f.End
}

// patterned is how the traffic of a source of this file is made, given the addresses' offset.
func (s *Scenario) patterned(src *Source, i int) (traffic func(offset int) (*traces.Workload, error), err error) {
	key := fmt.Sprintf("workload.%d.", i)
	switch {
	case src.Microbursts != nil:
		m := src.Microbursts
		if s.Duration == 0 {
			return nil, s.endless("microbursts")
		}
		if top := float64(m.Base + m.Rate); top > traces.MostRate {
			return nil, s.tooFast(key+"microbursts", units.PPS(top))
		}
		return func(offset int) (*traces.Workload, error) {
			return traces.Microbursts{Base: float64(m.Base), Rate: float64(m.Rate), Length: m.Length, Period: m.Period,
				Start: m.Start}.Traffic(traces.ShapeOptions{End: s.Duration, Flows: m.Flows, Lifetime: m.Lifetime,
				Size: src.frame(m.PacketSize), Offset: offset})
		}, nil
	case src.Churn != nil:
		c := src.Churn
		if s.Duration == 0 {
			return nil, s.endless("churn")
		}
		each := float64(c.Rate) / float64(c.Flows)
		if _, err = s.period(each, key+"churn.rate", fmt.Sprintf("%v, for each of %d flows %v", c.Rate, c.Flows,
			units.PPS(each))); err != nil {
			return nil, err
		}
		if c.NewFlows > float64(c.Rate) { // by a scale
			return nil, &Error{File: s.Name, Key: key + "churn.new_flows", Found: fmt.Sprint(c.NewFlows),
				Expected: fmt.Sprintf("at most rate, %v: a flow has a packet at least", c.Rate)}
		}
		return func(offset int) (*traces.Workload, error) {
			return traces.Churn(traces.ChurnOptions{Rate: float64(c.Rate), Flows: c.Flows, NewFlows: c.NewFlows,
				Exponential: c.Lifetimes == "exponential", End: s.Duration, Size: src.frame(c.PacketSize),
				Offset: offset, Seed: s.streamSeed(i)})
		}, nil
	}
	f := src.SYNFlood
	end := s.floodEnd(f)
	if end == 0 {
		return nil, s.endless("syn_flood")
	}
	if _, err = s.period(float64(f.Rate), key+"syn_flood.rate", f.Rate.String()); err != nil {
		return nil, err
	}
	return func(int) (*traces.Workload, error) {
		return traces.Flood(traces.FloodOptions{Rate: float64(f.Rate), Process: f.Arrivals, Start: f.Start, End: end,
			Timeout: f.Timeout, Size: src.frame(f.PacketSize), Seed: s.streamSeed(i)})
	}, nil
}

// tooFast is the error of a source that sends more than can be.
func (s *Scenario) tooFast(key string, top units.PPS) error {
	return &Error{File: s.Name, Key: key, Found: top.String(),
		Expected: fmt.Sprintf("at most %v, a packet a picosecond", units.PPS(traces.MostRate))}
}

// patterns scales a source of this file.
func (k factors) patterns(from, to *Source) {
	switch {
	case from.Microbursts != nil:
		m := *from.Microbursts
		k.apply(reflect.ValueOf(&m).Elem())
		to.Microbursts = &m
	case from.Churn != nil:
		c := *from.Churn
		k.apply(reflect.ValueOf(&c).Elem())
		c.NewFlows /= k.t // as many flows, which last longer
		to.Churn = &c
	default:
		f := *from.SYNFlood
		k.apply(reflect.ValueOf(&f).Elem())
		to.SYNFlood = &f
	}
}
