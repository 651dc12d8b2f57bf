package autoscaler

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/scalingtest"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

func mustNew(t testing.TB, edit func(*Options)) *Autoscaler {
	t.Helper()
	o := DefaultOptions()
	if edit != nil {
		edit(&o)
	}
	a, err := New(o, 1)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func snapshot(second, current int, mpps float64) *policy.Snapshot {
	return &policy.Snapshot{
		Now: units.Time(second) * units.Second, Current: current, Min: 1, Max: 100, Measured: true, Limit: 10e6,
		Instances: carrying(mpps * 1e6),
	}
}

// carrying is an instance to which so many packets a second are sent.
func carrying(load float64) []policy.Instance {
	return []policy.Instance{{Rate: telemetry.Rate{Rx: load, Known: true}}}
}

func TestConformance(t *testing.T) {
	o := DefaultOptions()
	for _, row := range Policies {
		o.Policy = Named(row.Name)
		scalingtest.Run(t, row, o.decode().options)
	}
	for _, row := range Victims {
		scalingtest.RunVictim(t, row)
	}
}

func TestStages(t *testing.T) {
	type step struct {
		in   *policy.Snapshot
		want []int // by stage
	}
	missing := func(load float64) []policy.Instance {
		return []policy.Instance{{Rate: telemetry.Rate{Rx: load, Known: true, Stale: true}}}
	}
	at := func(now units.Time) *policy.Snapshot {
		return &policy.Snapshot{Now: now, Current: 4, Max: 9, Instances: carrying(5e6), Measured: true, Limit: 10e6}
	}
	for _, tc := range []struct {
		name  string
		edit  func(*Options)
		steps []step
	}{
		{"nothing measured", nil, []step{{&policy.Snapshot{Current: 4, Min: 1, Max: 8}, []int{4, 4, 4, 4}}}},
		{"clamp comes last", func(o *Options) { o.MaxStepOut = 1 }, []step{
			{&policy.Snapshot{Current: 0, Min: 3, Max: 8, Measured: true, Limit: 1}, []int{0, 0, 0, 3}},
			{&policy.Snapshot{Current: 8, Min: 3, Max: 8, Measured: true, Limit: 1, Instances: carrying(50)},
				[]int{100, 100, 9, 8}},
		}},
		{"the first number counts as recommended", func(o *Options) { o.Stabilization = 3 * units.Second }, []step{
			{snapshot(1, 4, 5), []int{1, 4, 4, 4}},
			{snapshot(2, 4, 5), []int{1, 4, 4, 4}},
			{snapshot(3, 4, 5), []int{1, 4, 4, 4}},
			{snapshot(4, 4, 5), []int{1, 1, 1, 1}},
		}},
		{"scale-in to the highest of the span", func(o *Options) { o.Stabilization = 2 * units.Second }, []step{
			{snapshot(1, 4, 20), []int{4, 4, 4, 4}},
			{snapshot(2, 4, 15), []int{3, 4, 4, 4}},
			{snapshot(3, 4, 5), []int{1, 3, 3, 3}},
		}},
		{"scale-out is not stabilised", nil, []step{{snapshot(1, 2, 30), []int{6, 6, 6, 6}}}},
		{"steps", func(o *Options) { o.Stabilization, o.MaxStepOut, o.MaxStepIn = 0, 2, 1 }, []step{
			{snapshot(1, 2, 30), []int{6, 6, 4, 4}},
			{snapshot(2, 4, 5), []int{1, 1, 3, 3}},
		}},
		{"cool-downs", func(o *Options) {
			o.Stabilization, o.ScaleOutCooldown, o.ScaleInCooldown = 0, 3*units.Second, 2*units.Second
		}, []step{
			{snapshot(0, 1, 10), []int{2, 2, 2, 2}},
			{snapshot(1, 2, 20), []int{4, 4, 2, 2}},
			{snapshot(1, 2, 5), []int{1, 1, 2, 2}},
			{snapshot(2, 2, 5), []int{1, 1, 1, 1}},
			{snapshot(3, 1, 20), []int{4, 4, 4, 4}},
		}},
		{"a scale-in waits for the last scaling of either kind", func(o *Options) {
			o.Stabilization, o.ScaleInCooldown, o.MaxStepIn = 0, 3*units.Second, 1
		}, []step{
			{snapshot(0, 9, 5), []int{1, 1, 8, 8}},
			{snapshot(1, 8, 5), []int{1, 1, 8, 8}}, // after a scale-in
			{snapshot(2, 8, 5), []int{1, 1, 8, 8}},
			{snapshot(3, 8, 5), []int{1, 1, 7, 7}},
			{snapshot(4, 7, 36), []int{8, 8, 8, 8}}, // a scale-out does not wait for it
			{snapshot(6, 8, 5), []int{1, 1, 8, 8}},  // after a scale-out
			{snapshot(7, 8, 5), []int{1, 1, 7, 7}},
		}},
		{"a scale-out waits for the last scale-out alone", func(o *Options) {
			o.Stabilization, o.ScaleOutCooldown = 0, 3*units.Second
		}, []step{
			{snapshot(0, 1, 10), []int{2, 2, 2, 2}},
			{snapshot(2, 2, 5), []int{1, 1, 1, 1}},
			{snapshot(2, 1, 10), []int{2, 2, 1, 1}},
			{snapshot(3, 1, 10), []int{2, 2, 2, 2}},
		}},
		{"a recommendation counts until it is as old as the span", func(o *Options) {
			o.Stabilization = 2500 * units.Millisecond
		}, []step{
			{snapshot(0, 4, 20), []int{4, 4, 4, 4}},
			{snapshot(1, 4, 5), []int{1, 4, 4, 4}},
			{snapshot(2, 4, 5), []int{1, 4, 4, 4}},
			{at(2500*units.Millisecond - 1), []int{1, 4, 4, 4}},
			{at(2500 * units.Millisecond), []int{1, 1, 1, 1}},
		}},
		{"flows that are held want one, measured or not", nil, []step{
			{&policy.Snapshot{Held: 3, Max: 8}, []int{1, 1, 1, 1}},
			{&policy.Snapshot{Held: 3, Current: 2, Max: 8}, []int{2, 2, 2, 2}},
			{&policy.Snapshot{Max: 8}, []int{0, 0, 0, 0}},
			{&policy.Snapshot{Held: 3, HeldLoad: 3, Measured: true, Limit: 10e6, Max: 8}, []int{1, 1, 1, 1}},
		}},
		{"missing counters block a scale-in only", func(o *Options) { o.Stabilization = 0 }, []step{
			{&policy.Snapshot{Current: 3, Max: 9, Measured: true, Limit: 10, Instances: missing(0)},
				[]int{3, 3, 3, 3}},
			{&policy.Snapshot{Current: 3, Max: 9, Measured: true, Limit: 10, Instances: missing(30)},
				[]int{6, 6, 6, 6}},
		}},
		{"processed packets, where they are the metric", func(o *Options) {
			o.Metric, o.Stabilization = "processed", 0
		}, []step{
			{&policy.Snapshot{Current: 3, Max: 9, Measured: true, Limit: 10, Instances: []policy.Instance{
				{Rate: telemetry.Rate{Rx: 90, Tx: 10}}, {State: policy.Draining, Rate: telemetry.Rate{Rx: 90, Tx: 5}},
			}}, []int{3, 3, 3, 3}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := mustNew(t, tc.edit)
			for i, s := range tc.steps {
				desired, steps := a.Evaluate(s.in)
				var got []int
				for k, st := range steps {
					got = append(got, st.Desired)
					if k > 0 && (st.Desired != steps[k-1].Desired) != (st.Reason != "") {
						t.Errorf("step %d, %s: reason %q", i, st.Kind, st.Reason)
					}
				}
				if !slices.Equal(got, s.want) || desired != s.want[3] {
					t.Errorf("step %d: %v, want %v", i, got, s.want)
				}
			}
		})
	}
}

// proposal is a policy that always proposes the same number and notes what it was shown last.
type proposal struct {
	desired int
	shown   policy.Snapshot
}

func (p *proposal) Evaluate(s *policy.Snapshot, steps *policy.Steps) policy.Proposal {
	p.shown = *s
	p.shown.Instances = slices.Clone(s.Instances)
	return policy.Proposal{Desired: steps.Take(policy.Recommended, p.desired, "always")}
}

// hosting is an autoscaler with a policy that is not in the table.
func hosting(t *testing.T, p policy.Scaler, sees policy.Class) *Autoscaler {
	a := mustNew(t, nil)
	a.scaler, a.shows.scaler = p, sees
	return a
}

func TestNoPolicyLeavesTheBounds(t *testing.T) {
	for proposed, want := range map[int]int{-5: 2, 1: 2, 2: 2, 4: 4, 5: 4} {
		a := hosting(t, &proposal{desired: proposed}, policy.T0)
		got, steps := a.Evaluate(&policy.Snapshot{Current: 3, Min: 2, Max: 4, Limit: 1})
		if last := steps[len(steps)-1]; got != want || last.Desired != want || (len(steps) > 1) != (proposed != want) {
			t.Errorf("%d proposed: %d, steps %v, want %d", proposed, got, steps, want)
		}
	}
}

func TestAPolicySeesWhatItsRowDeclares(t *testing.T) {
	rate := telemetry.Rate{Rx: 1, Known: true}
	all := policy.Snapshot{
		Current: 1, Wanted: 1, Max: 4, Limit: 1, Held: 2, HeldLoad: 3, Window: 4, Measured: true,
		Instances: []policy.Instance{{ID: 1, State: policy.Ready, Flows: 5, Rate: rate}},
	}
	for sees, hidden := range map[policy.Class]func(*policy.Snapshot){
		policy.T0 | policy.T1 | policy.T2: func(s *policy.Snapshot) {},
		policy.T0 | policy.T2:             func(s *policy.Snapshot) { s.Instances[0].Flows = 0 },
		policy.T0 | policy.T1: func(s *policy.Snapshot) {
			s.HeldLoad, s.Window, s.Measured, s.Instances[0].Rate = 0, 0, false, telemetry.Rate{}
		},
	} {
		given, want := all, all
		given.Instances, want.Instances = slices.Clone(all.Instances), slices.Clone(all.Instances)
		want.LastScaling, want.LastScaleOut = units.Never, units.Never
		hidden(&want)
		var p proposal
		hosting(t, &p, sees).Evaluate(&given)
		if !reflect.DeepEqual(p.shown, want) {
			t.Errorf("%v: shown %+v, want %+v", sees, p.shown, want)
		}
	}
}

// A policy that counts nothing itself leaves no counts, so that records of it are as they were.
func TestCounts(t *testing.T) {
	if c := mustNew(t, nil).Counts(); c != nil {
		t.Errorf("counts %+v, want none", c)
	}
	a := mustNew(t, func(o *Options) { o.Policy = Named("phpa-linear") })
	for i, load := range []float64{8, 30, 30, 30} { // of 10 Mpps at 80 %
		s := snapshot(15*i, 1+i/2, load)
		s.Wanted, s.Max = s.Current, 2
		for k := range s.Instances {
			s.Instances[k].State, s.Instances[k].Rate.Tx = policy.Ready, load*1e6
		}
		a.Evaluate(s)
	}
	want := &policy.ScalingCounts{Name: "phpa-linear", Evaluations: 4, Out: 1, In: 0, Counters: []policy.Count{
		{Name: "forecasts", N: 4}, {Name: "forecasts above what the metrics want", N: 3}, // all but the first
		{Name: "forecasts below it"}}}
	if got := a.Counts(); !reflect.DeepEqual(got, want) {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

// Of a number of 0, a policy makes 1 while flows are held, or its row says that it does not.
func TestAPolicyWakesOrSaysSo(t *testing.T) {
	for _, row := range Policies {
		o := DefaultOptions()
		o.Policy = Named(row.Name)
		if row.New == nil {
			if o.Wakes() {
				t.Errorf("%s wakes and never evaluates", row.Name)
			}
			continue
		}
		most := 0
		a := mustNew(t, func(x *Options) { *x = o })
		for second := range units.Time(60) {
			n, _ := a.Evaluate(&policy.Snapshot{Now: second * units.Second, Max: 8, Limit: 10e6, Held: 3, HeldLoad: 3e6,
				Window: units.Second, Measured: true, Backlog: policy.Backlog{Start: 3, Most: 3}})
			most = max(most, n)
		}
		if (most > 0) != o.Wakes() {
			t.Errorf("%s: up to %d instances, and wakes: %v", row.Name, most, o.Wakes())
		}
	}
}

func TestAnErrorOfAPolicyHasItsKey(t *testing.T) {
	o := DefaultOptions()
	o.Policy = Named("hpa")
	hpa := o.Policy.Options.(kubernetes.Options)
	hpa.Spec.MinReplicas = -1
	o.Policy.Options = hpa
	if _, err := New(o, 1); err == nil || !strings.HasPrefix(err.Error(), "autoscaler.policy.hpa.spec.minReplicas: ") {
		t.Errorf("error %v", err)
	}
}

func TestNone(t *testing.T) {
	none := func(o *Options) { o.Policy = Named("none") }
	if mustNew(t, none).Active() || !mustNew(t, nil).Active() {
		t.Error("none is active, or the default is not")
	}
	o := DefaultOptions()
	if o.Static() {
		t.Error("the default never changes the number")
	}
	if none(&o); !o.Static() {
		t.Error("none changes the number")
	}
}

// A policy's record has the keys that say something of it. Beside none stand those of the default.
func TestKeysOfAPolicy(t *testing.T) {
	for name, want := range map[string][]string{
		"target-utilization": {"above", "below"},
		"hottest-instance":   {"target", "tolerance"},
		"none":               {"above", "below"},
	} {
		o := DefaultOptions()
		o.Policy = Named(name)
		var got []string
		for _, key := range []string{"target", "above", "below", "interval", "metric", "tolerance", "stabilization",
			"max_step_in", "victim", "drain"} {
			if o.Unused(key) {
				got = append(got, key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v say nothing, want %v", name, got, want)
		}
	}
}

func TestValidateNamesKeyAndChoices(t *testing.T) {
	for _, tc := range []struct {
		edit func(*Options)
		want []string
	}{
		{func(o *Options) { o.Policy.Name = "?" },
			[]string{"autoscaler.policy", `"?"`, strings.Join(Policies.Names(), ", ")}},
		{func(o *Options) { o.Target = 0 }, []string{"autoscaler.target", "above 0"}},
		{func(o *Options) { o.Above = -1 }, []string{"autoscaler.above", "a packet rate"}},
		{func(o *Options) { o.Interval = 0 }, []string{"autoscaler.interval", "above 0"}},
		{func(o *Options) { o.Metric = "cpu" }, []string{"autoscaler.metric", "offered, processed"}},
		{func(o *Options) { o.Tolerance = -1 }, []string{"autoscaler.tolerance", "not below 0"}},
		{func(o *Options) { o.Stabilization = -1 }, []string{"autoscaler.stabilization", "a time"}},
		{func(o *Options) { o.MaxStepIn = -1 }, []string{"autoscaler.max_step_in", "not below 0"}},
		{func(o *Options) { o.Victim = "?" }, []string{"autoscaler.victim", strings.Join(Victims.Names(), ", ")}},
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
