package packet

import (
	"math/bits"
	"slices"
)

// sorter sorts keys by their distribution (Knuth, The Art of Computer Programming 3, 5.2.1, Algorithm D, with spans of
// equal length in the place of digits): it counts how many keys fall in each span, and with that puts each where those
// of its span belong. That takes no comparison that a processor would have to guess, and little is left to do among the
// few keys of a span.
type sorter struct {
	mixed [chunk]uint64
	spans [chunk]uint16
}

// sort puts mixed in order, in to. The keys are from first on and before end.
func (s *sorter) sort(to []uint64, first, end uint64) {
	mixed, spans := s.mixed[:len(to)], &s.spans
	shift := max(bits.Len64(end-1-first)-bits.Len(chunk-1), 0) & 63
	clear(spans[:])
	for _, key := range mixed {
		spans[(key-first)>>shift%chunk]++
	}
	at := uint16(0)
	for i, k := range spans[:(end-1-first)>>shift+1] {
		spans[i] = at
		at += k
	}
	for _, key := range mixed {
		p := &spans[(key-first)>>shift%chunk]
		to[*p] = key
		*p++
	}
	insert(to)
}

// insert sorts keys that are nearly in order. The greatest of those passed is kept in hand, so that two that are
// exchanged need no branch.
func insert(keys []uint64) {
	if len(keys) == 0 {
		return
	}
	greatest, last, moves := keys[0], uint64(0), 0
	for i, next := range keys[1:] {
		key := min(greatest, next)
		greatest = max(greatest, next)
		keys[i] = key
		if key >= last {
			last = key
			continue
		}
		k := i
		for ; k > 0 && keys[k-1] > key; k-- {
			keys[k] = keys[k-1]
		}
		keys[k] = key
		if moves += i - k; moves > 16*len(keys) {
			keys[i+1] = greatest
			slices.Sort(keys)
			return
		}
	}
	keys[len(keys)-1] = greatest
}
