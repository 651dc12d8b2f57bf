package thesis

import (
	"math/rand/v2"
	"testing"
)

// A queue gives back what it was given, in that order, however it grows and shrinks, in no more memory than it needed
// at its longest.
func TestQueue(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var q queue[int]
	in, out, longest := 0, 0, 0
	for range 200 {
		for range rnd.IntN(1000) {
			q.push(in)
			in++
		}
		longest = max(longest, in-out)
		for n := rnd.IntN(1000); n > 0 && q.n > 0; n-- {
			if got := *q.front(); got != out {
				t.Fatalf("%d comes out, want %d", got, out)
			}
			q.pop()
			out++
		}
		if q.n != in-out {
			t.Fatalf("the length is %d, want %d", q.n, in-out)
		}
	}
	if most := longest/queueBlock + 2; len(q.blocks) > most {
		t.Errorf("%d blocks for at most %d at a time, want at most %d", len(q.blocks), longest, most)
	}
}
