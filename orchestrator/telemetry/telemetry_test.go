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
		{"first window counts from zero", []reading{at(1, Counter{1, 100, 90, 6400})},
			Rate{100, 90, 51200, true, false, units.Second}, 0},
		{"difference over the window", []reading{at(1, Counter{1, 100, 90, 6400}), at(3, Counter{1, 300, 200, 6400})},
			Rate{100, 55, 0, true, false, 3 * units.Second}, 0},
		{"out of order is ignored", []reading{at(2, Counter{1, 100, 0, 0}), at(1, Counter{1, 900, 0, 0})},
			Rate{50, 0, 0, true, false, 2 * units.Second}, 0},
		{"twice is ignored", []reading{at(2, Counter{1, 100, 0, 0}), at(2, Counter{1, 900, 0, 0})},
			Rate{50, 0, 0, true, false, 2 * units.Second}, 0},
		{"a row twice counts once", []reading{at(1, Counter{1, 100, 0, 0}, Counter{1, 900, 0, 0})},
			Rate{100, 0, 0, true, false, units.Second}, 0},
		{"missing: kept and stale", []reading{at(1, Counter{1, 100, 0, 0}), at(2)},
			Rate{100, 0, 0, true, true, units.Second}, 0},
		{"missing, then back: over the gap",
			[]reading{at(1, Counter{1, 100, 0, 0}), at(2), at(3, Counter{1, 500, 0, 0})},
			Rate{200, 0, 0, true, false, 3 * units.Second}, 0},
		{"missing from the first: unknown and stale", []reading{at(1)}, Rate{Stale: true}, 0},
		{"reset counts from zero", []reading{at(1, Counter{1, 100, 90, 0}), at(2, Counter{1, 30, 20, 0})},
			Rate{30, 20, 0, true, false, 2 * units.Second}, 1},
		{"one counter reset resets all", []reading{at(1, Counter{1, 100, 90, 0}), at(2, Counter{1, 130, 20, 0})},
			Rate{130, 20, 0, true, false, 2 * units.Second}, 1},
		{"others are ignored", []reading{at(1, Counter{7, 1, 1, 1}, Counter{-3, 1, 1, 1}, Counter{0, 1, 1, 1})},
			Rate{Stale: true}, 0},
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

// An instance is created at 0, takes packets from 4.5 s on and is read each second. Its first rate is over the window,
// as that of its neighbours is; over the time that it took to start, it would be a fifth of that.
func TestTheFirstRateIsNotOverTheStart(t *testing.T) {
	for _, tc := range []struct {
		name  string
		lacks units.Time // the reading of that second, although the instance was ready
		want  float64    // packets a second, of 900 packets by the first reading that has it
	}{
		{"in the first reading after it", 0, 900},
		{"missing from that one: since it was ready", 5, 600},
	} {
		var c Collector
		c.Track(1)
		c.Track(2)
		for s := units.Time(1); s <= 6; s++ {
			if s == 5 {
				c.Ready(2, 4500*units.Millisecond)
			}
			counters := []Counter{{Instance: 1, RxPackets: uint64(s) * 100}}
			if s >= 5 && s != tc.lacks {
				counters = append(counters, Counter{Instance: 2, RxPackets: 900})
			}
			c.Read(s*units.Second, counters)
			if r := c.Rate(2); r.Known {
				if r.Rx != tc.want || c.Rate(1).Rx != 100 {
					t.Errorf("%s: %v and %v pps, want %v and 100", tc.name, r.Rx, c.Rate(1).Rx, tc.want)
				}
				break
			}
		}
	}
	// Counters later than a window: when the instance is ready, the readings of 4 s and 5 s are still on their way.
	var c Collector
	c.Track(1)
	for s := units.Time(1); s <= 3; s++ {
		c.Read(s*units.Second, nil)
	}
	c.Ready(1, 5100*units.Millisecond)
	c.Read(4*units.Second, nil)
	c.Read(5*units.Second, nil)
	c.Read(6*units.Second, []Counter{{Instance: 1, RxPackets: 900}})
	if got := c.Rate(1).Rx; got != 900 {
		t.Errorf("late counters: %v pps, want 900", got)
	}
}
