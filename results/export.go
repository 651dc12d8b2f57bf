package results

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/orchestrator/scheduler"
)

// ErrNoDelays says that a record holds no delays.
var ErrNoDelays = errors.New("the record holds no delays: its scenario does not ask for them (measure.delay), or the " +
	"run was killed before it ended")

// ErrNoCounts says that a record does not say what its policy did.
var ErrNoCounts = errors.New("the record does not say what its policy did: the run was killed before it ended, or an " +
	"older version made it")

// exporter is a table that Export knows.
type exporter struct {
	name    string
	columns []column
	rows    func(*Record, func(row reflect.Value) error) error
}

// exporters are all tables; a further one is a row type with tags and a row here.
var exporters = []exporter{
	exported("windows", func(r *Record, each func(*Window) error) error { return r.src.windows(each) }),
	exported("instances", func(r *Record, each func(*Instance) error) error { return r.src.instances(each) }),
	exported("flows", func(r *Record, each func(*Flow) error) error { return r.src.flows(each) }),
	exported("latency", func(r *Record, each func(*Latency) error) error { return r.src.latencies(each) }),
	exported("histogram", func(r *Record, each func(*Bucket) error) error { return r.src.buckets(each) }),
	exported("nodes", nodeRows),
	exported("decisions", decisionRows),
	exported("policy", countRows),
	exported("costs", costRows),
	exported("reasons", reasonRows),
}

func exported[T any](name string, rows func(*Record, func(*T) error) error) exporter {
	return exporter{name, columns[T](), func(r *Record, each func(reflect.Value) error) error {
		return rows(r, func(row *T) error { return each(reflect.ValueOf(row).Elem()) })
	}}
}

// exportFormat is a notation of a table.
type exportFormat struct {
	name      string
	head      func(b []byte, cols []column) []byte
	row       func(b []byte, cols []column, row reflect.Value, first bool) []byte
	tail      string
	tailEmpty string // in place of tail, of a table without rows
}

var exportFormats = []exportFormat{
	{"csv", csvHead, csvRow, "", ""},
	{"json", func(b []byte, _ []column) []byte { return append(b, '[') }, jsonRow, "\n]\n", "]\n"},
}

// Tables and Formats list what Export takes.
func Tables() []string  { return names(exporters, func(e exporter) string { return e.name }) }
func Formats() []string { return names(exportFormats, func(f exportFormat) string { return f.name }) }

func names[T any](list []T, name func(T) string) []string {
	var all []string
	for _, e := range list {
		all = append(all, name(e))
	}
	return all
}

// Export writes a table of rec, one of Tables, in a format, one of Formats. Columns have the names and the order of the
// row types. Numbers are the shortest that read back the same, without exponents. JSON is an array of objects whose
// keys are in the order of the columns, null where a value is not a number. Rows are streamed, however many there are.
// Where delays were not measured, the error for their tables is ErrNoDelays. Where a record lacks the counts of its
// policy, the error for these is ErrNoCounts; where it has no nodes, that for their table is ErrNoNodes.
func Export(w io.Writer, rec *Record, table, format string) error {
	t := slices.IndexFunc(exporters, func(e exporter) bool { return e.name == table })
	if t < 0 {
		return fmt.Errorf("table is %q, want one of %s", table, strings.Join(Tables(), ", "))
	}
	f := slices.IndexFunc(exportFormats, func(f exportFormat) bool { return f.name == format })
	if f < 0 {
		return fmt.Errorf("format is %q, want one of %s", format, strings.Join(Formats(), ", "))
	}
	e, ft := exporters[t], exportFormats[f]
	out := bufio.NewWriterSize(w, 1<<16)
	b := ft.head(nil, e.columns)
	first := true
	err := e.rows(rec, func(row reflect.Value) error {
		b = ft.row(b, e.columns, row, first)
		first = false
		_, err := out.Write(b)
		b = b[:0]
		return err
	})
	if err == nil && first && rec.Run.Little == nil && (table == "latency" || table == "histogram") {
		err = ErrNoDelays
	}
	if err != nil {
		return fmt.Errorf("exporting %s: %w", table, err)
	}
	if first {
		b = append(b, ft.tailEmpty...)
	} else {
		b = append(b, ft.tail...)
	}
	out.Write(b)
	if err := out.Flush(); err != nil {
		return fmt.Errorf("exporting %s: %w", table, err)
	}
	return nil
}

func csvHead(b []byte, cols []column) []byte {
	for i, c := range cols {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, c.name...)
	}
	return append(b, '\n')
}

func csvRow(b []byte, cols []column, row reflect.Value, _ bool) []byte {
	for i, c := range cols {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := row.Field(i); c.kind {
		case reflect.String:
			b = appendCell(b, v.String())
		case reflect.Float64:
			b = strconv.AppendFloat(b, v.Float(), 'f', -1, 64)
		default:
			b = strconv.AppendInt(b, v.Int(), 10)
		}
	}
	return append(b, '\n')
}

// appendCell quotes s where RFC 4180 asks for it.
func appendCell(b []byte, s string) []byte {
	if !strings.ContainsAny(s, ",\"\r\n") {
		return append(b, s...)
	}
	return append(append(append(b, '"'), strings.ReplaceAll(s, `"`, `""`)...), '"')
}

func jsonRow(b []byte, cols []column, row reflect.Value, first bool) []byte {
	if !first {
		b = append(b, ',')
	}
	b = append(b, "\n  {"...)
	for i, c := range cols {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(appendString(b, c.name), ": "...)
		switch v := row.Field(i); {
		case c.kind == reflect.String:
			b = appendString(b, v.String())
		case c.kind != reflect.Float64:
			b = strconv.AppendInt(b, v.Int(), 10)
		case math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0):
			b = append(b, "null"...)
		default:
			b = strconv.AppendFloat(b, v.Float(), 'f', -1, 64)
		}
	}
	return append(b, '}')
}

// decision is a Decision as a row of the export.
type decision struct {
	T          float64 `parquet:"t_s"`
	Decision   string  `parquet:"decision"`
	Policy     string  `parquet:"policy"`
	Flow       int32   `parquet:"flow"`
	Instance   int32   `parquet:"instance"`
	Current    int64   `parquet:"current"`
	Desired    int64   `parquet:"desired"`
	Reason     string  `parquet:"reason"`
	Candidates string  `parquet:"candidates"` // instance:score, with ! behind what was ruled out, separated by spaces
}

func decisionRows(r *Record, each func(*decision) error) error {
	var cell []byte
	for d, err := range r.Decisions() {
		if err != nil {
			return err
		}
		cell = cell[:0]
		for i, c := range d.Candidates {
			if i > 0 {
				cell = append(cell, ' ')
			}
			cell = append(strconv.AppendInt(cell, int64(c.Instance), 10), ':')
			cell = strconv.AppendFloat(cell, c.Score, 'f', -1, 64)
			if !c.Fits {
				cell = append(cell, '!')
			}
		}
		row := decision{d.At.Seconds(), d.Kind, d.Policy, int32(d.Flow), int32(d.Instance), int64(d.Current),
			int64(d.Desired), d.Reason, string(cell)}
		if err := each(&row); err != nil {
			return err
		}
	}
	return nil
}

// count is one of a policy's Counts as a row of the export.
type count struct {
	Policy string `parquet:"policy"`
	Kind   string `parquet:"kind"` // verdict, reason or counter
	Name   string `parquet:"name"`
	N      int64  `parquet:"n"`
}

func countRows(r *Record, each func(*count) error) error {
	if r.Run.Policy == nil {
		return ErrNoCounts
	}
	return over(rowsOf(r.Run.Policy), each)
}

func rowsOf(c *Counts) (rows []count) {
	verdicts := []scheduler.Count{{Name: "placed", N: c.Placed}, {Name: "held", N: c.Held},
		{Name: "refused", N: c.Refused}, {Name: "moved", N: c.Moved}}
	if c.Unmoved > 0 {
		verdicts = append(verdicts, scheduler.Count{Name: "unmoved", N: c.Unmoved})
	}
	for _, part := range []struct {
		kind string
		of   []scheduler.Count
	}{{"verdict", verdicts}, {"reason", c.Reasons}, {"counter", c.Counters}} {
		for _, n := range part.of {
			rows = append(rows, count{c.Name, part.kind, n.Name, int64(n.N)})
		}
	}
	if s := c.Scaling; s != nil {
		rows = append(rows, count{s.Name, "verdict", "evaluations", int64(s.Evaluations)},
			count{s.Name, "verdict", "scale-outs", int64(s.Out)}, count{s.Name, "verdict", "scale-ins", int64(s.In)})
		for _, n := range s.Counters {
			rows = append(rows, count{s.Name, "counter", n.Name, int64(n.N)})
		}
	}
	return rows
}

// cost is one of the Costs as a row of the export.
type cost struct {
	Cost  string  `parquet:"cost"`
	Unit  string  `parquet:"unit"`
	Value float64 `parquet:"value"`
}

func costRows(r *Record, each func(*cost) error) error {
	c, err := r.Costs()
	if err != nil {
		return err
	}
	for _, of := range CostTable {
		if v := of.Of(c); !math.IsNaN(v) {
			if err := each(&cost{of.Name, of.Unit, v}); err != nil {
				return err
			}
		}
	}
	return nil
}

func reasonRows(r *Record, each func(*Reason) error) error {
	c, err := r.Costs()
	if err != nil {
		return err
	}
	return over(c.Reasons, each)
}
