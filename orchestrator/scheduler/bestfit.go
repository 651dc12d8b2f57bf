package scheduler

// bestFit takes, of the instances whose load and the flow's expected demand together stay within the limit, the one
// with the highest load.
type bestFit struct{}

func (bestFit) Pick(v *View) int {
	best, load, ties := None, 0.0, 0
	for i, l := range v.Load {
		switch {
		case !v.fits(l):
		case best == None || l > load:
			best, load, ties = i, l, 1
		case l == load:
			ties++
			if v.tie(ties) {
				best = i
			}
		}
	}
	return best
}

func (bestFit) Rate(v *View, to []Rating) {
	for i, l := range v.Load {
		to[i] = Rating{l, v.fits(l)}
	}
}
