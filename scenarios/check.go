package scenarios

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// rule is a relation of keys, which are separated by spaces.
func rule(keys string, wrong bool, want string) strictyaml.Rule {
	return strictyaml.Rule{Keys: strings.Fields(keys), Wrong: wrong, Want: want}
}

// rules collects relations.
type rules []strictyaml.Rule

func (r *rules) below(key string, more []strictyaml.Rule) {
	*r = append(*r, strictyaml.Below(key, more)...)
}

// check reports the relations that are broken.
func (s *Scenario) check(d *strictyaml.Decoder) {
	all := rules(s.rules())
	all.below("vnf", s.VNF.rules())
	all.below("vnf.contention", s.VNF.Contention.rules())
	all.below("instances", s.Instances.rules())
	all = append(all, s.policyRules()...)
	all = append(all, s.requestRules()...)
	all = append(all, s.nodeRules()...)
	for _, i := range s.intervals() {
		all = append(all, rule(i.key+" duration", i.in(s.Duration) > MostEvents, i.want(s.Duration)))
	}
	if s.Engine == "packet" {
		all = append(all, s.packetRules()...)
	}
	for i := range s.Workload {
		all.below(fmt.Sprintf("workload.%d", i), s.Workload[i].rules(s))
	}
	for i := range s.Faults {
		all.below(fmt.Sprintf("faults.%d", i), s.Faults[i].rules())
	}
	d.Check(all)
}

func (s *Scenario) rules() []strictyaml.Rule {
	fluid, delays := s.Engine == "fluid", s.Measure.Delay != "none"
	measures := s.Autoscaler.Measures()
	asked, scheduled := measures&policy.Delays, s.Scheduler.Measures()&policy.Delays
	return []strictyaml.Rule{
		rule("measure.delay engine", delays && fluid,
			"engine: packet with this key: the fluid engine knows rates, no packet's delay"),
		rule("measure.flows measure.delay", !s.Measure.Flows && delays,
			"true where delays are measured: their packets are stepped one by one"),
		rule("measure.flows engine", !s.Measure.Flows && fluid,
			"engine: packet with false: the fluid engine has no packets to jump over"),
		rule("measure.delay autoscaler.policy", asked != 0 && !delays, fmt.Sprintf("instances or flows, with "+
			"engine: packet, for a policy that goes by %v: elsewhere no delay is known", asked)),
		rule("measure.delay scheduler.policy", scheduled != 0 && !delays, fmt.Sprintf("instances or flows, with "+
			"engine: packet, for a policy that goes by %v: elsewhere no delay is known", scheduled)),
		rule("vnf.memory autoscaler.policy", measures.Has(policy.Memory) && s.VNF.Memory == 0,
			"what an instance uses without flows, for a policy that goes by memory"),
		rule("workload", len(s.Workload) == 0, "at least one source"),
		rule("name", !plainName(s.Name),
			"a name of at most 200 bytes that can be that of a file: no path, nothing that is not printable"),
	}
}

// plainName reports whether a name is fit for a file or a folder.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 200 && utf8.ValidString(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) })
}

func (v *VNF) rules() []strictyaml.Rule {
	const withThis = "service: empirical with this key"
	empirical, times, file := v.Service == "empirical", len(v.ServiceTimes) > 0, v.ServiceFile != ""
	some := slices.ContainsFunc(v.ServiceTimes, func(t ServiceTime) bool { return t.Time > 0 && t.Weight > 0 })
	return []strictyaml.Rule{
		rule("service_times service service_file", empirical && !file && !some,
			"at least one time above 0, or service_file, for service: empirical"),
		rule("service_file service_times", file && times, "service_times or service_file, not both"),
		rule("service_times service", !empirical && times, withThis),
		rule("service_file service", !empirical && file, withThis),
	}
}

func (c *Contention) rules() []strictyaml.Rule {
	const withTable, withConstant = "model: table with this key", "model: constant with this key"
	withUSL := fmt.Sprintf("model: usl with this key; vnf.contention={model: %s, ...} replaces them all", c.Model)
	usl, table, constant := c.Model == "usl", c.Model == "table", c.Model == "constant"
	rate, time := c.Rate != 0, c.ServiceTime != 0
	var def Contention
	strictyaml.Defaults(&def)
	all := []strictyaml.Rule{
		rule("lambda model", usl && c.Lambda <= 0, "a rate above 0"),
		rule("lambda model", !usl && c.Lambda != def.Lambda, withUSL),
		rule("sigma model", !usl && c.Sigma != def.Sigma, withUSL),
		rule("kappa model", !usl && c.Kappa != def.Kappa, withUSL),
		rule("points model", table && len(c.Points) == 0, "at least one point such as 1: 25Mpps, for model: table"),
		rule("points model", !table && len(c.Points) > 0, withTable),
		rule("rate model service_time", constant && !rate && !time,
			"a rate above 0, or service_time, for model: constant"),
		rule("service_time model rate", constant && rate && time, "rate or service_time, not both"),
		rule("rate model", !constant && rate, withConstant),
		rule("service_time model", !constant && time, withConstant),
	}
	for _, n := range slices.Sorted(maps.Keys(c.Points)) {
		all = append(all, rule(fmt.Sprintf("points.%d", n), c.Points[n] <= 0, "a rate above 0"))
	}
	return all
}

func (in *Instances) rules() []strictyaml.Rule {
	ordered := in.Min <= in.Max
	all := []strictyaml.Rule{
		rule("min max", !ordered, fmt.Sprintf("at most instances.max, %d", in.Max)),
		rule("initial min max", ordered && in.Initial < in.Min, fmt.Sprintf("at least instances.min, %d", in.Min)),
		rule("initial min max", ordered && in.Initial > in.Max, fmt.Sprintf("at most instances.max, %d", in.Max)),
	}
	for i, w := range in.Weights {
		all = append(all, rule(fmt.Sprintf("weights.%d", i), w < 0 || w > orchestrator.MaxWeight,
			fmt.Sprintf("0 to %d", orchestrator.MaxWeight)))
	}
	limits := func(key string, list []int) {
		for i, n := range list {
			all = append(all, rule(fmt.Sprintf("%s.%d", key, i), n < 0 || n > orchestrator.MostConn,
				fmt.Sprintf("0 to %d", orchestrator.MostConn)))
		}
	}
	limits("maxconn", in.MaxConn)
	limits("minconn", in.MinConn)
	for i, x := range in.Speed {
		all = append(all, rule(fmt.Sprintf("speed.%d", i), !(x >= 1e-3 && x <= 1e3), "0.001 to 1000"))
	}
	for i, d := range in.Delay {
		all = append(all, rule(fmt.Sprintf("delay.%d", i), d < 0 || d > units.Second, "0s to 1s"))
	}
	return append(all, rule("fullconn minconn", in.FullConn > 0 && len(in.MinConn) == 0, "minconn with this key"),
		rule("minconn fullconn", in.FullConn == 0 && len(in.MinConn) > 0,
			"fullconn with this key, or the limits are always in full"))
}

// policyRules are those of the scheduler and the autoscaler.
func (s *Scenario) policyRules() []strictyaml.Rule {
	in, sched, scaler := &s.Instances, &s.Scheduler, &s.Autoscaler
	fixed, never := sched.Demand == "fixed", scaler.Static()
	below, hot := scaler.Rates(sched.Limit)
	return slices.Concat(s.tenantRules(), s.burstRules(), []strictyaml.Rule{
		rule("vnf.contention.share autoscaler.policy", scaler.Resizes() && s.VNF.Contention.Share == "pooled",
			"reserved with autoscaler.policy: "+scaler.Policy.Name+", which gives instances shares of their own"),
		rule("instances.initial instances.min autoscaler.policy", in.Min == 0 && in.Initial == 0 && !scaler.Wakes(),
			"at least 1 with autoscaler.policy: "+scaler.Policy.Name+", under which no instance would ever start"),
		rule("scheduler.no_instance instances.min", in.Min == 0 && !never && sched.NoInstance == "drop",
			"hold with instances.min: 0: with drop nothing would bring the last instance back"),
		rule("autoscaler.below autoscaler.above scheduler.limit", below > hot,
			fmt.Sprintf("at most %v, above which an instance is hot", hot)),
		rule("scheduler.demand_rate scheduler.demand", fixed && sched.DemandRate == 0,
			"a rate above 0, for demand: fixed"),
		rule("scheduler.demand_rate scheduler.demand", !fixed && sched.DemandRate != 0, "demand: fixed with this key"),
	})
}

// tenantRules has the tenants that a policy's options name be those of the workload.
func (s *Scenario) tenantRules() (all []strictyaml.Rule) {
	o, ok := s.Scheduler.Policy.Options.(interface{ TenantNames() []string })
	if !ok {
		return nil
	}
	var there []string
	for i := range s.Workload {
		for _, t := range s.Workload[i].TenantNames() {
			if t != "" && !slices.Contains(there, t) {
				there = append(there, t)
			}
		}
	}
	want := "a tenant of the workload, which has none"
	if len(there) > 0 {
		want = "a tenant of the workload: " + strings.Join(there, ", ")
	}
	for i, name := range o.TenantNames() {
		key := fmt.Sprintf("scheduler.policy.%s.tenants.%d.name", s.Scheduler.Policy.Name, i)
		all = append(all, rule(key, !slices.Contains(there, name), want))
	}
	return all
}

func (f *Fault) rules() []strictyaml.Rule {
	death := f.Kind == "instance-death"
	return []strictyaml.Rule{
		rule("for kind", death && f.For != 0, "no duration, since an instance's death is for good"),
		rule("instance kind", !death && f.Instance != 1, "kind: instance-death with this key"),
	}
}

// Bounds of what a run can hold, beyond those of single keys.
const (
	// MostEvents is how often a run may close a window, or ask its autoscaler. That many take an hour of wall time and
	// 10 GB of record.
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
		{"telemetry.report_period", cmp.Or(s.Telemetry.ReportPeriod, units.Never), "reports"},
	}
}

func (i interval) in(t units.Time) int64 { return int64(t / max(1, i.every)) }

func (i interval) want(t units.Time) string {
	return fmt.Sprintf("%v or more: with this there are %d %s in %v, and at most %d are possible",
		(t+MostEvents-1)/MostEvents, i.in(t), i.what, t, MostEvents)
}

// CheckLength reports an error if a run that lasts until end has too many windows or evaluations of the autoscaler. A
// scenario that has a duration was checked when it was read.
func (s *Scenario) CheckLength(end units.Time) error {
	var errs []*Error
	for _, i := range s.intervals() {
		if i.in(end) > MostEvents {
			errs = append(errs, &Error{File: s.Name, Key: i.key,
				Found: i.every.String(), Expected: i.want(end)})
		}
	}
	return strictyaml.Join(errs)
}

// packetRules are what only the packet engine asks of a scenario.
func (s *Scenario) packetRules() []strictyaml.Rule {
	const longest = 1 << 20 // ring of an instance
	all := []strictyaml.Rule{
		rule("vnf.buffer engine", s.VNF.Buffer > longest, fmt.Sprintf("at most %d with engine: packet", longest)),
	}
	for _, r := range []struct {
		key         string
		rate, least float64
		want        string
	}{
		{"nic.slowpath_rate", float64(s.NIC.SlowPathRate), 1, "1pps"},
		{"nic.eswitch_limit", float64(s.NIC.ESwitchLimit), 1, "1pps"},
		{"nic.link", float64(s.NIC.Link), 1e6, "1Mbps"},
	} {
		all = append(all, rule(r.key+" engine", r.rate != 0 && (r.rate < r.least || r.rate > 1e12),
			fmt.Sprintf("0, or %s to 1e12 a second, with engine: packet", r.want)))
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
		all = append(all,
			rule("vnf.service_times engine", weights > 1<<40, fmt.Sprintf("weights that sum to at most %d", 1<<40)),
			rule("vnf.service_times engine", mean < 1, "a mean of at least 1ps"))
	}
	return all
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
func (s *Source) rules(in *Scenario) []strictyaml.Rule {
	all := rules{rule("tenant", s.Tenant != "" && !plainName(s.Tenant),
		"a name of at most 200 bytes, not . or .., without / and \\ or anything not printable")}
	if s.CBR != nil {
		all.below("cbr", s.CBR.rules(in.Engine))
	}
	if s.Flows != nil {
		all = append(all, rule("flows", len(s.Flows) == 0, "at least one flow"))
	}
	for i := range s.Flows {
		all.below(fmt.Sprintf("flows.%d", i), s.Flows[i].rules())
	}
	for _, r := range s.recordings() {
		if r.Trace != nil {
			all.below(r.key, r.rules(r.key == "pcap"))
		}
	}
	if s.Model != nil {
		all.below("model", s.Model.rules(in.Duration))
	}
	if s.Load != nil {
		all.below("load", s.Load.rules(in.Engine))
	}
	if s.Services != nil {
		all.below("services", s.Services.rules(in.Engine))
	}
	if d := s.Diurnal; d != nil {
		all.below("diurnal", shapeRules(in, "mean", d.Mean, d.Step, d.Lifetime, d.Flows))
	}
	if s.Requests != nil {
		all.below("requests", s.Requests.rules())
	}
	all = append(all, s.patternRules(in)...)
	all = append(all, s.frameRules()...)
	if f := s.FlashCrowd; f != nil {
		all.below("flash_crowd", shapeRules(in, "base", f.Base, f.Step, f.Lifetime, f.Flows))
	}
	return all
}

// atOnce is the rule of equal flows that begin together.
func atOnce(engine string, flows int) strictyaml.Rule {
	return rule("flows", engine == "packet" && flows > mostAtOnce,
		fmt.Sprintf("at most %d, which begin at one instant, with engine: packet", mostAtOnce))
}

func (c *CBR) rules(engine string) []strictyaml.Rule {
	atOnce := c.Arrivals == "constant" && c.Interval == 0 && c.Flows > mostAtOnce
	return append([]strictyaml.Rule{
		rule("total rate", c.Total == 0 && c.Rate == 0, "a bit rate above 0 for all flows, or rate"),
		rule("rate total", c.Total != 0 && c.Rate != 0, "total or rate, not both"),
		rule("flows interval", engine == "packet" && atOnce, fmt.Sprintf(
			"an interval above 0, or at most %d flows, which begin at one instant, with engine: packet", mostAtOnce)),
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
		atOnce(engine, l.Flows),
		rule("to from", l.To != 0 && l.To <= l.From, "a time after from, "+l.From.String()),
	}
}
