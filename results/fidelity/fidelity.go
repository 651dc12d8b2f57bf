// Package fidelity compares the results that the thesis published with those of a simulation or a testbed. For each
// entry of published.yaml it gives the published value, ours, the residual, whether ours was fitted or predicted, and a
// sentence where they differ. It reads records and cannot tell where they came from.
package fidelity

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"gopkg.in/yaml.v3"
)

//go:embed published.yaml
var published []byte

// Entry is one published result.
type Entry struct {
	ID       string `yaml:"id"`
	Section  string `yaml:"section"`
	Quantity string `yaml:"quantity"`
	Value    string `yaml:"value"`
	Use      string `yaml:"use"` // calibrate or predict
	Note     string `yaml:"note"`
}

// Published reads the published results.
func Published() ([]Entry, error) {
	var doc struct {
		Testbed any     `yaml:"testbed"`
		Results []Entry `yaml:"results"`
	}
	in := yaml.NewDecoder(bytes.NewReader(published))
	in.KnownFields(true) // an unquoted comma ends a value, and what follows would be lost as a key
	if err := in.Decode(&doc); err != nil {
		return nil, fmt.Errorf("published.yaml: %w", err)
	}
	return doc.Results, nil
}

// Row is a published result beside ours.
type Row struct {
	Entry
	Ours      string
	Unit      string
	Published float64 // NaN where the published value is not a number
	Value     float64 // ours; NaN where ours is not one
	Verdict   string  // agrees, differs, not predicted
	Sentence  string  // why they differ, or what was read
	// Fitted are the parameters of the runs that were chosen so that this entry comes out; see Question. They are not
	// known of runs whose law of contention answers none of the questions.
	Fitted []string
	known  bool
	// lenient says that the entry agrees as this project read it before it compared readings; see Ranked.Lenient. What
	// agrees now agrees then.
	lenient bool
}

// Residual is ours minus the published value; NaN if either is not a number.
func (r *Row) Residual() float64 { return r.Value - r.Published }

// Kind says what the published list calls the entry: fitted or predicted.
func (r *Row) Kind() string {
	if r.Use == "calibrate" {
		return "fitted"
	}
	return "predicted"
}

// role is the kind, and what the runs' reading makes of it where that is something else.
func (r *Row) role() string {
	fitted := strings.Join(r.Fitted, ", ")
	switch {
	case !r.known:
		return r.Kind()
	case r.Kind() == "fitted" && fitted == "":
		return "fitted; here predicted"
	case r.Kind() == "predicted" && fitted != "":
		return fmt.Sprintf("predicted; here fitted (%s)", fitted)
	case fitted != "":
		return fmt.Sprintf("fitted (%s)", fitted)
	}
	return "predicted"
}

// Records are the runs of the study, by the name of their scenario: one of Studies.
type Records map[string][]*results.Record

// Compare measures every published result in the records. An entry whose runs are missing is an error.
func Compare(recs Records) ([]Row, error) {
	entries, err := Published()
	if err != nil {
		return nil, err
	}
	m, err := measureAll(recs)
	if err != nil {
		return nil, err
	}
	var fits []Fit
	if len(m["fig9"]) > 0 {
		fits = fitsOf(m["fig9"][0].Record)
	}
	rows := make([]Row, len(entries))
	for i, e := range entries {
		measure, ok := measures[e.ID]
		if !ok {
			return nil, fmt.Errorf("published.yaml: %s: nothing measures this entry", e.ID)
		}
		r := Row{Entry: e, Published: math.NaN(), Value: math.NaN(), known: len(fits) > 0}
		for _, f := range fits {
			if slices.Contains(f.Entries, e.ID) {
				r.Fitted = append(r.Fitted, f.Parameter)
			}
		}
		if err := measure(m, &r); err != nil {
			return nil, fmt.Errorf("%s: %w", e.ID, err)
		}
		rows[i] = r
	}
	return rows, nil
}

func number(v float64, unit string) string {
	if math.IsNaN(v) {
		return ""
	}
	s := decimal(v, 2)
	if unit != "" {
		s += " " + unit
	}
	return s
}

// decimal prints a value with the given number of decimals; what rounds to zero has no sign.
func decimal(v float64, digits int) string {
	s := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Trim(s, "-0.") == "" {
		return strings.TrimPrefix(s, "-")
	}
	return s
}

// Comparison is what one engine's runs say of every published result.
type Comparison struct {
	Engine string   // what ran: fluid, packet, or the name of a testbed
	Rows   []Row    // as Compare gives them
	Other  []string // as Other gives them: in what the runs are not those of the built-in figures
}

// WriteCSV writes comparisons as a table, the engines' rows of an entry one below the other.
func WriteCSV(w io.Writer, cs ...Comparison) error {
	c := csv.NewWriter(w)
	c.Write([]string{"id", "section", "quantity", "use", "fitted", "engine", "published", "published_value", "ours",
		"ours_value", "unit", "residual", "verdict", "sentence"})
	num := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return decimal(v, 6)
	}
	for i := range cs[0].Rows {
		for k := range cs {
			r := &cs[k].Rows[i]
			c.Write([]string{r.ID, r.Section, r.Quantity, r.Kind(), strings.Join(r.Fitted, " "), cs[k].Engine,
				r.Entry.Value, num(r.Published), r.Ours, num(r.Value), r.Unit, num(r.Residual()), r.Verdict,
				r.Sentence})
		}
	}
	c.Flush()
	return c.Error()
}
