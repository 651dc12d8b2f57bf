// Package packet is the data plane packet by packet, in integer picoseconds: every packet arrives, waits in a finite
// queue and leaves, or is lost where there was no room.
//
// # Laziness
//
// Between two control events - a flow starts or ends, a rule takes effect, an instance comes or goes, a window ends -
// no instance depends on another. Each has its flows' packets merged into its ring when something asks for its state,
// and no departure is an event: when a packet leaves is known when it is accepted.
//
// # Paths
//
// A packet is simulated on one of nine paths. The result does not depend on which; Notes tells how many took each, and
// packet.jump: false in the scenario forbids the first three.
//
//   - jump: the flows of an instance, at a load below one, lose nothing, so all but the last few packets of an interval
//     are counted instead of stepped (jump.go).
//   - full: the same at a load above one, also without a common period. A bound says whether a packet finds room, but
//     not whose packet that is: only where no flow's fate is asked for (measure.flows).
//   - saturated: packets that come in a cycle are counted with their outcomes, flow by flow, and with their delays, at
//     instances and through link and eSwitch (saturation.go, leap.go, recur.go, stage.go; see below).
//   - bounded: each instance's packets are merged and stepped. Where services take a constant time, how long the server
//     is still busy says whether there is room, and the ring is left out but for the end of the interval.
//   - apart: the same with the ring, which knows every packet in the system (core.go, server.go).
//   - stage: where the link or the eSwitch is beyond its limit, the packets of all flows are merged once and go through
//     both. Those that pass reach the instances in the order in which the eSwitch forwards them (ingress.go). Where the
//     eSwitch is full, all cores do so at once, each for another stretch of time (blocks.go).
//   - slow: packets without a rule go through the ARM cores one by one (slowpath.go).
//   - counted: the link is down, the rule drops, or no instance is there.
//   - replayed: packets that have times and sizes of their own are taken one by one, in order of time (feed.go). With a
//     limit of the link or the eSwitch they then go through the stage.
//
// # Saturation
//
// A full queue seems to need stepping: whether a packet is accepted depends on all before it. But a server that is
// never idle ends a service every S, whatever comes, and each end makes room for one packet. So the instants from which
// there is room for one more, the openings, are a lattice x, x+S, x+2S, ... that is known before any packet comes.
// Packets and openings are matched in order, and a packet is matched with no opening that is still to come. How far
// packets up to number i can reach, theta(i), does not depend on the openings: it is the lesser of S beyond theta(i-1),
// one opening more, and of 1 ps beyond when the packet comes. Packet i is accepted if an opening lies in
// [theta(i-1), theta(i)) (policer).
//
// With S = 10 and openings at 0, 10, 20 and 30:
//
//	packet comes at    3   5  12  14  31  33  35
//	theta              4   6  13  15  25  34  36
//	takes the opening  0   -  10   -  20  30   -
//
// The packet of 31 finds an opening that none took in time, and is the first that theta reaches by a service.
//
// Constant-rate flows come in a cycle of period T, and so does theta. In the periods u = 0, 1, 2, ..., the openings
// below theta(i)+uT number (theta(i)+uT-x)/S, rounded up, and what slot i of the cycle gets in n periods is a
// difference of two sums of such terms. Euclid's algorithm adds them up in a few dozen steps, whatever n is (floorSum).
// The sums of all slots differ in one term alone. Where there are as many slots as periods it takes fewer steps to list
// the remainders of u*T by S once, and to count for each slot those that its term carries over S (floorSums). How long
// those wait that are accepted follows from the distance from packet to opening, so the histogram is more of
// the same sums, one for each edge of a bucket (leapbook.go).
//
// What leaves a saturated server leaves on the lattice, too, and whose packet each is repeats after the least common
// multiple of T and S. One such period is listed, and what goes to an instance is a part of the list: a cycle again. So
// link, eSwitch and instances are passed one after the other (Engine.leap). Services need an exact clock for that
// multiple to be short: the eSwitch has a rational one.
//
// A server that loses nothing of a cycle needs no lattice. Whatever the clock's fraction, some packets find it idle, so
// all before the last of these are counted, and the others' waits are the services since the one before (ease). That is
// for what jump leaves: instances behind the eSwitch, and those whose delays are measured.
//
// A server may also lose packets and fall idle, or have a load of exactly one. How it goes on depends on how long it
// stays busy when a cycle begins, and on the clock's fraction. It is stepped until both are what they were before, and
// what has happened since happens again (recurrence).
//
// Where there is no short cycle, where services or times are random, or sizes unlike, and while a control event has its
// effects - a queue fills, the slow path or a moved flow has packets under way, packets in a ring have the rest of
// services of another speed - packets are stepped. Both go on from the same state.
//
// # Packets
//
// A constant-rate flow has the packets of its phase and period. A flow of a capture or of a random process has its own.
// In any other flow, a segment's packets are evenly spaced from its start, and their number is rounded so that the sum
// over the segments is within half a packet of the flow's. A packet comes at a whole picosecond, and the remainder is
// carried.
package packet

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
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
	evMiss                  // the packet that may be a flow's first in the slow path
	evPacketIn              // the slow path has served a flow's first packet
	evDrained               // the pipe behind the eSwitch may be empty
	evOwn                   // a packet with a time of its own may be its flow's first in the slow path
	evMoved                 // the first packet after a flow's rule comes
	evGrown                 // the slow path has served the packet with which a flow has sent enough for a rule
)

// route is where the eSwitch sends a flow.
type route uint8

const (
	absent  route = iota // not started, or ended
	missing              // no rule: to the slow path
	ruled                // to the instance of the rule; instance 0 drops
)

// inquiry is what has become of a flow's first packet in the slow path, by which the scheduler hears of the flow.
type inquiry uint8

const (
	silent    inquiry = iota // it has not come
	announced                // it is on its way to the scheduler, or was
	held                     // the slow path holds it until the scheduler has decided
)

// flowState is one flow, whatever it sends. It is short, since each packet with a time of its own needs it, and there
// may be millions.
type flowState struct {
	offered      uint64
	sent         float64 // bytes
	target, rule flow.Instance
	from         flow.Instance // where packets went before the rule, which none has followed yet; 0 for the slow path
	route        route
	inquiry      inquiry
	decided      bool // the scheduler has named a target
	own          bool // its packets have times and sizes of their own
}

// outcome is what becomes of a flow's packets.
type outcome struct {
	stopped   uint64 // lost at link and eSwitch
	lost      uint64 // and behind them
	uncounted uint64 // have passed the eSwitch and were not sent to an instance by the rule in force
	reordered uint64
}

func (x *outcome) dropped() uint64 { return x.stopped + x.lost }

// followed is flowState.from if packets have followed the rule, or need not be watched for that.
const followed flow.Instance = -1

// moved says whether the flow's rule has come in the place of from, and no packet has followed it yet.
func (s *flowState) moved() bool { return s.from != followed }

// pace is what a flow sends whose packets have no times of their own.
type pace struct {
	next, stop, period int64 // next packet; none from stop on; a fraction of the period is in common.odd
	rate, size         float64
	bytes              int32   // size, rounded
	segment            int32   // the one in force, or the next
	before             float64 // packets of the segments before, as the trace counts them
	pos, activePos     int32   // in the list of its flow's route, in the ingress's
	poll               int64   // when evMiss is due
}

// due is the next packet.
func (p *pace) due() int64 {
	if p.next < p.stop {
		return p.next
	}
	return int64(units.Never)
}

// Engine is the packet data plane.
type Engine struct {
	sc      *scenarios.Scenario
	traffic *traces.Workload
	ctl     sim.Control
	law     contention.Law
	pool    *sim.Pool // nil if shares are reserved
	common
	start int // flow to start next

	in        ingress
	slow      slowPath
	feed      feed
	instances []instance
	source    func(flow.Instance) func(int64) int64 // of an instance's random service times
	contend   int
	ruleless  bool
	staged    bool     // the ingress is a stage of its own
	whole     bool     // the size of every packet is a whole number of bytes, so that bytes can be counted
	measure   bool     // delays
	delays    []delays // of each flow; nil where they are not measured
	m         merger   // of the ingress
	blocks    []block  // that are merged at once
	merged    []block  // of these, those whose packets are on their way to the pipe
	cores     []core   // for instances; the first is used wherever one is enough
	sum       tally    // of all that no core has
	window    snapshot
	queued    map[flow.ID]uint64 // packets at the end
}

// Check is the error with which New refuses a scenario, whatever its traffic and the files that it names.
func Check(sc *scenarios.Scenario) error {
	law, err := sim.Law(&sc.VNF.Contention)
	if err != nil {
		return err
	}
	if b := sc.VNF.Buffer; b < 1 || b > 1<<20 {
		return fmt.Errorf("vnf.buffer: %d: want 1 to %d with engine: packet", b, 1<<20)
	}
	least := 1.0
	if sc.Autoscaler.Resizes() {
		least = 1 / policy.LeastShare
	}
	for _, r := range []struct {
		key   string
		rate  float64
		least float64
	}{
		{"vnf.contention of one instance", law.Capacity(1), least},
		{"vnf.contention of instances.max", law.Capacity(sc.Instances.Max), least},
		{"nic.slowpath_rate", float64(sc.NIC.SlowPathRate), 1},
		{"nic.eswitch_limit", float64(sc.NIC.ESwitchLimit), 1},
		{"nic.link", float64(sc.NIC.Link), 1e6},
	} {
		if r.rate != 0 && (r.rate < r.least || r.rate > 1e12) {
			return fmt.Errorf("%s: %g a second: want %g to 1e12 with engine: packet", r.key, r.rate, r.least)
		}
	}
	return nil
}

// New makes the packet data plane of a run; it is a sim.Engine.
func New(sc *scenarios.Scenario, w *traces.Workload, _ units.Time, c sim.Control) (sim.DataPlane, error) {
	return newEngine(sc, w, c, modes{})
}

func newEngine(sc *scenarios.Scenario, w *traces.Workload, c sim.Control, m modes) (sim.DataPlane, error) {
	if err := Check(sc); err != nil {
		return nil, err
	}
	law, err := sim.Law(&sc.VNF.Contention)
	if err != nil {
		return nil, err
	}
	e := &Engine{sc: sc, traffic: w, ctl: c, law: law, instances: []instance{{drops: true}}}
	e.common = common{modes: m, flows: make([]flowState, len(w.Flows)), outcomes: make([]outcome, len(w.Flows)),
		fate: sc.Measure.Flows, stay: !sc.Packet.Jump, stopped: c.Stopped}
	e.ruleless = sc.Scheduler.Ruleless()
	e.setCores(runtime.GOMAXPROCS(0))
	if e.source, err = serviceTimes(sc); err != nil {
		return nil, err
	}
	if e.pool, err = sim.NewPool(sc, w); err != nil {
		return nil, err
	}
	e.openFeed()
	if e.pool != nil || slices.ContainsFunc(e.flows, func(s flowState) bool { return !s.own }) {
		e.paces = make([]pace, len(e.flows))
	}
	e.whole = true
	together := 0 // flows that begin at one instant
	for i := range e.flows {
		s := &e.flows[i]
		if together++; i > 0 && e.begins(i) != e.begins(i-1) {
			together = 1
		}
		if together > maxLanes && !s.own {
			return nil, fmt.Errorf("workload: more than %d flows begin at %v: "+
				"want no more at one instant with engine: packet", maxLanes, e.begins(i))
		}
		s.from = followed
		if len(e.paces) > 0 {
			e.paces[i] = pace{next: int64(units.Never), stop: int64(units.Never), poll: int64(units.Never)}
		}
		for _, g := range w.Flows[i].Segments {
			if span := g.End - g.Start; !s.own && e.constant(i).Num == 0 && g.Packets > float64(span) {
				return nil, fmt.Errorf("workload: flow %d sends %g packets in %v: "+
					"want at most one a picosecond with engine: packet", i, g.Packets, span)
			}
			size := g.Bytes / g.Packets
			e.whole = e.whole && (s.own || size == math.Trunc(size))
		}
	}
	if e.measure = sc.Measure.Delay != "none"; sc.Measure.Delay == "flows" {
		e.delays = make([]delays, len(e.flows))
	}
	if err := e.initIngress(); err != nil {
		return nil, err
	}
	e.slow.init(&sc.NIC)
	if after := sc.Scheduler.Offload.After; after > 1 {
		e.slow.after, e.slow.seen = uint32(after), make([]uint32, len(e.flows))
	}
	e.slow.missed.paces = e.paces
	e.limits(0)
	e.scheduleStart()
	return e, nil
}

// Fire carries out one of the engine's events.
func (e *Engine) Fire(now units.Time, ev sim.Event) {
	f := flow.ID(ev.A)
	switch ev.Kind {
	case evStart:
		e.begin(now + 1)
		e.scheduleStart()
		e.lookOut(now)
	case evSegment:
		e.segment(now, f)
		e.offers(now, f)
	case evMiss:
		if p := &e.paces[f]; p.poll == int64(now) {
			p.poll = int64(units.Never)
			e.syncSlow(now + 1)
			e.watch(f)
		}
	case evPacketIn:
		e.syncSlow(now + 1)
		e.ctl.Arrived(f)
	case evGrown:
		e.syncSlow(now + 1)
		e.ctl.Grown(f)
	case evDrained:
		e.limits(now)
	case evMoved:
		if s := &e.flows[f]; e.awaits(f) && e.paces[f].due() == int64(now) && !e.down {
			if e.syncSlow(now); s.from != 0 {
				e.advance(s.from, int64(now))
				e.advance(s.rule, int64(now))
			}
			e.passes(parcel{int64(now), int64(now), f, e.paces[f].bytes})
		}
	case evOwn:
		if e.feed.poll == int64(now) {
			e.feed.poll = int64(units.Never)
			e.syncSlow(now + 1)
			e.lookOut(now)
		}
	}
}

// begin starts the flows that begin before to; none of them began before this instant.
func (e *Engine) begin(to units.Time) {
	for e.start < len(e.flows) && e.begins(e.start) < to {
		f := flow.ID(e.start)
		e.start++
		if segs := e.traffic.Flows[f].Segments; len(segs) > 0 {
			e.segment(segs[0].Start, f)
			e.offers(segs[0].Start, f)
		}
	}
}

// constant is the period of a flow of one constant rate; others have none.
func (e *Engine) constant(i int) (p traces.Period) {
	if c := e.traffic.Constant; len(c) > 0 {
		p = c[i].Period
	}
	return p
}

func (e *Engine) begins(i int) units.Time {
	if s := e.traffic.Flows[i].Segments; len(s) > 0 {
		return s[0].Start
	}
	return 0
}

func (e *Engine) scheduleStart() {
	if e.start < len(e.flows) {
		e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: e.begins(e.start), Kind: evStart})
	}
}

// watch schedules the instant at which a packet of the flow may reach the slow path of which the scheduler hears.
func (e *Engine) watch(f flow.ID) {
	s := &e.flows[f]
	n := e.slow.until(f, s)
	if n == 0 || s.own {
		return
	}
	p := &e.paces[f]
	at := int64(units.Never)
	if s.route == missing {
		if at = p.due(); at < int64(units.Never) && p.period < int64(units.Never-units.Time(at))/n {
			at += (n - 1) * p.period // or later, with fractions of the period
		}
	}
	if e.staged && s.route != ruled {
		if t, ok := e.in.piped(f); ok {
			at = min(at, t)
		}
	}
	if e.staged {
		at = max(at, e.in.at) // not an instant that has been simulated already
	}
	if at < p.poll {
		p.poll = at
		e.ctl.Schedule(sim.ClassPacketIn, sim.Event{At: units.Time(at), Kind: evMiss, A: int32(f)})
	}
}

// segment puts into force what the flow's segments say of now, and schedules the next change.
func (e *Engine) segment(now units.Time, f flow.ID) {
	s := &e.flows[f]
	if s.own && e.pool == nil && s.route != absent { // nothing but its end mattered
		e.over(now, f)
		return
	}
	segs := e.traffic.Flows[f].Segments
	if s.own && e.pool == nil {
		e.enter(now, f)
		e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: segs[len(segs)-1].End, Kind: evSegment, A: int32(f)})
		return
	}
	p := &e.paces[f]
	for int(p.segment) < len(segs) && segs[p.segment].End <= now {
		p.before += segs[p.segment].Packets
		p.segment++
	}
	if int(p.segment) == len(segs) {
		if !s.own {
			e.silence(now, f)
		}
		e.over(now, f)
		return
	}
	if s.route == absent {
		e.enter(now, f)
	}
	g := &segs[p.segment]
	next := g.End
	n := int64(math.Round(p.before+g.Packets) - math.Round(p.before))
	switch period := e.constant(int(f)); {
	case g.Start > now:
		next = g.Start
		if !s.own {
			e.silence(now, f)
		}
	case s.own:
	case period.Num > 0:
		e.setRate(now, f, e.traffic.Constant[f], g.Bytes/g.Packets)
	case n > 0:
		e.setRate(now, f, traces.Periodic{Phase: g.Start, Period: traces.Spread(g.End-g.Start, n), End: g.End},
			g.Bytes/g.Packets)
	default:
		e.silence(now, f)
	}
	e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: next, Kind: evSegment, A: int32(f)})
}

// enter begins a flow. Without rules none misses: one that has not been steered anywhere is dropped.
func (e *Engine) enter(now units.Time, f flow.ID) {
	if !e.ruleless {
		e.reroute(now, f, missing, 0)
		return
	}
	s := &e.flows[f]
	s.inquiry, s.decided = announced, true
	e.reroute(now, f, ruled, 0)
	e.ctl.Arrived(f)
}

// over ends a flow.
func (e *Engine) over(now units.Time, f flow.ID) {
	s := &e.flows[f]
	e.hold(now, s.target, 0)
	e.reroute(now, f, absent, s.rule)
	e.ctl.Ended(f)
}

// silence ends a flow's packets.
func (e *Engine) silence(now units.Time, f flow.ID) {
	e.setRate(now, f, traces.Periodic{Phase: units.Never, End: units.Never}, e.paces[f].size)
}

// setRate changes a flow's packets wherever they count. Without a period there are none.
func (e *Engine) setRate(now units.Time, f flow.ID, p traces.Periodic, size float64) {
	s, pace := &e.flows[f], &e.paces[f]
	e.syncFlow(now, s)
	rate, period, odd := 0.0, int64(0), fraction{}
	if p.Period.Num > 0 {
		rate = float64(units.Second) / p.Period.Mean()
		period, odd = split(p.Period)
	}
	if odd.den > 0 && len(e.odd) == 0 {
		e.odd = make([]fraction, len(e.flows))
	}
	if len(e.odd) > 0 {
		e.odd[f] = odd
	}
	e.in.change(pace.rate, pace.size, rate, size)
	if (pace.rate > 0) != (rate > 0) {
		if rate > 0 {
			pace.activePos = int32(len(e.in.active))
			e.in.active = append(e.in.active, f)
		} else {
			k := len(e.in.active) - 1
			last := e.in.active[k]
			e.in.active[pace.activePos], e.paces[last].activePos = last, pace.activePos
			e.in.active = e.in.active[:k]
		}
	}
	// While the ingress is a stage of its own, the packets of this instant may have been simulated already.
	was := pace.rate
	pace.next, pace.stop, pace.period, pace.rate, pace.size = int64(p.Phase), int64(p.End), period, rate, size
	pace.bytes = int32(min(max(math.Round(size), 0), 1<<20))
	switch s.route {
	case missing:
		e.slow.missed.fix(int(pace.pos))
	case ruled:
		in := &e.instances[s.rule]
		in.list.fix(int(pace.pos))
		in.rate += rate - was
	}
	e.limits(now)
	e.watch(f)
	e.expect(f)
}

// reroute gives a flow another route.
func (e *Engine) reroute(now units.Time, f flow.ID, to route, rule flow.Instance) {
	s := &e.flows[f]
	e.syncFlow(now, s)
	switch {
	case s.own:
	case s.route == missing:
		e.slow.missed.remove(int(e.paces[f].pos))
	case s.route == ruled:
		in := &e.instances[s.rule]
		in.list.remove(int(e.paces[f].pos))
		if in.rate -= e.paces[f].rate; len(in.list.ids) == 0 {
			in.rate = 0
		}
	}
	s.route, s.rule = to, rule
	if to == ruled {
		e.room(rule)
	}
	switch {
	case s.own:
		e.aim(f)
	case to == missing:
		e.slow.missed.add(f)
		e.watch(f)
	case to == ruled:
		e.syncInstance(now, rule)
		in := &e.instances[rule]
		in.list.paces = e.paces
		in.list.add(f)
		in.rate += e.paces[f].rate
	}
}

// assign makes the instance the flow's target and counts a live flow there.
func (e *Engine) assign(now units.Time, s *flowState, i flow.Instance) {
	if s.target != i && s.route != absent {
		e.hold(now, s.target, i)
	}
	s.target = i
}

// syncSlow simulates the slow path up to to; syncInstance an instance, syncFlow where the flow's packets go, and
// syncAll everything.
func (e *Engine) syncSlow(to units.Time) {
	if e.feed.live() {
		e.begin(to)
	}
	if e.staged {
		e.through(int64(to))
		return
	}
	e.advanceSlow(int64(to))
}

func (e *Engine) syncInstance(to units.Time, i flow.Instance) {
	e.syncSlow(to)
	switch {
	case e.staged:
	case e.instances[i].packets(int64(to)) > worthwhile: // those of the others will be asked for, too
		e.advanceAll(int64(to))
	default:
		e.advance(i, int64(to))
	}
}

func (e *Engine) syncFlow(to units.Time, s *flowState) {
	if s.route == ruled {
		e.syncInstance(to, s.rule)
	} else {
		e.syncSlow(to)
	}
}

func (e *Engine) syncAll(to units.Time) {
	e.syncSlow(to)
	if !e.staged {
		e.advanceAll(int64(to))
	}
}
