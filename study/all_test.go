package study

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/scenarios"
)

// What Progress is told never falls, moves within runs, and ends at their number; so it does when all were finished
// before.
func TestProgress(t *testing.T) {
	st, err := scenarios.Load("fig7", []string{"duration=5s", "sweep.seeds=1"})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "fig7")
	for _, again := range []bool{false, true} {
		var told []float64
		out, err := All(context.Background(), st, dir,
			AllOptions{Version: "test", Jobs: 3, Progress: func(done float64) { told = append(told, done) }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSorted(told) || len(told) == 0 || told[len(told)-1] != float64(len(st.Runs)) {
			t.Errorf("%d runs: progress was %v", len(st.Runs), told)
		}
		want := Outcome{Runs: 8, Done: 8}
		if again {
			want = Outcome{Runs: 8, Skipped: 8}
		}
		if out != want || !again && len(told) <= len(st.Runs) {
			t.Errorf("outcome %+v with %d reports, want %+v", out, len(told), want)
		}
	}
}
