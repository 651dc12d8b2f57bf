package traces

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// phases returns how much later than the original each copy is. It checks that all flows of a copy are as much later.
func phases(t *testing.T, copies int, seed uint64) (late []units.Time) {
	t.Helper()
	w := &Workload{Flows: []Flow{
		{SyntheticTuple(0), []Segment{{0, 10, 1, 64}, {400, 1000, 3, 192}}},
		{SyntheticTuple(1), []Segment{{500, 700, 2, 128}}},
	}}
	original := slices.Clone(w.Flows)
	w.copies(Options{Copies: copies, Seed: seed}, nil)
	for k := range copies {
		phase := w.Flows[2*k].Segments[0].Start
		for i, f := range w.Flows[2*k : 2*k+2] {
			if f.Tuple != ShiftTuple(original[i].Tuple, k) {
				t.Fatalf("copy %d: flow %d is %v", k, i, f.Tuple)
			}
			for j, s := range f.Segments {
				want := original[i].Segments[j]
				want.Start, want.End = want.Start+phase, want.End+phase
				if s != want {
					t.Fatalf("copy %d: flow %d: segment %+v, want %+v", k, i, s, want)
				}
			}
		}
		late = append(late, phase)
	}
	return late
}

// The original stays where it is. Every copy begins at a phase of its own, uniform over the length of the original,
// that depends on the seed and its number alone.
func TestCopiesBeginAtPhasesOfTheSeed(t *testing.T) {
	const n = 4000
	all := phases(t, n, 7)
	if few := phases(t, 3, 7); all[0] != 0 || !slices.Equal(few, all[:3]) {
		t.Errorf("3 copies begin at %v, the first of %d at %v", few, n, all[:3])
	}
	if other := phases(t, 3, 8); other[0] != 0 || other[1] == all[1] && other[2] == all[2] {
		t.Errorf("another seed has the same phases, %v", other)
	}
	quarters := [4]int{}
	for _, p := range all[1:] {
		if p < 0 || p >= 1000 {
			t.Fatalf("a copy begins at %v, want 0 to the length of the original", p)
		}
		quarters[p*4/1000]++
	}
	for q, got := range quarters { // five standard deviations
		if got < n/4-140 || got > n/4+140 {
			t.Errorf("%d of %d copies begin in quarter %d", got, n, q+1)
		}
	}
}

// Copies do not begin together.
func TestCopiesDoNotBeginTogether(t *testing.T) {
	late := phases(t, 50, 1)
	slices.Sort(late)
	if n := len(slices.Compact(late)); n < 40 {
		t.Errorf("50 copies begin at %d instants of 1000", n)
	}
}
