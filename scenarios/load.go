package scenarios

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Services are load curves of many services.
type Services struct {
	File       string      `yaml:"file" required:"true"`
	Group      []string    `yaml:"group"`
	Column     string      `yaml:"column"`
	Time       string      `yaml:"time"`
	TimeUnit   string      `yaml:"time_unit" enum:"s|ms" default:"s"`
	Where      string      `yaml:"where"`
	Step       units.Time  `yaml:"step" default:"60s" min:"1ms" max:"2400h"`
	Most       int         `yaml:"most" default:"0" min:"0"`
	Scale      float64     `yaml:"scale" default:"1" above:"0"`
	Speedup    float64     `yaml:"speedup" default:"1" above:"0"`
	Flows      int         `yaml:"flows" default:"1" min:"1" max:"10000000"`
	Lifetime   units.Time  `yaml:"lifetime" default:"0s"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
	From       units.Time  `yaml:"from" default:"0s" min:"0"`
	To         units.Time  `yaml:"to" default:"0s" min:"0"`
}

// Docs implements strictyaml.Documented.
func (Services) Docs() string {
	return `
file: path, relative to the scenario's file
group: names of the columns whose values together name the service; without it, those that name a function of Azure
	Functions
column: name of the column with the load, or #rows for a file with a row for each event; without it, the file is one of
	Azure Functions, which its column names show
time: name of the column with the time; rows may be in any order
time_unit: of times that are numbers
where: COLUMN=VALUE: rows with another value are left out
step: interval of the recording: rows of a service in the same step add up, and a step without a row is silence. A file
	of 2019 has its own, a minute
most: so many services, those with the most load; 0 for all
scale: packets a second for one unit of the column; with events, packets for each
speedup: divides all times
flows: equal flows that carry the load of each service at once
lifetime: how long a flow lasts before another takes its place, so that instances that come later get some; 0s for as
	long as the load
packet_size: frame size
from: cut: leave out what is earlier
to: cut: leave out what is not earlier than this; 0 for the end
`
}

func (v *Services) rules(engine string) []strictyaml.Rule {
	own := v.Column != ""
	column, _, pair := strings.Cut(v.Where, "=")
	return []strictyaml.Rule{
		rule("file", v.File == "", "a path"),
		rule("group column", own && len(v.Group) == 0, "at least one column's name, with column"),
		rule("time column", own && v.Time == "", "a column's name, with column"),
		rule("time column", !own && v.Time != "", "column with this key: a file of Azure Functions has its own"),
		rule("where", v.Where != "" && (!pair || column == ""), "a text such as metric=providerRPC_MCR"),
		atOnce(engine, v.Flows),
		rule("to from", v.To != 0 && v.To <= v.From, "a time after from, "+v.From.String()),
	}
}

// services reads the curves of a source.
func (s *Scenario) services(src *Source, offset int) (*traces.Workload, int, error) {
	v := src.Services
	w, err := traces.ReadServices(s.Path(v.File), traces.ServicesOptions{
		LoadOptions: traces.LoadOptions{
			Column: v.Column, Time: v.Time, Step: v.Step, Scale: v.Scale, Speedup: v.Speedup, Flows: v.Flows,
			Lifetime: v.Lifetime, Size: src.frame(v.PacketSize), From: v.From, To: v.To, Offset: offset,
			Context: s.ctx},
		Group: v.Group, Milliseconds: v.TimeUnit == "ms", Where: v.Where, Most: v.Most})
	if err != nil {
		return nil, 0, err
	}
	return w, len(w.Flows), nil
}

// Diurnal is a load that rises and falls as a cosine, as that of a day.
type Diurnal struct {
	Mean       units.PPS   `yaml:"mean" required:"true"`
	Amplitude  float64     `yaml:"amplitude" default:"0.5" min:"0" max:"1"`
	Period     units.Time  `yaml:"period" default:"24h" above:"0"`
	Peak       units.Time  `yaml:"peak" default:"0s"`
	Step       units.Time  `yaml:"step" default:"1s" min:"1ms"`
	Flows      int         `yaml:"flows" default:"1" min:"1" max:"10000000"`
	Lifetime   units.Time  `yaml:"lifetime" default:"0s"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
}

// Docs implements strictyaml.Documented.
func (Diurnal) Docs() string {
	return `
mean: packet rate of all flows together, in the mean of a period
amplitude: how far it rises above the mean and falls below, as a share of it
period: from peak to peak
peak: when a peak is
step: the rate in the middle of a step holds in all of it
flows: equal flows that carry the load at once
lifetime: how long a flow lasts before another takes its place, so that instances that come later get some; 0s for as
	long as the load
packet_size: frame size
`
}

// FlashCrowd is a load that rises to many times what it was, stays there, and falls back.
type FlashCrowd struct {
	Base       units.PPS   `yaml:"base" required:"true"`
	Factor     float64     `yaml:"factor" default:"10" min:"1" max:"1e6"`
	Begin      units.Time  `yaml:"begin" default:"0s"`
	Rise       units.Time  `yaml:"rise" default:"10s" max:"2400h"`
	Hold       units.Time  `yaml:"hold" default:"60s" max:"2400h"`
	Fall       units.Time  `yaml:"fall" default:"60s" max:"2400h"`
	Step       units.Time  `yaml:"step" default:"1s" min:"1ms"`
	Flows      int         `yaml:"flows" default:"1" min:"1" max:"10000000"`
	Lifetime   units.Time  `yaml:"lifetime" default:"0s"`
	PacketSize units.Bytes `yaml:"packet_size" default:"64B" min:"1B" max:"65535B"`
}

// Docs implements strictyaml.Documented.
func (FlashCrowd) Docs() string {
	return `
base: packet rate of all flows together, before and after
factor: the rate at the top, over base
begin: when it begins to rise
rise: how long it rises, linearly
hold: how long it stays at the top
fall: how long it falls, linearly
step: the rate in the middle of a step holds in all of it
flows: equal flows that carry the load at once
lifetime: how long a flow lasts before another takes its place, so that instances that come later get some; 0s for as
	long as the load
packet_size: frame size
`
}

// shapeRules are those of a source that is a shape.
func shapeRules(in *Scenario, key string, rate units.PPS, step, lifetime units.Time, flows int) []strictyaml.Rule {
	steps := int64(in.Duration / max(1, step))
	lives := int64(in.Duration/max(1, lifetime)) + 2
	return []strictyaml.Rule{
		rule(key, rate == 0, "a rate above 0"),
		rule("step", steps > maxPhases, fmt.Sprintf("a longer one: %d in %v, of which at most %d are made", steps,
			in.Duration, maxPhases)),
		rule("lifetime flows", lifetime > 0 && lives > int64(maxPhases/max(1, flows)),
			fmt.Sprintf("a longer one, or fewer flows: at most %d are made", maxPhases)),
		atOnce(in.Engine, flows),
	}
}

// shaped is what a source that is a shape asks of the traffic, without the addresses' offset; nil for another source.
func (s *Scenario) shaped(src *Source, i int) (shape traces.Shape, o traces.ShapeOptions, err error) {
	key, rate, most := "", units.PPS(0), 1.0
	switch {
	case src.Diurnal != nil:
		d := src.Diurnal
		key, rate, most = "diurnal", d.Mean, 1+d.Amplitude
		shape = traces.Diurnal{Mean: float64(d.Mean), Amplitude: d.Amplitude, Period: d.Period, Peak: d.Peak}
		o = traces.ShapeOptions{Step: d.Step, Flows: d.Flows, Lifetime: d.Lifetime, Size: src.frame(d.PacketSize)}
	case src.FlashCrowd != nil:
		f := src.FlashCrowd
		key, rate, most = "flash_crowd", f.Base, f.Factor
		shape = traces.FlashCrowd{Base: float64(f.Base), Factor: f.Factor, Begin: f.Begin, Rise: f.Rise, Hold: f.Hold,
			Fall: f.Fall}
		o = traces.ShapeOptions{Step: f.Step, Flows: f.Flows, Lifetime: f.Lifetime, Size: src.frame(f.PacketSize)}
	default:
		return nil, o, nil
	}
	if o.End = s.Duration; o.End == 0 {
		return nil, o, s.endless(key)
	}
	if top := float64(rate) * most; top > traces.MostRate {
		return nil, o, s.tooFast(fmt.Sprintf("workload.%d.%s", i, key), units.PPS(top))
	}
	return shape, o, nil
}

// shapes scales the sources that are services or shapes; to has none where from has not.
func (k factors) shapes(from, to *Source) {
	switch {
	case from.Services != nil:
		v := *from.Services
		v.Scale *= k.r
		v.Speedup /= k.t
		v.Lifetime = k.time(v.Lifetime)
		to.Services = &v
	case from.Diurnal != nil:
		d := *from.Diurnal
		k.apply(reflect.ValueOf(&d).Elem())
		to.Diurnal = &d
	case from.FlashCrowd != nil:
		f := *from.FlashCrowd
		k.apply(reflect.ValueOf(&f).Elem())
		to.FlashCrowd = &f
	}
}
