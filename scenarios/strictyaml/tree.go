package strictyaml

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Origins says where nodes come from that are not of the main file: another file, or an override such as --set a.b=1.
type Origins map[*yaml.Node]string

// Mark notes where a tree of nodes comes from.
func (o Origins) Mark(n *yaml.Node, from string) {
	o[n] = from
	for _, c := range n.Content {
		o.Mark(c, from)
	}
}

// With returns the tree, which is to be read into what v points to, with value at the path. It copies the nodes on the
// way and shares the others. Mappings on the way that are missing are made; a scalar on the way that is a Shorthand
// becomes the mapping that it stands for.
func (o Origins) With(v any, root *yaml.Node, path string, value *yaml.Node) (*yaml.Node, error) {
	return o.with(reflect.TypeOf(v).Elem(), root, strings.Split(path, "."), value, "")
}

func (o Origins) with(
	t reflect.Type, n *yaml.Node, path []string, value *yaml.Node, walked string,
) (*yaml.Node, error) {
	if len(path) == 0 {
		return value, nil
	}
	c := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: value.Line, Column: value.Column}
	from, foreign := o[value]
	short, isShort := is[Shorthand](t)
	switch {
	case n == nil || IsNull(n):
	case n.Kind == yaml.ScalarNode && isShort:
		c.Content = short.Mapping(n).Content
	case n.Kind == yaml.ScalarNode:
		return nil, fmt.Errorf("%s at %s", KindOf(n), walked)
	default:
		*c = *n
		c.Content = slices.Clone(n.Content)
		from, foreign = o[n]
	}
	if foreign {
		o[c] = from
	}
	at := -1
	if c.Kind == yaml.SequenceNode {
		i, err := strconv.Atoi(path[0])
		if err != nil || i < 0 || i >= len(c.Content) {
			return nil, fmt.Errorf("a list of %d at %s", len(c.Content), walked)
		}
		at = i
	} else {
		if at = KeyIndex(c, path[0]); at >= 0 {
			at++
		}
		if at < 0 {
			key := text("!!str", path[0])
			key.Line, key.Column = value.Line, value.Column
			if from, ok := o[value]; ok {
				o[key] = from
			}
			at = len(c.Content) + 1
			c.Content = append(c.Content, key, nil)
		}
	}
	child, err := o.with(typeAt(t, path[0]), c.Content[at], path[1:], value, Under(walked, path[0]))
	c.Content[at] = child
	return c, err
}

// typeAt is the type of a key or an element of a type; nil where there is none.
func typeAt(t reflect.Type, key string) reflect.Type {
	if t == nil {
		return nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeAt(t.Elem(), key)
	case reflect.Slice, reflect.Map:
		return t.Elem()
	case reflect.Struct:
		if f := fieldNamed(t, key); f != nil {
			return f.typ
		}
	}
	return nil
}

// Merge lays one tree over another, both to be read into what v points to: mappings merge key by key, everything else
// replaces, and so does a Choice of another name. A scalar of the base that is a Shorthand is the mapping that it
// stands for.
func (o Origins) Merge(v any, base, over *yaml.Node) *yaml.Node {
	return o.merge(reflect.TypeOf(v).Elem(), base, over)
}

func (o Origins) merge(t reflect.Type, base, over *yaml.Node) *yaml.Node {
	if short, ok := is[Shorthand](t); ok && base.Kind == yaml.ScalarNode && !IsNull(base) {
		base = short.Mapping(base)
	}
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	if t == reflect.TypeFor[Choice]() && len(over.Content) == 2 && KeyIndex(base, over.Content[0].Value) < 0 {
		return over
	}
	c := *base
	c.Content = slices.Clone(base.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		key := over.Content[i].Value
		at := KeyIndex(base, key)
		if at < 0 {
			c.Content = append(c.Content, over.Content[i], over.Content[i+1])
		} else {
			c.Content[at] = over.Content[i]
			c.Content[at+1] = o.merge(typeAt(t, key), base.Content[at+1], over.Content[i+1])
		}
	}
	if from, ok := o[base]; ok {
		o[&c] = from
	}
	return &c
}

// KeyIndex is the index of a key in a mapping's content, -1 for none.
func KeyIndex(n *yaml.Node, key string) int {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return i
			}
		}
	}
	return -1
}
