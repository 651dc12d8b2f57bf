package strictyaml

import (
	"cmp"
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/smartinco/smartinco/units"
)

// field is what the tags of one struct field say.
type field struct {
	name, doc, def  string
	min, max, above string
	enum            []string
	required        bool
	index           []int // see reflect.Value.FieldByIndex
	typ             reflect.Type
	custom          Custom   // a zero value, where the type is one
	choices         []Choice // the table, where the type is Choice
}

var fieldCache sync.Map // reflect.Type to []field

// fieldsOf lists the keys of a struct in the order of their declaration.
func fieldsOf(t reflect.Type) []field {
	if fs, ok := fieldCache.Load(t); ok {
		return fs.([]field)
	}
	docs := docsOf(t)
	tabled, _ := is[Tabled](t)
	chooser, _ := is[Chooser](t)
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("yaml")
		if name == "" || name == "-" {
			continue
		}
		if name == ",inline" {
			for _, f := range fieldsOf(sf.Type) {
				f.index = append([]int{i}, f.index...)
				fs = append(fs, f)
			}
			continue
		}
		f := fieldOf(sf.Type)
		f.name, f.doc, f.def, f.index = name, cmp.Or(docs[name], sf.Tag.Get("doc")), sf.Tag.Get("default"), []int{i}
		if delete(docs, name); f.doc == "" {
			panic(fmt.Sprintf("%v: no doc for %s", t, name))
		}
		f.min, f.max = cmp.Or(sf.Tag.Get("min"), f.min), cmp.Or(sf.Tag.Get("max"), f.max)
		f.above = sf.Tag.Get("above")
		f.required = sf.Tag.Get("required") == "true"
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, "|")
		}
		if tabled != nil && f.enum == nil {
			f.enum = tabled.Names(name)
		}
		if chooser != nil && f.typ == reflect.TypeFor[Choice]() {
			f.choices = chooser.Choices(name)
			f.enum = namesOf(f.choices)
		}
		fs = append(fs, *f)
	}
	if len(docs) > 0 {
		panic(fmt.Sprintf("%v: docs for what is no key: %v", t, docs))
	}
	fieldCache.Store(t, fs)
	return fs
}

// docsOf are the texts of a Documented struct by key.
func docsOf(t reflect.Type) map[string]string {
	docs := map[string]string{}
	if d, ok := is[Documented](t); ok {
		for line := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSpace(d.Docs()), "\n\t", " "), "\n") {
			key, doc, _ := strings.Cut(line, ": ")
			docs[key] = doc
		}
	}
	return docs
}

// fieldOf is what a type says without tags.
func fieldOf(t reflect.Type) *field {
	f := &field{typ: t}
	f.custom, _ = is[Custom](t)
	if q, ok := quantities[t]; ok {
		f.min, f.max = "0", q.max
	}
	return f
}

func keysOf(t reflect.Type) []string {
	var names []string
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	return names
}

// quantity describes a type of package units. No quantity is negative.
type quantity struct {
	noun, example string
	units         []string
	base          string // the unit in which every value is a plain decimal number
	max           string // beyond it a value cannot be meant: one packet a picosecond, a petabit a second, a tebibyte
}

var quantities = map[reflect.Type]quantity{
	reflect.TypeFor[units.Time](): {
		noun: "a time", example: "10s", base: "ps",
		units: []string{"ps", "ns", "us", "µs", "ms", "s", "min", "h"},
	},
	reflect.TypeFor[units.PPS](): {
		noun: "a packet rate", example: "25Mpps", base: "pps", max: "1000Gpps",
		units: []string{"pps", "kpps", "Mpps", "Gpps"},
	},
	reflect.TypeFor[units.BPS](): {
		noun: "a bit rate", example: "100Gbps", base: "bps", max: "1000Tbps",
		units: []string{"bps", "kbps", "Mbps", "Gbps", "Tbps"},
	},
	reflect.TypeFor[units.Bytes](): {
		noun: "a size", example: "64B", base: "B", max: "1024GiB",
		units: []string{"B", "kB", "MB", "GB", "KiB", "MiB", "GiB"},
	},
}

// nouns say what a scalar of a plain kind is.
var nouns = map[reflect.Kind]string{
	reflect.String: "a text", reflect.Bool: "true or false", reflect.Int: "a whole number",
	reflect.Uint64: "a whole number from 0", reflect.Float64: "a number",
}

// noun says what a value of a type is, for messages and the reference.
func noun(t reflect.Type) string {
	if q, ok := quantities[t]; ok {
		return q.noun
	}
	switch t.Kind() {
	case reflect.Pointer:
		return noun(t.Elem())
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "a mapping"
	}
	return nouns[t.Kind()]
}

// expected says what may stand at a key.
func (f *field) expected() string {
	if f.enum != nil {
		s := "one of " + strings.Join(f.enum, ", ")
		if anyOptions(f.choices) {
			s += ", or a mapping from one of them to its options"
		}
		return s
	}
	if f.custom != nil {
		return f.custom.Expected()
	}
	s := noun(f.typ)
	if q, ok := quantities[f.typ]; ok {
		s += " such as " + q.example + " (units " + strings.Join(q.units, ", ") + ")"
		if f.min == "0" && f.max == q.max {
			return s
		}
	}
	switch {
	case f.above != "": // what a number is; outside says between what
	case f.min != "" && f.max != "":
		s += " from " + f.min + " to " + f.max
	case f.min != "":
		s += " not below " + f.min
	case f.max != "":
		s += " not above " + f.max
	}
	return s
}

// setText reads a scalar. A quantity may be a bare 0, whatever its unit.
func setText(v reflect.Value, text string) error {
	if _, ok := quantities[v.Type()]; ok && strings.TrimSpace(text) == "0" {
		v.SetZero()
		return nil
	}
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
		return nil
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		v.SetBool(b)
		return err
	case reflect.Int:
		i, err := strconv.ParseInt(text, 10, 64)
		v.SetInt(i)
		return err
	case reflect.Uint64:
		i, err := strconv.ParseUint(text, 10, 64)
		v.SetUint(i)
		return err
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		v.SetFloat(x)
		return err
	}
	return fmt.Errorf("%s is not a scalar", v.Type())
}

// number is a scalar as a number, for comparison with a bound.
func number(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	}
	return v.Float()
}

// within reports whether v respects min, max and above.
func (f *field) within(v reflect.Value) bool {
	for i, bound := range []string{f.min, f.max, f.above} {
		if bound == "" {
			continue
		}
		b := reflect.New(f.typ).Elem()
		if err := setText(b, bound); err != nil {
			panic(err) // a tag of this program; every tag is read by the tests
		}
		if x, y := number(v), number(b); i == 0 && x < y || i == 1 && x > y || i == 2 && x <= y {
			return false
		}
	}
	return true
}

// outside says what may stand there instead of a number that is not within.
func (f *field) outside() string {
	if f.above == "" {
		return f.expected()
	}
	s := noun(f.typ) + " above " + f.above
	if f.max != quantities[f.typ].max {
		s += " and at most " + f.max
	}
	return s
}

// wrong says what may stand there instead of a scalar that the tags do not allow, and which names resemble it; nothing
// if they allow it.
func (f *field) wrong(v reflect.Value) (expected string, near []string) {
	switch {
	case f.enum != nil:
		if !slices.Contains(f.enum, v.String()) {
			return f.expected(), Near(v.String(), f.enum)
		}
	case v.Kind() == reflect.Float64 && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)):
		return "a finite number", nil
	case v.Kind() != reflect.String && v.Kind() != reflect.Bool && !f.within(v):
		return f.outside(), nil
	}
	return "", nil
}

// setDefaults is Defaults.
func setDefaults(v reflect.Value) {
	if isOneOf(v.Type()) {
		return
	}
	for _, f := range fieldsOf(v.Type()) {
		fv := v.FieldByIndex(f.index)
		switch {
		case f.custom != nil:
		case f.choices != nil:
			fv.Set(reflect.ValueOf(Choose(f.choices, f.def)))
		case f.typ.Kind() == reflect.Struct:
			setDefaults(fv)
		case f.typ.Kind() == reflect.Slice:
			fv.Set(reflect.MakeSlice(f.typ, 0, 0))
		case f.typ.Kind() == reflect.Map:
			fv.Set(reflect.MakeMap(f.typ))
		case f.def != "":
			if err := setText(fv, f.def); err != nil {
				panic(err) // a tag of this program; every tag is read by the tests
			}
		}
	}
}

func isOneOf(t reflect.Type) bool {
	_, ok := is[OneOf](t)
	return ok
}

// alternatives are the keys of a OneOf of which one must be set, and those that go with any of them.
func alternatives(t reflect.Type) (names, common []string) {
	for _, f := range fieldsOf(t) {
		if k := f.typ.Kind(); k == reflect.Pointer || k == reflect.Slice {
			names = append(names, f.name)
		} else {
			common = append(common, f.name)
		}
	}
	return names, common
}
