package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// run is the row of a run in the table of all.
type run struct {
	Name   string     `json:"name"` // of its scenario
	Dir    string     `json:"dir"`
	Plant  string     `json:"plant"`
	Engine string     `json:"engine"`
	Seed   uint64     `json:"seed"`
	Ended  string     `json:"ended"`  // "", or why the run did not reach its end
	Differ []string   `json:"differ"` // values of the keys in which the runs of the page differ
	Values []*float64 `json:"values"` // of the measures; nil where it has none

	settings map[string]string // every key of its scenario
}

// detail is what the page unpacks when a reader opens a run.
type detail struct {
	Run       results.Run   `json:"run"` // without the scenario, which stands below as it is written
	Host      *results.Host `json:"host"`
	Scenario  string        `json:"scenario"`
	Points    [][]number    `json:"points"` // ends of windows, s, then a column for each of series
	Mean      int           `json:"mean"`   // windows behind a point
	Words     []string      `json:"words"`  // what the numbers of decisions stand for
	Decisions []decision    `json:"decisions"`
	Left      int           `json:"left"` // decisions that are not in the page
}

// decision is time in seconds, kind, policy, flow, instance, current, desired, reason and, each as three values, the
// candidates: instance, score, whether the flow fits. Kind, policy and reason are numbers of words.
type decision []any

// measure is a number of a whole run.
type measure struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
}

// measures are what runs are compared by; newRun fills them in, in this order.
var measures = []measure{
	{"throughput", "Mpps"}, {"frame bits", "Gbit/s"}, {"loss", "%"}, {"loss at the instances", "%"},
	{"wait, 99 %", "µs"}, {"flows", ""}, {"flows moved", ""}, {"rules written", ""}, {"packets reordered", ""},
}

// column is a quantity over time.
type column struct {
	Name  string `json:"name"`
	Unit  string `json:"unit"`
	Step  bool   `json:"step"` // a state at the end of a window, not a mean over it
	Panel string `json:"panel"`
	of    func(*results.Window) float64
}

const mega = 1e6

var series = []column{
	{"offered", "Mpps", false, "Throughput", func(w *results.Window) float64 { return w.Offered / mega }},
	{"processed", "Mpps", false, "Throughput", func(w *results.Window) float64 { return w.Processed / mega }},
	{"lost, all causes", "Mpps", false, "Loss", func(w *results.Window) float64 { return w.Dropped / mega }},
	{"lost at the instances", "Mpps", false, "Loss",
		func(w *results.Window) float64 { return w.DroppedInstance / mega }},
	{"lost in the eSwitch", "Mpps", false, "Loss", func(w *results.Window) float64 { return w.DroppedESwitch / mega }},
	{"running", "", true, "Instances", func(w *results.Window) float64 { return float64(w.Instances) }},
	{"with flows", "", true, "Instances", func(w *results.Window) float64 { return float64(w.Used) }},
	{"active", "", true, "Flows", func(w *results.Window) float64 { return float64(w.Flows) }},
}

func newRun(rec *results.Record) (*run, *detail, error) {
	sc, err := scenarios.FromRecord(rec.Run.Name, rec.Run.Scenario, rec.Run.Seed)
	if err != nil {
		return nil, nil, err
	}
	r := &run{Name: rec.Run.Name, Dir: filepath.ToSlash(rec.Dir), Plant: rec.Run.Plant, Engine: rec.Run.Engine,
		Seed: rec.Run.Seed, Ended: rec.Run.Error, settings: settings(rec.Run.Scenario)}
	if !rec.Run.Complete && r.Ended == "" {
		r.Ended = "killed, or still going"
	}
	d := &detail{Run: rec.Run, Scenario: string(sc.YAML())}
	d.Run.Scenario = nil
	if d.Host, err = rec.Host(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, err
	}
	if r.Values, err = values(rec); err != nil {
		return nil, nil, err
	}
	ws, err := rec.Windows()
	if err != nil {
		return nil, nil, err
	}
	d.Points, d.Mean = points(ws)
	return r, d, d.decide(rec)
}

// values are the run's measures. A run that did not end has no totals, and so none.
func values(rec *results.Record) ([]*float64, error) {
	all := make([]*float64, len(measures))
	t := &rec.Run.Totals
	if !rec.Run.Complete || t.Offered == 0 {
		return all, nil
	}
	var wait *float64
	buckets, err := rec.Buckets("run")
	if err != nil {
		return nil, err
	}
	var waits []results.Bucket
	for _, b := range buckets {
		if b.Kind == "wait" {
			waits = append(waits, b)
		}
	}
	if len(waits) > 0 {
		const perMicrosecond = 1e6
		wait = new(float64(results.Quantile(waits, 990)) / perMicrosecond)
	}
	return []*float64{
		new(t.Processed / rec.Run.Duration / mega),
		new(t.ProcessedBytes * 8 / rec.Run.Duration / 1e9),
		new(100 * t.Dropped.Sum() / t.Offered),
		new(100 * t.Dropped.Instance / t.Offered),
		wait,
		new(float64(t.Flows)), new(float64(t.Moves)), new(float64(t.RulesInstalled)), new(t.Reordered),
	}, nil
}

// most is the greatest number of points in a line; a screen shows no more.
const most = 1000

// shown is a value as the table has it: six significant digits, and no fewer than the whole number.
func shown(v *float64) string {
	if v == nil {
		return "–"
	}
	decimals := 0
	if *v != 0 {
		decimals = min(max(5-int(math.Floor(math.Log10(math.Abs(*v)))), 0), 6)
	}
	text := strconv.FormatFloat(*v, 'f', decimals, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// points are the columns of the windows, or of the means of so many windows that there are at most most of them. The
// values keep five digits, which is more than a screen shows.
func points(ws []results.Window) (cols [][]number, mean int) {
	mean = max((len(ws)+most-1)/most, 1)
	cols = make([][]number, 1+len(series))
	for at := 0; at < len(ws); at += mean {
		group := ws[at:min(at+mean, len(ws))]
		last := &group[len(group)-1]
		cols[0] = append(cols[0], digits(last.T, 9))
		for i, c := range series {
			v := c.of(last)
			if !c.Step {
				v = 0
				for j := range group {
					v += c.of(&group[j])
				}
				v /= float64(len(group))
			}
			cols[i+1] = append(cols[i+1], digits(v, 5))
		}
	}
	return cols, mean
}

// number is null in JSON where it is not finite, such as a window that was not measured.
type number float64

// MarshalJSON writes the number.
func (n number) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(n))
}

// digits is the value with so many significant digits.
func digits(v float64, n int) number {
	short, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', n, 64), 64)
	if err != nil {
		panic(err) // it was just written
	}
	return number(short)
}

// kept is the greatest number of decisions of a run in the page.
const kept = 20000

// decide takes down the run's decisions.
func (d *detail) decide(rec *results.Record) error {
	known := map[string]int{}
	word := func(s string) int {
		n, ok := known[s]
		if !ok {
			n = len(d.Words)
			known[s] = n
			d.Words = append(d.Words, s)
		}
		return n
	}
	for x, err := range rec.Decisions() {
		if err != nil {
			return err
		}
		if len(d.Decisions) == kept {
			d.Left++
			continue
		}
		candidates := make([]any, 0, 3*len(x.Candidates))
		for _, c := range x.Candidates {
			score := any(digits(c.Score, 6))
			if math.IsInf(c.Score, 0) {
				score = fmt.Sprint(c.Score)
			}
			candidates = append(candidates, c.Instance, score, c.Fits)
		}
		d.Decisions = append(d.Decisions, decision{digits(x.At.Seconds(), 9), word(x.Kind), word(x.Policy), x.Flow,
			x.Instance, x.Current, x.Desired, word(x.Reason), candidates})
	}
	return nil
}

// settings are the values of a scenario by their dotted keys.
func settings(scenario any) map[string]string {
	all := map[string]string{}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				walk(strings.TrimPrefix(key+"."+k, "."), e)
			}
		case []any:
			for i, e := range v {
				walk(key+"."+strconv.Itoa(i), e)
			}
		default:
			all[key] = fmt.Sprint(v)
		}
	}
	walk("", scenario)
	delete(all, "name") // it has a column
	return all
}
