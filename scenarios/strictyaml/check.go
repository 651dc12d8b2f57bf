package strictyaml

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Check reports the first key of the struct that v points to whose value its tags do not allow, as
//
//	KEY: FOUND: want EXPECTED
//
// The decoder has done so for what it has read: this is for a struct that a program has filled.
func Check(v any) error { return check(reflect.ValueOf(v).Elem(), "") }

func check(v reflect.Value, path string) error {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			return check(v.Elem(), path)
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := checkField(fieldOf(v.Type().Elem()), v.Index(i), Under(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, k := range sortedKeys(v) {
			at := Under(path, strconv.FormatInt(k.Int(), 10))
			if err := checkField(fieldOf(v.Type().Elem()), v.MapIndex(k), at); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for _, f := range fieldsOf(v.Type()) {
			if err := checkField(&f, v.FieldByIndex(f.index), Under(path, f.name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkField(f *field, v reflect.Value, path string) error {
	if f.choices != nil {
		return checkChoice(f, v.Interface().(Choice), path)
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Struct, reflect.Map:
		return check(v, path)
	}
	if expected, _ := f.wrong(v); expected != "" {
		return fmt.Errorf("%s: %s: want %s", path, KindOf(node(v)), expected)
	}
	return nil
}

func checkChoice(f *field, c Choice, path string) error {
	if !slices.Contains(f.enum, c.Name) {
		return fmt.Errorf("%s: %q: want one of %s", path, c.Name, strings.Join(f.enum, ", "))
	}
	want := c.options(f.choices)
	if !want.IsValid() && c.Options == nil {
		return nil
	}
	if !want.IsValid() || reflect.TypeOf(c.Options) != want.Type() {
		return fmt.Errorf("%s: %q with options of type %T: want those of its table", path, c.Name, c.Options)
	}
	return check(reflect.ValueOf(c.Options), Under(path, c.Name))
}
