package thesis

import (
	"math"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

func TestConformance(t *testing.T) {
	for _, o := range []Options{
		{Target: .5, Stabilization: 10 * units.Second},
		{Target: 1, Tolerance: .1, Metric: policy.Processed,
			Pace: policy.Pace{OutCooldown: 3 * units.Second, MostIn: 1}},
	} {
		scalingtest.Run(t, *policy.Table[policy.ScalerRow](Scalers).Find("target-utilization"), o)
	}
	for _, o := range []HottestOptions{
		{Stabilization: 10 * units.Second},
		{Above: 1e3, Below: 700, Metric: policy.Processed, Pace: policy.Pace{InCooldown: 3 * units.Second}},
	} {
		scalingtest.Run(t, *policy.Table[policy.ScalerRow](Scalers).Find("hottest-instance"), o)
	}
}

// loaded is what is known of so many instances that are sent so many packets a second together.
func loaded(current int, load, limit float64) *policy.Snapshot {
	return &policy.Snapshot{
		Current: current, Limit: limit, Measured: true,
		Instances: []policy.Instance{{Rate: telemetry.Rate{Rx: load}}},
	}
}

func TestTargetUtilization(t *testing.T) {
	for _, tc := range []struct {
		mpps, target, tolerance float64
		current, want           int
	}{
		{9.3, .5, 0, 3, 2}, {14.8, .5, 0, 3, 3}, {18.6, .5, 0, 3, 4}, {42, .5, 0, 3, 9}, // published
		{0, .5, 0, 3, 0}, {15, .5, 0, 3, 3}, {15.000001, .5, 0, 3, 4}, // on the boundary, and just over it
		{16, .5, .1, 3, 3}, {17, .5, .1, 3, 4}, {13.6, .5, .1, 3, 3}, // tolerance
		{16.5, .5, .1, 3, 3}, {16.500001, .5, .1, 3, 4}, {13.5, .5, .1, 3, 3}, {4.5, .5, .1, 1, 1}, // exactly at it
		{9.99, .5, .1, 3, 2}, {13.499999, .5, .5, 1, 3}, // beyond it
		{5, .5, .1, 0, 1}, // nothing runs
		{1e300, .5, 0, 3, 1e9},
	} {
		p := targetUtilization{Options: Options{Target: tc.target, Tolerance: tc.tolerance}}
		if got, why := p.recommend(loaded(tc.current, tc.mpps*1e6, 10e6)); got != tc.want {
			t.Errorf("%v Mpps at target %v, tolerance %v, %d instances: %d (%s), want %d",
				tc.mpps, tc.target, tc.tolerance, tc.current, got, why, tc.want)
		}
	}
}

// n flows that each bring the target exactly want n instances, however the sum came about, and stay within a tolerance
// at exactly its edge. All is computed at run time: of constants the compiler makes exact sums.
func TestLoadsThatEqualTheTarget(t *testing.T) {
	missed := 0
	for _, limit := range []float64{1e6, 10e6, 25e6, 1e7 / 3, 4.65e6 / 7, 148.8e6 / 11} {
		for _, target := range []float64{.1, .2, .3, .35, .465, .5, .6, .7, .8, .9, 1} {
			p := targetUtilization{Options: Options{Target: target}}
			edge := targetUtilization{Options: Options{Target: target, Tolerance: .1}}
			load := 0.0
			for n := 1; n <= 60; n++ {
				load += float64(limit * target)
				if int(math.Ceil(load/float64(limit*target))) != n {
					missed++
				}
				if got, why := p.recommend(loaded(1, load, limit)); got != n {
					t.Errorf("%d flows of %v times %v pps: %d instances (%s)", n, target, limit, got, why)
				}
				for _, off := range []float64{1.1, .9} {
					if got, why := edge.recommend(loaded(n, float64(load*off), limit)); got != n {
						t.Errorf("%v times the load of %d flows of %v times %v pps: %d instances (%s)",
							off, n, target, limit, got, why)
					}
				}
			}
		}
	}
	if missed < 100 {
		t.Errorf("a bare ceil misses %d of these numbers: the slack is not tried", missed)
	}
}
