package packet

import (
	"fmt"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// ingress is the link and the eSwitch, two servers one behind the other that all flows share. As long as what is sent
// stays below both limits they lose nothing and are left out: the packets of each instance are simulated apart. Beyond
// a limit both are a stage of their own: the packets of all flows are merged once, and those that pass stand in pipe
// until the eSwitch has forwarded them.
type ingress struct {
	tandem
	rate, bits float64 // sent by all flows now
	sending    int
	pipe       []parcel
	head       int
	active     []flow.ID // flows that send
	at         int64
	wary       int // how many times to merge without blocks
	doubt      int // and how many the last time
}

// tandem is the two servers, and what they have passed and is on its way to the pipe.
type tandem struct {
	linkIdle int64
	eswIdle  int64
	eswitch  int64    // a service of the eSwitch, in whole picoseconds; 0 for no limit
	rest     fraction // and what it has beyond them: exact, so that common periods of it and the flows are short
	patience int64    // for the eSwitch: the services of as many packets as may wait, in whole picoseconds
	odd      uint64   // and what they have beyond them, in the parts of rest
	wire     clock    // of one byte on the link
	overhead float64
	merged   []parcel
}

// linkWait is how long a frame may wait for the line: the transmit ring of the sender, 1488 frames of 64 B at 100
// Gbit/s.
const linkWait = 10 * units.Microsecond

func (e *Engine) initIngress() error {
	nic := &e.sc.NIC
	g := &e.in
	g.overhead = float64(nic.FrameOverhead)
	if nic.Link > 0 {
		g.wire = newClock(float64(nic.Link) / 8) // at 8 Tbit/s and more, 1 ps
	}
	if nic.ESwitchLimit > 0 {
		p, err := traces.PeriodOf(float64(nic.ESwitchLimit))
		if err != nil {
			return fmt.Errorf("nic.eswitch_limit: %w", err)
		}
		g.eswitch = int64(p.Num) / p.Den
		g.rest = fraction{num: uint64(int64(p.Num) % p.Den), den: uint64(p.Den)}
		waiting := min(uint64(nic.ESwitchQueue), uint64(units.Hour)/uint64(g.eswitch))
		all := g.rest
		g.patience = int64(waiting)*g.eswitch + all.steps(waiting)
		g.odd = all.acc
	}
	return nil
}

// change replaces a flow's rate and frame size by others.
func (g *ingress) change(rate, size, newRate, newSize float64) {
	if rate > 0 {
		g.sending--
		g.rate -= rate
		g.bits -= float64(rate * (size + g.overhead) * 8)
	}
	if g.sending == 0 {
		g.rate, g.bits = 0, 0
	}
	if newRate > 0 {
		g.sending++
		g.rate += newRate
		g.bits += float64(newRate * (newSize + g.overhead) * 8)
	}
}

// limits decides whether the ingress is a stage of its own from now on. It stays one until its pipe is empty.
func (e *Engine) limits(now units.Time) {
	g := &e.in
	nic := &e.sc.NIC
	want, pass := e.always, 1.0
	if nic.Link > 0 || nic.ESwitchLimit > 0 {
		want = want || len(e.traffic.Packets) > 0 // a burst may be beyond any limit
	}
	if limit := float64(nic.Link); limit > 0 && numeric.Exceeds(g.bits, limit) {
		want, pass = true, limit/g.bits
	}
	if limit := float64(nic.ESwitchLimit); limit > 0 && numeric.Exceeds(float64(pass*g.rate), limit) {
		want = true
	}
	switch {
	case want && !e.staged:
		e.syncAll(now)
		g.at = max(int64(now), e.slow.at)
		for i := range e.instances {
			// What is left is at most what the slow path sends on at this very instant.
			e.advance(flow.Instance(i), g.at)
			in := &e.instances[i]
			for _, x := range in.inbox {
				e.arrive(flow.Instance(i), x)
			}
			in.taken(len(in.inbox))
			in.list.loose = true
		}
		e.staged, e.slow.missed.loose = true, true
	case !want && e.staged:
		e.through(int64(now))
		if g.head < len(g.pipe) {
			e.ctl.Schedule(sim.ClassTraffic, sim.Event{At: units.Time(g.pipe[len(g.pipe)-1].at + 1), Kind: evDrained})
			return
		}
		e.staged = false
		e.slow.at = g.at
		e.slow.missed.order()
		for i := range e.instances {
			e.instances[i].at = g.at
		}
		e.expectAll()
	}
}

// through simulates link and eSwitch, and with them everything, up to to.
func (e *Engine) through(to int64) {
	g := &e.in
	for g.at < to && !e.stopped() {
		h := e.m.load(e.paces, e.odd, g.active, g.at, to, 0, 0)
		if e.down {
			for k := range e.m.lanes {
				l := &e.m.lanes[k]
				n := e.m.count(k, h)
				e.sum.by[counted] += n
				e.outcomes[l.f].stopped += n
				e.sum.link += n
				e.offer(l.f, n, &e.sum)
			}
			for e.feed.due() < h {
				e.sent(e.feed.take())
			}
		} else {
			e.m.build(!e.plain)
			h = e.cross(h)
			for k := range e.m.lanes {
				l := &e.m.lanes[k]
				e.outcomes[l.f].stopped += l.lostLink + l.lost
				e.sum.link += l.lostLink
				e.sum.eswitch += l.lost
				e.offer(l.f, e.m.count(k, h), &e.sum)
			}
		}
		g.at = h
	}
	e.deliver(to - 1)
	e.serve(to - 1)
}

// load is how many packets are merged before they are delivered on another core while the next are merged. That is a
// fifth of a millisecond's work, several times what it takes to wake that core, and less than the second cache holds.
const load = 1 << 15

// pump merges the packets before h while those merged before are delivered on another core. Neither needs anything of
// the other: what link and eSwitch pass depends on the traffic alone. It returns h, or where it has stopped because the
// run is given up.
func (e *Engine) pump(h int64) int64 {
	until, more := e.merge(h)
	e.enqueue()
	if !more {
		return h
	}
	done := make(chan struct{}, 1)
	deliver := func(until int64) { // an argument, or each call of pump would allocate it
		e.deliver(until)
		done <- struct{}{}
	}
	for more {
		if !e.alone() {
			go deliver(until)
		} else {
			deliver(until)
		}
		if next := min(e.m.next(), e.feed.due()); next < h && e.stopped() {
			h = next + 1
		}
		var next int64
		next, more = e.merge(h)
		<-done
		until = next
		e.enqueue()
	}
	return h
}

// enqueue puts into the pipe what has been merged.
func (e *Engine) enqueue() {
	g := &e.in
	g.pipe = append(g.pipe, g.merged...)
	for k := range e.merged {
		g.pipe = append(g.pipe, e.merged[k].merged...)
	}
	e.merged = nil
}

// merge brings the next packets before h through link and eSwitch, into merged. It returns when the last one was sent
// and whether there may be more.
func (e *Engine) merge(h int64) (last int64, more bool) {
	g := &e.in
	g.merged = g.merged[:0]
	for k := range e.m.lanes {
		l := &e.m.lanes[k]
		l.wire = (uint64(l.size) + uint64(g.overhead)) * g.wire.ticks()
	}
	if last, ok := e.inBlocks(h); ok {
		return last, true
	}
	for n := 0; n < load; {
		own := e.feed.due()
		k, t := e.mergeLanes(min(h, own), load-n)
		if n += k; k > 0 {
			last = t
		}
		if n == load {
			break
		}
		if own >= h {
			return last, false
		}
		for next := e.m.next(); own <= next && own < h && n < load; own = e.feed.due() {
			x := e.feed.take()
			e.sent(x)
			last = own
			n++
			e.pass(parcel{own, own, x.Flow, x.Bytes})
		}
	}
	return last, true
}

// pass brings one packet through link and eSwitch.
func (e *Engine) pass(x parcel) {
	g := &e.in
	if wire := g.wire.ticks(); wire > 0 {
		if g.linkIdle-x.at > int64(linkWait) {
			e.outcomes[x.f].stopped++
			e.sum.link++
			return
		}
		g.wire.acc += (uint64(x.size) + uint64(g.overhead)) * wire
		x.at = max(g.linkIdle, x.at) + int64(g.wire.acc>>fracBits)
		g.wire.acc &= 1<<fracBits - 1
		g.linkIdle = x.at
	}
	if g.eswitch > 0 {
		if g.full(g.eswIdle-x.at, g.rest.acc) {
			e.outcomes[x.f].stopped++
			e.sum.eswitch++
			return
		}
		x.at = max(g.eswIdle, x.at) + g.eswitch + g.rest.step()
		g.eswIdle = x.at
	}
	g.merged = append(g.merged, x)
}

// mergeLanes is merge for the constant-rate flows, for at most that many packets. It returns their number and when the
// last one was sent.
func (e *Engine) mergeLanes(h int64, most int) (n int, last int64) {
	m, g := &e.m, &e.in
	for n < most {
		keys := m.fill(h, most-n)
		if len(keys) == 0 {
			break
		}
		n += len(keys)
		last = m.base + int64(keys[len(keys)-1]>>laneBits)
		g.gate(m, keys)
	}
	e.sum.by[stage] += uint64(n)
	return n, last
}

// full says whether as many packets wait as may, beside the one that is being forwarded: whether the eSwitch is busy
// for longer than its last services of that many take. acc is that of rest.
func (g *tandem) full(busy int64, acc uint64) bool {
	most := g.patience
	if acc < g.odd {
		most++
	}
	return busy > most
}

// gate brings the packets of the keys through link and eSwitch, into merged.
func (g *tandem) gate(m *merger, keys []uint64) {
	link, esw := g.wire.ticks() > 0, g.eswitch > 0
	linkIdle, wire, eswIdle, rest := g.linkIdle, g.wire.acc, g.eswIdle, g.rest
	base, lanes, out := m.base, m.lanes, g.merged
	for _, key := range keys {
		sent := base + int64(key>>laneBits)
		l := &lanes[key&laneMask]
		t := sent
		if link {
			if linkIdle-t > int64(linkWait) {
				l.lostLink++
				continue
			}
			wire += l.wire
			linkIdle = max(linkIdle, t) + int64(wire>>fracBits)
			wire &= 1<<fracBits - 1
			t = linkIdle
		}
		if esw {
			if g.full(eswIdle-t, rest.acc) {
				l.lost++
				continue
			}
			eswIdle = max(eswIdle, t) + g.eswitch + rest.step()
			t = eswIdle
		}
		out = append(out, parcel{t, sent, l.f, l.size})
	}
	g.linkIdle, g.wire.acc, g.eswIdle, g.rest, g.merged = linkIdle, wire, eswIdle, rest, out
}

// deliver takes what the eSwitch has forwarded until then to where the rules say. The rules do not change meanwhile, so
// the packets may wait for it.
func (e *Engine) deliver(until int64) {
	g := &e.in
	for g.head < len(g.pipe) && g.pipe[g.head].at <= until {
		if e.slow.head == len(e.slow.fifo) && !e.plain {
			if e.spread(until); g.head == len(g.pipe) || g.pipe[g.head].at > until {
				break
			}
		}
		x := g.pipe[g.head]
		g.head++
		if e.slow.head < len(e.slow.fifo) {
			e.serve(x.at)
		}
		to, moved := e.whither(x.f)
		if to < 0 {
			e.miss(x)
			continue
		}
		if moved && to != 0 {
			e.passes(x)
		}
		e.arrive(to, x)
	}
	if g.head == len(g.pipe) {
		g.pipe, g.head = g.pipe[:0], 0
	} else if g.head > 1024 && 2*g.head > len(g.pipe) {
		g.pipe = g.pipe[:copy(g.pipe, g.pipe[g.head:])]
		g.head = 0
	}
}

// whither is where a packet of the flow goes that comes out of the eSwitch, and whether it is the first to follow a new
// rule. Without a rule it is toSlowPath.
func (e *Engine) whither(f flow.ID) (to flow.Instance, moved bool) {
	s := &e.flows[f]
	if s.route == missing || s.route == absent && s.rule == 0 {
		return toSlowPath, s.moved()
	}
	return s.rule, s.moved()
}

// spread is deliver for packets that go straight to an instance, up to the first one that does not. The slow path is
// empty. It sorts them by instance first, since no instance depends on another.
func (e *Engine) spread(until int64) {
	g := &e.in
	k := g.head
	for ; k < len(g.pipe) && g.pipe[k].at <= until; k++ {
		x := &g.pipe[k]
		to, moved := e.whither(x.f)
		if to <= 0 || moved || !e.instances[to].up {
			break
		}
		in := &e.instances[to]
		in.inbox = append(in.inbox, *x)
	}
	g.head = k
	for i := range e.instances {
		if in := &e.instances[i]; len(in.inbox) > 0 {
			e.cores[0].accept(in, in.inbox)
			in.inbox = in.inbox[:0]
		}
	}
}

// holds is how many packets of the flow are in the pipe.
func (g *ingress) holds(f flow.ID) (n uint64) {
	for _, x := range g.pipe[g.head:] {
		if x.f == f {
			n++
		}
	}
	return n
}

// piped is when the flow's first packet in the pipe will have been forwarded. ok is false if there is none.
func (g *ingress) piped(f flow.ID) (at int64, ok bool) {
	for _, x := range g.pipe[g.head:] {
		if x.f == f {
			return x.at, true
		}
	}
	return 0, false
}
