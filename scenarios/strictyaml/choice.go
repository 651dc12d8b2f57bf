package strictyaml

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Choice is one of several alternatives, such as policies, with the options that belong to it alone. A file says its
// name, or a mapping from its name to its options:
//
//	policy: maglev
//	policy: {maglev: {table: 4093}}
//
// The struct with a field of this type is a Chooser. The path of an option goes through the name: policy.maglev.table.
// An override of an option chooses its alternative where the file chooses none. Where the file chooses another, the
// override is an error.
type Choice struct {
	Name    string
	Options any // a struct whose fields have tags; nil for an alternative that has none
}

// Chooser is a struct with keys of type Choice.
type Chooser interface {
	// Choices lists the alternatives at a key, in order; nil for the keys of other types. Their options are zero
	// values.
	Choices(key string) []Choice
}

// Choose is the alternative of a name, with the defaults of its options. For a name that is not in the table it has no
// options, and Check refuses it.
func Choose(table []Choice, name string) Choice {
	c := Choice{Name: name}
	if to := c.options(table); to.IsValid() {
		setDefaults(to)
		c.Options = to.Interface()
	}
	return c
}

// options is a new struct for the options of the alternative, and the zero Value if it has none.
func (c *Choice) options(table []Choice) reflect.Value {
	i := slices.IndexFunc(table, func(row Choice) bool { return row.Name == c.Name })
	if i < 0 || table[i].Options == nil {
		return reflect.Value{}
	}
	return reflect.New(reflect.TypeOf(table[i].Options)).Elem()
}

// Mapping is that of a name, so that its options can be overridden.
func (*Choice) Mapping(name *yaml.Node) *yaml.Node {
	none := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: name.Line, Column: name.Column}
	return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{name, none}}
}

func namesOf(table []Choice) (names []string) {
	for _, row := range table {
		names = append(names, row.Name)
	}
	return names
}

// anyOptions reports whether an alternative of the table has options.
func anyOptions(table []Choice) bool {
	return slices.ContainsFunc(table, func(row Choice) bool { return row.Options != nil })
}

// choice reads the value of a key of type Choice.
func (d *Decoder) choice(n *yaml.Node, c *Choice, path string, f *field) {
	name, given := n, c.Mapping(n).Content[1]
	if n.Kind == yaml.MappingNode {
		if len(n.Content) != 2 {
			var names []string
			for i := 0; i < len(n.Content); i += 2 {
				names = append(names, n.Content[i].Value)
			}
			found := "a mapping of " + cmp.Or(strings.Join(names, " and "), "nothing")
			d.Fail(n, path, found, "one name with its options")
			return
		}
		name, given = n.Content[0], n.Content[1]
	}
	if name.Kind != yaml.ScalarNode || !slices.Contains(f.enum, name.Value) {
		d.Fail(name, path, KindOf(name), f.expected(), Near(name.Value, f.enum)...)
		return
	}
	*c = Choice{Name: name.Value}
	path = Under(path, c.Name)
	d.At[path] = given
	switch to := c.options(f.choices); {
	case to.IsValid():
		setDefaults(to)
		d.structure(given, to, path)
		c.Options = to.Interface()
	case len(given.Content) > 0 || given.Kind != yaml.MappingNode:
		d.Fail(given, path, KindOf(given), "nothing: "+c.Name+" has no options")
	}
}
