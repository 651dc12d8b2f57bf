package packet

// Up to four lanes are merged with their keys in registers, by branches: the merge of a few periods is a pattern that a
// processor learns. Serving what is merged in the same loop would be no faster: there are too few registers for both.

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

// fillFour is fillAny for four lanes.
func (m *merger) fillFour(to []uint64, end uint64) (n int) {
	next, step := m.leaves()
	k0, k1, k2, k3, key := next[0], next[1], next[2], next[3], uint64(0)
	for n < len(to) {
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
		to[n] = key
		n++
	}
	m.regrow([4]uint64{k0, k1, k2, k3}, key, end)
	return n
}
