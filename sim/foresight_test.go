package sim

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// The highest sum of the rates, looked up instant by instant.
func TestForesightIsTheHighestSum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		w := &traces.Workload{}
		for range rnd.IntN(6) {
			var f traces.Flow
			for at := units.Time(rnd.IntN(20)); rnd.IntN(4) > 0; {
				s := traces.Segment{Start: at, End: at + 1 + units.Time(rnd.IntN(20)), Packets: rnd.Float64()}
				f.Segments = append(f.Segments, s)
				at = s.End + units.Time(rnd.IntN(3))
			}
			w.Flows = append(w.Flows, f)
		}
		var f foresight
		for range 20 {
			from := units.Time(rnd.IntN(80))
			to := from + 1 + units.Time(rnd.IntN(30))
			want := 0.0
			for at := from; at < to; at++ {
				sum := 0.0
				for i := range w.Flows {
					for _, s := range w.Flows[i].Segments {
						if s.Start <= at && at < s.End {
							sum += s.Rate()
						}
					}
				}
				want = max(want, sum)
			}
			if got := f.most(w, from, to); math.Abs(got-want) > 1e-2 {
				t.Fatalf("%+v, from %d to %d: %v, want %v", w.Flows, from, to, got, want)
			}
		}
	}
}
