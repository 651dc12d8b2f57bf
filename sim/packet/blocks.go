package packet

import (
	"math"
	"sync"
)

// block is a stretch of time that a core brings through link and eSwitch while others do so with those around it.
//
// What a saturated eSwitch accepts depends on all packets before, so a block has to know how the one before it ends.
// But the openings of a server that never idles are known beforehand (see the package document), and theta is a minimum
// over the packets before, of which only the last matter: those of a time in which so many come that their services
// exceed that time and the longest wait. A link that can carry what comes forgets what was before when it falls idle.
// So a core begins with the packets of some time before its block, and guesses with them in what state link and eSwitch
// are when the block begins. The guess is compared with how the block before ends. If it is wrong, because the queue
// was not full or the link never idle, the block is done again.
type block struct {
	tandem
	m          merger
	at, to     int64
	begin, end passing
	last       int64 // when the last packet is sent
	packets    uint64
}

// passing is the state of link and eSwitch.
type passing struct {
	linkIdle, eswIdle int64
	wire, rest        uint64 // fractions
}

func (g *tandem) passing() passing { return passing{g.linkIdle, g.eswIdle, g.wire.acc, g.rest.acc} }

func (g *tandem) resume(p passing) {
	g.linkIdle, g.eswIdle, g.wire.acc, g.rest.acc = p.linkIdle, p.eswIdle, p.wire, p.rest
}

// busiest is the load of the link up to which it is expected to fall idle within a block's run-up.
const busiest = 0.95

// inBlocks is merge in as many blocks as there are cores. ok is false where that is not possible or not worth while.
func (e *Engine) inBlocks(h int64) (last int64, ok bool) {
	g, m := &e.in, &e.m
	n, size := len(e.cores), float64(load)
	if e.keen {
		n, size = 3, 256
	}
	if n == 1 || e.plain || g.eswitch == 0 || g.rest.den > 1<<fracBits || e.feed.due() < h {
		return 0, false
	}
	if g.wary > 0 {
		g.wary--
		return 0, false
	}
	rate, link := 0.0, 0.0 // of packets a picosecond, and of the link's time
	for k := range m.lanes {
		rate += 1 / float64(m.lanes[k].period)
		link += float64(m.lanes[k].wire) / (1 << fracBits) / float64(m.lanes[k].period)
	}
	service := float64(g.eswitch) + float64(g.rest.num)/float64(g.rest.den)
	excess := float64(rate*service) - 1
	runUp := (float64(g.patience) + float64(float64(len(m.lanes))*service) + 2) / excess
	width, first := int64(size/rate), m.next()
	if excess <= 0 || link > busiest || float64(runUp*rate) > size/4 || first+2*width > h {
		return 0, false
	}
	n = int(min(int64(n), (h-first)/width))
	if len(e.blocks) < n {
		e.blocks = make([]block, n)
	}
	blocks := e.blocks[:n]
	var group sync.WaitGroup
	for k := range blocks {
		b := &blocks[k]
		b.at, b.to = first+int64(k)*width, first+int64(k+1)*width
		group.Go(func() {
			merged := b.merged
			b.tandem = g.tandem
			b.merged = merged
			if k > 0 {
				b.guess(m, first, b.at-int64(runUp))
			}
			b.pass(m, b.passing())
		})
	}
	group.Wait()
	wrong := false
	for k := range blocks {
		b := &blocks[k]
		if now := g.passing(); b.begin != now {
			wrong = true
			b.pass(m, now)
		}
		g.resume(b.end)
		for i := range m.lanes {
			m.lanes[i].lost += b.m.lanes[i].lost
			m.lanes[i].lostLink += b.m.lanes[i].lostLink
		}
		e.sum.by[stage] += b.packets
		last = b.last
	}
	e.merged = blocks
	if g.doubt = 2*g.doubt + 1; !wrong {
		g.doubt = 0
	}
	g.wary = g.doubt
	m.seek(first + int64(n)*width)
	return last, true
}

// pass brings the block's packets through link and eSwitch, from this state on.
func (b *block) pass(m *merger, begin passing) {
	b.m.startAt(m, b.at)
	b.resume(begin)
	b.merged = b.merged[:0]
	b.begin, b.packets = begin, 0
	for keys := b.m.fill(b.to, chunk); len(keys) > 0; keys = b.m.fill(b.to, chunk) {
		b.packets += uint64(len(keys))
		b.last = m.base + int64(keys[len(keys)-1]>>laneBits)
		b.gate(&b.m, keys)
	}
	b.end = b.passing()
}

// guess finds the state in which the block's first packet meets link and eSwitch, from the packets since from; first is
// the time of the packet that meets them in their present state.
func (b *block) guess(m *merger, first, from int64) {
	for k := range m.lanes {
		b.wire.acc += (m.count(k, from) - m.count(k, first)) * m.lanes[k].wire
	}
	one := int64(b.rest.den)
	service, gap := b.eswitch*one+int64(b.rest.num), b.patience*one+int64(b.odd)
	theta := int64(math.MaxInt64) - service
	link, linkIdle, wire := b.wire.ticks() > 0, from-m.base, b.wire.acc&(1<<fracBits-1)
	b.m.startAt(m, from)
	for keys := b.m.fill(b.at, chunk); len(keys) > 0; keys = b.m.fill(b.at, chunk) {
		for _, key := range keys {
			t := int64(key >> laneBits)
			if link {
				wire += b.m.lanes[key&laneMask].wire
				linkIdle = max(linkIdle, t) + int64(wire>>fracBits)
				wire &= 1<<fracBits - 1
				t = linkIdle
			}
			theta = min(theta+service, (t+1)*one)
		}
	}
	idle := (b.eswIdle-m.base)*one + int64(b.rest.acc)
	if ahead := theta - (idle - gap); ahead > 0 { // the openings below theta are taken
		idle += (ahead + service - 1) / service * service
	}
	if link {
		b.linkIdle, b.wire.acc = m.base+linkIdle, wire
	}
	b.eswIdle, b.rest.acc = m.base+floor(idle, one), uint64(modulo(idle, one))
}

// startAt takes over the lanes of o, none of whose packets has been lost, and moves on to the packets from t on.
func (m *merger) startAt(o *merger, t int64) {
	m.lanes, m.odd = append(m.lanes[:0], o.lanes...), append(m.odd[:0], o.odd...)
	for k := range m.lanes {
		m.lanes[k].lost, m.lanes[k].lostLink = 0, 0
	}
	m.base, m.turns, m.round = o.base, o.turns, o.round
	m.seek(t)
}
