package scheduler

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
)

// roundRobin gives flow i to instance i mod N. It goes by the instances' numbers: the next is the lowest above the one chosen
// last, and after the highest the lowest of all. So an instance that leaves costs no other its turn, and one that joins, whose
// number is the highest, does so at the end of the cycle.
type roundRobin struct{ last flow.Instance }

func (r *roundRobin) next(ids []flow.Instance) int {
	if i, _ := slices.BinarySearch(ids, r.last+1); i < len(ids) {
		return i
	}
	return 0
}

func (r *roundRobin) Pick(v *View) int {
	i := r.next(v.IDs)
	r.last = v.IDs[i]
	return i
}

func (r *roundRobin) Rate(v *View, to []Rating) {
	n := len(to)
	first := r.next(v.IDs)
	for i := range to {
		turns := i - first
		if turns < 0 {
			turns += n
		}
		to[i] = Rating{float64(turns), true}
	}
}
