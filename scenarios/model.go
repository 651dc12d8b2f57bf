package scenarios

import (
	"cmp"
	"fmt"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Model is a flow model: what flows carry, and when they begin.
type Model struct {
	Name       string      `yaml:"name" enum:"agh-2015|sizes|trex" required:"true"`
	File       string      `yaml:"file"`
	Protocol   string      `yaml:"protocol" enum:"all|tcp|udp" default:"all"`
	Feature    string      `yaml:"feature" enum:"length|size" default:"length"`
	Sampling   string      `yaml:"sampling" enum:"histogram|mixture" default:"histogram"`
	PacketSize units.Bytes `yaml:"packet_size" default:"1500B" min:"64B" max:"65535B"`
	FlowRate   units.PPS   `yaml:"flow_rate" default:"0pps"`
	Resolution units.Time  `yaml:"resolution" default:"100ms" above:"0" max:"1h"`
	Arrivals   string      `yaml:"arrivals" enum:"poisson|constant|on-off|series" default:"poisson"`
	Rate       float64     `yaml:"rate" default:"0" min:"0" max:"1e12"`
	Multiplier float64     `yaml:"multiplier" default:"1" above:"0"`
	On         units.Time  `yaml:"on_time" default:"1s" above:"0" max:"2400h"`
	Off        units.Time  `yaml:"off_time" default:"1s" above:"0" max:"2400h"`
	Series     string      `yaml:"series"`
	Column     string      `yaml:"column"`
	Time       string      `yaml:"time"`
	Step       units.Time  `yaml:"step" default:"1s" above:"0" max:"2400h"`
	Scale      float64     `yaml:"scale" default:"1" above:"0"`
	Until      units.Time  `yaml:"until" default:"0s" min:"0" max:"2400h"`
}

// Docs implements strictyaml.Documented.
func (Model) Docs() string {
	return `
name: agh-2015: the campus network of AGH Kraków; sizes: a distribution of flow sizes in a file, as of a data centre;
	trex: the traffic mix of a TRex profile
file: sizes: lines of bytes and percent of flows that are not larger; trex: the profile, in YAML; a path relative to the
	scenario's file
protocol: agh-2015: which flows
feature: agh-2015: what is drawn, length in packets or size in bytes; the other follows from it
sampling: agh-2015: histogram, the measured distribution; mixture, the fitted one
packet_size: sizes: frame size of all packets of a flow but the last
flow_rate: packets a second of each flow of agh-2015 and sizes; 0 draws its duration, log-normal by its packets as in an
	office network
resolution: trex: span over which a flow's packets are averaged to a rate
arrivals: when flows begin, or with trex sessions: poisson; constant, evenly spaced; on-off, Poisson in exponential
	phases between which there are none; series, from a file
rate: new flows a second in the mean; with trex, 0 takes the sum of the profile
multiplier: trex: times the rate of the profile
on_time: on-off: mean length of a phase with new flows
off_time: on-off: mean length of a phase without
series: series: a CSV file, its path relative to the scenario's file
column: series: name of the column with the new flows in a second
time: series: name of the column with the time; without it, rows are step apart
step: series: time between rows
scale: series: new flows a second for one unit of the column
until: no flow begins from then on; 0 for the run's duration
`
}

// rules are the relations of a model's keys in a run of a duration.
func (m *Model) rules(duration units.Time) []strictyaml.Rule {
	until := cmp.Or(m.Until, duration)
	agh, sizes, trex := m.Name == "agh-2015", m.Name == "sizes", m.Name == "trex"
	onOff, series := m.Arrivals == "on-off", m.Arrivals == "series"
	const (
		inAGH    = "name: agh-2015 with this key"
		inSizes  = "name: sizes with this key"
		inTrex   = "name: trex with this key"
		inOnOff  = "arrivals: on-off with this key"
		inSeries = "arrivals: series with this key"
	)
	return []strictyaml.Rule{
		rule("file name", agh && m.File != "", "name: sizes or name: trex with this key"),
		rule("file name", !agh && m.File == "", "a path, for name: "+m.Name),
		rule("protocol name", !agh && m.Protocol != "all", inAGH),
		rule("feature name", !agh && m.Feature != "length", inAGH),
		rule("sampling name", !agh && m.Sampling != "histogram", inAGH),
		rule("packet_size name", !sizes && m.PacketSize != 1500, inSizes),
		rule("flow_rate name", trex && m.FlowRate != 0, "name: agh-2015 or name: sizes with this key"),
		rule("resolution name", !trex && m.Resolution != 100*units.Millisecond, inTrex),
		rule("multiplier name", !trex && m.Multiplier != 1, inTrex),
		rule("rate name arrivals", !trex && !series && m.Rate == 0, "a number above 0 of new flows a second"),
		rule("rate arrivals", m.Arrivals == "constant" && m.Rate > 0 && m.Rate < traces.LeastRate,
			fmt.Sprintf("at least %g with arrivals: constant", traces.LeastRate)),
		rule("rate arrivals", series && m.Rate != 0, "no rate, since arrivals: series has its own"),
		rule("rate multiplier", trex && m.Rate != 0 && m.Multiplier != 1, "rate or multiplier, not both"),
		rule("multiplier arrivals", series && m.Multiplier != 1,
			"no multiplier, since arrivals: series has its own rate; see scale"),
		rule("on_time arrivals", !onOff && m.On != units.Second, inOnOff),
		rule("off_time arrivals", !onOff && m.Off != units.Second, inOnOff),
		rule("on_time off_time arrivals", onOff && m.On > 0 && m.Off > 0 && until/(m.On+m.Off) > maxPhases,
			fmt.Sprintf("longer phases: %d in %v, of which at most %d are made",
				until/max(1, m.On+m.Off), until, maxPhases)),
		rule("series arrivals", series && m.Series == "", "a path, for arrivals: series"),
		rule("column arrivals", series && m.Column == "", "a column's name, for arrivals: series"),
		rule("series arrivals", !series && m.Series != "", inSeries),
		rule("column arrivals", !series && m.Column != "", inSeries),
		rule("time arrivals", !series && m.Time != "", inSeries),
		rule("step arrivals", !series && m.Step != units.Second, inSeries),
		rule("scale arrivals", !series && m.Scale != 1, inSeries),
	}
}

// modelTraffic makes the traffic of a model, and returns for how many synthetic flows it has taken addresses.
func (s *Scenario) modelTraffic(m *Model, source, offset int) (*traces.Workload, int, error) {
	sessions, o, err := s.sessions(m, source, offset)
	if err != nil {
		return nil, 0, err
	}
	w, err := traces.Generate(sessions, o)
	if _, synthetic := sessions.(traces.Paced); err != nil || !synthetic {
		return w, 0, err
	}
	return w, len(w.Flows), nil
}

// sessions is the model that m names, with its arrivals.
func (s *Scenario) sessions(m *Model, source, offset int) (
	sessions traces.Sessions, o traces.GenerateOptions, err error,
) {
	o = traces.GenerateOptions{Until: cmp.Or(m.Until, s.Duration), Seed: s.streamSeed(source), Context: s.ctx}
	if o.Until == 0 && m.Arrivals != "series" {
		return nil, o, s.endless("model")
	}
	o.Arrivals = traces.Arrivals{Process: m.Arrivals, Rate: m.Rate, On: m.On, Off: m.Off}
	if m.Arrivals == "series" {
		o.Arrivals.Series = s.Path(m.Series)
		o.Arrivals.Load = traces.LoadOptions{
			Column: m.Column, Time: m.Time, Step: m.Step, Scale: m.Scale, Context: s.ctx}
	}
	var holdings traces.Holdings
	switch m.Name {
	case "trex":
		var mix *traces.Mix
		if mix, err = traces.ReadMix(s.Path(m.File), m.Resolution); err == nil && m.Rate == 0 {
			o.Arrivals.Rate = mix.Rate * m.Multiplier
		}
		sessions = mix
	case "sizes":
		holdings, err = traces.ReadSizes(s.Path(m.File), int64(m.PacketSize))
	default:
		holdings, err = traces.NewAGH(traces.AGHOptions{Protocol: m.Protocol, Feature: m.Feature, Sampling: m.Sampling})
	}
	if sessions == nil {
		sessions = traces.Paced{Holdings: holdings, Rate: float64(m.FlowRate), Offset: offset}
	}
	return sessions, o, err
}
