package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Service is a network function of a chain of requests: instances of its own, among which a policy of its own decides.
type Service struct {
	Name      string            `yaml:"name" required:"true"`
	Instances int               `yaml:"instances" required:"true" min:"1" max:"65536"`
	Nodes     []int             `yaml:"nodes"`
	Scheduler *ServiceScheduler `yaml:"scheduler"`
	Buffer    int               `yaml:"buffer" default:"0" min:"0" max:"16777216"`
	Queue     string            `yaml:"queue" enum:"vnf|fifo|priority" default:"vnf"`
}

// Docs implements strictyaml.Documented.
func (Service) Docs() string {
	return `
name: by which the path of a class names it
instances: how many it has on each node where it runs
nodes: the numbers of the nodes where it runs, in order; without it, all
scheduler: what its scheduler has of its own; without it, that of the scenario
buffer: as vnf.buffer; 0 for that
queue: as vnf.queue; vnf for that
`
}

// ServiceScheduler is what the scheduler of a service has of its own.
type ServiceScheduler struct {
	Policy strictyaml.Choice `yaml:"policy" default:"round-robin"`
}

// Docs implements strictyaml.Documented.
func (ServiceScheduler) Docs() string {
	return `
policy: which of the service's instances takes a request
`
}

// Choices implements strictyaml.Chooser.
func (ServiceScheduler) Choices(key string) []strictyaml.Choice {
	all := scheduler.Options{}.Choices(key)
	return slices.DeleteFunc(all, func(c strictyaml.Choice) bool {
		return dispatch.Check(scheduler.Policies.Find(c.Name)) != nil
	})
}

// Visit is a stop on the way of a request: a service, and how long it takes there.
type Visit struct {
	At         string `yaml:"at" required:"true"`
	ServiceLaw `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (Visit) Docs() string {
	return `
at: the name of a service
`
}

// Bounds of what a run of requests can hold.
const (
	MostVisits    = 64      // of a request
	MostInstances = 1 << 16 // of all services on all nodes
)

// NodeCount is how many nodes there are: 1 without nodes.
func (s *Scenario) NodeCount() int {
	if s.Nodes == nil {
		return 1
	}
	return s.Nodes.Count
}

// Chain is the services of a scenario of requests, with all their keys. Without any it is one, which has no name.
func (s *Scenario) Chain() []Service {
	if len(s.Services) == 0 {
		return []Service{s.complete(Service{Instances: s.Instances.Initial, Queue: "vnf"})}
	}
	all := slices.Clone(s.Services)
	for i := range all {
		all[i] = s.complete(all[i])
	}
	return all
}

func (s *Scenario) complete(v Service) Service {
	v.Buffer = cmp.Or(v.Buffer, s.VNF.Buffer)
	if v.Queue == "vnf" {
		v.Queue = s.VNF.Queue
	}
	if v.Scheduler == nil {
		v.Scheduler = &ServiceScheduler{s.Scheduler.Policy}
	}
	if len(v.Nodes) == 0 {
		v.Nodes = make([]int, s.NodeCount())
		for i := range v.Nodes {
			v.Nodes[i] = i + 1
		}
	}
	return v
}

// Dispatcher is what the host of a policy of requests is made from: that of the first service on the first node.
func (s *Scenario) Dispatcher() dispatch.Config { return s.StationDispatcher(0, 1) }

// StationDispatcher is what the host of a service is made from on a node. Services are numbered from 0, nodes from 1.
func (s *Scenario) StationDispatcher(service, node int) dispatch.Config {
	c := dispatch.Config{Seed: s.serviceSeed(service, node), Scheduler: s.Scheduler, Weights: s.Instances.Weights,
		MaxConn: s.Instances.MaxConn, Held: s.NIC.DispatchHeld}
	if service < len(s.Services) && s.Services[service].Scheduler != nil {
		c.Scheduler.Policy = s.Services[service].Scheduler.Policy
	}
	return c
}

// RackDispatcher is what the host is made from that chooses a node of those where a service runs.
func (s *Scenario) RackDispatcher(service int) dispatch.Config {
	return dispatch.Config{Seed: s.serviceSeed(service, 0), Scheduler: s.Nodes.Dispatcher, Held: s.NIC.DispatchHeld}
}

func (s *Scenario) serviceSeed(service, node int) uint64 {
	seed := s.NodeSeed(node)
	if service == 0 {
		return seed
	}
	return numeric.Streams("scenarios/services").At(seed, uint64(service)).Uint64()
}

// RequestRate is how many requests a second a source offers in the mean; 0 where that follows from something else than
// its keys. A load is that of the instances of the beginning or, of services, of those that have most to do for what
// they can.
func (s *Scenario) RequestRate(r *Requests) float64 {
	if r.Load == 0 {
		return r.Rate
	}
	chain := s.Chain()
	work, shares := make([]float64, len(chain)), 0.0
	for i := range r.Classes {
		c := &r.Classes[i]
		shares += c.Share
		if len(c.Path) == 0 {
			m, _ := c.MeanService()
			work[0] += float64(c.Share * m)
		}
		for j := range c.Path {
			if at := s.service(c.Path[j].At); at >= 0 {
				m, _ := c.Path[j].MeanService()
				work[at] += float64(c.Share * m)
			}
		}
	}
	rate := 0.0
	for i := range chain {
		if work[i] == 0 {
			continue
		}
		instances := float64(chain[i].Instances * len(chain[i].Nodes))
		if len(s.Instances.Speed) > 0 { // there is one service
			instances = 0
			for number := range s.Instances.Initial {
				instances += s.Instances.SpeedOf(number + 1)
			}
		}
		if x := r.Load * instances / (work[i] / shares) * float64(units.Second); rate == 0 || x < rate {
			rate = x
		}
	}
	return rate
}

// service is the number of a service, or -1.
func (s *Scenario) service(name string) int {
	return slices.IndexFunc(s.Services, func(v Service) bool { return v.Name == name })
}

// Visits are the services that a class visits, by number, and how long each takes there.
func (s *Scenario) Visits(c *Class) (at []int, laws []ServiceLaw) {
	if len(c.Path) == 0 {
		return []int{0}, []ServiceLaw{c.ServiceLaw}
	}
	for i := range c.Path {
		at, laws = append(at, s.service(c.Path[i].At)), append(laws, c.Path[i].ServiceLaw)
	}
	return at, laws
}

// serviceRules are those of services, and of where they run.
func (s *Scenario) serviceRules() []strictyaml.Rule {
	var all rules
	total := 0
	for i := range s.Services {
		v, key := &s.Services[i], fmt.Sprintf("services.%d.", i)
		all = append(all, rule(key+"name", !plainName(v.Name),
			"a name of at most 200 bytes, without / and \\ or anything not printable"),
			rule(key+"name", s.service(v.Name) < i, "a name that no other service has"),
			rule(key+"nodes", s.Nodes == nil && len(v.Nodes) > 0, "nodes of the scenario with this key"))
		for j, n := range v.Nodes {
			all = append(all, rule(fmt.Sprintf("%snodes.%d", key, j), s.Nodes != nil && (n < 1 || n > s.Nodes.Count),
				fmt.Sprintf("1 to nodes.count, %d", s.NodeCount())),
				rule(fmt.Sprintf("%snodes.%d", key, j), j > 0 && n <= v.Nodes[j-1], "nodes in increasing order"))
		}
		all = append(all, rule(key+"name workload", s.Engine == "request" && !s.visited(v.Name),
			"a service that the path of a class visits"))
	}
	for _, v := range s.Chain() {
		total += v.Instances * len(v.Nodes)
	}
	if s.Engine == "request" {
		keys := "instances.initial nodes.count"
		if len(s.Services) > 0 {
			keys = "services nodes.count"
		}
		all = append(all, rule(keys, total > MostInstances,
			fmt.Sprintf("at most %d instances on all nodes, and not %d", MostInstances, total)))
	}
	return append(all, rule("services engine", len(s.Services) > 0 && s.Engine != "request",
		"engine: request with this key"))
}

// visited says whether the path of any class visits a service.
func (s *Scenario) visited(name string) bool {
	for i := range s.Workload {
		if r := s.Workload[i].Requests; r != nil {
			for j := range r.Classes {
				if slices.ContainsFunc(r.Classes[j].Path, func(v Visit) bool { return v.At == name }) {
					return true
				}
			}
		}
	}
	return false
}

// pathRules are those of the paths of a source's classes.
func (s *Scenario) pathRules(r *Requests) []strictyaml.Rule {
	var all rules
	var names []string
	for i := range s.Services {
		names = append(names, s.Services[i].Name)
	}
	for i := range r.Classes {
		c, key := &r.Classes[i], fmt.Sprintf("classes.%d.path", i)
		all = append(all, rule(key+" services", len(s.Services) > 0 && len(c.Path) == 0,
			"the services that its requests visit, in order"),
			rule(key+" services", len(s.Services) == 0 && len(c.Path) > 0, "services of the scenario with this key"),
			rule(key, len(c.Path) > MostVisits, fmt.Sprintf("at most %d services", MostVisits)))
		for j := range c.Path {
			known := len(names) == 0 || slices.Contains(names, c.Path[j].At)
			all = append(all, rule(fmt.Sprintf("%s.%d.at", key, j), !known,
				"one of the services "+strings.Join(names, ", ")))
		}
	}
	return all
}
