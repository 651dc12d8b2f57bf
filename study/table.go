package study

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// The files in a study's directory that have a row for each run, as text and with types.
const (
	SummaryName = "summary.csv"
	TableName   = "table.parquet"
)

var columns = results.Columns()

// metrics are the names of the columns that are numbers.
func metrics() (names []string) {
	for _, c := range columns {
		if _, isBool := c.Of(&results.Run{}).(bool); !isBool {
			names = append(names, c.Name)
		}
	}
	return names
}

// metric is a column of numbers.
func metric(name string) (func(*results.Run) float64, bool) {
	i := slices.IndexFunc(columns, func(c results.Column) bool { return c.Name == name })
	if i < 0 || !slices.Contains(metrics(), name) {
		return nil, false
	}
	return func(r *results.Run) float64 {
		if n, whole := columns[i].Of(r).(int64); whole {
			return float64(n)
		}
		return columns[i].Of(r).(float64)
	}, true
}

// cell is a value as the summary has it.
func cell(v any) string {
	if x, ok := v.(float64); ok {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// summarise writes the summary and the table, in the order of the study; a run that has no row in rows has none there.
func summarise(st *scenarios.Study, dir string, rows []*results.Run) error {
	return errors.Join(
		results.WriteFile(filepath.Join(dir, SummaryName), func(w io.Writer) error { return writeCSV(w, st, rows) }),
		results.WriteFile(filepath.Join(dir, TableName), func(w io.Writer) error { return writeTable(w, st, rows) }))
}

func writeCSV(out io.Writer, st *scenarios.Study, rows []*results.Run) error {
	w := csv.NewWriter(out)
	head := []string{"run"}
	for _, c := range st.Runs[0].Coordinates {
		head = append(head, c.Key)
	}
	for _, c := range columns {
		head = append(head, c.Name)
	}
	w.Write(head)
	for i, row := range rows {
		if row == nil {
			continue
		}
		line := []string{st.Runs[i].Name}
		for _, c := range st.Runs[i].Coordinates {
			line = append(line, c.Value)
		}
		for _, c := range columns {
			line = append(line, cell(c.Of(row)))
		}
		w.Write(line)
	}
	w.Flush()
	return w.Error()
}

// writeTable writes the rows as Parquet. A coordinate whose value is of one type in all runs has that type, in the base
// unit; any other is the text of the summary.
func writeTable(out io.Writer, st *scenarios.Study, rows []*results.Run) error {
	axes := axesOf(st)
	fields := []reflect.StructField{field(0, "run", "")}
	for _, a := range axes {
		fields = append(fields, field(len(fields), a.key, a.value(&st.Runs[0])))
	}
	for _, c := range columns {
		name := c.Name
		if slices.ContainsFunc(axes, func(a typedAxis) bool { return a.key == name }) {
			name = "result_" + name // no key of a scenario has such a name now
		}
		fields = append(fields, field(len(fields), name, c.Of(&results.Run{})))
	}
	row := reflect.New(reflect.StructOf(fields))
	w := parquet.NewWriter(out, parquet.SchemaOf(row.Interface()), parquet.CreatedBy("smartinco", "1", "0"),
		parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(1<<16))
	for i := range rows {
		if rows[i] == nil {
			continue
		}
		values := []any{st.Runs[i].Name}
		for _, a := range axes {
			values = append(values, a.value(&st.Runs[i]))
		}
		for _, c := range columns {
			values = append(values, c.Of(rows[i]))
		}
		for k, v := range values {
			row.Elem().Field(k).Set(reflect.ValueOf(v))
		}
		if err := w.Write(row.Interface()); err != nil {
			return err
		}
	}
	return w.Close()
}

func field(i int, name string, like any) reflect.StructField {
	return reflect.StructField{Name: fmt.Sprintf("C%d", i), Type: reflect.TypeOf(like),
		Tag: reflect.StructTag(fmt.Sprintf("parquet:%q", name))}
}

// typedAxis is a swept key.
type typedAxis struct {
	at    int // among the coordinates
	key   string
	typed bool // the value is of one type in all runs
}

func axesOf(st *scenarios.Study) (axes []typedAxis) {
	for k, c := range st.Runs[0].Coordinates {
		a := typedAxis{k, c.Key, true}
		first, _ := st.Runs[0].Scenario.Value(c.Key)
		texts := map[any]string{}
		for i := range st.Runs {
			v, ok := st.Runs[i].Scenario.Value(c.Key)
			text := st.Runs[i].Coordinates[k].Value
			if said, seen := texts[v]; !ok || reflect.TypeOf(v) != reflect.TypeOf(first) || seen && said != text {
				a.typed = false // the value alone does not tell the runs apart
				break
			}
			texts[v] = text
		}
		axes = append(axes, a)
	}
	return axes
}

func (a typedAxis) value(r *scenarios.Run) any {
	if v, ok := r.Scenario.Value(a.key); a.typed && ok {
		return v
	}
	return r.Coordinates[a.at].Value
}

// ownTables returns nil if this program wrote what dir holds under the names of summary, table and rows.
func ownTables(dir string) error {
	for name, own := range map[string]func(head, tail string) bool{
		SummaryName: func(head, _ string) bool {
			line, _, _ := strings.Cut(head, "\n")
			return strings.HasPrefix(line, "run,") &&
				strings.Contains(line, fmt.Sprintf(",%s,%s,%s,", columns[0].Name, columns[1].Name, columns[2].Name))
		},
		TableName: func(head, tail string) bool {
			return strings.HasPrefix(head, "PAR1") && strings.Contains(tail, "smartinco version ")
		},
		RowsName: func(head, _ string) bool {
			return strings.HasPrefix(head, rowsMagic) || strings.HasPrefix(rowsMagic, head) // cut off
		},
	} {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		head, tail := "", ""
		if info.Mode().IsRegular() {
			if head, tail, err = ends(path, info.Size()); err != nil {
				return err
			}
		}
		if info.Mode().IsRegular() && (info.Size() == 0 || own(head, tail)) {
			continue
		}
		return refusef("%s: holds %s, which this program did not write: want another directory for the records of a "+
			"study", dir, name)
	}
	return nil
}

// ends reads the first and the last bytes of a file.
func ends(path string, size int64) (head, tail string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	const most = 1 << 16
	b := make([]byte, min(size, most))
	if _, err = f.ReadAt(b, 0); err != nil && err != io.EOF {
		return "", "", err
	}
	head = string(b)
	if _, err = f.ReadAt(b, size-int64(len(b))); err != nil && err != io.EOF {
		return "", "", err
	}
	return head, string(b), nil
}
