package traces

import (
	"math/bits"

	"github.com/smartinco/smartinco/units"
)

// sorter sorts packets by their distribution in time (Knuth, The Art of Computer Programming 3, 5.2.1, Algorithm D): it
// counts how many come in each of many equal spans, and with that puts each where those of its span belong. Packets at
// the same instant stay in their order.
type sorter struct {
	mixed [sortMost]Arrival
	spans [2 * sortMost]uint16
}

// sort puts mixed in order, in to. The packets are from first on and before end. It gives up, and returns false, if
// they are too many at about the same time.
func (s *sorter) sort(to []Arrival, first, end units.Time) bool {
	mixed, spans := s.mixed[:len(to)], &s.spans
	shift := max(bits.Len64(uint64(end-1-first))-bits.Len(uint(len(spans)-1)), 0) & 63
	clear(spans[:])
	for i := range mixed {
		spans[uint64(mixed[i].At-first)>>shift%uint64(len(spans))]++
	}
	at := uint16(0)
	for i, k := range spans[:uint64(end-1-first)>>shift+1] {
		spans[i] = at
		at += k
	}
	for i := range mixed {
		x := mixed[i]
		p := &spans[uint64(x.At-first)>>shift%uint64(len(spans))]
		to[*p] = x
		*p++
	}
	return insert(to)
}

// insert sorts packets that are nearly in order. It gives up if they are not.
func insert(p []Arrival) bool {
	moves := 0
	for i := 1; i < len(p); i++ {
		if p[i].At >= p[i-1].At {
			continue
		}
		x, k := p[i], i
		for ; k > 0 && p[k-1].At > x.At; k-- {
			p[k] = p[k-1]
		}
		p[k] = x
		if moves += i - k; moves > 4*len(p) {
			return false
		}
	}
	return true
}
