package queue

import (
	"math/bits"

	"github.com/smartinco/smartinco/units"
)

// lane is a source as the inner loops see it.
type lane struct {
	step uint64 // its period, shifted as its key; 0: ask the source
	svc  int64  // service time of its packets where the service is fixed
	acc  uint64 // accepted in this slice
	id   int64

	spans *[2 * Buckets]uint64 // waiting, then sojourn; nil: not wanted
}

// merger is a loser tree over the sources that send within a slice. A key is the time since base, shifted left by the
// bits of a lane number, or the lane: the least key is the earliest packet, the first source at a tie. tree[0] is the
// winner and tree[i] the loser of the match at node i; the leaf of lane s is node m+s.
type merger struct {
	tree  []uint64
	lanes []lane
	win   []uint64
	n     int  // lanes in use
	k     uint // bits of a lane number: 2^k leaves
	base  int64
	cbr   bool // no lane asks its source
}

const idleKey = 1<<63 - 1

// load takes the live sources with a packet before h; it returns the horizon of the slice, no later than keys can hold.
func (q *Queue) load(h int64) int64 {
	m := &q.m
	m.base, m.n, m.cbr = q.now, 0, true
	if cap(m.lanes) < max(len(q.live), 64) {
		m.lanes = make([]lane, max(2*len(q.live), 64))
	}
	h = min(h, m.base+1<<(61-bits.Len(uint(max(len(q.live), 64)))))
	keep := q.live[:0]
	for _, id := range q.live {
		s := &q.srcs[id]
		if s.next == never {
			continue
		}
		keep = append(keep, id)
		if s.next < h {
			m.lanes[m.n] = lane{step: uint64(s.period), id: int64(id), spans: q.spans(int(id))}
			m.cbr = m.cbr && s.period != 0
			m.n++
		}
	}
	q.live = keep
	m.k = max(2, uint(bits.Len(uint(max(m.n, 1)-1))))
	if m.k > 2 {
		m.k = max(m.k, 6)
	}
	return h
}

// build plays the tournament.
func (q *Queue) build(h int64) {
	m := &q.m
	size := 1 << m.k
	if len(m.tree) < size {
		m.tree, m.win = make([]uint64, max(size, 64)), make([]uint64, 2*max(size, 64))
	}
	win := m.win[:2*size]
	for i := range size {
		key := uint64(idleKey)
		if i < m.n {
			l := &m.lanes[i]
			s := &q.srcs[l.id]
			key = m.key(s.next, h, i)
			l.step = uint64(s.period) << m.k
			if q.svc.Fixed() {
				l.svc = q.fixed(s.size)
			}
		}
		win[size+i] = key
	}
	for i := size - 1; i > 0; i-- {
		win[i], m.tree[i] = min(win[2*i], win[2*i+1]), max(win[2*i], win[2*i+1])
	}
	m.tree[0] = win[1]
}

// key packs a time; all times at or after h, of sources that are asked, may be as one.
func (m *merger) key(t, h int64, lane int) uint64 {
	if t >= h && m.lanes[lane].step == 0 {
		return idleKey
	}
	return uint64(t-m.base)<<m.k | uint64(lane)
}

// next is the earliest packet.
func (m *merger) next() (lane int, t int64) {
	key := m.tree[0]
	return int(key & (1<<m.k - 1)), m.base + int64(key>>m.k)
}

// replace puts another key in the place of the winner's.
func (m *merger) replace(lane int, key uint64) {
	for i := (lane + 1<<m.k) >> 1; i > 0; i >>= 1 {
		m.tree[i], key = max(m.tree[i], key), min(m.tree[i], key)
	}
	m.tree[0] = key
}

// unload gives the next arrivals and the counts of the slice back to the sources.
func (q *Queue) unload(counts bool) (offered uint64) {
	m := &q.m
	for _, key := range m.tree[:1<<m.k] {
		i := int(key & (1<<m.k - 1))
		if i >= m.n || key == idleKey || m.lanes[i].step == 0 {
			continue
		}
		s := &q.srcs[m.lanes[i].id]
		next := m.base + int64(key>>m.k)
		n := uint64(next-s.next) / uint64(s.period)
		s.next = next
		s.Offered += n
		offered += n
		if s.next >= s.end {
			s.next = never
		}
	}
	for i := range m.n {
		l := &m.lanes[i]
		s := &q.srcs[l.id]
		if counts {
			s.Accepted += l.acc
			s.Dropped = s.Offered - s.Accepted
		}
	}
	return offered
}

// replay plays the tournament again with the keys in the tree.
func (m *merger) replay() {
	size := 1 << m.k
	win := m.win[:2*size]
	for _, key := range m.tree[:size] {
		if lane := int(key & uint64(size-1)); key != idleKey {
			win[size+lane] = key
		}
	}
	for i := size - 1; i > 0; i-- {
		win[i], m.tree[i] = min(win[2*i], win[2*i+1]), max(win[2*i], win[2*i+1])
	}
	m.tree[0] = win[1]
}

// registers are the next packets and the periods of up to four lanes, for loops that do without the tree.
func (q *Queue) registers() (next, period [4]int64) {
	for i := range next {
		next[i] = never
		if i < q.m.n {
			src := &q.srcs[q.m.lanes[i].id]
			next[i], period[i] = src.next, src.period
		}
	}
	return
}

// shelve puts the next packets of four lanes back where unload finds them.
func (q *Queue) shelve(next [4]int64) {
	m := &q.m
	for i, t := range next {
		m.tree[i] = idleKey
		if i < m.n {
			m.tree[i] = m.key(t, never, i)
		}
	}
}

// fixed is the service time of a packet whose service draws nothing.
func (q *Queue) fixed(size units.Bytes) int64 {
	return int64(min(max(q.svc.Time(size, nil), 0), 2*maxService))
}
