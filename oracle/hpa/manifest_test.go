package hpa

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	autoscaling "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	internal "k8s.io/kubernetes/pkg/apis/autoscaling"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	"k8s.io/kubernetes/pkg/apis/autoscaling/validation"
	"sigs.k8s.io/yaml"

	"github.com/smartinco/smartinco/oracle/judge"
	"github.com/smartinco/smartinco/oracle/kube"
	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// one is a line of YAML in flow style.
func one(keys []string) string { return "{" + strings.Join(keys, ", ") + "}" }

func target(kind string, value any) string {
	key := map[string]string{"Utilization": "averageUtilization", "Value": "value",
		"AverageValue": "averageValue"}[kind]
	return fmt.Sprintf("target: {type: %s, %s: %v}", kind, key, value)
}

// metric draws a metric of a spec, for instances that carry some 1,000 packets a second each.
func metric(r *rand.Rand) string {
	name := judge.Of(r, "offered", "offered", "processed", "processed", "bits", "queue")
	most := map[string]int{"bits": 512 * 1500, "queue": 200}[name]
	if most == 0 {
		most = 1500
	}
	each, all := fmt.Sprint(most/15+r.IntN(most)), fmt.Sprint(most+r.IntN(15*most))
	named := fmt.Sprintf("metric: {name: %s}", name)
	const described = "describedObject: {apiVersion: v1, kind: Service, name: x}"
	load := judge.Of(r, target("Value", all), target("AverageValue", each), target("AverageValue", each+"500m"))
	cpu := judge.Of(r, target("Utilization", 20+r.IntN(130)), target("AverageValue", fmt.Sprint(100+r.IntN(1500), "m")))
	memory := target("AverageValue", judge.Of(r, "1M", "2500k", "4Mi", "0.01Gi"))
	return judge.Of(r,
		"{type: Resource, resource: {name: cpu, "+cpu+"}}",
		"{type: Resource, resource: {name: memory, "+memory+"}}",
		"{type: ContainerResource, containerResource: {name: memory, container: main, "+memory+"}}",
		"{type: Pods, pods: {metric: {name: delay-p99}, "+target("AverageValue", judge.Of(r, "150", "400500m"))+"}}",
		"{type: ContainerResource, containerResource: {name: cpu, container: main, "+cpu+"}}",
		"{type: Pods, pods: {"+named+", "+target("AverageValue", each)+"}}",
		"{type: Object, object: {"+described+", "+named+", "+load+"}}",
		"{type: External, external: {"+named+", "+load+"}}",
	)
}

// rules draws the rules of a direction.
func rules(r *rand.Rand) string {
	var keys []string
	if judge.Chance(r, .7) {
		keys = append(keys, fmt.Sprint("stabilizationWindowSeconds: ", judge.Of(r, 0, 15, 30, 45, 60, r.IntN(300))))
	}
	if judge.Chance(r, .6) {
		keys = append(keys, "selectPolicy: "+judge.Of(r, "Max", "Max", "Min", "Min", "Disabled"))
	}
	if judge.Chance(r, .7) {
		var all []string
		for range 1 + r.IntN(3) {
			all = append(all, fmt.Sprintf("{type: %s, value: %d, periodSeconds: %d}", judge.Of(r, "Pods", "Percent"),
				judge.Of(r, 1, 2, 4, 10, 50, 100, 1+r.IntN(150)), judge.Of(r, 15, 30, 45, 60, 90, 1+r.IntN(180))))
		}
		keys = append(keys, "policies: ["+strings.Join(all, ", ")+"]")
	}
	if judge.Chance(r, .3) {
		keys = append(keys, "tolerance: "+judge.Of(r, "0", "0.05", "200m", "0.5", "1", "1e-2"))
	}
	return one(keys)
}

// manifest draws the spec of an object, as it is posted.
func manifest(r *rand.Rand) string {
	least := 1 + r.IntN(5)
	text := fmt.Sprintf("spec:\n  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}\n"+
		"  maxReplicas: %d\n", least+r.IntN(40))
	if judge.Chance(r, .7) {
		text += fmt.Sprintf("  minReplicas: %d\n", least)
	}
	if judge.Chance(r, .95) {
		text += "  metrics:\n"
		for range judge.Of(r, 1, 1, 1, 2, 3) {
			text += "  - " + metric(r) + "\n"
		}
	}
	if judge.Chance(r, .7) {
		var keys []string
		for _, direction := range []string{"scaleUp", "scaleDown"} {
			if judge.Chance(r, .8) {
				keys = append(keys, direction+": "+rules(r))
			}
		}
		text += "  behavior: " + one(keys) + "\n"
	}
	return text
}

// posted is what the API server stores of a manifest, or why it refuses it.
func posted(text string) (*autoscaling.HorizontalPodAutoscaler, error) {
	object := &autoscaling.HorizontalPodAutoscaler{}
	if err := yaml.Unmarshal([]byte(text), object); err != nil {
		return nil, err
	}
	object.ObjectMeta = kube.Meta("x")
	legacyscheme.Scheme.Default(object)
	var checked internal.HorizontalPodAutoscaler
	if err := legacyscheme.Scheme.Convert(object, &checked, nil); err != nil {
		return nil, err
	}
	return object, validation.ValidateHorizontalPodAutoscaler(&checked,
		validation.HorizontalPodAutoscalerSpecValidationOptions{MinReplicasLowerBound: 1,
			ObjectMetricsValidationOptions: validation.CrossVersionObjectReferenceValidationOptions{
				AllowEmptyAPIGroup: true}}).ToAggregate()
}

// read is the same manifest, and the controller's flags, as ours reads them.
func read(text string) (o kubernetes.Options, err error) {
	return o, strictyaml.Decode("hpa.yaml", []byte(text), &o, nil)
}

// mistake puts another value in the place of one, most often one that is refused.
func mistake(r *rand.Rand, text string) string {
	keys := map[string][]string{
		"minReplicas":                {"0", "-1", "1", "40", "2147483647", "2147483648", "1.5", "x"},
		"maxReplicas":                {"0", "-1", "1", "2147483647", "2147483648", "x"},
		"averageUtilization":         {"0", "-1", "1", "250", "1.5"},
		"averageValue":               {"0", "-1", "1n", "0.5", "1e3", "5Gi", "1kk", ".5", "+2", "''"},
		"value":                      {"0", "-1", "1", "2000", "100m", "2147483647", "2147483648"},
		"periodSeconds":              {"0", "-1", "1", "1800", "1801"},
		"stabilizationWindowSeconds": {"-1", "0", "3600", "3601"},
		"selectPolicy":               {"Max", "Min", "Disabled", "Most", "max"},
		"tolerance":                  {"-1", "0", "1", "10", "1e-3", "x", "2k"},
		"type":                       {"Resource", "Pods", "Object", "External", "Percent"},
		"policies":                   {"[]"},
	}
	names := slices.Sorted(maps.Keys(keys))
	for range 20 {
		key := names[r.IntN(len(names))]
		places := regexp.MustCompile(`\b`+key+`: (\[.*?\]|[^\s,{}]+)`).FindAllStringIndex(text, -1)
		if len(places) == 0 {
			continue
		}
		at := places[r.IntN(len(places))]
		return text[:at[0]] + key + ": " + judge.Of(r, keys[key]...) + text[at[1]:]
	}
	return text
}

// What the API server refuses, ours refuses; and what it stores, ours has understood. No manifest has a target whose
// type is not that of its value, which ours alone refuses, or a reference that names nothing, which theirs alone does.
func TestManifests(t *testing.T) {
	refused := 0
	judge.Cases(t, "manifests", 5000, func(r *rand.Rand) error {
		text := manifest(r)
		for range r.IntN(3) {
			text = mistake(r, text)
		}
		want, problem := posted(text)
		o, err := read(text)
		if (err == nil) != (problem == nil) {
			return fmt.Errorf("%v\ntheirs: %v\n%s", err, problem, text)
		}
		if err != nil {
			refused++
			return nil
		}
		var written autoscaling.HorizontalPodAutoscaler
		if err := yaml.Unmarshal(strictyaml.JSON(&o), &written); err != nil {
			return err
		}
		if !equality.Semantic.DeepEqual(written.Spec, want.Spec) {
			return fmt.Errorf("%s\ntheirs: %+v\n%s", strictyaml.JSON(&o), want.Spec, text)
		}
		return nil
	})
	t.Logf("%d of them are refused", refused)
}
