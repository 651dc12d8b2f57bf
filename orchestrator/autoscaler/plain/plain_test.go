package plain

import (
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

func row(name string) *policy.ScalerRow { return policy.Table[policy.ScalerRow](Scalers).Find(name) }

// defaults are options with the defaults of their tags.
func defaults[O any](edit func(*O)) (o O) {
	strictyaml.Defaults(&o)
	if edit != nil {
		edit(&o)
	}
	return o
}

func TestConformance(t *testing.T) {
	for _, edit := range []func(*ThresholdOptions){
		nil, func(o *ThresholdOptions) { o.Metric, o.High, o.Low, o.Cooldown = "processed", .5, 0, 0 },
		func(o *ThresholdOptions) { o.Low, o.Cooldown = .79, 3*units.Second },
	} {
		scalingtest.Run(t, *row("threshold"), defaults(edit))
	}
	for _, edit := range []func(*PIDOptions){
		nil, func(o *PIDOptions) { o.Metric, o.Deadband, o.D = "processed", 0, 3 },
		func(o *PIDOptions) { o.P, o.I, o.D = 0, 100, 0 },
	} {
		scalingtest.Run(t, *row("pid"), defaults(edit))
	}
}

// loaded is what is known of so many ready instances that carry a load together, of a limit of 100 packets a second.
func loaded(second, ready int, load float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: units.Time(second) * units.Second, Current: ready, Wanted: ready, Max: 20, Limit: 100,
		Measured: true, LastScaling: units.Never, LastScaleOut: units.Never}
	for k := range ready {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Rate: telemetry.Rate{Known: true, Sampled: s.Now}})
	}
	if ready > 0 {
		s.Instances[0].Rate.Rx, s.Instances[0].Rate.Tx = load, load/2
	}
	return s
}

func edited(s *policy.Snapshot, edit func(*policy.Snapshot)) *policy.Snapshot {
	edit(s)
	return s
}

func TestThreshold(t *testing.T) {
	wanting := func(n int) func(*policy.Snapshot) { return func(s *policy.Snapshot) { s.Wanted = n } }
	for _, c := range []struct {
		name string
		edit func(*ThresholdOptions)
		s    []*policy.Snapshot
		want []int
	}{
		{"above the high mark", nil, []*policy.Snapshot{loaded(0, 2, 161)}, []int{3}},
		{"on it", nil, []*policy.Snapshot{loaded(0, 2, 160)}, []int{2}},
		{"on it, but for rounding", nil, []*policy.Snapshot{loaded(0, 2, 160*(1+1e-12))}, []int{2}},
		{"far above it: still one", nil, []*policy.Snapshot{loaded(0, 2, 1600)}, []int{3}},
		{"below the low mark", nil, []*policy.Snapshot{loaded(0, 2, 79)}, []int{1}},
		{"on it", nil, []*policy.Snapshot{loaded(0, 2, 80)}, []int{2}},
		{"by what came back", func(o *ThresholdOptions) { o.Metric = "processed" },
			[]*policy.Snapshot{loaded(0, 2, 161)}, []int{2}},
		{"a cool-down, which ends at its very end", nil, []*policy.Snapshot{
			loaded(0, 2, 200), loaded(9, 3, 300), loaded(10, 3, 300), loaded(19, 4, 0), loaded(20, 4, 0)},
			[]int{3, 3, 4, 4, 3}},
		{"the bounds hold in it", nil, []*policy.Snapshot{
			loaded(0, 2, 200), edited(loaded(1, 3, 200), func(s *policy.Snapshot) { s.Min = 5 })}, []int{3, 5}},
		{"a replacement begins none", nil, []*policy.Snapshot{
			edited(loaded(0, 2, 120), wanting(3)), loaded(1, 3, 300)}, []int{3, 4}},
		{"nothing is there", nil, []*policy.Snapshot{loaded(0, 0, 0)}, []int{0}},
		{"nothing is there, and flows are held", nil, []*policy.Snapshot{
			edited(loaded(0, 0, 0), func(s *policy.Snapshot) { s.Held, s.HeldLoad = 1, 1 })}, []int{1}},
	} {
		p, err := newThreshold(defaults(c.edit), policy.Env{})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range c.s {
			var steps policy.Steps
			if got := p.Evaluate(s, &steps).Desired; got != c.want[i] {
				t.Errorf("%s, evaluation %d: %d, want %d (%v)", c.name, i, got, c.want[i], steps)
			}
		}
	}
}

func TestThresholdRefusesMarksWithoutABand(t *testing.T) {
	_, err := newThreshold(defaults(func(o *ThresholdOptions) { o.Low = .8 }), policy.Env{})
	if err == nil || !strings.Contains(err.Error(), "low: 0.8: want a number below high, which is 0.8") {
		t.Errorf("error %v", err)
	}
}

// follow evaluates once a second and carries the number out at once.
func follow(p policy.Scaler, from int, loads ...float64) (got []int) {
	for second, l := range loads {
		from = p.Evaluate(loaded(second, from, l), new(policy.Steps)).Desired
		got = append(got, from)
	}
	return got
}

// By hand, at a target of 50 packets a second: from 3 instances to 8. The output is 3, 5, 5.2, 5.8, 6, 6.4, 6.8, 6.8,
// 7, 7.2, 7.4, 7.6, and then the error is 0.
func TestPIDFollowsAStep(t *testing.T) {
	p, _ := newPID(defaults[PIDOptions](nil), policy.Env{})
	loads := []float64{150, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400, 400}
	if got, want := follow(p, 3, loads...), []int{3, 5, 5, 6, 6, 6, 7, 7, 7, 7, 7, 8, 8, 8}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestPID(t *testing.T) {
	for _, c := range []struct {
		name  string
		edit  func(*PIDOptions)
		from  int
		loads []float64
		want  []int
	}{
		{"half an instance is within the deadband", nil, 4, []float64{200, 225, 225, 225, 225, 225, 175},
			[]int{4, 4, 4, 4, 4, 4, 4}},
		{"integral alone", func(o *PIDOptions) { o.P = 0 }, 2,
			[]float64{100, 200, 200, 200, 200}, []int{2, 2, 3, 3, 3}},
		{"derivative alone", func(o *PIDOptions) { o.P, o.I, o.D = 0, 0, 1 }, 2,
			[]float64{100, 250, 250, 400, 500}, []int{2, 5, 5, 8, 4}},
		{"a load that goes", nil, 8, []float64{400, 0, 0, 0, 0}, []int{8, 5, 4, 4, 3}},
		{"what lasts does not wind up", func(o *PIDOptions) { o.P, o.I = 0, 1 }, 4,
			[]float64{200, 9000, 9000, 9000, 9000, 900}, []int{4, 20, 20, 20, 20, 18}},
	} {
		p, _ := newPID(defaults(c.edit), policy.Env{})
		if got := follow(p, c.from, c.loads...); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// The output does not fall while counters are missing, nor when no time has passed.
func TestPIDWaitsForCounters(t *testing.T) {
	p, _ := newPID(defaults(func(o *PIDOptions) { o.P, o.I = 0, 1 }), policy.Env{})
	missing := func(s *policy.Snapshot) { s.Instances[1].Rate.Stale = true }
	var got []int
	for _, s := range []*policy.Snapshot{
		loaded(0, 4, 200), edited(loaded(1, 4, 100), missing), edited(loaded(2, 4, 100), missing),
		edited(loaded(3, 4, 100), missing), loaded(3, 4, 200), loaded(3, 4, 100), loaded(4, 4, 150),
	} {
		got = append(got, p.Evaluate(s, new(policy.Steps)).Desired)
	}
	if want := []int{4, 4, 4, 4, 4, 4, 3}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
