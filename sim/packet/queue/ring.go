package queue

// ring4 is ringAny for up to four constant-rate sources, whose next packets are in registers, and a fixed service. Here
// branches serve: the merge of a few periods is a pattern that a processor learns.
func (q *Queue) ring4(h int64) (wait uint64) {
	m := &q.m
	lanes := (*[4]lane)(m.lanes)
	next, period := q.registers()
	t0, t1, t2, t3 := next[0], next[1], next[2], next[3]
	ring, pos, d := q.ring, q.pos, q.idle
	for min(t0, t1, t2, t3) < h {
		var t int64
		var l *lane
		if min(t0, t1) <= min(t2, t3) {
			if t0 <= t1 {
				t, l = t0, &lanes[0]
				t0 += period[0]
			} else {
				t, l = t1, &lanes[1]
				t1 += period[1]
			}
		} else if t2 <= t3 {
			t, l = t2, &lanes[2]
			t2 += period[2]
		} else {
			t, l = t3, &lanes[3]
			t3 += period[3]
		}
		p := &ring[pos]
		if p.dep > t {
			continue
		}
		w := max(d-t, 0)
		d = t + w + l.svc
		p.dep, p.who = d, l.id
		if pos++; pos == len(ring) {
			pos = 0
		}
		l.acc++
		wait += uint64(w)
		if s := l.spans; s != nil {
			s[bucket(uint64(w))]++
			s[Buckets+bucket(uint64(w+l.svc))]++
		}
	}
	q.pos, q.idle = pos, d
	q.shelve([4]int64{t0, t1, t2, t3})
	return wait
}

// ring64 is ringAny for up to 64 constant-rate sources and a fixed service, the tree unrolled. The winner
// goes through memory because the compiler turns a minimum that an address depends on into a branch, which nothing
// would predict here.
func (q *Queue) ring64(h int64) (wait uint64) {
	m := &q.m
	tree, lanes := (*[64]uint64)(m.tree), (*[64]lane)(m.lanes)
	ring, pos, d, base := q.ring, q.pos, q.idle, m.base
	end := uint64(h-base) << 6
	for tree[0] < end {
		key := tree[0]
		i := key & 63
		t := base + int64(key>>6)
		l := &lanes[i]
		key += l.step
		o := tree[(i+64)>>1]
		tree[(i+64)>>1], key = max(o, key), min(o, key)
		o = tree[(i+64)>>2]
		tree[(i+64)>>2], key = max(o, key), min(o, key)
		o = tree[(i+64)>>3]
		tree[(i+64)>>3], key = max(o, key), min(o, key)
		o = tree[(i+64)>>4]
		tree[(i+64)>>4], key = max(o, key), min(o, key)
		o = tree[(i+64)>>5]
		tree[(i+64)>>5], key = max(o, key), min(o, key)
		o = tree[1]
		tree[1], tree[0] = max(o, key), min(o, key)
		p := &ring[pos]
		if p.dep > t {
			continue
		}
		w := max(d-t, 0)
		d = t + w + l.svc
		p.dep, p.who = d, l.id
		if pos++; pos == len(ring) {
			pos = 0
		}
		l.acc++
		wait += uint64(w)
		if s := l.spans; s != nil {
			s[bucket(uint64(w))]++
			s[Buckets+bucket(uint64(w+l.svc))]++
		}
	}
	q.pos, q.idle = pos, d
	return wait
}
