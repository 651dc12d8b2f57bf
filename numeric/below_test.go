package numeric

import (
	"math/rand/v2"
	"testing"
)

// Below draws what the generator's IntN does, from the same words: for all small bounds, and for those beyond 2^62,
// where products are drawn again most.
func TestBelowIsIntN(t *testing.T) {
	bounds := []int{1<<31 - 1, 1 << 31, 3 << 30, 1<<62 - 1, 1 << 62, 1<<62 + 1, 3 << 61, 1<<63 - 1}
	for n := 1; n < 300; n++ {
		bounds = append(bounds, n)
	}
	one, other := rand.NewPCG(3, 4), rand.NewPCG(3, 4)
	plain := rand.New(other)
	for _, n := range bounds {
		for range 300 {
			if got, want := Below(one, n), plain.IntN(n); got != want {
				t.Fatalf("%d below %d, want %d", got, n, want)
			}
		}
		if *one != *other {
			t.Fatalf("below %d: another number of words", n)
		}
	}
}
