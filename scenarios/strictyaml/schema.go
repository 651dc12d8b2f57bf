package strictyaml

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Object is a JSON object whose members keep their order.
type Object []Member

// Member is one of them. Its value is what encoding/json takes.
type Member struct {
	Key   string
	Value any
}

// MarshalJSON writes the members in order.
func (o Object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		v, err := json.Marshal(m.Value)
		if err != nil {
			return nil, err
		}
		b = append(append(strconv.AppendQuote(b, m.Key), ':'), v...)
	}
	return append(b, '}'), nil
}

// Properties are the JSON Schemas of the keys of the struct that v points to.
func Properties(v any) Object { return properties(reflect.TypeOf(v).Elem()) }

// Schema is the JSON Schema (draft 2020-12) of a mapping that is read into the struct that v points to.
func Schema(v any) Object { return objectSchema(reflect.TypeOf(v).Elem()) }

func properties(t reflect.Type) Object {
	props := Object{}
	for _, f := range fieldsOf(t) {
		p := Object{{"description", f.doc}}
		p = append(p, typeSchema(&f)...)
		if f.def != "" {
			p = append(p, Member{"default", defaultValue(&f)})
		}
		props = append(props, Member{f.name, p})
	}
	return props
}

// defaultValue is a default as JSON: a number or a truth value where the key takes one, a text otherwise.
func defaultValue(f *field) any {
	if _, ok := quantities[f.typ]; ok || f.typ.Kind() == reflect.String || f.typ.Kind() == reflect.Struct {
		return f.def
	}
	return json.RawMessage(f.def)
}

func objectSchema(t reflect.Type) Object {
	o := Object{{"type", "object"}, {"properties", properties(t)}, {"additionalProperties", false}}
	var required []string
	for _, f := range fieldsOf(t) {
		if f.required {
			required = append(required, f.name)
		}
	}
	if required != nil {
		o = append(o, Member{"required", required})
	}
	if isOneOf(t) {
		var one []Object
		names, _ := alternatives(t)
		for _, name := range names {
			one = append(one, Object{{"required", []string{name}}})
		}
		o = append(o, Member{"oneOf", one})
	}
	return o
}

// quantityPattern is what a quantity looks like, but for its units.
const quantityPattern = `^\s*[0-9_]*\.?[0-9_]+([eE][+-]?[0-9]+)?\s*(%s)\s*$`

func typeSchema(f *field) Object {
	t := f.typ
	if q, ok := quantities[t]; ok {
		return Object{{"anyOf", []Object{
			{{"type", "string"}, {"pattern", fmt.Sprintf(quantityPattern, strings.Join(q.units, "|"))}},
			{{"const", 0}},
		}}, {"examples", []string{q.example}}}
	}
	if f.custom != nil {
		return f.custom.Schema()
	}
	if f.choices != nil {
		return choiceSchema(f)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return objectSchema(t.Elem())
	case reflect.Struct:
		return objectSchema(t)
	case reflect.Slice:
		return Object{{"type", "array"}, {"items", typeSchema(fieldOf(t.Elem()))}}
	case reflect.Map:
		values := Object{{"^[1-9][0-9]*$", typeSchema(fieldOf(t.Elem()))}}
		return Object{{"type", "object"}, {"patternProperties", values}, {"additionalProperties", false}}
	}
	o := Object{{"type", jsonTypes[t.Kind()]}}
	if f.enum != nil {
		o = append(o, Member{"enum", f.enum})
	}
	if f.min != "" {
		o = append(o, Member{"minimum", json.RawMessage(f.min)})
	}
	if f.above != "" {
		o = append(o, Member{"exclusiveMinimum", json.RawMessage(f.above)})
	}
	if f.max != "" {
		o = append(o, Member{"maximum", json.RawMessage(f.max)})
	}
	return o
}

func choiceSchema(f *field) Object {
	names := Object{{"type", "string"}, {"enum", f.enum}}
	if !anyOptions(f.choices) {
		return names
	}
	options := Object{}
	for _, c := range f.choices {
		if c.Options != nil {
			options = append(options, Member{c.Name, objectSchema(reflect.TypeOf(c.Options))})
		}
	}
	one := Object{{"type", "object"}, {"properties", options}, {"additionalProperties", false},
		{"minProperties", 1}, {"maxProperties", 1}}
	return Object{{"anyOf", []Object{names, one}}}
}

var jsonTypes = map[reflect.Kind]string{
	reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Uint64: "integer",
	reflect.Float64: "number",
}
