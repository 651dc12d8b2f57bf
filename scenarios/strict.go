package scenarios

import (
	"bytes"
	"reflect"

	"gopkg.in/yaml.v3"
)

// Decode reads another kind of file as strictly as a scenario: one YAML document into the struct that v points to, whose
// tags mean what those of Scenario mean. A pointer to a struct stays nil where its key is absent. rules gives the
// relations between keys once v is filled; it may be nil. Errors are those of Load.
func Decode(name string, data []byte, v any, rules func() []Rule) error {
	root, errs := parseNode(name, data)
	if len(errs) > 0 {
		return join(errs)
	}
	d := &decoder{file: name, at: map[string]*yaml.Node{}}
	to := reflect.ValueOf(v).Elem()
	setDefaults(to)
	d.structure(root, to, "")
	if rules != nil && root.Kind == yaml.MappingNode {
		d.apply("", rules(), d.bad())
	}
	return join(d.errs)
}

// Describe is the description, in Markdown, of every key of a file that Decode reads into v.
func Describe(title string, v any) []byte {
	var b bytes.Buffer
	section(&b, title, "", reflect.TypeOf(v).Elem())
	return b.Bytes()
}
