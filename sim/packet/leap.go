package packet

import "slices"

// outlook is what an instance makes of the packets that come to it, which come in a cycle.
type outlook struct {
	*cycle
	next  int64 // packet
	over  *policer
	ease  *ease
	again *recurrence
	book  bool // delays are measured
	lattice
	longest int64 // delay, at most
}

// until is how many packets to step before it is worth while to ask again.
func (o *outlook) until() int {
	if o.again != nil {
		return int(min(o.again.until(o.next), chunk))
	}
	if o.ease != nil && o.book {
		return int(min(max(o.ease.first(o.next)-o.next, 1), chunk))
	}
	return chunk
}

// outlook is nil if nothing can be said of the packets before h, or if it is not worth while.
func (c *core) outlook(in *instance, h int64) *outlook {
	m := &c.m
	if c.plain || c.stay || in.book != nil && in.book.flows != nil || in.draw != nil || len(m.lanes) == 0 {
		return nil
	}
	n := 0.0
	for k := range m.lanes {
		if m.lanes[k].svc != m.lanes[0].svc {
			return nil
		}
		n += float64(h-m.base) / float64(m.lanes[k].period)
	}
	most := int64(n) / c.worth()
	y := m.cycle(most)
	if y == nil {
		return nil
	}
	spans := in.spans(m.lanes[0].svc)
	service := int64(spans.ticks())
	o := &outlook{cycle: y, book: in.book != nil,
		lattice: lattice{one: 1 << fracBits, service: service, gap: int64(in.room-1) * service}}
	if o.over = police(y, o.lattice); o.over == nil {
		o.ease = easy(y, o.lattice)
	}
	if o.over == nil && (o.ease == nil || o.book && !o.ease.sharp) {
		if o.again = recurs(y, in, most); o.again == nil {
			return nil
		}
	}
	if o.longest = (o.gap+service)/o.one + 2; len(m.late) > 0 {
		o.longest += slices.Max(m.late)
		y.sent = make([]int64, len(y.at))
		for s, lane := range y.lane {
			y.sent[s] = y.at[s] - m.late[lane]
		}
	}
	return o
}

// leap passes over packets before h if nothing needs to be known of them but how many of each lane are accepted, and
// how long these stay: if the server is full now and stays so, or if nothing is lost and the last one that certainly
// finds the server idle is still to come.
func (c *core) leap(in *instance, o *outlook, h int64) bool {
	m := &c.m
	end := o.before(h - m.base)
	if o.again != nil {
		ok := c.recur(in, o, end)
		if ok {
			c.skipped(in, o, h)
		}
		return ok
	}
	if in.book != nil {
		// The delays of so many packets add up within 62 bits.
		if most := 1 << 62 / o.longest; end-o.next > most {
			end = o.before(o.nth(o.next + most))
		}
	}
	idle := max(in.idle-m.base, -maxSlice)
	o.idle = idle<<fracBits + int64(in.acc)
	var taken int64
	spans := in.spans(m.lanes[0].svc)
	if o.over != nil {
		if o.over.idle = o.idle; !o.over.holds(o.next) || end <= o.next {
			return false
		}
		whole, last := o.over.fates(o.next, end, func(slot int64, came, taken uint64) {
			m.lanes[o.lane[slot]].lost += came - taken
		})
		if in.book != nil {
			in.book.enterFull(o.over, o.next, end, whole, last, m.base)
		}
		taken = int64(o.over.below(o.over.edge(end - 1)))
	} else {
		if end = o.ease.last(o.next, end, idle); end <= o.next || o.book && o.ease.waits[o.next%int64(len(o.at))] > 0 {
			return false
		}
		taken = end - o.next
		if in.book != nil {
			in.book.enterEase(o.ease, &o.lattice, o.next, end)
		}
	}
	d := taken*spans.base + in.extra(uint64(taken))
	if o.over != nil { // otherwise the next packet finds the server idle
		in.idle += d
	}
	c.sum.by[saturated] += uint64(end - o.next)
	o.next = end
	in.n += uint64(taken)
	in.work += d
	c.skipped(in, o, h)
	return true
}

// skipped moves on to the packet that is next after a leap.
func (c *core) skipped(in *instance, o *outlook, h int64) {
	c.m.seek(min(h, c.m.base+o.nth(o.next)))
	if in.perByte > 0 {
		in.relog(in.spans(c.m.lanes[0].svc))
	}
}
