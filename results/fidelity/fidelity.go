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
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"gopkg.in/yaml.v3"
)

//go:embed published.yaml
var published []byte

// contradictions is the section of the page that says where the published numbers exclude each other.
//
//go:embed contradictions.md
var contradictions string

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
}

// Residual is ours minus the published value; NaN if either is not a number.
func (r *Row) Residual() float64 { return r.Value - r.Published }

// Kind says how the number may be read: fitted or predicted.
func (r *Row) Kind() string {
	if r.Use == "calibrate" {
		return "fitted"
	}
	return "predicted"
}

// Records are the runs of the study, by the name of their scenario: fig6, fig7, fig9, fig10, fig10-target-100.
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
	rows := make([]Row, len(entries))
	for i, e := range entries {
		measure, ok := measures[e.ID]
		if !ok {
			return nil, fmt.Errorf("published.yaml: %s: nothing measures this entry", e.ID)
		}
		r := Row{Entry: e, Published: math.NaN(), Value: math.NaN()}
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
	Engine string // what ran: fluid, packet, or the name of a testbed
	Rows   []Row  // as Compare gives them
}

// WriteCSV writes comparisons as a table, the engines' rows of an entry one below the other.
func WriteCSV(w io.Writer, cs ...Comparison) error {
	c := csv.NewWriter(w)
	c.Write([]string{"id", "section", "quantity", "use", "engine", "published", "published_value", "ours", "ours_value",
		"unit", "residual", "verdict", "sentence"})
	num := func(v float64) string {
		if math.IsNaN(v) {
			return ""
		}
		return decimal(v, 6)
	}
	for i := range cs[0].Rows {
		for k := range cs {
			r := &cs[k].Rows[i]
			c.Write([]string{r.ID, r.Section, r.Quantity, r.Kind(), cs[k].Engine, r.Entry.Value, num(r.Published),
				r.Ours, num(r.Value), r.Unit, num(r.Residual()), r.Verdict, r.Sentence})
		}
	}
	c.Flush()
	return c.Error()
}

// WriteMarkdown writes comparisons as a page, the engines side by side.
func WriteMarkdown(w io.Writer, cs ...Comparison) error {
	var b strings.Builder
	var engines []string
	head, rule := "| entry | § | what | use | published |", "|---|---|---|---|---|"
	for _, c := range cs {
		engines = append(engines, c.Engine)
		ours := "ours"
		if len(cs) > 1 {
			ours = c.Engine
		}
		head += fmt.Sprintf(" %s | residual | verdict |", ours)
		rule += "---|---|---|"
	}
	fmt.Fprintf(&b, "# Fidelity: the published results beside ours (%s)\n\n", strings.Join(engines, ", "))
	b.WriteString("*Fitted* entries were used to choose the model's parameters and say nothing about it. *Predicted* " +
		"ones were not: they\n" +
		"are the test. One calibration serves all figures; nothing is adjusted to a single one. The residual is ours " +
		"minus the\npublished value.\n\n")
	fmt.Fprintf(&b, "%s\n%s\n", head, rule)
	for i := range cs[0].Rows {
		r := &cs[0].Rows[i]
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |", r.ID, r.Section, r.Quantity, r.Kind(), r.Entry.Value)
		for _, c := range cs {
			r := &c.Rows[i]
			fmt.Fprintf(&b, " %s | %s | %s |", r.Ours, number(r.Residual(), r.Unit), r.Verdict)
		}
		b.WriteString("\n")
	}
	b.WriteString("\n## Entry by entry\n\n")
	for i := range cs[0].Rows {
		r := &cs[0].Rows[i]
		fmt.Fprintf(&b, "**%s** — %s\n\n", r.ID, r.Sentence)
		for _, c := range cs[1:] {
			if s := c.Rows[i].Sentence; s != r.Sentence {
				fmt.Fprintf(&b, "With *%s*: %s\n\n", c.Engine, s)
			}
		}
	}
	b.WriteString(contradictions)
	_, err := io.WriteString(w, b.String())
	return err
}
