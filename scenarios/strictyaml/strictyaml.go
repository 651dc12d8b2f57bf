// Package strictyaml reads YAML files into structs, and refuses all that their tags do not allow.
//
// Every unknown key, wrong unit and impossible value is reported, all at once, each with its line and with what would
// be right. The tags of a struct's fields are the single source of the decoder (Decode), of a JSON Schema (Schema) and
// of a reference in Markdown (Describe):
//
//	yaml      the key
//	doc       what it means; a struct with long texts has a method instead (Documented)
//	default   its value where the file is silent
//	required  true for a key that has no default
//	enum      the texts that may stand there, separated by |
//	min, max  the least and the greatest value
//	above     a value that all are greater than
//
// A value is a text, a truth value, a number, a quantity of package units, a struct, a pointer to one, a list, or a
// table from whole numbers. A pointer stays nil where its key is absent. A type may also bring a notation of its own
// (Custom), and a struct the names that one of its keys may have (Tabled), or the demand that exactly one of its keys
// is set (OneOf).
package strictyaml

import (
	"reflect"

	"gopkg.in/yaml.v3"
)

// Custom is a type with a notation of its own. All methods but ReadYAML are called on a zero value.
type Custom interface {
	// ReadYAML reads the value of a key, and reports to d what is wrong with it. Where the key is absent, the node is a
	// text, the default tag's.
	ReadYAML(d *Decoder, n *yaml.Node, key string)
	// Expected says what may stand at the key, for errors.
	Expected() string
	// Schema is the JSON Schema of all that may stand there.
	Schema() Object
	// Reference says in a word what may stand there, and, if the type is a struct, how its section begins.
	Reference() (value, intro string)
}

// Documented is a struct that says what its keys mean by a method, where tags would make long lines. A struct has
// either.
type Documented interface {
	// Docs has for each key a line KEY: TEXT. Lines that begin with a tab continue the one before.
	Docs() string
}

// Shorthand is a type for which a scalar may stand instead of a mapping, as a profile's name does.
type Shorthand interface {
	// Mapping is the mapping that the scalar stands for: an override of one of its keys begins with it.
	Mapping(scalar *yaml.Node) *yaml.Node
}

// Tabled is a struct with keys whose values are the names in a table.
type Tabled interface {
	// Names lists them in order, for a key that has such a table; nil for the other keys.
	Names(key string) []string
}

// Partial is a struct some keys of which say nothing beside certain values of others. YAML and JSON leave those out.
type Partial interface{ Unused(key string) bool }

// OneOf is a struct of pointers and lists, exactly one of which a file must set. The others stay nil. Its scalars,
// which have no defaults, go with any of them.
type OneOf interface{ OneOf() }

// is reports whether a pointer to a t is a T, and gives it, pointing to a zero value.
func is[T any](t reflect.Type) (T, bool) {
	if t == nil {
		var none T
		return none, false
	}
	x, ok := reflect.New(t).Interface().(T)
	return x, ok
}

// Decode reads one YAML document into the struct that v points to. rules gives the relations between keys once v is
// filled; it may be nil. Errors call the file name; they are ErrInvalid, joined, in order of position.
func Decode(name string, data []byte, v any, rules func() []Rule) error {
	root, errs := Parse(name, data)
	if len(errs) > 0 {
		return Join(errs)
	}
	d := NewDecoder(name, "", nil)
	Defaults(v)
	d.Struct(root, v, "")
	if rules != nil && root.Kind == yaml.MappingNode {
		d.Check(rules())
	}
	return Join(d.Errs)
}

// Keys lists the keys of the struct that v points to, in the order of their declaration.
func Keys(v any) []string { return keysOf(reflect.TypeOf(v).Elem()) }

// HasKey reports whether a struct has a key.
func HasKey(of any, key string) bool { return fieldNamed(reflect.TypeOf(of), key) != nil }

// Default is the default tag of a key of the struct that v points to.
func Default(v any, key string) string { return fieldNamed(reflect.TypeOf(v).Elem(), key).def }

// Defaults fills the struct that v points to with the defaults of its tags. Lists and tables become empty, except in a
// OneOf. A Custom value stays as it is: the decoder reads its default.
func Defaults(v any) { setDefaults(reflect.ValueOf(v).Elem()) }
