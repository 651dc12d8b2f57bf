package packet

import (
	"cmp"
	"math/bits"
	"slices"
	"sort"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// lane is a flow as the loops over packets see it. Between two control events a flow is a first packet and a period.
type lane struct {
	whose
	next, period int64  // first packet at or after the start of the slice; period, cut to the slice
	step         uint64 // the period as a difference of keys
	svc          int64  // how long a packet is served, without the clock's fraction of a picosecond
	wire         uint64
	lost         uint64
	lostLink     uint64
}

// oddLane is what a lane has whose period is not a whole number of picoseconds: the fraction at its next packet, and
// the fraction at the packet that is next in the tree.
type oddLane struct {
	fraction
	run fraction
}

// merger yields the packets of many flows as keys, in order of time and at a tie of the flows' numbers. A key is the
// time since base, and in the lowest laneBits the lane. Flows of one and the same period, such as a staircase's, send
// in turns for ever. For others it is a tree of losers (Knuth, The Art of Computer Programming 3, 5.4.1): tree[0] is
// the winner, tree[i] the loser of the match at node i, and the leaf of a lane is node 2^k + lane. Where many packets
// are wanted at a time they are taken lane by lane and sorted, and the tree is made anew from where the lanes stand.
type merger struct {
	lanes     []lane
	odd       []oddLane // as long as lanes if a period is not a whole number of picoseconds, or empty
	late      []int64   // of each lane, how long its packets have been under way; empty if no time at all
	tree, win []uint64
	k         uint
	base      int64
	turns     bool // the lanes are in the order of their turns; turn is next, at its key
	turn      int
	key       uint64
	round     []uint64 // from the turn of each lane to the next
	keys      [chunk]uint64
	sorter    *sorter
	rate      float64 // packets a picosecond of all lanes
}

// chunk is how many packets are merged at a time. Merging and serving in turns is faster than doing both in one loop,
// since neither waits for what the other mispredicts. What is merged stays in the first cache.
const chunk = 2048

// A key is a time up to twice maxSlice, 2 s, and the number of one of maxLanes flows. The shift must be a constant: a
// variable one takes a register that the loops over keys do not have.
const (
	laneBits = 21
	maxLanes = 1 << laneBits
	laneMask = maxLanes - 1
	maxSlice = 1 << 40
	idleKey  = 1<<63 - 1
)

// load takes the flows of the list with a packet in the slice from base. It returns the end of the slice: to, or the
// first instant at which one of them stops. fractions are those of the flows' periods; packet and perByte are what a
// packet and a byte cost.
func (m *merger) load(paces []pace, fractions []fraction, list []flow.ID, base, to, packet, perByte int64) int64 {
	m.lanes, m.odd, m.late, m.base = m.lanes[:0], m.odd[:0], m.late[:0], base
	to = min(to, base+maxSlice)
	for _, f := range list {
		if s := &paces[f]; s.next < min(s.stop, to) && s.stop < to {
			to = s.stop
		}
	}
	for _, f := range list {
		// A flow that starts at an instant that has been simulated already has its first packet 1 ps late.
		if s := &paces[f]; s.next < min(s.stop, to) {
			m.lanes = append(m.lanes, lane{next: max(s.next, base), period: min(s.period, to-base),
				whose: whose{f, s.bytes}, svc: packet + int64(s.bytes)*perByte})
		}
	}
	if len(m.lanes) > maxLanes && to-base > 1 {
		return m.load(paces, fractions, list, base, base+(to-base)/2, packet, perByte)
	}
	if byFlow := func(a, b lane) int { return cmp.Compare(a.f, b.f) }; !slices.IsSortedFunc(m.lanes, byFlow) {
		slices.SortFunc(m.lanes, byFlow)
	}
	if len(fractions) > 0 {
		m.loadOdd(paces, fractions)
	}
	return to
}

func (m *merger) loadOdd(paces []pace, fractions []fraction) {
	if !slices.ContainsFunc(m.lanes, func(l lane) bool { return fractions[l.f].den > 0 }) {
		return
	}
	for k := range m.lanes {
		l := &m.lanes[k]
		o := fraction{den: 1}
		// A period that was cut to the slice has its second packet beyond it.
		if f := fractions[l.f]; f.den > 0 && l.period == paces[l.f].period {
			o = f
		}
		m.odd = append(m.odd, oddLane{fraction: o})
	}
}

// build prepares the merge. Without turns it is always by the tree.
func (m *merger) build(turns bool) {
	if !turns || len(m.odd) > 0 || !m.regular() {
		m.play()
		return
	}
	slices.SortStableFunc(m.lanes, func(a, b lane) int { return cmp.Compare(a.next, b.next) })
	m.inTurns()
}

// inTurns prepares the merge of lanes that are in the order of their turns.
func (m *merger) inTurns() {
	m.turns, m.turn = true, 0
	m.key = m.keyOf(0, m.lanes[0].next)
	m.round = m.round[:0]
	for i := range m.lanes {
		next := m.keyOf(0, m.lanes[0].next+m.lanes[0].period)
		if i+1 < len(m.lanes) {
			next = m.keyOf(i+1, m.lanes[i+1].next)
		}
		m.round = append(m.round, next-m.keyOf(i, m.lanes[i].next))
	}
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
	m.turns, m.rate = false, 0
	m.k = max(2, uint(bits.Len(uint(max(len(m.lanes), 1)-1))))
	size := 1 << m.k
	if len(m.tree) < size {
		m.tree, m.win = make([]uint64, size), make([]uint64, 2*size)
	}
	for i := range size {
		m.win[size+i] = idleKey
		if i < len(m.lanes) {
			l := &m.lanes[i]
			l.step = uint64(l.period) << laneBits
			m.rate += 1 / float64(l.period)
			m.win[size+i] = m.keyOf(i, l.next)
		}
		if i < len(m.odd) {
			m.odd[i].run = m.odd[i].fraction
		}
	}
	m.replay()
}

// replay plays the tournament between the leaves of win.
func (m *merger) replay() {
	for i := 1<<m.k - 1; i > 0; i-- {
		m.win[i], m.tree[i] = min(m.win[2*i], m.win[2*i+1]), max(m.win[2*i], m.win[2*i+1])
	}
	m.tree[0] = m.win[1]
}

func (m *merger) keyOf(lane int, t int64) uint64 { return uint64(t-m.base)<<laneBits | uint64(lane) }

// end is the least key of the packets at t or later.
func (m *merger) end(t int64) uint64 { return uint64(t-m.base) << laneBits }

// next is when the next packet comes; Never if that is beyond the slice.
func (m *merger) next() int64 {
	switch {
	case len(m.lanes) == 0:
	case m.turns:
		return m.base + int64(m.key>>laneBits)
	case m.tree[0] < idleKey:
		return m.base + int64(m.tree[0]>>laneBits)
	}
	return int64(units.Never)
}

// pop moves the tree on to the packet after the next one, which is of this lane.
func (m *merger) pop(lane uint64) {
	key := m.tree[0] + m.lanes[lane].step
	if len(m.odd) > 0 {
		key += uint64(m.odd[lane].run.step()) << laneBits
	}
	for j := (lane + 1<<m.k) >> 1; j > 0; j >>= 1 {
		m.tree[j], key = max(m.tree[j], key), min(m.tree[j], key)
	}
	m.tree[0] = key
}

// fill yields the next packets before h, at most that many, in a buffer that the next call overwrites.
func (m *merger) fill(h int64, most int) []uint64 {
	if len(m.lanes) == 0 {
		return nil
	}
	to := m.keys[:min(most, chunk)]
	switch end := m.end(h); {
	case m.turns:
		return to[:m.fillTurns(to, end)]
	case m.k == 2 && len(m.odd) == 0:
		return to[:m.fillFour(to, end)]
	case len(m.lanes) <= len(to)/2:
		return to[:m.fillSorted(to, end)]
	default:
		return to[:m.fillAny(to, end)]
	}
}

func (m *merger) fillTurns(to []uint64, end uint64) (n int) {
	key, turn, round := m.key, m.turn, m.round
	for n < len(to) && key < end {
		to[n] = key
		n++
		key += round[turn]
		if turn++; turn == len(round) {
			turn = 0
		}
	}
	m.key, m.turn = key, turn
	return n
}

// fillSorted takes from each lane the keys up to an instant by which there are about as many as there is room for, and
// sorts them.
func (m *merger) fillSorted(to []uint64, end uint64) (n int) {
	first, lanes := m.tree[0], len(m.lanes)
	if first >= end {
		return 0
	}
	until := end
	if most := float64(len(to)-lanes-1) / m.rate; most < maxSlice { // and one packet more of each lane
		until = min(end, (first>>laneBits+uint64(most))<<laneBits)
	}
	if float64(float64(int64(until-first)>>laneBits)*m.rate) < float64(lanes) { // for so few the tree is faster
		return m.fillAny(to, end)
	}
	if m.sorter == nil {
		m.sorter = new(sorter)
	}
	leaf := m.win[1<<m.k:][:lanes]
	for _, key := range m.tree[:1<<m.k] {
		if key < idleKey {
			leaf[key&laneMask] = key
		}
	}
	mixed := &m.sorter.mixed
	for i, key := range leaf {
		step := m.lanes[i].step
		if len(m.odd) == 0 {
			for ; key < until; key += step {
				mixed[n&(chunk-1)] = key
				n++
			}
		} else {
			for run := &m.odd[i].run; key < until; key += step + uint64(run.step())<<laneBits {
				mixed[n&(chunk-1)] = key
				n++
			}
		}
		leaf[i] = key
	}
	m.sorter.sort(to[:n], first, until)
	m.replay()
	return n
}

func (m *merger) fillAny(to []uint64, end uint64) (n int) {
	for n < len(to) && m.tree[0] < end {
		to[n] = m.tree[0]
		n++
		m.pop(m.tree[0] & laneMask)
	}
	return n
}

// count counts the packets of a lane before t.
func (m *merger) count(lane int, t int64) uint64 {
	l := &m.lanes[lane]
	if l.next >= t {
		return 0
	}
	if len(m.odd) > 0 {
		return m.odd[lane].count(l.period, t-l.next)
	}
	return uint64((t-l.next-1)/l.period + 1)
}

// skip passes over n packets of a lane.
func (m *merger) skip(lane int, n uint64) {
	m.lanes[lane].next += int64(n) * m.lanes[lane].period
	if len(m.odd) > 0 {
		m.lanes[lane].next += m.odd[lane].steps(n)
	}
}

// rewind lets the lanes begin at first again, with these fractions. The tree stays where it is.
func (m *merger) rewind(first []int64, odd []oddLane) {
	for k := range m.lanes {
		m.lanes[k].next = first[k]
		if len(m.odd) > 0 {
			m.odd[k].fraction = odd[k].fraction
		}
	}
}

// cycle is one common period of the packets that are next. It is nil if that has more than most packets, or if a lane
// begins later.
func (m *merger) cycle(most int64) *cycle {
	if len(m.lanes) == 0 || int64(len(m.lanes)) > most {
		return nil
	}
	period, n, each := m.lanes[0].period, int64(len(m.lanes)), []int64(nil)
	if !m.turns {
		if period, n, each = m.common(most); period == 0 {
			return nil
		}
	}
	keys := m.coming(make([]uint64, 0, n))
	for _, key := range keys[:len(each)] {
		lane := key & laneMask
		var run fraction
		if len(m.odd) > 0 {
			run = m.odd[lane].run
		}
		for range each[lane] - 1 {
			key += uint64(m.lanes[lane].period) << laneBits
			if run.den > 0 {
				key += uint64(run.step()) << laneBits
			}
			keys = append(keys, key)
		}
	}
	if !m.turns {
		slices.Sort(keys)
	}
	y := &cycle{at: make([]int64, n), lane: make([]int32, n), period: period}
	for i, key := range keys {
		y.at[i], y.lane[i] = int64(key>>laneBits), int32(key&laneMask)
	}
	if y.at[n-1] >= y.at[0]+period { // a lane begins later
		return nil
	}
	y.sent = y.at
	return y
}

// common is the least whole number of picoseconds that is a multiple of all periods, and how many packets come in it,
// together and of each lane. It is 0 if they are more than most.
func (m *merger) common(most int64) (period, n int64, each []int64) {
	each, times := make([]int64, len(m.lanes)), make([]int64, len(m.lanes))
	period = 1
	for k := range m.lanes {
		each[k], times[k] = 1, m.lanes[k].period
		if len(m.odd) > 0 {
			f := &m.odd[k].run
			g := gcd(f.num, f.den)
			if f.den/g > uint64(most) || times[k] >= maxSlice/int64(f.den/g) {
				return 0, 0, nil
			}
			each[k] = int64(f.den / g)
			times[k] = times[k]*each[k] + int64(f.num/g)
		}
		d := times[k] / int64(gcd(uint64(period), uint64(times[k])))
		if d > maxSlice/period {
			return 0, 0, nil
		}
		period *= d
	}
	for k := range m.lanes {
		if period/times[k] > most/each[k] {
			return 0, 0, nil
		}
		if each[k] *= period / times[k]; n+each[k] > most {
			return 0, 0, nil
		}
		n += each[k]
	}
	return period, n, each
}

// passed is how many packets come before h, in turns; the next is not among them.
func (m *merger) passed(h int64) uint64 {
	rounds := m.count(0, h)
	if m.turn == 0 {
		return rounds * uint64(len(m.lanes))
	}
	return (rounds-1)*uint64(len(m.lanes)) + uint64(m.turn)
}

// coming appends the next key of each lane; in turns, these are in order.
func (m *merger) coming(keys []uint64) []uint64 {
	if m.turns {
		key := m.key
		for _, some := range [][]uint64{m.round[m.turn:], m.round[:m.turn]} {
			for _, d := range some {
				keys = append(keys, key)
				key += d
			}
		}
		return keys
	}
	for _, key := range m.tree[:1<<m.k] {
		if key < idleKey {
			keys = append(keys, key)
		}
	}
	return keys
}

// seek moves on to the packets from t on. No lane of a slice changes by it.
func (m *merger) seek(t int64) {
	if m.turns {
		whole := m.count(0, t)
		m.turn = sort.Search(len(m.lanes), func(k int) bool { return m.count(k, t) < whole }) % len(m.lanes)
		l := &m.lanes[m.turn]
		m.key = m.keyOf(m.turn, l.next+int64(m.count(m.turn, t))*l.period)
		return
	}
	first, odd := make([]int64, len(m.lanes)), slices.Clone(m.odd)
	for k := range m.lanes {
		first[k] = m.lanes[k].next
		m.skip(k, m.count(k, t))
	}
	m.play()
	m.rewind(first, odd)
}
