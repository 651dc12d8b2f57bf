package scenarios

import (
	"encoding"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// field is what the tags of one struct field say.
type field struct {
	name, doc, def, min, max string
	enum                     []string
	required                 bool
	index                    int
	typ                      reflect.Type
}

var fieldCache sync.Map // reflect.Type to []field

// fieldsOf lists the keys of a struct in the order of their declaration.
func fieldsOf(t reflect.Type) []field {
	if fs, ok := fieldCache.Load(t); ok {
		return fs.([]field)
	}
	var fs []field
	for i := range t.NumField() {
		sf := t.Field(i)
		name := sf.Tag.Get("yaml")
		if name == "" || name == "-" {
			continue
		}
		f := field{name: name, doc: sf.Tag.Get("doc"), def: sf.Tag.Get("default"), min: sf.Tag.Get("min"), max: sf.Tag.Get("max"),
			required: sf.Tag.Get("required") == "true", index: i, typ: sf.Type}
		if e := sf.Tag.Get("enum"); e != "" {
			f.enum = strings.Split(e, "|")
		}
		if names := policyNames[t][name]; names != nil {
			f.enum = names()
		}
		if q, ok := quantities[f.typ]; ok {
			if f.min == "" {
				f.min = "0"
			}
			if f.max == "" {
				f.max = q.max
			}
		}
		fs = append(fs, f)
	}
	fieldCache.Store(t, fs)
	return fs
}

// policyNames are the enums that no tag holds: the names in the tables of policies.
var policyNames = map[reflect.Type]map[string]func() []string{
	reflect.TypeFor[scheduler.Options](): {
		"policy": func() []string { return names(scheduler.Policies(), func(i scheduler.Info) string { return i.Name }) },
	},
	reflect.TypeFor[autoscaler.Options](): {
		"policy": autoscaler.Policies.Names,
		"victim": autoscaler.Victims.Names,
	},
}

func names[T any](infos []T, name func(T) string) (out []string) {
	for _, i := range infos {
		out = append(out, name(i))
	}
	return out
}

func keysOf(t reflect.Type) []string {
	var names []string
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	return names
}

// quantity describes a type of package units. No quantity of a scenario is negative.
type quantity struct {
	noun, example string
	units         []string
	base          string // the unit in which every value is a plain decimal number
	max           string // beyond it a value cannot be meant: one packet a picosecond, a petabit a second, a tebibyte
}

var quantities = map[reflect.Type]quantity{
	reflect.TypeFor[units.Time]():  {"a time", "10s", []string{"ps", "ns", "us", "µs", "ms", "s", "min", "h"}, "ps", ""},
	reflect.TypeFor[units.PPS]():   {"a packet rate", "25Mpps", []string{"pps", "kpps", "Mpps", "Gpps"}, "pps", "1000Gpps"},
	reflect.TypeFor[units.BPS]():   {"a bit rate", "100Gbps", []string{"bps", "kbps", "Mbps", "Gbps", "Tbps"}, "bps", "1000Tbps"},
	reflect.TypeFor[units.Bytes](): {"a size", "64B", []string{"B", "kB", "MB", "GB", "KiB", "MiB", "GiB"}, "B", "1024GiB"},
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
		return "one of " + strings.Join(f.enum, ", ")
	}
	if f.typ == reflect.TypeFor[NIC]() {
		return "a profile's name or a mapping with the keys " + strings.Join(keysOf(f.typ), ", ")
	}
	s := noun(f.typ)
	if q, ok := quantities[f.typ]; ok {
		s += " such as " + q.example + " (units " + strings.Join(q.units, ", ") + ")"
		if f.min == "0" && f.max == q.max {
			return s
		}
	}
	switch {
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

// within reports whether v respects min and max.
func (f *field) within(v reflect.Value) bool {
	for i, bound := range []string{f.min, f.max} {
		if bound == "" {
			continue
		}
		b := reflect.New(f.typ).Elem()
		if err := setText(b, bound); err != nil {
			panic(err) // a tag of this program; every tag is read by the tests
		}
		if i == 0 && number(v) < number(b) || i == 1 && number(v) > number(b) {
			return false
		}
	}
	return true
}

// setDefaults fills a struct with the defaults of its tags. Lists and tables without one become empty, except in a Source,
// where what is absent must stay absent. The default of a NIC is a profile, which the decoder reads.
func setDefaults(v reflect.Value) {
	for _, f := range fieldsOf(v.Type()) {
		fv := v.Field(f.index)
		switch {
		case f.typ == reflect.TypeFor[NIC](), v.Type() == reflect.TypeFor[Source]():
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

// defaultContention is the contention of a scenario that says nothing about it.
func defaultContention() Contention {
	var c Contention
	setDefaults(reflect.ValueOf(&c).Elem())
	return c
}
