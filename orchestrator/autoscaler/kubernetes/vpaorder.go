package kubernetes

import "github.com/smartinco/smartinco/flow"

// update is an instance that is to be changed.
type update struct {
	slot  int
	id    flow.Instance
	grows bool
	diff  float64 // relative
	place bool
}

// before is the order in which instances are changed: those that need more, then those that are furthest off, then
// those of lower numbers. No two are equal.
func (a *update) before(b *update) bool {
	switch {
	case a.grows != b.grows:
		return a.grows
	case a.diff != b.diff:
		return a.diff > b.diff
	}
	return a.id < b.id
}

// firstOf leaves the n first of the updates that are due, in the order in which they stand. What it works with, it
// keeps in ranked.
func firstOf(due []update, n int, ranked *[]update) []update {
	switch {
	case n >= len(due):
		return due
	case n == 0:
		return due[:0]
	}
	*ranked = append((*ranked)[:0], due...)
	last := nth(*ranked, n-1)
	kept := due[:0]
	for i := range due {
		if !last.before(&due[i]) {
			kept = append(kept, due[i])
		}
	}
	return kept
}

// nth is the update that has k before it. It orders the list in part, by Hoare's Find (Algorithm 65, CACM 4 (1961)
// 321): the part that k lies in is split about the middle one of three, until nothing is left of it.
func nth(list []update, k int) update {
	for lo, hi := 0, len(list)-1; lo < hi; {
		pivot := middle(&list[lo], &list[(lo+hi)/2], &list[hi])
		i, j := lo, hi
		for i <= j {
			for list[i].before(&pivot) {
				i++
			}
			for pivot.before(&list[j]) {
				j--
			}
			if i <= j {
				list[i], list[j] = list[j], list[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return pivot
		}
	}
	return list[k]
}

// middle is the one of three that is between the others.
func middle(a, b, c *update) update {
	if b.before(a) {
		a, b = b, a
	}
	switch {
	case c.before(a):
		return *a
	case c.before(b):
		return *c
	}
	return *b
}
