package orchestrator

import (
	"errors"
	"fmt"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// Config is what an orchestrator is made from.
type Config struct {
	Seed       uint64             // root of the random streams; only ties drawn at random use it
	Initial    int                // instances created at Start, 0 to Max
	Min        int                // least number of instances that start, are ready or drain, 0 to Max
	Max        int                // most of them, 1 to MaxInstances
	Window     units.Time         // time between two readings of the counters, above 0
	Reports    units.Time         // time between two readings of the instances' reports; 0 for the window
	Weights    []int              // of the instances by number, the last for all later ones; none: 1 each
	MaxConn    []int              // most flows of the instances, in the same way; 0 and none: no limit
	MinConn    []int              // to how many these may fall, in the same way; 0 and none: not at all
	FullConn   int                // flows with which they are what MaxConn says; 0: always
	SlowStart  units.Time         // how long an instance that comes later has less than its weight; 0: not at all
	Scheduler  scheduler.Options  // which instance takes a new flow
	Autoscaler autoscaler.Options // how many instances there are

	// Policy replaces the scheduling policy that Scheduler names by one that is not in the table; it is nil otherwise.
	Policy *policy.Row

	// Requests is the host of requests, where the instances serve these and there are no flows; nil otherwise.
	// Scheduler then says nothing but the limit of an instance, and its policy must be one that decides on flows.
	Requests Requests
}

// MaxInstances bounds Config.Max.
const MaxInstances = 1 << 16

// Bounds of Config.Weights, and of Config.MaxConn, MinConn and FullConn.
const (
	MaxWeight = 1<<16 - 1
	MostConn  = 1<<31 - 1
)

// maxFlowGap bounds how far a flow's number may lie beyond all earlier ones. Plants number flows in the order of their
// arrival, so a larger gap is a fault of the plant; such a flow is not served.
const maxFlowGap = 1 << 20

// Orchestrator is the state machine. Use New; it is not safe for concurrent use.
type Orchestrator struct {
	cfg    Config
	log    Logger
	sched  *scheduler.Scheduler
	policy policy.Policy
	mover  policy.Mover     // the policy, if it is one; else nil
	demand policy.Estimator // the policy, if it is one; else nil
	keeper policy.Keeper    // the policy, if it is one; else nil
	sees   policy.Class     // what the view shows the policy
	tupled bool             // the policy looks at five-tuples
	owned  bool             // the policy looks at tenants

	ruleless bool // there are no rules: see dispatch.go
	bursts   Bursts
	emptied  bool // Dispatch has taken the last flow off an instance that drains
	listed   bool // which instances take work has changed in this Handle

	scaler  *autoscaler.Autoscaler
	meter   telemetry.Collector
	now     units.Time
	started bool
	reading bool // counters were asked for and have not come
	due     [Timers]units.Time
	actions []Action

	flows   flow.Living[flowState]
	tuples  flow.Living[flow.FiveTuple] // of the flows, where the policy looks at them
	rates   flow.Living[float64]        // of the flows, where the policy is told them
	tenants flow.Living[string]         // of the flows, where the policy looks at them
	counted flow.Column[uint64]         // what their rules had counted at the last reading, where flows are moved
	held    heldFlows
	insts   []instanceState             // by number; 0 is none
	alive   []flow.Instance             // starting, ready or draining, in order
	view    policy.View                 // the ready ones
	astray  map[flow.ID][]flow.Instance // of the few flows whose orders outran each other: where else a rule may lead
	retry   []flow.ID                   // flows whose rule was rejected since the last window
	rules   []policy.Counted
	moves   []policy.Move
	work    policy.Work  // the flow at hand
	event   policy.Event // what the policy is told

	serving   int     // starting or ready
	desired   int     // instances wanted
	share     float64 // of a core, of those that are created; 0 for all of it
	createdAt units.Time

	decision   Decision
	candidates []Candidate
	snapshot   policy.Snapshot   // for the autoscaler
	victims    []policy.Instance // for the choice of a victim
}

// Validate reports the first key whose value makes no sense, with what is expected.
func (c *Config) Validate() error {
	switch {
	case c.Window <= 0:
		return fmt.Errorf("telemetry.window: %v, want a time above 0", c.Window)
	case c.Max < 1 || c.Max > MaxInstances:
		return fmt.Errorf("instances.max: %d, want 1 to %d", c.Max, MaxInstances)
	case c.Min < 0 || c.Min > c.Max:
		return fmt.Errorf("instances.min: %d, want 0 to instances.max, which is %d", c.Min, c.Max)
	case c.Initial < 0 || c.Initial > c.Max:
		return fmt.Errorf("instances.initial: %d, want 0 to instances.max, which is %d", c.Initial, c.Max)
	case c.Reports < 0:
		return fmt.Errorf("telemetry.report_period: %v, want 0 or more", c.Reports)
	case c.FullConn < 0 || c.FullConn > MostConn:
		return fmt.Errorf("instances.fullconn: %d, want 0 to %d", c.FullConn, MostConn)
	case c.SlowStart < 0:
		return fmt.Errorf("instances.slow_start: %v, want 0 or more", c.SlowStart)
	}
	if err := inRange("instances.weights", c.Weights, MaxWeight); err != nil {
		return err
	}
	if err := inRange("instances.maxconn", c.MaxConn, MostConn); err != nil {
		return err
	}
	if err := inRange("instances.minconn", c.MinConn, MostConn); err != nil {
		return err
	}
	if err := c.Scheduler.Validate(); err != nil {
		return err
	}
	if err := c.Autoscaler.Validate(); err != nil {
		return err
	}
	if below, hot := c.Autoscaler.Rates(c.Scheduler.Limit); below > hot {
		return fmt.Errorf("autoscaler.below: %v, want at most %v, above which an instance is hot", below, hot)
	}
	switch {
	case c.Min > 0:
	case !c.Autoscaler.Wakes() && c.Initial == 0:
		return fmt.Errorf("instances.initial: 0 with instances.min: 0 and autoscaler.policy: %s, under which "+
			"no instance would ever start: want 1 or more of either", c.Autoscaler.Policy.Name)
	case !c.Autoscaler.Static() && c.Scheduler.NoInstance == "drop":
		return errors.New("instances.min: 0 with scheduler.no_instance: drop, under which nothing would bring the " +
			"last instance back: want 1 or more, or no_instance: hold")
	}
	return nil
}

func inRange(key string, list []int, most int) error {
	for i, x := range list {
		if x < 0 || x > most {
			return fmt.Errorf("%s.%d: %d, want 0 to %d", key, i, x, most)
		}
	}
	return nil
}

// New makes an orchestrator, or says which key of the configuration is wrong. log may be nil.
func New(cfg Config, log Logger) (*Orchestrator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	o := &Orchestrator{cfg: cfg, log: log, insts: make([]instanceState, 1, cfg.Max+1)}
	var err error
	if o.sched, err = newScheduler(&cfg); err != nil {
		return nil, err
	}
	o.sees, o.tupled, o.owned = o.sched.Row().Sees, o.sched.Row().Tuple, o.sched.Row().Tenant
	o.policy = o.sched.Policy
	o.mover, _ = o.policy.(policy.Mover)
	o.demand, _ = o.policy.(policy.Estimator)
	o.keeper, _ = o.policy.(policy.Keeper)
	o.ruleless = o.sched.Ruleless()
	o.held.ranker, _ = o.policy.(policy.Ranker)
	if o.scaler, err = autoscaler.New(cfg.Autoscaler, cfg.Seed); err != nil {
		return nil, err
	}
	o.view.Limit, o.view.SlowStart = float64(cfg.Scheduler.Limit), cfg.SlowStart
	o.view.FullConn = int32(cfg.FullConn)
	return o, nil
}

// WantsRates reports whether the policy is an oracle, to which the plant must tell the Rate of each flow that arrives:
// what the flow offers, in packets a second on average over its life. Other policies' events have none.
func (o *Orchestrator) WantsRates() bool { return o.sees.Has(policy.T5) }

func newScheduler(cfg *Config) (*scheduler.Scheduler, error) {
	if cfg.Policy != nil {
		return scheduler.Host(cfg.Policy, cfg.Scheduler, cfg.Seed)
	}
	return scheduler.New(cfg.Scheduler, cfg.Seed)
}

// Counts is what the policies have done so far.
func (o *Orchestrator) Counts() *scheduler.Counts {
	c := o.sched.Counts()
	c.Scaling = o.scaler.Counts()
	return c
}

// tell tells the policy what has happened.
func (o *Orchestrator) tell(k policy.Kind, slot int, w *policy.Work) {
	e := &o.event
	e.Kind, e.Slot, e.Work = k, slot, w
	o.policy.Observe(e, &o.view)
}

// Handle takes one event and returns what is to be done about it, in that order. The slice is valid until the next
// Handle. Events come in order of time, and Start first; before it, and twice, nothing happens. An event that names a
// flow or an instance that is not there, or that comes too late to matter, is ignored.
//
// Cost: a flow's event takes time in proportion to the ready instances; a failure or a drain, in proportion to the
// flows that move; everything else, to the instances. Nothing grows with the number of flows there are.
func (o *Orchestrator) Handle(now units.Time, e *Event) []Action {
	o.actions = o.actions[:0]
	o.now, o.view.Now = now, now
	if !o.started {
		if e.Kind == Start {
			o.start()
		}
		return o.actions
	}
	switch e.Kind {
	case FlowArrived:
		o.flowArrived(e)
	case FlowEnded:
		o.flowEnded(e.Flow)
	case RuleInstalled:
		o.ruleInstalled(e.Flow, e.Instance)
	case RuleRejected:
		o.ruleRejected(e.Flow, e.Instance, e.Reason)
	case InstanceReady:
		o.instanceReady(e.Instance)
	case InstanceFailed:
		o.instanceFailed(e.Instance, e.Reason)
	case InstanceGone:
		o.instanceGone(e.Instance)
	case CountersRead:
		o.countersRead(e.Sampled, e.Counters)
	case Tick:
		switch e.Timer {
		case TelemetryTimer:
			o.windowEnds()
		case AutoscaleTimer:
			o.evaluate(e.Rate)
			o.arm(AutoscaleTimer, o.cfg.Autoscaler.Interval)
		case MoveTimer:
			o.readRules()
		case ReportTimer:
			o.readReports()
		case DispatchTimer:
			o.listed = true
		}
	case RulesRead:
		o.rulesRead(e.Rules)
	case InstanceIdle:
		o.finish(e.Instance)
	case InstanceResized:
		o.instanceResized(e.Instance, e.Share, e.Reason)
	case ReportsRead:
		o.reportsRead(e.Sampled, e.Reports)
	case FlowGrown:
		o.flowGrown(e.Flow)
	case BurstsDispatched:
		o.burstsDispatched()
	}
	if o.listed && o.ruleless {
		o.redirect()
	}
	o.listed = false
	return o.actions
}

func (o *Orchestrator) do(a Action) { o.actions = append(o.actions, a) }

// arm sets a timer to the next whole multiple of after since the start.
func (o *Orchestrator) arm(t Timer, after units.Time) {
	// From one due time to the next, so that timers do not drift apart where time goes on while they are handled.
	due := &o.due[t]
	switch late := o.now - *due; {
	case *due > units.Never-after || o.now > units.Never-after:
		*due = units.Never
	default:
		*due += after + late/after*after
	}
	o.do(Action{Kind: SetTimer, Timer: t, At: *due})
}

func (o *Orchestrator) start() {
	o.started = true
	o.desired = o.cfg.Initial
	for range o.cfg.Initial {
		o.create("initial number")
	}
	o.arm(TelemetryTimer, o.cfg.Window)
	if o.scaler.Active() {
		o.arm(AutoscaleTimer, o.cfg.Autoscaler.Interval)
	}
	if o.mover != nil {
		o.arm(MoveTimer, o.mover.Every())
	}
	o.awaitReports()
}

// windowEnds asks for the counters. What waits for a window is done when they come, or here if the last reading never
// came.
func (o *Orchestrator) windowEnds() {
	if o.reading {
		o.waiting()
	}
	o.do(Action{Kind: ReadCounters})
	o.tell(policy.Asked, 0, nil)
	o.reading = true
	o.arm(TelemetryTimer, o.cfg.Window)
	if !o.scaler.Active() {
		o.replace()
	}
}

func (o *Orchestrator) countersRead(sampled units.Time, counters []Counter) {
	o.reading = false
	before := o.meter.Sampled()
	if o.meter.Read(sampled, counters) {
		for _, id := range o.meter.Resets() {
			o.decided(Decision{Kind: CounterReset, Flow: -1, Instance: id,
				Reason: "a counter fell below its previous value: it counts from zero again"})
		}
		o.measured(before, sampled)
	}
	o.waiting()
}

// waiting does what waits for the end of a window: rejected rules are tried again, flows that are held may fit now, and
// those that could not leave a draining instance may have somewhere to go.
func (o *Orchestrator) waiting() {
	n := len(o.retry)
	for _, f := range o.retry[:n] {
		o.tryAgain(f)
	}
	o.retry = o.retry[:copy(o.retry, o.retry[n:])]
	o.placeHeld()
	if !o.scaler.Moves() || o.serving == len(o.alive) { // none drains
		return
	}
	for i := 0; i < len(o.alive); {
		id := o.alive[i]
		if o.insts[id].state == draining {
			o.moveAway(id)
		}
		if i < len(o.alive) && o.alive[i] == id { // not deleted
			i++
		}
	}
}
