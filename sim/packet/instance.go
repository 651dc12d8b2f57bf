package packet

import (
	"sync"
	"sync/atomic"

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

// core is what a processor needs to simulate instances while others simulate others.
type core struct {
	*Engine
	m       merger
	stepped [ways]uint64
	sum     *sums
}

// packets is about how many are left to simulate before to.
func (in *instance) packets(to int64) float64 {
	return float64(in.rate*float64(to-in.at)) / float64(units.Second)
}

// worthwhile is how many packets are worth a goroutine.
const worthwhile = 20_000

// advance simulates what reaches an instance before to.
func (e *Engine) advance(i flow.Instance, to int64) { e.cores[0].advance(i, to) }

// advanceAll simulates what reaches all instances before to. Where that is much, they are simulated at the same time, once those
// packets have come that can touch what is another's: from the slow path, of a flow that may have gone elsewhere since. And so
// may a flow whose delays are asked for, of which there is one account.
func (e *Engine) advanceAll(to int64) {
	packets := 0.0
	for i := range e.instances {
		in := &e.instances[i]
		packets += in.packets(to)
		if k := len(in.inbox); k > 0 {
			e.advance(flow.Instance(i), min(to, in.inbox[k-1].at+1))
		}
	}
	if e.alone || e.delays != nil || packets < worthwhile {
		for i := range e.instances {
			e.advance(flow.Instance(i), to)
		}
		return
	}
	e.advance(0, to) // what the rules drop
	var next atomic.Int32
	var group sync.WaitGroup
	for k := range e.cores {
		group.Go(func() {
			for {
				i := next.Add(1)
				if int(i) >= len(e.instances) {
					return
				}
				e.cores[k].advance(flow.Instance(i), to)
			}
		})
	}
	group.Wait()
	for k := range e.cores[1:] {
		e.sum.add(e.cores[k+1].sum)
		*e.cores[k+1].sum = sums{}
	}
}

// advance simulates what reaches the instance before to.
func (c *core) advance(i flow.Instance, to int64) {
	in := &c.instances[i]
	for in.at < to && !c.ctl.Stopped() {
		if len(in.list.ids) == 0 {
			k := 0
			for ; k < len(in.inbox) && in.inbox[k].at < to; k++ {
				c.arrive(i, in.inbox[k])
			}
			in.inbox = in.inbox[:copy(in.inbox, in.inbox[k:])]
			in.at = to
			return
		}
		if n := len(in.list.ids); n > many && !c.plain && float64(in.rate*float64(to-in.at)) < float64(n)*float64(units.Second)/4 {
			c.sparse(i, in, to)
			return
		}
		in.list.loose = true
		h := to
		if k := len(in.inbox); k > 0 && in.inbox[k-1].at >= in.at { // so that what comes after them can be jumped over
			h = min(to, in.inbox[k-1].at+1)
		}
		h = c.m.load(c.flows, c.odd, in.list.ids, in.at, h, in.base, in.perByte)
		built := false
		mail := 0
		for mail < len(in.inbox) && in.inbox[mail].at < h {
			p := in.inbox[mail]
			mail++
			if in.up && !c.down && p.at > in.at {
				if !built {
					c.m.build()
					built = true
				}
				c.step(in, p.at)
			}
			c.arrive(i, p)
		}
		in.inbox = in.inbox[:copy(in.inbox, in.inbox[mail:])]
		switch {
		case c.down || !in.up:
			for k := range c.m.lanes {
				l := &c.m.lanes[k]
				l.lost = c.m.count(k, h)
				c.stepped[counted] += l.lost
			}
		case built || !c.jump(in, h) && !c.full(in, h):
			if !built {
				c.m.build()
			}
			h = c.walk(in, h)
		}
		for k := range c.m.lanes {
			c.settle(i, in, k, h)
		}
		in.at = h
	}
}

// many is how many flows are too many to look at each when little has happened.
const many = 64

// sparse is advance for an interval in which most flows send nothing: it asks for the next packet of all.
func (c *core) sparse(i flow.Instance, in *instance, to int64) {
	if in.list.loose {
		in.list.order()
	}
	mail := 0
	for {
		f := in.list.ids[0]
		s := &c.flows[f]
		t := s.due()
		for mail < len(in.inbox) && in.inbox[mail].at < to && in.inbox[mail].at <= t {
			c.arrive(i, in.inbox[mail])
			mail++
		}
		if t >= to {
			break
		}
		c.offer(f, 1, c.sum)
		in.list.fix(0)
		if c.down {
			c.stepped[counted]++
			s.lostLink++
			c.sum.link++
			continue
		}
		c.stepped[one]++
		at := max(t, in.at)
		c.arrive(i, parcel{at, at, f, s.bytes})
	}
	in.inbox = in.inbox[:copy(in.inbox, in.inbox[mail:])]
	in.at = to
}

// step goes through the packets before h one by one.
func (c *core) step(in *instance, h int64) {
	for keys := c.m.fill(h, chunk); len(keys) > 0; keys = c.m.fill(h, chunk) {
		in.ring(&c.m, keys, false)
		c.stepped[one] += uint64(len(keys))
	}
}

// settle books the packets that a lane sent before h to the instance.
func (c *core) settle(i flow.Instance, in *instance, lane int, h int64) {
	l, n := &c.m.lanes[lane], c.m.count(lane, h)
	s := &c.flows[l.f]
	c.offer(l.f, n, c.sum)
	switch {
	case c.down:
		s.lostLink += l.lost
		c.sum.link += l.lost
	case i == 0:
		s.rejected += l.lost
		c.sum.rejected += l.lost
	default:
		s.lostInstance += l.lost
		in.lost += l.lost
		in.in += n
		in.inBytes += int64(n) * int64(s.bytes)
		in.acceptedBytes += int64(n-l.lost) * int64(s.bytes)
	}
}

// offer books n packets that a flow has sent.
func (e *Engine) offer(f flow.ID, n uint64, sum *sums) {
	s := &e.flows[f]
	s.offered += n
	s.sent += float64(float64(n) * s.size)
	sum.offered += n
	if n > 0 {
		s.next += int64(n-1) * s.period
		if len(e.odd) > 0 {
			s.next += e.odd[f].steps(n)
		}
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
	var b *book
	if e.measure {
		b = newBook(e.delays)
	}
	in.server = newServer(e.sc.VNF.Buffer, e.speed(), int64(e.sc.VNF.PerByte), e.source(i), b)
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
		in.flush(int64(now), func(p whose) {
			in.lost++
			in.acceptedBytes -= int64(p.size)
			e.flows[p.f].lostInstance++
		})
		in.up = false
		in.upTime += int64(now) - in.upAt
	}
	e.recount(now)
}

// hold takes a live flow from one instance to another, 0 being none: one change, which rounds what is in the rings once.
func (e *Engine) hold(now units.Time, from, to flow.Instance) {
	e.room(max(from, to))
	changed := false
	if from != 0 {
		n := &e.instances[from].flows
		*n--
		changed = *n == 0
	}
	if to != 0 {
		n := &e.instances[to].flows
		*n++
		changed = changed || *n == 1
	}
	if changed {
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
		bytes += int64(in.who[in.back(i)].size)
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
