package scenarios

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Requests is a source of requests, each of which an instance serves by itself.
type Requests struct {
	Arrivals string     `yaml:"arrivals" enum:"poisson|mmpp|on-off|file|closed" default:"poisson"`
	Rate     float64    `yaml:"rate" default:"0" min:"0" max:"1e12"`
	Load     float64    `yaml:"load" default:"0" min:"0" max:"1000"`
	Burst    float64    `yaml:"burst" default:"10" min:"1" max:"1e6"`
	On       units.Time `yaml:"on_time" default:"1ms" above:"0" max:"1h"`
	Off      units.Time `yaml:"off_time" default:"1ms" above:"0" max:"1h"`
	Sources  int        `yaml:"sources" default:"100" min:"1" max:"1000000"`
	Shape    float64    `yaml:"shape" default:"1.5" above:"1" max:"10"`
	File     string     `yaml:"file"`
	Clients  int        `yaml:"clients" default:"0" min:"0" max:"10000000"`
	Think    units.Time `yaml:"think_time" default:"0s" min:"0" max:"1h"`
	Classes  []Class    `yaml:"classes" required:"true"`
	Tenants  int        `yaml:"tenants" default:"0" min:"0" max:"65536"`
	Zipf     float64    `yaml:"zipf" default:"0" min:"0" max:"10"`
	Sessions int        `yaml:"sessions" default:"0" min:"0" max:"1000000000"`
	SLO      units.Time `yaml:"slo" default:"0s" min:"0"`
}

// Docs implements strictyaml.Documented.
func (Requests) Docs() string {
	return `
arrivals: when requests come. Open loop: poisson; mmpp, Poisson at one rate in bursts and at another between them, both
	of exponential length; on-off, many sources that send at a constant rate while they are on, on and off for times of a
	Pareto distribution, which gives self-similar traffic; file, at the times that a file lists. closed: clients that send
	the next request when the reply to the last one has come and they have thought
rate: open loop: requests a second, in the mean; or give load
load: open loop: the rate as a share of what the instances of the beginning can serve; or give rate
burst: mmpp: the rate in a burst, over that between bursts
on_time: mmpp: mean length of a burst; on-off: mean time for which a source sends
off_time: mmpp: mean time between bursts; on-off: mean time for which a source is silent
sources: on-off: how many
shape: on-off: of the Pareto distribution; below 2 its variance is infinite
file: file: a CSV file, its path relative to the scenario's: lines of a time, in ps without a unit, in order, and, after
	a comma, a service time instead of one that is drawn
clients: closed: how many
think_time: closed: mean time from a reply to the client's next request, exponential; 0s for none
classes: what is asked for: each request is of one class
tenants: how many tenants the requests belong to, named NAME-1, NAME-2 and so on after the source's tenant, or tenant; 0
	for the source's tenant alone
zipf: with tenants: tenant i has requests in proportion to 1/i to this power; 0 for equal shares
sessions: to how many sessions the requests belong, each with the same chance; 0: each is its own
slo: objective: the end-to-end time beyond which a request violates it, for classes without one of their own; 0s for none
`
}

// Class is a kind of request: how long its service takes, and what it asks for.
type Class struct {
	Name       string  `yaml:"name" default:"request"`
	Share      float64 `yaml:"share" default:"1" above:"0" max:"1e9"`
	ServiceLaw `yaml:",inline"`
	Priority   int        `yaml:"priority" default:"0" min:"0" max:"63"`
	SLO        units.Time `yaml:"slo" default:"0s" min:"0"`
	Path       []Visit    `yaml:"path"`
}

// Docs implements strictyaml.Documented.
func (Class) Docs() string {
	return `
name: of the class, in the record
share: of the source's requests, in proportion to the shares of its other classes
priority: the larger, the more urgent, for policies that go by it and for vnf.queue: priority
slo: objective: the end-to-end time beyond which a request violates it; 0s for the source's
path: with services: those that its requests visit, in order, instead of a service time here; one may come again
`
}

// Unused implements strictyaml.Partial: a class with a path says at each service how long it takes.
func (c Class) Unused(key string) bool {
	if key == "path" {
		return len(c.Path) == 0
	}
	return len(c.Path) > 0 && strictyaml.HasKey(ServiceLaw{}, key)
}

// ServiceLaw is how long services take.
type ServiceLaw struct {
	Service      string        `yaml:"service" enum:"exponential|deterministic|empirical" default:"exponential"`
	Mean         units.Time    `yaml:"mean" default:"0s" min:"0" max:"1s"`
	ServiceTimes []ServiceTime `yaml:"service_times"`
	ServiceFile  string        `yaml:"service_file"`
}

// Docs implements strictyaml.Documented.
func (ServiceLaw) Docs() string {
	return `
service: distribution of the service time; empirical has the values below, as two of them make it bimodal
mean: exponential: the mean; deterministic: the time
service_times: empirical: service times
service_file: empirical, instead of service_times: a CSV file as vnf.service_file is one
`
}

// MeanService is the mean service time in picoseconds; false where it is in a file.
func (c *ServiceLaw) MeanService() (float64, bool) {
	if c.Service != "empirical" {
		return float64(c.Mean), true
	}
	sum, weights := 0.0, 0.0
	for _, t := range c.ServiceTimes {
		sum += float64(float64(t.Time) * float64(t.Weight))
		weights += float64(t.Weight)
	}
	return sum / weights, c.ServiceFile == ""
}

// MostClasses bounds the classes of all sources together, and MostTenants the tenants.
const (
	MostClasses = 1 << 12
	MostTenants = 1 << 16
)

func (r *Requests) rules() []strictyaml.Rule {
	mmpp, onOff := r.Arrivals == "mmpp", r.Arrivals == "on-off"
	file, closed := r.Arrivals == "file", r.Arrivals == "closed"
	open := !file && !closed
	const ms = units.Millisecond
	all := rules{
		rule("rate load arrivals", open && r.Rate == 0 && r.Load == 0,
			"a number above 0 of requests a second, or load"),
		rule("load rate", r.Rate != 0 && r.Load != 0, "rate or load, not both"),
		rule("rate arrivals", !open && r.Rate != 0, "no rate: that of arrivals: "+r.Arrivals+" follows from the rest"),
		rule("load arrivals", !open && r.Load != 0, "no load: that of arrivals: "+r.Arrivals+" follows from the rest"),
		rule("burst arrivals", !mmpp && r.Burst != 10, "arrivals: mmpp with this key"),
		rule("on_time arrivals", !mmpp && !onOff && r.On != ms, "arrivals: mmpp or on-off with this key"),
		rule("off_time arrivals", !mmpp && !onOff && r.Off != ms, "arrivals: mmpp or on-off with this key"),
		rule("sources arrivals", !onOff && r.Sources != 100, "arrivals: on-off with this key"),
		rule("shape arrivals", !onOff && r.Shape != 1.5, "arrivals: on-off with this key"),
		rule("file arrivals", file && r.File == "", "a path, for arrivals: file"),
		rule("file arrivals", !file && r.File != "", "arrivals: file with this key"),
		rule("clients arrivals", closed && r.Clients == 0, "at least 1 for arrivals: closed"),
		rule("clients arrivals", !closed && r.Clients != 0, "arrivals: closed with this key"),
		rule("think_time arrivals", !closed && r.Think != 0, "arrivals: closed with this key"),
		rule("zipf tenants", r.Zipf != 0 && r.Tenants == 0, "tenants with this key"),
		rule("classes", len(r.Classes) == 0, "at least one class"),
	}
	for i := range r.Classes {
		c, key := &r.Classes[i], fmt.Sprintf("classes.%d", i)
		all = append(all, rule(key+".name", !plainName(c.Name),
			"a name of at most 200 bytes, without / and \\ or anything not printable"))
		if len(c.Path) == 0 {
			all = append(all, c.ServiceLaw.rules(key, r.Load != 0)...)
			continue
		}
		all = append(all, rule(key+".path arrivals", file,
			"no path with arrivals: file, whose service times are of one"))
		for _, k := range strictyaml.Keys(&ServiceLaw{}) {
			here, _ := strictyaml.Lookup(&c.ServiceLaw, k)
			all = append(all, rule(key+"."+k+" "+key+".path", !reflect.DeepEqual(here, withoutLaw(k)),
				"no service time of a class with a path, which has them"))
		}
		for j := range c.Path {
			all = append(all, c.Path[j].ServiceLaw.rules(fmt.Sprintf("%s.path.%d", key, j), r.Load != 0)...)
		}
	}
	return all
}

// withoutLaw is the value at a key of a ServiceLaw that says nothing.
func withoutLaw(key string) any {
	var none ServiceLaw
	strictyaml.Defaults(&none)
	v, _ := strictyaml.Lookup(&none, key)
	return v
}

// rules are those below a key; loaded says that the source has a load.
func (c *ServiceLaw) rules(key string, loaded bool) (all rules) {
	_, known := c.MeanService()
	all.below(key, c.relations())
	return append(all, rule("load "+key+".service_file", loaded && !known,
		"rate: what the instances can serve is not known before "+c.ServiceFile+" is read"))
}

func (c *ServiceLaw) relations() []strictyaml.Rule {
	const withThis = "service: empirical with this key"
	empirical, times, file := c.Service == "empirical", len(c.ServiceTimes) > 0, c.ServiceFile != ""
	some, weights := false, uint64(0)
	for _, t := range c.ServiceTimes {
		some = some || t.Time > 0 && t.Weight > 0
		weights += uint64(t.Weight)
	}
	return []strictyaml.Rule{
		rule("mean service", !empirical && c.Mean == 0, "a time above 0, for service: "+c.Service),
		rule("mean service", empirical && c.Mean != 0, "no mean: service: empirical has its times as they are"),
		rule("service_times service service_file", empirical && !file && !some,
			"at least one time above 0, or service_file, for service: empirical"),
		rule("service_times service", weights > 1<<40, fmt.Sprintf("weights that sum to at most %d", 1<<40)),
		rule("service_file service_times", file && times, "service_times or service_file, not both"),
		rule("service_times service", !empirical && times, withThis),
		rule("service_file service", !empirical && file, withThis),
	}
}

// requestRules are what only the engine of requests asks of a scenario, and what only others take.
func (s *Scenario) requestRules() []strictyaml.Rule {
	const without = "no value of its own with engine: request, where it means nothing"
	all := rules(s.serviceRules())
	if s.Engine != "request" {
		for i := range s.Workload {
			all = append(all, rule(fmt.Sprintf("workload.%d.requests engine", i), s.Workload[i].Requests != nil,
				"engine: request with this source"))
		}
		row := scheduler.Policies.Find(s.Scheduler.Policy.Name)
		return append(all, rule("vnf.queue engine", s.VNF.Queue != "fifo", "engine: request with this key"),
			rule("scheduler.policy engine", row != nil && !row.On(policy.Flows),
				"a policy that decides on flows, or engine: request"))
	}
	var def Scenario
	strictyaml.Defaults(&def)
	for _, key := range meaningless {
		here, _ := strictyaml.Lookup(s, key)
		there, _ := strictyaml.Lookup(&def, key)
		all = append(all, rule(key+" engine", !reflect.DeepEqual(here, there), without))
	}
	all = append(all,
		rule("duration engine", s.Duration == 0, "a time above 0 such as 1s with engine: request"),
		rule("stack engine", s.Stack != "",
			"no stack with engine: request, whose requests meet neither a switch's rules nor a collector"),
		rule("measure.delay engine", s.Measure.Delay == "flows", "none or instances with engine: request"),
		rule("nic engine", s.NIC.Dispatch == "none", "a NIC with a stage that dispatches requests: "+s.NIC.Profile+
			" has none (dispatch: none)"),
		rule("instances.initial engine", s.Instances.Initial == 0, "at least 1 with engine: request"),
		rule("nodes.keep engine", s.Nodes != nil && s.Nodes.Keep != 0,
			"0 with engine: request, whose one record has all nodes and instances"))
	for _, key := range []string{"initial", "min", "max"} {
		here, _ := strictyaml.Lookup(&s.Instances, key)
		there, _ := strictyaml.Lookup(&def.Instances, key)
		all = append(all, rule("instances."+key+" services", len(s.Services) > 0 && here != there,
			"no value of its own with services, each of which says how many it has"))
	}
	if row := scheduler.Policies.Find(s.Scheduler.Policy.Name); row != nil {
		all = append(all, rule("scheduler.policy engine", dispatch.Check(row) != nil,
			"a policy that decides on requests: "+strings.Join(OfRequests(), ", ")))
	}
	all = append(all, s.fleetRules()...)
	names, classes, tenants := map[string]bool{}, 0, 0
	for i := range s.Workload {
		r := s.Workload[i].Requests
		if r == nil {
			all = append(all, rule(fmt.Sprintf("workload.%d engine", i), true,
				"requests, the source of engine: request"))
			continue
		}
		classes, tenants = classes+len(r.Classes), tenants+max(1, r.Tenants)
		for j := range r.Classes {
			name := r.Classes[j].Name
			all = append(all, rule(fmt.Sprintf("workload.%d.requests.classes.%d.name", i, j), names[name],
				"a name that no other class has"))
			names[name] = true
		}
		all.below(fmt.Sprintf("workload.%d.requests", i), s.pathRules(r))
		rate := s.RequestRate(r)
		tooMany := r.Load != 0 && rate > 1e12 && !math.IsInf(rate, 1)
		all = append(all, rule(fmt.Sprintf("workload.%d.requests.load", i), tooMany,
			"a lower one: at most 1e12 requests a second"))
	}
	return append(all,
		rule("workload", classes > MostClasses, fmt.Sprintf("at most %d classes", MostClasses)),
		rule("workload", tenants > MostTenants, fmt.Sprintf("at most %d tenants", MostTenants)))
}

// fleetRules are what the engine of requests asks of a scenario whose number of instances can change.
func (s *Scenario) fleetRules() (all []strictyaml.Rule) {
	if s.Autoscaler.Validate() == nil {
		if err := s.Autoscaler.CheckRequests(); err != nil {
			_, why, _ := strings.Cut(err.Error(), ": ")
			all = append(all, rule("autoscaler.policy engine", true, "another policy: "+why))
		}
	}
	const several = "none with nodes or services of engine: request, whose instances stay as they are"
	rack := s.Nodes != nil || len(s.Services) > 0
	all = append(all, rule("autoscaler.policy nodes services engine", rack && !s.Autoscaler.Static(), several))
	for i := range s.Faults {
		if f := &s.Faults[i]; !f.OfRack() {
			key := fmt.Sprintf("faults.%d.kind", i)
			all = append(all, rule(key+" nodes services engine", rack, several),
				rule(key+" engine", !slices.Contains(faultsOfRequests, f.Kind), strings.Join(faultsOfRequests, ", ")+
					" with engine: request, which has no rules, and a link that does not fail"))
		}
	}
	return all
}

// faultsOfRequests are the kinds of faults that requests can meet, but for those of racks.
var faultsOfRequests = []string{"instance-death", "engine-stall", "engine-failure", "counters-stall"}

// meaningless are the keys that say nothing of requests.
var meaningless = []string{
	"vnf.service", "vnf.service_times", "vnf.service_file", "vnf.per_byte", "vnf.contention.model",
	"vnf.contention.lambda", "vnf.contention.sigma", "vnf.contention.kappa", "vnf.contention.points",
	"vnf.contention.rate", "vnf.contention.service_time", "vnf.contention.share", "vnf.idle_contend", "vnf.cpu",
	"vnf.memory", "vnf.memory_per_flow", "instances.minconn",
	"instances.fullconn", "instances.slow_start", "telemetry.delay", "telemetry.report_period",
	"telemetry.report_delay", "measure.flows", "packet.jump", "scheduler.rules", "scheduler.move_budget",
	"scheduler.offload.after", "scheduler.unit", "scheduler.gap",
}

// OfRequests names the policies that can decide on requests.
func OfRequests() (names []string) {
	for i := range scheduler.Policies {
		if dispatch.Check(&scheduler.Policies[i]) == nil {
			names = append(names, scheduler.Policies[i].Name)
		}
	}
	return names
}

// TenantNames are the tenants of a source, in their order: that of the source, unless its requests have more.
func (s *Source) TenantNames() []string {
	if s.Requests == nil || s.Requests.Tenants == 0 {
		return []string{s.Tenant}
	}
	base := s.Tenant
	if base == "" {
		base = "tenant"
	}
	names := make([]string, s.Requests.Tenants)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", base, i+1)
	}
	return names
}
