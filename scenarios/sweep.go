package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// Sweep is the block that makes a file a study.
type Sweep struct {
	Base     string    `yaml:"base"`
	Matrix   Matrix    `yaml:"matrix"`
	Zip      Zip       `yaml:"zip"`
	Where    Where     `yaml:"where"`
	Seeds    int       `yaml:"seeds" default:"1" min:"1" max:"1000000"`
	Replicas *Replicas `yaml:"replicas"`
	Pair     string    `yaml:"pair" enum:"seed|none" default:"seed"`
	Keep     string    `yaml:"keep" enum:"all|failed|none" default:"all"`
}

// PairNone gives each combination seeds of its own.
const PairNone = "none"

// What is kept of a study's records.
const (
	KeepAll    = "all"
	KeepFailed = "failed" // the records of runs that broke a law, and a row of each other run
	KeepNone   = "none"   // a row of each run
)

// Docs implements strictyaml.Documented.
func (Sweep) Docs() string {
	return `
base: another scenario, by path or embedded name, over which this file's keys are laid, paths being relative to the
	base; without it, this file is the base
matrix: dotted keys, each with a list of values or a range {from, to, steps}; every combination is run. For
	scheduler.policy, autoscaler.policy and autoscaler.victim, the value all stands for each policy in turn, with the
	defaults of its options; for stack, for each stack
zip: dotted keys with values as in the matrix, but varied together: all first values, then all second ones. It is one
	more axis of the study
where: conditions that a run must all meet, such as scheduler.limit <= autoscaler.above; others are left out
seeds: runs of each combination, with seeds counted up from seed
replicas: instead of seeds, as many runs of each combination as its mean needs
pair: seed gives all combinations the same seeds, so that they meet the same traffic (common random numbers); none gives
	each combination seeds of its own
keep: the records that are kept; of a run without a record, a row of totals is
`
}

// Replicas asks for runs of each combination until the mean of a column is known well enough. The rule is sequential:
// whether there is another run depends on those before it.
type Replicas struct {
	Min   int   `yaml:"min" default:"3" min:"2" max:"1000000"`
	Max   int   `yaml:"max" required:"true" min:"2" max:"1000000"`
	Until Until `yaml:"until"`
}

// Docs implements strictyaml.Documented.
func (Replicas) Docs() string {
	return `
min: runs of each combination before the first look
max: the most runs of a combination
until: when there are enough
`
}

// Until says when there are enough replicas.
type Until struct {
	Metric   string  `yaml:"metric" default:"processed"`
	Relative float64 `yaml:"relative" default:"0.01" above:"0" max:"1"`
}

// Docs implements strictyaml.Documented.
func (Until) Docs() string {
	return `
metric: a column of the study's table
relative: the half width of the 95 % confidence interval of its mean, as a share of the mean
`
}

// axis is a swept key.
type axis struct {
	key    string
	node   *yaml.Node // the key
	values []*yaml.Node
}

// Matrix is the swept keys in the order of the file.
type Matrix []axis

// Zip is keys that are swept together.
type Zip []axis

// dimensions are the axes of the study, each with the keys that vary along it.
func (s *Sweep) dimensions() (dims [][]axis) {
	for i := range s.Matrix {
		dims = append(dims, s.Matrix[i:i+1])
	}
	if len(s.Zip) > 0 {
		dims = append(dims, s.Zip)
	}
	return dims
}

// keys are those that are swept; of nil there are none.
func (s *Sweep) keys() (keys []string) {
	if s == nil {
		return nil
	}
	for _, dim := range s.dimensions() {
		for _, a := range dim {
			keys = append(keys, a.key)
		}
	}
	return keys
}

// fix gives a swept key one value.
func (s *Sweep) fix(key string, value *yaml.Node) {
	if s == nil {
		return
	}
	for i := range s.Matrix {
		if s.Matrix[i].key == key {
			s.Matrix[i].values = []*yaml.Node{value}
		}
	}
	for i := range s.Zip {
		if s.Zip[i].key == key {
			s.Zip[i].values = slices.Repeat([]*yaml.Node{value}, len(s.Zip[i].values))
		}
	}
}

// mostSeeds is how many runs a combination has at most.
func (s *Sweep) mostSeeds() int {
	if s.Replicas != nil {
		return s.Replicas.Max
	}
	return s.Seeds
}

// check reports what contradicts itself in the block.
func (s *Sweep) check(d *strictyaml.Decoder) {
	for i, a := range s.Zip {
		at := "sweep.zip." + a.key
		if first := s.Zip[0]; len(a.values) != len(first.values) {
			d.Fail(a.node, at, fmt.Sprintf("%d values", len(a.values)),
				fmt.Sprintf("%d, as many as %s has", len(first.values), first.key))
		}
		below := func(b axis) bool { return strings.HasPrefix(b.key+".", a.key+".") }
		if j := slices.IndexFunc(s.Matrix, below); j >= 0 {
			d.Fail(a.node, at, "a key that replaces "+s.Matrix[j].key+" of the matrix", "each key in one of the two")
		}
		if j := slices.IndexFunc(s.Zip[:i], below); j >= 0 {
			d.Fail(a.node, at, "a key that replaces "+s.Zip[j].key+", which is swept before it", "it first")
		}
	}
	if s.Replicas == nil {
		return
	}
	if n, given := d.At["sweep.seeds"]; given {
		d.Fail(n, "sweep.seeds", strictyaml.KindOf(n), "either seeds or replicas")
	}
	if s.Replicas.Min > s.Replicas.Max {
		d.Fail(d.At["sweep.replicas"], "sweep.replicas.min", strconv.Itoa(s.Replicas.Min),
			fmt.Sprintf("at most max, which is %d", s.Replicas.Max))
	}
}

// ReadYAML reads the swept keys.
func (m *Matrix) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	*m = readAxes(d, n, key, m.Expected())
	for i, a := range *m {
		if j := slices.IndexFunc((*m)[:i], func(b axis) bool { return strings.HasPrefix(b.key, a.key+".") }); j >= 0 {
			d.Fail(a.node, strictyaml.Under(key, a.key),
				"a key that replaces "+(*m)[j].key+", which is swept before it", "it first")
		}
	}
}

// ReadYAML reads the keys that are swept together.
func (z *Zip) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	*z = readAxes(d, n, key, z.Expected())
}

func readAxes(d *strictyaml.Decoder, n *yaml.Node, key, expected string) (axes []axis) {
	if n.Kind != yaml.MappingNode {
		d.Fail(n, key, strictyaml.KindOf(n), expected)
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		at := strictyaml.Under(key, k.Value)
		if !isPath(k.Value) || k.Value == "name" || rank(k.Value) == 0 {
			d.Fail(k, at, "a key that cannot be swept", "a dotted key such as scheduler.policy")
			continue
		}
		var values []*yaml.Node
		switch {
		case v.Kind == yaml.MappingNode:
			values = span(d, v, at)
		case v.Kind == yaml.SequenceNode && len(v.Content) > 0:
			values = EveryPolicy(k.Value, v.Content)
		default:
			d.Fail(v, at, strictyaml.KindOf(v), "a list of at least one value, or a range {from, to, steps}")
		}
		if values != nil {
			axes = append(axes, axis{k.Value, k, values})
		}
	}
	return axes
}

// steps is a range of values.
type steps struct {
	From  End `yaml:"from" required:"true"`
	To    End `yaml:"to" required:"true"`
	Steps int `yaml:"steps" required:"true" min:"2" max:"100000"`
}

// Docs implements strictyaml.Documented.
func (steps) Docs() string {
	return `
from: the first value
to: the last one
steps: how many values, at equal distances
`
}

// End is an end of a range: a number with the unit behind it.
type End struct {
	Number float64
	Unit   string // as it was written; empty for none
	Node   *yaml.Node
}

// ReadYAML reads the end of a range.
func (e *End) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	number := strings.TrimRightFunc(n.Value, func(r rune) bool { return !(r >= '0' && r <= '9' || r == '.') })
	x, err := strconv.ParseFloat(number, 64)
	if n.Kind != yaml.ScalarNode || err != nil || x-x != 0 {
		d.Fail(n, key, strictyaml.KindOf(n), e.Expected())
		return
	}
	*e = End{x, n.Value[len(number):], n}
}

// Expected says what may stand there.
func (e *End) Expected() string { return "a number with or without a unit" }

// Schema is its JSON Schema.
func (e *End) Schema() strictyaml.Object {
	return strictyaml.Object{{Key: "type", Value: []string{"number", "string"}}}
}

// Reference is what the reference says of it.
func (e *End) Reference() (value, intro string) { return "number or quantity", "" }

// span lists the values of a range: at equal distances, to twelve digits.
func span(d *strictyaml.Decoder, n *yaml.Node, key string) (values []*yaml.Node) {
	var r steps
	had := len(d.Errs)
	if d.Struct(n, &r, key); len(d.Errs) > had {
		return nil
	}
	if r.From.Unit != r.To.Unit {
		d.Fail(r.To.Node, strictyaml.Under(key, "to"), strconv.Quote(r.To.Node.Value),
			"the unit of from, which is "+strconv.Quote(r.From.Node.Value))
		return nil
	}
	for i := range r.Steps {
		x := r.From.Number + float64((r.To.Number-r.From.Number)*float64(i))/float64(r.Steps-1)
		x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', 12, 64), 64)
		v := &yaml.Node{Kind: yaml.ScalarNode, Line: n.Line, Column: n.Column,
			Value: strconv.FormatFloat(x, 'f', -1, 64) + r.From.Unit}
		if from, ok := d.Origin[n]; ok {
			d.Origin[v] = from
		}
		values = append(values, v)
	}
	return values
}

// All stands for each policy of the table, where the matrix sweeps a key that takes policies, and for each stack. Left
// out are scheduling policies for which a plant has to measure what not every plant can.
const All = "all"

// measurable are the scheduling policies of flows that run everywhere.
func measurable() (names []string) {
	for _, row := range scheduler.On(policy.Flows) {
		if row.Measures == 0 {
			names = append(names, row.Name)
		}
	}
	return names
}

// EveryPolicy puts the names of all policies, or stacks, in the place of All among the values of a key, each with the
// defaults of its options.
func EveryPolicy(key string, values []*yaml.Node) (all []*yaml.Node) {
	names := map[string]func() []string{"scheduler.policy": measurable,
		"autoscaler.policy": autoscaler.Policies.Names, "autoscaler.victim": autoscaler.Victims.Names,
		"stack": stackNames}[key]
	for _, v := range values {
		if names == nil || v.Kind != yaml.ScalarNode || v.Value != All {
			all = append(all, v)
			continue
		}
		for _, name := range names() {
			n := *v
			n.Value = name
			all = append(all, &n)
		}
	}
	return all
}

// Expected says what the value of the key matrix may be.
func (m *Matrix) Expected() string { return "a mapping from dotted keys to lists or ranges of values" }

// Schema is its JSON Schema.
func (m *Matrix) Schema() strictyaml.Object { return axesSchema() }

// Reference is what the reference says of it.
func (m *Matrix) Reference() (value, intro string) { return "mapping", "" }

// Expected says what the value of the key zip may be.
func (z *Zip) Expected() string { return (&Matrix{}).Expected() }

// Schema is its JSON Schema.
func (z *Zip) Schema() strictyaml.Object { return axesSchema() }

// Reference is what the reference says of it.
func (z *Zip) Reference() (value, intro string) { return "mapping", "" }

func axesSchema() strictyaml.Object {
	lists := strictyaml.Object{{Key: "type", Value: "array"}, {Key: "minItems", Value: 1}}
	values := strictyaml.Object{{Key: "anyOf", Value: []strictyaml.Object{lists, strictyaml.Schema(&steps{})}}}
	return strictyaml.Object{{Key: "type", Value: "object"}, {Key: "additionalProperties", Value: values}}
}
