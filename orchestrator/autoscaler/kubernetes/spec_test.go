package kubernetes

import (
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/policy/policytest"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// What the API server stored of a posted object, and what it refused.
func TestPostedObjects(t *testing.T) {
	type spec struct {
		MinReplicas *int `yaml:"minReplicas"`
		Metrics     [][]any
		Behavior    *behaviorGiven
	}
	// The keys that the refusals speak of.
	refused := map[string][]string{
		"min-0":         {"spec.minReplicas"},
		"window-3601":   {"spec.behavior.scaleUp.stabilizationWindowSeconds"},
		"period-1801":   {"spec.behavior.scaleUp.policies.0.periodSeconds"},
		"no-policies":   {"spec.behavior.scaleUp.policies"},
		"min-above-max": {"spec.maxReplicas"},
	}
	for _, c := range policytest.Observed[struct {
		ID     string
		Given  spec
		Stored *spec
		Error  string
	}](t, "hpa", "what the API server makes of a posted object") {
		text := "spec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}\n  maxReplicas: 10\n"
		if c.Given.MinReplicas != nil {
			text += "  minReplicas: " + strconv.Itoa(*c.Given.MinReplicas) + "\n"
		}
		text += c.Given.Behavior.yaml()
		var o Options
		err := strictyaml.Decode("hpa.yaml", []byte(text), &o, nil)
		if c.Error != "" {
			for _, key := range append(refused[c.ID], "hpa.yaml:") {
				if err == nil || refused[c.ID] == nil || !strings.Contains(err.Error(), key) {
					t.Errorf("%s: error %v, want one about %s: %s", c.ID, err, key, c.Error)
				}
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.ID, err)
			continue
		}
		s := &o.Spec
		if want := c.Stored.MinReplicas; want != nil && s.MinReplicas != *want {
			t.Errorf("%s: minReplicas %d, want %d", c.ID, s.MinReplicas, *want)
		}
		if want := c.Stored.Metrics; want != nil {
			r := s.Metrics[0].Resource
			got := []any{s.Metrics[0].Type, r.Name, r.Target.Type, r.Target.AverageUtilization}
			if len(s.Metrics) != 1 || len(want) != 1 || !reflect.DeepEqual(got, want[0]) {
				t.Errorf("%s: metrics %v, want %v", c.ID, got, want)
			}
		}
		if got, want := stored(s.Behavior), c.Stored.Behavior; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: behavior %+v, want %+v", c.ID, got, want)
		}
	}
}

// stored is a behavior as the vectors have it.
func stored(b *Behavior) *behaviorGiven {
	if b == nil {
		return nil
	}
	rules := func(r *Rules) *rulesGiven {
		g := &rulesGiven{Select: r.SelectPolicy, Policies: &[][]any{}}
		if w := r.StabilizationWindowSeconds; w >= 0 {
			g.Window = &w
		}
		for _, p := range r.Policies {
			*g.Policies = append(*g.Policies, []any{p.Type, p.Value, p.PeriodSeconds})
		}
		if r.Tolerance != "" {
			x := r.Tolerance.Float()
			g.Tolerance = &x
		}
		return g
	}
	return &behaviorGiven{rules(&b.ScaleUp), rules(&b.ScaleDown)}
}

func TestMistakesInASpec(t *testing.T) {
	metric := func(text string) string { return "spec: {metrics: [{" + text + "}]}" }
	pods := func(target string) string {
		return metric("type: Pods, pods: {metric: {name: offered}, target: {" + target + "}}")
	}
	cpu := func(target string) string {
		return metric("type: Resource, resource: {name: cpu, target: {" + target + "}}")
	}
	const one = "target: {type: AverageValue, averageValue: 1}"
	for _, c := range []struct{ text, want string }{
		{"tolerance: -1", `tolerance: found "-1", expected a number not below 0`},
		{"spec: 3", `spec: found "3", expected a mapping with the keys scaleTargetRef, minReplicas, maxReplicas, `},
		{"spec: {replicas: 3}", "spec.replicas: found an unknown key"},
		{"spec: {minReplicas: -1}", `spec.minReplicas: found "-1", expected a whole number above 0`},
		{"spec: {maxReplicas: 0}", `spec.maxReplicas: found "0", expected a whole number above 0`},
		{"spec: {maxReplicas: 2147483648}", `spec.maxReplicas: found "2147483648", expected at most 2147483647`},

		{"spec: {metrics: 3}", `spec.metrics: found "3", expected a list of metrics as in autoscaling/v2`},
		{metric("type: Memory"),
			`0.type: found "Memory", expected one of Resource, ContainerResource, Pods, Object, External`},
		{metric("type: Resource, resource: {name: disk, " + one + "}"),
			`0.resource.name: found "disk", expected one of cpu, memory`},
		{metric("type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 50}}"),
			"0.resource.target.type: found \"Utilization\", expected AverageValue with memory, of which an instance"},
		{metric("type: Object, object: {describedObject: {name: x}, metric: {name: delay-p99}, target: {type: Value, " +
			"value: 1}}"), "0.object.metric.name: found \"delay-p99\", expected type: Pods with a delay"},
		{metric("type: Pods, pods: {metric: {name: latency}, " + one + "}"),
			`0.pods.metric.name: found "latency", expected one of offered, processed`},
		{metric("type: Pods, pods: {metric: {name: offered, selector: {}}, " + one + "}"),
			"0.pods.metric.selector: found an unknown key, expected one of name"},
		{metric("type: Pods"), "0.pods: found no such key, expected what type: Pods measures"},
		{metric("type: Pods, external: {metric: {name: offered}, " + one + "}"),
			"0.external: found a mapping, expected no such key with type: Pods"},
		{pods("type: Value, value: 1"), `0.pods.target.type: found "Value", expected AverageValue for type: Pods`},
		{pods("type: AverageValue"),
			"target.averageValue: found no such key, expected a quantity above 0 with type: AverageValue"},
		{pods("type: AverageValue, averageValue: 0"),
			`target.averageValue: found "0", expected a quantity above 0 with type: AverageValue`},
		{pods("type: AverageValue, averageValue: 1, value: 2"),
			`target.value: found "2", expected no such key with type: AverageValue`},
		{cpu("type: Utilization, averageUtilization: 0"),
			`target.averageUtilization: found "0", expected a percentage above 0 with type: Utilization`},
		{cpu("type: Utilization, averageUtilization: 50, averageValue: -1"),
			`target.averageValue: found "-1", expected a quantity such as 10M, 500m or 4650k`},

		{"spec: {behavior: {scaleDown: {stabilizationWindowSeconds: -1}}}",
			`spec.behavior.scaleDown.stabilizationWindowSeconds: found "-1", expected 0 to 3600`},
		{"spec: {behavior: {scaleUp: {stabilizationWindowSeconds: -1}}}",
			`spec.behavior.scaleUp.stabilizationWindowSeconds: found "-1", expected 0 to 3600`},
		{"spec: {behavior: {scaleUp: {policies: [{type: Cores, value: 1, periodSeconds: 1}]}}}",
			`spec.behavior.scaleUp.policies.0.type: found "Cores", expected one of Pods, Percent`},
		{"spec: {behavior: {scaleUp: {selectPolicy: Most}}}",
			`spec.behavior.scaleUp.selectPolicy: found "Most", expected one of Max, Min, Disabled`},
		{"spec: {behavior: {scaleUp: {tolerance: much}}}",
			`spec.behavior.scaleUp.tolerance: found "much", expected a quantity`},
	} {
		var o Options
		err := strictyaml.Decode("hpa.yaml", []byte(c.text), &o, nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// What a program fills in wrongly is an error, and what it leaves out is completed.
func TestASpecOfAProgram(t *testing.T) {
	for want, s := range map[string]Spec{
		"":                                     {},
		"spec.minReplicas: want ":              {MinReplicas: -1},
		"spec.maxReplicas: want at least minR": {MinReplicas: 3, MaxReplicas: 2},
		"spec.metrics.0.type: want ":           {Metrics: Metrics{{}}},
		"spec.metrics.0.pods: want ":           {Metrics: Metrics{{Type: "Pods"}}},
		"spec.metrics.0.pods.target.type: want": {Metrics: Metrics{{Type: "Pods",
			Pods: &Named{Identifier{"offered"}, Target{}}}}},
	} {
		_, err := newHorizontal(Options{Spec: s}, policy.Env{})
		if (err == nil) != (want == "") || err != nil && !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%+v: error %v, want %s", s, err, want)
		}
	}
	shared := Options{Spec: Spec{Behavior: &Behavior{}}}
	if _, err := newHorizontal(shared, policy.Env{}); err != nil || len(shared.Spec.Behavior.ScaleUp.Policies) > 0 {
		t.Errorf("%v, and the caller's behavior became %+v", err, shared.Spec.Behavior)
	}
}

// A record says what was completed, leaves out what was not said, and reads back as it was.
func TestASpecInTheRecord(t *testing.T) {
	const flags = `"tolerance":0.1,"downscale_stabilization":"300s","cpu_initialization_period":"300s",` +
		`"initial_readiness_delay":"30s"`
	const cpu = `"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization",` +
		`"averageUtilization":80}}}]`
	for text, want := range map[string]string{
		"{}":       `{"spec":{"minReplicas":1,` + cpu + `},` + flags + `}`,
		"spec: {}": `{"spec":{"minReplicas":1,` + cpu + `},` + flags + `}`,
		`spec:
  scaleTargetRef: {kind: Deployment}
  maxReplicas: 7
  metrics: [{type: Pods, pods: {metric: {name: offered}, target: {type: AverageValue, averageValue: 5000000}}}]
  behavior: {scaleUp: {tolerance: 50m}}`: `{"spec":{` +
			`"scaleTargetRef":{"apiVersion":"","kind":"Deployment","name":""},"minReplicas":1,"maxReplicas":7,` +
			`"metrics":[{"type":"Pods","pods":{"metric":{"name":"offered"},"target":{"type":"AverageValue",` +
			`"averageValue":"5000000"}}}],` +
			`"behavior":{"scaleUp":{"stabilizationWindowSeconds":0,"selectPolicy":"Max",` +
			`"policies":[{"type":"Pods","value":4,"periodSeconds":15},` +
			`{"type":"Percent","value":100,"periodSeconds":15}],"tolerance":"50m"},` +
			`"scaleDown":{"selectPolicy":"Max","policies":[{"type":"Percent","value":100,"periodSeconds":15}]}}},` +
			flags + `}`,
	} {
		o := options(t, text)
		if got := string(strictyaml.JSON(&o)); got != want {
			t.Errorf("%s is written as\n%s, want\n%s", text, got, want)
		}
		if back := options(t, string(strictyaml.YAML(&o))); !reflect.DeepEqual(back, o) {
			t.Errorf("%s reads back as %+v, want %+v", text, back, o)
		}
	}
	var none Options
	strictyaml.Defaults(&none)
	if back := options(t, string(strictyaml.YAML(&none))); !reflect.DeepEqual(back, options(t, "{}")) {
		t.Errorf("the options of a program read back as %+v", back)
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[Quantity]struct {
		milli int64
		float float64
	}{
		"0": {0, 0}, "5": {5000, 5}, "+5": {5000, 5}, "5.": {5000, 5}, ".5": {500, .5}, "0.1": {100, .1},
		"500m": {500, .5}, "1n": {1, 1e-9}, "1u": {1, 1e-6}, "100.5m": {101, .1005}, "10M": {10_000_000_000, 1e7},
		"4650k": {4_650_000_000, 4.65e6}, "1e6": {1_000_000_000, 1e6}, "1E-3": {1, 1e-3}, "2E": {1<<63 - 1, 2e18},
		"1Ki": {1_024_000, 1024}, "1.5Gi": {1_610_612_736_000, 1.5 * (1 << 30)}, "1e30": {1<<63 - 1, 1e30},
		"": {}, "m": {}, "-1": {}, "1kk": {}, "1 M": {}, "0x10": {}, "1e100": {}, "NaN": {}, "1Mi ": {}, "1_000": {},
	} {
		if m, f := text.Milli(), text.Float(); m != want.milli || f != want.float {
			t.Errorf("%q: %d thousandths and %v, want %d and %v", text, m, f, want.milli, want.float)
		}
	}
}
