package packet

// recurrence finds out whether an instance comes back to where it was. A server that takes the same time for each
// packet of a cycle may lose some and fall idle, but how it goes on depends on two things alone: for how long it stays
// busy when the cycle begins, and the fraction of its clock. Once both are what they were before, what has happened
// since happens again for as long as the cycle goes on.
//
// The state that is kept to compare with is replaced after 1, 2, 4, ... steps, so the way back is found whenever it
// begins and however long it is, without a list of states (Brent, An improved Monte Carlo factorization algorithm, BIT
// 20, 1980).
type recurrence struct {
	stride       int64 // packets in a step, whole cycles
	steps, limit int   // since the state was kept, and for how many it is
	state
	was tallied
}

// state is what decides about the packets to come.
type state struct {
	busy int64
	acc  uint64
}

// tallied is what has been counted up to some packet.
type tallied struct {
	next int64
	n    uint64
	work int64
	lost []uint64 // of each lane
	all  delays
}

// recurs is nil if the clock's fraction alone takes too long to come back.
func recurs(y *cycle, in *instance, most int64) *recurrence {
	if in.frac > 0 && 1<<fracBits/gcd(in.frac, 1<<fracBits) > uint64(most) {
		return nil
	}
	m := int64(len(y.at))
	return &recurrence{stride: m * max(min(chunk, most/8)/m, 1)} // steps of a few packets are slow
}

// until is how many packets come before the next step.
func (r *recurrence) until(next int64) int64 { return r.stride - next%r.stride }

// recur passes over as many repetitions of what has happened since the instance was in this state as end before packet
// end comes.
func (c *core) recur(in *instance, o *outlook, end int64) bool {
	r, m, b := o.again, &c.m, in.book
	if o.next%r.stride != 0 {
		return false
	}
	now := state{max(in.idle-m.base-o.nth(o.next), 0), in.acc}
	if r.limit == 0 || now != r.state {
		if r.steps++; r.steps > r.limit {
			r.steps, r.limit, r.state = 0, max(2*r.limit, 1), now
			r.was.take(in, m, o.next)
		}
		return false
	}
	span := o.next - r.was.next
	times := (end - o.next) / span
	if times <= 0 {
		return false
	}
	k := uint64(times)
	for i := range m.lanes {
		l := &m.lanes[i]
		l.lost += k * (l.lost - r.was.lost[i])
	}
	taken, lasts := k*(in.n-r.was.n), times*(span/int64(len(o.at)))*o.period
	in.n += taken
	in.work += times * (in.work - r.was.work)
	in.idle += lasts
	if b != nil {
		b.repeat(k, &r.was.all)
		b.next += taken
		b.left += lasts
	}
	c.sum.by[saturated] += k * uint64(span)
	o.next += times * span
	return true
}

// take notes what has been counted before packet next.
func (x *tallied) take(in *instance, m *merger, next int64) {
	x.next, x.n, x.work, x.lost = next, in.n, in.work, x.lost[:0]
	for i := range m.lanes {
		x.lost = append(x.lost, m.lanes[i].lost)
	}
	if in.book != nil {
		for i, s := range in.book.all {
			s.counts = append(x.all[i].counts[:0], s.counts...)
			x.all[i] = s
		}
	}
}

// repeat enters what has been entered since was so many times more.
func (b *book) repeat(times uint64, was *delays) {
	for i := range b.all {
		s, w := &b.all[i], &was[i]
		for j := range s.counts {
			s.counts[j] += times * (s.counts[j] - w.counts[j])
		}
		more := s.sum
		more.sub(w.sum)
		s.sum.addTimes(more, times)
		if i == sojourn || i == late {
			b.went.addTimes(more, times)
		}
	}
}
