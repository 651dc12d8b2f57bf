package keda

import (
	"cmp"
	"math"
	"reflect"
	"slices"
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

const second = units.Second

// options reads those of keda.
func options(t testing.TB, text string) (o Options) {
	t.Helper()
	if err := strictyaml.Decode("keda.yaml", []byte(cmp.Or(text, "{}")), &o, nil); err != nil {
		t.Fatal(err)
	}
	return o
}

func TestConformance(t *testing.T) {
	for _, text := range []string{
		`{}`,
		`{polling_interval: 1s, cooldown_period: 2s, min_replica_count: 3, idle_replica_count: 1, tolerance: 0,
			downscale_stabilization: 0s, fallback: {failure_threshold: 0, replicas: 4}}`,
		`{polling_interval: 2s, cooldown_period: 0s, max_replica_count: 5, triggers: [
			{metric: processed, threshold: 0.5, activation_threshold: 0.1, metric_type: Value},
			{metric: flows, threshold: 3, activation_threshold: 8}, {metric: held, threshold: 1},
			{metric: queue, threshold: 100}],
			fallback: {failure_threshold: 1, replicas: 7, behavior: currentReplicasIfLower},
			horizontal_pod_autoscaler_config: {behavior: {
				scaleDown: {selectPolicy: Disabled}, scaleUp: {stabilizationWindowSeconds: 3}}}}`,
		`{polling_interval: 3s, cooldown_period: 1s, cpu: reported, begins: 2026-06-01 07:59,
			triggers: [{metric: held, threshold: 4}], resources: [
			{name: cpu, metric_type: Utilization, value: 60}, {name: memory, metric_type: AverageValue, value: 5e8}],
			cron: [{timezone: UTC, start: 0 8 * * *, end: 1 8 * * *, desired_replicas: 6}]}`,
		`{polling_interval: 2s, scaling_modifiers: {formula: 'waiting ?? (max(packets, 2) ** 0.5 - 1)', target: 1,
			activation_target: 0.5}, triggers: [{name: packets, metric: offered, threshold: 1},
			{name: waiting, metric: queue, threshold: 1}],
			fallback: {failure_threshold: 1, replicas: 3, behavior: scalingModifiers}}`,
	} {
		scalingtest.Run(t, Scalers[0], options(t, text))
	}
}

// The vectors of pkg/fallback/fallback_test.go.
func TestFallback(t *testing.T) {
	for _, v := range policytest.Vectors(t, "keda", "fallback: metric reported") {
		in := policytest.Decode[struct {
			Failures, Current int
			Behavior          string
		}](t, &v.In)
		want := policytest.Decode[*float64](t, &v.Out)
		f := &fallback{Threshold: 3, Replicas: 10, Behavior: in.Behavior}
		got, ok := f.reports(in.Failures+1, 10, false, in.Current, 1)
		if ok != (want != nil) || ok && got != *want {
			t.Errorf("%s: %v, %v", v.ID, got, ok)
		}
	}
}

// The other behaviors, and the type Value, as pkg/fallback/fallback.go has them.
func TestFallbackBehaviors(t *testing.T) {
	for _, c := range []struct {
		behavior                 string
		forAll                   bool
		failures, current, ready int
		want                     float64 // of a threshold of 10 and 4 replicas; -1 where the failure is passed on
	}{
		{"currentReplicasIfHigher", false, 4, 6, 1, 60}, {"currentReplicasIfHigher", false, 4, 3, 1, 40},
		{"currentReplicasIfLower", false, 4, 6, 1, 40}, {"currentReplicasIfLower", false, 4, 3, 1, 30},
		{"static", true, 4, 6, 2, 20}, {"currentReplicas", true, 4, 6, 4, 15},
		{"static", true, 4, 6, 0, -1}, {"static", true, 3, 6, 2, -1},
		{"static", true, 4, 6, 6, 6.666}, // found with the running program: rounded up, it wants one more
	} {
		f := &fallback{Threshold: 3, Replicas: 4, Behavior: c.behavior}
		got, ok := f.reports(c.failures, 10, c.forAll, c.current, c.ready)
		if ok != (c.want >= 0) || ok && got != c.want {
			t.Errorf("%+v: %v, %v", c, got, ok)
		}
	}
	if _, ok := (*fallback)(nil).reports(100, 10, false, 1, 1); ok {
		t.Error("there is a metric without a fallback")
	}
}

// object is one under test, whose number is carried out at once.
type object struct {
	t      *testing.T
	p      policy.Scaler
	counts []uint64
	n      int
	said   string // the reason of the last recommendation
}

func newObject(t *testing.T, n int, text string) *object {
	o := &object{t: t, n: n, counts: make([]uint64, len(Scalers[0].Counters))}
	var err error
	if o.p, err = newKEDA(options(t, text), policy.Env{Counts: o.counts}); err != nil {
		t.Fatal(err)
	}
	return o
}

// at evaluates at a second, with a load in limits of an instance.
func (o *object) at(at int, load float64, edits ...func(*policy.Snapshot)) int {
	o.t.Helper()
	s := &policy.Snapshot{Now: units.Time(at) * second, Current: o.n, Wanted: o.n, Max: 50, Limit: 1e6, Window: second,
		Measured: true, LastScaling: units.Never, LastScaleOut: units.Never}
	for id := range o.n {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(id + 1), State: policy.Ready, Flows: 2,
			Rate: telemetry.Rate{Rx: load * 1e6 / float64(o.n), Known: true, Sampled: s.Now}})
	}
	if o.n == 0 {
		s.HeldLoad, s.Held = load*1e6, int(load*1e6)
	}
	for _, edit := range edits {
		edit(s)
	}
	var steps policy.Steps
	o.n = o.p.Evaluate(s, &steps).Desired
	o.said = steps[0].Reason
	return o.n
}

func missing(s *policy.Snapshot) { s.Instances[0].Rate.Stale = true }

// What RequestScale does, one case after the other. The poll is every 30 s, the cool-down 300 s.
func TestExecutor(t *testing.T) {
	type step struct {
		at   int
		load float64
		want int
	}
	for _, c := range []struct {
		name, text string
		from       int
		steps      []step
	}{
		{"the first instance comes with a poll", ``, 0, []step{{0, 0, 0}, {15, 1e-6, 0}, {30, 1e-6, 1}}},
		{"as many as the least number", `min_replica_count: 3`, 0, []step{{0, 1e-6, 3}}},
		{"what is not above the activation threshold brings none",
			`triggers: [{metric: offered, threshold: 0.7, activation_threshold: 0.5}]`, 0,
			[]step{{0, .5, 0}, {30, .51, 1}}},
		{"the last one goes after the cool-down, which is not over at its end", ``, 1,
			[]step{{0, .3, 1}, {30, 0, 1}, {300, 0, 1}, {330, 0, 0}}},
		{"of the last time when a trigger was active", ``, 1,
			[]step{{0, .3, 1}, {30, .3, 1}, {330, 0, 1}, {360, 0, 0}}},
		{"many go to none at once", `{cooldown_period: 10s, downscale_stabilization: 1h}`, 0,
			[]step{{0, 3, 1}, {15, 3, 4}, {30, 3, 5}, {45, 0, 5}, {60, 0, 0}}},
		{"from the beginning, the initial cool-down holds", `initial_cooldown_period: 30s`, 1,
			[]step{{0, 0, 1}, {30, 0, 1}, {60, 0, 0}}},
		{"with a least number of 1, none goes", `{min_replica_count: 1, cooldown_period: 0s}`, 1,
			[]step{{0, .1, 1}, {30, 0, 1}, {60, 0, 1}}},
		{"too few are made the least number", `{min_replica_count: 3}`, 2, []step{{0, 0, 3}}},
		{"idle ones stay, until a trigger is active", `{min_replica_count: 2, idle_replica_count: 0,
			cooldown_period: 0s}`, 2, []step{{0, .1, 2}, {30, 0, 0}, {60, 0, 0}, {90, .1, 2}}},
		{"the controller undoes a number of idle ones that is not 0", `{min_replica_count: 3, idle_replica_count: 1,
			cooldown_period: 0s}`, 3, []step{{0, 0, 3}, {30, 0, 1}, {45, 0, 3}}},
	} {
		o := newObject(t, c.from, c.text)
		for _, s := range c.steps {
			if got := o.at(s.at, s.load); got != s.want {
				t.Errorf("%s, at %d s with %v: %d (%s), want %d", c.name, s.at, s.load, got, o.said, s.want)
				o.n = s.want
			}
		}
	}
}

// A poll in which a trigger fails takes nothing away, unless the fallback is of no instance.
func TestExecutorOfTriggersThatFail(t *testing.T) {
	for text, want := range map[string]int{
		`{cooldown_period: 0s}`: 1,
		`{cooldown_period: 0s, fallback: {replicas: 2, failure_threshold: 9}}`:    1,
		`{cooldown_period: 0s, fallback: {replicas: 0, failure_threshold: 9}}`:    0,
		`{cooldown_period: 0s, triggers: [{metric: held, threshold: 1}]}`:         0, // which does not fail
		`{cooldown_period: 0s, min_replica_count: 1, idle_replica_count: 0}`:      1,
		`{cooldown_period: 0s, triggers: [{metric: processed, threshold: 0.01}]}`: 1,
	} {
		o := newObject(t, 1, text)
		if got := o.at(1, 0, missing); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
	}
}

// Between one and many it is the controller that decides, with each trigger as an external metric.
func TestController(t *testing.T) {
	const with = `horizontal_pod_autoscaler_config: {behavior: `
	const fast = `downscale_stabilization: 0s, polling_interval: 1h, `
	for _, c := range []struct {
		name, text string
		from       int
		load       float64
		want       int
	}{
		{"a threshold for each", `{` + fast + `triggers: [{metric: offered, threshold: 0.5}]}`, 4, 3.2, 7},
		{"within the tolerance of a tenth", `{` + fast + `triggers: [{metric: offered, threshold: 0.5}]}`, 4, 2.2, 4},
		{"beyond it", `{` + fast + `triggers: [{metric: offered, threshold: 0.5}]}`, 4, 2.21, 5},
		{"for all", `{` + fast + `triggers: [{metric: offered, threshold: 2, metric_type: Value}]}`, 4, 3, 6},
		{"the most of several", `{` + fast + `triggers: [{metric: offered, threshold: 0.5},
			{metric: flows, threshold: 1}]}`, 4, 1, 8},
		{"twice the number at most", `{` + fast + `}`, 4, 30, 8},
		{"most instances", `{` + fast + `max_replica_count: 5}`, 4, 30, 5},
		{"as many as a behavior allows", `{` + fast + with + `{scaleUp: {policies: [
			{type: Pods, value: 30, periodSeconds: 15}]}}}}`, 4, 20, 29},
		{"with the tolerance of its direction", `{` + fast + with + `{scaleUp: {tolerance: 0.5}}}}`, 4, 4.1, 4},
		{"a behavior without a window has that of the option", `{` + fast + with + `{}}}`, 4, .7, 1},
		{"or its own", `{` + fast + with + `{scaleDown: {stabilizationWindowSeconds: 300}}}}`, 4, .7, 4},
		{"fewest", `{` + fast + `min_replica_count: 3}`, 4, .1, 3},
	} {
		o := newObject(t, c.from, c.text)
		o.at(0, float64(c.from)*.7)
		o.n = c.from
		if got := o.at(15, c.load); got != c.want {
			t.Errorf("%s: %d (%s), want %d", c.name, got, o.said, c.want)
		}
	}
}

// One trigger that fails lets the number rise, and not fall. After some evaluations its fallback stands for it.
func TestControllerOfTriggersThatFail(t *testing.T) {
	o := newObject(t, 4, `{downscale_stabilization: 0s, triggers: [{metric: offered, threshold: 0.5},
		{metric: flows, threshold: 8}]}`)
	for i, c := range []struct {
		flows int32
		want  int
	}{{2, 4}, {2, 4}, {10, 5}, {2, 5}} {
		got := o.at(15*i, 1, missing, func(s *policy.Snapshot) {
			for k := range s.Instances {
				s.Instances[k].Flows = c.flows
			}
		})
		if got != c.want {
			t.Errorf("evaluation %d: %d (%s), want %d", i, got, o.said, c.want)
		}
	}
	o = newObject(t, 4, `{downscale_stabilization: 0s, fallback: {replicas: 7, failure_threshold: 2}}`)
	for i, want := range []int{4, 7, 7, 7} { // the first is a poll as well
		if got := o.at(15*i, .1, missing); got != want {
			t.Errorf("with a fallback, evaluation %d: %d (%s), want %d", i, got, o.said, want)
		}
	}
	if !strings.HasSuffix(o.said, "by the fallback") {
		t.Errorf("reason %q", o.said)
	}
	if got := o.at(60, 2.8); got != 4 {
		t.Errorf("counters are there again: %d (%s), want 4", got, o.said)
	}
	if want := []uint64{0, 0, 6, 4}; !slices.Equal(o.counts, want) {
		t.Errorf("counts %v, want %v", o.counts, want)
	}
}

// A queue is what the agents report, and fails while a report is missing, or none has come.
func TestQueue(t *testing.T) {
	o := newObject(t, 2, `{downscale_stabilization: 0s, triggers: [{metric: queue, threshold: 10}]}`)
	if got := options(t, `{triggers: [{metric: queue, threshold: 10}]}`).Measures(); got != policy.SetOf(policy.Queue) {
		t.Errorf("it measures %v", got)
	}
	queues := func(stale bool, of ...float64) func(*policy.Snapshot) {
		return func(s *policy.Snapshot) {
			for i := range s.Instances {
				s.Instances[i].Usage = telemetry.Usage{Queue: of[i%len(of)], Known: true, Stale: stale && i == 0}
			}
		}
	}
	for i, c := range []struct {
		edit func(*policy.Snapshot)
		want int
	}{
		{func(*policy.Snapshot) {}, 2}, {queues(false, 30, 1), 4}, {queues(true, 0), 4}, {queues(false, 5), 2},
	} {
		if got := o.at(15*i, 1, c.edit); got != c.want {
			t.Errorf("evaluation %d: %d (%s), want %d", i, got, o.said, c.want)
		}
	}
}

// A record writes what was read, and no behavior where there was none.
func TestOptionsAreWrittenAndReadBack(t *testing.T) {
	for _, text := range []string{`{}`,
		`{horizontal_pod_autoscaler_config: {behavior: {scaleUp: {selectPolicy: Min}}}, min_replica_count: 2}`,
		`{horizontal_pod_autoscaler_config: {behavior: {scaleDown: {stabilizationWindowSeconds: 0}}},
			fallback: {replicas: 3}}`} {
		o := options(t, text)
		written := string(strictyaml.YAML(&o))
		if again := options(t, written); !reflect.DeepEqual(again, o) {
			t.Errorf("%s: %+v is read back as %+v:\n%s", text, o, again, written)
		}
		if strings.Contains(written, "scaleUp:") != (o.Config != nil) {
			t.Errorf("%s is written as\n%s", text, written)
		}
	}
}

func TestWhatIsCounted(t *testing.T) {
	o := newObject(t, 0, `{cooldown_period: 0s}`)
	o.at(0, 1)
	o.at(30, 0)
	o.at(60, 0) // deactivated
	o.at(90, 1)
	if want := []uint64{2, 1, 0, 0}; !slices.Equal(o.counts, want) {
		t.Errorf("counts %v, want %v", o.counts, want)
	}
}

// It brings as many as it wants, while its time is, and the others when it is over.
func TestCronBringsInstances(t *testing.T) {
	o := newObject(t, 0, `{cooldown_period: 0s, downscale_stabilization: 0s, begins: 2026-01-05 07:58,
		polling_interval: 15s, cron: [{timezone: UTC, start: 0 8 * * *, end: 2 8 * * *, desired_replicas: 5}]}`)
	var got []int
	for at := 0; at <= 270; at += 30 {
		got = append(got, o.at(at, 0))
	}
	if want := []int{0, 0, 0, 0, 1, 4, 5, 5, 0, 0}; !slices.Equal(got, want) {
		t.Errorf("%v (%s), want %v", got, o.said, want)
	}
}

// What the controller asks for itself: the most of all, as with the triggers.
func TestResources(t *testing.T) {
	const quick = `downscale_stabilization: 0s, polling_interval: 1h, min_replica_count: 1, `
	use := func(cpu, memory float64, known bool) func(*policy.Snapshot) {
		return func(s *policy.Snapshot) {
			for k := range s.Instances {
				i := &s.Instances[k]
				i.Rate.Tx = cpu * 1e6
				i.Usage = telemetry.Usage{CPU: cpu / 2, Memory: memory, Known: known, Sampled: s.Now}
				i.Created, i.Ready = -1e6*second, -1e6*second
			}
		}
	}
	for _, c := range []struct {
		name, text string
		load       float64
		edit       func(*policy.Snapshot)
		want       int
	}{
		{"processed over the limit", `resources: [{name: cpu, metric_type: Utilization, value: 40}]`, 0,
			use(.8, 0, true), 8},
		{"what agents report", `cpu: reported, resources: [{name: cpu, metric_type: AverageValue, value: 0.32}]`, 0,
			use(.8, 0, true), 5},
		{"memory", `resources: [{name: memory, metric_type: AverageValue, value: 100}]`, 0, use(0, 150, true), 6},
		{"a trigger that wants more", `resources: [{name: memory, metric_type: AverageValue, value: 100}],
			triggers: [{metric: offered, threshold: 0.5}]`, 3.5, use(0, 150, true), 7},
		{"one that wants fewer", `resources: [{name: memory, metric_type: AverageValue, value: 100}],
			triggers: [{metric: offered, threshold: 0.5}]`, 1, use(0, 150, true), 6},
		{"nothing is known, and another wants fewer", `resources: [{name: memory, metric_type: AverageValue,
			value: 100}], triggers: [{metric: offered, threshold: 0.5}]`, 1, use(0, 150, false), 4},
	} {
		o := newObject(t, 4, `{`+quick+c.text+`}`)
		o.at(0, .1, use(.4, 100, true))
		o.n = 4
		if got := o.at(15, c.load, c.edit); got != c.want {
			t.Errorf("%s: %d (%s), want %d", c.name, got, o.said, c.want)
		}
	}
	if got := options(t, `{cpu: reported, resources: [{name: cpu, metric_type: Utilization, value: 50},
		{name: memory, metric_type: AverageValue, value: 1}]}`).Measures(); got != policy.SetOf(policy.CPU,
		policy.Memory) {
		t.Errorf("it measures %v", got)
	}
	// Alone, they always have something to do.
	o := newObject(t, 2, `{min_replica_count: 1, cooldown_period: 0s, idle_replica_count: 0,
		resources: [{name: cpu, metric_type: Utilization, value: 50}]}`)
	if o.at(0, 0, use(.5, 0, true)); o.n != 2 {
		t.Errorf("%d (%s), want 2", o.n, o.said)
	}
}

// A formula sees the metrics in the units of their thresholds, cut off to thousandths.
func TestFormula(t *testing.T) {
	const names = `triggers: [{name: packets, metric: offered, threshold: 1},
		{name: flows, metric: flows, threshold: 1}]`
	for _, c := range []struct {
		name, formula, more string
		load                float64
		want                int
	}{
		{"a sum", `packets + 0.25 * flows`, ``, 4, 6},
		{"a choice, of whole numbers", `packets > 3 ? 5 : 2`, ``, 4, 5},
		{"of a list", `count([packets, flows], {# > 3}) > 1 ? 7 : 1`, ``, 4, 7},
		{"for all", `packets`, `, metric_type: Value`, 2, 8},
		{"powers", `packets ** 2 - 10 + 2 ^ 0`, ``, 4, 7},
		{"cut off", `packets * 1000 - 3999`, ``, 4.0019, 2}, // 4.001 in the formula
		{"no number", `packets / 0 - 1 / 0`, ``, 4, 4},
		{"below 0, which the controller takes for more than it can count", `packets - 5`, ``, 4, 8},
		{"but not where it is for all", `packets - 5`, `, metric_type: Value`, 4, 1},
	} {
		o := newObject(t, 4, `{downscale_stabilization: 0s, polling_interval: 1h, tolerance: 0, `+names+
			`, scaling_modifiers: {formula: '`+c.formula+`', target: 1`+c.more+`}}`)
		o.at(0, 4)
		o.n = 4
		if got := o.at(15, c.load); got != c.want {
			t.Errorf("%s: %d (%s), want %d", c.name, got, o.said, c.want)
		}
	}
	// With it, its own activation target says whether there is anything to do.
	o := newObject(t, 0, `{`+names+`, scaling_modifiers: {formula: packets, target: 1, activation_target: 0.5}}`)
	for at, want := range []int{0, 1} {
		if got := o.at(30*at, .5+.1*float64(at)); got != want {
			t.Errorf("poll %d: %d (%s), want %d", at, got, o.said, want)
		}
	}
}

// While a trigger fails, so does the formula; then the fallback stands for it, or the formula says what does.
func TestFormulaOfTriggersThatFail(t *testing.T) {
	const with = `{downscale_stabilization: 0s, polling_interval: 1h, cooldown_period: 1h, triggers: [
		{name: packets, metric: offered, threshold: 1}, {name: flows, metric: flows, threshold: 1}],
		scaling_modifiers: {target: 1, formula: `
	for _, c := range []struct {
		name, rest string
		want       []int
	}{
		{"no fallback", `packets}}`, []int{4, 4, 4}},
		{"its replicas", `packets}, fallback: {failure_threshold: 2, replicas: 6}}`, []int{4, 6, 6}},
		{"the formula", `'packets ?? (flows - 1)'}, fallback: {failure_threshold: 2, replicas: 6,
			behavior: scalingModifiers}}`, []int{4, 7, 7}},
		{"the formula says nothing", `'packets ?? nil'}, fallback: {failure_threshold: 2, replicas: 6,
			behavior: scalingModifiers}}`, []int{4, 6, 6}},
	} {
		o := newObject(t, 4, with+c.rest)
		var got []int
		for i := range c.want {
			o.n = 4
			got = append(got, o.at(15*i, 4, missing))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%s), want %v", c.name, got, o.said, c.want)
		}
	}
}

// Powers are those of the standard library, to 13 digits.
func TestPowers(t *testing.T) {
	for _, x := range []float64{0, .5, 1, 2, 3, 1e3, -2, -1.5} {
		for _, y := range []float64{0, 1, 2, 10, -3, .5, 1.7, 64, 100, -0.25} {
			got, err := power(x, y)
			want := math.Pow(x, y)
			if err != nil {
				if !math.IsNaN(want) && !math.IsInf(want, 0) && x > 0 {
					t.Errorf("%v to the power of %v: %v, want %v", x, y, err, want)
				}
				continue
			}
			if g := got.(float64); g != want && math.Abs(g-want) > 1e-13*math.Abs(want) {
				t.Errorf("%v to the power of %v: %v, want %v", x, y, g, want)
			}
		}
	}
}

func TestRefusesWhatDoesNotFit(t *testing.T) {
	const two = `triggers: [{name: a, metric: offered, threshold: 1}, {name: b, metric: flows, threshold: 1}]`
	const one = `triggers: [{metric: offered, threshold: 1}]`
	const same = `triggers: [{name: a, metric: offered, threshold: 1}, {name: a, metric: held, threshold: 1}]`
	const day = `start: 0 8 * * *, end: 0 9 * * *, desired_replicas: 1`
	for _, c := range []struct{ text, want string }{
		{two + `, scaling_modifiers: {formula: a + c, target: 1}`,
			`scaling_modifiers.formula: "a + c": unknown name c`},
		{two + `, scaling_modifiers: {formula: a + now().Unix(), target: 1}`, `unknown name now`},
		{two + `, scaling_modifiers: {formula: '[a][1]', target: 1}`, `with -1 for each trigger: index out of range`},
		{two + `, scaling_modifiers: {formula: a, target: 0.5}, fallback: {replicas: 1}`,
			`scaling_modifiers.target: 0.5: want a whole`},
		{one + `, scaling_modifiers: {formula: a, target: 1}`, `offered has none`},
		{same + `, scaling_modifiers: {formula: a, target: 1}`, `two are called a`},
		{`fallback: {replicas: 1, behavior: scalingModifiers}`, `fallback.behavior: scalingModifiers: want`},
		{`resources: [{name: cpu, metric_type: Utilization, value: 50}]`, `min_replica_count: 0: want 1 or more`},
		{`resources: [{name: cpu, metric_type: Utilization, value: 0.5}]`, `resources.0.value: 0.5: want whole`},
		{`resources: [{name: memory, metric_type: Utilization, value: 5}]`, `resources.0.metric_type: Utilization`},
		{`cron: [{timezone: Berlin, ` + day + `}]`, `cron.0.timezone: "Berlin": want`},
		{`cron: [{timezone: UTC, start: 0 8 * * *, end: 0 8 * * *, desired_replicas: 1}]`,
			`cron.0.end: "0 8 * * *": want`},
		{`begins: today, cron: [{timezone: UTC, ` + day + `}]`, `begins: "today": want a date`},
	} {
		_, err := newKEDA(options(t, "{"+c.text+"}"), policy.Env{})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v, want %s", c.text, err, c.want)
		}
	}
}

func TestRefusesNumbersOutOfOrder(t *testing.T) {
	for text, want := range map[string]string{
		`{min_replica_count: 3, max_replica_count: 2}`:  "min_replica_count: 3: want at most max_replica_count",
		`{min_replica_count: 2, idle_replica_count: 2}`: "idle_replica_count: 2: want less than min_replica_count",
	} {
		if _, err := newKEDA(options(t, text), policy.Env{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", text, err)
		}
	}
}

// BenchmarkFormula is an evaluation of 1,000 instances by a formula of three triggers.
func BenchmarkFormula(b *testing.B) {
	p, err := newKEDA(options(b, `{triggers: [{name: x, metric: offered, threshold: 1},
		{name: y, metric: flows, threshold: 1}], cron: [{name: z, timezone: Europe/Berlin, start: 0 8 * * *,
		end: 0 18 * * *, desired_replicas: 4}], scaling_modifiers: {formula: 'x > 3 ? max(x, y / 4) : z', target: 1}}`),
		policy.Env{Counts: make([]uint64, len(Scalers[0].Counters))})
	if err != nil {
		b.Fatal(err)
	}
	s := &policy.Snapshot{Current: 1000, Wanted: 1000, Min: 1, Max: 2000, Limit: 1e6, Window: second, Measured: true}
	for id := range 1000 {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(id + 1), State: policy.Ready, Flows: 2,
			Rate: telemetry.Rate{Rx: 1e6, Known: true}})
	}
	var steps policy.Steps
	b.ReportAllocs()
	for range b.N {
		s.Now += second
		steps = steps[:0]
		p.Evaluate(s, &steps)
	}
}
