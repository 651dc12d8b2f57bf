package report

import "slices"

// differing gives each run the values of the keys that all runs have and in which not all are alike, and returns the
// keys. What belongs to the policy of some runs alone is told by the policy's name.
func differing(runs []*run) []string {
	keys := []string{}
	for k, first := range runs[0].settings {
		differ := false
		missing := slices.ContainsFunc(runs, func(r *run) bool {
			v, has := r.settings[k]
			differ = differ || v != first
			return !has
		})
		if differ && !missing {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, r := range runs {
		r.Differ = make([]string, len(keys))
		for i, k := range keys {
			r.Differ[i] = r.settings[k]
		}
	}
	return keys
}

// known leaves out of each run the measures that none of the runs has, and returns the others.
func known(runs []*run) (some []measure) {
	for i := len(measures) - 1; i >= 0; i-- {
		if slices.ContainsFunc(runs, func(r *run) bool { return r.Values[i] != nil }) {
			some = append(some, measures[i])
			continue
		}
		for _, r := range runs {
			r.Values = slices.Delete(r.Values, i, i+1)
		}
	}
	slices.Reverse(some)
	return some
}
