package contention

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/smartinco/smartinco/units"
)

// Point is one measurement.
type Point struct {
	N      int     // instances that contended, at least 1
	Rate   float64 // packets per second that each of them processed, positive
	Weight float64 // of the squared residual in the fit; 0 counts as 1
}

// MaxN is the largest number of instances that a file of points may name.
const MaxN = 1 << 20

// maxFile bounds what Parse reads: a file of points has a few lines.
const maxFile = 1 << 20

// Parse reads points. A name that ends in .yaml or .yml holds a mapping from n to the rate of each of n instances,
// alone or under the key points as in a scenario's table:
//
//	{1: 25Mpps, 4: 10.5Mpps, 8: 5.25Mpps}
//
// Any other name holds CSV with the columns n, rate and, if wanted, weight; a first line of names, empty lines and
// lines that begin with # are passed over. A rate has a unit or is in packets per second. Points come back in order of
// n; an n may occur more than once in CSV. Errors name the file, the line and what was expected.
func Parse(name string, r io.Reader) ([]Point, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s: longer than %d bytes: want a file with a few lines of n,rate", name, maxFile)
	}
	parse := parseCSV
	if ext := strings.ToLower(filepath.Ext(name)); ext == ".yaml" || ext == ".yml" {
		parse = parseYAML
	}
	points, err := parse(name, b)
	if err != nil {
		return nil, err
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("%s: no points: want lines such as 4,10.5Mpps", name)
	}
	slices.SortStableFunc(points, func(a, b Point) int { return a.N - b.N })
	return points, nil
}

func parseCSV(name string, b []byte) ([]Point, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\ufeff"))))
	r.Comment = '#'
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = -1
	var points []Point
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return points, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := r.FieldPos(0)
		if first && strings.EqualFold(strings.TrimSpace(row[0]), "n") {
			continue
		}
		if len(row) != 2 && len(row) != 3 {
			return nil, fmt.Errorf("%s:%d: %d columns: want n,rate or n,rate,weight, such as 4,10.5Mpps",
				name, line, len(row))
		}
		p, err := point(row[0], row[1])
		if err == nil && len(row) == 3 {
			p.Weight, err = strconv.ParseFloat(strings.TrimSpace(row[2]), 64)
			if err != nil || !(p.Weight > 0) || math.IsInf(p.Weight, 0) {
				err = fmt.Errorf("weight %q: want a positive number", row[2])
			}
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, line, err)
		}
		points = append(points, p)
	}
}

func parseYAML(name string, b []byte) ([]Point, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(doc.Content) == 0 {
		return nil, nil
	}
	m := doc.Content[0]
	if m.Kind == yaml.MappingNode && len(m.Content) == 2 && m.Content[0].Value == "points" {
		m = m.Content[1]
	}
	if m.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s:%d: want a mapping from the number of instances to the rate of each, "+
			"such as {1: 25Mpps, 4: 10.5Mpps}", name, m.Line)
	}
	var points []Point
	seen := map[int]bool{}
	for i := 0; i < len(m.Content); i += 2 {
		k, v := m.Content[i], m.Content[i+1]
		p, err := point(k.Value, v.Value)
		if err == nil && seen[p.N] {
			err = fmt.Errorf("n = %d is there twice", p.N)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, k.Line, err)
		}
		seen[p.N] = true
		points = append(points, p)
	}
	return points, nil
}

func point(n, rate string) (p Point, err error) {
	p.N, err = strconv.Atoi(strings.TrimSpace(n))
	if err != nil || p.N < 1 || p.N > MaxN {
		return p, fmt.Errorf("n is %q: want a whole number of instances from 1 to %d", n, MaxN)
	}
	p.Rate, err = strconv.ParseFloat(strings.TrimSpace(rate), 64)
	if err != nil {
		var r units.PPS
		if err := r.UnmarshalText([]byte(rate)); err != nil {
			return p, fmt.Errorf("rate: %w", err)
		}
		p.Rate = float64(r)
	}
	if !(p.Rate > 0) || math.IsInf(p.Rate, 0) {
		return p, fmt.Errorf("rate is %q: want a positive, finite packet rate, such as 10.5Mpps", rate)
	}
	return p, nil
}
