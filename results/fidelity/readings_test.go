package fidelity

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"testing"
)

// What a plant that does as published gives, whatever is read into the thesis.
func TestReadingOfThePublishedRuns(t *testing.T) {
	got, err := Readings[0].Measure(asPublished(t)[ReadingStudy])
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ got, want []float64 }{
		"throughput from the ninth flow on": {got.Throughput,
			[]float64{(41.3 + 41.5 + 41.5) / 3, (41.3 + 42 + 44) / 3, (41.3 + 39.5 + 43.5) / 3}},
		"loss from saturation on": {got.Loss, []float64{22.5, 21, 22.5}},
		"onset":                   {got.Onset, []float64{9, 9, 9}},
		"in use":                  {got.Used, []float64{5.5, 5, 5.5}},
	} {
		if !slices.EqualFunc(c.got, c.want, func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }) {
			t.Errorf("%s: %v, want %v", what, c.got, c.want)
		}
	}
	if _, err := Readings[0].Measure(nil); err == nil ||
		!strings.Contains(err.Error(), "reading default: no record of fig9") {
		t.Errorf("without records: %v", err)
	}
}

func TestReadingsAreTheDefaultAndOverridesOfIt(t *testing.T) {
	seen := map[string]bool{}
	for i, r := range Readings {
		if seen[r.Name] || r.Name == "" || r.Why == "" || (len(r.Sets) == 0) != (i == 0) {
			t.Errorf("reading %d: %+v", i, r)
		}
		seen[r.Name] = true
	}
}

func TestReadingsGolden(t *testing.T) {
	outcomes := []Outcome{
		{Readings[0], []float64{40.78, 42.15, 41.6}, []float64{22.5, 21.7, 21.8}, []float64{8, 9, 6},
			[]float64{6.7, 6.3, 7}},
		{Readings[1], []float64{40, 39, 41}, []float64{22, 22, 22}, []float64{0, 5, 5}, []float64{8, 8, 8}},
	}
	golden(t, "readings.md", func(w io.Writer) error { return WriteReadings(w, outcomes) })
	table := golden(t, "readings.csv", func(w io.Writer) error { return WriteReadingsCSV(w, outcomes) })
	if n := bytes.Count(table, []byte("\n")); n != 1+3*len(outcomes) {
		t.Errorf("readings.csv has %d lines for %d readings", n, len(outcomes))
	}
}
