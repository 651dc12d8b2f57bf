package packet

// book is an instance's account of delays. A packet is entered some time after it has left for certain, from what the
// server's log says of it then. The book keeps two sums independently: the delays of all packets, and the time-integral
// of the number in the system, which is the sum of all instants at which packets left less the sum of those at which
// they came. Little's law says that the two are equal. It says nothing of packets that are leaped over: there one sum
// is computed from the other (leapbook.go).
type book struct {
	at, sent   []int64 // of the packets in the server's log: when they came to the ring, and when they were sent
	next       uint64  // number of the first packet that is not entered yet
	left       int64   // last departure that is entered
	came, went wide
	cut        wide // times in the system of packets that were lost there
	lost       uint64
	all        delays
	flows      []delays // of all flows; nil where they are not wanted

	waits, stays [chunk]int64 // of the packets that are being entered
}

func newBook(flows []delays) *book {
	b := &book{flows: flows}
	for k := range b.all {
		b.all[k].reach(0, buckets-1)
	}
	return b
}

// open begins the book of an empty server.
func (b *book) open(s *server) {
	b.at, b.sent, b.next = make([]int64, len(s.dep)), make([]int64, len(s.dep)), s.n
}

// accept notes the packet that s is about to count as accepted.
func (b *book) accept(s *server, at, sent int64) {
	i := s.n & uint64(len(b.at)-1)
	b.at[i], b.sent[i] = at, sent
	b.came.add(uint64(at))
	if s.n+1-b.next == uint64(len(b.at)) {
		b.enter(s, s.n+1-uint64(s.room))
	}
}

// accepted notes n packets that stand in the log. instants is the sum of the times at which they came, counted from
// base.
func (b *book) accepted(n, instants uint64, base int64) {
	b.came.add(instants)
	b.came.addProduct(n, uint64(base))
}

// note notes accepted packets, which stand in the log from i on.
func (b *book) note(i uint64, m *merger, keys []uint64) {
	at, sent := b.at[i:][:len(keys)], b.sent[i:][:len(keys)]
	instants := uint64(0)
	for i, key := range keys {
		t := m.base + int64(key>>laneBits)
		at[i], sent[i] = t, t
		instants += key >> laneBits
	}
	if len(m.late) > 0 {
		for i, key := range keys {
			sent[i] -= m.late[key&laneMask]
		}
	}
	b.accepted(uint64(len(keys)), instants, m.base)
}

// enter enters the packets before number to, which have left: of those in the log, all but the last room have.
func (b *book) enter(s *server, to uint64) {
	for b.next < to {
		i := b.next & uint64(len(s.dep)-1)
		k := min(to-b.next, uint64(len(s.dep))-i, chunk)
		for k > 1 && s.dep[i+k-1]-b.at[i] > summable {
			k /= 2
		}
		gone, at, sent, who := s.dep[i:][:k], b.at[i:][:k], b.sent[i:][:k], s.who[i:][:k]
		w, j := b.waits[:len(gone)], b.stays[:len(gone)]
		at, sent = at[:len(gone)], sent[:len(gone)]
		left, first, delayed, went := b.left, gone[0], int64(0), int64(0)
		for i, t := range gone {
			came := at[i]
			w[i] = max(left-came, 0)
			j[i] = t - came
			left = t
			went += t - first
			delayed |= came ^ sent[i]
		}
		b.left = left
		b.went.add(uint64(went))
		b.went.addProduct(k, uint64(first))
		if delayed == 0 {
			b.all[wait].addAll(w)
			b.all[sojourn].addAll(j)
		} else {
			for i := range gone {
				b.all[wait].add(w[i])
				b.all.addStay(j[i], gone[i]-sent[i])
			}
		}
		if b.flows != nil {
			for i := range gone {
				d := &b.flows[who[i].f]
				d[wait].add(w[i])
				d.addStay(j[i], gone[i]-sent[i])
			}
		}
		b.next += k
	}
}

// enterKeys enters packets. gone says when they will leave; left is when the server falls idle before them.
func (b *book) enterKeys(m *merger, keys []uint64, gone []int64, left int64) {
	w, j := b.waits[:len(keys)], b.stays[:len(keys)]
	gone = gone[:len(keys)]
	came, went := int64(0), int64(0)
	for i, key := range keys {
		t := m.base + int64(key>>laneBits)
		w[i] = max(left-t, 0)
		left = gone[i]
		j[i] = left - t
		came += t - m.base
		went += left - m.base
	}
	b.enterChunk(m, keys, w, j, came, went, left)
}

// enterSpans is enterKeys for packets whose services are the spans of c.
func (b *book) enterSpans(m *merger, keys []uint64, c clock, left int64) {
	w, j := b.waits[:len(keys)], b.stays[:len(keys)]
	left -= m.base
	came, went := int64(0), int64(0)
	for i, key := range keys {
		t := int64(key >> laneBits)
		came += t
		start := max(left, t)
		left = start + c.span()
		went += left
		w[i] = start - t
		j[i] = left - t
	}
	b.enterChunk(m, keys, w, j, came, went, left+m.base)
}

// enterChunk enters a chunk of packets with these delays. came and went are the sums of the instants at which they come
// and leave, counted from m.base.
func (b *book) enterChunk(m *merger, keys []uint64, waits, stays []int64, came, went, left int64) {
	n := uint64(len(keys))
	b.came.add(uint64(came))
	b.came.addProduct(n, uint64(m.base))
	b.went.add(uint64(went))
	b.went.addProduct(n, uint64(m.base))
	b.left = left
	if len(m.late) == 0 {
		b.all[wait].addAll(waits)
		b.all[sojourn].addAll(stays)
	} else {
		for i, key := range keys {
			b.all[wait].add(waits[i])
			b.all.addStay(stays[i], stays[i]+m.late[key&laneMask])
		}
	}
	if b.flows != nil {
		for i, key := range keys {
			d := &b.flows[m.lanes[key&laneMask].f]
			d[wait].add(waits[i])
			d[sojourn].add(stays[i])
		}
	}
}

// summable is a span so short that those of a chunk add up within 62 bits.
const summable = 1 << 51

// addAll counts spans where every bucket has been reached. Those of a full queue differ by a service or two and lie in
// one bucket or in two, so it is faster to count those above the edge between. A sign bit tells if any of them is
// elsewhere, or longer than all until now.
func (s *spans) addAll(vs []int64) {
	if len(vs) == 0 {
		return
	}
	counts := (*[buckets]uint64)(s.counts)
	first := int(bucket(uint64(vs[0])))
	if lo, hi := Bounds(first); first > 0 && vs[0]-int64(lo) < int64(hi)-vs[0] {
		first--
	}
	lo, _ := Bounds(first)
	edge, top := Bounds(first + 1)
	least, most, upper, longest := int64(lo), int64(top), int64(edge)-1, s.longest
	sum, above, other := int64(0), uint64(0), int64(0)
	for _, v := range vs {
		sum += v
		above += uint64(upper-v) >> 63
		other |= (v - least) | (most - v) | (longest - v)
	}
	s.sum.add(uint64(sum))
	if other >= 0 {
		counts[first] += uint64(len(vs)) - above
		counts[first+1] += above
		return
	}
	for _, v := range vs {
		counts[bucket(uint64(v))]++
		longest = max(longest, v)
	}
	s.longest = longest
}

// flush enters the k packets in the system as lost.
func (b *book) flush(s *server, k uint64, now int64) {
	b.enter(s, s.n-k)
	b.cut.addWide(b.unfinished(s, now))
	b.went.addProduct(k, uint64(now))
	b.lost += k
	b.next, b.left = s.n, now
}

// unfinished is how long the packets that are not entered have been there.
func (b *book) unfinished(s *server, now int64) (sum wide) {
	for n := b.next; n < s.n; n++ {
		sum.add(uint64(now - b.at[n&uint64(len(b.at)-1)]))
	}
	return sum
}

// close enters all packets that have left by now. It returns the time-integral of the number in the system and the sum
// of all times spent there.
func (b *book) close(s *server, now int64) (area, stays wide) {
	k := uint64(s.held(now))
	b.enter(s, s.n-k)
	area = b.went
	area.addProduct(k, uint64(now))
	area.sub(b.came)
	stays = b.all[sojourn].sum
	stays.addWide(b.all[late].sum)
	stays.addWide(b.cut)
	stays.addWide(b.unfinished(s, now))
	return area, stays
}
