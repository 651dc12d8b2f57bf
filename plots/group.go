package plots

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
)

// sortRuns sorts the runs, so that no figure depends on the order in which the records are named.
func sortRuns(ds []data) {
	slices.SortStableFunc(ds, func(a, b data) int {
		return cmp.Or(cmp.Compare(rank(a.scheduler), rank(b.scheduler)), cmp.Compare(a.scheduler, b.scheduler),
			cmp.Compare(a.size, b.size), cmp.Compare(a.initial, b.initial), cmp.Compare(a.run.Name, b.run.Name),
			cmp.Compare(a.run.Seed, b.run.Seed), cmp.Compare(a.run.Totals.Processed, b.run.Totals.Processed))
	})
}

// known are the thesis' schedulers. They have the same order, names and looks in every figure.
var known = []struct{ policy, name string }{
	{"round-robin", "Round-Robin"},
	{"best-fit", "Best-Fit"},
	{"worst-fit", "Worst-Fit"},
}

func rank(policy string) int {
	for i, k := range known {
		if k.policy == policy {
			return i
		}
	}
	return len(known)
}

// group is a set of runs that a figure draws as one, since they differ in the seed alone.
type group struct {
	name string
	look chart.Look
	runs []data
}

// bySchedulers groups sorted runs by scheduler. Each scheduler has the look that chart.LooksOf gives it.
func bySchedulers(ds []data) (gs []group) {
	for _, d := range ds {
		if n := len(gs); n > 0 && gs[n-1].runs[0].scheduler == d.scheduler {
			gs[n-1].runs = append(gs[n-1].runs, d)
			continue
		}
		g := group{name: d.scheduler, runs: []data{d}}
		if i := rank(d.scheduler); i < len(known) {
			g.name = known[i].name
		}
		gs = append(gs, g)
	}
	var drawn, first []string
	for _, g := range gs {
		drawn = append(drawn, g.runs[0].scheduler)
	}
	for _, k := range known {
		first = append(first, k.policy)
	}
	for i, l := range chart.LooksOf(drawn, first...) {
		gs[i].look = l
	}
	return gs
}

// keep returns the runs that are ok, and notes which it left out and why. With orAll, it keeps all runs if none is ok.
func keep(ds []data, notes *[]string, why string, orAll bool, ok func(data) bool) []data {
	var in []data
	var out []string
	for _, d := range ds {
		if ok(d) {
			in = append(in, d)
		} else {
			out = append(out, d.String())
		}
	}
	if orAll && len(in) == 0 {
		return ds
	}
	if len(out) > 0 {
		*notes = append(*notes, fmt.Sprintf("left out, %s: %s", why, strings.Join(out, ", ")))
	}
	return in
}

// String names the run in a note.
func (d data) String() string {
	return fmt.Sprintf("%s (%s, %d B, %d instances at first, seed %d)",
		d.run.Name, d.scheduler, d.size, d.initial, d.run.Seed)
}

func none(ds []data, notes []string) error {
	if len(ds) == 0 {
		return chart.Requestf("no record to draw from")
	}
	return chart.Requestf("none of the %d records fits: %s", len(ds), strings.Join(notes, "; "))
}
