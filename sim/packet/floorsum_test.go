package packet

import (
	"math/rand/v2"
	"testing"
)

// Sums by the list of residues are Euclid's, and those are the obvious ones, also where they wrap.
func TestFloorSums(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(34, seed))
		n, m := r.Uint64N(60), 1+r.Uint64N(1<<(1+r.IntN(40)))
		a := r.Uint64N(1 << (1 + r.IntN(45)))
		f := newFloorSums(n, a, m, []int{0, 1000}[r.IntN(2)])
		for range 20 {
			b := r.Uint64N(1 << (1 + r.IntN(62)))
			if r.IntN(3) == 0 { // one at which a term grows, or the one before
				b = b/m*m + m - (a*r.Uint64N(n+1))%m - r.Uint64N(2)
			}
			want := uint64(0)
			for i := range n {
				want += (a*i + b) / m
			}
			if got, euclid := f.sum(b), floorSum(n, a, b, m); got != want || euclid != want {
				t.Fatalf("seed %d: n %d, a %d, b %d, m %d: %d by residues and %d by Euclid, want %d",
					seed, n, a, b, m, got, euclid, want)
			}
		}
	}
}
