package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// MaxSize is the most bytes that a scenario or a profile may have.
const MaxSize = 4 << 20

// Bounds that no scenario reaches, and that keep the work on a hostile one linear in its size.
const (
	maxDepth  = 16
	maxKey    = 128
	maxErrors = 1000 // beyond it, errors of one reading are not kept
)

// origins says where nodes come from that are not of the main file: a base file, or an override.
type origins map[*yaml.Node]string

// decoder reads YAML nodes into structs and collects all errors.
type decoder struct {
	file   string
	dir    string
	origin origins
	at     map[string]*yaml.Node // values by key path
	errs   []*Error
}

func (d *decoder) fail(n *yaml.Node, key, found, expected string, near ...string) {
	if len(d.errs) >= maxErrors {
		return
	}
	e := &Error{File: d.file, Key: key, Found: found, Expected: expected, Near: near}
	if n != nil {
		e.Line, e.Column = n.Line, n.Column
		if from, ok := d.origin[n]; ok {
			e.File = from
			if strings.HasPrefix(from, "--set ") {
				e.Line, e.Column = 0, 0
			}
		}
	}
	d.errs = append(d.errs, e)
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// parseNode reads one YAML document and refuses what no scenario needs: several documents, anchors, aliases, keys twice.
func parseNode(file string, data []byte) (*yaml.Node, []*Error) {
	d := &decoder{file: file}
	if len(data) > MaxSize {
		d.fail(nil, "", fmt.Sprintf("%d bytes", len(data)), fmt.Sprintf("at most %d", MaxSize))
		return nil, d.errs
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		d.fail(nil, "", "an empty document", "YAML")
		return nil, d.errs
	}
	if err == nil {
		if err = dec.Decode(&second); err == nil {
			d.fail(&second, "", "a second document", "one document a file")
			return nil, d.errs
		}
	}
	if !errors.Is(err, io.EOF) {
		e := &Error{File: file, Found: "text that is not YAML: " + err.Error(), Err: err}
		if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
			e.Found = "text that is not YAML: " + m[2]
			if e.Line, _ = strconv.Atoi(m[1]); e.Line > 0 {
				e.Column = 1
			}
		}
		return nil, []*Error{e}
	}
	d.lint(doc.Content[0], "", 0)
	return doc.Content[0], d.errs
}

func (d *decoder) lint(n *yaml.Node, path string, depth int) {
	if depth > maxDepth {
		d.fail(n, path, "a deeper nesting", fmt.Sprintf("at most %d levels", maxDepth))
		return
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fail(n, path, "an anchor or alias", "the value itself")
		return
	}
	seen := map[string]int{}
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			d.lint(c, under(path, strconv.Itoa(i)), depth+1)
		case i%2 == 1:
			if k := n.Content[i-1].Value; len(k) <= maxKey {
				d.lint(c, under(path, k), depth+1)
			}
		case c.Kind != yaml.ScalarNode:
			d.fail(c, path, kindOf(c)+" as a key", "a name")
		case len(c.Value) > maxKey:
			d.fail(c, path, fmt.Sprintf("a key of %d bytes", len(c.Value)), fmt.Sprintf("at most %d", maxKey))
		case c.Anchor != "":
			d.fail(c, path, "an anchor or alias", "the value itself")
		default:
			if line, ok := seen[c.Value]; ok {
				d.fail(c, under(path, c.Value), "the key a second time", fmt.Sprintf("it once; the first is on line %d", line))
			}
			seen[c.Value] = c.Line
		}
	}
}

func under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	if r := []rune(n.Value); len(r) > 80 {
		return strconv.Quote(string(r[:80])) + "..."
	}
	return strconv.Quote(n.Value)
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// structure reads a mapping into v, whose defaults are set.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, path string) {
	t := v.Type()
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, kindOf(n), "a mapping with the keys "+strings.Join(keysOf(t), ", "))
		return
	}
	given := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		f := fieldNamed(t, key.Value)
		if f == nil {
			d.fail(key, under(path, key.Value), "an unknown key", "one of "+strings.Join(keysOf(t), ", "), near(key.Value, keysOf(t))...)
			continue
		}
		given[f.name] = true
		d.value(val, v.Field(f.index), under(path, f.name), f)
	}
	for _, f := range fieldsOf(t) {
		if f.required && !given[f.name] {
			d.fail(n, under(path, f.name), "nothing", f.expected()+": "+f.doc)
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

// value reads one value. f describes the key at which it stands; for the elements of a list, the list's.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string, f *field) {
	d.at[path] = n
	switch t := v.Type(); {
	case t == reflect.TypeFor[NIC]():
		d.nic(n, v.Addr().Interface().(*NIC), path)
	case isNull(n):
		d.fail(n, path, "nothing", f.expected())
	case t == reflect.TypeFor[Matrix]():
		d.matrix(n, v.Addr().Interface().(*Matrix), path)
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		setDefaults(v.Elem())
		d.structure(n, v.Elem(), path)
	case t.Kind() == reflect.Struct:
		d.structure(n, v, path)
	case t.Kind() == reflect.Slice:
		if n.Kind != yaml.SequenceNode {
			d.fail(n, path, kindOf(n), "a list")
			return
		}
		v.Set(reflect.MakeSlice(t, len(n.Content), len(n.Content)))
		for i, c := range n.Content {
			if t.Elem().Kind() == reflect.Struct {
				setDefaults(v.Index(i))
			}
			d.value(c, v.Index(i), under(path, strconv.Itoa(i)), &field{typ: t.Elem()})
		}
	case t.Kind() == reflect.Map:
		d.table(n, v, path)
	default:
		d.scalar(n, v, path, f)
	}
}

// table reads a mapping whose keys are whole numbers from 1.
func (d *decoder) table(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.MappingNode {
		d.fail(n, path, kindOf(n), "a mapping")
		return
	}
	f := &field{typ: v.Type().Elem(), min: "0", max: quantities[v.Type().Elem()].max}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		k, err := strconv.Atoi(key.Value)
		if err != nil || k < 1 || strconv.Itoa(k) != key.Value {
			d.fail(key, under(path, key.Value), "an unknown key", "a whole number from 1")
			continue
		}
		e := reflect.New(v.Type().Elem()).Elem()
		d.value(n.Content[i+1], e, under(path, key.Value), f)
		v.SetMapIndex(reflect.ValueOf(k), e)
	}
}

// scalarTags are the YAML tags that a kind accepts; others, such as a number where a text belongs, are a mistake.
var scalarTags = map[reflect.Kind]string{
	reflect.String: "!!str", reflect.Bool: "!!bool", reflect.Int: "!!int", reflect.Uint64: "!!int", reflect.Float64: "!!int !!float",
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string, f *field) {
	bad := func(near ...string) { d.fail(n, path, kindOf(n), f.expected(), near...) }
	tags := scalarTags[v.Kind()]
	_, isQuantity := quantities[v.Type()]
	if isQuantity {
		tags = "!!str !!int !!float"
	}
	if n.Kind != yaml.ScalarNode || !strings.Contains(tags, n.ShortTag()) {
		bad()
		return
	}
	var err error
	if isQuantity || v.Kind() == reflect.String {
		err = setText(v, n.Value)
	} else {
		err = n.Decode(v.Addr().Interface())
	}
	switch {
	case err != nil:
		bad()
	case f.enum != nil:
		for _, e := range f.enum {
			if e == v.String() {
				return
			}
		}
		bad(near(v.String(), f.enum)...)
	case v.Kind() == reflect.Float64 && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)):
		d.fail(n, path, kindOf(n), "a finite number")
	case v.Kind() != reflect.String && v.Kind() != reflect.Bool && !f.within(v):
		bad()
	}
}
