package packet

import (
	"sync"
	"sync/atomic"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// core simulates one instance at a time, on one processor, while other cores simulate others. It reaches that instance,
// which is handed to it, and nothing else that changes meanwhile: not the engine, not another instance.
type core struct {
	*common
	m      merger
	sum    tally
	onward bool // even if the run is given up
}

// common is what all cores use. While they work nothing changes it but the flows, and a flow belongs to one instance.
type common struct {
	modes
	flows    []flowState
	outcomes []outcome  // as long as flows
	paces    []pace     // as long as flows, or empty where nobody needs them
	odd      []fraction // of the flows' periods; empty as long as all are whole
	down     bool       // the link
	fate     bool       // what becomes of each flow's packets is asked for
	stay     bool       // no packet is jumped over
	stopped  func() bool
}

// modes are other ways to the same result. Only tests set them.
type modes struct {
	plain  bool // step all packets, flow by flow and apart, on one core
	always bool // link and eSwitch are a stage of their own whatever the rates
	keen   bool // leap whether it is worth while or not
}

// worth is how many packets must come for each that is in their cycle for a leap to be worth while.
func (m *modes) worth() int64 {
	if m.keen {
		return 2
	}
	return 32
}

// tally is packets of the whole run.
type tally struct {
	offered, link, eswitch, rejected, reordered uint64
	by                                          [paths]uint64 // simulated on each path
}

func (t *tally) add(o *tally) {
	t.offered += o.offered
	t.link += o.link
	t.eswitch += o.eswitch
	t.rejected += o.rejected
	t.reordered += o.reordered
	for p, n := range o.by {
		t.by[p] += n
	}
}

// total adds up all tallies.
func (e *Engine) total() tally {
	all := e.sum
	for k := range e.cores {
		all.add(&e.cores[k].sum)
	}
	return all
}

// setCores prepares for so many processors.
func (e *Engine) setCores(n int) {
	if e.plain {
		n = 1
	}
	e.cores = make([]core, n)
	for k := range e.cores {
		e.cores[k].common = &e.common
	}
}

// alone says that there is one core.
func (e *Engine) alone() bool { return len(e.cores) == 1 }

// packets is about how many packets are left to simulate before to.
func (in *instance) packets(to int64) float64 {
	return float64(in.rate*float64(to-in.at)) / float64(units.Second)
}

// worthwhile is how many packets are worth starting a goroutine for.
const worthwhile = 20_000

// advance simulates what reaches an instance before to.
func (e *Engine) advance(i flow.Instance, to int64) { e.cores[0].advance(&e.instances[i], to) }

// arrive brings one packet to an instance.
func (e *Engine) arrive(i flow.Instance, p parcel) { e.cores[0].arrive(&e.instances[i], p) }

// advanceAll simulates what reaches all instances before to. If that is much, they are simulated in parallel, once the
// packets from the slow path have come: these may be of a flow that has gone to another instance since. Flows whose
// delays are measured have one account each, so then nothing is parallel.
func (e *Engine) advanceAll(to int64) {
	packets := 0.0
	for i := range e.instances {
		in := &e.instances[i]
		packets += in.packets(to)
		if k := len(in.inbox); k > 0 {
			e.advance(flow.Instance(i), min(to, in.inbox[k-1].at+1))
		}
	}
	if e.alone() || e.delays != nil || packets < worthwhile {
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
				e.cores[k].advance(&e.instances[i], to)
			}
		})
	}
	group.Wait()
}

// advance simulates what reaches the instance before to.
func (c *core) advance(in *instance, to int64) {
	for in.at < to && !c.stopped() {
		if len(in.list.ids) == 0 {
			k := len(in.inbox)
			for k > 0 && in.inbox[k-1].at >= to {
				k--
			}
			if in.up && !c.plain {
				c.accept(in, in.inbox[:k])
			} else {
				for _, p := range in.inbox[:k] {
					c.arrive(in, p)
				}
			}
			in.taken(k)
			in.at = to
			return
		}
		if n := len(in.list.ids); n > many && !c.plain &&
			float64(in.rate*float64(to-in.at)) < float64(n)*float64(units.Second)/4 {
			c.sparse(in, to)
			return
		}
		in.list.loose = true
		h := to
		if k := len(in.inbox); k > 0 && in.inbox[k-1].at >= in.at { // what comes after them can be jumped over
			h = min(to, in.inbox[k-1].at+1)
		}
		h = c.m.load(c.paces, c.odd, in.list.ids, in.at, h, in.base, in.perByte)
		built := false
		mail := 0
		for mail < len(in.inbox) && in.inbox[mail].at < h {
			p := in.inbox[mail]
			mail++
			if in.up && !c.down && p.at > in.at {
				if !built {
					c.m.build(!c.plain)
					built = true
				}
				c.step(in, p.at)
			}
			c.arrive(in, p)
		}
		in.taken(mail)
		switch {
		case c.down || !in.up:
			for k := range c.m.lanes {
				l := &c.m.lanes[k]
				l.lost = c.m.count(k, h)
				c.sum.by[counted] += l.lost
			}
		case built || !c.jump(in, h) && !c.full(in, h):
			if !built {
				c.m.build(!c.plain)
			}
			h = c.walk(in, h)
		}
		for k := range c.m.lanes {
			c.settle(in, k, h)
		}
		in.at = h
	}
}

// many is the number of flows above which it costs too much to look at each when little has happened.
const many = 64

// sparse is advance for an interval in which most flows send nothing: it takes packet by packet from the heap of all.
func (c *core) sparse(in *instance, to int64) {
	if in.list.loose {
		in.list.order()
	}
	mail := 0
	for {
		f := in.list.ids[0]
		t := c.paces[f].due()
		for mail < len(in.inbox) && in.inbox[mail].at < to && in.inbox[mail].at <= t {
			c.arrive(in, in.inbox[mail])
			mail++
		}
		if t >= to {
			break
		}
		c.offer(f, 1, &c.sum)
		in.list.fix(0)
		if c.down {
			c.sum.by[counted]++
			c.outcomes[f].stopped++
			c.sum.link++
			continue
		}
		c.sum.by[apart]++
		at := max(t, in.at)
		c.arrive(in, parcel{at, at, f, c.paces[f].bytes})
	}
	in.taken(mail)
	in.at = to
}

// step goes through the packets before h one by one.
func (c *core) step(in *instance, h int64) {
	for keys := c.m.fill(h, chunk); len(keys) > 0; keys = c.m.fill(h, chunk) {
		in.ring(&c.m, keys, false)
		c.sum.by[apart] += uint64(len(keys))
	}
}

// settle books the packets that a lane sent before h to the instance.
func (c *core) settle(in *instance, lane int, h int64) {
	l, n := &c.m.lanes[lane], c.m.count(lane, h)
	x, bytes := &c.outcomes[l.f], int64(l.size)
	c.offer(l.f, n, &c.sum)
	switch {
	case c.down:
		x.stopped += l.lost
		c.sum.link += l.lost
	case in.drops:
		x.uncounted += l.lost
		x.lost += l.lost
		c.sum.rejected += l.lost
	default:
		x.lost += l.lost
		in.lost += l.lost
		in.in += n
		in.inBytes += int64(n) * bytes
		in.acceptedBytes += int64(n-l.lost) * bytes
	}
}

// offer books n packets that a flow has sent.
func (c *common) offer(f flow.ID, n uint64, sum *tally) {
	s, p := &c.flows[f], &c.paces[f]
	s.offered += n
	s.sent += float64(float64(n) * p.size)
	sum.offered += n
	if n > 0 {
		p.next += int64(n-1) * p.period
		if len(c.odd) > 0 {
			p.next += c.odd[f].steps(n)
		}
		if p.next > int64(units.Never)-p.period {
			p.next = int64(units.Never)
		} else {
			p.next += p.period
		}
	}
}

// arrive brings one packet to the instance.
func (c *core) arrive(in *instance, p parcel) {
	if in.drops {
		c.outcomes[p.f].uncounted++
		c.outcomes[p.f].lost++
		c.sum.rejected++
		return
	}
	in.in++
	in.inBytes += int64(p.size)
	if !in.up || !in.take(p) {
		in.lost++
		c.outcomes[p.f].lost++
		return
	}
	in.acceptedBytes += int64(p.size)
}

// accept brings packets to an instance that is up.
func (c *core) accept(in *instance, xs []parcel) {
	for len(xs) > 0 {
		k := min(len(xs), margin)
		c.acceptChunk(in, xs[:k])
		xs = xs[k:]
	}
}

func (c *core) acceptChunk(in *instance, xs []parcel) {
	dep, who, n, idle, work, clock, room := in.dep, in.who, in.n, in.idle, in.work, in.clock, uint64(in.room)
	who = who[:len(dep)]
	mask := uint64(len(dep) - 1)
	var at, sent []int64
	if in.book != nil {
		in.book.enter(&in.server, n-room)
		at, sent = in.book.at[:len(dep)], in.book.sent[:len(dep)]
	}
	var bytes, lost, lostBytes int64
	instants, base := uint64(0), xs[0].at
	for k := range xs {
		x := &xs[k]
		bytes += int64(x.size)
		if dep[(n-room)&mask] > x.at {
			lost++
			lostBytes += int64(x.size)
			c.outcomes[x.f].lost++
			continue
		}
		d := int64(x.size) * in.perByte
		if in.draw == nil {
			d += clock.span()
		} else {
			d += in.draw(clock.base)
		}
		work += d
		idle = max(idle, x.at) + d
		dep[n&mask], who[n&mask] = idle, whose{x.f, x.size}
		if at != nil {
			at[n&mask], sent[n&mask] = x.at, x.sent
			instants += uint64(x.at - base)
		}
		n++
	}
	more := n - in.n
	in.n, in.idle, in.work, in.clock = n, idle, work, clock
	if in.book != nil {
		in.book.accepted(more, instants, base)
	}
	in.in += uint64(len(xs))
	in.inBytes += bytes
	in.lost += uint64(lost)
	in.acceptedBytes += bytes - lostBytes
}
