package packet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// However many lanes there are, with whole periods or not, spread or in a burst, and however many packets are asked for
// at a time: they come in the order in which the tree gives them, and none is left out.
func TestSortedMergeIsTheTrees(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(32, seed))
		var fast, slow merger
		spread, odd := int64(1)<<r.IntN(12), r.IntN(2) == 0
		for f := range 5 + r.IntN(1<<r.IntN(11)) {
			l := lane{whose: whose{f: flow.ID(f)}, next: r.Int64N(spread), period: 1 + r.Int64N(1<<r.IntN(20))}
			fast.lanes, slow.lanes = append(fast.lanes, l), append(slow.lanes, l)
			if odd {
				den := 1 + r.Uint64N(9)
				o := oddLane{fraction: fraction{acc: r.Uint64N(den), num: r.Uint64N(den), den: den}}
				fast.odd, slow.odd = append(fast.odd, o), append(slow.odd, o)
			}
		}
		fast.play()
		slow.play()
		to := make([]uint64, chunk)
		for end := int64(0); end < 40_000; {
			end += r.Int64N(4000)
			for {
				most := 1 + r.IntN(chunk)
				got := fast.fill(end, most)
				n := slow.fillAny(to[:max(len(got), 1)], slow.end(end))
				if !slices.Equal(got, to[:n]) {
					t.Fatalf("seed %d: %d keys before %d, want %d like the tree's", seed, len(got), end, n)
				}
				if n == 0 {
					break
				}
			}
			if fast.next() != slow.next() {
				t.Fatalf("seed %d: the next packet after %d comes at %d, want %d", seed, end, fast.next(), slow.next())
			}
		}
	}
}

// Keys in any order are sorted, also where there are too many exchanges to make them one by one.
func TestInsert(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(31, seed))
		got := make([]uint64, r.IntN(300))
		for i := range got {
			got[i] = uint64(i)
		}
		for far := 1 + r.IntN(300); far > 0 && len(got) > 0; far -= 1 + r.IntN(50) {
			i := r.IntN(len(got))
			slices.Reverse(got[i:min(i+far, len(got))])
		}
		want := slices.Sorted(slices.Values(got))
		if insert(got); !slices.Equal(got, want) {
			t.Fatalf("seed %d: got %d", seed, got)
		}
	}
}
