package autoscaler

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/units"
)

func mustNew(t testing.TB, edit func(*Options)) *Autoscaler {
	t.Helper()
	o := DefaultOptions()
	if edit != nil {
		edit(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func input(second, current int, mpps float64) *Input {
	return &Input{Now: units.Time(second) * units.Second, Current: current, Min: 1, Max: 100, Load: mpps * 1e6, Known: true, Limit: 10e6}
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
		a := mustNew(t, func(o *Options) { o.Target, o.Tolerance = tc.target, tc.tolerance })
		if got, why := a.policy.Recommend(&a.opts, input(0, tc.current, tc.mpps)); got != tc.want {
			t.Errorf("%v Mpps at target %v, tolerance %v, %d instances: %d (%s), want %d", tc.mpps, tc.target, tc.tolerance, tc.current, got, why, tc.want)
		}
	}
}

// n flows that each bring the target exactly want n instances, however the sum came about, and stay within a tolerance at
// exactly its edge. All is computed at run time: of constants the compiler makes exact sums.
func TestLoadsThatEqualTheTarget(t *testing.T) {
	missed := 0
	for _, limit := range []float64{1e6, 10e6, 25e6, 1e7 / 3, 4.65e6 / 7, 148.8e6 / 11} {
		for _, target := range []float64{.1, .2, .3, .35, .465, .5, .6, .7, .8, .9, 1} {
			a := mustNew(t, func(o *Options) { o.Target = target })
			edge := mustNew(t, func(o *Options) { o.Target, o.Tolerance = target, .1 })
			load := 0.0
			for n := 1; n <= 60; n++ {
				load += float64(limit * target)
				if int(math.Ceil(load/float64(limit*target))) != n {
					missed++
				}
				in := &Input{Current: 1, Load: load, Known: true, Limit: limit}
				if got, why := a.policy.Recommend(&a.opts, in); got != n {
					t.Errorf("%d flows of %v times %v pps: %d instances (%s)", n, target, limit, got, why)
				}
				for _, off := range []float64{1.1, .9} {
					in := &Input{Current: n, Load: float64(load * off), Known: true, Limit: limit}
					if got, why := edge.policy.Recommend(&edge.opts, in); got != n {
						t.Errorf("%v times the load of %d flows of %v times %v pps: %d instances (%s)", off, n, target, limit, got, why)
					}
				}
			}
		}
	}
	if missed < 100 {
		t.Errorf("a bare ceil misses %d of these numbers: the slack is not tried", missed)
	}
}

// Every policy of the table must bear these inputs.
func TestConformance(t *testing.T) {
	for _, r := range table {
		if r.Name == "" || r.Description == "" || r.Source == "" || len(r.Telemetry) == 0 {
			t.Errorf("incomplete row %+v", r.Info)
		}
		if r.policy == nil {
			continue
		}
		for _, in := range []*Input{{Limit: 1}, input(1, 0, 0), input(2, 0, 50), input(3, 1, 1e9), {Known: true, Limit: 1, Load: -1}} {
			o := DefaultOptions()
			if n, why := r.policy.Recommend(&o, in); n < 0 || why == "" {
				t.Errorf("%s: %+v: %d, %q", r.Name, in, n, why)
			}
		}
	}
}

func TestStages(t *testing.T) {
	type step struct {
		in   *Input
		want []int // by stage
	}
	for _, tc := range []struct {
		name  string
		edit  func(*Options)
		steps []step
	}{
		{"nothing measured", nil, []step{{&Input{Current: 4, Min: 1, Max: 8}, []int{4, 4, 4, 4}}}},
		{"clamp comes last", func(o *Options) { o.MaxStepOut = 1 }, []step{
			{&Input{Current: 0, Min: 3, Max: 8, Known: true, Limit: 1}, []int{0, 0, 0, 3}},
			{&Input{Current: 8, Min: 3, Max: 8, Known: true, Limit: 1, Load: 50}, []int{100, 100, 9, 8}}}},
		{"the first number counts as recommended", func(o *Options) { o.Stabilization = 3 * units.Second }, []step{
			{input(1, 4, 5), []int{1, 4, 4, 4}}, {input(2, 4, 5), []int{1, 4, 4, 4}}, {input(3, 4, 5), []int{1, 4, 4, 4}}, {input(4, 4, 5), []int{1, 1, 1, 1}}}},
		{"scale-in to the highest of the span", func(o *Options) { o.Stabilization = 2 * units.Second }, []step{
			{input(1, 4, 20), []int{4, 4, 4, 4}}, {input(2, 4, 15), []int{3, 4, 4, 4}}, {input(3, 4, 5), []int{1, 3, 3, 3}}}},
		{"scale-out is not stabilised", nil, []step{{input(1, 2, 30), []int{6, 6, 6, 6}}}},
		{"steps", func(o *Options) { o.Stabilization, o.MaxStepOut, o.MaxStepIn = 0, 2, 1 }, []step{
			{input(1, 2, 30), []int{6, 6, 4, 4}}, {input(2, 4, 5), []int{1, 1, 3, 3}}}},
		{"cool-downs", func(o *Options) {
			o.Stabilization, o.ScaleOutCooldown, o.ScaleInCooldown = 0, 3*units.Second, 2*units.Second
		}, []step{
			{input(0, 1, 10), []int{2, 2, 2, 2}}, {input(1, 2, 20), []int{4, 4, 2, 2}}, {input(1, 2, 5), []int{1, 1, 2, 2}},
			{input(2, 2, 5), []int{1, 1, 1, 1}}, {input(3, 1, 20), []int{4, 4, 4, 4}}}},
		{"a scale-in waits for the last scaling of either kind", func(o *Options) { o.Stabilization, o.ScaleInCooldown, o.MaxStepIn = 0, 3*units.Second, 1 }, []step{
			{input(0, 9, 5), []int{1, 1, 8, 8}}, {input(1, 8, 5), []int{1, 1, 8, 8}}, {input(2, 8, 5), []int{1, 1, 8, 8}}, // after a scale-in
			{input(3, 8, 5), []int{1, 1, 7, 7}}, {input(4, 7, 36), []int{8, 8, 8, 8}}, // a scale-out does not wait for it
			{input(6, 8, 5), []int{1, 1, 8, 8}}, {input(7, 8, 5), []int{1, 1, 7, 7}}}}, // after a scale-out
		{"a scale-out waits for the last scale-out alone", func(o *Options) { o.Stabilization, o.ScaleOutCooldown = 0, 3*units.Second }, []step{
			{input(0, 1, 10), []int{2, 2, 2, 2}}, {input(2, 2, 5), []int{1, 1, 1, 1}}, {input(2, 1, 10), []int{2, 2, 1, 1}}, {input(3, 1, 10), []int{2, 2, 2, 2}}}},
		{"a recommendation counts until it is as old as the span", func(o *Options) { o.Stabilization = 2500 * units.Millisecond }, []step{
			{input(0, 4, 20), []int{4, 4, 4, 4}}, {input(1, 4, 5), []int{1, 4, 4, 4}}, {input(2, 4, 5), []int{1, 4, 4, 4}},
			{&Input{Now: 2500*units.Millisecond - 1, Current: 4, Max: 9, Load: 5e6, Known: true, Limit: 10e6}, []int{1, 4, 4, 4}},
			{&Input{Now: 2500 * units.Millisecond, Current: 4, Max: 9, Load: 5e6, Known: true, Limit: 10e6}, []int{1, 1, 1, 1}}}},
		{"flows that are held want one, measured or not", nil, []step{
			{&Input{Held: 3, Max: 8}, []int{1, 1, 1, 1}}, {&Input{Held: 3, Current: 2, Max: 8}, []int{2, 2, 2, 2}}, {&Input{Max: 8}, []int{0, 0, 0, 0}},
			{&Input{Held: 3, Load: 3, Known: true, Limit: 10e6, Max: 8}, []int{1, 1, 1, 1}}}},
		{"missing counters block a scale-in only", func(o *Options) { o.Stabilization = 0 }, []step{
			{&Input{Current: 3, Max: 9, Known: true, Stale: 1, Limit: 10}, []int{3, 3, 3, 3}},
			{&Input{Current: 3, Max: 9, Known: true, Stale: 1, Limit: 10, Load: 30}, []int{6, 6, 6, 6}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := mustNew(t, tc.edit)
			for i, s := range tc.steps {
				p := a.Evaluate(s.in)
				var got []int
				for k, st := range p.Stages {
					got = append(got, st.Desired)
					if k > 0 && (st.Desired != p.Stages[k-1].Desired) != (st.Reason != "") {
						t.Errorf("step %d, %s: reason %q", i, st.Kind, st.Reason)
					}
				}
				if !slices.Equal(got, s.want) || p.Desired != s.want[3] {
					t.Errorf("step %d: %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

func TestVictims(t *testing.T) {
	from := []Victim{{1, 5, 30}, {2, 1, 40}, {4, 9, 20}, {5, 1, 20}}
	for name, want := range map[string]int{"newest": 3, "oldest": 0, "least-loaded": 3, "fewest-flows": 3} {
		if got := mustNew(t, func(o *Options) { o.Victim = name }).PickVictim(from); got != want {
			t.Errorf("%s: position %d, want %d", name, got, want)
		}
	}
	if len(Victims()) != 4 || len(Policies()) != len(table) {
		t.Error("the lists for users lack a row")
	}
}

func TestNone(t *testing.T) {
	if mustNew(t, func(o *Options) { o.Policy = "none" }).Active() {
		t.Error("none is active")
	}
}

func TestValidateNamesKeyAndChoices(t *testing.T) {
	for _, tc := range []struct {
		edit func(*Options)
		want []string
	}{
		{func(o *Options) { o.Policy = "hpa" }, []string{"autoscaler.policy", `"hpa"`, "target-utilization, none"}},
		{func(o *Options) { o.Target = 0 }, []string{"autoscaler.target", "above 0"}},
		{func(o *Options) { o.Interval = 0 }, []string{"autoscaler.interval", "above 0"}},
		{func(o *Options) { o.Metric = "cpu" }, []string{"autoscaler.metric", "offered, processed"}},
		{func(o *Options) { o.Tolerance = -1 }, []string{"autoscaler.tolerance", "0 or more"}},
		{func(o *Options) { o.Stabilization = -1 }, []string{"autoscaler.stabilization", "0 or more"}},
		{func(o *Options) { o.MaxStepIn = -1 }, []string{"autoscaler.max_step_in", "0 or more"}},
		{func(o *Options) { o.Victim = "me" }, []string{"autoscaler.victim", "newest, oldest, least-loaded, fewest-flows"}},
		{func(o *Options) { o.Drain = "kill" }, []string{"autoscaler.drain", "move, finish"}},
	} {
		o := DefaultOptions()
		tc.edit(&o)
		err := o.Validate()
		for _, w := range tc.want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("error %v does not mention %s", err, w)
			}
		}
	}
}

// The default tags that documentation and decoder read, and DefaultOptions, are one.
func TestDefaultsEqualTags(t *testing.T) {
	v := reflect.ValueOf(DefaultOptions())
	for i := range v.NumField() {
		if got, want := fmt.Sprint(v.Field(i).Interface()), v.Type().Field(i).Tag.Get("default"); got != want {
			t.Errorf("%s: %s, tag %s", v.Type().Field(i).Name, got, want)
		}
	}
}
