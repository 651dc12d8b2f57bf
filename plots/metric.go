package plots

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/plots/chart"
	"github.com/smartinco/smartinco/results"
)

// metric is a column of a table, or the ratio of two, in a unit in which its values are short.
type metric struct {
	name   string
	label  string // what it is, and the unit
	least  bool   // the less of it, the better
	factor float64
	of     func(row []string) float64 // NaN where it is not known
}

// natural are the columns of which more is better.
var natural = []string{"processed", "flows", "offered", "goodput_bps", "jain"}

// Ways to order a metric, for Options.Best.
const (
	Least = "least"
	Most  = "most"
)

// titles of columns whose names do not say enough.
var titles = map[string]string{
	"dropped/offered": "Loss", "instance_s": "Instance time", "core_s": "Core time",
	"under_s": "Time with too few instances", "over_s": "Time with too many instances", "jain": "Jain's index",
	"wait_p50_s": "Wait, median", "wait_p99_s": "Wait, 99 %", "wait_p999_s": "Wait, 99.9 %",
	"delay_mean_s": "Delay, mean", "delay_p50_s": "Delay, median", "delay_p90_s": "Delay, 90 %",
	"delay_p99_s": "Delay, 99 %", "delay_p999_s": "Delay, 99.9 %",
	"goodput_bps": "Goodput", "energy_j": "Energy", "slo_windows": "Windows that lose too much",
	"slo_flows": "Flows that lose too much", "slo_packets": "Packets that wait too long",
	"slo_requests": "Requests that take too long", "resubmissions": "Further passes a decision",
	"signals":  "Signals of load a decision",
	"messages": "Messages a decision",
}

// shares are the columns without a unit that are parts of a whole.
var shares = []string{"loss", "slo_windows", "slo_flows", "slo_packets", "slo_requests"}

// metric finds a column, or A/B for a ratio, by its name.
func (t *Table) metric(name string) (*metric, error) {
	units := map[string]string{}
	for _, c := range results.Columns() {
		units[c.Name] = c.Unit
	}
	parts := strings.Split(name, "/")
	if len(parts) > 2 {
		return nil, chart.Requestf("metric %s: want a column, or A/B for the ratio of two", results.Quote(name))
	}
	for _, part := range parts {
		if !slices.Contains(t.numbers(), part) {
			return nil, chart.Requestf("%s: no column %s: want one of %s", t.name, results.Quote(part),
				strings.Join(t.numbers(), ", "))
		}
	}
	m := &metric{name: name, label: titled(name), least: !slices.Contains(natural, parts[0]), factor: 1}
	unit := units[parts[0]]
	m.of = func(row []string) float64 { return sane(t.value(row, parts[0])) }
	if len(parts) == 2 {
		below := units[parts[1]]
		m.of = func(row []string) float64 {
			return sane(t.value(row, parts[0]) / t.value(row, parts[1]))
		}
		switch {
		case unit == below && unit != "":
			unit = "%"
		case below != "":
			unit = fmt.Sprintf("%s/%s", unit, below)
		}
	} else if slices.Contains(shares, name) {
		unit = "%"
	}
	most := 0.0
	for _, row := range t.rows {
		if v := math.Abs(m.of(row)); !math.IsNaN(v) {
			most = max(most, v)
		}
	}
	var says string
	if m.factor, says = short(unit, most); says != "" {
		m.label += " (" + says + ")"
	}
	return m, nil
}

// titled is a column's name for people.
func titled(name string) string {
	if t, ok := titles[name]; ok {
		return t
	}
	if a, b, ratio := strings.Cut(name, "/"); ratio {
		return titled(a) + " / " + strings.ToLower(titled(b)[:1]) + titled(b)[1:]
	}
	words := strings.ReplaceAll(name, "_", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// short is by what to multiply values up to most so that they have few digits, and what their unit is then.
func short(unit string, most float64) (factor float64, says string) {
	switch unit {
	case "%":
		return 100, "%"
	case "s":
		switch {
		case most >= 1 || most == 0:
			return 1, "s"
		case most >= 1e-3:
			return 1e3, "ms"
		}
		return 1e6, "µs"
	case "1":
		return 1, ""
	}
	prefixes := []struct {
		from         float64
		letter, word string
	}{{1e10, "G", "billion"}, {1e7, "M", "million"}, {1e4, "k", "thousand"}}
	for _, p := range prefixes {
		if unit == "bit/s" || unit == "J" {
			p.from /= 10
		}
		if most < p.from {
			continue
		}
		scale := map[string]float64{"G": 1e-9, "M": 1e-6, "k": 1e-3}[p.letter]
		if unit == "bit/s" || unit == "J" {
			return scale, p.letter + unit
		}
		return scale, strings.TrimSpace(p.word + " " + unit)
	}
	return 1, unit
}

// at is the metric of a row in its unit.
func (m *metric) at(row []string) float64 { return m.of(row) * m.factor }
