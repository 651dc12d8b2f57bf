package kubernetes

import (
	"strings"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// reported has hpa go by the cpu that an agent reports.
const reported = "cpu: reported\n"

// What of a snapshot stands for what: the number that a metric proposes, and the condition.
func TestWhatStandsForWhat(t *testing.T) {
	const late = 1000 * units.Second
	instance := func(edit func(*policy.Instance)) policy.Instance {
		i := policy.Instance{State: policy.Ready, Ready: units.Second,
			Rate: telemetry.Rate{Rx: 12, Tx: 8, RxBits: 768, Known: true, Sampled: late}}
		if edit != nil {
			edit(&i)
		}
		return i
	}
	plain := instance(nil)
	starting := policy.Instance{State: policy.Starting, Ready: units.Never}
	quiet := instance(func(i *policy.Instance) { i.Rate.Tx = 1 })
	draining := instance(func(i *policy.Instance) { i.State = policy.Draining })
	stale := instance(func(i *policy.Instance) { i.Rate.Stale = true })
	unread := instance(func(i *policy.Instance) { i.Rate = telemetry.Rate{} })
	usage := telemetry.Usage{CPU: 0.8, Memory: 3e6, Queue: 12, Delay: [4]float64{1e-6, 2e-6, 3e-6, 4e-6},
		Known: true, Sampled: late}
	reports := instance(func(i *policy.Instance) { i.Rate.Tx, i.Usage = 1, usage })
	silent := instance(func(i *policy.Instance) { i.Usage = usage; i.Usage.Stale = true })
	fresh := instance(func(i *policy.Instance) {
		i.Created, i.Ready, i.Usage = late-10*units.Second, late-5*units.Second, usage
	})
	young := func(sampled units.Time) policy.Instance {
		return instance(func(i *policy.Instance) {
			i.Created, i.Ready, i.Rate.Sampled = late-10*units.Second, late-5*units.Second, sampled
		})
	}
	const (
		cpu       = `type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 40}}`
		cores     = `type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 400m}}`
		container = `type: ContainerResource, containerResource: {name: cpu, container: vnf, target: {type: Utilization,
    averageUtilization: 40}}`
		offered   = `type: Pods, pods: {metric: {name: offered}, target: {type: AverageValue, averageValue: 8}}`
		processed = `type: Pods, pods: {metric: {name: processed}, target: {type: AverageValue, averageValue: 4}}`
		object    = `type: Object, object: {metric: {name: offered}, target: {type: Value, value: 12}}`
		objectFor = `type: Object, object: {metric: {name: processed}, target: {type: AverageValue, averageValue: 4}}`
		external  = `type: External, external: {metric: {name: processed}, target: {type: Value, value: 8}}`
		each      = `type: External, external: {metric: {name: offered}, target: {type: AverageValue, averageValue: 5}}`
	)
	pods := func(name, value string) string {
		return "type: Pods, pods: {metric: {name: " + name + "}, target: {type: AverageValue, averageValue: " + value +
			"}}"
	}
	const memory = `type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 1M}}`
	of := func(instances ...policy.Instance) []policy.Instance { return instances }
	for _, c := range []struct {
		name, metric string
		of           []policy.Instance
		want         int // recommended
		reason       string
	}{
		// 8 processed of a limit of 10 are 80 %, twice the target.
		{"cpu", cpu, of(plain, plain), 4, "ValidMetricFound: Resource cpu at 80 % of 40 % wants 4"},
		{"cpu in cores", cores, of(plain, plain), 4, "ValidMetricFound: Resource cpu at 0.8 of 0.4 each wants 4"},
		{"cpu of a container", container, of(plain, plain), 4, "ValidMetricFound: ContainerResource cpu at 80 %"},
		{"one that drains is ignored", cpu, of(plain, plain, draining), 4, ""},
		{"one that starts is taken to be idle in a scale-out", cpu, of(plain, plain, starting), 4, ""},
		{"one that starts says nothing in a scale-in", cpu, of(quiet, quiet, starting), 1, ""},
		{"so is one whose counters are missing", cpu, of(plain, plain, stale), 4, ""},
		{"or were never read", cpu, of(plain, plain, unread), 4, ""},
		{"a young one, a window after it was ready", cpu, of(plain, young(late-4*units.Second)), 4, ""},
		{"a young one, less than that", cpu, of(plain, young(late-4*units.Second-1)), 2, "wants 2"},
		{"cpu, and nothing measured", cpu, of(unread, starting), 2, "FailedGetResourceMetric: "},
		{"no instance", cpu, nil, 2, "FailedGetResourceMetric: "},

		{"offered", offered, of(plain, plain), 3, "Pods offered at 1.2e-05 Mpps of 8e-06 Mpps each wants 3"},
		{"processed", processed, of(plain, plain), 4, ""},
		{"a young one counts", offered, of(plain, young(late-4*units.Second-1)), 3, ""},
		{"one that starts does not", offered, of(plain, plain, starting), 2, ""}, // 24 over three
		{"counters are missing", offered, of(plain, stale), 2, ""},
		{"nothing measured", offered, of(unread), 2, "FailedGetPodsMetric: "},

		// 24 offered by two are twice 12; the ready ones are multiplied, those that drain among them.
		{"object", object, of(plain, plain), 4, "Object offered at 2.4e-05 Mpps of 1.2e-05 Mpps wants 4"},
		{"object, with others", object, of(plain, draining, starting), 4, ""},
		{"object for each", objectFor, of(plain, plain), 4, "each wants 4"},
		{"external", external, of(plain, plain), 4, ""},
		{"no instance to multiply", external, nil, 2, "FailedGetExternalMetric: "}, // found with the running controller
		{"external for each", each, of(plain, plain), 5, "External offered at 1.2e-05 Mpps of 5e-06 Mpps each wants 5"},

		// What an agent reports: 0.8 of a core is twice 40 %, 3 MB are three times 1 MB.
		{"reported cpu", reported + cpu, of(reports, reports), 4, "Resource cpu at 80 % of 40 % wants 4"},
		{"reported cpu in cores", reported + cores, of(reports, reports), 4, "Resource cpu at 0.8 of 0.4 each wants 4"},
		{"an agent that is silent is missing", reported + cpu, of(reports, silent), 2, ""},
		{"one that is too young for the period of the reports", reported + cpu, of(reports, fresh), 2, ""},
		{"no agent has reported", reported + cpu, of(plain, plain), 2, "FailedGetResourceMetric: "},
		{"memory", memory, of(reports, reports), 6, "Resource memory at 3e+06 of 1e+06 each wants 6"},
		{"bits", pods("bits", "512"), of(plain, plain), 3, "Pods bits at 768 of 512 each wants 3"},
		{"queue", pods("queue", "8"), of(reports, reports), 3, "Pods queue at 12 of 8 each wants 3"},
		{"delay in microseconds", pods("delay-p99", "1500m"), of(reports, reports), 4,
			"Pods delay-p99 at 3 of 1.5 each wants 4"},
	} {
		metric, said := strings.CutPrefix(c.metric, reported)
		text := "spec:\n  maxReplicas: 99\n  metrics:\n  - {" + metric + "}\n"
		if said {
			text = reported + text
		}
		p := mustNew(t, text)
		s := &policy.Snapshot{Now: late, Current: len(c.of), Wanted: 2, Min: 1, Max: 99, Limit: 10,
			Window: units.Second, Period: 6 * units.Second, Measured: true, Instances: c.of}
		var steps policy.Steps
		p.Evaluate(s, &steps)
		if got := steps[0]; got.Desired != c.want || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%s: %d (%s), want %d (%s)", c.name, got.Desired, got.Reason, c.want, c.reason)
		}
	}
}

// loaded are so many instances, each with the same load, of a limit of 1000.
func loaded(n int, load float64) *policy.Snapshot {
	s := &policy.Snapshot{Current: n, Wanted: n, Min: 1, Max: 99, Limit: 1000, Window: units.Second, Measured: true}
	for id := range n {
		s.Instances = append(s.Instances, policy.Instance{ID: flow.Instance(id + 1), State: policy.Ready,
			Rate: telemetry.Rate{Rx: load, Tx: load, Known: true, Sampled: units.Second}})
	}
	return s
}

const utilizationOf50 = `
  metrics:
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}`

// A quotient that falls just short of a whole number is that number.
func TestSharesAreRounded(t *testing.T) {
	for percent := 1; percent <= 100; percent++ {
		for _, limit := range []float64{1e7, 1e7 / 3, 4.65e6 / 7, 148.8e6 / 11} {
			s := loaded(1, float64(limit*float64(percent))/100)
			s.Limit = limit
			p := mustNew(t, "{}").(*scaler)
			if _, found, err := p.propose(&p.measures[0], s, 1); found != int64(percent) || err != nil {
				t.Errorf("%d %% of %v is taken for %d %%, %v", percent, limit, found, err)
			}
		}
	}
}

func TestSeveralMetrics(t *testing.T) {
	const more = `
  - {type: Pods, pods: {metric: {name: offered}, target: {type: AverageValue, averageValue: 100}}}`
	edited := func(s *policy.Snapshot, edit func(*policy.Instance)) *policy.Snapshot {
		for i := range s.Instances {
			edit(&s.Instances[i])
		}
		return s
	}
	// Only a metric of cpu asks for a window after readiness: such instances have no cpu, and an offered rate.
	young := func(i *policy.Instance) { i.Ready, i.Rate.Sampled = 0, 0 }
	for _, c := range []struct {
		name   string
		s      *policy.Snapshot
		want   int // recommended
		reason string
	}{
		{"the most counts", loaded(2, 500), 10,
			"50 % of 50 % wants 2; Pods offered at 0.0005 Mpps of 0.0001 Mpps each wants 10"},
		{"one fails, and the other wants more", edited(loaded(2, 500), young), 10, "ValidMetricFound: Pods offered"},
		{"one fails, and the other would keep the number", edited(loaded(2, 100), young), 2, "ValidMetricFound: Pods"},
		{"one fails, and the other would have fewer", edited(loaded(2, 10), young), 2, "FailedGetResourceMetric: "},
		{"both fail", edited(loaded(2, 10), func(i *policy.Instance) { i.Rate.Known = false }), 2,
			"FailedGetResourceMetric: "},
	} {
		p := mustNew(t, "spec:"+utilizationOf50+more)
		var steps policy.Steps
		p.Evaluate(c.s, &steps)
		if got := steps[0]; got.Desired != c.want || !strings.Contains(got.Reason, c.reason) {
			t.Errorf("%s: %d (%s), want %d (%s)", c.name, got.Desired, got.Reason, c.want, c.reason)
		}
	}
	t.Run("without counters there is no total", func(t *testing.T) {
		p := mustNew(t, "spec:\n  metrics:\n  - {type: External, external: {metric: {name: offered}, "+
			"target: {type: Value, value: 1}}}")
		s := loaded(2, 0)
		s.Measured = false
		var steps policy.Steps
		if n := p.Evaluate(s, &steps).Desired; n != 2 || condition(steps[0].Reason) != "FailedGetExternalMetric" {
			t.Errorf("%d, %v, want 2", n, steps)
		}
	})
}

// The bounds of the manifest and of the scenario hold both. Where they exclude each other, the scenario's do.
func TestBounds(t *testing.T) {
	const slow = "{behavior: {scaleUp: {policies: [{type: Pods, value: 1, periodSeconds: 60}]}}}"
	for _, c := range []struct {
		name              string
		spec              string
		least, most       int // of the scenario
		wanted            int
		load              float64
		want              int
		kind, reasonBegin string // of the last step
	}{
		{"most of the manifest", "{maxReplicas: 5}", 1, 9, 4, 1000, 5, "clamp", "TooManyReplicas"},
		{"most of the scenario", "{maxReplicas: 50}", 1, 5, 4, 1000, 5, "clamp", "TooManyReplicas"},
		{"no most in the manifest", "{}", 1, 5, 4, 1000, 5, "clamp", "TooManyReplicas"},
		{"least of the manifest", "{minReplicas: 3}", 1, 9, 4, 0, 3, "clamp", "TooFewReplicas"},
		{"least of the scenario", "{minReplicas: 2}", 3, 9, 4, 0, 3, "clamp", "TooFewReplicas"},
		{"no least in the manifest", "{}", 0, 9, 4, 0, 1, "clamp", "TooFewReplicas"},
		{"the manifest has fewer", "{maxReplicas: 2}", 4, 9, 4, 1000, 4, "clamp", "TooManyReplicas"},
		{"the manifest has more", "{minReplicas: 20}", 1, 9, 4, 0, 9, "recommend", "fewer than"},
		{"more than the most", "{maxReplicas: 5}", 1, 9, 7, 1000, 5, "recommend", "more than"},
		{"fewer than the least", "{minReplicas: 5}", 1, 9, 4, 0, 5, "recommend", "fewer than"},
		{"none is wanted", "{}", 0, 9, 0, 1000, 0, "clamp", ""},
		{"none is wanted, and the scenario wants some", "{}", 3, 9, 0, 1000, 3, "clamp", "at least 3"},
		{"twice the number", "{}", 1, 99, 4, 1000, 8, "rate-limit", "ScaleUpLimit"},
		{"what the policies allow", slow, 1, 99, 4, 1000, 5, "rate-limit", "ScaleUpLimit"},
	} {
		p := mustNew(t, "{downscale_stabilization: 0s, spec: "+c.spec+"}").(*scaler)
		p.measures[0].target, p.begun = 40, true // nothing was recommended before
		s := loaded(4, c.load)
		s.Now, s.Wanted, s.Min, s.Max = 400*units.Second, c.wanted, c.least, c.most
		var steps policy.Steps
		n := p.Evaluate(s, &steps).Desired
		last := steps[len(steps)-1]
		if n != c.want || last.Kind != c.kind || !strings.HasPrefix(last.Reason, c.reasonBegin) {
			t.Errorf("%s: %d, %v, want %d by %s: %s", c.name, n, steps, c.want, c.kind, c.reasonBegin)
		}
	}
}

// An instance that failed is still wanted: the number to which the metric is compared does not fall, and the proposal
// brings it back. A total for each is divided by those that there are.
func TestAFailedInstance(t *testing.T) {
	const each = `
  metrics:
  - {type: External, external: {metric: {name: offered}, target: {type: AverageValue, averageValue: 480}}}`
	for spec, want := range map[string]int{utilizationOf50: 4, each: 3} {
		p := mustNew(t, "downscale_stabilization: 0s\nspec:"+spec).(*scaler)
		p.begun = true
		s := loaded(3, 500)
		s.Wanted = 4
		if n := p.Evaluate(s, new(policy.Steps)).Desired; n != want {
			t.Errorf("%s: %d, want %d", spec, n, want)
		}
	}
}

// The number at the first evaluation counts as recommended then, and it is the recommendations before they are
// stabilised that are remembered.
func TestWhatIsRemembered(t *testing.T) {
	p := mustNew(t, "downscale_stabilization: 30s\nspec:"+utilizationOf50)
	for _, c := range []struct {
		second, n int
		load      float64
		want      int
	}{
		{0, 6, 250, 6}, {15, 6, 165, 6}, {30, 6, 165, 6}, {31, 6, 165, 2},
		{45, 2, 80, 2}, {61, 2, 80, 2}, {62, 2, 80, 1},
	} {
		s := loaded(c.n, c.load)
		s.Now = units.Time(c.second) * units.Second
		var steps policy.Steps
		if n := p.Evaluate(s, &steps).Desired; n != c.want {
			t.Errorf("at %d s: %d, %v, want %d", c.second, n, steps, c.want)
		}
	}
}

// Tolerances and windows of the behavior come before those of the flags, each for its direction.
func TestBehaviorBeforeFlags(t *testing.T) {
	for _, c := range []struct {
		options string
		load    float64 // of 500, with 10 instances
		want    int
	}{
		{"", 549, 10}, {"", 560, 12}, {"", 451, 10}, {"", 449, 9},
		{"tolerance: 0.3", 649, 10}, {"tolerance: 0.3", 660, 14},
		{"tolerance: 0.3", 351, 10}, {"tolerance: 0.3", 349, 7},
		{"spec.behavior.scaleUp.tolerance: 0.3", 649, 10}, {"spec.behavior.scaleUp.tolerance: 0.3", 449, 9},
		{"spec.behavior.scaleDown.tolerance: 300m", 560, 12}, {"spec.behavior.scaleDown.tolerance: 300m", 351, 10},
		{"spec.behavior.scaleDown.tolerance: 0", 499, 10}, {"spec.behavior.scaleDown.tolerance: 0", 489, 10},
	} {
		text := "spec:" + utilizationOf50 + "\n  behavior: {scaleDown: {stabilizationWindowSeconds: 0}}\n"
		switch key, value, _ := strings.Cut(c.options, ": "); key {
		case "tolerance":
			text += c.options + "\n"
		case "spec.behavior.scaleUp.tolerance":
			text = strings.Replace(text, "{scaleDown", "{scaleUp: {tolerance: "+value+"}, scaleDown", 1)
		case "spec.behavior.scaleDown.tolerance":
			text = strings.Replace(text, "Seconds: 0", "Seconds: 0, tolerance: "+value, 1)
		}
		if n := mustNew(t, text).Evaluate(loaded(10, c.load), new(policy.Steps)).Desired; n != c.want {
			t.Errorf("%s, load %v: %d, want %d", c.options, c.load, n, c.want)
		}
	}
	t.Run("the flag in whole seconds", func(t *testing.T) {
		for text, want := range map[string]units.Time{
			"{downscale_stabilization: 2500ms}":                                2500 * units.Millisecond,
			"{downscale_stabilization: 2500ms, spec: {behavior: {}}}":          2 * units.Second,
			"{spec: {behavior: {scaleDown: {stabilizationWindowSeconds: 7}}}}": 7 * units.Second,
			"{spec: {behavior: {scaleDown: {stabilizationWindowSeconds: 0}}}}": 0,
			"{spec: {behavior: {scaleUp: {stabilizationWindowSeconds: 7}}}}":   300 * units.Second,
		} {
			if got := mustNew(t, text).(*scaler).down; got != want {
				t.Errorf("%s: %v, want %v", text, got, want)
			}
		}
	})
}

// What is remembered does not grow with time, and neither does what an evaluation allocates.
func TestMemoryIsBounded(t *testing.T) {
	p := mustNew(t, "spec:"+utilizationOf50+"\n  behavior: {}\n").(*scaler)
	s := loaded(8, 500)
	at := func(tick int) *policy.Snapshot {
		s.Now, s.Wanted = units.Time(tick)*units.Second, 8+tick%2*2
		return s
	}
	steps := make(policy.Steps, 0, 8)
	for tick := range 1000 {
		steps = steps[:0]
		p.Evaluate(at(tick), &steps)
	}
	if n, c := len(p.past), len(p.changes.ups)+len(p.changes.downs); n > 302 || c > 32 {
		t.Errorf("%d recommendations and %d changes are remembered, want at most 302 and 32", n, c)
	}
	tick := 1000
	if n := testing.AllocsPerRun(1000, func() {
		steps = steps[:0]
		p.Evaluate(at(tick), &steps)
		tick += 2
	}); n > 0 {
		t.Errorf("%v allocations an evaluation, want none while the reason stays", n)
	}
}

func BenchmarkEvaluate1000(b *testing.B) {
	for _, text := range []string{"{}", "spec: {behavior: {}}"} {
		b.Run(text, func(b *testing.B) {
			p := mustNew(b, text)
			s := loaded(1000, 500)
			s.Max = 1000
			steps := make(policy.Steps, 0, 8)
			b.ReportAllocs()
			for b.Loop() {
				s.Now += units.Second
				steps = steps[:0]
				p.Evaluate(s, &steps)
			}
		})
	}
}
