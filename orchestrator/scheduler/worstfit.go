package scheduler

// worstFit takes the instance with the lowest load, whether or not the flow fits: if it does not fit there, it fits
// nowhere.
type worstFit struct{}

func (worstFit) Pick(v *View) int {
	best, ties := 0, 1
	for i := 1; i < len(v.Load); i++ {
		switch l := v.Load[i]; {
		case l < v.Load[best]:
			best, ties = i, 1
		case l == v.Load[best]:
			ties++
			if v.tie(ties) {
				best = i
			}
		}
	}
	return best
}

func (worstFit) Rate(v *View, to []Rating) {
	for i, l := range v.Load {
		to[i] = Rating{l, true}
	}
}
