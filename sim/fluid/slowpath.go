package fluid

import (
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// slowPath is the ARM cores: a finite first-in first-out fluid queue that serves the packets of flows without a rule
// and sends them on to the instance that the scheduler has named.
//
// Its output is its input of some time before, stretched: while the queue is not empty, flow f leaves at rate r_f * s /
// M, where s is the service rate and r_f and M = sum of r belong to the input that is leaving. A change of the input
// that finds a backlog q comes out q/s later. Until then it waits in marks, in order.
type slowPath struct {
	service, room float64 // packets a second, 0 for no limit; packets
	in            float64 // packets a second sent by the flows that miss, before link and eSwitch
	inFlows       int
	queue         float64
	idle, full    bool
	gen           uint32

	accepted, lost float64 // integrals for one packet a second sent

	marks   []mark // those before due have been applied
	due     int
	out     []output
	free    []int32
	outRate float64
	outN    int
	g       float64 // leaves, for one packet a second sent
	sum     float64 // integral of g
	feeds   []flow.Instance
	waiting []flow.ID // began while the link was down: their first packet comes when it is up

	missed, lostSum, held float64 // packets: so far, so far, now
	growths               growths
}

// mark is a change of the input on its way to the output.
type mark struct {
	at   units.Time
	f    flow.ID
	rate float64
	size float64
	n    int
	down bool // while the link was
}

// output is a flow that leaves the slow path.
type output struct {
	f          flow.ID
	rate, size float64
	parts      int
	sum, lost  float64 // integrals at its last settlement
	enough     float64 // what slowPath.sum will be when the flow has sent enough for a rule; NaN for not known
}

func (p *slowPath) init(nic *scenarios.NIC) {
	p.service, p.room = float64(nic.SlowPathRate), float64(nic.SlowPathQueue)
	p.idle, p.g = true, 1
}

// advance integrates over dt, with what has been in force since.
func (p *slowPath) advance(g *global, dt float64) {
	in := float64(g.phi * p.in)
	arrived := float64(in * dt)
	p.missed += arrived
	p.sum += float64(p.g * dt)
	share := float64(g.phi * dt)
	switch {
	case p.full:
		p.lostSum += arrived - float64(p.service*dt)
		p.accepted += float64(share * (p.service / in))
		p.lost += float64(share * (1 - p.service/in))
		return
	case !p.idle:
		p.queue += arrived - float64(p.service*dt)
	}
	p.accepted += share
}

// slowInput adds (n = 1) or removes (n = -1) a flow's rate.
func (e *Engine) slowInput(now units.Time, f flow.ID, n int) {
	s := &e.flows[f]
	if s.rate == 0 {
		return
	}
	p := &e.slow
	p.in += float64(s.rate * float64(n))
	if p.inFlows += n; p.inFlows == 0 {
		p.in = 0
	}
	m := mark{at: now, f: f, rate: s.rate * float64(n), size: s.size, n: n, down: e.g.down}
	if m.down && n > 0 && !s.announced {
		p.waiting = append(p.waiting, f)
	}
	if !p.idle {
		m.at += units.Time(math.Floor(p.queue / p.service * float64(units.Second)))
	}
	if k := len(p.marks); k > p.due {
		m.at = max(m.at, p.marks[k-1].at)
	} else if m.at == now {
		e.apply(now, m)
		return
	}
	p.marks = append(p.marks, m)
	e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: m.at, Kind: evOut})
}

// linkUp starts the flows that began while the link was down.
func (e *Engine) linkUp(now units.Time) {
	for _, f := range e.slow.waiting {
		if s := &e.flows[f]; s.route == missed && !s.announced {
			e.slowInput(now, f, -1)
			e.slowInput(now, f, +1)
		}
	}
	e.slow.waiting = e.slow.waiting[:0]
}

// comeOut applies the marks that are due until then.
func (e *Engine) comeOut(now, until units.Time) {
	p := &e.slow
	for p.due < len(p.marks) && p.marks[p.due].at <= until {
		e.apply(now, p.marks[p.due])
		p.due++
	}
	if p.due == len(p.marks) || p.due > 1024 && 2*p.due > len(p.marks) {
		p.marks = p.marks[:copy(p.marks, p.marks[p.due:])]
		p.due = 0
	}
}

// flushSlow sends on what rounding to an instant has left in the queue, less than a picosecond's worth.
func (e *Engine) flushSlow(now units.Time) {
	p := &e.slow
	if p.service == 0 || p.outRate <= 0 || p.queue*float64(units.Second) >= p.service {
		return
	}
	rest := p.queue / p.outRate
	p.queue = 0
	p.sum += rest
	for _, i := range p.feeds {
		e.advance(now, i)
		in := &e.instances[i]
		in.impulse(float64(in.slow*rest), in.size, math.Inf(1))
		e.refresh(now, i)
	}
}

// apply changes the output.
func (e *Engine) apply(now units.Time, m mark) {
	p := &e.slow
	s := &e.flows[m.f]
	if s.out < 0 {
		if k := len(p.free); k > 0 {
			s.out, p.free = p.free[k-1], p.free[:k-1]
			p.out[s.out] = output{f: m.f, enough: math.NaN()}
		} else {
			s.out = int32(len(p.out))
			p.out = append(p.out, output{f: m.f, enough: math.NaN()})
		}
	}
	e.settleOut(now, s)
	o := &p.out[s.out]
	if s.target != 0 {
		e.advance(now, s.target)
	}
	was := o.parts
	o.parts += m.n
	o.rate += m.rate
	if m.n > 0 {
		o.size = m.size
	}
	p.outRate += m.rate
	p.outN += m.n
	if p.outN == 0 {
		p.outRate = 0
	}
	if s.target != 0 {
		e.slowFeed(s.target, m.rate, float64(m.rate*m.size), m.n)
		e.instances[s.target].leaves(m.f, m.rate)
		e.refresh(now, s.target)
	}
	if was == 0 && m.n > 0 && !m.down && !s.announced {
		s.announced = true
		at := now
		if p.service > 0 {
			at += units.FromSeconds(1 / p.service)
		}
		e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: at, Kind: evPacketIn, A: int32(m.f)})
	}
	e.expectGrowth(now, s)
	if o.parts == 0 {
		p.free = append(p.free, s.out)
		o.rate = 0
		s.out = -1
	}
}

// slowFeed changes what the slow path sends to an instance, and keeps the list of instances that it feeds.
func (e *Engine) slowFeed(i flow.Instance, rate, bytes float64, n int) {
	in := &e.instances[i]
	before := in.slowFlows
	in.feedSlow(rate, bytes, n)
	switch {
	case before == 0 && in.slowFlows > 0:
		e.slow.feeds = append(e.slow.feeds, i)
	case before > 0 && in.slowFlows == 0:
		for k, j := range e.slow.feeds {
			if j == i {
				e.slow.feeds = append(e.slow.feeds[:k], e.slow.feeds[k+1:]...)
				break
			}
		}
	}
}

// first is the one packet that is held until the scheduler has decided, with room for rounding.
const first = 1.001

// settleOut books what left the slow path for the flow. Before the scheduler has decided, its first packet is held, and
// nothing else can be sent anywhere.
func (e *Engine) settleOut(now units.Time, s *flowState) {
	if s.out < 0 {
		return
	}
	p := &e.slow
	o := &p.out[s.out]
	left := float64(o.rate * (p.sum - o.sum))
	o.sum = p.sum
	s.delivered += left
	switch {
	case s.target != 0:
		e.advance(now, s.target)
		in := &e.instances[s.target]
		s.lostInstance += float64(o.rate * (in.lostSlow - o.lost))
		o.lost = in.lostSlow
	case !s.decided:
		keep := min(left, max(0, first-s.held))
		s.held += keep
		p.held += keep
		left -= keep
		fallthrough
	default:
		s.rejected += left
		e.g.rejected += left
	}
}

// moveOut sends what leaves the slow path for a settled flow to another instance.
func (e *Engine) moveOut(now units.Time, s *flowState, i flow.Instance) {
	if s.out < 0 || s.target == i {
		return
	}
	o := &e.slow.out[s.out]
	if s.target != 0 {
		e.slowFeed(s.target, -o.rate, -float64(o.rate*o.size), -o.parts)
		e.instances[s.target].leaves(o.f, o.rate)
		e.refresh(now, s.target)
	}
	if i != 0 {
		e.room(i)
		e.advance(now, i)
		e.slowFeed(i, o.rate, float64(o.rate*o.size), o.parts)
		o.lost = e.instances[i].lostSlow
		e.refresh(now, i)
	}
}

// refreshSlow puts into force the slow path's state as it is now.
func (e *Engine) refreshSlow(now units.Time) {
	p := &e.slow
	in := float64(e.g.phi * p.in)
	p.gen++
	wasIdle := p.idle
	p.idle, p.full = true, false
	if p.service > 0 && !e.settled(now, p.queue, p.room, in-p.service, sim.Event{Kind: evSlow, Gen: p.gen}) {
		p.idle = false
	} else if p.service > 0 && in > p.service {
		p.idle, p.full = false, true
	}
	if p.idle && !wasIdle {
		e.flushSlow(now)
		e.comeOut(now, units.Never)
	}
	g := e.g.phi
	if !p.idle {
		g = 0
		if p.outRate > 0 {
			g = p.service / p.outRate
		}
	}
	if g == p.g {
		return
	}
	for _, i := range p.feeds {
		e.advance(now, i)
	}
	p.g = g
	for _, i := range p.feeds {
		e.refresh(now, i)
	}
	e.scheduleGrowth(now)
}
