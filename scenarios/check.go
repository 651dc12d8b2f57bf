package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// rule is a relation of keys, separated by spaces.
func rule(keys string, wrong bool, want string) strictyaml.Rule {
	return strictyaml.Rule{Keys: strings.Fields(keys), Wrong: wrong, Want: want}
}

// check reports the broken relations.
func (s *Scenario) check(d *strictyaml.Decoder) {
	rules := scenarioRules(s)
	for i := range s.Workload {
		rules = append(rules, strictyaml.Below(fmt.Sprintf("workload.%d", i), s.Workload[i].rules(s))...)
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		rules = append(rules, strictyaml.Below(fmt.Sprintf("faults.%d", i), []strictyaml.Rule{
			rule("for kind", f.Kind == "instance-death" && f.For != 0, "no duration, since an instance's death is for good"),
			rule("instance kind", f.Kind != "instance-death" && f.Instance != 1, "kind: instance-death with this key"),
		})...)
	}
	d.Check(rules)
}

func scenarioRules(s *Scenario) []strictyaml.Rule {
	c, in := &s.VNF.Contention, &s.Instances
	usl, table, constant := c.Model == "usl", c.Model == "table", c.Model == "constant"
	var def Contention
	strictyaml.Defaults(&def)
	rules := []strictyaml.Rule{
		rule("vnf.service_times vnf.service vnf.service_file", s.VNF.Service == "empirical" && s.VNF.ServiceFile == "" && !slices.ContainsFunc(s.VNF.ServiceTimes, func(t ServiceTime) bool { return t.Time > 0 && t.Weight > 0 }),
			"at least one time above 0, or service_file, for service: empirical"),
		rule("vnf.service_file vnf.service_times", s.VNF.ServiceFile != "" && len(s.VNF.ServiceTimes) > 0, "service_times or service_file, not both"),
		rule("vnf.service_times vnf.service", s.VNF.Service != "empirical" && len(s.VNF.ServiceTimes) > 0, "service: empirical with this key"),
		rule("vnf.service_file vnf.service", s.VNF.Service != "empirical" && s.VNF.ServiceFile != "", "service: empirical with this key"),
		rule("vnf.contention.lambda vnf.contention.model", usl && c.Lambda <= 0, "a rate above 0"),
		rule("vnf.contention.lambda vnf.contention.model", !usl && c.Lambda != def.Lambda, "model: usl with this key"),
		rule("vnf.contention.sigma vnf.contention.model", !usl && c.Sigma != def.Sigma, "model: usl with this key"),
		rule("vnf.contention.kappa vnf.contention.model", !usl && c.Kappa != def.Kappa, "model: usl with this key"),
		rule("vnf.contention.points vnf.contention.model", table && len(c.Points) == 0, "at least one point such as 1: 25Mpps, for model: table"),
		rule("vnf.contention.points vnf.contention.model", !table && len(c.Points) > 0, "model: table with this key"),
		rule("vnf.contention.rate vnf.contention.model vnf.contention.service_time", constant && c.Rate == 0 && c.ServiceTime == 0, "a rate above 0, or service_time, for model: constant"),
		rule("vnf.contention.service_time vnf.contention.model vnf.contention.rate", constant && c.Rate != 0 && c.ServiceTime != 0, "rate or service_time, not both"),
		rule("vnf.contention.rate vnf.contention.model", !constant && c.Rate != 0, "model: constant with this key"),
		rule("vnf.contention.service_time vnf.contention.model", !constant && c.ServiceTime != 0, "model: constant with this key"),
		rule("instances.min instances.max", in.Min > in.Max, fmt.Sprintf("at most instances.max, %d", in.Max)),
		rule("instances.initial instances.min instances.max", in.Min <= in.Max && in.Initial < in.Min, fmt.Sprintf("at least instances.min, %d", in.Min)),
		rule("instances.initial instances.min instances.max", in.Min <= in.Max && in.Initial > in.Max, fmt.Sprintf("at most instances.max, %d", in.Max)),
		rule("instances.initial instances.min autoscaler.policy", in.Min == 0 && in.Initial == 0 && s.Autoscaler.Policy == "none", "at least 1 with autoscaler.policy: none, under which no instance would ever start"),
		rule("scheduler.no_instance instances.min", in.Min == 0 && s.Autoscaler.Policy != "none" && s.Scheduler.NoInstance == "drop", "hold with instances.min: 0: with drop nothing would bring the last instance back"),
		rule("scheduler.limit", s.Scheduler.Limit <= 0, "a rate above 0"),
		rule("scheduler.demand_rate scheduler.demand", s.Scheduler.Demand == "fixed" && s.Scheduler.DemandRate == 0, "a rate above 0, for demand: fixed"),
		rule("scheduler.demand_rate scheduler.demand", s.Scheduler.Demand != "fixed" && s.Scheduler.DemandRate != 0, "demand: fixed with this key"),
		rule("autoscaler.target", s.Autoscaler.Target <= 0, "a number above 0, such as 0.5"),
		rule("autoscaler.interval", s.Autoscaler.Interval <= 0, "a time above 0"),
		rule("autoscaler.tolerance", s.Autoscaler.Tolerance < 0, "a number from 0"),
		rule("autoscaler.max_step_out", s.Autoscaler.MaxStepOut < 0, "a whole number from 0"),
		rule("autoscaler.max_step_in", s.Autoscaler.MaxStepIn < 0, "a whole number from 0"),
		rule("measure.delay engine", s.Measure.Delay != "none" && s.Engine == "fluid", "engine: packet with this key: the fluid engine knows rates, no packet's delay"),
		rule("measure.flows measure.delay", !s.Measure.Flows && s.Measure.Delay != "none", "true where delays are measured: their packets are stepped one by one"),
		rule("measure.flows engine", !s.Measure.Flows && s.Engine == "fluid", "engine: packet with false: the fluid engine has no packets to jump over"),
		rule("workload", len(s.Workload) == 0, "at least one source"),
		rule("name", !plainName(s.Name), "a name of at most 200 bytes that can be that of a file: no path, nothing that is not printable"),
	}
	for _, i := range s.intervals() {
		rules = append(rules, rule(i.key+" duration", i.in(s.Duration) > MostEvents, i.want(s.Duration)))
	}
	if s.Engine == "packet" {
		rules = append(rules, packetRules(s)...)
	}
	for _, n := range slices.Sorted(maps.Keys(c.Points)) {
		key := "vnf.contention.points." + strconv.Itoa(n)
		rules = append(rules, rule(key, c.Points[n] <= 0, "a rate above 0"))
	}
	return rules
}

// Bounds of what a run can hold, beyond those of single keys.
const (
	// MostEvents is how often a run closes a window, or asks its autoscaler: an hour of wall time and 10 GB of record.
	MostEvents = 100_000_000

	maxPhases  = 1 << 24 // of on-off arrivals; also package traces'
	mostAtOnce = 1 << 21 // flows that begin at one instant, in the packet engine
)

// interval is a key whose value says how often something happens.
type interval struct {
	key   string
	every units.Time
	what  string
}

func (s *Scenario) intervals() []interval {
	return []interval{
		{"telemetry.window", s.Telemetry.Window, "windows"},
		{"autoscaler.interval", s.Autoscaler.Interval, "evaluations"},
	}
}

func (i interval) in(t units.Time) int64 { return int64(t / max(1, i.every)) }

func (i interval) want(t units.Time) string {
	return fmt.Sprintf("%v or more: with this there are %d %s in %v, and at most %d are possible", (t+MostEvents-1)/MostEvents, i.in(t), i.what, t, MostEvents)
}

// CheckLength says whether a run that lasts until end has too many windows or evaluations of the autoscaler. Where the
// scenario has a duration, it has been asked when it was read.
func (s *Scenario) CheckLength(end units.Time) error {
	var errs []*strictyaml.Error
	for _, i := range s.intervals() {
		if i.in(end) > MostEvents {
			errs = append(errs, &strictyaml.Error{File: s.Name, Key: i.key, Found: i.every.String(), Expected: i.want(end)})
		}
	}
	return strictyaml.Join(errs)
}

// plainName says whether a name is fit for a file or a folder.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 200 && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) })
}

// packetRules are what the packet engine asks of a scenario beyond the fluid one.
func packetRules(s *Scenario) []strictyaml.Rule {
	const inPacket = " with engine: packet"
	rules := []strictyaml.Rule{rule("vnf.buffer engine", s.VNF.Buffer > 1<<20, fmt.Sprintf("at most %d%s", 1<<20, inPacket))}
	for _, r := range []struct {
		key         string
		rate, least float64
		want        string
	}{
		{"nic.slowpath_rate", float64(s.NIC.SlowPathRate), 1, "1pps"},
		{"nic.eswitch_limit", float64(s.NIC.ESwitchLimit), 1, "1pps"},
		{"nic.link", float64(s.NIC.Link), 1e6, "1Mbps"},
	} {
		rules = append(rules, rule(r.key+" engine", r.rate != 0 && (r.rate < r.least || r.rate > 1e12), fmt.Sprintf("0, or %s to 1e12 a second,%s", r.want, inPacket)))
	}
	weights, positive := uint64(0), false
	for _, t := range s.VNF.ServiceTimes {
		weights += uint64(t.Weight)
		positive = positive || t.Time > 0 && t.Weight > 0
	}
	if len(s.VNF.ServiceTimes) > 0 && positive {
		mean := 0.0
		for _, t := range s.VNF.ServiceTimes {
			mean += float64(t.Time) * float64(t.Weight) / float64(weights)
		}
		rules = append(rules,
			rule("vnf.service_times engine", weights > 1<<40, fmt.Sprintf("weights that sum to at most %d", 1<<40)),
			rule("vnf.service_times engine", mean < 1, "a mean of at least 1ps"))
	}
	return rules
}

// arrivalRules are those of the keys that say how packets come.
func arrivalRules(kind string, on, off units.Time) []strictyaml.Rule {
	const onOff = "arrivals: on-off with this key"
	return []strictyaml.Rule{
		rule("on_time arrivals", kind != "on-off" && on != units.Millisecond, onOff),
		rule("off_time arrivals", kind != "on-off" && off != units.Millisecond, onOff),
	}
}

// rules are the relations of a source's keys in its scenario.
func (s *Source) rules(in *Scenario) (rules []strictyaml.Rule) {
	add := func(key string, more []strictyaml.Rule) {
		rules = append(rules, strictyaml.Below(key, more)...)
	}
	if c := s.CBR; c != nil {
		add("cbr", c.rules(in.Engine))
	}
	if s.Flows != nil {
		rules = append(rules, rule("flows", len(s.Flows) == 0, "at least one flow"))
	}
	for i := range s.Flows {
		add(fmt.Sprintf("flows.%d", i), s.Flows[i].rules())
	}
	for _, t := range []struct {
		name string
		*Trace
	}{{"pcap", s.PCAP}, {"zeek", s.Zeek}, {"records", s.Records}} {
		if t.Trace != nil {
			add(t.name, t.rules(t.name == "pcap"))
		}
	}
	if s.Model != nil {
		add("model", s.Model.rules(in.Duration))
	}
	if s.Load != nil {
		add("load", s.Load.rules(in.Engine))
	}
	return rules
}

func (c *CBR) rules(engine string) []strictyaml.Rule {
	return append([]strictyaml.Rule{
		rule("total rate", c.Total == 0 && c.Rate == 0, "a bit rate above 0 for all flows, or rate"),
		rule("rate total", c.Total != 0 && c.Rate != 0, "total or rate, not both"),
		rule("flows interval", engine == "packet" && c.Arrivals == "constant" && c.Interval == 0 && c.Flows > mostAtOnce,
			fmt.Sprintf("an interval above 0, or at most %d flows, which begin at one instant, with engine: packet", mostAtOnce)),
	}, arrivalRules(c.Arrivals, c.On, c.Off)...)
}

func (f *OneFlow) rules() []strictyaml.Rule {
	return append([]strictyaml.Rule{
		rule("period rate", f.Period == 0 && f.Rate == 0, "a time above 0 between two packets, or rate"),
		rule("rate period", f.Period != 0 && f.Rate != 0, "period or rate, not both"),
		rule("end phase", f.End != 0 && f.End <= f.Phase, "a time after phase, "+f.Phase.String()),
	}, arrivalRules(f.Arrivals, f.On, f.Off)...)
}

func (t *Trace) rules(pcap bool) []strictyaml.Rule {
	return []strictyaml.Rule{
		rule("file", t.File == "", "a path"),
		rule("mtu", t.MTU != 0 && !pcap, "none: only the packets of a pcap can be split"),
		rule("mtu", t.MTU != 0 && t.MTU < traces.LeastMTU, fmt.Sprintf("0, or %dB or more", traces.LeastMTU)),
		rule("tunnel", t.Tunnel == "inner" && !pcap, "none: only the packets of a pcap can be in tunnels"),
		rule("to from", t.To != 0 && t.To <= t.From, "a time after from, "+t.From.String()),
	}
}

func (l *LoadCurve) rules(engine string) []strictyaml.Rule {
	return []strictyaml.Rule{
		rule("file", l.File == "", "a path"),
		rule("column", l.Column == "", "a column's name"),
		rule("column time", l.Column == traces.RowCount && l.Time == "",
			"time: with it, the name of a column of times, for "+traces.RowCount),
		rule("flows", engine == "packet" && l.Flows > mostAtOnce,
			fmt.Sprintf("at most %d, which begin at one instant, with engine: packet", mostAtOnce)),
		rule("to from", l.To != 0 && l.To <= l.From, "a time after from, "+l.From.String()),
	}
}
