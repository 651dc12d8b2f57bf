package knative

import (
	"fmt"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
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

func mustNew(t *testing.T, edit func(*Options)) *kpa {
	t.Helper()
	p, err := newKPA(options(edit), policy.Env{})
	if err != nil {
		t.Fatal(err)
	}
	return p.(*kpa)
}

func TestConformance(t *testing.T) {
	for _, edit := range []func(*Options){
		nil,
		func(o *Options) { o.Stable, o.Metric, o.Delay = 10*units.Second, "processed", 5*units.Second },
		func(o *Options) { o.Stable, o.PanicWindow, o.Up, o.Down, o.Activation = units.Second, 1, 1.1, 1.1, 3 },
		func(o *Options) { o.Stable, o.Down, o.PanicThreshold = 5*units.Second, 0, 110 },
	} {
		scalingtest.Run(t, Scalers[0], options(edit))
	}
}

// The sequences of Knative's own tests.
func TestAsUpstreamTestsIt(t *testing.T) {
	for _, v := range policytest.Vectors(t, "kpa", "sequences") {
		in := struct {
			Target, Up, Down float64
			Ready            int
			Act              int
			Reachable        bool
			Steps            [][4]float64
		}{Up: 10, Down: 10, Act: 1, Reachable: true}
		if err := v.In.Decode(&in); err != nil {
			t.Fatal(err)
		}
		if !in.Reachable {
			in.Down = 0
		}
		want := policytest.Decode[[]int](t, &v.Out)
		k := mustNew(t, func(o *Options) { o.Up, o.Down, o.Activation = in.Up, in.Down, in.Act })
		k.begin(0, in.Ready)
		for i, s := range in.Steps {
			var steps policy.Steps
			at := units.FromSeconds(s[0])
			if got := k.decide(at, int(s[1]), s[2], s[3], in.Target, &steps); got != want[i] {
				t.Errorf("%s, step %d: %d, want %d (%v)", v.ID, i, got, want[i], steps)
			}
		}
	}
}

// loaded is what is known of so many ready instances that carry a load together, of a limit of 100 packets a second.
func loaded(second, ready int, load float64) *policy.Snapshot {
	s := &policy.Snapshot{Now: units.Time(second) * units.Second, Current: ready, Wanted: ready, Max: 1000, Limit: 100,
		Measured: true, LastScaling: units.Never, LastScaleOut: units.Never}
	for k := range ready {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(k + 1), State: policy.Ready,
			Rate: telemetry.Rate{Known: true, Sampled: s.Now}})
	}
	if ready > 0 {
		s.Instances[0].Rate.Rx = load
	}
	return s
}

// What the program did in 300 s, at each change of the number. It was given one sample a second.
func TestAsTheProgramRan(t *testing.T) {
	type observed struct {
		ID   string
		Rows [][]float64
	}
	for _, c := range policytest.Observed[observed](t, "kpa", "one autoscaler over 300 s, panic and back") {
		k := mustNew(t, nil)
		n, last := 1, -1
		var got, want []string
		for second := 1; second < 300; second += 2 {
			load := 60.0
			if second >= 90 && second < 150 {
				load = 700
			}
			before := n
			n = k.Evaluate(loaded(second, before, load), new(policy.Steps)).Desired
			if n != last {
				got = append(got, fmt.Sprintf("%d s: load %v, means %.6g and %.6g, %d ready: %d", second, load,
					k.loads.mean(60), k.loads.mean(6), before, n))
				last = n
			}
		}
		for _, r := range c.Rows {
			want = append(want, fmt.Sprintf("%v s: load %v, means %.6g and %.6g, %v ready: %v", r[0], r[1], r[2], r[3],
				r[4], r[5]))
		}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("%s:\n%s\nwant\n%s", c.ID, g, w)
		}
	}
}

// From Knative's TestAutoscalerScaleDownDelay, serving 98e5ef90: target 10, and a delay of five minutes.
func TestScaleDownDelay(t *testing.T) {
	k := mustNew(t, func(o *Options) { o.Up, o.Down, o.PanicThreshold, o.Delay = 10, 10, 10000, 300*units.Second })
	k.begin(0, 0)
	for _, c := range []struct {
		seconds units.Time
		load    float64
		want    int
	}{
		{2, 40, 4}, {300, 0, 4}, {302, 0, 0},
		{540, 40, 4}, {600, 30, 4}, {660, 0, 4}, {840, 0, 3}, {900, 0, 0},
		{1200, 40, 4}, {1201, 10, 4}, // by hand: one period of 2 s
	} {
		if got := k.decide(c.seconds*units.Second, 0, c.load, c.load, 10, new(policy.Steps)); got != c.want {
			t.Errorf("%d s, load %v: %d, want %d", c.seconds, c.load, got, c.want)
		}
	}
}

// By hand: target 1, and twice what is ready begins a panic that lasts for more than a minute.
func TestPanic(t *testing.T) {
	k := mustNew(t, nil)
	k.begin(0, 1)
	for _, c := range []struct {
		seconds, ready   int
		stable, panicked float64
		want             int
		panics           bool
	}{
		{0, 4, 4, 7, 4, false},
		{2, 4, 4, 7.1, 8, true}, // exactly twice, once it is whole
		{4, 8, 5, 12, 12, true}, // a panic follows the short window, though 12 is not twice 8
		{6, 12, 6, 4, 12, true}, // and does not fall
		{62, 12, 7, 4, 12, true},
		{63, 12, 7, 4, 7, false},
		{64, 2, 3, 5, 5, true}, // the number of the panic before is forgotten
	} {
		var steps policy.Steps
		at := units.Time(c.seconds) * units.Second
		if got := k.decide(at, c.ready, c.stable, c.panicked, 1, &steps); got != c.want || k.panics != c.panics {
			t.Errorf("%d s: %d, panics: %v, want %d, %v (%v)", c.seconds, got, k.panics, c.want, c.panics, steps)
		}
	}
}

func TestSeconds(t *testing.T) {
	w := seconds{ring: make([]float64, 5)}
	for _, c := range []struct {
		at         int64
		value      float64
		two, three float64
	}{
		{7, 1, 1, 1},     // the first
		{7, 3, 3, 3},     // the same second again
		{8, 6, 4.5, 4.5}, // 3 6
		{10, 9, 9, 8},    // 3 6 9 9
		{11, 0, 4.5, 6},  // 3 6 9 9 0
		{12, 0, 0, 3},    // 6 9 9 0 0
		{99, 2, 2, 2},    // all anew
		{100, 1. / 3, 1.166666, 1.444444},
	} {
		w.record(c.at, c.value)
		if two, three := w.mean(2), w.mean(3); two != c.two || three != c.three {
			t.Errorf("at %d: %v and %v, want %v and %v", c.at, two, three, c.two, c.three)
		}
	}
	if got := w.mean(5); got != 1.666666 {
		t.Errorf("all five: %v, want 1.666666", got)
	}
}

// A load of seven targets wants seven instances. The last decimal is cut off, as in Knative: rounded up, it would be
// more than the slack of 1e-9 beyond seven. Found with the running program.
func TestAWholeNumberOfTargets(t *testing.T) {
	const target = .17 * 388.9969836250858
	w := seconds{ring: make([]float64, 1)}
	w.record(1, 7*target)
	var steps policy.Steps
	if n := mustNew(t, nil).decide(0, 7, w.mean(1), 0, target, &steps); n != 7 {
		t.Errorf("%d, %+v, want 7", n, steps)
	}
}

func TestEvaluate(t *testing.T) {
	edited := func(s *policy.Snapshot, edit func(*policy.Snapshot)) *policy.Snapshot {
		edit(s)
		return s
	}
	for _, c := range []struct {
		name string
		edit func(*Options)
		s    []*policy.Snapshot
		want []int
	}{
		{"three that are ready stay for a stable window", nil,
			[]*policy.Snapshot{loaded(1, 3, 10), loaded(61, 3, 10), loaded(62, 3, 10)}, []int{3, 3, 1}},
		{"one is no panic", nil, []*policy.Snapshot{loaded(1, 1, 10), loaded(2, 1, 0)}, []int{1, 1}},
		{"half at most go at once", nil,
			[]*policy.Snapshot{loaded(1, 1, 0), loaded(70, 9, 0), loaded(140, 9, 0)}, []int{0, 4, 4}},
		{"nothing measured", nil, []*policy.Snapshot{
			edited(loaded(1, 1, 500), func(s *policy.Snapshot) { s.Measured = false })}, []int{1}},
		{"nothing is there, and flows are held", nil, []*policy.Snapshot{
			loaded(1, 0, 0), edited(loaded(2, 0, 0), func(s *policy.Snapshot) { s.Held, s.HeldLoad = 1, 1 }),
		}, []int{0, 1}},
		{"counters are missing", func(o *Options) { o.Stable = units.Second }, []*policy.Snapshot{
			edited(loaded(1, 1, 100), func(s *policy.Snapshot) { s.Wanted = 2; s.Current = 2 }),
			edited(loaded(9, 2, 0), func(s *policy.Snapshot) { s.Instances[1].Rate.Stale = true }),
			loaded(10, 2, 0)}, []int{2, 2, 1}},
		{"the bounds", nil, []*policy.Snapshot{
			edited(loaded(1, 1, 5000), func(s *policy.Snapshot) { s.Max = 4 })}, []int{4}},
	} {
		k := mustNew(t, c.edit)
		for i, s := range c.s {
			var steps policy.Steps
			if got := k.Evaluate(s, &steps).Desired; got != c.want[i] {
				t.Errorf("%s, evaluation %d: %d, want %d (%v)", c.name, i, got, c.want[i], steps)
			}
		}
	}
}

func TestRefuses(t *testing.T) {
	_, err := newKPA(options(func(o *Options) { o.Down = .5 }), policy.Env{})
	if err == nil || !strings.Contains(err.Error(), "max_scale_down_rate: 0.5: want 0, or a number above 1") {
		t.Errorf("error %v", err)
	}
}
