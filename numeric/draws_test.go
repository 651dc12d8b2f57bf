package numeric

import (
	"math"
	"math/rand/v2"
	"testing"
)

// These bits are the same on every architecture: a record made on arm64 is the record made on amd64.
func TestDrawsAreTheSameOnEveryMachine(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 3))
	var sum uint64
	for range 1000 {
		for _, x := range []float64{Uniform(r), Normal(r), Exponential(r), Exp(Normal(r))} {
			sum = sum*31 + math.Float64bits(x)
		}
	}
	if want := uint64(0x6003f08056dadcb7); sum != want {
		t.Errorf("the draws sum to %#x, want %#x", sum, want)
	}
}

func TestAliasDrawsByWeight(t *testing.T) {
	weights := []int64{5, 0, 1, 94, 1000}
	a := NewAlias(weights)
	// Every cell of the table, with every value of the second draw: exact, not sampled.
	var got [5]uint64
	for i, keep := range a.keep {
		got[i] += keep
		got[a.other[i]] += a.total - keep
	}
	for i, w := range weights {
		if got[i] != uint64(w)*5 {
			t.Errorf("index %d: weight %d of %d, want %d", i, got[i], 5*a.total, 5*w)
		}
	}
}
