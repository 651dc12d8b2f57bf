package packet

import "sort"

// cycle is packets that come again and again: one period of them, in order. Packet number i is that of slot i modulo
// their number. Times count from a base that its user knows; none is below 0.
type cycle struct {
	at, sent []int64 // when a packet comes, and when the generator sent it
	lane     []int32 // whose it is
	period   int64
}

// nth is when packet i comes.
func (y *cycle) nth(i int64) int64 {
	m := int64(len(y.at))
	return y.at[i%m] + i/m*y.period
}

// before is the number of packets before t.
func (y *cycle) before(t int64) int64 {
	if len(y.at) == 0 || t <= y.at[0] {
		return 0
	}
	whole := (t - 1 - y.at[0]) / y.period
	s := sort.Search(len(y.at), func(s int) bool { return y.at[s]+whole*y.period >= t })
	return whole*int64(len(y.at)) + int64(s)
}

// lattice is a server that takes service for every packet, in fine units, of which one make a picosecond. It falls idle
// at idle, and packets leave at whole picoseconds, rounded down. A packet is accepted if the server stays busy for no
// longer than gap, rounded down in the same way: for a ring of B packets that is B-1 services.
type lattice struct {
	one, service, gap int64
	idle              int64 // fine, since the base
}

// opening is the fine time from which there is room for the next packet.
func (l *lattice) opening() int64 { return l.idle - l.gap }

// policer says which packets of a cycle a server accepts that is always busy. Such a server ends a service every
// service time, and so there is room for one packet more: the openings are known before any packet has come. Packet i
// takes the first opening that is open and that no packet before has taken, if there is one. Turned round: with
// theta(i) the first opening that i and those before can not take,
//
//	theta(i) = min(theta(i-1) + service, at(i) + 1 ps),
//
// i is accepted if and only if an opening lies in [theta(i-1), theta(i)), which holds one at most. This is the leaky
// bucket of ATM's traffic contracts (ITU-T I.371, GCRA). theta depends on the packets alone, and has their period.
//
// The openings below theta(i) + u*period, u periods on, number floor of a linear function of u, so a sum over periods
// is a floor sum, which Euclid's algorithm adds up.
type policer struct {
	*cycle
	lattice
	full  int64      // the period, fine
	sums  *floorSums // of openings below an instant, over the periods that count counts
	theta []int64    // of the slots of the first period
}

// police finds what the server accepts of the cycle. It is nil if the load is not above one, or if the server may ever
// fall idle.
func police(y *cycle, l lattice) *policer {
	p := &policer{cycle: y, lattice: l, full: y.period * l.one, theta: make([]int64, len(y.at))}
	m := len(y.at)
	if int64(m) <= p.full/l.service {
		return nil
	}
	// Somewhere in a period the second term is the lesser, and from there on it does not matter with what it began.
	theta := (y.at[m-1] - y.period + 1) * l.one
	for range 2 {
		for s, t := range y.at {
			theta = min(theta+l.service, (t+1)*l.one)
			p.theta[s] = theta
		}
		theta -= p.full
	}
	for s, t := range y.at {
		if theta < min(t*l.one-l.gap, p.theta[s]) {
			return nil // it takes the opening theta, and may then have nothing to do before t
		}
		theta = p.theta[s]
	}
	return p
}

// edge is theta of packet i, which may be -1.
func (p *policer) edge(i int64) int64 {
	m := int64(len(p.theta))
	if i < 0 {
		return p.theta[i+m] - p.full
	}
	return p.theta[i%m] + i/m*p.full
}

// holds says whether the server is full when packet i is the next, so that theta tells what it accepts.
func (p *policer) holds(i int64) bool {
	lag := p.opening() - p.edge(i-1)
	return lag >= 0 && lag < p.service
}

// below is how many openings from the next one on lie below theta.
func (p *policer) below(theta int64) uint64 {
	return uint64(theta-p.opening()+p.service-1) / uint64(p.service)
}

// count counts openings below theta for packets from number i-1 to end-1, the server being full at i. whole[j] are
// those below theta of packet i-1+j, summed over n periods that are whole; last[j] are those in the period after them.
func (p *policer) count(i, end int64) (whole, last []uint64, n uint64) {
	m := int64(len(p.theta))
	n = uint64(end-i) / uint64(m)
	whole, last = make([]uint64, min(m, end-i)+1), make([]uint64, (end-i)%m+1)
	service, full, from := uint64(p.service), uint64(p.full), p.opening()-p.service+1
	p.sums = newFloorSums(n, full, service, len(whole))
	for j := range whole {
		b := uint64(p.edge(i-1+int64(j)) - from)
		whole[j] = p.sums.sum(b)
		if j < len(last) {
			last[j] = (b + n*full) / service
		}
	}
	return whole, last, n
}

// fates tells of each slot how many of the packets from number i to end-1 come and how many are accepted, and returns
// what count found. The server is full at i; it stays as it is.
func (p *policer) fates(i, end int64, tell func(slot int64, came, taken uint64)) (whole, last []uint64) {
	whole, last, came := p.count(i, end)
	for j := range whole[1:] {
		n, taken := came, whole[j+1]-whole[j]
		if j+1 < len(last) {
			n, taken = n+1, taken+last[j+1]-last[j]
		}
		tell((i+int64(j))%int64(len(p.theta)), n, taken)
	}
	return whole, last
}

// output is the cycle in which what the server accepts leaves it, if packet i is the next and the server full. It is
// nil if that cycle has more than most packets.
func (p *policer) output(i int64, most uint64) *cycle {
	n := uint64(p.full) / gcd(uint64(p.full), uint64(p.service))
	if n > most || float64(n)*float64(p.service/p.one+1) > maxSlice {
		return nil
	}
	m := int64(len(p.at))
	y := &cycle{at: make([]int64, n), sent: make([]int64, n), lane: make([]int32, n)}
	// The multiple of both that is the least holds a whole number of picoseconds.
	y.period = int64(n) * (p.service / p.one)
	y.period += int64(n) * (p.service % p.one) / p.one
	slot, ago := i%m, i/m*p.period
	opening, leaves := p.opening()-ago*p.one, p.idle
	for k := range y.at {
		for p.theta[slot] <= opening {
			if slot++; slot == m {
				slot = 0
				ago += p.period
				opening -= p.full
			}
		}
		opening += p.service
		leaves += p.service
		y.at[k], y.sent[k], y.lane[k] = leaves/p.one, p.sent[slot]+ago, p.lane[slot]
	}
	return y
}

// ease is a cycle of packets at a server that loses none of them: its load is below one and its queue long enough.
type ease struct {
	*cycle
	waits []int64 // of each slot, an upper bound; 0 where the packet certainly finds the server idle
	after []int64 // of each slot, how many packets before it such a one comes
	sharp bool    // none of the others does
}

// easy is nil if the server may lose packets of the cycle.
func easy(y *cycle, l lattice) *ease {
	e := &ease{y, make([]int64, len(y.at)), make([]int64, len(y.at)), true}
	span := (l.service + l.one - 1) / l.one
	if int64(len(y.at)) > (y.period-1)/span {
		return nil
	}
	wait, before, after := int64(0), y.at[len(y.at)-1]-y.period, int64(0)
	for range 2 {
		for s, t := range y.at {
			wait = max(wait+span-(t-before), 0)
			if after++; wait == 0 {
				after = 0
			}
			e.waits[s], e.after[s], before = wait, after, t
			if wait > l.gap/l.one {
				return nil
			}
		}
		before -= y.period
	}
	for s, after := range e.after { // services round down to so much less
		e.sharp = e.sharp && e.waits[s] >= after*span-after*l.service/l.one
	}
	return e
}

// first is the first packet from next on that certainly finds the server idle.
func (e *ease) first(next int64) int64 {
	for e.waits[next%int64(len(e.waits))] > 0 {
		next++
	}
	return next
}

// last is the last of the packets from next on and before end that certainly finds the server idle, if it falls idle at
// that time now; next if there is none.
func (e *ease) last(next, end, idle int64) int64 {
	m := int64(len(e.waits))
	if idle-e.nth(next) > e.waits[next%m] {
		return next
	}
	for end--; end > next && e.waits[end%m] > 0; end-- {
	}
	return max(end, next)
}
