package keda

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/orchestrator/autoscaler/kubernetes"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// config is what an object says of the controller beneath.
type config struct {
	Behavior behavior `yaml:"behavior" doc:"as in a HorizontalPodAutoscaler" required:"true"`
}

// behavior is that of the controller beneath.
type behavior struct {
	kubernetes.Behavior `yaml:",inline"`
}

// ReadYAML reads it. A window of a scale-in that is not said is that of the options.
func (b *behavior) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	d.Struct(n, b, key)
	if _, said := d.At[strictyaml.Under(key, "scaleDown.stabilizationWindowSeconds")]; !said {
		b.ScaleDown.StabilizationWindowSeconds = -1
	}
	b.Behavior = b.Completed()
}

// Expected says what may stand there.
func (b *behavior) Expected() string {
	return "a mapping with the keys " + strings.Join(strictyaml.Keys(b), ", ")
}

// Schema is its JSON Schema.
func (b *behavior) Schema() strictyaml.Object { return strictyaml.Schema(b) }

// Reference is what the reference says of it.
func (*behavior) Reference() (value, intro string) {
	return "mapping", "The `behavior` of a HorizontalPodAutoscaler, autoscaling/v2."
}
