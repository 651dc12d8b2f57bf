package request

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/units"
)

const never = int64(units.Never)

// job is a request in the system, or one whose refusal is on its way back.
type job struct {
	came     int64 // to the NIC
	at       int64 // when it reaches its instance
	ended    int64 // when its service ends or has ended, or when it was refused
	service  int64
	session  uint64
	number   flow.ID
	next     int32  // in the list that it is in; -1 at the end
	client   int32  // that waits for the reply; -1 for none
	left     int32  // requests that its instance had when it came and, from its reply on, when it sent that
	class    uint16 // of all sources' classes
	tenant   uint16 // of all sources' tenants
	instance uint16 // its number less 1
	priority uint8
	refused  bool // by its instance, which was full
}

// noJob is the job that an instance begins when it has no other: it outlasts the run. So whether one has another, which
// nothing foretells, is no branch.
const noJob = 0

// list is jobs in order.
type list struct{ head, tail int32 }

var empty = list{-1, -1}

// The delays of a request that was replied to.
const (
	wait     = iota // from the instance's taking it in until its service begins
	sojourn         // until its service ends
	endToEnd        // from its coming to the NIC until the reply is back there
	kinds
)

var kindNames = [kinds]string{"wait", "sojourn", "end-to-end"}

// group is what became of the requests of a class or of a tenant.
type group struct {
	offered, replied, dropped, late int64
	slo                             int64 // of a class; never if it has none

	// The delays. Of a request that was nowhere but at its instance, the sojourn is the end-to-end time as well, and is
	// counted once. The sojourns of the others are apart, in slow.
	delays [kinds]packet.Spans
	slow   packet.Spans
}

// took counts a reply.
func (g *group) took(waited, stay, whole int64, late bool) {
	g.replied++
	if late {
		g.late++
	}
	g.delays[wait].Add(waited)
	if stay == whole {
		g.delays[sojourn].Add(stay)
		return
	}
	g.slow.Add(stay)
	g.delays[endToEnd].Add(whole)
}

// settle returns the delays of all requests by kind.
func (g *group) settle() (all [kinds]packet.Spans) {
	all[wait].Merge(&g.delays[wait])
	all[sojourn].Merge(&g.delays[sojourn])
	all[sojourn].Merge(&g.slow)
	all[endToEnd].Merge(&g.delays[sojourn])
	all[endToEnd].Merge(&g.delays[endToEnd])
	return all
}

// station is the instances of a service on a node, and the policy that chooses one of them.
type station struct {
	host    *dispatch.Host
	node    int32
	service int32
	first   int32 // of its instances, whose numbers follow each other
	has     int32 // requests of a rack or a chain that came to the NIC for it, and that it has not replied to
	levels  int

	told, tupled, owned, probing bool // of its policy
	retrying                     bool
	sent, back                   []float64
}

// node is a NIC: a stage that dispatches to its stations.
type node struct {
	stage    list
	staged   int
	deciding int32   // job; -1 if the stage is idle
	freeAt   int64   // when the stage has done the further passes that it was asked for
	stations []int32 // by service; -1 where that does not run here

	member
}

// Engine is a run of requests. Use New; it is not safe for concurrent use.
type Engine struct {
	sc       *scenarios.Scenario
	now      int64
	end      int64
	patience int // events until the next look at the context

	services  tournament // the ends of the instances' services
	stages    tournament // the ends of the stages' work
	dueSource int64
	due       [events]int64 // the next of other kinds than services and sources
	dueOther  int64         // no later than any of due

	jobs   []job
	free   int32
	count  int64 // requests so far
	inside int64 // in the system
	work   policy.Work

	sources   []source
	coming    *source // whose request is next, while dueSource is not never
	classes   []class
	tenants   []string
	byClass   []group
	byTenant  []group // empty where there is one tenant
	instances []instance
	spans     [][kinds]packet.Spans // of the instances, with measure.delay: instances; else nil
	stations  []station             // node by node
	nodes     []node
	network          // empty where there is one NIC without services
	fleet     *fleet // nil where the number of instances does not change

	slot    int64 // of a stage, a pass; 0 for no limit
	latency int64
	pass    int64
	ways    []int64 // the links to instances: each delay that any has, the shortest first
	queue   int     // room of a stage's queue

	flights []list   // on the way to instances, by the number of further passes
	replies []list   // by way
	asked   []probes // on the way to instances, by way
	answers []probes // on the way back, by way

	occupied [occupancies]uint64 // ps of all instances, by how many jobs they had; the last for more
	tally    tally
	began    int64 // the window
	win      results.Window
	rows     []results.Instance
}

// occupancies is how many numbers of jobs at an instance are told apart.
const occupancies = 64

// tally is what happened, in all and in this window.
type tally struct {
	counts
	sent                                     int64 // to instances, in this window
	win                                      counts
	placed, passes, probes, answers, replies uint64
	mostHeld                                 int
}

// counts are requests: those that came, those that were replied to, and those that were lost, by cause.
type counts struct {
	offered, replied int64
	lost             [causes]int64
}

// cause says by what a request was lost.
type cause uint8

const (
	byStage     cause = iota // a NIC's stage, whose queue was full
	byRejection              // a policy, or where as many were held as may be, or a dispatcher that is dead
	byInstance               // an instance that was full, or died
	byLink                   // on the way to a node that is dead
	causes
)

func (c *counts) add(d *counts) {
	c.offered += d.offered
	c.replied += d.replied
	for k, n := range d.lost {
		c.lost[k] += n
	}
}

func (c *counts) dropped() (n int64) {
	for _, lost := range c.lost {
		n += lost
	}
	return n
}

// New makes a run of a scenario, or says why that cannot be. It reads the files that the scenario names.
func New(sc *scenarios.Scenario) (*Engine, error) { return Under(sc, nil, nil) }

// Under is New under policies that need not be in the table: of each station, and of a rack's dispatcher; nil for those
// of the scenario.
func Under(sc *scenarios.Scenario, station, rack *policy.Row) (*Engine, error) {
	e := &Engine{sc: sc, end: int64(sc.Duration), free: -1, latency: int64(sc.NIC.DispatchLatency),
		pass: int64(sc.NIC.DispatchPass), queue: sc.NIC.DispatchQueue}
	if r := sc.NIC.DispatchRate; r > 0 {
		e.slot = max(1, int64(float64(units.Second)/r+0.5))
	}
	for kind := range e.due {
		e.due[kind] = never
	}
	if err := e.load(); err != nil {
		return nil, err
	}
	e.jobs = []job{noJob: {service: e.end, next: -1}}
	e.lay()
	if err := e.build(station); err != nil {
		return nil, err
	}
	if err := e.connect(rack); err != nil {
		return nil, err
	}
	var err error
	if e.services, err = newTournament(len(e.instances), e.end); err != nil {
		return nil, err
	}
	if e.stages, err = newTournament(len(e.nodes), e.end); err != nil {
		return nil, err
	}
	if sc.Measure.Delay != "none" {
		e.spans = make([][kinds]packet.Spans, len(e.instances))
	}
	e.due[evWindow] = min(int64(sc.Telemetry.Window), e.end)
	return e, nil
}

// build makes the nodes with their stations and instances.
func (e *Engine) build(row *policy.Row) error {
	chain := e.sc.Chain()
	e.nodes = make([]node, e.sc.NodeCount())
	for n := range e.nodes {
		e.nodes[n] = node{stage: empty, deciding: -1, stations: make([]int32, len(chain))}
		for s := range chain {
			e.nodes[n].stations[s] = -1
			if !slices.Contains(chain[s].Nodes, n+1) {
				continue
			}
			cfg := e.sc.StationDispatcher(s, n+1)
			cfg.Policy = row
			host, err := dispatch.New(cfg)
			if err != nil {
				return err
			}
			e.nodes[n].stations[s] = int32(len(e.stations))
			e.stations = append(e.stations, station{host: host, node: int32(n), service: int32(s),
				levels: e.levelsOf(chain[s].Queue), told: host.Told(), tupled: host.Row().Tuple,
				owned: host.Row().Tenant, probing: host.Probing()})
			n := chain[s].Instances
			if scales(e.sc) { // they come with the run's beginning
				n, e.fleet = 0, &fleet{most: 1 << 16}
			}
			e.equip(&e.stations[len(e.stations)-1], n, int32(chain[s].Buffer))
		}
	}
	for i := range e.stations {
		e.join(&e.stations[i])
	}
	return nil
}

// levelsOf is how many queues an instance has.
func (e *Engine) levelsOf(queue string) int {
	levels := 1
	if queue == "priority" {
		for i := range e.classes {
			levels = max(levels, int(e.classes[i].priority)+1)
		}
	}
	return levels
}

// equip gives a station its instances.
func (e *Engine) equip(st *station, n int, room int32) {
	st.first = int32(len(e.instances))
	st.sent, st.back = make([]float64, n), make([]float64, n)
	queues := make([]list, n*st.levels)
	for i := range queues {
		queues[i] = empty
	}
	var lately []int64
	if st.probing {
		lately = make([]int64, n*occupancies)
	}
	for i := range n {
		in := instance{serving: -1, station: int32(len(e.stations) - 1), room: room,
			queues: queues[i*st.levels : (i+1)*st.levels : (i+1)*st.levels]}
		if st.probing {
			in.lately = lately[i*occupancies : (i+1)*occupancies]
		}
		e.differ(&in, len(e.instances)+1)
		e.instances = append(e.instances, in)
	}
}

// join has the instances of a station take requests.
func (e *Engine) join(st *station) {
	for i := range st.sent {
		st.host.Joined(e.time(), flow.Instance(i+1))
	}
}

// local is the number of an instance at its station.
func (st *station) local(instance uint16) flow.Instance {
	return flow.Instance(int32(instance) - st.first + 1)
}
