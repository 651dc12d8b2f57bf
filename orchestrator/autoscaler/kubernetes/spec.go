package kubernetes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// Spec is the spec of a HorizontalPodAutoscaler of autoscaling/v2. What is read is checked and completed as the API
// server does it, with two differences: the type of a target must be that of its value, and what a reference names is
// not looked at. The zero value says nothing, and is completed when the policy is made.
type Spec struct {
	ScaleTargetRef *Reference `yaml:"scaleTargetRef"`
	MinReplicas    int        `yaml:"minReplicas"` // 0: not said
	MaxReplicas    int        `yaml:"maxReplicas"` // 0: not said
	Metrics        Metrics    `yaml:"metrics"`
	Behavior       *Behavior  `yaml:"behavior"`
}

// Docs implements strictyaml.Documented.
func (Spec) Docs() string {
	return `
scaleTargetRef: what a manifest scales; here it is always the instances, whatever stands there
minReplicas: fewest instances, 1 or more; instances.min holds as well. Where it is absent, 1
maxReplicas: most instances; instances.max holds as well. Where it is absent, instances.max alone
metrics: what is measured, with its targets; see policies.md for those that this testbed has. Where it is absent, cpu at
	80 %
behavior: how fast the number changes. Where it is absent, twice the number or 4 at most, and no fewer than recommended
	within downscale_stabilization; what is absent below it is completed
`
}

// Reference names an object.
type Reference struct {
	APIVersion string `yaml:"apiVersion" doc:"version of its kind"`
	Kind       string `yaml:"kind" doc:"its kind, such as Deployment"`
	Name       string `yaml:"name" doc:"its name"`
}

// Metrics are what is measured, with its targets.
type Metrics []Metric

// Metric is one of them.
type Metric struct {
	Type              string         `yaml:"type" required:"true"`
	Resource          *Resource      `yaml:"resource"`
	ContainerResource *Container     `yaml:"containerResource"`
	Pods              *Named         `yaml:"pods"`
	Object            *NamedOfObject `yaml:"object"`
	External          *Named         `yaml:"external"`
}

// Names implements strictyaml.Tabled.
func (Metric) Names(key string) (all []string) {
	if key == "type" {
		for _, k := range kinds {
			all = append(all, k.name)
		}
	}
	return all
}

// Docs implements strictyaml.Documented.
func (Metric) Docs() string {
	return `
type: whose metric it is
resource: with type: Resource, cpu as the policy's option says, or the memory of an instance
containerResource: with type: ContainerResource, the same of the one container of an instance
pods: with type: Pods, a metric of an instance
object: with type: Object, a metric summed over all instances
external: with type: External, the same
`
}

// Resource is the use of a resource by pods.
type Resource struct {
	Name   string `yaml:"name" doc:"the resource" enum:"cpu|memory" required:"true"`
	Target Target `yaml:"target" doc:"what it is held at" required:"true"`
}

// Container is the use of a resource by a container of pods.
type Container struct {
	Name      string `yaml:"name" doc:"the resource" enum:"cpu|memory" required:"true"`
	Container string `yaml:"container" doc:"the container; here an instance is one, whatever its name" required:"true"`
	Target    Target `yaml:"target" doc:"what it is held at" required:"true"`
}

// Named is a metric with a name.
type Named struct {
	Metric Identifier `yaml:"metric" doc:"the metric" required:"true"`
	Target Target     `yaml:"target" doc:"what it is held at" required:"true"`
}

// NamedOfObject is a metric of an object.
type NamedOfObject struct {
	DescribedObject Reference  `yaml:"describedObject" doc:"whose metric it is; here that of all instances"`
	Metric          Identifier `yaml:"metric" doc:"the metric" required:"true"`
	Target          Target     `yaml:"target" doc:"what it is held at" required:"true"`
}

// Identifier is the name of a metric: those of policy.Metrics are what this testbed can give. A gap is not among them:
// it falls when the load rises.
type Identifier struct {
	Name string `yaml:"name" required:"true"`
}

// Names implements strictyaml.Tabled.
func (Identifier) Names(string) []string {
	return []string{"offered", "processed", "bits", "queue", "delay-p50", "delay-p90", "delay-p99", "delay-p999"}
}

// Docs implements strictyaml.Documented.
func (Identifier) Docs() string {
	return `
name: packets a second that are offered or processed, bits a second that are offered, packets in the receive ring, or
	the microseconds that 50, 90, 99 or 99.9 % of the packets stay at most
`
}

// Target is what a metric is held at.
type Target struct {
	Type               string   `yaml:"type" doc:"which it is" enum:"Utilization|Value|AverageValue" required:"true"`
	AverageUtilization int      `yaml:"averageUtilization" doc:"percent of the limit"`
	Value              Quantity `yaml:"value" doc:"for all together"`
	AverageValue       Quantity `yaml:"averageValue" doc:"for each instance"`
}

// Behavior is how fast the number of replicas changes.
type Behavior struct {
	ScaleUp   Rules `yaml:"scaleUp" doc:"how fast it rises"`
	ScaleDown Rules `yaml:"scaleDown" doc:"how fast it falls"`
}

// Rules are those of a direction.
type Rules struct {
	StabilizationWindowSeconds int             `yaml:"stabilizationWindowSeconds" max:"3600"` // below 0: not said
	SelectPolicy               string          `yaml:"selectPolicy" enum:"Max|Min|Disabled" default:"Max"`
	Policies                   []ScalingPolicy `yaml:"policies"`
	Tolerance                  Quantity        `yaml:"tolerance"` // empty: not said
}

// Docs implements strictyaml.Documented.
func (Rules) Docs() string {
	return `
stabilizationWindowSeconds: how long a recommendation holds back one that goes further; where it is absent, 0 for
	scaleUp, and downscale_stabilization for scaleDown
selectPolicy: which of the policies holds: that which lets the number change most, that which lets it change least, or
	none, so that the number does not change in this direction
policies: how much the number may change; where it is absent, 4 Pods or 100 Percent within 15 s for scaleUp, and
	100 Percent within 15 s for scaleDown
tolerance: relative distance from a target within which nothing changes in this direction; where it is absent, the
	policy's tolerance
`
}

// ScalingPolicy is by how much the number of replicas may change in a while.
type ScalingPolicy struct {
	Type          string `yaml:"type" enum:"Pods|Percent" required:"true"`
	Value         int    `yaml:"value" required:"true" min:"1" max:"2147483647"`
	PeriodSeconds int    `yaml:"periodSeconds" required:"true" min:"1" max:"1800"`
}

// Docs implements strictyaml.Documented.
func (ScalingPolicy) Docs() string {
	return `
type: what the value counts
value: most instances that come or go, or percent of their number
periodSeconds: within how long
`
}

func (p *ScalingPolicy) period() units.Time { return units.Time(p.PeriodSeconds) * units.Second }

// Unused implements strictyaml.Partial: what a manifest does not say is not written.
func (s Spec) Unused(key string) bool {
	return key == "minReplicas" && s.MinReplicas == 0 || key == "maxReplicas" && s.MaxReplicas == 0
}

// Unused implements strictyaml.Partial.
func (t Target) Unused(key string) bool {
	return key == "averageUtilization" && t.AverageUtilization == 0 || key == "value" && t.Value == "" ||
		key == "averageValue" && t.AverageValue == ""
}

// Unused implements strictyaml.Partial.
func (r Rules) Unused(key string) bool {
	return key == "stabilizationWindowSeconds" && r.StabilizationWindowSeconds < 0 ||
		key == "tolerance" && r.Tolerance == ""
}

// ReadYAML reads the spec, checks it, and completes it.
func (s *Spec) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.ScalarNode && n.Value == nothing {
		s.complete()
		return
	}
	d.Struct(n, s, key)
	given := func(path string) bool {
		_, there := d.At[strictyaml.Under(key, path)]
		return there
	}
	if s.Behavior != nil && !given("behavior.scaleDown.stabilizationWindowSeconds") {
		s.Behavior.ScaleDown.StabilizationWindowSeconds = -1
	}
	d.Check(strictyaml.Below(key, s.rules(given)))
	s.complete()
}

// nothing is what the default tag of a key of type Spec says.
const nothing = "{}"

// Expected says what may stand there.
func (s *Spec) Expected() string {
	return "a mapping with the keys " + strings.Join(strictyaml.Keys(s), ", ")
}

// Schema is its JSON Schema.
func (s *Spec) Schema() strictyaml.Object { return strictyaml.Schema(s) }

// Reference is what the reference says of it.
func (*Spec) Reference() (value, intro string) {
	return "mapping", "The `spec` of a manifest of kind HorizontalPodAutoscaler, autoscaling/v2, as it stands there."
}

// ReadYAML reads the list.
func (m *Metrics) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.SequenceNode {
		d.Fail(n, key, strictyaml.KindOf(n), m.Expected())
		return
	}
	*m = make(Metrics, len(n.Content))
	for i, c := range n.Content {
		at := strictyaml.Under(key, strconv.Itoa(i))
		d.At[at] = c
		d.Struct(c, &(*m)[i], at)
	}
}

// Expected says what may stand there.
func (*Metrics) Expected() string { return "a list of metrics as in autoscaling/v2" }

// Schema is its JSON Schema.
func (*Metrics) Schema() strictyaml.Object {
	return strictyaml.Object{{Key: "type", Value: "array"}, {Key: "items", Value: strictyaml.Schema(&Metric{})}}
}

// Reference is what the reference says of it.
func (*Metrics) Reference() (value, intro string) { return "list, as in autoscaling/v2", "" }

// complete fills in what is absent, as the API server does.
func (s *Spec) complete() {
	if s.MinReplicas == 0 {
		s.MinReplicas = 1
	}
	if len(s.Metrics) == 0 {
		s.Metrics = Metrics{{Type: "Resource",
			Resource: &Resource{Name: "cpu", Target: Target{Type: "Utilization", AverageUtilization: 80}}}}
	}
	if s.Behavior == nil {
		return
	}
	b := *s.Behavior
	complete(&b.ScaleUp, ScalingPolicy{"Pods", 4, 15}, ScalingPolicy{"Percent", 100, 15})
	complete(&b.ScaleDown, ScalingPolicy{"Percent", 100, 15})
	s.Behavior = &b
}

func complete(r *Rules, policies ...ScalingPolicy) {
	if r.SelectPolicy == "" {
		r.SelectPolicy = "Max"
	}
	if len(r.Policies) == 0 {
		r.Policies = policies
	}
}

// kinds are the types of metrics, each with its key and the types of targets that it has.
var kinds = []struct {
	name, key string
	targets   []string
}{
	{"Resource", "resource", []string{"Utilization", "AverageValue"}},
	{"ContainerResource", "containerResource", []string{"Utilization", "AverageValue"}},
	{"Pods", "pods", []string{"AverageValue"}},
	{"Object", "object", []string{"Value", "AverageValue"}},
	{"External", "external", []string{"Value", "AverageValue"}},
}

// source is what a metric says below one of the keys of kinds.
type source struct {
	name   string
	target *Target // nil where there is no such key
}

// sources are those of a metric, in the order of kinds.
func (m *Metric) sources() (all [5]source) {
	if r := m.Resource; r != nil {
		all[0] = source{r.Name, &r.Target}
	}
	if c := m.ContainerResource; c != nil {
		all[1] = source{c.Name, &c.Target}
	}
	if p := m.Pods; p != nil {
		all[2] = source{p.Metric.Name, &p.Target}
	}
	if o := m.Object; o != nil {
		all[3] = source{o.Metric.Name, &o.Target}
	}
	if e := m.External; e != nil {
		all[4] = source{e.Metric.Name, &e.Target}
	}
	return all
}

// rules are the relations that a spec must satisfy. given says which keys were written.
func (s *Spec) rules(given func(path string) bool) []strictyaml.Rule {
	var all []strictyaml.Rule
	rule := func(keys string, wrong bool, want string) {
		all = append(all, strictyaml.Rule{Keys: strings.Fields(keys), Wrong: wrong, Want: want})
	}
	const count = "a whole number above 0"
	most := fmt.Sprintf("at most %d", MostReplicas)
	rule("minReplicas", s.MinReplicas < 0 || s.MinReplicas == 0 && given("minReplicas"),
		count+": without an instance nothing is measured")
	rule("minReplicas", s.MinReplicas > MostReplicas, most)
	rule("maxReplicas", s.MaxReplicas < 0 || s.MaxReplicas == 0 && given("maxReplicas"), count)
	rule("maxReplicas", s.MaxReplicas > MostReplicas, most)
	rule("maxReplicas minReplicas", s.MaxReplicas > 0 && s.MaxReplicas < s.MinReplicas,
		fmt.Sprintf("at least minReplicas, %d", s.MinReplicas))
	for i := range s.Metrics {
		m, at := &s.Metrics[i], "metrics."+strconv.Itoa(i)
		known := false
		for k, src := range m.sources() {
			kind := kinds[k]
			known = known || kind.name == m.Type
			below := at + "." + kind.key
			mine, there := kind.name == m.Type, src.target != nil
			rule(below+" "+at+".type", mine && !there, "what type: "+m.Type+" measures")
			rule(below+" "+at+".type", !mine && there, "no such key with type: "+m.Type)
			if there {
				all = append(all, strictyaml.Below(below+".target", src.target.rules(kind.name, kind.targets))...)
				rule(below+".target.type "+below+".name", src.name == "memory" && src.target.Type == "Utilization",
					"AverageValue with memory, of which an instance requests none")
				rule(below+".metric.name "+at+".type", kind.name != "Pods" && strings.HasPrefix(src.name, "delay-"),
					"type: Pods with a delay, which has no sum")
			}
		}
		rule(at+".type", !known, "one of "+strings.Join(m.Names("type"), ", "))
	}
	direction := func(at string, r *Rules) {
		window, policies := at+".stabilizationWindowSeconds", at+".policies"
		rule(window, r.StabilizationWindowSeconds < 0 && given(window), "0 to 3600")
		rule(policies, len(r.Policies) == 0 && given(policies),
			"at least one policy, also where selectPolicy is Disabled")
	}
	if b := s.Behavior; b != nil {
		direction("behavior.scaleUp", &b.ScaleUp)
		direction("behavior.scaleDown", &b.ScaleDown)
	}
	return all
}

// rules are the relations of the keys of a target of a kind of metric, which has such types of targets.
func (t *Target) rules(kind string, types []string) []strictyaml.Rule {
	all := []strictyaml.Rule{{Keys: []string{"type"}, Wrong: !slices.Contains(types, t.Type),
		Want: strings.Join(types, " or ") + " for type: " + kind}}
	for _, f := range []struct {
		key, of       string
		given, usable bool
		want          string
	}{
		{"averageUtilization", "Utilization", t.AverageUtilization != 0, t.AverageUtilization > 0, "a percentage"},
		{"value", "Value", t.Value != "", t.Value.Milli() > 0, "a quantity"},
		{"averageValue", "AverageValue", t.AverageValue != "", t.AverageValue.Milli() > 0, "a quantity"},
	} {
		r := strictyaml.Rule{Keys: []string{f.key, "type"}, Wrong: f.given, Want: "no such key with type: " + t.Type}
		if t.Type == f.of {
			r.Wrong, r.Want = !f.usable, f.want+" above 0 with type: "+t.Type
		}
		all = append(all, r)
	}
	return all
}
