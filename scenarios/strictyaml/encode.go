package strictyaml

import (
	"bytes"
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// YAML writes the struct that v points to, with every key and its value, in the order of their declaration. Decode
// reads it back. A nil pointer, list or table is left out.
func YAML(v any) []byte {
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(node(reflect.ValueOf(v).Elem())); err != nil {
		panic(err) // a tree of our own, written to memory
	}
	return b.Bytes()
}

// JSON is what YAML gives, as JSON.
func JSON(v any) json.RawMessage { return appendJSON(nil, node(reflect.ValueOf(v).Elem())) }

// node is a value as YAML.
func node(v reflect.Value) *yaml.Node {
	switch {
	case v.Type() == reflect.TypeFor[Choice]():
		c := v.Interface().(Choice)
		if c.Options == nil {
			return text("!!str", c.Name)
		}
		options := node(reflect.ValueOf(c.Options))
		if len(options.Content) == 0 { // none of them says anything
			return text("!!str", c.Name)
		}
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{text("!!str", c.Name), options}}
	case v.Kind() == reflect.Pointer:
		return node(v.Elem())
	case v.Kind() == reflect.Struct:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		partial, _ := v.Interface().(Partial)
		for _, f := range fieldsOf(v.Type()) {
			if partial != nil && partial.Unused(f.name) {
				continue
			}
			fv := v.FieldByIndex(f.index)
			if k := fv.Kind(); (k == reflect.Pointer || k == reflect.Slice || k == reflect.Map) && fv.IsNil() {
				continue
			}
			n.Content = append(n.Content, text("!!str", f.name), node(fv))
		}
		return n
	case v.Kind() == reflect.Slice:
		n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for i := range v.Len() {
			n.Content = append(n.Content, node(v.Index(i)))
		}
		return n
	case v.Kind() == reflect.Map:
		n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		for _, k := range sortedKeys(v) {
			n.Content = append(n.Content, text("!!int", strconv.FormatInt(k.Int(), 10)), node(v.MapIndex(k)))
		}
		return n
	}
	if q, ok := quantities[v.Type()]; ok {
		return text("!!str", quantityText(v, q))
	}
	switch v.Kind() {
	case reflect.String:
		return text("!!str", v.String())
	case reflect.Float64:
		return text("", strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case reflect.Bool:
		return text("", strconv.FormatBool(v.Bool()))
	}
	return text("", fmt.Sprint(v.Interface()))
}

func sortedKeys(table reflect.Value) []reflect.Value {
	keys := table.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.Int(), b.Int()) })
	return keys
}

// text is a scalar; without a tag, the plain text says its type.
func text(tag, s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: s} }

// quantityText is how the unit's own package prints v, or, where that rounds, all digits in the base unit.
func quantityText(v reflect.Value, q quantity) string {
	if b, err := v.Interface().(encoding.TextMarshaler).MarshalText(); err == nil {
		back := reflect.New(v.Type()).Elem()
		if setText(back, string(b)) == nil && back.Equal(v) {
			return string(b)
		}
	}
	if v.CanInt() {
		return strconv.FormatInt(v.Int(), 10) + q.base
	}
	return strconv.FormatFloat(v.Float(), 'f', -1, 64) + q.base
}

func appendJSON(b []byte, n *yaml.Node) []byte {
	str := func(s string) []byte {
		q, err := json.Marshal(s)
		if err != nil {
			panic(err) // a string always marshals
		}
		return q
	}
	switch n.Kind {
	case yaml.MappingNode:
		b = append(b, '{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(b, str(n.Content[i].Value)...), ':')
			b = appendJSON(b, n.Content[i+1])
		}
		return append(b, '}')
	case yaml.SequenceNode:
		b = append(b, '[')
		for i, c := range n.Content {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, c)
		}
		return append(b, ']')
	}
	if n.Tag == "!!str" {
		return append(b, str(n.Value)...)
	}
	return append(b, n.Value...)
}
