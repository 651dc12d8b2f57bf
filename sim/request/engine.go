package request

import (
	"fmt"
	"math/bits"

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

// instance is a server with its queue.
type instance struct {
	n       int32 // jobs in system
	serving int32 // job; -1 if idle
	urgent  uint64
	queues  []list // by priority; one with vnf.queue: fifo. Bit p of urgent says that queue p holds any

	last  int64       // when n changed last
	area  packet.Wide // integral of n
	stays packet.Wide // times of those that have gone

	offered, done, dropped int64 // in this window
	busy                   int64 // time in this window, of services that have ended
	came                   int64 // accepted, in all

	lately []int64 // for probes: see latency
}

// latency is what an instance answers to a probe about its delay: the moving average of the sojourns of requests that
// found as many others there as it has now or, of those numbers with any, the nearest, the lower of two. A new sojourn
// has a weight of 1/8. It is 0 while there is none.
func latency(lately []int64, n int32) int64 {
	at := int(min(n, occupancies-1))
	for d := range occupancies {
		if k := at - d; k >= 0 && lately[k] > 0 {
			return lately[k]
		}
		if k := at + d; k < occupancies && lately[k] > 0 {
			return lately[k]
		}
	}
	return 0
}

// observe takes the sojourn of a request that found n others.
func observe(lately []int64, n int32, stay int64) {
	x := &lately[min(n, occupancies-1)]
	if *x == 0 {
		*x = stay
	}
	*x += (stay - *x) / 8
}

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

// probe is a question to an instance, or its answer.
type probe struct {
	at       int64
	instance int32
	queue    int32
	delay    float64
}

// probes are probes in order.
type probes struct {
	all   []probe
	first int
}

func (p *probes) empty() bool  { return p.first == len(p.all) }
func (p *probes) head() *probe { return &p.all[p.first] }

func (p *probes) push(x probe) {
	if p.first > 0 && len(p.all) == cap(p.all) && p.first >= len(p.all)/2 {
		p.all, p.first = p.all[:copy(p.all, p.all[p.first:])], 0
	}
	p.all = append(p.all, x)
}

func (p *probes) pop() { p.first++ }

// Engine is a run of requests. Use New; it is not safe for concurrent use.
type Engine struct {
	sc       *scenarios.Scenario
	host     *dispatch.Host
	now      int64
	end      int64
	patience int // events until the next look at the context

	// The ends of services: leaf i of leaves is that of instance i, a node the lesser of the two below it. An end is
	// the time and, in the lowest shift bits, the instance.
	tree   []int64
	leaves int
	shift  int
	which  int64 // the lowest shift bits

	dueSource int64
	due       [events]int64 // the next of other kinds than services and sources
	dueOther  int64         // no later than any of due

	jobs    []job
	free    int32
	count   int64 // requests so far
	inside  int64 // in the system
	work    policy.Work
	told    bool
	tupled  bool
	owned   bool
	probing bool

	sources   []source
	coming    *source // whose request is next, while dueSource is not never
	classes   []class
	tenants   []string
	byClass   []group
	byTenant  []group // empty where there is one tenant
	instances []instance
	spans     [][kinds]packet.Spans // of the instances, with measure.delay: instances; else nil
	room      int32
	levels    int
	measure   bool
	fleet     *fleet // nil where the number of instances does not change

	slot     int64 // of the stage, a pass; 0 for no limit
	latency  int64
	pass     int64
	link     int64
	queue    int // room of the stage's queue
	stage    list
	staged   int
	deciding int32 // job; -1 if the stage is idle
	freeAt   int64 // when the stage has done the further passes that it was asked for

	flights  []list // on the way to instances, by the number of further passes
	replies  list
	asked    probes // on the way to instances
	answers  probes // on the way back
	retrying bool

	occupied [occupancies]uint64 // ps of all instances, by how many jobs they had; the last for more
	tally    tally
	began    int64 // the window
	win      results.Window
	rows     []results.Instance
	sent     []float64
	back     []float64
}

// occupancies is how many numbers of jobs at an instance are told apart.
const occupancies = 64

// tally is what happened, in all and in this window.
type tally struct {
	offered, replied, stage, rejected, instance int64
	win                                         struct{ offered, sent, replied, stage, rejected, instance int64 }
	placed, passes, probes, answers, replies    uint64
	mostHeld                                    int
}

// New makes a run of a scenario, or says why that cannot be. It reads the files that the scenario names.
func New(sc *scenarios.Scenario) (*Engine, error) { return Hosted(sc, sc.Dispatcher()) }

// Hosted is New under a host that need not be the scenario's.
func Hosted(sc *scenarios.Scenario, cfg dispatch.Config) (*Engine, error) {
	host, err := dispatch.New(cfg)
	if err != nil {
		return nil, err
	}
	n := sc.Instances.Initial
	e := &Engine{sc: sc, host: host, end: int64(sc.Duration), free: -1, room: int32(sc.VNF.Buffer),
		levels: 1, deciding: -1, stage: empty, replies: empty,
		latency: int64(sc.NIC.DispatchLatency), pass: int64(sc.NIC.DispatchPass), link: int64(sc.NIC.InstanceDelay),
		queue: sc.NIC.DispatchQueue, probing: host.Probing(), told: host.Told(),
		tupled: host.Row().Tuple, owned: host.Row().Tenant, measure: sc.Measure.Delay != "none"}
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
	if sc.VNF.Queue == "priority" {
		for i := range e.classes {
			e.levels = max(e.levels, int(e.classes[i].priority)+1)
		}
	}
	e.grow(2)
	if scales(sc) {
		n, e.fleet = 0, &fleet{most: 1 << 16}
	}
	for range n {
		e.equip()
		host.Joined(0, flow.Instance(len(e.instances)))
	}
	if e.end > never>>e.shift {
		return nil, fmt.Errorf("duration: %v with %d instances, want at most %v", sc.Duration, n,
			units.Time(never>>e.shift))
	}
	e.due[evWindow] = min(int64(sc.Telemetry.Window), e.end)
	return e, nil
}

// equip adds an instance.
func (e *Engine) equip() {
	in := instance{serving: -1, queues: make([]list, e.levels)}
	for p := range in.queues {
		in.queues[p] = empty
	}
	if e.probing {
		in.lately = make([]int64, occupancies)
	}
	e.instances = append(e.instances, in)
	if e.measure {
		e.spans = append(e.spans, [kinds]packet.Spans{})
	}
	e.sent, e.back = append(e.sent, 0), append(e.back, 0)
	if n := len(e.instances); n > e.leaves {
		e.grow(2 * e.leaves)
	}
}

// grow gives the tree so many leaves.
func (e *Engine) grow(leaves int) {
	e.leaves, e.shift = leaves, bits.Len(uint(leaves))-1
	e.which = 1<<e.shift - 1
	e.tree = make([]int64, 2*leaves)
	for i := range e.tree {
		e.tree[i] = never
	}
	for i := range e.instances {
		if s := e.instances[i].serving; s >= 0 {
			e.set(i, e.jobs[s].ended)
		}
	}
}

// set says when the service of an instance ends.
func (e *Engine) set(i int, t int64) {
	tree := e.tree
	p := e.leaves + i
	shift := e.shift & 63
	key := min(t, never>>shift)<<shift | int64(i)
	tree[p] = key
	for p > 1 { // to the top in any case: where a node stays as it is cannot be foreseen, and a guess costs more
		key = min(key, tree[p^1])
		p >>= 1
		tree[p] = key
	}
}

// first is when the next service ends, and at which instance; of several at once, at the lowest. It is not before the
// run's end if none does.
func (e *Engine) first() (t int64, i int) {
	key := e.tree[1]
	return key >> (e.shift & 63), int(key & e.which)
}
