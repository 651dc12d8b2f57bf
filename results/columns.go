package results

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"reflect"
	"strings"
)

// column is one field of a row type.
type column struct {
	name  string
	kind  reflect.Kind // Float64, Int32, Int64 or String
	round bool         // a count, a rate or a ratio: rounded before it is kept; times are not
}

// columns lists the fields of a row type in order, field i being column i.
func columns[T any]() []column {
	t := reflect.TypeFor[T]()
	cols := make([]column, t.NumField())
	for i := range cols {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		cols[i] = column{name, f.Type.Kind(), f.Type.Kind() == reflect.Float64 && !strings.HasSuffix(name, "_s")}
	}
	return cols
}

var (
	windowColumns   = columns[Window]()
	instanceColumns = columns[Instance]()
	flowColumns     = columns[Flow]()
	latencyColumns  = columns[Latency]()
	bucketColumns   = columns[Bucket]()
	nodeColumns     = columns[Node]()
)

// layout identifies the columns of this build: two builds with the same layout read each other's journals.
var layout = func() uint32 {
	var names []string
	for _, cols := range [][]column{windowColumns, instanceColumns, flowColumns, latencyColumns, bucketColumns,
		nodeColumns} {
		for _, c := range cols {
			names = append(names, c.name, c.kind.String())
		}
		names = append(names, "")
	}
	return crc32.ChecksumIEEE([]byte(strings.Join(names, "\n")))
}()

// quanta are the steps to which values are rounded: a millionth, and coarser where float64 has no digits left for it.
var quanta = []struct{ below, perUnit float64 }{{1 << 32, 1e6}, {1 << 42, 1e3}, {1 << 52, 1}}

// Round takes the noise of summation off a count of packets or a rate, so that 82581.9999999999 is kept as 82582. It
// rounds to 1e-6, from 4.3e9 on to 1e-3 and from 4.4e12 on to 1.
func Round(x float64) float64 {
	for _, q := range quanta {
		if math.Abs(x) < q.below {
			if x = math.Round(x*q.perUnit) / q.perUnit; x == 0 {
				return 0 // never -0
			}
			return x
		}
	}
	return x
}

// roundRow rounds row's columns in place.
func roundRow[T any](row *T, cols []column) {
	v := reflect.ValueOf(row).Elem()
	for i := range cols {
		if cols[i].round {
			f := v.Field(i)
			f.SetFloat(Round(f.Float()))
		}
	}
}

// appendRow appends row in the journal's form: floats as eight bytes, integers and the lengths of strings as varints.
func appendRow[T any](b []byte, row *T, cols []column) []byte {
	v := reflect.ValueOf(row).Elem()
	for i := range cols {
		f := v.Field(i)
		switch cols[i].kind {
		case reflect.Float64:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(f.Float()))
		case reflect.String:
			s := f.String()
			b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
		default:
			b = binary.AppendVarint(b, f.Int())
		}
	}
	return b
}

var errShort = Damaged(errors.New("a row ends early"))

// decodeRow fills row from what appendRow wrote and returns the rest of b. The strings are those of t.
func decodeRow[T any](b []byte, row *T, cols []column, t *Texts) ([]byte, error) {
	v := reflect.ValueOf(row).Elem()
	for i := range cols {
		f := v.Field(i)
		switch cols[i].kind {
		case reflect.Float64:
			if len(b) < 8 {
				return nil, errShort
			}
			f.SetFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)))
			b = b[8:]
		case reflect.String:
			n, w := binary.Uvarint(b)
			if w <= 0 || n > uint64(len(b)-w) {
				return nil, errShort
			}
			f.SetString(t.Of(b[w : w+int(n)]))
			b = b[w+int(n):]
		default:
			n, w := binary.Varint(b)
			if w <= 0 || f.OverflowInt(n) {
				return nil, errShort
			}
			f.SetInt(n)
			b = b[w:]
		}
	}
	return b, nil
}
