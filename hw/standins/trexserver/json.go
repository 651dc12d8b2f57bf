package trexserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of a request.
const maxDepth = 200

// value is a JSON value that knows where in the text it began.
type value struct {
	at     int
	scalar any               // nil, bool, json.Number or string; nil for the others
	list   []*value          // of an array
	fields map[string]*value // of an object
	kind   byte              // 'n'ull, 'b'ool, '0' number, 's'tring, '[' or '{'
}

// kindNames are the names by which refusals call a value that is not what was wanted.
var kindNames = map[byte]string{'n': "null", 'b': "boolean", '0': "number", 's': "string", '[': "array", '{': "object"}

type parser struct {
	text []byte
	d    *json.Decoder
}

// parseJSON reads exactly one value.
func parseJSON(b []byte) (*value, error) {
	p := &parser{b, json.NewDecoder(bytes.NewReader(b))}
	p.d.UseNumber()
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	if _, err := p.d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

func (p *parser) value(depth int) (*value, error) {
	at := int(p.d.InputOffset())
	for at < len(p.text) && strings.IndexByte(" \t\r\n,:", p.text[at]) >= 0 {
		at++
	}
	t, err := p.d.Token()
	if err != nil {
		return nil, err
	}
	v := &value{at: at, scalar: t}
	switch t := t.(type) {
	case nil:
		v.kind = 'n'
	case bool:
		v.kind = 'b'
	case json.Number:
		v.kind = '0'
	case string:
		v.kind = 's'
	case json.Delim:
		v.kind, v.scalar = byte(t), nil
		if depth == maxDepth {
			return nil, errors.New("nested too deeply")
		}
		if t == '{' {
			v.fields = map[string]*value{}
		}
		for p.d.More() {
			var key json.Token
			if t == '{' {
				if key, err = p.d.Token(); err != nil {
					return nil, err
				}
			}
			e, err := p.value(depth + 1)
			if err != nil {
				return nil, err
			}
			if t == '{' {
				v.fields[key.(string)] = e
			} else {
				v.list = append(v.list, e)
			}
		}
		if _, err := p.d.Token(); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// plain is the value as encoding/json takes it, numbers as they were written.
func (v *value) plain() any {
	switch v.kind {
	case '[':
		list := make([]any, len(v.list))
		for i, e := range v.list {
			list[i] = e.plain()
		}
		return list
	case '{':
		m := make(map[string]any, len(v.fields))
		for k, e := range v.fields {
			m[k] = e.plain()
		}
		return m
	}
	return v.scalar
}

// integer is the value as an integer; a real without a fraction is one.
func (v *value) integer() (i int64, u uint64, ok bool) {
	n, _ := v.scalar.(json.Number)
	if u, err := strconv.ParseUint(string(n), 10, 64); err == nil {
		return int64(u), u, true
	}
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i, uint64(i), true
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, 0, false
	}
	return int64(f), uint64(int64(f)), true
}

// object reads the fields of an object and keeps the first thing that was wrong. After an error it returns zeros.
type object struct {
	fields map[string]*value
	err    *error
}

func newObject(v *value) object { return object{v.fields, new(error)} }

func (o object) failed() error { return *o.err }

func (o object) fail(format string, args ...any) {
	if *o.err == nil {
		*o.err = fmt.Errorf(format, args...)
	}
}

// has tells whether an optional field is there.
func (o object) has(key string) bool { v := o.fields[key]; return v != nil && v.kind != 'n' }

// get returns a field of one of the kinds, or nil.
func (o object) get(key, want string, kind byte) *value {
	v := o.fields[key]
	switch {
	case *o.err != nil:
		return nil
	case v == nil || v.kind == 'n':
		o.fail("field '%s' value is null", key)
		return nil
	case v.kind != kind:
		o.fail("error at offset: %d - '%s' is '%s', expecting '%s'", v.at, key, kindNames[v.kind], want)
		return nil
	}
	return v
}

func (o object) str(key string) string {
	if v := o.get(key, "string", 's'); v != nil {
		return v.scalar.(string)
	}
	return ""
}

func (o object) boolean(key string) bool {
	if v := o.get(key, "bool", 'b'); v != nil {
		return v.scalar.(bool)
	}
	return false
}

// choice is a string out of a list.
func (o object) choice(key string, of []string) string {
	s := o.str(key)
	if !slices.Contains(of, s) {
		o.fail("field '%s' can only be one of ['%s']", key, strings.Join(of, "' ,'"))
	}
	return s
}

// uint is an unsigned integer below 2^bits; want is what the refusal of another type calls it.
func (o object) uint(key string, bits int, want string) uint64 {
	v := o.get(key, want, '0')
	if v == nil {
		return 0
	}
	i, u, ok := v.integer()
	switch {
	case !ok:
		o.fail("error at offset: %d - '%s' is 'real', expecting '%s'", v.at, key, want)
	case i < 0 && strings.HasPrefix(string(v.scalar.(json.Number)), "-"):
		o.fail("error at offset: %d - '%s' has negative value.", v.at, key)
	case bits < 64 && u>>bits != 0:
		o.fail("error at offset: %d - '%s' has size bigger than uint%d.", v.at, key, bits)
	default:
		return u
	}
	return 0
}

func (o object) uint32(key string) uint32 { return uint32(o.uint(key, 32, "uint32")) }

func (o object) int(key string) int {
	v := o.get(key, "int", '0')
	if v == nil {
		return 0
	}
	i, _, ok := v.integer()
	if !ok || i != int64(int32(i)) {
		o.fail("error at offset: %d - '%s' is 'real', expecting 'int'", v.at, key)
		return 0
	}
	return int(i)
}

func (o object) double(key string) float64 { return o.float(key, "double") }

// udouble is a double that is not negative.
func (o object) udouble(key string) float64 {
	f := o.float(key, "unsigned double")
	if f < 0 {
		o.fail("error at offset: %d - '%s' has negative value.", o.fields[key].at, key)
		return 0
	}
	return f
}

func (o object) float(key, want string) float64 {
	v := o.get(key, want, '0')
	if v == nil {
		return 0
	}
	f, err := strconv.ParseFloat(string(v.scalar.(json.Number)), 64)
	if err != nil { // beyond the range
		o.fail("error at offset: %d - '%s' is not a number, expecting '%s'", v.at, key, want)
		return 0
	}
	return f
}

func (o object) object(key string) object {
	v := o.get(key, "object", '{')
	if v == nil {
		return object{nil, o.err}
	}
	return object{v.fields, o.err}
}

func (o object) array(key string) []*value {
	if v := o.get(key, "array", '['); v != nil {
		return v.list
	}
	return nil
}

// ids is an array of uint32.
func (o object) ids(key string) (ids []uint32) {
	for _, v := range o.array(key) {
		e := object{map[string]*value{key: v}, o.err}
		ids = append(ids, e.uint32(key))
	}
	return ids
}

// real is a number that is written with a fraction, as the original writes its doubles.
type real float64

func (r real) MarshalJSON() ([]byte, error) {
	f := float64(r)
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return []byte("0.0"), nil
	}
	form := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e17) {
		form = 'g'
	}
	b := strconv.AppendFloat(nil, f, form, -1, 64)
	if !bytes.ContainsAny(b, ".e") {
		b = append(b, ".0"...)
	}
	return b, nil
}

type dict = map[string]any
