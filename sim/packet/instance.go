package packet

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// instance is one instance: its server, and the flows that the eSwitch sends there. Number 0 stands for the rule that
// drops: it is never up, and what it loses counts as rejected.
type instance struct {
	server
	up    bool
	at    int64 // every packet before has been seen; not in force while the ingress is a stage of its own
	upAt  int64
	flows int      // assigned to it
	list  byNext   // flows with a rule to it; an order is kept while they are many and send little
	rate  float64  // packets a second that these send
	inbox []parcel // from the slow path, on their way here in order of time

	in, lost               uint64
	inBytes, acceptedBytes int64
	upTime                 int64 // until upAt
	last                   struct {
		in, processed, lost uint64
		busy, up            int64
	}
}

// parcel is a packet on its way.
type parcel struct {
	at   int64
	sent int64 // when the generator sent it
	f    flow.ID
	size int32
}

// arrive brings one packet to the instance.
func (e *Engine) arrive(i flow.Instance, p parcel) {
	in := &e.instances[i]
	if i == 0 {
		e.flows[p.f].rejected++
		e.sum.rejected++
		return
	}
	in.in++
	in.inBytes += int64(p.size)
	if !in.up || !in.take(p) {
		in.lost++
		e.flows[p.f].lostInstance++
		return
	}
	in.acceptedBytes += int64(p.size)
}

// advance simulates what reaches the instance before to.
func (e *Engine) advance(i flow.Instance, to int64) {
	in := &e.instances[i]
	for in.at < to {
		if len(in.list.ids) == 0 {
			k := 0
			for ; k < len(in.inbox) && in.inbox[k].at < to; k++ {
				e.arrive(i, in.inbox[k])
			}
			in.inbox = in.inbox[:copy(in.inbox, in.inbox[k:])]
			in.at = to
			return
		}
		if n := len(in.list.ids); n > many && !e.plain && float64(in.rate*float64(to-in.at)) < float64(n)*float64(units.Second)/4 {
			e.sparse(i, in, to)
			return
		}
		in.list.loose = true
		h := to
		if k := len(in.inbox); k > 0 && in.inbox[k-1].at >= in.at { // so that what comes after them can be jumped over
			h = min(to, in.inbox[k-1].at+1)
		}
		h = e.m.load(e.flows, in.list.ids, in.at, h, in.perByte)
		built := false
		mail := 0
		for mail < len(in.inbox) && in.inbox[mail].at < h {
			p := in.inbox[mail]
			mail++
			if in.up && !e.down && p.at > in.at {
				if !built {
					e.m.build()
					built = true
				}
				e.step(in, p.at)
			}
			e.arrive(i, p)
		}
		in.inbox = in.inbox[:copy(in.inbox, in.inbox[mail:])]
		switch {
		case e.down || !in.up:
			for k := range e.m.lanes {
				l := &e.m.lanes[k]
				l.lost = l.skip(h)
				e.stepped[counted] += l.lost
			}
		case built || !e.jump(in, h) && !e.full(in, h):
			if !built {
				e.m.build()
			}
			e.step(in, h)
		}
		for k := range e.m.lanes {
			e.settle(i, in, &e.m.lanes[k], h)
		}
		in.at = h
	}
}

// many is how many flows are too many to look at each when little has happened.
const many = 64

// sparse is advance for an interval in which most flows send nothing: it asks for the next packet of all.
func (e *Engine) sparse(i flow.Instance, in *instance, to int64) {
	if in.list.loose {
		in.list.order()
	}
	mail := 0
	for {
		f := in.list.ids[0]
		s := &e.flows[f]
		t := s.due()
		for mail < len(in.inbox) && in.inbox[mail].at < to && in.inbox[mail].at <= t {
			e.arrive(i, in.inbox[mail])
			mail++
		}
		if t >= to {
			break
		}
		e.offer(s, 1)
		in.list.fix(0)
		if e.down {
			e.stepped[counted]++
			s.lostLink++
			e.sum.link++
			continue
		}
		e.stepped[one]++
		at := max(t, in.at)
		e.arrive(i, parcel{at, at, f, s.bytes})
	}
	in.inbox = in.inbox[:copy(in.inbox, in.inbox[mail:])]
	in.at = to
}

// step goes through the packets before h one by one.
func (e *Engine) step(in *instance, h int64) {
	m := &e.m
	if len(m.lanes) == 0 {
		return
	}
	tree, lanes, k, turn := m.tree[:], m.lanes, m.k, m.turn
	if !m.turns {
		tree = tree[:1<<k]
	}
	ring, pos, idle, work, book := in.ring, in.pos, in.idle, in.work, in.book
	end, mask := m.end(h), uint64(1)<<k-1
	n := uint64(0)
	for {
		var l *lane
		var t int64
		if m.turns {
			l = &lanes[turn]
			if t = l.at; t >= h {
				break
			}
			l.at += l.period
			if turn++; turn == len(lanes) {
				turn = 0
			}
		} else {
			key := tree[0]
			if key >= end {
				break
			}
			i := key & mask
			l = &lanes[i]
			t = m.base + int64(key>>k)
			key += uint64(l.period) << k
			for j := (i + 1<<k) >> 1; j > 0; j >>= 1 {
				tree[j], key = max(tree[j], key), min(tree[j], key)
			}
			tree[0] = key
		}
		n++
		p := &ring[pos]
		if p.dep > t {
			l.lost++
			continue
		}
		if book != nil {
			book.accept(ring, pos, t, t)
		}
		d := in.service(l.svc)
		work += d
		idle = max(idle, t) + d
		*p = slot{idle, l.f, l.size}
		if pos++; pos == len(ring) {
			pos = 0
		}
	}
	m.turn = turn
	in.pos, in.idle, in.work = pos, idle, work
	e.stepped[one] += n
}

// jump counts instead of stepping where nothing can be lost: at constant rates and a load below one, the work in the
// system never exceeds what is there now plus one packet of each flow. Of the packets before the last few only the
// number matters. From there on it steps with that bound as the backlog: at the first packet that finds even this
// server idle, the system is empty, whatever was before, and from then on the state is exact.
func (e *Engine) jump(in *instance, h int64) bool {
	m := &e.m
	if in.draw != nil || in.book != nil || e.plain || len(m.lanes) == 0 {
		return false
	}
	load, burst := 0.0, int64(0)
	for k := range m.lanes {
		svc := in.base + 1 + m.lanes[k].svc
		load += float64(svc) / float64(m.lanes[k].period)
		burst += svc
	}
	work := max(in.idle-in.at, 0)
	most := work + burst // of the work in the system, and so of a sojourn
	room := float64(in.held(in.at) + 2)
	for k := range m.lanes {
		room += float64(most)/float64(m.lanes[k].period) + 2
	}
	if load > 0.999 || room > float64(len(in.ring)) {
		return false
	}
	tail := int64(float64(most+burst)/(1-load)) + 2*burst
	if h-in.at < 4*tail {
		return false
	}
	from := h - tail
	first := make([]int64, len(m.lanes))
	for k := range m.lanes {
		l := &m.lanes[k]
		first[k] = l.next
		l.next += int64(l.skip(from)) * l.period
	}
	m.play()
	idle := from + most
	before, mask := make([]uint64, len(m.lanes)), uint64(1)<<m.k-1
	for m.tree[0] < m.end(h) {
		key := m.tree[0]
		i := key & mask
		if t := m.base + int64(key>>m.k); t >= idle {
			break
		}
		before[i]++
		l := &m.lanes[i]
		idle += in.base + 1 + l.svc
		key += uint64(l.period) << m.k
		for j := (i + 1<<m.k) >> 1; j > 0; j >>= 1 {
			m.tree[j], key = max(m.tree[j], key), min(m.tree[j], key)
		}
		m.tree[0] = key
	}
	if m.tree[0] >= m.end(h) {
		for k := range m.lanes {
			m.lanes[k].next = first[k]
		}
		return false
	}
	jumped, bytes := uint64(0), int64(0)
	for k := range m.lanes {
		l := &m.lanes[k]
		n := uint64((l.next-first[k])/l.period) + before[k]
		jumped += n
		bytes += int64(n) * l.svc
		l.next = first[k]
	}
	in.work += bytes + in.spans(jumped)
	e.stepped[jumps] += jumped
	e.step(in, h)
	return true
}

// full counts instead of stepping while the queue overflows: package queue's jump, in this engine's ring. Constant-rate
// sources of n flows send within n packets of their rate times any time. So from the beginning of the slice it takes
// `tail` until the server has enough to do never to idle before h; and c(t) = floor((t + (B-1)s - idle)/s) + 1 packets,
// counted from there, could have been accepted up to one that comes at t. Of N the accepted ones are the least of N and
// of c(t) plus those that come after t, and a packet further than `tail` from h cannot give the least.
func (e *Engine) full(in *instance, h int64) bool {
	m := &e.m
	n, room := int64(len(m.lanes)), int64(len(in.ring))
	if e.sc.Measure.Flows || e.plain || n == 0 || in.draw != nil || in.frac != 0 || room < 2*n+8 {
		return false
	}
	s := in.base + m.lanes[0].svc
	rate := 0.0
	for k := range m.lanes {
		l := &m.lanes[k]
		if l.size != m.lanes[0].size || l.next-in.at >= l.period {
			return false
		}
		rate += 1 / float64(l.period)
	}
	excess := rate - 1/float64(s)
	if float64(excess*float64(s)) < 1e-6 {
		return false
	}
	tail := float64(2*n+2)/excess + float64(2*s)
	if float64(h-in.at) < float64(4*tail)+float64(2*room*s) {
		return false
	}
	for k := range in.held(in.at) { // what waits is to leave as what comes
		if in.back(k).dep != in.idle-int64(k)*s {
			return false
		}
	}

	begin, from := in.at+int64(tail), h-int64(tail)
	m.play()
	e.step(in, begin)
	first, sends := make([]int64, n), make([]uint64, n)
	left, k := int64(0), int64(0)
	for j := range m.lanes {
		l := &m.lanes[j]
		first[j] = l.next
		l.next += int64(l.skip(begin)) * l.period
		sends[j] = l.skip(h)
		left += int64(sends[j])
		skipped := int64(l.skip(from))
		k += skipped
		l.next += skipped * l.period
	}
	m.play()
	least, bound := left, (room-1)*s-in.idle
	for end, mask := m.end(h), uint64(1)<<m.k-1; m.tree[0] < end; {
		key := m.tree[0]
		i := key & mask
		k++
		least = min(least, (m.base+int64(key>>m.k)+bound+s)/s+left-k)
		key += uint64(m.lanes[i].period) << m.k
		for j := (i + 1<<m.k) >> 1; j > 0; j >>= 1 {
			m.tree[j], key = max(m.tree[j], key), min(m.tree[j], key)
		}
		m.tree[0] = key
	}
	in.idle += least * s
	in.work += least * s
	for j := range in.ring {
		*in.back(j) = slot{in.idle - int64(j)*s, m.lanes[0].f, m.lanes[0].size}
	}
	lost := uint64(left - least)
	for j := range m.lanes {
		l := &m.lanes[j]
		l.next = first[j]
		share := min(lost, sends[j]) // whose they are is not told
		l.lost += share
		lost -= share
	}
	e.stepped[full] += uint64(left)
	return true
}

// settle books the packets that a lane sent before h to the instance.
func (e *Engine) settle(i flow.Instance, in *instance, l *lane, h int64) {
	n := l.skip(h)
	s := &e.flows[l.f]
	e.offer(s, n)
	switch {
	case e.down:
		s.lostLink += l.lost
		e.sum.link += l.lost
	case i == 0:
		s.rejected += l.lost
		e.sum.rejected += l.lost
	default:
		s.lostInstance += l.lost
		in.lost += l.lost
		in.in += n
		in.inBytes += int64(n) * int64(s.bytes)
		in.acceptedBytes += int64(n-l.lost) * int64(s.bytes)
	}
}

// offer books n packets that a flow has sent.
func (e *Engine) offer(s *flowState, n uint64) {
	s.offered += n
	s.sent += float64(float64(n) * s.size)
	e.sum.offered += n
	if n > 0 {
		s.next += int64(n-1) * s.period
		if s.next > int64(units.Never)-s.period {
			s.next = int64(units.Never)
		} else {
			s.next += s.period
		}
	}
}

// Up lets an instance take packets.
func (e *Engine) Up(now units.Time, i flow.Instance) {
	e.room(i)
	e.syncInstance(now, i)
	in := &e.instances[i]
	in.up, in.upAt = true, int64(now)
	in.server = server{ring: make([]slot, e.sc.VNF.Buffer), clock: e.speed(), perByte: int64(e.sc.VNF.PerByte), draw: e.source(i)}
	if e.measure {
		in.book = newBook(e.sc.VNF.Buffer, int64(now), e.delays)
	}
	e.recount(now)
}

// speed is the service rate in force.
func (e *Engine) speed() clock { return newClock(e.law.Capacity(max(e.contend, 1))) }

// room makes place for an instance's number.
func (e *Engine) room(i flow.Instance) {
	for len(e.instances) <= int(i) {
		e.instances = append(e.instances, instance{})
	}
}

// Down ends an instance; what it holds is lost.
func (e *Engine) Down(now units.Time, i flow.Instance) {
	e.room(i)
	e.syncInstance(now, i)
	in := &e.instances[i]
	if in.up {
		in.flush(int64(now), func(p *slot) {
			in.lost++
			in.acceptedBytes -= int64(p.size)
			e.flows[p.f].lostInstance++
		})
		in.up = false
		in.upTime += int64(now) - in.upAt
	}
	e.recount(now)
}

// hold changes the number of flows that an instance holds.
func (e *Engine) hold(now units.Time, i flow.Instance, n int) {
	if i == 0 {
		return
	}
	e.room(i)
	before := e.instances[i].flows
	e.instances[i].flows += n
	if (before == 0) != (e.instances[i].flows == 0) {
		e.recount(now)
	}
}

// recount finds the number of instances that contend, and gives each the speed that follows.
func (e *Engine) recount(now units.Time) {
	n := 0
	for i := range e.instances {
		if in := &e.instances[i]; in.up && (e.sc.VNF.IdleContend || in.flows > 0) {
			n++
		}
	}
	was := e.speed()
	e.contend = n
	c := e.speed()
	if c == was {
		return
	}
	for i := range e.instances {
		if e.instances[i].up {
			e.syncInstance(now, flow.Instance(i))
			e.instances[i].speed(int64(now), c)
		}
	}
}

// held is what an instance holds at now, in packets and bytes.
func (in *instance) heldNow(now int64) (packets uint64, bytes int64) {
	if !in.up {
		return 0, 0
	}
	k := in.held(now)
	for i := range k {
		bytes += int64(in.back(i).size)
	}
	return uint64(k), bytes
}

// busy is how long the instance has worked until now, and how long it has been up.
func (in *instance) busy(now int64) (busy, up int64) {
	up = in.upTime
	if in.up {
		up += now - in.upAt
	}
	return in.work - max(in.idle-now, 0), up
}
