package strictyaml

import (
	"iter"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// Rule is a relation that a file must satisfy beyond the bounds of single keys.
type Rule struct {
	Keys  []string // the first is the one that an error names; none is reported where one of them is wrong already
	Wrong bool     // the relation is broken
	Want  string   // what may stand there
}

// Below gives the same rules for keys below a path.
func Below(path string, rules []Rule) []Rule {
	below := make([]Rule, len(rules))
	for i, r := range rules {
		r.Keys = slices.Clone(r.Keys)
		for j, key := range r.Keys {
			r.Keys[j] = Under(path, key)
		}
		below[i] = r
	}
	return below
}

// Check reports the broken rules whose keys, with what is above and below them, were read without an error.
func (d *Decoder) Check(rules []Rule) {
	bad := d.bad()
	for _, r := range rules {
		if r.Wrong && !slices.ContainsFunc(r.Keys, bad.touches) {
			n, found := d.place(r.Keys[0])
			d.Fail(n, r.Keys[0], found, r.Want)
		}
	}
}

// badKeys are the keys with an error and, with .*, those above one.
type badKeys map[string]bool

func (d *Decoder) bad() badKeys {
	bad := badKeys{}
	for _, e := range d.Errs {
		bad[e.Key] = true
		for up := range above(e.Key) {
			bad[up+".*"] = true
		}
	}
	return bad
}

// touches reports whether there is an error at the key, below it or above it.
func (bad badKeys) touches(key string) bool {
	if bad[key] || bad[key+".*"] {
		return true
	}
	for up := range above(key) {
		if bad[up] {
			return true
		}
	}
	return false
}

// above are the keys above a key, the nearest first.
func above(key string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := strings.LastIndexByte(key, '.'); i >= 0; i = strings.LastIndexByte(key[:i], '.') {
			if !yield(key[:i]) {
				return
			}
		}
	}
}

// place is the node of a key, or of the nearest key above it that the file has, and the name of what stands at the key.
func (d *Decoder) place(key string) (n *yaml.Node, found string) {
	if n, ok := d.At[key]; ok {
		return n, KindOf(n)
	}
	for up := range above(key) {
		if n, ok := d.At[up]; ok {
			return n, "no such key"
		}
	}
	return nil, "no such key"
}
