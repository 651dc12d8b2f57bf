package scenarios

import (
	"encoding"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/scenarios/strictyaml"
)

// Where is the conditions that a run of a study must meet, each of them alternatives.
type Where [][]comparison

// comparison is KEY OPERATOR KEY, or KEY OPERATOR VALUE.
type comparison struct {
	key, op string
	other   string // a key; empty where there is a value
	value   any    // a float64 in the base unit, a string or a bool
}

// Holds says whether a run meets all conditions. Where a run lacks a key, as it lacks the options of a policy that it
// does not have, there is nothing that the comparison could be about, and it holds.
func (w Where) Holds(s *Scenario) bool {
	for _, alternatives := range w {
		met := false
		for _, c := range alternatives {
			met = met || c.holds(s)
		}
		if !met {
			return false
		}
	}
	return true
}

func (c *comparison) holds(s *Scenario) bool {
	a, ok := s.Value(c.key)
	b, both := c.value, true
	if c.other != "" {
		b, both = s.Value(c.other)
	}
	if !ok || !both {
		return true
	}
	if i, whole := a.(int64); whole {
		a = float64(i)
	}
	if i, whole := b.(int64); whole {
		b = float64(i)
	}
	x, isNumber := a.(float64)
	y, _ := b.(float64)
	switch c.op {
	case "==":
		return a == b
	case "!=":
		return a != b
	case "<":
		return isNumber && x < y
	case "<=":
		return isNumber && x <= y
	case ">":
		return isNumber && x > y
	default: // >=
		return isNumber && x >= y
	}
}

// Value is what a scenario has at a dotted key, as a string, a bool, an int64 or a float64; of a policy its name.
// Packet rates are in packets per second, bit rates in bits per second, sizes in bytes, times in seconds. It is false
// where there is no such key, or where its value is none of these.
func (s *Scenario) Value(key string) (any, bool) {
	v, ok := strictyaml.Lookup(s, key)
	if t, isTime := v.(interface{ Seconds() float64 }); isTime {
		return t.Seconds(), true
	}
	switch r := reflect.ValueOf(v); {
	case !ok:
	case r.CanInt():
		return r.Int(), true
	case r.CanUint() && r.Uint() <= math.MaxInt64:
		return int64(r.Uint()), true
	case r.CanUint():
		return float64(r.Uint()), true
	case r.CanFloat():
		return r.Float(), true
	case r.Kind() == reflect.Bool:
		return r.Bool(), true
	case r.Kind() == reflect.String:
		return r.String(), true
	}
	return nil, false
}

var comparing = regexp.MustCompile(`^\s*(\S+?)\s*(==|!=|<=|>=|<|>)\s*(\S+)\s*$`)

// ReadYAML reads the conditions. A key that no scenario has is an error.
func (w *Where) ReadYAML(d *strictyaml.Decoder, n *yaml.Node, key string) {
	if n.Kind != yaml.SequenceNode {
		d.Fail(n, key, strictyaml.KindOf(n), w.Expected())
		return
	}
	for i, c := range n.Content {
		at := strictyaml.Under(key, strconv.Itoa(i))
		if c.Kind != yaml.ScalarNode {
			d.Fail(c, at, strictyaml.KindOf(c), conditionForm)
			continue
		}
		var alternatives []comparison
		for text := range strings.SplitSeq(c.Value, " or ") {
			m := comparing.FindStringSubmatch(text)
			if m == nil {
				d.Fail(c, at, strconv.Quote(text), conditionForm)
				continue
			}
			if cmp, ok := compare(d, c, at, m[1], m[2], m[3]); ok {
				alternatives = append(alternatives, cmp)
			}
		}
		*w = append(*w, alternatives)
	}
}

// compare is the comparison of a key with another one or with a value of the key's type.
func compare(d *strictyaml.Decoder, n *yaml.Node, at, key, op, right string) (c comparison, ok bool) {
	t, among := scalarType(key)
	if t == nil {
		d.Fail(n, at, "the unknown key "+strconv.Quote(key), "a key of a scenario with a single value",
			strictyaml.Near(key, ScalarKeys())...)
		return c, false
	}
	c = comparison{key: key, op: op}
	ordered := t.Kind() != reflect.String && t.Kind() != reflect.Bool
	if !ordered && op != "==" && op != "!=" {
		d.Fail(n, at, strconv.Quote(op), "== or !=, since "+key+" is no number")
		return c, false
	}
	if other, _ := scalarType(right); other != nil {
		if other != t {
			d.Fail(n, at, key+" and "+right, "two keys of one kind")
			return c, false
		}
		c.other = right
		return c, true
	}
	c.value, ok = valueOf(t, right)
	switch {
	case among != nil && !slices.Contains(among, right):
		d.Fail(n, at, strconv.Quote(right), key+" to be one of "+strings.Join(among, ", "),
			strictyaml.Near(right, among)...)
		return c, false
	case !ok:
		d.Fail(n, at, strconv.Quote(right), "a value as "+key+" has it, or another key",
			strictyaml.Near(right, ScalarKeys())...)
	}
	return c, ok
}

// scalarType is the type of the key if it has a single value, and else nil, and the names that it may be.
func scalarType(key string) (t reflect.Type, among []string) {
	t, among = strictyaml.TypeAt(&Scenario{}, key)
	if t == nil || t.Kind() == reflect.Struct || t.Kind() == reflect.Slice || t.Kind() == reflect.Map ||
		t.Kind() == reflect.Pointer {
		return nil, nil
	}
	return t, among
}

// ScalarKeys are the keys of the first two levels, from which an unknown one may be a slip.
func ScalarKeys() (keys []string) {
	s := &Scenario{}
	for _, key := range strictyaml.Keys(s) {
		t, _ := strictyaml.TypeAt(s, key)
		if t.Kind() != reflect.Struct {
			keys = append(keys, key)
			continue
		}
		for _, below := range strictyaml.Keys(reflect.New(t).Interface()) {
			keys = append(keys, key+"."+below)
		}
	}
	return keys
}

// valueOf reads a value of a key's type, in the base unit.
func valueOf(t reflect.Type, text string) (any, bool) {
	v := reflect.New(t)
	if u, ok := v.Interface().(encoding.TextUnmarshaler); ok {
		err := u.UnmarshalText([]byte(text))
		if s, isTime := v.Elem().Interface().(interface{ Seconds() float64 }); isTime {
			return s.Seconds(), err == nil
		}
		if v.Elem().CanInt() {
			return float64(v.Elem().Int()), err == nil
		}
		return v.Elem().Float(), err == nil
	}
	switch t.Kind() {
	case reflect.String:
		return text, true
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		return b, err == nil
	}
	x, err := strconv.ParseFloat(text, 64)
	return x, err == nil
}

const conditionForm = "KEY OPERATOR KEY or KEY OPERATOR VALUE, the operator one of == != < <= > >=; alternatives are " +
	"joined by or"

// Expected says what the value of the key where may be.
func (w *Where) Expected() string {
	return "a list of conditions such as scheduler.limit <= autoscaler.above"
}

// Schema is its JSON Schema.
func (w *Where) Schema() strictyaml.Object {
	return strictyaml.Object{{Key: "type", Value: "array"},
		{Key: "items", Value: strictyaml.Object{{Key: "type", Value: "string"}}}}
}

// Reference is what the reference says of it.
func (w *Where) Reference() (value, intro string) { return "list of conditions", "" }
