package traces

import (
	"io"
	"math/bits"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// PacketMerge merges packets in order of time. Of packets at the same instant, those of earlier Packets come first. It
// holds a bounded part of each.
//
// It takes the next packets lane by lane and sorts them, so that it reads a lane in runs, and memory keeps up. Where
// too few or too many packets come together for that, a tournament finds each packet.
type PacketMerge struct {
	lanes []lane
	ahead int // packets that are read at a time
	err   error

	sorter      *sorter    // nil before it is needed
	span        units.Time // in which about as many packets come as are sorted at a time
	skip, skips int        // Reads until the next attempt to sort, and after the last one in vain

	tree, win []uint64 // of losers, see build
	stale     bool     // the lanes have been read on since
	k         uint
	base      units.Time
}

// lane is one of the merged sequences, part of which has been read.
type lane struct {
	buf   []Arrival // buf[at:] is read and not used
	at    int
	to    int          // see take
	after uint64       // key of buf[at+1], so that a tournament does not wait for memory
	phase units.Time   // to add to the times in buf
	flows []flow.ID    // of the numbers in buf
	src   PacketReader // nil if there is no more to read
}

// What a merge reads ahead, in packets: for all lanes together, roughly, and for one lane.
const (
	aheadAll   = 1 << 15
	aheadMost  = 1 << 12
	aheadLeast = 16
)

// MergePackets opens all packets. An error ends the packets that it comes from. Read returns it after those of all
// others.
func MergePackets(ps []Packets) *PacketMerge {
	s := &PacketMerge{lanes: make([]lane, len(ps)), span: units.Millisecond, stale: true}
	s.ahead = min(max(aheadAll/max(len(ps), 1), aheadLeast), aheadMost)
	for i, p := range ps {
		l := &s.lanes[i]
		*l = lane{src: p.Open(), flows: p.Flows}
		if r, ok := l.src.(*replay); ok && r.file == nil { // all is in memory
			l.buf, l.phase, l.src = r.held, r.phase, nil
		}
		s.refill(l)
	}
	s.k = uint(bits.Len(uint(max(len(ps), 1) - 1)))
	s.tree, s.win = make([]uint64, 1<<s.k), make([]uint64, 2<<s.k)
	return s
}

// refill reads on if less than a quarter of what is read ahead is left.
func (s *PacketMerge) refill(l *lane) {
	least := s.ahead / 4
	if l.src == nil || len(l.buf)-l.at >= least {
		return
	}
	if l.buf == nil {
		l.buf = make([]Arrival, 0, s.ahead)
	}
	l.buf, l.at = l.buf[:copy(l.buf, l.buf[l.at:])], 0
	for l.src != nil && len(l.buf) < least {
		n, err := l.src.Read(l.buf[len(l.buf):cap(l.buf)])
		if l.buf = l.buf[:len(l.buf)+n]; n > 0 {
			continue
		}
		l.src = nil
		if err != io.EOF && s.err == nil {
			s.err = err
		}
	}
}

// Read implements PacketReader.
func (s *PacketMerge) Read(p []Arrival) (n int, err error) {
	if len(s.lanes) == 1 {
		l := &s.lanes[0]
		s.refill(l)
		n = l.take(p, units.Never)
		l.at = l.to
	} else if n = s.sort(p); n == 0 {
		n = s.play(p)
	}
	switch {
	case n > 0:
		return n, nil
	case s.err != nil:
		return 0, s.err
	}
	return 0, io.EOF
}

// take copies the lane's next packets before an instant, as many as there is room for: buf[at:to].
func (l *lane) take(p []Arrival, until units.Time) (n int) {
	rest, phase, flows := l.buf[l.at:], l.phase, l.flows
	rest = rest[:min(len(rest), len(p))]
	p = p[:len(rest)]
	for ; n < len(rest); n++ {
		x := &rest[n]
		at := phase + x.At
		if at >= until {
			break
		}
		p[n] = Arrival{At: at, Flow: flows[x.Flow], Bytes: x.Bytes}
	}
	l.to = l.at + n
	return n
}

// How many packets are sorted at a time: sortMost stay in the second cache. For fewer than sortLeast, or than
// sortLane a lane, and for fewer than sortLanes, a tournament is as fast.
const (
	sortMost  = 1 << 12
	sortLeast = 1 << 8
	sortLane  = 2
	sortLanes = 3
	sortTries = 3  // with ever shorter spans
	sortSkips = 16 // Reads at most
)

// sort puts the next packets into p. No lane is read on in between, so what has been taken can be given back. It
// returns 0, and takes none, where a tournament is faster.
func (s *PacketMerge) sort(p []Arrival) (n int) {
	p = p[:min(len(p), sortMost)]
	least := max(sortLeast, sortLane*len(s.lanes))
	if len(s.lanes) < sortLanes || len(p) < 2*least {
		return 0
	}
	if s.skip > 0 {
		s.skip--
		return 0
	}
	if s.sorter == nil {
		s.sorter = new(sorter)
	}
	s.stale = true
	first, limit := units.Never, units.Never
	for i := range s.lanes {
		l := &s.lanes[i]
		if s.refill(l); l.at < len(l.buf) {
			first = min(first, l.phase+l.buf[l.at].At)
			if l.src != nil {
				limit = min(limit, l.phase+l.buf[len(l.buf)-1].At)
			}
		}
	}
	mixed := s.sorter.mixed[:len(p)]
	for range sortTries {
		until := limit
		if s.span < limit-first {
			until = first + s.span
		}
		n = 0
		for i := range s.lanes {
			if n += s.lanes[i].take(mixed[n:], until); n == len(mixed) {
				break
			}
		}
		if n == len(mixed) {
			s.span = max((until-first)/2, 1)
			continue
		}
		if n > 0 {
			gap := min(max((until-first)/units.Time(n), 1), units.Second)
			s.span = gap * units.Time(len(mixed)/4*3)
		}
		if n < least || !s.sorter.sort(p[:n], first, until) {
			break
		}
		for i := range s.lanes {
			s.lanes[i].at = s.lanes[i].to
		}
		s.skips = 0
		return n
	}
	s.skips = min(2*s.skips+1, sortSkips)
	s.skip = s.skips
	return 0
}

const idleKey = 1<<63 - 1

// build plays the tournament (Knuth, The Art of Computer Programming 3, 5.4.1). The key of a lane is the time of its
// next packet since base, shifted, and its number. A lane whose next packet is too far away for a key is idle until all
// others are idle too.
func (s *PacketMerge) build() {
	s.base, s.stale = units.Never, false
	for i := range s.lanes {
		if l := &s.lanes[i]; l.at < len(l.buf) {
			s.base = min(s.base, l.phase+l.buf[l.at].At)
		}
	}
	size := 1 << s.k
	for i := range size {
		s.win[size+i] = idleKey
		if i < len(s.lanes) {
			s.win[size+i] = s.key(uint64(i), &s.lanes[i])
		}
	}
	for i := size - 1; i > 0; i-- {
		s.win[i], s.tree[i] = min(s.win[2*i], s.win[2*i+1]), max(s.win[2*i], s.win[2*i+1])
	}
	s.tree[0] = s.win[1]
}

// key is that of the lane's next packet.
func (s *PacketMerge) key(i uint64, l *lane) uint64 {
	l.after = s.keyAt(i, l, l.at+1)
	return s.keyAt(i, l, l.at)
}

func (s *PacketMerge) keyAt(i uint64, l *lane, at int) uint64 {
	if at >= len(l.buf) {
		return idleKey
	}
	since := uint64(l.phase + l.buf[at].At - s.base)
	if since >= idleKey>>s.k {
		return idleKey
	}
	return since<<s.k | i
}

// play fills p by tournaments.
func (s *PacketMerge) play(p []Arrival) (n int) {
	if s.stale {
		s.build()
	}
	tree, k, mask := s.tree[:1<<s.k], s.k, uint64(1)<<s.k-1
	for n < len(p) {
		key := tree[0]
		if key == idleKey {
			if s.build(); tree[0] == idleKey {
				break
			}
			continue
		}
		i := key & mask
		l := &s.lanes[i]
		x := &l.buf[l.at]
		p[n] = Arrival{At: l.phase + x.At, Flow: l.flows[x.Flow], Bytes: x.Bytes}
		n++
		if l.at++; l.at < len(l.buf) {
			key = l.after
			l.after = s.keyAt(i, l, l.at+1)
		} else {
			s.refill(l)
			key = s.key(i, l)
		}
		for j := (i + 1<<k) >> 1; j > 0; j >>= 1 {
			tree[j], key = max(tree[j], key), min(tree[j], key)
		}
		tree[0] = key
	}
	return n
}
