package signal

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// known is an instance with rates that were sampled at a second.
func known(state policy.State, rx, tx float64, second units.Time) policy.Instance {
	return policy.Instance{State: state,
		Rate: telemetry.Rate{Rx: rx, Tx: tx, Known: true, Sampled: second * units.Second}}
}

func TestUtilisation(t *testing.T) {
	starting := policy.Instance{State: policy.Starting, Rate: telemetry.Rate{Sampled: 9 * units.Second}}
	for _, c := range []struct {
		name               string
		of                 []policy.Instance
		held               float64
		offered, processed float64
		sampled            units.Time
	}{
		{"nothing is there", nil, 0, 0, 0, 0},
		{"nothing is there, and flows are held", nil, 50, .5, .5, 0},
		{"two", []policy.Instance{known(policy.Ready, 150, 90, 3), known(policy.Ready, 50, 50, 4)}, 0, 1, .7, 4},
		{"one starts", []policy.Instance{known(policy.Ready, 80, 80, 3), starting}, 0, .8, .8, 3},
		{"one drains", []policy.Instance{known(policy.Ready, 80, 80, 3), known(policy.Draining, 20, 10, 2)},
			0, 1, .9, 3},
		{"flows are held", []policy.Instance{known(policy.Ready, 80, 70, 3)}, 10, .9, .8, 3},
	} {
		s := &policy.Snapshot{Limit: 100, HeldLoad: c.held, Instances: c.of}
		offered, processed := Options{"offered"}.Utilisation(s), Options{"processed"}.Utilisation(s)
		if offered != c.offered || processed != c.processed || Sampled(s) != c.sampled*units.Second {
			t.Errorf("%s: %v and %v at %v, want %v and %v at %d s", c.name, offered, processed, Sampled(s), c.offered,
				c.processed, c.sampled)
		}
	}
}

func TestWhole(t *testing.T) {
	for x, want := range map[float64]int{
		-1: 0, 0: 0, .9: 0, 7.9: 7, 1e9: 1e9, 1e300: 1e9, math.Inf(1): 1e9, math.Inf(-1): 0,
	} {
		if got := Whole(x); got != want {
			t.Errorf("%v: %d, want %d", x, got, want)
		}
	}
	if got := Whole(math.NaN()); got != 0 {
		t.Errorf("NaN: %d, want 0", got)
	}
}

func TestRecommend(t *testing.T) {
	stale := []policy.Instance{{Rate: telemetry.Rate{Known: true, Stale: true}}}
	for _, c := range []struct {
		name    string
		s       policy.Snapshot
		by      int // of the rule
		want    int
		unasked bool
	}{
		{"more", policy.Snapshot{Current: 3, Wanted: 3, Measured: true}, 2, 5, false},
		{"fewer", policy.Snapshot{Current: 3, Wanted: 3, Measured: true}, -1, 2, false},
		{"of what was asked for", policy.Snapshot{Current: 2, Wanted: 3, Measured: true}, 0, 3, false},
		{"nothing measured", policy.Snapshot{Current: 2, Wanted: 3}, 2, 3, true},
		{"counters are missing", policy.Snapshot{Wanted: 3, Measured: true, Instances: stale}, -1, 3, false},
		{"counters are missing, and more", policy.Snapshot{Wanted: 3, Measured: true, Instances: stale}, 1, 4, false},
		{"nothing is there, and flows are held", policy.Snapshot{Held: 1, Measured: true}, 0, 1, false},
		{"the same, and nothing measured", policy.Snapshot{Held: 1}, 0, 1, true},
		{"the same, and the rule wants more", policy.Snapshot{Held: 1, Measured: true}, 3, 3, false},
		{"the last one goes, though flows are held", policy.Snapshot{Wanted: 1, Held: 1, Measured: true}, -1, 0, false},
	} {
		var steps policy.Steps
		asked := false
		got := Recommend(&c.s, &steps, func(s *policy.Snapshot) (int, string) {
			asked = true
			return s.Wanted + c.by, "the rule"
		})
		if got != c.want || asked == c.unasked || len(steps) != 1 || steps[0].Kind != policy.Recommended ||
			steps[0].Desired != got || steps[0].Reason == "" {
			t.Errorf("%s: %d, asked: %v, steps %v, want %d, %v", c.name, got, asked, steps, c.want, !c.unasked)
		}
	}
}
