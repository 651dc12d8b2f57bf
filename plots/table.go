package plots

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// SummaryName is the file in the directory of a study from which ReadTable reads.
const SummaryName = "summary.csv"

// Table has a row for each run of a study: the keys in which the runs differ, the seed among them, and the numbers of
// results.Columns.
type Table struct {
	name  string // in errors and notes
	keys  []string
	index map[string]int // of all columns
	head  []string
	rows  [][]string // as the summary has them
}

// HoldsTable says whether path is the directory of a study with a summary, or a .csv file.
func HoldsTable(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if info.IsDir() {
		info, err = os.Stat(filepath.Join(path, SummaryName))
		return err == nil && info.Mode().IsRegular()
	}
	return filepath.Ext(path) == ".csv"
}

// ReadTable reads the summary of a study, given its directory or the file. A table that is not a summary's is
// ErrRequest.
func ReadTable(path string) (*Table, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, SummaryName)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return newTable(path, f)
}

func newTable(name string, from io.Reader) (*Table, error) {
	r := csv.NewReader(from)
	head, err := r.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, chart.Requestf("%s: %w", name, err)
	}
	first := results.Columns()[0].Name // behind the keys
	end := slices.Index(head, first)
	if end < 1 || head[0] != "run" {
		return nil, chart.Requestf("%s: not the summary of a study: want one that sweep wrote, with the columns run, "+
			"the keys that were swept, and %s", name, first)
	}
	t := &Table{name: name, keys: head[1:end], head: head, index: map[string]int{}}
	for i, h := range head {
		if _, twice := t.index[h]; twice {
			return nil, chart.Requestf("%s: two columns %s: want each once", name, results.Quote(h))
		}
		t.index[h] = i
	}
	if t.rows, err = r.ReadAll(); err != nil {
		return nil, chart.Requestf("%s: %w", name, err)
	}
	return t, nil
}

// TableOf makes the table of records. Its keys are the fewest that tell apart the runs that differ in more than the
// seed: policies and stacks, and then others as far as they are needed.
func TableOf(recs []*results.Record) (*Table, error) {
	var ds []data
	for _, r := range recs {
		sc, err := scenarios.FromRecord(r.Run.Name, r.Run.Scenario, r.Run.Seed)
		if err != nil {
			return nil, fmt.Errorf("record %s: %w", r.Run.Name, err)
		}
		ds = append(ds, data{run: r.Run, scenario: sc, scheduler: policyOf(sc), stack: stackOf(&r.Run), costs: r.Costs})
	}
	return tableOf(ds)
}

func tableOf(ds []data) (*Table, error) {
	if len(ds) == 0 {
		return nil, chart.Requestf("no record to draw from")
	}
	columns := results.Columns()
	settings := make([]map[string]string, len(ds))
	for i := range ds {
		d := &ds[i]
		settings[i] = settingsOf(d.scenario)
		settings[i]["scheduler.policy"], settings[i]["autoscaler.policy"] = d.scheduling(), d.autoscaling()
		if d.stack != "" {
			settings[i]["stack"] = d.stack
		}
	}
	t := &Table{name: "the records", keys: append(telling(settings), "seed"), index: map[string]int{}}
	t.head = slices.Concat([]string{"run"}, t.keys)
	for _, c := range columns {
		t.head = append(t.head, c.Name)
	}
	for i, h := range t.head {
		t.index[h] = i
	}
	for i := range ds {
		run := ds[i].run
		if ds[i].costs != nil {
			c, err := ds[i].costs()
			if err != nil {
				return nil, fmt.Errorf("record %s: %w", run.Name, err)
			}
			run.Costs = c.Known()
		}
		row := []string{run.Name}
		for _, key := range t.keys[:len(t.keys)-1] {
			row = append(row, settings[i][key])
		}
		row = append(row, strconv.FormatUint(run.Seed, 10))
		for _, c := range columns {
			row = append(row, cell(c.Of(&run)))
		}
		t.rows = append(t.rows, row)
	}
	return t, nil
}

// cell is a value as summaries have it.
func cell(v any) string {
	if x, ok := v.(float64); ok {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// telling are the fewest keys whose values tell all settings apart, those of policies and stacks first. These stay
// where they differ, but for policies that follow from the stack.
func telling(settings []map[string]string) []string {
	differ := map[string]bool{}
	for _, s := range settings[1:] {
		for _, pair := range [2][2]map[string]string{{s, settings[0]}, {settings[0], s}} {
			for k, v := range pair[0] {
				if w, both := pair[1][k]; !both || v != w {
					differ[k] = true
				}
			}
		}
	}
	keys := slices.Sorted(maps.Keys(differ))
	kinds := func(keys []string) int {
		seen := map[string]bool{}
		for _, s := range settings {
			var id strings.Builder
			for _, k := range keys {
				v, has := s[k]
				fmt.Fprintf(&id, "%t%q", has, v)
			}
			seen[id.String()] = true
		}
		return len(seen)
	}
	all := kinds(keys)
	policies := []string{"stack", "autoscaler.policy", "scheduler.policy"}
	givenUp := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return slices.Contains(policies, k) })
	slices.Reverse(givenUp)
	for _, k := range givenUp {
		without := slices.DeleteFunc(slices.Clone(keys), func(other string) bool { return other == k })
		if len(without) < len(keys) && kinds(without) == all {
			keys = without
		}
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { // what follows from the stack
		return slices.Contains(policies[1:], k) && slices.Contains(keys, "stack") &&
			kinds([]string{"stack"}) == kinds([]string{"stack", k})
	})
	slices.SortStableFunc(keys, func(a, b string) int {
		return cmp.Compare(slices.Index(policies, b), slices.Index(policies, a))
	})
	return keys
}

// value is the number in a column of a row; NaN where there is none.
func (t *Table) value(row []string, column string) float64 {
	v, err := strconv.ParseFloat(row[t.index[column]], 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// sane is a number that can be drawn. What lies beyond it measures nothing, and its sums and squares would overflow.
func sane(v float64) float64 {
	if math.Abs(v) > 1e100 || v != 0 && math.Abs(v) < 1e-100 {
		return math.NaN()
	}
	return v
}

// numbers are the columns that may be drawn.
func (t *Table) numbers() (names []string) {
	for _, h := range t.head[1+len(t.keys):] {
		if h != "complete" && h != "conserved" {
			names = append(names, h)
		}
	}
	return names
}
