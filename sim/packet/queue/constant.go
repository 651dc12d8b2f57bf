package queue

// lindley steps to h, all services taking s, without a ring.
func (q *Queue) lindley(h, s int64, why string, r *Report) {
	q.build(h)
	m := &q.m
	var wait uint64
	if m.k == 2 && q.cfg.Want < QueueDelay {
		wait = q.lindley4(h, s)
	} else if m.k == 6 {
		wait = q.lindley64(h, s)
	} else {
		wait = q.lindleyAny(h, s)
	}
	q.lean, q.s = true, s
	q.addWait(wait, 0)
	accepted := uint64(0)
	for i := range m.n {
		accepted += m.lanes[i].acc
	}
	q.count(h, Constant, why, r, q.unload(true), accepted)
}

func (q *Queue) lindleyAny(h, s int64) (wait uint64) {
	m := &q.m
	d, lim := q.idle, int64(q.cfg.Buffer-1)*s
	for {
		i, t := m.next()
		if t >= h {
			q.idle = d
			return wait
		}
		l := &m.lanes[i]
		m.replace(i, m.tree[0]+l.step)
		w := max(d-t, 0)
		if w > lim {
			continue
		}
		d = t + w + s
		l.acc++
		wait += uint64(w)
		if x := l.spans; x != nil {
			x[bucket(uint64(w))]++
			x[Buckets+bucket(uint64(w+s))]++
		}
	}
}

// lindley4 keeps up to four sources in registers.
func (q *Queue) lindley4(h, s int64) (wait uint64) {
	m := &q.m
	t, p := q.registers()
	d, lim := q.idle, int64(q.cfg.Buffer-1)*s
	t0, t1, t2, t3 := t[0], t[1], t[2], t[3]
	p0, p1, p2, p3 := p[0], p[1], p[2], p[3]
	var a0, a1, a2, a3 uint64
loop:
	for {
		if min(t0, t1) <= min(t2, t3) {
			if t0 <= t1 {
				if t0 >= h {
					break loop
				}
				b := max(d, t0)
				if w := b - t0; w <= lim {
					d = b + s
					wait += uint64(w)
					a0++
				}
				t0 += p0
			} else {
				if t1 >= h {
					break loop
				}
				b := max(d, t1)
				if w := b - t1; w <= lim {
					d = b + s
					wait += uint64(w)
					a1++
				}
				t1 += p1
			}
		} else if t2 <= t3 {
			if t2 >= h {
				break loop
			}
			b := max(d, t2)
			if w := b - t2; w <= lim {
				d = b + s
				wait += uint64(w)
				a2++
			}
			t2 += p2
		} else {
			if t3 >= h {
				break loop
			}
			b := max(d, t3)
			if w := b - t3; w <= lim {
				d = b + s
				wait += uint64(w)
				a3++
			}
			t3 += p3
		}
	}
	q.idle = d
	q.shelve([4]int64{t0, t1, t2, t3})
	for i, a := range [4]uint64{a0, a1, a2, a3} {
		m.lanes[i].acc = a
	}
	return wait
}

// lindley64 is lindleyAny for up to 64 sources, unrolled as ring64 is.
func (q *Queue) lindley64(h, s int64) (wait uint64) {
	m := &q.m
	tree, lanes := (*[64]uint64)(m.tree), (*[64]lane)(m.lanes)
	d, base, lim := q.idle, m.base, int64(q.cfg.Buffer-1)*s
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
		w := max(d-t, 0)
		if w > lim {
			continue
		}
		d = t + w + s
		l.acc++
		wait += uint64(w)
		if x := l.spans; x != nil {
			x[bucket(uint64(w))]++
			x[Buckets+bucket(uint64(w+s))]++
		}
	}
	q.idle = d
	return wait
}
