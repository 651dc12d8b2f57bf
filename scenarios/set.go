package scenarios

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// override is one path=value of the command line.
type override struct {
	path  string
	value *yaml.Node
	from  string // as errors name it
}

// parseSets reads the overrides. A value is YAML: a scalar, or a list or mapping in flow style. @FILE is a mapping in a
// file, each of whose keys is an override.
func parseSets(sets []string, origin origins) (os []override, errs []*Error) {
	for _, s := range sets {
		from := "--set " + s
		if file, ok := strings.CutPrefix(s, "@"); ok {
			more, es := setsOf(file, origin)
			os, errs = append(os, more...), append(errs, es...)
			continue
		}
		key, text, ok := strings.Cut(s, "=")
		if parts := strings.Split(key, "."); !ok || slices.Contains(parts, "") || len(parts) > maxDepth || len(key) > maxKey {
			errs = append(errs, &Error{File: from, Found: strconv.Quote(s), Expected: "path=value such as scheduler.limit=12Mpps"})
			continue
		}
		v, es := parseNode(from, []byte(text))
		for _, e := range es {
			e.Key, e.Line, e.Column = key, 0, 0
		}
		if len(es) > 0 {
			errs = append(errs, es...)
			continue
		}
		mark(v, from, origin)
		os = append(os, override{key, v, from})
	}
	return os, errs
}

// setsOf reads a file of overrides.
func setsOf(file string, origin origins) (os []override, errs []*Error) {
	data, err := ReadFile(file)
	if err != nil {
		return nil, []*Error{{File: file, Found: err.Error(), Expected: "a YAML file with keys of a scenario", Err: err}}
	}
	root, errs := parseNode(file, data)
	if len(errs) > 0 {
		return nil, errs
	}
	if root.Kind != yaml.MappingNode {
		return nil, []*Error{{File: file, Line: root.Line, Column: root.Column, Found: kindOf(root), Expected: "a mapping with keys of a scenario"}}
	}
	for i := 0; i+1 < len(root.Content); i += 2 {
		mark(root.Content[i+1], file, origin)
		os = append(os, override{root.Content[i].Value, root.Content[i+1], file})
	}
	return os, nil
}

func mark(n *yaml.Node, from string, origin origins) {
	origin[n] = from
	for _, c := range n.Content {
		mark(c, from, origin)
	}
}

// with returns the tree with value at the path. It copies the nodes on the way and shares the others. Mappings on the way
// that are missing are made; a profile's name on the way to a key of nic becomes the mapping that it stands for.
func (o origins) with(n *yaml.Node, path []string, value *yaml.Node, walked string) (*yaml.Node, error) {
	if len(path) == 0 {
		return value, nil
	}
	c := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Line: value.Line, Column: value.Column}
	from, foreign := o[value]
	switch {
	case n == nil || isNull(n):
	case n.Kind == yaml.ScalarNode && walked == "nic":
		name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "profile", Line: n.Line, Column: n.Column}
		c.Content = []*yaml.Node{name, n}
	case n.Kind == yaml.ScalarNode:
		return nil, fmt.Errorf("%s at %s", kindOf(n), walked)
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
		if at = keyIndex(c, path[0]); at >= 0 {
			at++
		}
		if at < 0 {
			key := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: path[0], Line: value.Line, Column: value.Column}
			if from, ok := o[value]; ok {
				o[key] = from
			}
			at = len(c.Content) + 1
			c.Content = append(c.Content, key, nil)
		}
	}
	child, err := o.with(c.Content[at], path[1:], value, under(walked, path[0]))
	c.Content[at] = child
	return c, err
}

// merge lays one mapping over another: mappings merge key by key, everything else replaces.
func (o origins) merge(base, over *yaml.Node) *yaml.Node {
	if base.Kind != yaml.MappingNode || over.Kind != yaml.MappingNode {
		return over
	}
	c := *base
	c.Content = slices.Clone(base.Content)
	for i := 0; i+1 < len(over.Content); i += 2 {
		at := keyIndex(base, over.Content[i].Value)
		if at < 0 {
			c.Content = append(c.Content, over.Content[i], over.Content[i+1])
		} else {
			c.Content[at], c.Content[at+1] = over.Content[i], o.merge(base.Content[at+1], over.Content[i+1])
		}
	}
	if from, ok := o[base]; ok {
		o[&c] = from
	}
	return &c
}

// keyIndex is the index of a key in a mapping's content, -1 for none.
func keyIndex(n *yaml.Node, key string) int {
	if n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return i
			}
		}
	}
	return -1
}
