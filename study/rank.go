package study

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/stats"
	"github.com/smartinco/smartinco/scenarios"
)

// RankOptions are the options of Rank.
type RankOptions struct {
	Metric    string   // a column of the summary, or two with a slash between them, such as dropped/offered
	By        []string // the keys whose values are ranked; all but the seed if empty
	Best      string   // most or least; empty for what is natural: most where it is processed, flows or offered
	Baseline  string   // a setting by which the others are measured; empty for oracle, where it is ranked
	Bootstrap bool     // see stats.Options
}

// Ranked is a ranking of the settings of some keys, under one value of each other key.
type Ranked struct {
	Under   []scenarios.Coordinate
	By      []string // the keys
	Ranking *stats.Ranking
}

// Rank ranks the settings of a finished study by its summary in dir. There is a ranking for each combination of the
// keys that are neither ranked nor the seed, unless it has one setting alone. A run that broke a law is an error.
func Rank(dir string, o RankOptions) (all []Ranked, err error) {
	t, err := readSummary(filepath.Join(dir, SummaryName))
	if err != nil {
		return nil, err
	}
	value, err := t.metric(o.Metric)
	if err != nil {
		return nil, err
	}
	swept := slices.DeleteFunc(slices.Clone(t.axes), func(key string) bool { return key == "seed" })
	by := o.By
	if len(by) == 0 {
		by = swept
	}
	for _, key := range by {
		if !slices.Contains(swept, key) {
			return nil, refusef("%s is no key that the study sweeps: want of %s", results.Quote(key),
				strings.Join(swept, ", "))
		}
	}
	so := stats.Options{Confidence: confidence, Lower: o.Best == "least", Bootstrap: o.Bootstrap, Baseline: o.Baseline}
	if o.Best == "" {
		so.Lower = !slices.Contains([]string{"processed", "flows", "offered"}, strings.Split(o.Metric, "/")[0])
	}
	type group struct {
		under    []scenarios.Coordinate
		settings []stats.Setting
	}
	var groups []*group
	find := map[string]*group{}
	at := map[[2]string]int{}
	for _, row := range t.rows {
		var name, rest []string
		var under []scenarios.Coordinate
		for _, key := range by {
			name = append(name, row[t.index[key]])
		}
		for _, key := range swept {
			if !slices.Contains(by, key) {
				rest = append(rest, row[t.index[key]])
				under = append(under, scenarios.Coordinate{Key: key, Value: row[t.index[key]]})
			}
		}
		if row[t.index["complete"]] != "true" || row[t.index["conserved"]] != "true" {
			return nil, refusef("%s: run %s is not complete or broke a law: want it run again", dir,
				results.Quote(row[0]))
		}
		x, err := value(row)
		if err != nil {
			return nil, err
		}
		where := strings.Join(rest, "\x00")
		g := find[where]
		if g == nil {
			g = &group{under: under}
			find[where], groups = g, append(groups, g)
		}
		id := [2]string{where, strings.Join(name, ", ")}
		k, seen := at[id]
		if !seen {
			k = len(g.settings)
			at[id], g.settings = k, append(g.settings, stats.Setting{Name: id[1]})
		}
		s := &g.settings[k]
		seed := ""
		if i, ok := t.index["seed"]; ok {
			seed = row[i]
		}
		if slices.Contains(s.Seeds, seed) {
			return nil, refusef("%s: two runs of %s under seed %q", dir, results.Quote(id[1]), seed)
		}
		s.Seeds, s.Values = append(s.Seeds, seed), append(s.Values, x)
	}
	for _, g := range groups {
		if len(g.settings) < 2 && len(groups) > 1 {
			continue // the study leaves its rivals out
		}
		so := so
		bound := func(s stats.Setting) bool { return s.Name == "oracle" }
		if so.Baseline == "" && slices.ContainsFunc(g.settings, bound) {
			so.Baseline = "oracle"
		}
		r, err := stats.Rank(o.Metric, g.settings, so)
		if err != nil {
			return nil, refusal{fmt.Errorf("%s: %w", dir, err)}
		}
		all = append(all, Ranked{g.under, by, r})
	}
	if len(all) == 0 {
		return nil, refusef("%s: nothing to rank: under no value of the other keys are there two settings of %s", dir,
			strings.Join(by, ", "))
	}
	return all, nil
}

// summary is a summary as it was read.
type summary struct {
	path  string
	axes  []string
	names []string       // of the columns behind the axes
	index map[string]int // of all columns
	rows  [][]string
}

func readSummary(path string) (*summary, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.ReuseRecord = false
	head, err := r.Read()
	end := slices.Index(head, columns[0].Name)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, refusal{fmt.Errorf("%s: %w", path, err)}
	}
	if end < 1 || head[0] != "run" {
		return nil, refusef("%s: not the summary of a study: want one that smartinco sweep wrote", path)
	}
	t := &summary{path: path, axes: head[1:end], names: head[end:], index: map[string]int{}}
	for i, name := range head {
		t.index[name] = i
	}
	for _, c := range columns[:2] {
		if _, ok := t.index[c.Name]; !ok {
			return nil, refusef("%s: no column %s: want a summary that smartinco sweep wrote", path, c.Name)
		}
	}
	if t.rows, err = r.ReadAll(); err != nil {
		return nil, refusal{fmt.Errorf("%s: %w", path, err)}
	}
	return t, nil
}

// metric reads a column, or the ratio of two, from a row.
func (t *summary) metric(name string) (func(row []string) (float64, error), error) {
	top, bottom, ratio := strings.Cut(name, "/")
	one := func(name string) (func([]string) (float64, error), error) {
		i, ok := t.index[name]
		if !ok || !slices.Contains(t.names, name) {
			return nil, refusef("%s: no column %s: want one of %s", t.path, results.Quote(name),
				strings.Join(t.names, ", "))
		}
		return func(row []string) (float64, error) {
			x, err := strconv.ParseFloat(row[i], 64)
			if err != nil || x-x != 0 {
				return 0, refusef("%s: %s of run %s is %s: want a number", t.path, name, results.Quote(row[0]),
					results.Quote(row[i]))
			}
			return x, nil
		}, nil
	}
	a, err := one(top)
	if err != nil || !ratio {
		return a, err
	}
	b, err := one(bottom)
	if err != nil {
		return nil, err
	}
	return func(row []string) (float64, error) {
		x, err1 := a(row)
		y, err2 := b(row)
		if err := errors.Join(err1, err2); err != nil {
			return 0, err
		}
		if y == 0 {
			return 0, refusef("%s: %s of run %s is 0, so that there is no %s", t.path, bottom, results.Quote(row[0]),
				name)
		}
		return x / y, nil
	}, nil
}
