package strictyaml

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Describe is the description, in Markdown, of every key of the struct that v points to.
func Describe(title string, v any) []byte {
	var b bytes.Buffer
	section(&b, title, "", reflect.TypeOf(v).Elem())
	return b.Bytes()
}

// Table is the table, in Markdown, of the keys of the struct that v points to, without those below them.
func Table(v any) []byte {
	var b bytes.Buffer
	table(&b, reflect.TypeOf(v).Elem())
	return b.Bytes()
}

// Units is the table, in Markdown, of the quantities and their units.
func Units() []byte {
	var b bytes.Buffer
	b.WriteString("| what | units | example |\n|---|---|---|\n")
	for _, t := range quantityOrder() {
		q := quantities[t]
		fmt.Fprintf(&b, "| %s | %s | `%s` |\n", q.noun, strings.Join(q.units, ", "), q.example)
	}
	b.WriteString("\nA bare `0` is read as well. No quantity is negative.\n")
	return b.Bytes()
}

func quantityOrder() []reflect.Type {
	var ts []reflect.Type
	for t := range quantities {
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b reflect.Type) int { return strings.Compare(quantities[a].noun, quantities[b].noun) })
	return ts
}

// section writes the keys of t and then a section for each key that is a mapping.
func section(b *bytes.Buffer, title, path string, t reflect.Type) {
	fmt.Fprintf(b, "\n## %s\n\n", title)
	if c, ok := is[Custom](t); ok {
		_, intro := c.Reference()
		b.WriteString(intro + "\n\n")
	}
	if isOneOf(t) {
		with := ""
		if _, common := alternatives(t); len(common) > 0 {
			with = ", with or without `" + strings.Join(common, "`, `") + "`"
		}
		fmt.Fprintf(b, "A list; each element has exactly one of these keys%s.\n\n", with)
	}
	keys(b, path, t)
}

// keys writes the table of the keys of t and a section for each that is a mapping. A Custom list has none: its notation
// is its own.
func keys(b *bytes.Buffer, path string, t reflect.Type) {
	table(b, t)
	for _, f := range fieldsOf(t) {
		e, key := f.typ, Under(path, f.name)
		if f.choices != nil {
			choiceSections(b, key, &f)
			continue
		}
		if e.Kind() == reflect.Slice && f.custom == nil {
			e, key = e.Elem(), key+"[]"
		}
		if e.Kind() == reflect.Pointer {
			e = e.Elem()
		}
		if e.Kind() == reflect.Struct {
			section(b, "`"+key+"`", key, e)
		}
	}
}

// choiceSections writes a section for each alternative that has options.
func choiceSections(b *bytes.Buffer, key string, f *field) {
	for _, c := range f.choices {
		if c.Options != nil {
			at := Under(key, c.Name)
			fmt.Fprintf(b, "\n## `%s`\n\n", at)
			fmt.Fprintf(b, "The options of `%s: %s`, which is then written `%[1]s: {%[2]s: {KEY: VALUE}}`.\n",
				f.name, c.Name)
			fmt.Fprintf(b, "`--set` and a sweep reach them by this path, where `%s` is `%s` or not given.\n\n",
				f.name, c.Name)
			keys(b, at, reflect.TypeOf(c.Options))
		}
	}
}

func table(b *bytes.Buffer, t reflect.Type) {
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, k := range keysAs(t) {
		value, def := k.Value, k.Default
		if k.Among != nil {
			value = "`" + strings.Join(k.Among, "`, `") + "`"
		}
		switch {
		case k.Required:
			def = "required"
		case def != "":
			def = "`" + def + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", k.Name, value, def, k.Doc)
	}
}

// KeyInfo is what the tags of a struct say of one of its keys.
type KeyInfo struct {
	Name     string   `json:"name"`
	Value    string   `json:"value,omitempty"` // what kind of value, within which bounds; empty where Among lists them
	Among    []string `json:"among,omitempty"` // all values that it may have
	Default  string   `json:"default,omitempty"`
	Required bool     `json:"required,omitempty"`
	Doc      string   `json:"doc"`
}

// KeyInfos describes the keys of a struct, without those below them.
func KeyInfos(of any) []KeyInfo { return keysAs(reflect.TypeOf(of)) }

func keysAs(t reflect.Type) (ks []KeyInfo) {
	for _, f := range fieldsOf(t) {
		k := KeyInfo{Name: f.name, Among: f.enum, Default: f.def, Required: f.required, Doc: f.doc}
		if f.enum == nil {
			k.Value = f.value()
		}
		ks = append(ks, k)
	}
	return ks
}

// value says what kind of value the key has, and within which bounds.
func (f *field) value() string {
	value := strings.TrimPrefix(strings.TrimPrefix(noun(f.typ), "a "), "an ")
	if f.custom != nil {
		value, _ = f.custom.Reference()
	}
	q := quantities[f.typ]
	if f.min != "" && q.noun == "" {
		value += ", ≥ " + f.min
	}
	if f.above != "" {
		value += ", > " + f.above
	}
	if f.max != "" && f.max != q.max {
		value += ", ≤ " + f.max
	}
	return value
}
