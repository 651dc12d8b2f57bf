package study

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// SummaryName is the file in a study's directory that has a line for each run.
const SummaryName = "summary.csv"

// totals are the columns of the summary behind the coordinates.
var totals = []struct {
	name string
	of   func(*results.Run) string
}{
	{"complete", func(r *results.Run) string { return strconv.FormatBool(r.Complete) }},
	{"conserved", func(r *results.Run) string { return strconv.FormatBool(r.Conservation.Holds) }},
	{"offered", func(r *results.Run) string { return number(r.Totals.Offered) }},
	{"processed", func(r *results.Run) string { return number(r.Totals.Processed) }},
	{"queued", func(r *results.Run) string { return number(r.Totals.Queued) }},
	{"dropped", func(r *results.Run) string { return number(results.Round(r.Totals.Dropped.Sum())) }},
	{"dropped_link", func(r *results.Run) string { return number(r.Totals.Dropped.Link) }},
	{"dropped_eswitch", func(r *results.Run) string { return number(r.Totals.Dropped.ESwitch) }},
	{"dropped_slowpath", func(r *results.Run) string { return number(r.Totals.Dropped.SlowPath) }},
	{"dropped_instance", func(r *results.Run) string { return number(r.Totals.Dropped.Instance) }},
	{"dropped_rejected", func(r *results.Run) string { return number(r.Totals.Dropped.Rejected) }},
	{"slowpath", func(r *results.Run) string { return number(r.Totals.SlowPath) }},
	{"reordered", func(r *results.Run) string { return number(r.Totals.Reordered) }},
	{"flows", func(r *results.Run) string { return strconv.FormatInt(r.Totals.Flows, 10) }},
	{"moves", func(r *results.Run) string { return strconv.FormatInt(r.Totals.Moves, 10) }},
	{"rules_installed", func(r *results.Run) string { return strconv.FormatInt(r.Totals.RulesInstalled, 10) }},
	{"rules_rejected", func(r *results.Run) string { return strconv.FormatInt(r.Totals.RulesRejected, 10) }},
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// summarise writes the summary from the records, in the order of the study; a run without a record has no line.
func summarise(st *scenarios.Study, dir string, recorded []bool) error {
	return results.WriteFile(filepath.Join(dir, SummaryName), func(out io.Writer) error {
		w := csv.NewWriter(out)
		head := []string{"run"}
		for _, c := range st.Runs[0].Coordinates {
			head = append(head, c.Key)
		}
		for _, t := range totals {
			head = append(head, t.name)
		}
		w.Write(head)
		for i := range st.Runs {
			if !recorded[i] {
				continue
			}
			run := &st.Runs[i]
			rec, err := results.Open(filepath.Join(dir, run.Name))
			if err != nil {
				return err
			}
			row := []string{run.Name}
			for _, c := range run.Coordinates {
				row = append(row, c.Value)
			}
			for _, t := range totals {
				row = append(row, t.of(&rec.Run))
			}
			w.Write(row)
		}
		w.Flush()
		return w.Error()
	})
}

// ownSummary returns nil if dir holds no file of the summary's name, or one that summarise wrote.
func ownSummary(dir string) error {
	path := filepath.Join(dir, SummaryName)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	head := ""
	if info.Mode().IsRegular() {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		head, _ = bufio.NewReader(io.LimitReader(f, 1<<16)).ReadString('\n')
	}
	own := fmt.Sprintf(",%s,%s,%s,", totals[0].name, totals[1].name, totals[2].name)
	if info.Mode().IsRegular() && (info.Size() == 0 || strings.HasPrefix(head, "run,") && strings.Contains(head, own)) {
		return nil
	}
	return refusef("%s: holds %s, which this program did not write: want another directory for the records of a study",
		dir, SummaryName)
}
