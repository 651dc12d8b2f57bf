package plain

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

func TestConformanceOfShenango(t *testing.T) {
	for _, edit := range []func(*ShenangoOptions){
		nil, func(o *ShenangoOptions) { o.Wait, o.Low, o.Readings = units.Second, 3, 1 },
		func(o *ShenangoOptions) { o.Wait, o.Low, o.Readings = 1, 1e6, 2 },
	} {
		scalingtest.Run(t, *row("shenango"), defaults(edit))
	}
}

// queued is what is known of instances that process 10 Mpps each and have these queues in their newest reports, a
// second apart. A queue of 50 waits 5 us.
func queued(second int, queues ...float64) *policy.Snapshot {
	s := loaded(second, len(queues), 0)
	for i, q := range queues {
		x := &s.Instances[i]
		x.Rate.Tx = 10e6
		x.Usage = telemetry.Usage{Queue: q, Known: true, Sampled: s.Now}
	}
	return s
}

// starting adds an instance that starts, of which nothing is known.
func starting(s *policy.Snapshot) {
	s.Current, s.Wanted = s.Current+1, s.Wanted+1
	s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(s.Current), Ready: units.Never})
}

func TestShenango(t *testing.T) {
	idling := func(o *ShenangoOptions) { o.Readings = 2 }
	rate := func(tx float64) func(*policy.Snapshot) {
		return func(s *policy.Snapshot) { s.Instances[0].Rate.Tx = tx }
	}
	stale := func(s *policy.Snapshot) { s.Instances[0].Usage.Stale = true }
	old := func(s *policy.Snapshot) {
		for i := range s.Instances {
			s.Instances[i].Usage.Sampled = 0
		}
	}
	again := func(s *policy.Snapshot) { // reports of a second ago
		for i := range s.Instances {
			s.Instances[i].Usage.Sampled = units.Second
		}
	}
	for _, c := range []struct {
		name string
		edit func(*ShenangoOptions)
		s    []*policy.Snapshot
		want []int
	}{
		{"a queue that waits longer", nil, []*policy.Snapshot{queued(1, 0, 51, 3)}, []int{4}},
		{"as long", nil, []*policy.Snapshot{queued(1, 0, 50, 3)}, []int{3}},
		{"a shorter queue of a slower instance", nil, []*policy.Snapshot{edited(queued(1, 30, 49), rate(5e6))},
			[]int{3}},
		{"one that processes nothing", nil, []*policy.Snapshot{edited(queued(1, 1, 49), rate(0))}, []int{3}},
		{"one that has nothing to process", nil, []*policy.Snapshot{edited(queued(1, 0, 49), rate(0))}, []int{2}},
		{"a wait of one's own", func(o *ShenangoOptions) { o.Wait = 10 * units.Microsecond },
			[]*policy.Snapshot{queued(1, 100), queued(2, 101)}, []int{1, 2}},
		{"once for each start", nil, []*policy.Snapshot{edited(queued(1, 900), starting)}, []int{2}},
		{"once for each report", nil, []*policy.Snapshot{queued(1, 900), edited(queued(2, 900, 900), again)},
			[]int{2, 2}},
		{"no report", nil, []*policy.Snapshot{edited(queued(1, 900), stale)}, []int{1}},
		{"an old report", nil, []*policy.Snapshot{queued(0, 0), edited(queued(1, 900), old)}, []int{1, 1}},
		{"the second report without a queue", idling, []*policy.Snapshot{queued(1, 0, 0), queued(2, 0, 0), queued(3, 0),
			queued(4, 0)}, []int{2, 1, 1, 0}},
		{"in a row", idling, []*policy.Snapshot{queued(1, 0, 0), queued(2, 0, 1), queued(3, 0, 0), queued(4, 0, 0)},
			[]int{2, 2, 2, 1}},
		{"all of them", idling, []*policy.Snapshot{queued(1, 0, 0), edited(queued(2, 0, 0), stale), queued(3, 0, 0)},
			[]int{2, 2, 2}},
		{"but for a few packets", func(o *ShenangoOptions) { o.Readings, o.Low = 1, 3 },
			[]*policy.Snapshot{queued(1, 0, 3)}, []int{1}},
		{"never", func(o *ShenangoOptions) { o.Readings = 0 }, []*policy.Snapshot{queued(1, 0, 0), queued(2, 0, 0)},
			[]int{2, 2}},
	} {
		p, _ := newShenango(defaults(c.edit), policy.Env{Counts: make([]uint64, 2)})
		for i, s := range c.s {
			var steps policy.Steps
			if got := p.Evaluate(s, &steps).Desired; got != c.want[i] {
				t.Errorf("%s, evaluation %d: %d, want %d (%v)", c.name, i, got, c.want[i], steps)
			}
		}
	}
}

func TestShenangoCounts(t *testing.T) {
	counts := make([]uint64, 2)
	p, _ := newShenango(defaults[ShenangoOptions](nil), policy.Env{Counts: counts})
	for i, s := range []*policy.Snapshot{queued(1, 900), queued(2, 0), queued(3, 0), queued(4, 20)} {
		p.Evaluate(s, new(policy.Steps))
		if i == 3 && !slices.Equal(counts, []uint64{1, 2}) {
			t.Errorf("counts %v, want [1 2]", counts)
		}
	}
}
