// Package fluid is the data plane as rates: flows have piecewise constant rates, queues are piecewise linear, and there
// is an event only where one of them changes its slope. Constant-rate traffic comes out exactly, in microseconds a run.
//
// # Laziness
//
// No event walks over flows, and none walks over instances that it does not touch. A flow at rate r loses, on each
// stage of its way, r times an integral that all flows of the stage share: the time-integral of the stage's loss per
// unit of rate. The engine advances these few integrals; a flow keeps their values as of its last change, and is
// settled by their differences when it changes again.
//
// # Stages
//
// All flows: the link and the eSwitch, which pass the fraction phi of every flow (global.go). Then, by rule, an
// instance (instance.go), or without a rule the slow path (slowpath.go), a first-in first-out fluid queue whose output
// is its input, later: a change of the input reaches the output when the backlog that it found has been served.
package fluid

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/contention"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// The engine's events.
const (
	evStart    uint8 = iota // the next flow starts
	evSegment               // a flow's segment ends
	evInstance              // an instance's queue fills or empties
	evSlow                  // the slow path's queue fills or empties
	evOut                   // a change of the slow path's input reaches its output
	evPacketIn              // the slow path has served a flow's first packet
	evEnough                // it has as much of a flow as one must have sent for a rule, a packet's service before
	evGrown                 // and has served it
)

// route is where the eSwitch sends a flow.
type route uint8

const (
	absent  route = iota // not started, or ended
	missed               // no rule: to the slow path
	ruled                // to an instance
	dropped              // by a rule that drops
)

// flowState is one flow: what is in force, the integrals at its last settlement, and what has been booked.
type flowState struct {
	rate, size   float64 // packets a second, mean frame bytes
	segment      int32   // the one in force, or the next
	out          int32   // entry in the slow path's output, -1 for none
	route        route
	on           bool // between two segments a flow lives on at rate 0
	announced    bool // its first packet is on its way to the scheduler, or was
	decided      bool // the scheduler has named a target
	grown        bool // it has sent enough for a rule
	target, rule flow.Instance

	since               units.Time
	link, eswitch, pass float64 // global
	stage               float64 // loss on the flow's stage
	accept              float64 // acceptance of the slow path

	offered, bytes                                float64
	lostLink, lostESwitch, lostSlow, lostInstance float64
	rejected, reordered                           float64
	accepted, delivered, held                     float64 // by the slow path
	forwarded                                     float64 // to instances, by its present rule
}

// Engine is the fluid data plane.
type Engine struct {
	sc      *scenarios.Scenario
	traffic *traces.Workload
	end     units.Time
	ctl     sim.Control
	law     contention.Law
	pool    *sim.Pool // nil if shares are reserved

	ruleless bool // nothing misses: a flow that has not been steered anywhere is dropped

	flows []flowState
	next  int // flow to start next

	g         global
	slow      slowPath
	instances []instance
	contend   int // instances that contend
	window    snapshot
}

// New makes the fluid data plane of a run; it is a sim.Engine.
func New(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c sim.Control) (sim.DataPlane, error) {
	law, err := sim.Law(&sc.VNF.Contention)
	if err != nil {
		return nil, err
	}
	pool, err := sim.NewPool(sc, w)
	if err != nil {
		return nil, err
	}
	e := &Engine{sc: sc, traffic: w, end: end, ctl: c, law: law, pool: pool,
		ruleless: sc.Scheduler.Ruleless(), flows: make([]flowState, len(w.Flows)),
		instances: make([]instance, 0, sc.Instances.Max+1)}
	for i := range e.flows {
		e.flows[i].out = -1
	}
	e.g.init(&sc.NIC)
	e.slow.init(&sc.NIC)
	if after := sc.Scheduler.Offload.After; after > 1 {
		e.slow.growths.after = float64(after-1) + enough
	}
	e.scheduleStart()
	return e, nil
}

// Grow takes the flows that the workload has gained. It implements sim.Growing.
func (e *Engine) Grow() {
	waiting := e.next < len(e.flows) // then the start of the next flow is scheduled
	for len(e.flows) < len(e.traffic.Flows) {
		e.flows = append(e.flows, flowState{out: -1})
	}
	e.pool.Grow()
	if !waiting {
		e.scheduleStart()
	}
}

// Fire carries out one of the engine's events.
func (e *Engine) Fire(now units.Time, ev sim.Event) {
	switch ev.Kind {
	case evStart:
		for e.next < len(e.flows) && e.start(e.next) <= now {
			f := flow.ID(e.next)
			e.next++
			if len(e.traffic.Flows[f].Segments) > 0 {
				e.segment(now, f)
				e.offers(now, f)
			}
		}
		e.scheduleStart()
	case evSegment:
		e.segment(now, flow.ID(ev.A))
		e.offers(now, flow.ID(ev.A))
	case evInstance:
		if i := flow.Instance(ev.A); ev.Gen == e.instances[i].gen {
			e.sync(now)
			e.advance(now, i)
			e.refresh(now, i)
		}
	case evSlow:
		if ev.Gen == e.slow.gen {
			e.sync(now)
			e.refreshSlow(now)
		}
	case evOut:
		e.sync(now)
		e.flushSlow(now)
		e.comeOut(now, now)
		e.refreshSlow(now)
	case evPacketIn:
		e.ctl.Arrived(flow.ID(ev.A))
	case evEnough:
		if ev.Gen == e.slow.growths.gen {
			e.sync(now)
			e.grow(now)
		}
	case evGrown:
		e.ctl.Grown(flow.ID(ev.A))
	}
}

func (e *Engine) start(i int) units.Time {
	if s := e.traffic.Flows[i].Segments; len(s) > 0 {
		return s[0].Start
	}
	return 0
}

func (e *Engine) scheduleStart() {
	if e.next < len(e.flows) {
		e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: e.start(e.next), Kind: evStart})
	}
}

// segment puts into force what the flow's segments say of now, and schedules the next change.
func (e *Engine) segment(now units.Time, f flow.ID) {
	s := &e.flows[f]
	segs := e.traffic.Flows[f].Segments
	for int(s.segment) < len(segs) && segs[s.segment].End <= now {
		s.segment++
	}
	if int(s.segment) == len(segs) {
		e.setRate(now, f, 0, s.size)
		e.hold(now, s.target, -1)
		s.on = false
		e.reroute(now, f, absent, 0)
		e.ctl.Ended(f)
		return
	}
	if !s.on {
		s.on = true
		if e.ruleless {
			s.announced, s.decided = true, true
			e.reroute(now, f, dropped, 0)
			e.ctl.Arrived(f)
		} else {
			e.reroute(now, f, missed, 0)
		}
	}
	g := &segs[s.segment]
	next := g.End
	if g.Start > now {
		next = g.Start
		e.setRate(now, f, 0, s.size)
	} else {
		e.setRate(now, f, g.Rate(), g.Bytes/g.Packets)
	}
	e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: next, Kind: evSegment, A: int32(f)})
}

// setRate changes a flow's rate and mean frame size wherever they count.
func (e *Engine) setRate(now units.Time, f flow.ID, rate, size float64) {
	s := &e.flows[f]
	if rate == s.rate && size == s.size {
		return
	}
	e.detach(now, f)
	e.g.change(s.rate, s.size, rate, size)
	s.rate, s.size = rate, size
	e.attach(now, f)
	e.refreshPhi(now)
	e.refreshStage(now, s)
}

// reroute gives a flow another route.
func (e *Engine) reroute(now units.Time, f flow.ID, to route, rule flow.Instance) {
	s := &e.flows[f]
	e.detach(now, f)
	from, old := s.route, s.rule
	s.route, s.rule = to, rule
	e.attach(now, f)
	if from == ruled {
		e.refresh(now, old)
	}
	if from == missed {
		e.refreshSlow(now)
	}
	e.refreshStage(now, s)
}

// assign makes the instance the flow's target. It counts a live flow there and sends there what the slow path still has
// of it. The engine is synchronised.
func (e *Engine) assign(now units.Time, s *flowState, i flow.Instance) {
	e.settleOut(now, s)
	e.moveOut(now, s, i)
	if s.target != i && s.on {
		e.hold(now, s.target, -1)
		e.hold(now, i, +1)
	}
	s.target = i
}

// detach settles a flow and takes its rate out of its stage; attach puts it in. The caller does both and then refreshes
// the stage.
func (e *Engine) detach(now units.Time, f flow.ID) {
	e.sync(now)
	s := &e.flows[f]
	e.settle(now, s)
	switch s.route {
	case missed:
		e.slowInput(now, f, -1)
	case ruled:
		e.instances[s.rule].feed(-s.rate, -float64(s.rate*s.size), -1)
		e.instances[s.rule].leaves(f, s.rate)
	case dropped:
		e.drop(s.rate, -1)
	}
}

func (e *Engine) attach(now units.Time, f flow.ID) {
	s := &e.flows[f]
	switch s.route {
	case missed:
		e.slowInput(now, f, +1)
	case ruled:
		e.advance(now, s.rule)
		e.instances[s.rule].feed(s.rate, float64(s.rate*s.size), +1)
	case dropped:
		e.drop(s.rate, +1)
	}
	e.remember(now, s)
}

// drop adds (n = 1) or removes (n = -1) the rate of a flow that is dropped. Without rules all flows begin as such, so
// what rounding leaves goes with the last.
func (e *Engine) drop(rate float64, n int) {
	e.g.dropping += float64(rate * float64(n))
	if e.g.droppers += n; e.g.droppers == 0 && e.ruleless {
		e.g.dropping = 0
	}
}

func (e *Engine) refreshStage(now units.Time, s *flowState) {
	switch s.route {
	case missed:
		e.refreshSlow(now)
	case ruled:
		e.refresh(now, s.rule)
	}
}

// settle books what the flow has sent since it was last settled, and what became of it on its stage.
func (e *Engine) settle(now units.Time, s *flowState) {
	if s.route == ruled {
		e.advance(now, s.rule)
	}
	if r := s.rate; r > 0 {
		sent := float64(r * (now - s.since).Seconds())
		s.offered += sent
		s.bytes += float64(sent * s.size)
		s.lostLink += float64(r * (e.g.lostLink - s.link))
		s.lostESwitch += float64(r * (e.g.lostESwitch - s.eswitch))
		switch s.route {
		case missed:
			s.lostSlow += float64(r * (e.slow.lost - s.stage))
			s.accepted += float64(r * (e.slow.accepted - s.accept))
		case ruled:
			s.lostInstance += float64(r * (e.instances[s.rule].lostFast - s.stage))
			s.forwarded += float64(r * (e.g.pass - s.pass))
		case dropped:
			s.rejected += float64(r * (e.g.pass - s.pass))
		}
	}
	e.remember(now, s)
}

// remember keeps the integrals for the next settlement.
func (e *Engine) remember(now units.Time, s *flowState) {
	s.since = now
	s.link, s.eswitch, s.pass = e.g.lostLink, e.g.lostESwitch, e.g.pass
	switch s.route {
	case missed:
		s.stage, s.accept = e.slow.lost, e.slow.accepted
	case ruled:
		s.stage = e.instances[s.rule].lostFast
	}
}

// Target names the instance to which the slow path sends the flow. A packet that waited for this goes there at once.
func (e *Engine) Target(now units.Time, f flow.ID, i flow.Instance) {
	e.sync(now)
	s := &e.flows[f]
	e.assign(now, s, i)
	e.offers(now, f)
	s.decided = true
	if s.held > 0 {
		e.slow.held -= s.held
		if i == 0 {
			s.rejected += s.held
			e.g.rejected += s.held
		} else {
			e.advance(now, i)
			lost := e.instances[i].impulse(s.held, s.size, float64(e.sc.VNF.Buffer))
			e.instances[i].leaves(f, s.held)
			s.lostInstance += lost
		}
		s.held = 0
	}
	if i != 0 {
		e.refresh(now, i)
	}
}

// Rule gives the flow its rule's route. Packets that follow it overtake what the slow path still holds of the flow.
func (e *Engine) Rule(now units.Time, f flow.ID, i flow.Instance) {
	e.sync(now)
	s := &e.flows[f]
	to := ruled
	if i == 0 {
		to = dropped
	}
	if s.route == absent { // it has just ended: what the slow path holds of it goes to the instance
		to = absent
	}
	switch s.route {
	case missed:
		e.settle(now, s)
		e.settleOut(now, s)
		if behind := s.accepted - s.delivered; to == ruled && s.rate > 0 && behind > 0 {
			s.reordered += behind
			e.g.reordered += behind
		}
	case ruled:
		if to == ruled && i != s.rule {
			n := min(e.overtaken(now, s, i), e.inRing(now, s))
			s.reordered += n
			e.g.reordered += n
		}
	}
	e.assign(now, s, i)
	s.decided = true
	e.reroute(now, f, to, i)
	e.offers(now, f)
}

// overtaken is how many packets of the flow are in its instance's queue and come out after the first packet that is
// sent to instance i now.
func (e *Engine) overtaken(now units.Time, s *flowState, i flow.Instance) float64 {
	e.advance(now, s.rule)
	e.advance(now, i)
	from, to := &e.instances[s.rule], &e.instances[i]
	if !from.up || from.inflow <= 0 || to.capacity <= 0 {
		return 0
	}
	ahead := from.queue - float64(from.capacity*(to.queue/to.capacity))
	return max(0, ahead) * (e.g.phi * s.rate / from.inflow)
}

// Unrule takes the flow's rule away, whether it was in force or not. The flow's next packets are misses, and the slow
// path has no instance for them.
func (e *Engine) Unrule(now units.Time, f flow.ID) {
	s := &e.flows[f]
	if s.route == absent {
		return
	}
	e.sync(now)
	e.assign(now, s, 0)
	s.announced, s.decided = false, false
	e.reroute(now, f, missed, 0)
	e.offers(now, f)
	s.forwarded = 0
}

// Link takes the link down or up.
func (e *Engine) Link(now units.Time, up bool) {
	e.sync(now)
	if e.g.down = !up; up {
		e.linkUp(now)
	}
	e.refreshPhi(now)
	e.refreshSlow(now)
	e.pool.Link(up)
	e.reshare(now)
}
