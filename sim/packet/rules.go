package packet

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// Rule gives the flow its rule's route. The next packet may overtake what is still held of the flow elsewhere.
func (e *Engine) Rule(now units.Time, f flow.ID, i flow.Instance) {
	s := &e.flows[f]
	e.syncSlow(now)
	e.syncFlow(now, s)
	to := ruled
	if s.route == absent { // it has just ended: what link and eSwitch hold of it goes by the rule
		to = absent
	}
	slow := s.route == missing || s.route == absent && s.rule == 0
	if elsewhere := slow || s.rule != i && s.rule != 0; i != 0 && elsewhere {
		switch {
		case s.from == i:
			s.from = followed
		case s.moved():
		case s.own || e.staged || s.route == ruled || e.behind(f, e.paces[f].due()) > 0: // or nothing is overtaken
			s.from = s.rule // 0 on the route missing
		}
	}
	s.decided = true
	e.assign(now, s, i)
	e.reroute(now, f, to, i)
	e.offers(now, f)
	e.expect(f)
}

// expectAll is expect for all flows that have a rule.
func (e *Engine) expectAll() {
	for i := range e.instances {
		for _, f := range e.instances[i].list.ids {
			e.expect(f)
		}
	}
}

// expect schedules the instant of the first packet to follow a new rule, if it is known. One of a flow that has packets
// of its own, or behind the eSwitch, is noticed when it comes.
func (e *Engine) expect(f flow.ID) {
	if !e.awaits(f) {
		return
	}
	if at := e.paces[f].due(); at < int64(units.Never) {
		e.ctl.Schedule(sim.ClassPacketIn, sim.Event{At: units.Time(at), Kind: evMoved, A: int32(f)})
	}
}

// awaits says whether the first packet to follow a new rule of the flow is to come, and when is known.
func (e *Engine) awaits(f flow.ID) bool {
	s := &e.flows[f]
	return s.moved() && !s.own && !e.staged && s.route == ruled
}

// overtaken is how many packets of the flow of x are in one instance's queue and come out after x, the flow's first
// packet for the other, will. Both have been simulated up to x. Packets of the same instant whose flows have lower
// numbers are served before x.
func (e *Engine) overtaken(x parcel, one, other flow.Instance) (n uint64) {
	from, to := &e.instances[one], &e.instances[other]
	if !from.up || !to.up {
		return 0
	}
	clock, held := to.clock, to.held(x.at)
	service := func(size int32) int64 {
		if to.draw != nil {
			return clock.base + int64(size)*to.perByte // in the mean
		}
		return clock.span() + int64(size)*to.perByte
	}
	out := max(to.idle, x.at)
	if !e.staged && !e.flows[x.f].own {
		for _, f := range slices.Sorted(slices.Values(to.list.ids)) {
			if p := &e.paces[f]; f < x.f && p.due() == x.at && held < to.room {
				out += service(p.bytes)
				held++
			}
		}
	}
	out += service(x.size)
	for k := range from.room {
		i := from.back(k)
		if from.dep[i] <= out {
			break
		}
		if from.who[i].f == x.f {
			n++
		}
	}
	return n
}

// Unrule takes the flow's rule away, whether it was in force or not. The flow's next packets are misses, and the slow
// path has no instance for them.
func (e *Engine) Unrule(now units.Time, f flow.ID) {
	s := &e.flows[f]
	if s.route == absent {
		return
	}
	e.syncFlow(now, s)
	if s.route == ruled {
		x := &e.outcomes[f]
		x.uncounted = s.offered - x.stopped - e.in.holds(f)
	}
	e.assign(now, s, 0)
	if s.inquiry == announced {
		s.inquiry = silent
	}
	s.decided, s.from = false, followed
	e.reroute(now, f, missing, 0)
	e.offers(now, f)
	e.lookOut(now)
}

// Link takes the link down or up.
func (e *Engine) Link(now units.Time, up bool) {
	e.syncAll(now)
	e.down = !up
	e.pool.Link(up)
	e.reshare(now)
	e.expectAll()
}
