package strictyaml

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// maxErrors is how many errors of one reading are kept.
const maxErrors = 1000

// Decoder reads YAML nodes into structs and collects all errors.
type Decoder struct {
	File   string                // as errors call it
	Dir    string                // to which paths in the file are relative
	Origin Origins               // of the nodes that are not of the file
	At     map[string]*yaml.Node // values by key path
	Errs   []*Error
}

// NewDecoder is a decoder of nodes of a file, and of those that origin knows. origin may be nil.
func NewDecoder(file, dir string, origin Origins) *Decoder {
	return &Decoder{File: file, Dir: dir, Origin: origin, At: map[string]*yaml.Node{}}
}

// Fail adds an error about a node, which may be nil.
func (d *Decoder) Fail(n *yaml.Node, key, found, expected string, near ...string) {
	if len(d.Errs) >= maxErrors {
		return
	}
	e := &Error{File: d.File, Key: key, Found: found, Expected: expected, Near: near}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
		if from, ok := d.Origin[n]; ok {
			e.File = from
			if strings.HasPrefix(from, overridePrefix) {
				e.Line, e.Column = 0, 0
			}
		}
	}
	d.Errs = append(d.Errs, e)
}

// Struct reads a mapping into the struct that v points to, whose defaults are set.
func (d *Decoder) Struct(n *yaml.Node, v any, path string) {
	d.structure(n, reflect.ValueOf(v).Elem(), path)
}

// Complete reports each key of the struct that v points to that has no default and that the mapping at the root lacks.
// One key is passed over.
func (d *Decoder) Complete(root *yaml.Node, v any, but string) {
	for _, f := range fieldsOf(reflect.TypeOf(v).Elem()) {
		if _, given := d.At[f.name]; !given && f.name != but && f.def == "" && root.Kind == yaml.MappingNode {
			d.missing(root, "", &f)
		}
	}
}

func (d *Decoder) missing(n *yaml.Node, path string, f *field) {
	d.Fail(n, Under(path, f.name), "nothing", f.expected()+": "+f.doc)
}

// structure reads a mapping into v, whose defaults are set.
func (d *Decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	t := v.Type()
	keys := strings.Join(keysOf(t), ", ")
	if n.Kind != yaml.MappingNode {
		d.Fail(n, path, KindOf(n), "a mapping with the keys "+keys)
		return
	}
	given, wrong := map[string]bool{}, len(d.Errs)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		f := fieldNamed(t, key.Value)
		if f == nil {
			d.Fail(key, Under(path, key.Value), "an unknown key", "one of "+keys, Near(key.Value, keysOf(t))...)
			continue
		}
		given[f.name] = true
		d.value(val, v.FieldByIndex(f.index), Under(path, f.name), f)
	}
	for _, f := range fieldsOf(t) {
		switch {
		case given[f.name]:
		case f.required:
			d.missing(n, path, &f)
		case f.custom != nil && f.def != "":
			def := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: f.def}
			v.FieldByIndex(f.index).Addr().Interface().(Custom).ReadYAML(d, def, Under(path, f.name))
		}
	}
	if isOneOf(t) && len(d.Errs) == wrong {
		names, _ := alternatives(t)
		has := 0
		for _, name := range names {
			if given[name] {
				has++
			}
		}
		if has != 1 {
			d.Fail(n, path, KindOf(n),
				fmt.Sprintf("exactly one of the keys %s; it has %d", strings.Join(names, ", "), has))
		}
	}
}

func fieldNamed(t reflect.Type, name string) *field {
	fs := fieldsOf(t)
	for i := range fs {
		if fs[i].name == name {
			return &fs[i]
		}
	}
	return nil
}

// value reads one value. f describes the key at which it stands, or the elements of the list.
func (d *Decoder) value(n *yaml.Node, v reflect.Value, path string, f *field) {
	d.At[path] = n
	switch t := v.Type(); {
	case f.custom != nil:
		v.Addr().Interface().(Custom).ReadYAML(d, n, path)
	case f.choices != nil:
		d.choice(n, v.Addr().Interface().(*Choice), path, f)
	case IsNull(n):
		d.Fail(n, path, "nothing", f.expected())
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		setDefaults(v.Elem())
		d.structure(n, v.Elem(), path)
	case t.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case t.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.Fail(n, path, KindOf(n), "a list")
			return
		}
		v.Set(reflect.MakeSlice(t, len(n.Content), len(n.Content)))
		element := fieldOf(t.Elem())
		for i, c := range n.Content {
			if t.Elem().Kind() == reflect.Struct {
				setDefaults(v.Index(i))
			}
			d.value(c, v.Index(i), Under(path, strconv.Itoa(i)), element)
		}
	case t.Kind() == reflect.Map:
		d.table(n, v, path)
	default:
		d.scalar(n, v, path, f)
	}
}

// table reads a mapping whose keys are whole numbers from 1.
func (d *Decoder) table(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.Fail(n, path, KindOf(n), "a mapping")
		return
	}
	f := fieldOf(v.Type().Elem())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		k, err := strconv.Atoi(key.Value)
		if err != nil || k < 1 || strconv.Itoa(k) != key.Value {
			d.Fail(key, Under(path, key.Value), "an unknown key", "a whole number from 1")
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], e, Under(path, key.Value), f)
		v.SetMapIndex(reflect.ValueOf(k), e)
	}
}

// scalarTags are the YAML tags that a kind accepts; others, such as a number where a text belongs, are a mistake.
var scalarTags = map[reflect.Kind]string{
	reflect.String: "!!str", reflect.Bool: "!!bool", reflect.Int: "!!int", reflect.Uint64: "!!int",
	reflect.Float64: "!!int !!float",
}

func (d *Decoder) scalar(n *yaml.Node, v reflect.Value, path string, f *field) {
	tags := scalarTags[v.Kind()]
	_, isQuantity := quantities[v.Type()]
	if isQuantity {
		tags = "!!str !!int !!float"
	}
	var err error
	switch {
	case n.Kind != yaml.ScalarNode || !strings.Contains(tags, n.ShortTag()):
		err = ErrInvalid
	case isQuantity || v.Kind() == reflect.String:
		err = setText(v, n.Value)
	default:
		err = n.Decode(v.Addr().Interface())
	}
	if err != nil {
		d.Fail(n, path, KindOf(n), f.expected())
	} else if expected, near := f.wrong(v); expected != "" {
		d.Fail(n, path, KindOf(n), expected, near...)
	}
}
