package inreal

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

func options(edit func(*Options)) (o Options) {
	strictyaml.Defaults(&o)
	if edit != nil {
		edit(&o)
	}
	return o
}

func TestConformance(t *testing.T) {
	for _, edit := range []func(*Options){
		nil, func(o *Options) { o.Readings = 1 }, func(o *Options) { o.Gap, o.Readings = 100*units.Nanosecond, 2 },
	} {
		scalingtest.Run(t, Scalers[0], options(edit))
	}
}

// gaps is what is known of ready instances whose packets come at these gaps, in nanoseconds, of a limit of 10 Mpps.
func gaps(second int, of ...float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: units.Time(second) * units.Second, Current: len(of), Wanted: len(of), Max: 20,
		Limit: 10e6, Measured: true, LastScaling: units.Never, LastScaleOut: units.Never}
	for k, ns := range of {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: 1e9 / ns, Known: true, Sampled: s.Now}})
	}
	return s
}

func edited(s *policy.Snapshot, edit func(*policy.Snapshot)) *policy.Snapshot {
	edit(s)
	return s
}

// By hand, as the source gives no numbers: a gap of 125 ns is that of 8 Mpps.
func TestInReal(t *testing.T) {
	starts := func(s *policy.Snapshot) {
		s.Instances = append(s.Instances, policy.Instance{ID: 9, State: policy.Starting})
		s.Current++
		s.Wanted++
	}
	stale := func(s *policy.Snapshot) { s.Instances[0].Rate.Stale = true }
	third := func(s *policy.Snapshot) { s.Instances[1].ID = 3 }
	old := func(at int) func(*policy.Snapshot) {
		return func(s *policy.Snapshot) { s.Instances[0].Rate.Sampled = units.Time(at) * units.Second }
	}
	for _, c := range []struct {
		name string
		edit func(*Options)
		s    []*policy.Snapshot
		want []int
	}{
		{"100 ns: the third reading", nil, []*policy.Snapshot{gaps(1, 100), gaps(2, 100), gaps(3, 100)},
			[]int{1, 1, 2}},
		{"130 ns: never", nil, []*policy.Snapshot{gaps(1, 130), gaps(2, 130), gaps(3, 130), gaps(4, 130)},
			[]int{1, 1, 1, 1}},
		{"125 ns are short", nil, []*policy.Snapshot{gaps(1, 125), gaps(2, 125), gaps(3, 125)}, []int{1, 1, 2}},
		{"in a row", nil, []*policy.Snapshot{gaps(1, 100), gaps(2, 100), gaps(3, 130), gaps(4, 100), gaps(5, 100)},
			[]int{1, 1, 1, 1, 1}},
		{"at one instance", nil, []*policy.Snapshot{gaps(1, 100, 130), gaps(2, 130, 100), gaps(3, 100, 130)},
			[]int{2, 2, 2}},
		{"however many: one, and then three more readings", nil, []*policy.Snapshot{
			gaps(1, 100, 100), gaps(2, 100, 100), gaps(3, 100, 100),
			gaps(4, 100, 100, 100), gaps(5, 100, 100, 100), gaps(6, 100, 100, 100)}, []int{2, 2, 3, 3, 3, 4}},
		{"not while one starts", nil, []*policy.Snapshot{gaps(1, 100), gaps(2, 100), edited(gaps(3, 100), starts),
			edited(gaps(4, 100), starts), gaps(5, 100, 130)}, []int{1, 1, 2, 2, 3}},
		{"a reading counts once", nil, []*policy.Snapshot{gaps(1, 100), edited(gaps(2, 100), old(1)),
			edited(gaps(3, 100), old(1)), gaps(4, 100), gaps(5, 100)}, []int{1, 1, 1, 1, 2}},
		{"one that is missing does not count", nil, []*policy.Snapshot{gaps(1, 100), edited(gaps(2, 100), stale),
			gaps(3, 100), gaps(4, 100)}, []int{1, 1, 1, 2}},
		{"a gap of one's own, and two readings", func(o *Options) { o.Gap, o.Readings = 200*units.Nanosecond, 2 },
			[]*policy.Snapshot{gaps(1, 199), gaps(2, 199), gaps(3, 201)}, []int{1, 2, 1}},
		{"no scale-in", nil, []*policy.Snapshot{gaps(1, 1e9, 1e9), gaps(9, 1e9, 1e9)}, []int{2, 2}},
		{"an instance that is gone", nil, []*policy.Snapshot{gaps(1, 130, 100), gaps(2, 130, 100),
			edited(gaps(3, 130, 100), func(s *policy.Snapshot) { s.Instances = s.Instances[:1] }), gaps(4, 130, 100)},
			[]int{2, 2, 2, 2}},
		{"one that is ready later than a newer one", nil, []*policy.Snapshot{
			edited(gaps(1, 130, 100), third), edited(gaps(2, 130, 100), third), gaps(3, 130, 100, 130)},
			[]int{2, 2, 3}},
		{"the bounds", func(o *Options) { o.Readings = 1 }, []*policy.Snapshot{
			edited(gaps(1, 100), func(s *policy.Snapshot) { s.Max = 1 })}, []int{1}},
	} {
		p, _ := newInReal(options(c.edit), policy.Env{})
		var got []int
		for _, s := range c.s {
			got = append(got, p.Evaluate(s, new(policy.Steps)).Desired)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
