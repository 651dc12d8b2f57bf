package katran

// real is a real server with its preference list: all entries of the ring, skip apart, the next of which is at.
type real struct {
	row      int32
	weight   int32
	at, skip int
	due      int32 // with v2: weight that has not got an entry yet
}

// newReal makes the list of a server of a hash.
func newReal(hash uint64, weight, row int32, entries int) real {
	return real{row: row, weight: weight, at: int(murmur3(hash, 42, 0) % uint64(entries)),
		skip: int(murmur3(hash, 2718281828, 2307)%uint64(entries-1)) + 1}
}

// fill lets the servers, which are in order of their hashes, take the next free entries of their lists in turn. How
// many entries a turn has follows from the weight. The first version says: the weight in the first turn, and then one.
// The second gives a server of the greatest weight one in each turn, and each other one when its weights of all turns
// reach the greatest.
func fill(ring []int32, reals []real, v2 bool) {
	for i := range ring {
		ring[i] = -1
	}
	most := int32(0)
	for i := range reals {
		most = max(most, reals[i].weight)
	}
	for first, free := true, len(ring); free > 0 && len(reals) > 0; first = false {
		for i := range reals {
			r := &reals[i]
			turns := int32(1)
			switch {
			case v2:
				r.due += r.weight
				turns = r.due / most // 0 or 1
				r.due -= turns * most
			case first:
				turns = r.weight
			}
			for ; turns > 0 && free > 0; turns-- {
				for ring[r.at] >= 0 {
					r.at = (r.at + r.skip) % len(ring)
				}
				ring[r.at] = r.row
				free--
			}
		}
	}
}
