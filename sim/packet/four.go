package packet

import "slices"

// Up to four lanes are merged and served in one loop, with their keys in registers. Branches are good there: the merge
// of a few periods is a pattern that a processor learns. A loop for each way to serve is worth its lines for so few.

// four says whether there are so few lanes, and services that fit a word with the clock's fraction behind them.
func (m *merger) four() bool {
	long := func(l lane) bool { return l.svc >= 1<<(63-fracBits) }
	return !m.turns && m.k == 2 && len(m.odd) == 0 && !slices.ContainsFunc(m.lanes, long)
}

// leaves are the next keys of four lanes, and from each key to the one after it.
func (m *merger) leaves() (next, step [4]uint64) {
	for i := range next {
		next[i] = idleKey
	}
	for i := range m.lanes {
		step[i] = m.lanes[i].step
	}
	for _, key := range m.tree[:4] {
		if key < idleKey {
			next[key&3] = key
		}
	}
	return next, step
}

// regrow makes the tree of the next keys of four lanes. If the last key that was taken is not before end it is put
// back.
func (m *merger) regrow(next [4]uint64, last, end uint64) {
	if last >= end {
		next[last&3] = last
	}
	copy(m.win[4:], next[:])
	m.replay()
}

// charge counts the packets that four lanes have lost.
func (m *merger) charge(lost *[4]uint64) (sum int) {
	for i := range m.lanes {
		m.lanes[i].lost += lost[i]
		sum += int(lost[i])
	}
	return sum
}

// ringOfFour is ring for the next packets before h of four lanes, which are certain. It returns how many came.
func (s *server) ringOfFour(m *merger, h int64) (came int) {
	size := uint64(len(s.dep))
	old, next := (s.n-uint64(s.room))&(size-1), s.n&(size-1)
	k := min(size-old, size-next, margin)
	left := s.idle
	n, came := s.decideFour(m, m.end(h), s.dep[old:][:k], s.dep[next:][:k])
	s.n += uint64(n)
	if s.book != nil {
		s.book.enterKeys(m, m.keys[:n], s.dep[next:], left)
		s.book.next = s.n
	}
	return came
}

// decideFour is decide for the next packets before end of four lanes. It leaves the keys of those that it accepts in
// m.keys.
func (s *server) decideFour(m *merger, end uint64, old, dep []int64) (n, came int) {
	next, step := m.leaves()
	k0, k1, k2, k3, key := next[0], next[1], next[2], next[3], uint64(0)
	var span, lost [4]uint64 // a span in parts of a picosecond as the clock has them
	for i := range m.lanes {
		span[i] = uint64(m.lanes[i].svc)<<fracBits | s.frac
	}
	keys := m.keys[:len(old)]
	dep = dep[:len(old)]
	base, idle, work, acc := m.base, s.idle, int64(0), s.acc
	for n < len(old) {
		if min(k0, k1) < min(k2, k3) {
			if k0 < k1 {
				key = k0
				k0 += step[0]
			} else {
				key = k1
				k1 += step[1]
			}
		} else if k2 < k3 {
			key = k2
			k2 += step[2]
		} else {
			key = k3
			k3 += step[3]
		}
		if key >= end {
			break
		}
		t := base + int64(key>>laneBits)
		if old[n] > t {
			lost[key&3]++
			continue
		}
		acc += span[key&3]
		d := int64(acc >> fracBits)
		acc &= 1<<fracBits - 1
		work += d
		idle = max(idle, t) + d
		dep[n], keys[n] = idle, key
		n++
	}
	m.regrow([4]uint64{k0, k1, k2, k3}, key, end)
	s.idle, s.acc = idle, acc
	s.work += work
	return n, n + m.charge(&lost)
}

// lindleyOfFour is lindley for the next packets before h of four lanes. It returns how many came.
func (s *server) lindleyOfFour(m *merger, h int64) (came int) {
	next, step := m.leaves()
	k0, k1, k2, k3, key := next[0], next[1], next[2], next[3], uint64(0)
	var lost [4]uint64
	limit, odd := s.bound()
	n, idle, end, acc, span := 0, s.idle-m.base, m.end(h), s.acc, s.ticks()
	for came = 0; came < chunk; came++ {
		if min(k0, k1) < min(k2, k3) {
			if k0 < k1 {
				key = k0
				k0 += step[0]
			} else {
				key = k1
				k1 += step[1]
			}
		} else if k2 < k3 {
			key = k2
			k2 += step[2]
		} else {
			key = k3
			k3 += step[3]
		}
		if key >= end {
			break
		}
		t, bound := int64(key>>laneBits), limit
		if acc < odd {
			bound++
		}
		if idle-t > bound {
			lost[key&3]++
			continue
		}
		acc += span
		idle = max(idle, t) + int64(acc>>fracBits)
		acc &= 1<<fracBits - 1
		m.keys[n] = key
		n++
	}
	m.regrow([4]uint64{k0, k1, k2, k3}, key, end)
	m.charge(&lost)
	s.passed(m.keys[:n], m, idle)
	return came
}
