package packet

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// lane is a flow as the loops over packets see it. Between two control events a flow is a first packet and a period.
type lane struct {
	next, period int64 // first packet at or after the start of the slice; period, cut to the slice
	f            flow.ID
	size         int32
	at           int64 // its next packet, where the merger turns
	svc          int64 // what its bytes cost, ps
	wire         uint64
	lost         uint64
}

// merger yields the packets of many flows in order of time, and of the flows' numbers at a tie. Flows of one and the same
// period, such as a staircase's, send by turns for ever. For others it is a tree of losers (Knuth, The Art of Computer
// Programming 3, 5.4.1) whose keys are the time since base, shifted, and the lane.
type merger struct {
	lanes     []lane
	tree, win []uint64
	k         uint
	base      int64
	turns     bool // the lanes are in the order of their turns; turn is next
	turn      int
	noTurns   bool
}

const idleKey = 1<<63 - 1

// load takes the flows of the list with a packet in the slice from base; it returns the end of the slice, which is to
// or the first instant at which one of them stops.
func (m *merger) load(flows []flowState, list []flow.ID, base, to, perByte int64) int64 {
	m.lanes, m.base = m.lanes[:0], base
	to = min(to, base+1<<(60-bits.Len(uint(len(list)))))
	for _, f := range list {
		if s := &flows[f]; s.next < min(s.stop, to) && s.stop < to {
			to = s.stop
		}
	}
	for _, f := range list {
		// The first packet of a flow that starts at an instant that has been simulated already is 1 ps late.
		if s := &flows[f]; s.next < min(s.stop, to) {
			m.lanes = append(m.lanes, lane{next: max(s.next, base), period: min(s.period, to-base), f: f, size: s.bytes, svc: int64(s.bytes) * perByte})
		}
	}
	if byFlow := func(a, b lane) int { return cmp.Compare(a.f, b.f) }; !slices.IsSortedFunc(m.lanes, byFlow) {
		slices.SortFunc(m.lanes, byFlow)
	}
	return to
}

// build prepares the merge.
func (m *merger) build() {
	if m.turns = m.regular() && !m.noTurns; m.turns {
		slices.SortStableFunc(m.lanes, func(a, b lane) int { return cmp.Compare(a.next, b.next) })
		for k := range m.lanes {
			m.lanes[k].at = m.lanes[k].next
		}
		m.turn = 0
		return
	}
	m.play()
}

// regular says whether all lanes have the same period and begin within one.
func (m *merger) regular() bool {
	if len(m.lanes) == 0 {
		return false
	}
	first := m.lanes[0].next
	last := first
	for k := range m.lanes {
		l := &m.lanes[k]
		if l.period != m.lanes[0].period {
			return false
		}
		first, last = min(first, l.next), max(last, l.next)
	}
	return last-first < m.lanes[0].period
}

// play plays the tournament.
func (m *merger) play() {
	m.turns = false
	m.k = uint(bits.Len(uint(max(len(m.lanes), 1) - 1)))
	size := 1 << m.k
	if len(m.tree) < size {
		m.tree, m.win = make([]uint64, size), make([]uint64, 2*size)
	}
	for i := range size {
		m.win[size+i] = idleKey
		if i < len(m.lanes) {
			m.win[size+i] = m.key(i, m.lanes[i].next)
		}
	}
	for i := size - 1; i > 0; i-- {
		m.win[i], m.tree[i] = min(m.win[2*i], m.win[2*i+1]), max(m.win[2*i], m.win[2*i+1])
	}
	m.tree[0] = m.win[1]
}

func (m *merger) key(lane int, t int64) uint64 { return uint64(t-m.base)<<m.k | uint64(lane) }

// end is the least key of the packets at t or later.
func (m *merger) end(t int64) uint64 { return uint64(t-m.base) << m.k }

// next is when the next packet comes; Never if that is beyond the slice.
func (m *merger) next() int64 {
	switch {
	case len(m.lanes) == 0:
	case m.turns:
		return m.lanes[m.turn].at
	case m.tree[0] < idleKey:
		return m.base + int64(m.tree[0]>>m.k)
	}
	return int64(units.Never)
}

// skip counts the packets of a lane before t.
func (l *lane) skip(t int64) uint64 {
	if l.next >= t {
		return 0
	}
	return uint64((t-l.next-1)/l.period + 1)
}
