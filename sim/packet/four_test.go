package packet

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
)

// Up to four lanes are merged as by the tree, whatever is asked for at a time, and leave the tree as it would be.
func TestFour(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(33, seed))
		a := merger{base: 5000}
		for f := range 1 + r.IntN(4) {
			a.lanes = append(a.lanes, lane{whose: whose{f: flow.ID(f)}, next: 5000 + r.Int64N(1000),
				period: 1 + r.Int64N(1<<(1+r.IntN(14)))})
		}
		b := merger{base: 5000, lanes: slices.Clone(a.lanes)}
		a.play()
		b.play()
		for h := int64(5000); h < 40_000; h += r.Int64N(1 << r.IntN(14)) {
			most := 1 + r.IntN(chunk)
			got, want := a.keys[:a.fillFour(a.keys[:most], a.end(h))], b.keys[:b.fillAny(b.keys[:most], b.end(h))]
			if !slices.Equal(got, want) || a.next() != b.next() {
				t.Fatalf("seed %d: before %d, at most %d of %+v:\ngot  %d, then %d\nwant %d, then %d", seed, h, most,
					a.lanes, got, a.next(), want, b.next())
			}
		}
	}
}
