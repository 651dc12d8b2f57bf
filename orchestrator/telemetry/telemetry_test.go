package telemetry

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

func TestRates(t *testing.T) {
	type reading struct {
		at       units.Time
		counters []Counter
	}
	at := func(s float64, c ...Counter) reading { return reading{units.FromSeconds(s), c} }
	for _, tc := range []struct {
		name     string
		readings []reading
		want     Rate // of instance 1, after the last reading
		resets   int
	}{
		{"never read", nil, Rate{}, 0},
		{"first window counts from zero", []reading{at(1, Counter{1, 100, 90, 6400})}, Rate{100, 90, 51200, true, false, units.Second}, 0},
		{"difference over the window", []reading{at(1, Counter{1, 100, 90, 6400}), at(3, Counter{1, 300, 200, 6400})}, Rate{100, 55, 0, true, false, 3 * units.Second}, 0},
		{"out of order is ignored", []reading{at(2, Counter{1, 100, 0, 0}), at(1, Counter{1, 900, 0, 0})}, Rate{50, 0, 0, true, false, 2 * units.Second}, 0},
		{"twice is ignored", []reading{at(2, Counter{1, 100, 0, 0}), at(2, Counter{1, 900, 0, 0})}, Rate{50, 0, 0, true, false, 2 * units.Second}, 0},
		{"a row twice counts once", []reading{at(1, Counter{1, 100, 0, 0}, Counter{1, 900, 0, 0})}, Rate{100, 0, 0, true, false, units.Second}, 0},
		{"missing: kept and stale", []reading{at(1, Counter{1, 100, 0, 0}), at(2)}, Rate{100, 0, 0, true, true, units.Second}, 0},
		{"missing, then back: over the gap", []reading{at(1, Counter{1, 100, 0, 0}), at(2), at(3, Counter{1, 500, 0, 0})}, Rate{200, 0, 0, true, false, 3 * units.Second}, 0},
		{"missing from the first: unknown and stale", []reading{at(1)}, Rate{Stale: true}, 0},
		{"reset counts from zero", []reading{at(1, Counter{1, 100, 90, 0}), at(2, Counter{1, 30, 20, 0})}, Rate{30, 20, 0, true, false, 2 * units.Second}, 1},
		{"one counter reset resets all", []reading{at(1, Counter{1, 100, 90, 0}), at(2, Counter{1, 130, 20, 0})}, Rate{130, 20, 0, true, false, 2 * units.Second}, 1},
		{"others are ignored", []reading{at(1, Counter{7, 1, 1, 1}, Counter{-3, 1, 1, 1}, Counter{0, 1, 1, 1})}, Rate{Stale: true}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Collector
			c.Track(1)
			for _, r := range tc.readings {
				c.Read(r.at, r.counters)
			}
			if got := c.Rate(1); got != tc.want {
				t.Errorf("rate = %+v, want %+v", got, tc.want)
			}
			if got := len(c.Resets()); got != tc.resets {
				t.Errorf("%d resets, want %d", got, tc.resets)
			}
		})
	}
}

func TestJoinsBetweenReadings(t *testing.T) {
	var c Collector
	c.Track(1)
	c.Read(units.Second, []Counter{{1, 10, 10, 10}})
	c.Track(2)
	c.Read(2*units.Second, []Counter{{1, 10, 10, 10}, {2, 50, 0, 0}})
	if got := c.Rate(2).Rx; got != 50 {
		t.Errorf("a new instance's first window starts at the reading before it: %v pps, want 50", got)
	}
	c.Forget(2)
	c.Forget(flow.Instance(99))
	if got := c.Rate(2); got != (Rate{}) {
		t.Errorf("forgotten instance has %+v", got)
	}
}
