package bruteforce

import (
	"math"
	"math/big"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// spans are whole times with a mean that need not be whole. The fractions that are cut off add up and go to the next
// one.
type spans struct {
	mean *big.Rat // ps
	owed *big.Rat // fraction, less than 1
}

// newSpans are 1/perSecond, to 2^-20 ps.
func newSpans(perSecond float64) *spans {
	const parts = 1 << 20
	return &spans{mean: big.NewRat(int64(math.Round(float64(units.Second)/perSecond*parts)), parts), owed: new(big.Rat)}
}

// next is the next n of them together.
func (s *spans) next(n int64) units.Time {
	s.owed.Add(s.owed, new(big.Rat).Mul(s.mean, big.NewRat(n, 1)))
	whole := new(big.Int).Div(s.owed.Num(), s.owed.Denom())
	s.owed.Sub(s.owed, new(big.Rat).SetInt(whole))
	return units.Time(whole.Int64())
}

// line is a server of link or eSwitch, with the times at which it lets go of what it took.
type line struct {
	spans *spans // nil for no limit
	exits []units.Time
}

func (l *line) idle() units.Time {
	if len(l.exits) == 0 {
		return 0
	}
	return l.exits[len(l.exits)-1]
}

// holds is how many packets it has at a time, if none came since. One that leaves then has left.
func (l *line) holds(at units.Time) (n int) {
	for n < len(l.exits) && l.exits[len(l.exits)-1-n] > at {
		n++
	}
	return n
}

// take says when it lets go of a packet that comes at a time.
func (l *line) take(at units.Time, n int64) units.Time {
	if l.spans == nil {
		return at
	}
	at = max(at, l.idle()) + l.spans.next(n)
	l.exits = append(l.exits, at)
	return at
}

// maxWait is how long a frame may wait for the link.
const maxWait = 10 * units.Microsecond

func (p *plant) initStage() {
	if p.sc.NIC.Link > 0 {
		p.link.spans = newSpans(float64(p.sc.NIC.Link) / 8)
	}
	if p.sc.NIC.ESwitchLimit > 0 {
		s, err := traces.PeriodOf(float64(p.sc.NIC.ESwitchLimit)) // exact
		if err != nil {
			panic(err)
		}
		p.eswitch.spans = &spans{mean: big.NewRat(int64(s.Num), s.Den), owed: new(big.Rat)}
	}
}

// load finds whether link and eSwitch are beyond a limit. If so they take time from then on, until they are empty.
func (p *plant) load() {
	pps, bps, random := 0.0, 0.0, false
	for _, f := range p.flows {
		random = random || f.random
		if f.live {
			pps += f.rate
			bps += f.rate * float64(8*(f.size+int(p.sc.NIC.FrameOverhead)))
		}
	}
	link, limit := float64(p.sc.NIC.Link), float64(p.sc.NIC.ESwitchLimit)
	const rounding = 1 + 1e-9
	beyond := random && (link > 0 || limit > 0)
	if link > 0 && bps > link*rounding {
		beyond = true
		pps *= link / bps
	}
	beyond = beyond || limit > 0 && pps > limit*rounding
	switch {
	case beyond:
		p.staged, p.beyond = true, true
	case p.staged && len(p.pipe) == 0:
		p.staged = false
	case p.staged:
		p.at(p.pipe[len(p.pipe)-1].leaves+1, traffic, -1, p.load)
	}
}

// send sends a packet from the generator.
func (p *plant) send(x *frame) {
	f := x.flow
	p.count(f, func(c *counts) { c.offered++; c.bytes += x.size })
	switch {
	case p.faults["link-down"] > 0:
		p.count(f, func(c *counts) { c.lostLink++ })
	case !p.staged:
		p.forward(x)
	case p.link.spans != nil && p.link.idle()-p.now > maxWait:
		p.count(f, func(c *counts) { c.lostLink++ })
	default:
		// What becomes of it at the eSwitch is settled, and counted, when it is sent.
		at := p.link.take(p.now, int64(x.size+int(p.sc.NIC.FrameOverhead)))
		if p.eswitch.spans != nil && p.eswitch.holds(at) > p.sc.NIC.ESwitchQueue {
			p.count(f, func(c *counts) { c.lostESwitch++ })
			return
		}
		x.leaves = p.eswitch.take(at, 1)
		p.pipe = append(p.pipe, x)
		p.at(x.leaves, packets, -3, func() {
			p.pipe = p.pipe[1:]
			p.forward(x)
		})
	}
}

// count adds to the run's counts and the flow's.
func (p *plant) count(f *flowState, add func(*counts)) {
	add(&p.sum)
	add(&f.counts)
}

// forward takes a packet to where the rules say.
func (p *plant) forward(x *frame) {
	f := x.flow
	switch {
	case !f.hasRule:
		p.count(f, func(c *counts) { c.slow++ })
		p.slow.take(x)
	case f.rule == 0:
		p.count(f, func(c *counts) { c.unfit++ })
	default:
		rule := f.rule
		p.reaches(f.rank, func() {
			p.overtakes(x)
			f.byRule++
			p.totals.HandedOn += int64(f.hops)
			p.arrive(x, rule)
		})
	}
}

// reaches is a packet's arrival at a ring. It comes last in its instant, or at once where link and eSwitch take time.
func (p *plant) reaches(rank int, do func()) {
	if p.staged {
		do()
		return
	}
	p.at(p.now, arrivals, rank, do)
}

// overtakes counts the packets of a flow that come out after one of them that follows its rule: what the slow path
// holds and, if this one is the first to follow a moved rule, what the old instance will have processed after the new
// one has processed this. A packet that is overtaken in the slow path and then in a ring counts twice: a known fault of
// the engines, which docs/model.md states.
func (p *plant) overtakes(x *frame) {
	f := x.flow
	for _, y := range p.slow.fifo {
		if y.flow == f && !y.overtaken {
			y.overtaken = true
			p.count(f, func(c *counts) { c.reordered++ })
		}
	}
	if f.from == 0 || f.rule == 0 {
		return
	}
	from, to := p.instances[f.from-1], p.instances[f.rule-1]
	f.from = 0
	if !from.up || !to.up {
		return
	}
	from.work(p)
	to.work(p)
	ahead := spans{to.spans.mean, new(big.Rat).Set(to.spans.owed)} // x comes to the ring after this
	left := ahead.next(1) + p.sc.VNF.PerByte*units.Time(x.size)
	for _, y := range to.ring {
		left += y.needs
	}
	leaves := units.Time(0)
	for _, y := range from.ring {
		if leaves += y.needs; leaves > left && y.flow == f {
			p.count(f, func(c *counts) { c.reordered++ })
		}
	}
}

// slowPath is the ARM cores.
type slowPath struct {
	p     *plant
	spans *spans // nil for no limit
	room  int
	idle  units.Time
	fifo  []*frame
	done  int // of the first in fifo, those that have been served: they wait for a choice of this instant
}

func newSlowPath(p *plant) *slowPath {
	s := &slowPath{p: p, room: max(p.sc.NIC.SlowPathQueue, 1)}
	if r := p.sc.NIC.SlowPathRate; r > 0 {
		s.spans = newSpans(float64(r))
	}
	return s
}

func (s *slowPath) take(x *frame) {
	p := s.p
	if s.spans != nil && len(s.fifo) >= s.room {
		p.count(x.flow, func(c *counts) { c.lostSlow++ })
		return
	}
	s.fifo = append(s.fifo, x)
	x.first = !x.flow.announced
	x.flow.announced = true
	s.idle = max(s.idle, p.now)
	if s.spans == nil {
		s.served()
		return
	}
	s.idle += s.spans.next(1)
	p.at(s.idle, packets, -5, s.served)
}

func (s *slowPath) served() {
	s.done++
	s.forward()
}

// forward sends on what has been served. A flow's first packet goes to the scheduler. Later ones of the flow, and those
// behind them, wait for the choice in the same instant.
func (s *slowPath) forward() {
	p := s.p
	for s.done > 0 && !s.fifo[0].flow.asking {
		x := s.fifo[0]
		f := x.flow
		s.fifo = s.fifo[1:]
		s.done--
		if x.first {
			p.at(p.now, packetIns, 0, func() { p.firstSeen(f) })
		}
		if f.served++; f.served == p.sc.Scheduler.Offload.After && f.served > 1 {
			p.at(p.now, packetIns, 0, func() { p.grown(f) })
		}
		if x.first {
			if !f.decided {
				f.held, f.asking = x, true
				continue
			}
		}
		p.deliver(x)
	}
}

// release sends on the packet that waited with the scheduler.
func (p *plant) release(f *flowState) {
	x := f.held
	if x == nil || f.sending {
		return
	}
	send := func() {
		f.held, f.sending = nil, false
		p.deliver(x)
	}
	if p.staged {
		send()
		return
	}
	f.sending = true
	p.at(p.now, packets, -6, send)
}

// deliver sends a packet from the slow path to the instance that the scheduler has named.
func (p *plant) deliver(x *frame) {
	if x.flow.target == 0 {
		p.count(x.flow, func(c *counts) { c.unfit++ })
		return
	}
	to := x.flow.target
	p.reaches(-1, func() { p.arrive(x, to) })
}

// writeRule is an order to install or move a rule. An order for a flow whose rule is being written replaces that one.
func (p *plant) writeRule(f *flowState, i flow.Instance) {
	f.write++
	write := f.write
	f.want = i
	p.writerFree = max(p.writerFree, p.now)
	if r := p.sc.NIC.InstallRate; r > 0 {
		p.writerFree += units.FromSeconds(1 / r)
	}
	if !f.hasRule {
		p.aim(f, i)
		if !f.writing {
			if p.sc.NIC.Rules > 0 && p.taken >= p.sc.NIC.Rules {
				p.at(p.writerFree, orders, 0, func() {
					if write == f.write {
						p.refuse(f, "rule table full")
					}
				})
				return
			}
			p.taken++
			f.writing = true
		}
	}
	f.writing = true
	p.at(p.writerFree+p.sc.NIC.InstallLatency, orders, 0, func() {
		if write != f.write {
			return
		}
		f.writing = false
		if p.faults["rule-reject"] > 0 {
			if !f.hasRule {
				p.taken--
			}
			p.refuse(f, "rule refused by the switch")
			return
		}
		switch {
		case !f.hasRule:
			f.from = 0
		case f.from == f.want: // and back, before any packet followed it
			f.from = 0
		case f.rule != f.want:
			f.from = f.rule
		}
		f.hasRule, f.rule = true, f.want
		p.totals.RulesInstalled++
		p.aim(f, f.want)
		p.tell(orchestrator.Event{Kind: orchestrator.RuleInstalled, Flow: f.id, Instance: f.want})
	})
}

// steer sends a flow's packets to another instance at once, without a rule.
func (p *plant) steer(f *flowState, i flow.Instance, hops int) {
	if !p.ruleless { // its rule is still to come
		p.aim(f, i)
		return
	}
	switch {
	case i == 0:
	case f.from == i: // and back, before any packet came there
		f.from = 0
	case f.from == 0 && f.rule != i:
		f.from = f.rule
	}
	f.rule, f.hops, f.target, f.decided = i, hops, i, true
	if i != 0 && i != f.assigned {
		if f.assigned != 0 && !f.broken {
			f.broken = true
			p.totals.Broken++
		}
		f.assigned = i
	}
	p.contend()
}

// aim makes this the instance that the flow's packets go to. Now the flow changes sides for the plant.
func (p *plant) aim(f *flowState, i flow.Instance) {
	f.target, f.decided = i, true
	if i != 0 && i != f.assigned {
		if f.assigned != 0 {
			f.moves++
			p.totals.Moves++
		}
		f.assigned = i
	}
	p.contend()
	p.release(f)
}

func (p *plant) refuse(f *flowState, why string) {
	p.totals.RulesRejected++
	p.tell(orchestrator.Event{Kind: orchestrator.RuleRejected, Flow: f.id, Instance: f.want, Reason: why})
}

// removeRule takes out a flow's rule, whether it is in force or being written.
func (p *plant) removeRule(f *flowState) {
	f.write++
	if f.hasRule || f.writing {
		p.taken--
	}
	f.hasRule, f.writing, f.byRule = false, false, 0
}
