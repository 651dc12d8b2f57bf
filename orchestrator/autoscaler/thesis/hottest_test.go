package thesis

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// carrying are ready, measured instances with these loads in Mpps, of which three quarters come back.
func carrying(loads ...float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: 9 * units.Second, Current: len(loads), Wanted: len(loads), Max: 8, Limit: 10e6,
		Measured: true, LastScaleOut: units.Never, LastScaling: units.Never}
	for k, l := range loads {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: l * 1e6, Tx: .75 * l * 1e6, Known: true, Sampled: s.Now}})
	}
	return s
}

func TestHottestInstance(t *testing.T) {
	below := HottestOptions{Below: 6e6}
	edited := func(s *policy.Snapshot, edit func(*policy.Snapshot)) *policy.Snapshot {
		edit(s)
		return s
	}
	joins := func(state policy.State, ready units.Time, rate telemetry.Rate) func(*policy.Snapshot) {
		return func(s *policy.Snapshot) {
			s.Instances = append(s.Instances, policy.Instance{ID: 9, State: state, Ready: ready, Rate: rate})
			if state != policy.Draining {
				s.Current++
				s.Wanted++
			}
		}
	}
	for _, tc := range []struct {
		name string
		o    HottestOptions
		s    *policy.Snapshot
		want int
	}{
		{"none is hot", HottestOptions{}, carrying(7, 8, 9), 3},
		{"one is", HottestOptions{}, carrying(0, 11, 0), 4},
		{"all are: still one", HottestOptions{}, carrying(50, 50, 50), 4},
		{"exactly at the limit", HottestOptions{}, carrying(10, 10), 2},
		{"a limit of its own", HottestOptions{Above: 7e6}, carrying(7, 7.1), 3},
		{"by what came back", HottestOptions{Metric: policy.Processed}, carrying(13, 13), 2},
		{"by what came back, and hot", HottestOptions{Metric: policy.Processed}, carrying(14, 0), 3},
		{"nothing there", HottestOptions{}, carrying(), 0},

		{"one starts", HottestOptions{},
			edited(carrying(50), joins(policy.Starting, units.Never, telemetry.Rate{})), 2},
		{"counted before the new one was ready", HottestOptions{},
			edited(carrying(50), joins(policy.Ready, 9*units.Second, telemetry.Rate{})), 2},
		{"counted after it", HottestOptions{},
			edited(carrying(50), joins(policy.Ready, 8999*units.Millisecond, telemetry.Rate{})), 3},
		{"counted before an instance was taken back", HottestOptions{},
			edited(carrying(50, 50), func(s *policy.Snapshot) { s.LastScaleOut = s.Now }), 2},
		{"an old count of one, a new one of another", HottestOptions{}, edited(carrying(50, 20),
			func(s *policy.Snapshot) {
				s.LastScaleOut, s.Instances[0].Rate.Sampled = 8*units.Second, 8*units.Second
			}), 3},
		{"a draining one is not hot", HottestOptions{},
			edited(carrying(5), joins(policy.Draining, 0, telemetry.Rate{Rx: 50e6, Sampled: 9 * units.Second})), 1},
		{"a failed one is replaced", below, edited(carrying(1, 1), func(s *policy.Snapshot) { s.Wanted = 3 }), 3},
		{"a failed one is replaced, measured or not", below,
			edited(carrying(1, 1), func(s *policy.Snapshot) { s.Wanted, s.Measured = 3, false }), 3},

		{"flows are held", below, edited(carrying(1, 1), func(s *policy.Snapshot) { s.Held = 7 }), 3},
		{"flows are held, and one starts", below, edited(edited(carrying(1), func(s *policy.Snapshot) { s.Held = 7 }),
			joins(policy.Starting, units.Never, telemetry.Rate{})), 2},
		{"flows are held, none is there", below, edited(carrying(), func(s *policy.Snapshot) { s.Held = 7 }), 1},

		{"never fewer by default", HottestOptions{}, carrying(0, 0, 0), 3},
		{"the others can carry it", below, carrying(6, 5, 1), 2},
		{"the others cannot", below, carrying(6, 5, 1.1), 3},
		{"however little it is, one at a time", below, carrying(0, 0, 0, 0), 3},
		{"one is hot", below, carrying(0, 11, 0, 0), 5},
		{"what drains must go somewhere", below,
			edited(carrying(3, 3), joins(policy.Draining, 0, telemetry.Rate{Rx: 1e6})), 2},
		{"the last one idles", below, carrying(0), 0},
		{"the last one works", below, carrying(1), 1},
		{"counters are missing", below, edited(carrying(0, 0), func(s *policy.Snapshot) {
			s.Instances[0].Rate.Stale = true
		}), 2},
	} {
		p, _ := newHottestInstance(tc.o, policy.Env{})
		var steps policy.Steps
		p.Evaluate(tc.s, &steps)
		if got := steps[0]; got.Desired != tc.want {
			t.Errorf("%s: %d (%s), want %d", tc.name, got.Desired, got.Reason, tc.want)
		}
	}
}

// Figure 10, three to eight instances under Round-Robin: 100 Gbit/s of 64 B frames are 148.8 Mpps and need all eight.
// Those of 512 B are 23.5 Mpps and those of 1500 B 8.2 Mpps, which three carry.
func TestFigure10UnderHottestInstance(t *testing.T) {
	for mpps, want := range map[float64]int{148.8: 8, 23.5: 3, 8.2: 3} {
		p, _ := newHottestInstance(HottestOptions{Above: 10e6}, policy.Env{})
		n := 3
		for range 10 {
			loads := make([]float64, n)
			for k := range loads {
				loads[k] = mpps / float64(n)
			}
			s := carrying(loads...)
			s.Min = 3
			n = p.Evaluate(s, new(policy.Steps)).Desired
		}
		if n != want {
			t.Errorf("%v Mpps: %d instances, want %d", mpps, n, want)
		}
	}
}
