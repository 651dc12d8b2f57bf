package traces

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/units"
)

// check checks what every workload promises.
func check(t testing.TB, w *Workload) {
	t.Helper()
	if len(w.Constant) != 0 && len(w.Constant) != len(w.Flows) {
		t.Fatalf("%d flows, but %d periods", len(w.Flows), len(w.Constant))
	}
	before := units.Time(math.MinInt64)
	for i, f := range w.Flows {
		if len(f.Segments) == 0 {
			t.Fatalf("flow %d has no segment", i)
		}
		if f.Segments[0].Start < before || f.Segments[0].Start < 0 {
			t.Fatalf("flow %d starts at %v, after one at %v", i, f.Segments[0].Start, before)
		}
		before = f.Segments[0].Start
		end := f.Segments[0].Start
		for j, s := range f.Segments {
			if s.Start < end || s.End <= s.Start || !(s.Packets > 0) || !(s.Bytes >= 0) ||
				math.IsInf(s.Packets+s.Bytes, 0) {
				t.Fatalf("flow %d: segment %d after %v is %+v", i, j, end, s)
			}
			end = s.End
		}
	}
	for i := 1; i < len(w.Skipped); i++ {
		if w.Skipped[i-1].Reason >= w.Skipped[i].Reason {
			t.Fatalf("skipped is not in order: %v", w.Skipped)
		}
	}
}
