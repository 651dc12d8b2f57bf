package packet

import "github.com/smartinco/smartinco/flow"

// cross brings what is sent before h through link and eSwitch, and on to the instances. It steps through what follows a
// control event, and leaps from where the packets come in a cycle and each server is either full for good or loses
// nothing. It returns h, or where it has stopped.
func (e *Engine) cross(h int64) int64 {
	at, most := e.in.at, e.most(h)
	step := (h - at) / max(most*e.worth()/chunk, 1)
	for last := h - (h-at)/4; most > 0 && at < last; step *= 2 {
		e.deliver(at - 1)
		if e.leap(h, most) {
			return h
		}
		next := min(at+step+1, last)
		if at = e.pump(next); at < next {
			return at
		}
	}
	return e.pump(h)
}

// most is how many packets a cycle may have for a leap to h to be worth while; 0 if nothing comes in cycles.
func (e *Engine) most(h int64) int64 {
	m := &e.m
	if e.plain || e.stay || e.delays != nil || len(e.traffic.Packets) > 0 || len(m.lanes) == 0 {
		return 0
	}
	n := 0.0
	for k := range m.lanes {
		if m.lanes[k].size != m.lanes[0].size {
			return 0
		}
		n += float64(h-m.base) / float64(m.lanes[k].period)
	}
	return int64(n) / e.worth()
}

// leap simulates everything up to h at once. ok is false if that is not possible from the present state.
func (e *Engine) leap(h, most int64) (ok bool) {
	g, m := &e.in, &e.m
	if !e.straight() || len(g.pipe) > g.head && g.pipe[len(g.pipe)-1].at >= h {
		return false
	}
	y := m.cycle(most)
	if y == nil {
		return false
	}
	sent := y.before(h - m.base)
	n := sent
	var link, eswitch passage
	size := uint64(m.lanes[0].size)
	if wire := g.wire.ticks(); wire > 0 {
		link = passage{lattice: lattice{one: 1 << fracBits, service: int64((size + uint64(g.overhead)) * wire),
			gap: int64(linkWait) << fracBits}}
		if y, n = link.pass(y, n, most, g.linkIdle-m.base, g.wire.acc); y == nil {
			return false
		}
	}
	if g.eswitch > 0 {
		one := int64(g.rest.den)
		if one > 1<<fracBits || g.patience > maxSlice {
			return false
		}
		eswitch = passage{lattice: lattice{one: one, service: g.eswitch*one + int64(g.rest.num),
			gap: g.patience*one + int64(g.odd)}}
		if y, n = eswitch.pass(y, n, most, g.eswIdle-m.base, g.rest.acc); y == nil {
			return false
		}
	}
	// At most n: a server that is full never idles, so what leaves before h was sent before h.
	out := y.before(h - m.base)
	link.lose(func(lane int32, n uint64) { m.lanes[lane].lostLink += n })
	eswitch.lose(func(lane int32, n uint64) { m.lanes[lane].lost += n })
	if link.one > 0 {
		g.linkIdle, g.wire.acc = link.left(m.base)
	}
	if eswitch.one > 0 {
		g.eswIdle, g.rest.acc = eswitch.left(m.base)
	}
	if len(g.pipe) > g.head {
		e.deliver(g.pipe[len(g.pipe)-1].at)
	}
	e.hand(y, h)
	for i := out; i < n; i++ {
		g.pipe = append(g.pipe, y.parcel(i, m))
	}
	e.sum.by[saturated] += uint64(sent)
	return true
}

// parcel is packet i of the cycle.
func (y *cycle) parcel(i int64, m *merger) parcel {
	s, ago := i%int64(len(y.at)), m.base+i/int64(len(y.at))*y.period
	l := &m.lanes[y.lane[s]]
	return parcel{y.at[s] + ago, y.sent[s] + ago, l.f, l.size}
}

// straight says whether all packets that are sent, and all in the pipe, go to instances that are there, and nothing
// needs to be noticed on their way.
func (e *Engine) straight() bool {
	if e.slow.head < len(e.slow.fifo) || e.slow.held > 0 {
		return false
	}
	goes := func(f flow.ID) bool {
		to, moved := e.whither(f)
		return to > 0 && !moved && e.instances[to].up
	}
	for k := range e.m.lanes {
		if !goes(e.m.lanes[k].f) {
			return false
		}
	}
	for _, x := range e.in.pipe[e.in.head:] {
		if !goes(x.f) {
			return false
		}
	}
	return true
}

// hand gives the packets of the cycle before h to the instances.
func (e *Engine) hand(y *cycle, h int64) {
	slots := make([][]int32, len(e.instances))
	to := make([]flow.Instance, len(e.m.lanes))
	for k := range to {
		to[k], _ = e.whither(e.m.lanes[k].f)
	}
	for s, lane := range y.lane {
		slots[to[lane]] = append(slots[to[lane]], int32(s))
	}
	c := &e.cores[0]
	by := c.sum.by // of packets that are counted where they are sent
	c.onward = true
	for i, some := range slots {
		if len(some) == 0 {
			continue
		}
		in := &e.instances[i]
		c.m.base, c.m.lanes, c.m.odd, c.m.late = e.m.base, c.m.lanes[:0], c.m.odd[:0], c.m.late[:0]
		for _, s := range some {
			x := y.parcel(int64(s), &e.m)
			c.m.lanes = append(c.m.lanes, lane{whose: whose{x.f, x.size}, next: x.at, period: y.period,
				svc: in.base + int64(x.size)*in.perByte})
			if e.measure {
				c.m.late = append(c.m.late, x.at-x.sent)
			}
		}
		c.m.inTurns()
		c.walk(in, h)
		n, size := c.m.passed(h), int64(c.m.lanes[0].size)
		in.in += n
		in.inBytes += int64(n) * size
		in.acceptedBytes += int64(n) * size
		for k := range c.m.lanes {
			if l := &c.m.lanes[k]; l.lost > 0 {
				e.outcomes[l.f].lost += l.lost
				in.lost += l.lost
				in.acceptedBytes -= int64(l.lost) * size
			}
		}
	}
	c.onward = false
	c.sum.by = by
}

// passage is what link or eSwitch make of a cycle.
type passage struct {
	lattice
	over *policer
	end  int64 // of the cycle's packets
}

// pass brings the first n packets of a cycle through the server, which falls idle at idle and a fraction. It returns
// the cycle in which packets leave, and how many are accepted; nil if they do not leave in a cycle of at most so many.
func (p *passage) pass(y *cycle, n, most, idle int64, acc uint64) (out *cycle, passed int64) {
	p.idle = max(idle, -maxSlice)*p.one + int64(acc)
	p.end = n
	if over := police(y, p.lattice); over != nil {
		if n == 0 || !over.holds(0) {
			return nil, 0
		}
		p.over = over
		if out = over.output(0, uint64(most)); out == nil {
			return nil, 0
		}
		passed = int64(over.below(over.edge(n - 1)))
		p.idle += passed * p.service
		return out, passed
	}
	// Every period is like this one if the next begins like it.
	out = &cycle{at: make([]int64, len(y.at)), sent: y.sent, lane: y.lane, period: y.period}
	busy := p.idle
	take := func(t int64) (at int64, ok bool) {
		if floor(busy-p.gap, p.one) > t {
			return 0, false
		}
		busy = max(busy, t*p.one+modulo(busy, p.one)) + p.service
		return busy / p.one, true
	}
	first := int64(0)
	for s, t := range y.at {
		at, ok := take(t)
		if !ok {
			return nil, 0
		}
		out.at[s] = at
		if s == 0 {
			first = busy
		}
	}
	if _, ok := take(y.at[0] + y.period); !ok || busy != first+y.period*p.one {
		return nil, 0
	}
	if n > 0 {
		acc := (modulo(p.idle, p.one) + n%p.one*(p.service%p.one)) % p.one
		p.idle = out.nth(n-1)*p.one + acc
	}
	return out, n
}

// lose tells what is lost of each lane.
func (p *passage) lose(tell func(lane int32, n uint64)) {
	if p.over != nil && p.end > 0 {
		p.over.fates(0, p.end, func(slot int64, came, taken uint64) { tell(p.over.lane[slot], came-taken) })
	}
}

// left is when the server falls idle, and the fraction.
func (p *passage) left(base int64) (idle int64, acc uint64) {
	return base + floor(p.idle, p.one), uint64(modulo(p.idle, p.one))
}

func floor(a, b int64) int64 {
	if a < 0 {
		return -((b - 1 - a) / b)
	}
	return a / b
}

func modulo(a, b int64) int64 { return a - floor(a, b)*b }
