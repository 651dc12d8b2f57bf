package scheduler

// roundRobin gives flow i to instance i mod N, counting positions among the ready instances in order of their numbers.
// Numbers grow, so an instance that joins does so at the end of the cycle. When the cursor has passed the last position,
// or instances have left from under it, it starts again at the first.
type roundRobin struct{ cursor int }

func (r *roundRobin) next(n int) int {
	if r.cursor >= n {
		return 0
	}
	return r.cursor
}

func (r *roundRobin) Pick(v *View) int {
	i := r.next(len(v.IDs))
	r.cursor = i + 1
	return i
}

func (r *roundRobin) Rate(v *View, to []Rating) {
	n := len(to)
	first := r.next(n)
	for i := range to {
		turns := i - first
		if turns < 0 {
			turns += n
		}
		to[i] = Rating{float64(turns), true}
	}
}
