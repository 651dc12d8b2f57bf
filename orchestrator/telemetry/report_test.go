package telemetry

import (
	"testing"

	"github.com/smartinco/smartinco/units"
)

func TestReports(t *testing.T) {
	const s = units.Second
	core := func(seconds float64) int64 { return int64(units.FromSeconds(seconds)) }
	type reading struct {
		at      units.Time
		reports []Report
	}
	one := func(at units.Time, r Report) reading {
		r.Instance = 1
		return reading{at, []Report{r}}
	}
	for _, tc := range []struct {
		name     string
		readings []reading
		want     Usage // of instance 1, after the last reading
	}{
		{"never read", nil, Usage{}},
		{"the first begins a period", []reading{one(s, Report{CPU: core(0.9), Memory: 7})},
			Usage{Memory: 7, Sampled: s}},
		{"the second ends it", []reading{one(s, Report{CPU: core(0.9)}),
			one(3*s, Report{CPU: core(1.4), Memory: 8, Queue: 9, Delay: Delays{core(1), core(2), core(3), core(4)}})},
			Usage{0.25, 8, 9, [4]float64{1, 2, 3, 4}, true, false, 3 * s}},
		{"out of order is ignored", []reading{one(s, Report{}), one(3*s, Report{CPU: core(1)}),
			one(2*s, Report{CPU: core(5), Memory: 1})},
			Usage{CPU: 0.5, Known: true, Sampled: 3 * s}},
		{"a row twice counts once",
			[]reading{one(s, Report{}), {2 * s, []Report{{Instance: 1, CPU: core(1)}, {Instance: 1, CPU: core(9)}}}},
			Usage{CPU: 1, Known: true, Sampled: 2 * s}},
		{"missing: kept and stale", []reading{one(s, Report{}), one(2*s, Report{CPU: core(0.5)}), {3 * s, nil}},
			Usage{CPU: 0.5, Known: true, Stale: true, Sampled: 2 * s}},
		{"missing, then back: over the gap",
			[]reading{one(s, Report{}), one(2*s, Report{}), {3 * s, nil}, one(4*s, Report{CPU: core(1)})},
			Usage{CPU: 0.5, Known: true, Sampled: 4 * s}},
		{"a core that counts from zero again",
			[]reading{one(s, Report{CPU: core(5)}), one(2*s, Report{CPU: core(0.5)})},
			Usage{CPU: 0.5, Known: true, Sampled: 2 * s}},
		{"others are ignored", []reading{{s, []Report{{Instance: 7}, {Instance: -3}, {Instance: 0}}}},
			Usage{Stale: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Collector
			c.Track(1)
			for _, r := range tc.readings {
				c.Report(r.at, r.reports)
			}
			var got Usage
			if c.UsageTo(1, &got); got != tc.want {
				t.Errorf("usage = %+v, want %+v", got, tc.want)
			}
			if c.UsageTo(2, &got); got != (Usage{}) {
				t.Errorf("an instance that is not tracked has %+v", got)
			}
		})
	}
}
