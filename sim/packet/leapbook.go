package packet

// enterFull enters the packets that a full server accepts of those from number i to end-1. The packet that takes an
// opening waits from when it comes until the opening and gap, at which the server is done with those before; so those
// that stay for less than some time are those that take an opening before another, and are counted by floor sums, too.
// whole and last are those of the policer's count.
func (b *book) enterFull(p *policer, i, end int64, whole, last []uint64, base int64) {
	m := int64(len(p.theta))
	n, rest := uint64(end-i)/uint64(m), (end-i)%m
	service, full, from := uint64(p.service), uint64(p.full), p.opening()-p.service+1
	stay, took := &b.all[sojourn], (*spans)(nil)
	if p.sent[0] != p.at[0] {
		stay, took = &b.all[late], &b.all[endToEnd]
	}
	came, more := uint64(0), uint64(0) // sums of the times at which packets come, and for which they were under way
	for j := range min(m, end-i) {
		// upTo counts the openings before one at theta in this slot's periods.
		upTo := func(theta int64) uint64 {
			b := uint64(theta - from)
			k := p.sums.sum(b)
			if j < rest {
				k += (b + n*full) / service
			}
			return k
		}
		lo, hi, t := p.edge(i+j-1), p.edge(i+j), p.nth(i+j)
		under := p.at[(i+j)%m] - p.sent[(i+j)%m]
		before, all := whole[j], whole[j+1]
		if j < rest {
			before, all = before+last[j], all+last[j+1]
		}
		came -= all * uint64(p.nth(i+j+1)-t)
		if lo >= hi {
			continue
		}
		taken := slot{lo, hi, p.one, before, all, upTo}
		more += (all - taken.before) * uint64(under)
		taken.enter(&b.all[wait], t*p.one-p.gap)
		taken.enter(stay, t*p.one-p.gap-p.service)
		if took != nil {
			taken.enter(took, (t-under)*p.one-p.gap-p.service)
		}
	}
	k := p.below(p.edge(end - 1))
	came += k * uint64(p.nth(end))
	begun := floorSum(k, service, uint64(p.idle), uint64(p.one))
	went := floorSum(k, service, uint64(p.idle+p.service), uint64(p.one))
	b.all[wait].sum.add(begun - came) // modulo 2^64 they are exact, as core.leap sees to it
	stay.sum.add(went - came)
	if took != nil {
		took.sum.add(went - came + more)
	}
	b.went.add(went - came)
	b.next += k
	b.left = base + (p.idle+int64(k)*p.service)/p.one
}

// slot is the openings that packets of one slot take: those from lo on and before hi, which are all less before; upTo
// counts those up to anywhere between, in the same way.
type slot struct {
	lo, hi, one int64
	before, all uint64
	upTo        func(int64) uint64
}

// enter counts them in s, as the whole picoseconds from zero to the opening.
func (x *slot) enter(s *spans, zero int64) {
	if x.all == x.before {
		return
	}
	last := x.before
	for i := int(bucket(uint64((x.lo - zero) / x.one))); ; i++ {
		_, top := Bounds(i)
		edge := zero + (int64(top)+1)*x.one
		if edge >= x.hi {
			s.counts[i] += x.all - last
			break
		}
		k := x.upTo(edge)
		s.counts[i] += k - last
		last = k
	}
	// The greatest, if it is greater than the greatest until now.
	reaches := func(v int64) bool { return x.upTo(max(zero+v*x.one, x.lo)) < x.all }
	lo, hi := max(s.longest, (x.lo-zero)/x.one-1), (x.hi-1-zero)/x.one+1
	if lo+1 >= hi || !reaches(lo+1) {
		return
	}
	for lo+1 < hi {
		if v := lo + (hi-lo)/2; reaches(v) {
			lo = v
		} else {
			hi = v
		}
	}
	s.longest = max(s.longest, lo)
}

// enterEase enters the packets from number i to end-1, of which the server loses none. Packet i certainly finds it
// idle, and so does the one that comes k before each: the services of these k take one of two whole numbers of
// picoseconds, by the clock's fraction.
func (b *book) enterEase(e *ease, l *lattice, i, end int64) {
	m := int64(len(e.at))
	n, rest := uint64(end-i)/uint64(m), (end-i)%m
	one := uint64(l.one)
	frac := uint64(l.service % l.one)
	acc := uint64(modulo(l.idle, l.one))
	step := uint64(m%l.one) * frac % one
	sums := newFloorSums(n, step, one, int(m))
	for j := range min(m, end-i) {
		s := (i + j) % m
		times := n
		if j < rest {
			times++
		}
		t, k, under := e.nth(i+j), e.after[s], e.at[s]-e.sent[s]
		began := t
		if k > 0 {
			began = e.nth(i+j+m-k) - e.period // may be before i's period
		}
		// The clock's fraction when the packet k before comes, in each of the periods.
		first := (acc + uint64(j+m*l.one-k%l.one)%one*frac) % one
		after := func(k int64) (span int64, longer uint64) {
			span = k * l.service / l.one
			part := uint64(k * l.service % l.one)
			longer = sums.sum(first+part) - sums.sum(first)
			if j < rest {
				longer += (step*n+first+part)/one - (step*n+first)/one
			}
			return span, longer
		}
		enter := func(to *spans, v int64, longer uint64) {
			to.counts[bucket(uint64(v))] += times - longer
			to.counts[bucket(uint64(v+1))] += longer
			to.sum.addProduct(times, uint64(v))
			to.sum.add(longer)
			if longer > 0 {
				v++
			}
			to.longest = max(to.longest, v)
		}
		span, longer := after(k)
		enter(&b.all[wait], began+span-t, longer)
		span, longer = after(k + 1)
		stay := began + span - t
		if under == 0 {
			enter(&b.all[sojourn], stay, longer)
		} else {
			enter(&b.all[late], stay, longer)
			enter(&b.all[endToEnd], stay+under, longer)
		}
		b.went.add(times*uint64(stay) + longer)
	}
	b.next += uint64(end - i)
}
