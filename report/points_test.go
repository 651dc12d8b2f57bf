package report

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/smartinco/smartinco/results"
)

// A long run is drawn by means of windows. A state is that at the end.
func TestPointsOfALongRun(t *testing.T) {
	var ws []results.Window
	for i := range 2500 {
		ws = append(ws, results.Window{T: float64(i + 1), Offered: float64(i) * 1e6, Instances: int32(i)})
	}
	cols, mean := points(ws)
	if mean != 3 || len(cols[0]) != 834 {
		t.Fatalf("%d points of %d windows each: want 834 of 3, the last of 1", len(cols[0]), mean)
	}
	for i, want := range map[int][3]number{0: {3, 1, 2}, 1: {6, 4, 5}, 833: {2500, 2499, 2499}} {
		if got := [3]number{cols[0][i], cols[1][i], cols[6][i]}; got != want {
			t.Errorf("point %d: end, offered and instances %v, want %v", i, got, want)
		}
	}
}

func TestNumbersThatAreNone(t *testing.T) {
	b, err := json.Marshal([]number{1.5, digits(math.NaN(), 5), number(math.Inf(1)), digits(123456789, 5)})
	if want := "[1.5,null,null,123460000]"; err != nil || string(b) != want {
		t.Errorf("%s, %v: want %s", b, err, want)
	}
}

func TestValuesAsText(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 37.874701: "37.8747", 25424.0044: "25424", 9009895833: "9009895833",
		0.000123456789: "0.000123", 100: "100", -2.5: "-2.5"} {
		if got := shown(&v); got != want {
			t.Errorf("%v: %s, want %s", v, got, want)
		}
	}
	if shown(nil) != "–" {
		t.Error("a value that there is not")
	}
}

// The keys that tell runs apart are those that all have: the options of a policy come and go with it.
func TestKeysInWhichRunsDiffer(t *testing.T) {
	of := func(kv ...string) *run {
		r := &run{settings: map[string]string{}}
		for i := 0; i < len(kv); i += 2 {
			r.settings[kv[i]] = kv[i+1]
		}
		return r
	}
	runs := []*run{
		of("scheduler.policy", "maglev", "scheduler.table", "4093", "engine", "fluid", "seed", "1"),
		of("scheduler.policy", "random", "engine", "fluid", "seed", "2"),
	}
	keys := differing(runs)
	if len(keys) != 2 || keys[0] != "scheduler.policy" || keys[1] != "seed" || runs[1].Differ[0] != "random" {
		t.Errorf("keys %v, of the second %v", keys, runs[1].Differ)
	}
}
