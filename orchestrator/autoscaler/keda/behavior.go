package keda

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// behavior is that of the object beneath, or none.
type behavior struct {
	kubernetes.Behavior `yaml:",inline"`
	given               bool
}

// ReadYAML reads it. A window of a scale-in that is not said is that of the options.
func (b *behavior) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if n.Kind == yaml.ScalarNode && n.Value == "none" {
		return
	}
	b.given = true
	d.Struct(n, b, key)
	if _, said := d.At[strictyaml.Under(key, "scaleDown.stabilizationWindowSeconds")]; !said {
		b.ScaleDown.StabilizationWindowSeconds = -1
	}
	b.Behavior = b.Completed()
}

// Expected says what may stand there.
func (b *behavior) Expected() string {
	return "none, or a mapping with the keys " + strings.Join(strictyaml.Keys(b), ", ")
}

// Schema is its JSON Schema.
func (b *behavior) Schema() strictyaml.Object {
	none := strictyaml.Object{{Key: "const", Value: "none"}}
	return strictyaml.Object{{Key: "anyOf", Value: []strictyaml.Object{none, strictyaml.Schema(b)}}}
}

// Reference is what the reference says of it.
func (*behavior) Reference() (value, intro string) {
	return "`none`, mapping", "The `behavior` of a HorizontalPodAutoscaler, autoscaling/v2."
}
