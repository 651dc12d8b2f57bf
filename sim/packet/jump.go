package packet

import "slices"

// walk goes through the packets before h. In a long slice those in the middle will have left by h, whatever happens
// then; if services take the clock's spans alone, these do without the log. The log is needed again for the last
// packets, which fill the system at h. walk returns h, or where it has stopped because the run is given up.
func (c *core) walk(in *instance, h int64) int64 {
	m := &c.m
	longest := int64(0)
	for k := range m.lanes {
		longest = max(longest, m.lanes[k].svc+1)
	}
	full := int64(in.room) * longest // the longest that a system full of these packets keeps the server busy
	from, to := max(in.even, m.base), h-full
	if in.draw != nil || c.plain || full > summable || to-from < 2*full || to < in.idle {
		for keys := m.fill(h, chunk); len(keys) > 0; keys = m.fill(h, chunk) {
			in.ring(m, keys, false)
			c.sum.by[apart] += uint64(len(keys))
			h = c.leave(h)
		}
		return h
	}
	if in.perByte > 0 {
		from = max(from, in.idle) // what is there may be of another size
	}
	c.step(in, from)
	reached := c.bounded(in, to)
	if reached < to {
		h = reached + full
	}
	c.step(in, h)
	return h
}

// leave is h. If the run is given up, it is the first instant before which no packet is missing.
func (c *core) leave(h int64) int64 {
	if next := c.m.next(); next < h && !c.onward && c.stopped() {
		return next + 1
	}
	return h
}

// bounded goes through the packets before h, all of which will have left when anything can happen to them: without the
// log if services take the clock's spans alone, and in one go where they come in a cycle that leads there. It returns
// h, or where it has stopped.
func (c *core) bounded(in *instance, h int64) int64 {
	m := &c.m
	if in.book != nil {
		in.book.enter(&in.server, in.n)
	}
	was, how := in.n, bounded
	if in.perByte > 0 {
		how = apart
	}
	o := c.outlook(in, h)
	for c.m.next() < h {
		some := chunk
		if o != nil {
			if c.leap(in, o, h) {
				continue
			}
			some = o.until()
		}
		keys := m.fill(h, some)
		came := len(keys)
		if in.perByte > 0 {
			in.ring(m, keys, true)
		} else {
			in.lindley(m, keys)
		}
		c.sum.by[how] += uint64(came)
		if o != nil {
			o.next += int64(came)
		}
		h = c.leave(h)
	}
	if in.n > was && in.perByte == 0 {
		in.relog(in.clock)
	}
	return h
}

// jump counts instead of stepping where nothing can be lost. At constant rates and a load below one, the work in the
// system never exceeds what is there now plus one packet of each flow. Of all packets but the last few only the number
// matters. From there on it steps with that bound as the backlog: at the first packet that finds even this server idle,
// the system is empty, whatever was before, and from then on the state is exact.
func (c *core) jump(in *instance, h int64) bool {
	m := &c.m
	if in.draw != nil || in.book != nil || c.plain || c.stay || len(m.lanes) == 0 {
		return false
	}
	load, burst := 0.0, int64(0)
	for k := range m.lanes {
		svc := m.lanes[k].svc + 1
		load += float64(svc) / float64(m.lanes[k].period)
		burst += svc
	}
	work := max(in.idle-in.at, 0)
	most := work + burst // of the work in the system, and so of a sojourn
	if len(m.odd) > 0 {
		most++ // times are rounded
	}
	room := float64(in.held(in.at) + 2)
	for k := range m.lanes {
		room += float64(most)/float64(m.lanes[k].period) + 2
	}
	if load > 0.999 || room > float64(in.room) {
		return false
	}
	tail := int64(float64(most+burst)/(1-load)) + 2*burst
	if h-in.at < 4*tail {
		return false
	}
	from := h - tail
	first, odd, passed := make([]int64, len(m.lanes)), slices.Clone(m.odd), make([]uint64, len(m.lanes))
	for k := range m.lanes {
		first[k], passed[k] = m.lanes[k].next, m.count(k, from)
		m.skip(k, passed[k])
	}
	m.play()
	idle := from + most
	before := make([]uint64, len(m.lanes))
	for m.tree[0] < m.end(h) {
		i := m.tree[0] & laneMask
		if t := m.base + int64(m.tree[0]>>laneBits); t >= idle {
			break
		}
		before[i]++
		idle += m.lanes[i].svc + 1
		m.pop(i)
	}
	if m.tree[0] >= m.end(h) {
		m.rewind(first, odd)
		return false
	}
	jumped := uint64(0)
	for k := range m.lanes {
		n := passed[k] + before[k]
		jumped += n
		in.work += int64(n) * m.lanes[k].svc
	}
	m.rewind(first, odd)
	in.work += in.extra(jumped)
	c.sum.by[jump] += jumped
	c.step(in, h)
	return true
}

// full counts instead of stepping while the queue overflows: one-sided Skorokhod reflection. Of n constant-rate
// sources, what they send in any time is within n packets of their rate. So after `tail` from the beginning of the
// slice the server has enough to do never to idle before h. Of the packets counted from there, c(t) = floor((t + (B-1)s
// - idle)/s) + 1 could have been accepted up to one that comes at t. Of N packets, the number accepted is the least of
// N and of all c(t) plus those that come after t; a packet further than `tail` from h cannot give the least.
func (c *core) full(in *instance, h int64) bool {
	m := &c.m
	n, room := int64(len(m.lanes)), int64(in.room)
	if c.fate || c.plain || c.stay || n == 0 || len(m.odd) > 0 || in.draw != nil || in.frac != 0 || room < 2*n+8 {
		return false
	}
	s := m.lanes[0].svc
	rate := 0.0
	for k := range m.lanes {
		l := &m.lanes[k]
		if l.size != m.lanes[0].size || l.next-in.at >= l.period {
			return false
		}
		rate += 1 / float64(l.period)
	}
	excess := rate - 1/float64(s)
	if float64(excess*float64(s)) < 1e-6 {
		return false
	}
	tail := float64(2*n+2)/excess + float64(2*s)
	if float64(h-in.at) < float64(4*tail)+float64(2*room*s) {
		return false
	}
	for k := range in.held(in.at) { // what waits must leave at the spans of what comes
		if in.dep[in.back(k)] != in.idle-int64(k)*s {
			return false
		}
	}

	begin, from := in.at+int64(tail), h-int64(tail)
	m.play()
	c.step(in, begin)
	first, sends := make([]int64, n), make([]uint64, n)
	left, k := int64(0), int64(0)
	for j := range m.lanes {
		l := &m.lanes[j]
		first[j] = l.next
		m.skip(j, m.count(j, begin))
		sends[j] = m.count(j, h)
		left += int64(sends[j])
		skipped := m.count(j, from)
		k += int64(skipped)
		m.skip(j, skipped)
	}
	m.play()
	least, bound := left, (room-1)*s-in.idle
	for end := m.end(h); m.tree[0] < end; {
		k++
		least = min(least, (m.base+int64(m.tree[0]>>laneBits)+bound+s)/s+left-k)
		m.pop(m.tree[0] & laneMask)
	}
	in.idle += least * s
	in.work += least * s
	for j := range in.room {
		in.dep[in.back(j)], in.who[in.back(j)] = in.idle-int64(j)*s, m.lanes[0].whose
	}
	lost := uint64(left - least)
	for j := range m.lanes {
		l := &m.lanes[j]
		l.next = first[j]
		share := min(lost, sends[j]) // which flow loses them does not matter
		l.lost += share
		lost -= share
	}
	c.sum.by[full] += uint64(left)
	return true
}
