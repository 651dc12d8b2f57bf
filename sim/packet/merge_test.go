package packet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// Two lists in order, of which either may be much shorter or empty, become one.
func TestMergeInto(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(31, seed))
		var all, a, b []uint64
		share := r.IntN(11)
		for range r.IntN(60) {
			key := r.Uint64N(1 << 63)
			all = append(all, key)
			if r.IntN(10) < share {
				a = append(a, key)
			} else {
				b = append(b, key)
			}
		}
		slices.Sort(all)
		slices.Sort(a)
		slices.Sort(b)
		got := make([]uint64, len(all))
		if mergeInto(got, a, b); !slices.Equal(got, all) {
			t.Fatalf("seed %d: %d and %d\ngot  %d\nwant %d", seed, a, b, got, all)
		}
	}
}

// However many lanes a tree of 64 has and however many packets are asked for at a time, they come in the order in which
// the tree of any number gives them, and none is left out.
func TestTheTreeOf64(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(32, seed))
		var fast, slow merger
		for f := range 5 + r.IntN(60) {
			l := lane{whose: whose{f: flow.ID(f)}, next: r.Int64N(1000), period: 1 + r.Int64N(1<<r.IntN(20))}
			fast.lanes, slow.lanes = append(fast.lanes, l), append(slow.lanes, l)
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
					t.Fatalf("seed %d: %d keys before %d, want %d like the other tree's", seed, len(got), end, n)
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
