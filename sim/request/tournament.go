package request

import (
	"fmt"

	"github.com/smartinco/smartinco/units"
)

// tournament finds the earliest of many times: leaf i of leaves is that of contestant i, a node the lesser of the two
// below it. An entry is a time and, in the lowest shift bits, the contestant.
type tournament struct {
	tree   []int64
	leaves int
	shift  int
	which  int64 // the lowest shift bits
}

// newTournament is one of n contestants in a run that ends at a time.
func newTournament(n int, end int64) (t tournament, err error) {
	t.leaves, t.shift = 2, 1
	for t.leaves < n {
		t.leaves *= 2
		t.shift++
	}
	t.which = 1<<t.shift - 1
	if end > never>>t.shift {
		return t, fmt.Errorf("duration: %v with %d instances, want at most %v", units.Time(end), n,
			units.Time(never>>t.shift))
	}
	t.tree = make([]int64, 2*t.leaves)
	for i := range t.tree {
		t.tree[i] = never
	}
	return t, nil
}

// grow makes room for twice as many contestants.
func (t *tournament) grow() {
	old := *t
	t.leaves, t.shift, t.which = 2*old.leaves, old.shift+1, 2*old.which+1
	t.tree = make([]int64, 2*t.leaves)
	for i := range t.tree {
		t.tree[i] = never
	}
	for i, key := range old.tree[old.leaves:] {
		if key != never {
			t.set(i, key>>old.shift)
		}
	}
}

// set says when the contestant's event is.
func (t *tournament) set(i int, at int64) {
	tree := t.tree
	p := t.leaves + i
	shift := t.shift & 63
	key := min(at, never>>shift)<<shift | int64(i)
	tree[p] = key
	for p > 1 { // to the top in any case: where a node stays as it is cannot be foreseen, and a guess costs more
		key = min(key, tree[p^1])
		p >>= 1
		tree[p] = key
	}
}

// first is when the earliest event is, and whose; of several at once, the lowest contestant's. It is not before the
// run's end if there is none.
func (t *tournament) first() (at int64, i int) {
	key := t.tree[1]
	return key >> (t.shift & 63), int(key & t.which)
}
