package queue

// general steps to h with the ring; path is what it counts as.
func (q *Queue) general(h int64, path Path, why string, r *Report) {
	q.fatten()
	q.build(h)
	m := &q.m
	asked := uint64(0)
	plain := m.cbr && q.svc.Fixed() && q.moderate(h)
	switch {
	case plain && m.k == 2:
		q.addWait(q.ring4(h), 0)
	case plain && m.k == 6:
		q.addWait(q.ring64(h), 0)
	default:
		asked = q.ringAny(h)
	}
	offered := q.unload(true) + asked
	accepted := uint64(0)
	for i := range m.n {
		accepted += m.lanes[i].acc
	}
	q.count(h, path, why, r, offered, accepted)
}

// moderate says whether the sum of waits up to h stays below 2^63.
func (q *Queue) moderate(h int64) bool {
	longest, b := int64(1), int64(len(q.ring))
	for _, l := range q.m.lanes[:q.m.n] {
		longest = max(longest, l.svc)
		if l.svc < 1 {
			return false
		}
	}
	shortest := longest
	for _, l := range q.m.lanes[:q.m.n] {
		shortest = min(shortest, l.svc)
	}
	if longest > 1<<59/b/b || q.idle-q.now > b*longest {
		return false
	}
	// Accepted packets number at most b and those that can be served, each waits at most b services.
	return (h-q.now)/shortest < (1<<62-b*b*longest)/(b*longest)
}

// ringAny takes any number of sources of any kind, and any service. It returns how many packets came from sources
// that are asked.
func (q *Queue) ringAny(h int64) (asked uint64) {
	m := &q.m
	fixed := q.svc.Fixed()
	for {
		i, t := m.next()
		if t >= h {
			return asked
		}
		l := &m.lanes[i]
		src := &q.srcs[l.id]
		size, svc := src.size, l.svc
		key := m.tree[0] + l.step
		if l.step == 0 {
			asked++
			src.Offered++
			src.pull(t)
			if key = m.key(src.next, h, i); fixed {
				l.svc = q.fixed(src.size)
			}
		}
		m.replace(i, key)
		p := &q.ring[q.pos]
		if p.dep > t {
			continue
		}
		if !fixed {
			svc = int64(max(q.svc.Time(size, q.rng), 0))
			svc = min(svc, never-max(q.idle, t))
		}
		w := max(q.idle-t, 0)
		q.idle = t + w + svc
		*p = slot{q.idle, l.id}
		if q.pos++; q.pos == len(q.ring) {
			q.pos = 0
		}
		l.acc++
		q.addWait(uint64(w), 0)
		if s := l.spans; s != nil {
			s[bucket(uint64(w))]++
			s[Buckets+bucket(uint64(w+svc))]++
		}
	}
}
