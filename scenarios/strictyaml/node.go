package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

// MaxSize is the most bytes that a file may have.
const MaxSize = 4 << 20

// Bounds that no sensible file reaches, and that keep the work on a hostile one linear in its size.
const (
	MaxDepth = 16  // of nesting
	MaxKey   = 128 // bytes of a key
)

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(?s:(.*))$`)

// Parse reads one YAML document and refuses what no file needs: several documents, anchors, aliases, keys twice.
func Parse(file string, data []byte) (*yaml.Node, []*Error) {
	d := NewDecoder(file, "", nil)
	if len(data) > MaxSize {
		d.Fail(nil, "", fmt.Sprintf("%d bytes", len(data)), fmt.Sprintf("at most %d", MaxSize))
		return nil, d.Errs
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) || err == nil && len(doc.Content) == 0 {
		d.Fail(nil, "", "an empty document", "YAML")
		return nil, d.Errs
	}
	if err == nil {
		if err = dec.Decode(&second); err == nil {
			d.Fail(&second, "", "a second document", "one document a file")
			return nil, d.Errs
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
	return doc.Content[0], d.Errs
}

func (d *Decoder) lint(n *yaml.Node, path string, depth int) {
	if depth > MaxDepth {
		d.Fail(n, path, "a deeper nesting", fmt.Sprintf("at most %d levels", MaxDepth))
		return
	}
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.Fail(n, path, "an anchor or alias", "the value itself")
		return
	}
	seen := map[string]int{}
	for i, c := range n.Content {
		switch {
		case n.Kind == yaml.SequenceNode:
			d.lint(c, Under(path, strconv.Itoa(i)), depth+1)
		case i%2 == 1:
			if k := n.Content[i-1].Value; len(k) <= MaxKey {
				d.lint(c, Under(path, k), depth+1)
			}
		case c.Kind != yaml.ScalarNode:
			d.Fail(c, path, KindOf(c)+" as a key", "a name")
		case len(c.Value) > MaxKey:
			d.Fail(c, path, fmt.Sprintf("a key of %d bytes", len(c.Value)), fmt.Sprintf("at most %d", MaxKey))
		case c.Anchor != "":
			d.Fail(c, path, "an anchor or alias", "the value itself")
		default:
			if line, ok := seen[c.Value]; ok {
				d.Fail(c, Under(path, c.Value), "the key a second time",
					fmt.Sprintf("it once; the first is on line %d", line))
			}
			seen[c.Value] = c.Line
		}
	}
}

// Under is the path of a key below another; the root has the empty path.
func Under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// KindOf is how errors call what a node is: a mapping, a list, nothing, or the scalar itself in quotes.
func KindOf(n *yaml.Node) string {
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

// IsNull reports whether nothing stands there.
func IsNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }
