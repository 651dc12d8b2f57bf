package scenarios

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Rule is a relation that a file must satisfy beyond the bounds of single keys.
type Rule struct {
	Keys  []string // the first is the one that an error names; none is reported where one of them is wrong already
	Wrong bool     // the relation is broken
	Want  string   // what may stand there
}

// check reports the broken relations.
func (d *decoder) check(s *Scenario) {
	bad := d.bad()
	d.apply("", scenarioRules(s), bad)
	for i := range s.Workload {
		d.apply(under("workload", strconv.Itoa(i)), s.Workload[i].rules(), bad)
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		d.apply(under("faults", strconv.Itoa(i)), []Rule{
			{[]string{"for", "kind"}, f.Kind == "instance-death" && f.For != 0, "no duration, since an instance's death is for good"},
			{[]string{"instance", "kind"}, f.Kind != "instance-death" && f.Instance != 1, "kind: instance-death with this key"},
		}, bad)
	}
}

// bad holds the keys with an error and, with .*, those above one.
func (d *decoder) bad() map[string]bool {
	bad := map[string]bool{}
	for _, e := range d.errs {
		bad[e.Key] = true
		for k := e.Key; strings.Contains(k, "."); {
			k = k[:strings.LastIndexByte(k, '.')]
			bad[k+".*"] = true
		}
	}
	return bad
}

// apply reports the broken rules whose keys, with what is above and below them, were read without an error.
func (d *decoder) apply(prefix string, rules []Rule, bad map[string]bool) {
	for _, r := range rules {
		known := false
		for _, k := range r.Keys {
			key := prefix
			if k != "" {
				key = under(prefix, k)
			}
			known = known || bad[key] || bad[key+".*"]
			for up := key; strings.Contains(up, "."); {
				up = up[:strings.LastIndexByte(up, '.')]
				known = known || bad[up]
			}
		}
		if r.Wrong && !known {
			key := prefix
			if r.Keys[0] != "" {
				key = under(prefix, r.Keys[0])
			}
			n, found := d.place(key)
			d.fail(n, key, found, r.Want)
		}
	}
}

// place is the node of a key, or of the nearest key above it that the file has, and how to call what stands at the key.
func (d *decoder) place(key string) (n *yaml.Node, found string) {
	if n, ok := d.at[key]; ok {
		return n, kindOf(n)
	}
	for k := key; strings.Contains(k, "."); {
		k = k[:strings.LastIndexByte(k, '.')]
		if n, ok := d.at[k]; ok {
			return n, "no such key"
		}
	}
	return nil, "no such key"
}

func scenarioRules(s *Scenario) []Rule {
	c, in := &s.VNF.Contention, &s.Instances
	usl, table, constant := c.Model == "usl", c.Model == "table", c.Model == "constant"
	def := defaultContention()
	rules := []Rule{
		{[]string{"vnf.service_times", "vnf.service", "vnf.service_file"}, s.VNF.Service == "empirical" && s.VNF.ServiceFile == "" && !slices.ContainsFunc(s.VNF.ServiceTimes, func(t ServiceTime) bool { return t.Time > 0 && t.Weight > 0 }),
			"at least one time above 0, or service_file, for service: empirical"},
		{[]string{"vnf.service_file", "vnf.service_times"}, s.VNF.ServiceFile != "" && len(s.VNF.ServiceTimes) > 0, "service_times or service_file, not both"},
		{[]string{"vnf.service_times", "vnf.service"}, s.VNF.Service != "empirical" && len(s.VNF.ServiceTimes) > 0, "service: empirical with this key"},
		{[]string{"vnf.service_file", "vnf.service"}, s.VNF.Service != "empirical" && s.VNF.ServiceFile != "", "service: empirical with this key"},
		{[]string{"vnf.contention.lambda", "vnf.contention.model"}, usl && c.Lambda <= 0, "a rate above 0"},
		{[]string{"vnf.contention.lambda", "vnf.contention.model"}, !usl && c.Lambda != def.Lambda, "model: usl with this key"},
		{[]string{"vnf.contention.sigma", "vnf.contention.model"}, !usl && c.Sigma != def.Sigma, "model: usl with this key"},
		{[]string{"vnf.contention.kappa", "vnf.contention.model"}, !usl && c.Kappa != def.Kappa, "model: usl with this key"},
		{[]string{"vnf.contention.points", "vnf.contention.model"}, table && len(c.Points) == 0, "at least one point such as 1: 25Mpps, for model: table"},
		{[]string{"vnf.contention.points", "vnf.contention.model"}, !table && len(c.Points) > 0, "model: table with this key"},
		{[]string{"vnf.contention.rate", "vnf.contention.model", "vnf.contention.service_time"}, constant && c.Rate == 0 && c.ServiceTime == 0, "a rate above 0, or service_time, for model: constant"},
		{[]string{"vnf.contention.service_time", "vnf.contention.model", "vnf.contention.rate"}, constant && c.Rate != 0 && c.ServiceTime != 0, "rate or service_time, not both"},
		{[]string{"vnf.contention.rate", "vnf.contention.model"}, !constant && c.Rate != 0, "model: constant with this key"},
		{[]string{"vnf.contention.service_time", "vnf.contention.model"}, !constant && c.ServiceTime != 0, "model: constant with this key"},
		{[]string{"instances.min", "instances.max"}, in.Min > in.Max, fmt.Sprintf("at most instances.max, %d", in.Max)},
		{[]string{"instances.initial", "instances.min", "instances.max"}, in.Min <= in.Max && in.Initial < in.Min, fmt.Sprintf("at least instances.min, %d", in.Min)},
		{[]string{"instances.initial", "instances.min", "instances.max"}, in.Min <= in.Max && in.Initial > in.Max, fmt.Sprintf("at most instances.max, %d", in.Max)},
		{[]string{"instances.initial", "instances.min", "autoscaler.policy"}, in.Min == 0 && in.Initial == 0 && s.Autoscaler.Policy == "none", "at least 1 with autoscaler.policy: none, under which no instance would ever start"},
		{[]string{"scheduler.no_instance", "instances.min"}, in.Min == 0 && s.Autoscaler.Policy != "none" && s.Scheduler.NoInstance == "drop", "hold with instances.min: 0: with drop nothing would bring the last instance back"},
		{[]string{"scale.rate"}, s.Scale.Rate <= 0, "a number above 0"},
		{[]string{"scale.time"}, s.Scale.Time <= 0, "a number above 0"},
		{[]string{"scheduler.limit"}, s.Scheduler.Limit <= 0, "a rate above 0"},
		{[]string{"scheduler.demand_rate", "scheduler.demand"}, s.Scheduler.Demand == "fixed" && s.Scheduler.DemandRate == 0, "a rate above 0, for demand: fixed"},
		{[]string{"scheduler.demand_rate", "scheduler.demand"}, s.Scheduler.Demand != "fixed" && s.Scheduler.DemandRate != 0, "demand: fixed with this key"},
		{[]string{"autoscaler.target"}, s.Autoscaler.Target <= 0, "a number above 0, such as 0.5"},
		{[]string{"autoscaler.interval"}, s.Autoscaler.Interval <= 0, "a time above 0"},
		{[]string{"autoscaler.tolerance"}, s.Autoscaler.Tolerance < 0, "a number from 0"},
		{[]string{"autoscaler.max_step_out"}, s.Autoscaler.MaxStepOut < 0, "a whole number from 0"},
		{[]string{"autoscaler.max_step_in"}, s.Autoscaler.MaxStepIn < 0, "a whole number from 0"},
		{[]string{"telemetry.window"}, s.Telemetry.Window <= 0, "a time above 0"},
		{[]string{"measure.delay", "engine"}, s.Measure.Delay != "none" && s.Engine == "fluid", "engine: packet with this key: the fluid engine knows rates, no packet's delay"},
		{[]string{"measure.flows", "measure.delay"}, !s.Measure.Flows && s.Measure.Delay != "none", "true where delays are measured: their packets are stepped one by one"},
		{[]string{"measure.flows", "engine"}, !s.Measure.Flows && s.Engine == "fluid", "engine: packet with false: the fluid engine has no packets to jump over"},
		{[]string{"workload"}, len(s.Workload) == 0, "at least one source"},
	}
	for _, n := range slices.Sorted(maps.Keys(c.Points)) {
		key := "vnf.contention.points." + strconv.Itoa(n)
		rules = append(rules, Rule{[]string{key}, c.Points[n] <= 0, "a rate above 0"})
	}
	return rules
}

// arrivalRules are those of the keys that say how packets come.
func arrivalRules(key, kind string, on, off units.Time) []Rule {
	arrivals := under(key, "arrivals")
	var rules []Rule
	for _, x := range []struct {
		name string
		time units.Time
	}{{"on_time", on}, {"off_time", off}} {
		rules = append(rules,
			Rule{[]string{under(key, x.name), arrivals}, kind != "on-off" && x.time != units.Millisecond, "arrivals: on-off with this key"},
			Rule{[]string{under(key, x.name)}, x.time <= 0 || x.time > units.Hour, "a time above 0 and at most 1h"})
	}
	return rules
}

func (s *Source) rules() []Rule {
	given := 0
	for i := range reflect.TypeFor[Source]().NumField() {
		if !reflect.ValueOf(s).Elem().Field(i).IsNil() {
			given++
		}
	}
	rules := []Rule{{[]string{""}, given != 1, fmt.Sprintf("exactly one of the keys %s; it has %d", strings.Join(keysOf(reflect.TypeFor[Source]()), ", "), given)}}
	if c := s.CBR; c != nil {
		rules = append(rules,
			Rule{[]string{"cbr.total", "cbr.rate"}, c.Total == 0 && c.Rate == 0, "a bit rate above 0 for all flows, or rate"},
			Rule{[]string{"cbr.rate", "cbr.total"}, c.Total != 0 && c.Rate != 0, "total or rate, not both"})
		rules = append(rules, arrivalRules("cbr", c.Arrivals, c.On, c.Off)...)
	}
	if s.Flows != nil {
		rules = append(rules, Rule{[]string{"flows"}, len(s.Flows) == 0, "at least one flow"})
	}
	for i := range s.Flows {
		f, key := &s.Flows[i], under("flows", strconv.Itoa(i))
		rules = append(rules,
			Rule{[]string{under(key, "period"), under(key, "rate")}, f.Period == 0 && f.Rate == 0, "a time above 0 between two packets, or rate"},
			Rule{[]string{under(key, "rate"), under(key, "period")}, f.Period != 0 && f.Rate != 0, "period or rate, not both"},
			Rule{[]string{under(key, "end"), under(key, "phase")}, f.End != 0 && f.End <= f.Phase, "a time after phase, " + f.Phase.String()})
		rules = append(rules, arrivalRules(key, f.Arrivals, f.On, f.Off)...)
	}
	for _, t := range []struct {
		name string
		*Trace
	}{{"pcap", s.PCAP}, {"zeek", s.Zeek}, {"records", s.Records}} {
		if t.Trace != nil {
			rules = append(rules,
				Rule{[]string{t.name + ".file"}, t.File == "", "a path"},
				Rule{[]string{t.name + ".speedup"}, t.Speedup <= 0, "a number above 0"},
				Rule{[]string{t.name + ".resolution"}, t.Resolution <= 0, "a time above 0"},
				Rule{[]string{t.name + ".mtu"}, t.MTU != 0 && t.name != "pcap", "none: only the packets of a pcap can be split"},
				Rule{[]string{t.name + ".mtu"}, t.MTU != 0 && t.MTU < traces.LeastMTU, fmt.Sprintf("0, or %dB or more", traces.LeastMTU)},
				Rule{[]string{t.name + ".tunnel"}, t.Tunnel == "inner" && t.name != "pcap", "none: only the packets of a pcap can be in tunnels"},
				Rule{[]string{t.name + ".to", t.name + ".from"}, t.To != 0 && t.To <= t.From, "a time after from, " + t.From.String()})
		}
	}
	if s.Model != nil {
		rules = append(rules, s.Model.rules()...)
	}
	if l := s.Load; l != nil {
		rules = append(rules,
			Rule{[]string{"load.file"}, l.File == "", "a path"},
			Rule{[]string{"load.column"}, l.Column == "", "a column's name"},
			Rule{[]string{"load.step"}, l.Step <= 0, "a time above 0"},
			Rule{[]string{"load.scale"}, l.Scale <= 0, "a number above 0"},
			Rule{[]string{"load.speedup"}, l.Speedup <= 0, "a number above 0"},
			Rule{[]string{"load.to", "load.from"}, l.To != 0 && l.To <= l.From, "a time after from, " + l.From.String()})
	}
	return rules
}
