package scenarios

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			b = append(b, ',')
		}
		v, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b = append(append(strconv.AppendQuote(b, m.key), ':'), v...)
	}
	return append(b, '}'), nil
}

// Schema is a JSON Schema (draft 2020-12) of scenario files, for editors.
func Schema() []byte {
	s := object{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", "https://github.com/smartinco/smartinco/scenarios/schema.json"},
		{"title", "SmartINCO scenario"},
	}
	props := properties(reflect.TypeFor[Scenario]())
	sweep := append(object{{"description", sweepDoc}}, objectSchema(reflect.TypeFor[Sweep]())...)
	props = append(props, member{"sweep", sweep})
	s = append(s, object{
		{"type", "object"},
		{"properties", props},
		{"additionalProperties", false},
		{"anyOf", []object{{{"required", []string{"workload"}}}, {{"required", []string{"sweep"}}}}},
	}...)
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(s); err != nil {
		panic(err) // values of this file, written to memory
	}
	return b.Bytes()
}

const sweepDoc = "makes the file a study: one run for each combination of the matrix and each seed"

func properties(t reflect.Type) object {
	props := object{}
	for _, f := range fieldsOf(t) {
		p := object{{"description", f.doc}}
		p = append(p, typeSchema(f.typ, &f)...)
		if f.def != "" {
			p = append(p, member{"default", defaultValue(&f)})
		}
		props = append(props, member{f.name, p})
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

func objectSchema(t reflect.Type) object {
	o := object{{"type", "object"}, {"properties", properties(t)}, {"additionalProperties", false}}
	var required []string
	for _, f := range fieldsOf(t) {
		if f.required {
			required = append(required, f.name)
		}
	}
	if required != nil {
		o = append(o, member{"required", required})
	}
	if t == reflect.TypeFor[Source]() {
		o = append(o, member{"minProperties", 1}, member{"maxProperties", 1})
	}
	return o
}

func typeSchema(t reflect.Type, f *field) object {
	if q, ok := quantities[t]; ok {
		return object{{"anyOf", []object{
			{{"type", "string"}, {"pattern", `^\s*[0-9_]*\.?[0-9_]+([eE][+-]?[0-9]+)?\s*(` + strings.Join(q.units, "|") + `)\s*$`}},
			{{"const", 0}},
		}}, {"examples", []string{q.example}}}
	}
	switch t {
	case reflect.TypeFor[NIC]():
		return object{{"anyOf", []object{
			{{"enum", Profiles()}},
			{{"type", "string"}, {"pattern", `\.yaml$`}},
			objectSchema(t),
		}}}
	case reflect.TypeFor[Matrix]():
		return object{{"type", "object"}, {"additionalProperties", object{{"type", "array"}, {"minItems", 1}}}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return objectSchema(t.Elem())
	case reflect.Struct:
		return objectSchema(t)
	case reflect.Slice:
		return object{{"type", "array"}, {"items", typeSchema(t.Elem(), &field{typ: t.Elem()})}}
	case reflect.Map:
		return object{{"type", "object"}, {"patternProperties", object{{"^[1-9][0-9]*$", typeSchema(t.Elem(), &field{typ: t.Elem()})}}}, {"additionalProperties", false}}
	}
	o := object{{"type", jsonTypes[t.Kind()]}}
	if f.enum != nil {
		o = append(o, member{"enum", f.enum})
	}
	if f.min != "" {
		o = append(o, member{"minimum", json.RawMessage(f.min)})
	}
	if f.max != "" {
		o = append(o, member{"maximum", json.RawMessage(f.max)})
	}
	return o
}

var jsonTypes = map[reflect.Kind]string{
	reflect.String: "string", reflect.Bool: "boolean", reflect.Int: "integer", reflect.Uint64: "integer", reflect.Float64: "number",
}
