package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/stats"
)

// claim is what is said of a system, as a span in which a number of runs, or the ratio of those of two policies, lies.
type claim struct {
	system    string
	says      string
	published string // the number and where it stands, or who says it without a number
	study     string
	of        measure
	runs      where   // whose number it is
	against   where   // the number of these is what it is divided by; none: it is not divided
	low, high float64 // both 0 where nothing is claimed of the number
}

// where are conditions on the columns of a summary: KEY=VALUE, each of which a run meets.
type where []string

// measure is a number of a run.
type measure struct {
	name string
	of   func(*results.Record) (float64, error)
}

// row is a run of a study with its coordinates.
type row struct {
	dir  string
	keys map[string]string
}

// rows reads the summary of a study.
func rows(dir string) (all []row, err error) {
	f, err := os.Open(filepath.Join(dir, "summary.csv"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	end := slices.Index(lines[0], results.Columns()[0].Name)
	for _, line := range lines[1:] {
		r := row{filepath.Join(dir, line[0]), map[string]string{}}
		for i, key := range lines[0][1:end] {
			r.keys[key] = line[1+i]
		}
		if complete, conserved := line[end], line[end+1]; complete != "true" || conserved != "true" {
			return nil, fmt.Errorf("%s: not complete, or a law is broken", r.dir)
		}
		all = append(all, r)
	}
	return all, nil
}

func (w where) meets(r row) bool {
	for _, condition := range w {
		key, value, _ := strings.Cut(condition, "=")
		if r.keys[key] != value {
			return false
		}
	}
	return true
}

// keys are those that conditions name.
func (w where) keys() (keys []string) {
	for _, condition := range w {
		key, _, _ := strings.Cut(condition, "=")
		keys = append(keys, key)
	}
	return keys
}

// values are the numbers of a claim at a value of the key that the columns go along, one for each run, or each pair of
// runs that differ in nothing but the conditions.
func (c *claim) values(all []row, along, at string, numbers map[string]float64) (vs []float64, err error) {
	number := func(r row) (float64, error) {
		id := c.of.name + " " + r.dir
		if v, known := numbers[id]; known {
			return v, nil
		}
		rec, err := results.Open(r.dir)
		if err != nil {
			return 0, err
		}
		v, err := c.of.of(rec)
		numbers[id] = v
		return v, err
	}
	given := slices.Concat(c.runs.keys(), c.against.keys())
	for _, r := range all {
		if r.keys[along] != at || !c.runs.meets(r) {
			continue
		}
		v, err := number(r)
		if err != nil {
			return nil, err
		}
		if c.against == nil {
			vs = append(vs, v)
			continue
		}
		for _, other := range all {
			same := c.against.meets(other)
			for key, value := range r.keys {
				same = same && (slices.Contains(given, key) || other.keys[key] == value)
			}
			if same {
				by, err := number(other)
				if err != nil {
					return nil, err
				}
				vs = append(vs, v/by)
			}
		}
	}
	if len(vs) == 0 {
		return nil, fmt.Errorf("%s: no runs for %q at %s=%s", c.study, c.says, along, at)
	}
	return vs, nil
}

// The verdicts.
const (
	reproduced = "reproduced"
	refuted    = "refuted"
	open       = "open"
)

// verdict is reproduced where the whole interval lies in the claim's span, refuted where all of it lies beyond, and
// open where it lies on both sides of an end.
func (c *claim) verdict(in stats.Interval) string {
	low, high := in.Low, in.High
	if math.IsNaN(low) {
		low, high = in.Value, in.Value
	}
	switch {
	case low >= c.low && high <= c.high:
		return reproduced
	case high < c.low || low > c.high:
		return refuted
	}
	return open
}

// inAll is the verdict over several columns: that of all of them or, where they differ, how many have which.
func inAll(verdicts []string) string {
	var parts []string
	for _, v := range []string{reproduced, refuted, open} {
		n := 0
		for _, w := range verdicts {
			if w == v {
				n++
			}
		}
		if n == len(verdicts) {
			return "**" + v + "**"
		}
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%s at %d", v, n))
		}
	}
	return strings.Join(parts, ", ")
}

// table is that of the claims on a system, in Markdown.
func table(dir, system string) (string, error) {
	p, ok := pages[system]
	if !ok {
		return "", fmt.Errorf("no claims on %q", system)
	}
	var b strings.Builder
	b.WriteString("| claim | published | ")
	for _, at := range p.at {
		b.WriteString(strings.TrimSpace(p.name+" "+at) + " | ")
	}
	b.WriteString("verdict |\n|---|---|" + strings.Repeat("---:|", len(p.at)) + "---|\n")
	numbers := map[string]float64{}
	for i := range claims {
		c := &claims[i]
		if c.system != system {
			continue
		}
		all, err := rows(filepath.Join(dir, c.study))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| %s | %s | ", c.says, c.published)
		var verdicts []string
		for _, at := range p.at {
			vs, err := c.values(all, p.along, at, numbers)
			if err != nil {
				return "", err
			}
			in, _ := stats.Mean(vs, confidence)
			verdicts = append(verdicts, c.verdict(in))
			text := short(in.Value)
			if !math.IsNaN(in.Low) {
				text += " [" + short(in.Low) + ", " + short(in.High) + "]"
			}
			b.WriteString(text + " | ")
		}
		if c.low == c.high {
			b.WriteString("measured |\n")
		} else {
			b.WriteString(inAll(verdicts) + " |\n")
		}
	}
	return b.String(), nil
}

// confidence of the intervals.
const confidence = 0.95

// short is a number with three significant digits.
func short(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	power := math.Pow10(max(digits, 0))
	return strconv.FormatFloat(math.Round(v*power)/power, 'f', -1, 64)
}
