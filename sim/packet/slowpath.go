package packet

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// slowPath is the ARM cores: a finite first-in first-out queue of the packets of flows without a rule. It serves them
// one after another and sends each to the instance that the scheduler has named by then. When a packet will have been
// served is known when it is accepted.
type slowPath struct {
	clock
	limited bool
	room    int
	idle    int64
	fifo    []parcel // at is when the packet has been served
	head    int
	asked   map[flow.ID]parcel // the packet by which the scheduler hears of a flow, until it has decided
	missed  byNext             // flows on it
	at      int64

	arrived, lost, held uint64

	after uint32   // accepted packets with which a flow has sent enough for a rule; 0: its first is enough
	seen  []uint32 // accepted of each flow, as long as that matters
}

func (p *slowPath) init(nic *scenarios.NIC) {
	if p.limited = nic.SlowPathRate > 0; p.limited {
		p.clock = newClock(float64(nic.SlowPathRate))
	}
	p.room = max(nic.SlowPathQueue, 1)
	p.asked = map[flow.ID]parcel{}
}

// advanceSlow simulates the packets that miss before to, one by one, and sends packets that have times of their own on
// their way.
func (e *Engine) advanceSlow(to int64) {
	p := &e.slow
	for !e.stopped() {
		t := int64(units.Never)
		if len(p.missed.ids) > 0 {
			t = e.paces[p.missed.ids[0]].due()
		}
		e.pull(t, to)
		if t >= to {
			break
		}
		f := p.missed.ids[0]
		e.serve(t)
		e.offer(f, 1, &e.sum)
		p.missed.fix(0)
		e.sum.by[slow]++
		if e.down {
			e.outcomes[f].stopped++
			e.sum.link++
			continue
		}
		e.miss(parcel{t, t, f, e.paces[f].bytes})
	}
	e.serve(to - 1)
	p.at = max(p.at, to)
}

// miss brings one packet to the slow path.
func (e *Engine) miss(x parcel) {
	p := &e.slow
	s := &e.flows[x.f]
	p.arrived++
	e.outcomes[x.f].uncounted++
	if p.limited {
		if len(p.fifo)-p.head >= p.room {
			p.lost++
			e.outcomes[x.f].lost++
			return
		}
		p.idle = max(p.idle, x.at) + p.span()
		x.at = p.idle
	}
	p.fifo = append(p.fifo, x)
	if p.until(x.f, s) == 0 {
		return
	}
	if s.inquiry == silent {
		s.inquiry, p.asked[x.f] = announced, x
		e.ctl.Schedule(sim.ClassPacketIn, sim.Event{At: units.Time(x.at), Kind: evPacketIn, A: int32(x.f)})
	}
	if p.after > 0 && p.seen[x.f] < p.after {
		if p.seen[x.f]++; p.seen[x.f] == p.after {
			e.ctl.Schedule(sim.ClassPacketIn, sim.Event{At: units.Time(x.at), Kind: evGrown, A: int32(x.f)})
		}
	}
	if s.own {
		e.aim(x.f)
	}
}

// until is how many more packets of a flow the slow path must accept until the scheduler hears of one; 0: it will of
// none.
func (p *slowPath) until(f flow.ID, s *flowState) int64 {
	switch {
	case s.inquiry == silent:
		return 1
	case p.after > 0:
		return int64(p.after - p.seen[f])
	}
	return 0
}

// serve sends on what the slow path has served until then. A packet that is served at the very instant at which its
// flow's first packet was waits for the scheduler's choice in that instant, and those behind it wait too.
func (e *Engine) serve(until int64) {
	p := &e.slow
	for p.head < len(p.fifo) && p.fifo[p.head].at <= until {
		x := p.fifo[p.head]
		if s := &e.flows[x.f]; s.inquiry == held && p.asked[x.f].at == until {
			break
		}
		e.served(x)
		p.head++
	}
	if p.head > 1024 && 2*p.head > len(p.fifo) || p.head == len(p.fifo) {
		p.fifo = p.fifo[:copy(p.fifo, p.fifo[p.head:])]
		p.head = 0
	}
}

// served sends one packet to its flow's target. Before the scheduler has decided, the packet that asks it is held, and
// others of the flow cannot be sent anywhere.
func (e *Engine) served(x parcel) {
	s := &e.flows[x.f]
	switch {
	case s.target != 0:
		e.send(s.target, x)
	case !s.decided && s.inquiry != held && e.slow.asks(x):
		s.inquiry, e.slow.asked[x.f] = held, x
		e.slow.held++
	default:
		e.outcomes[x.f].lost++
		e.sum.rejected++
	}
}

// asks says whether the scheduler hears of a flow by this packet.
func (p *slowPath) asks(x parcel) bool {
	first, ok := p.asked[x.f]
	return ok && first.at == x.at
}

// send brings a packet to an instance: at once, or when the instance is simulated up to it.
func (e *Engine) send(i flow.Instance, x parcel) {
	if e.staged {
		e.arrive(i, x)
		return
	}
	e.room(i)
	e.instances[i].receive(x)
}

// Target names the instance to which the slow path sends the flow. A packet that waited for this goes there at once.
func (e *Engine) Target(now units.Time, f flow.ID, i flow.Instance) {
	e.syncSlow(now)
	s := &e.flows[f]
	s.decided = true
	e.assign(now, s, i)
	e.offers(now, f)
	if s.inquiry != held {
		return
	}
	first := e.slow.asked[f]
	delete(e.slow.asked, f)
	s.inquiry = announced
	e.slow.held--
	if i == 0 {
		e.outcomes[f].lost++
		e.sum.rejected++
		return
	}
	first.at = int64(now)
	e.send(i, first)
}

// behind is how many packets of the flow the slow path sends on after t.
func (e *Engine) behind(f flow.ID, t int64) (n uint64) {
	for _, x := range e.slow.fifo[e.slow.head:] {
		if x.f == f && x.at > t {
			n++
		}
	}
	return n
}
