package strictyaml

import (
	"reflect"
	"strconv"
	"strings"
)

// Lookup is what stands at a path of the struct that v points to: of a Choice its name, of anything else the value. It
// is false where there is no such key, or where nothing stands there now: a nil pointer, an element beyond a list, an
// option of an alternative that is not chosen.
func Lookup(v any, path string) (any, bool) {
	at := reflect.ValueOf(v).Elem()
	for step := range strings.SplitSeq(path, ".") {
		if at.Kind() == reflect.Pointer {
			at = at.Elem()
		}
		next := reflect.Value{}
		switch {
		case !at.IsValid():
		case at.Type() == reflect.TypeFor[Choice]():
			if c := at.Interface().(Choice); c.Name == step && c.Options != nil {
				next = reflect.ValueOf(c.Options)
			}
		case at.Kind() == reflect.Struct:
			if f := fieldNamed(at.Type(), step); f != nil {
				next = at.FieldByIndex(f.index)
			}
		case at.Kind() == reflect.Slice:
			if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < at.Len() {
				next = at.Index(i)
			}
		case at.Kind() == reflect.Map:
			if i, err := strconv.Atoi(step); err == nil {
				next = at.MapIndex(reflect.ValueOf(i))
			}
		}
		if at = next; !at.IsValid() {
			return nil, false
		}
	}
	if c, ok := at.Interface().(Choice); ok {
		return c.Name, true
	}
	return at.Interface(), true
}

// TypeAt is the type of what may stand at a path of the struct that v points to, a text's for a Choice, and the names
// that it may be, where there is a list of them. It is nil where no file can have such a key.
func TypeAt(v any, path string) (t reflect.Type, among []string) {
	t = reflect.TypeOf(v).Elem()
	var choices []Choice
	for step := range strings.SplitSeq(path, ".") {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if choices != nil {
			c := Choice{Name: step}
			to := c.options(choices)
			if !to.IsValid() {
				return nil, nil
			}
			t, choices, among = to.Type(), nil, nil
			continue
		}
		switch t.Kind() {
		case reflect.Struct:
			f := fieldNamed(t, step)
			if f == nil {
				return nil, nil
			}
			t, choices, among = f.typ, f.choices, f.enum
		case reflect.Slice, reflect.Map:
			if i, err := strconv.Atoi(step); err != nil || i < 0 {
				return nil, nil
			}
			t = t.Elem()
		default:
			return nil, nil
		}
	}
	if choices != nil {
		t = reflect.TypeFor[string]()
	}
	return t, among
}
