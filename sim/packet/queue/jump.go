package queue

// jump advances to h by counting. Where it cannot, it returns why, having done nothing, and the horizon up to which
// another path should go. It needs constant rates, a constant service s, and room for the jitter of n sources.
//
// Each source's packets in any window are within one of rate times length. So once the backlog exceeds n+2 packets at
// a load above 1 the server does not idle before h; with c(y) = floor((y+(B-1)s-d)/s)+1 the packets that could have
// been accepted up to an arrival at y, d the idle time at the outset, the accepted ones of N are
//
//	min(N, min over k of c(y_k) + N-k)
//
// and the server falls idle at d + s*accepted. Below a load of 1, once the backlog is at most B-n-2, nothing is
// dropped and the server falls idle at max(d + N*s, max over k of y_k + (N-k+1)*s). The further an arrival is from h,
// the more it loses against the last ones: beyond (2n+2)/|lambda-mu| it cannot be the extremum.
func (q *Queue) jump(h, s int64, r *Report) (int64, string) {
	m := &q.m
	// A source that starts later than a period from now is left for a slice of its own.
	for _, l := range m.lanes[:m.n] {
		if src := &q.srcs[l.id]; src.next-q.now >= src.period {
			h = min(h, max(src.next, q.now+1))
		}
	}
	if h = q.load(h); m.n == 0 {
		q.now = h
		return h, ""
	}
	n, b := int64(m.n), int64(q.cfg.Buffer)
	if b < 2*n+8 {
		return h, "the buffer is small for the number of sources"
	}
	rate := 0.0
	for _, l := range m.lanes[:m.n] {
		rate += 1 / float64(l.step)
	}
	excess := rate - 1/float64(s)
	over := excess > 0
	if !over {
		excess = -excess
	}
	if float64(excess*float64(s)) < 1e-6 {
		return h, "the load is 1"
	}
	tail := float64(2*n+2)/excess + float64(2*s)
	if tail >= float64(h-q.now) {
		return h, "the interval is short"
	}
	from := h - int64(tail)

	q.build(h)
	d, lim := q.idle, (b-1)*s
	var offered, accepted uint64
	// Step until the queue is on one side, which at the latest ends where the interval is nearly over.
	for {
		i, t := m.next()
		if t >= h {
			break
		}
		w := max(d-t, 0)
		if t >= from || over && w < (n+2)*s || !over && w > lim-(n+2)*s {
			m.replace(i, m.tree[0]+m.lanes[i].step)
			offered++
			if w <= lim {
				accepted++
				d = t + w + s
			}
			continue
		}
		var rem, k int64
		keys := m.tree[:1<<m.k]
		for j, key := range keys {
			// Move every source to its last arrivals.
			lane := int(key & (1<<m.k - 1))
			if lane >= m.n || key == idleKey {
				continue
			}
			l := &m.lanes[lane]
			at, period := m.base+int64(key>>m.k), int64(l.step>>m.k)
			if at >= h {
				continue
			}
			rem += (h-at-1)/period + 1
			if at < from {
				c := (from - at + period - 1) / period
				k += c
				keys[j] = key + uint64(c)*l.step
			}
		}
		m.replay()
		least, last := rem, d+rem*s
		for {
			i, t := m.next()
			if t >= h {
				break
			}
			m.replace(i, m.tree[0]+m.lanes[i].step)
			k++
			if over {
				least = min(least, (t+lim-d)/s+1+rem-k)
			} else {
				last = max(last, t+(rem-k+1)*s)
			}
		}
		if over {
			last = d + s*least
		}
		offered, accepted, d = offered+uint64(rem), accepted+uint64(least), last
		break
	}
	q.idle, q.lean, q.s, q.waits = d, true, s, false
	q.unload(false)
	q.count(h, Jump, "", r, offered, accepted)
	return h, ""
}
