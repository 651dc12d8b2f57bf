package fidelity

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// instanceOf is a made-up row of an instance that is ready.
func instanceOf(t float64, number int, flows int32) results.Instance {
	i := results.Instance{T: t, Instance: int32(number), State: "ready", Flows: flows, Offered: 4e6 * float64(flows)}
	if flows > 0 {
		i.Processed = 9.8e6
	}
	return i
}

// made is a record of windows and instances that nothing simulated.
func made(t *testing.T, scenario any, ws []results.Window, is []results.Instance) *results.Record {
	t.Helper()
	m := results.NewMemory()
	for i := range ws {
		var at []results.Instance
		for _, x := range is {
			if x.T == ws[i].T {
				at = append(at, x)
			}
		}
		if err := m.Window(&ws[i], at); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(&results.Run{Format: 1, Name: "made-up", Complete: true, Scenario: scenario}); err != nil {
		t.Fatal(err)
	}
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

type object = map[string]any

func scenarioOf(policy, size string, initial int) object {
	return object{
		"scheduler": object{"policy": policy, "nofit": "least-loaded", "limit": "10Mpps"},
		"instances": object{"initial": initial},
		"workload":  []any{object{"cbr": object{"packet_size": size}}},
	}
}

// window is one in which the eSwitch loses half of what is offered once more than 64 Mpps come.
func window(t, offered, processed float64, flows, instances, used int32) results.Window {
	ingress := min(offered, 64)
	return results.Window{T: t, Offered: offered * 1e6, Ingress: ingress * 1e6, Processed: processed * 1e6,
		Dropped:         (offered - processed) * 1e6,
		DroppedInstance: (ingress - processed) * 1e6, DroppedESwitch: (offered - ingress) * 1e6, Flows: flows,
		Instances: instances, Used: used}
}

// asPublished are records of a plant that does exactly what the thesis reports.
func asPublished(t *testing.T) Records {
	recs := Records{}
	recs["fig6"] = []*results.Record{made(t, scenarioOf("round-robin", "64B", 1), []results.Window{
		window(1, 24.5, 24.5, 1, 1, 1), window(2, 25.5, 25, 2, 1, 1), window(3, 148, 25, 3, 1, 1)}, nil)}
	for n := 1; n <= 8; n++ {
		recs["fig7"] = append(recs["fig7"], made(t, scenarioOf("round-robin", "64B", n), []results.Window{
			window(1, 148, 10.5*float64(n), 32, int32(n), int32(n)),
			window(2, 148, 10.5*float64(n), 32, int32(n), int32(n))}, nil))
	}
	for _, p := range []struct {
		policy string
		served float64
		used   int32
		wobble float64
		early  []int32
		late   []int32
	}{
		{"round-robin", 41.5, 8, 0, []int32{4, 4, 3}, []int32{5, 5, 5, 4}},
		{"best-fit", 43, 7, 1, []int32{11, 0, 0}, []int32{10, 9, 0, 0}},
		{"worst-fit", 41.5, 8, 2, []int32{4, 4, 3}, []int32{5, 5, 5, 5}},
	} {
		ws := []results.Window{window(1, 37, 37, 8, 3, 3), window(2, 41.9, 41.3, 9, 3, 3),
			window(3, 148, p.served-p.wobble, 32, 8, p.used), window(4, 148, p.served+p.wobble, 32, 8, p.used)}
		var is []results.Instance
		for _, w := range ws {
			held := p.early
			if w.T > 2 {
				held = p.late
			}
			for k, n := range held {
				is = append(is, instanceOf(w.T, k+1, n))
			}
		}
		recs["fig9"] = append(recs["fig9"], made(t, scenarioOf(p.policy, "64B", 3), ws, is))
	}
	for size, rate := range map[string]float64{"64B": 148, "512B": 23, "1500B": 8} {
		recs["fig10"] = append(recs["fig10"], made(t, scenarioOf("round-robin", size, 3), []results.Window{
			window(1, rate, min(rate, 49), 32, 3, 3)}, nil))
	}
	return recs
}

func rowsOf(t *testing.T, recs Records) map[string]Row {
	t.Helper()
	rows, err := Compare(recs)
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]Row{}
	for _, r := range rows {
		m[r.ID] = r
	}
	return m
}

func TestWhatIsPublishedAgreesWithItself(t *testing.T) {
	for id, r := range rowsOf(t, asPublished(t)) {
		want := "agrees"
		if id == "inreal-gain" {
			want = "not predicted"
		}
		if r.Verdict != want {
			t.Errorf("%s: %s (%s): %s, want %s", id, r.Ours, r.Sentence, r.Verdict, want)
		}
	}
}

func TestEveryPublishedEntryIsMeasuredAndNothingElse(t *testing.T) {
	entries, err := Published()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.ID)
		if e.Use != "calibrate" && e.Use != "predict" {
			t.Errorf("%s: use is %q", e.ID, e.Use)
		}
		if e.Section == "" || e.Quantity == "" || e.Value == "" {
			t.Errorf("%s lacks a section, a quantity or a value", e.ID)
		}
	}
	slices.Sort(ids)
	if measured := slices.Sorted(maps.Keys(measures)); !slices.Equal(ids, measured) {
		t.Errorf("published are\n%s\nmeasured are\n%s", ids, measured)
	}
}

func TestAMissingRecordIsNamed(t *testing.T) {
	without := func(study string, is func(object) bool) func(Records) {
		return func(recs Records) {
			recs[study] = slices.DeleteFunc(recs[study],
				func(r *results.Record) bool { return is(r.Run.Scenario.(object)) })
		}
	}
	for _, c := range []struct {
		change func(Records)
		want   string
	}{
		{func(r Records) { delete(r, "fig6") }, "fig6-capacity: no record of fig6 with one instance"},
		{without("fig7", func(o object) bool { return at(o, "instances", "initial") == 5.0 }),
			"fig7-per-vnf: no record of fig7 with 5 instances"},
		{without("fig9", func(o object) bool { return at(o, "scheduler", "policy") == "best-fit" }),
			"no record of fig9 with scheduler.policy best-fit"},
		{without("fig10", func(o object) bool { return at(o, "workload", 0, "cbr", "packet_size") == "64B" }),
			"fig10-64B: no record of fig10 with packet_size 64B"},
		{without("fig10", func(o object) bool { return at(o, "workload", 0, "cbr", "packet_size") == "1500B" }),
			"fig10-1500B: no record of fig10 with packet_size 1500B"},
		{func(r Records) { r["fig6"] = []*results.Record{made(t, nil, nil, nil)} },
			"fig6: the record of made-up has no windows"},
		{func(r Records) {
			r["fig9"] = append([]*results.Record{made(t, scenarioOf("best-fit", "64B", 3),
				[]results.Window{window(1, 1, 1, 1, 1, 1)}, nil)}, r["fig9"]...)
		}, "fig8-bf: best-fit: the record has no instances to compare"},
		{func(r Records) {
			r["fig6"] = []*results.Record{made(t, scenarioOf("round-robin", "64B", 1),
				[]results.Window{window(1, 1, 1, 1, 1, 1)}, nil)}
		}, "fig6-knee: the ramp never overloads the instance"},
	} {
		recs := asPublished(t)
		c.change(recs)
		if _, err := Compare(recs); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
}

func TestDistributions(t *testing.T) {
	full, spread := []float64{9.1e6, 10.9e6, 1e6}, []float64{5e6, 5e6, 5e6}
	for _, c := range []struct {
		what     string
		judge    spreading
		mean, rr []float64
		rates    []float64 // processed by each instance
		want     bool
	}{
		{"round-robin, earlier ones hold more", cyclic, []float64{3, 3, 2, 1}, nil, full, true},
		{"round-robin, all alike", cyclic, []float64{2, 2, 2, 2}, nil, full, false},
		{"round-robin, a late one holds more", cyclic, []float64{3, 3, 1, 2}, nil, full, false},
		{"best-fit, more on the first half", concentrated, []float64{5, 3, 1, 0}, []float64{3, 3, 2, 1}, full, true},
		{"best-fit, none near the limit", concentrated, []float64{5, 3, 1, 0}, []float64{3, 3, 2, 1}, spread, false},
		{"best-fit, falling but flatter than round-robin", concentrated, []float64{3, 2, 2, 2}, []float64{3, 3, 2, 1},
			full, false},
		{"best-fit, not falling", concentrated, []float64{4, 5, 0, 0}, []float64{3, 3, 2, 1}, full, false},
		{"worst-fit, closer together", balanced, []float64{2, 2, 1.5, 2}, []float64{3, 3, 2, 1}, full, true},
		{"worst-fit, no closer", balanced, []float64{3, 3, 2, 1}, []float64{3, 3, 2, 1}, full, false},
	} {
		x := &run{Record: made(t, scenarioOf("best-fit", "64B", 3), nil, nil), windows: []results.Window{{T: 1}}}
		for i, rate := range c.rates {
			x.instances = append(x.instances, results.Instance{T: 1, Instance: int32(i + 1), State: "ready", Flows: 1,
				Processed: rate})
		}
		got, lenient, rule := c.judge(x, c.mean, c.rr)
		if got != c.want || !strings.HasPrefix(rule, "It agrees if ") {
			t.Errorf("%s: %v by %q, want %v", c.what, got, rule, c.want)
		}
		if want := c.want || c.what == "best-fit, none near the limit"; lenient != want {
			t.Errorf("%s: leniently %v, want %v", c.what, lenient, want)
		}
	}
}

// Windows of 3 s and of 1 s: what an instance holds while it is there counts by the time, and before that it holds
// none.
func TestMeanFlowsAreOverTheWholeRun(t *testing.T) {
	r := &run{windows: []results.Window{{T: 3}, {T: 4}}, instances: []results.Instance{
		instanceOf(3, 1, 2), instanceOf(4, 1, 6), instanceOf(4, 3, 2),
		{T: 4, Instance: 4, State: "starting"},
	}}
	if got, want := r.meanFlows(), []float64{3, 0.5, 0}; !slices.Equal(got, want) {
		t.Errorf("means are %v, want %v", got, want)
	}
	if got, want := r.flowsAtEnd(), []int32{6, 2}; !slices.Equal(got, want) {
		t.Errorf("at the end they hold %v, want %v", got, want)
	}
}

func TestFilledIsTheLastWindowWithAFreeInstance(t *testing.T) {
	r := &run{windows: []results.Window{{T: 1}, {T: 2}, {T: 3}}, instances: []results.Instance{
		instanceOf(1, 1, 3), instanceOf(1, 2, 0), instanceOf(2, 1, 2), instanceOf(2, 2, 0), instanceOf(3, 1, 9),
		instanceOf(3, 2, 1)}}
	if held, most := r.filled(); !slices.Equal(held, []int32{2, 0}) || most != 12e6 {
		t.Errorf("filled with %v, at most %g packets/s", held, most)
	}
	r.instances = r.instances[4:]
	if held, _ := r.filled(); held != nil {
		t.Errorf("filled with %v, though none was free", held)
	}
}

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		published, ours, tolerance float64
		verdict, sentence          string
	}{
		{42, 43, 0.05, "agrees", "Why. It counts as agreement within 5 %."},
		{42, 45, 0.05, "differs", "Why. It counts as agreement within 5 %."},
		{9, 9, 0, "agrees", "Why. It counts as agreement if exactly equal."},
		{9, 8, 0, "differs", "Why. It counts as agreement if exactly equal."},
		{9, math.NaN(), 0.5, "differs", "Why. It counts as agreement within 50 %."},
	} {
		var r Row
		r.judge(c.published, c.ours, "Mpps", c.tolerance, "Why.")
		if r.Verdict != c.verdict || r.Sentence != c.sentence {
			t.Errorf("%g beside %g: %s, %q; want %s, %q", c.ours, c.published, r.Verdict, r.Sentence, c.verdict,
				c.sentence)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v    float64
		unit string
		want string
	}{
		{-0.001, "Mpps", "0.00 Mpps"},
		{math.Copysign(0, -1), "", "0.00"},
		{-0.01, "Mpps", "-0.01 Mpps"},
		{-10, "flows", "-10.00 flows"},
		{math.NaN(), "Mpps", ""},
	} {
		if got := number(c.v, c.unit); got != c.want {
			t.Errorf("%g prints as %q, want %q", c.v, got, c.want)
		}
	}
}

// golden writes a file of testdata again where it is asked to, and holds it against what is written now.
func golden(t *testing.T, name string, write func(io.Writer) error) []byte {
	t.Helper()
	var got bytes.Buffer
	if err := write(&got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("%s has changed: read it, then renew it with -update", path)
	}
	return got.Bytes()
}

// Packet's runs are as published but for the capacity, so that one sentence and one verdict differ.
func TestGolden(t *testing.T) {
	rows, err := Compare(asPublished(t))
	if err != nil {
		t.Fatal(err)
	}
	slower := asPublished(t)
	slower["fig6"] = []*results.Record{made(t, scenarioOf("round-robin", "64B", 1), []results.Window{
		window(1, 19.5, 19.5, 1, 1, 1), window(2, 20.5, 20, 2, 1, 1), window(3, 148, 20, 3, 1, 1)}, nil)}
	others, err := Compare(slower)
	if err != nil {
		t.Fatal(err)
	}
	one, two := Comparison{Engine: "made-up", Rows: rows}, Comparison{Engine: "slower", Rows: others}
	for name, write := range map[string]func(io.Writer) error{
		"fidelity.md":      (&Page{Comparisons: []Comparison{one}}).WriteMarkdown,
		"fidelity.csv":     func(w io.Writer) error { return WriteCSV(w, one) },
		"side-by-side.md":  (&Page{Comparisons: []Comparison{one, two}}).WriteMarkdown,
		"side-by-side.csv": func(w io.Writer) error { return WriteCSV(w, one, two) },
	} {
		got := string(golden(t, name, write))
		if strings.Contains(got, "-0.00") {
			t.Errorf("%s: a zero has a sign", name)
		}
		if strings.HasSuffix(name, ".csv") {
			engines := strings.Count(name, "-")/2 + 1 // side-by-side has two
			if cells, err := csv.NewReader(strings.NewReader(got)).ReadAll(); err != nil ||
				len(cells) != engines*len(rows)+1 {
				t.Errorf("%s has %d rows for %d entries (%v)", name, len(cells), len(rows), err)
			}
			continue
		}
		for i := range rows {
			if n := strings.Count(got, fmt.Sprintf("| %s |", rows[i].ID)); n != 1 {
				t.Errorf("%s: %s stands %d times in the table", name, rows[i].ID, n)
			}
		}
	}
}
