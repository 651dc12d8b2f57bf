package scenarios

import (
	"embed"
	"slices"
	"strings"
	"sync"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

//go:embed stacks/*.yaml
var stackFiles embed.FS

// Stack is what surrounds a policy in some orchestrator: the data path, the age of what is measured, how often it is
// looked at, and how long an instance takes to start. It is a list of values for keys of a scenario that the scenario
// does not give itself.
type Stack struct {
	Name  string       `json:"name"`
	About string       `yaml:"about" json:"about" doc:"what it stands for, in a line" required:"true"`
	Sets  []StackValue `yaml:"sets" json:"sets" doc:"the values" required:"true"`

	tree *yaml.Node // the values as a scenario
}

// StackValue is one value of a stack, and how it is known.
type StackValue struct {
	Set      string `yaml:"set" json:"set" required:"true"`
	Evidence string `yaml:"evidence" json:"evidence" enum:"measured|published|assumed" required:"true"`
	Source   string `yaml:"source" json:"source" required:"true"`
}

// Docs implements strictyaml.Documented.
func (StackValue) Docs() string {
	return `
set: KEY=VALUE, as after --set
evidence: how it is known: measured by whoever the source names; published, as a default or a figure of the thing
	itself; or assumed
source: where it stands, or why it is assumed
`
}

// Key and Value are the two sides of Set.
func (v *StackValue) Key() string   { key, _, _ := strings.Cut(v.Set, "="); return key }
func (v *StackValue) Value() string { _, value, _ := strings.Cut(v.Set, "="); return value }

// Stacks lists the built-in stacks by name.
func Stacks() []Stack { return slices.Clone(stacks()) }

var stacks = sync.OnceValue(func() (all []Stack) {
	for _, name := range stackNames() {
		file := "stacks/" + name + ".yaml"
		data, err := stackFiles.ReadFile(file)
		if err != nil {
			panic(err) // listed by yamlNames
		}
		s := Stack{Name: name, tree: &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}}
		if err := strictyaml.Decode(file, data, &s, nil); err != nil {
			panic(err) // embedded: every file is read by the tests
		}
		for _, v := range s.Sets {
			os, errs := parseSets([]string{v.Set}, strictyaml.Origins{})
			if len(errs) > 0 {
				panic(strictyaml.Join(errs)) // as above
			}
			if s.tree, err = (strictyaml.Origins{}).With(&Scenario{}, s.tree, v.Key(), os[0].value); err != nil {
				panic(err) // as above
			}
		}
		unplaced(s.tree)
		all = append(all, s)
	}
	return all
})

// unplaced takes their lines from nodes that have no file.
func unplaced(n *yaml.Node) {
	n.Line, n.Column = 0, 0
	for _, c := range n.Content {
		unplaced(c)
	}
}

// stackNames is read while the values are, so it does not ask for them.
func stackNames() []string { return yamlNames(stackFiles, "stacks") }

// overStack lays a scenario over the stack that it names. Of a name that is none, the decoder will say so.
func overStack(d *strictyaml.Decoder, root *yaml.Node) *yaml.Node {
	at := strictyaml.KeyIndex(root, "stack")
	if at < 0 {
		return root
	}
	i := slices.Index(stackNames(), root.Content[at+1].Value)
	if i < 0 {
		return root
	}
	s := stacks()[i]
	d.Origin.Mark(s.tree, "stack "+s.Name)
	laid := d.Origin.Merge(&Scenario{}, s.tree, root)
	laid.Line, laid.Column = root.Line, root.Column // what is missing is missing in the scenario
	delete(d.Origin, laid)
	if from, ok := d.Origin[root]; ok {
		d.Origin[laid] = from
	}
	return laid
}
