package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	policies "github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/stats"
	"github.com/smartinco/smartinco/scenarios"
)

// A verdict needs the whole interval on one side. A number without an interval is one point.
func TestVerdict(t *testing.T) {
	c := claim{low: 0.5, high: 1}
	for _, x := range []struct {
		in   stats.Interval
		want string
	}{
		{stats.Interval{Value: 0.7, Low: 0.6, High: 0.9}, reproduced},
		{stats.Interval{Value: 0.7, Low: 0.5, High: 1}, reproduced},
		{stats.Interval{Value: 0.9, Low: 0.8, High: 1.1}, open},
		{stats.Interval{Value: 0.4, Low: 0.3, High: 0.6}, open},
		{stats.Interval{Value: 1.2, Low: 1.1, High: 1.3}, refuted},
		{stats.Interval{Value: 0.2, Low: 0.1, High: 0.3}, refuted},
		{stats.Interval{Value: 1, Low: math.NaN(), High: math.NaN()}, reproduced},
		{stats.Interval{Value: 1.01, Low: math.NaN(), High: math.NaN()}, refuted},
	} {
		if got := c.verdict(x.in); got != x.want {
			t.Errorf("%v in [%v, %v]: %s, want %s", x.in, c.low, c.high, got, x.want)
		}
	}
}

func TestVerdictsOfAllColumns(t *testing.T) {
	for _, c := range []struct {
		of   []string
		want string
	}{
		{[]string{refuted}, "**refuted**"},
		{[]string{reproduced, reproduced}, "**reproduced**"},
		{[]string{refuted, reproduced, open, reproduced}, "reproduced at 2, refuted at 1, open at 1"},
	} {
		if got := inAll(c.of); got != c.want {
			t.Errorf("%q: %s, want %s", c.of, got, c.want)
		}
	}
}

// A ratio is of runs that differ in nothing but the conditions.
func TestPairs(t *testing.T) {
	var all []row
	numbers := map[string]float64{}
	for p, policy := range []string{"a", "b", "c"} {
		for seed := 1; seed <= 3; seed++ {
			for l, load := range []string{"0.5", "0.9"} {
				dir := fmt.Sprint(policy, seed, load)
				all = append(all, row{dir, map[string]string{"p": policy, "load": load, "seed": fmt.Sprint(seed)}})
				numbers["n "+dir] = float64(1+p) * float64(10*seed+l)
			}
		}
	}
	c := claim{says: "says", of: measure{name: "n"}, runs: where{"p=a"}, against: where{"p=b"}}
	if got, err := c.values(all, "load", "0.9", numbers); err != nil || !slices.Equal(got, []float64{0.5, 0.5, 0.5}) {
		t.Errorf("a over b: %v, %v", got, err)
	}
	c.against = nil
	if got, err := c.values(all, "load", "0.9", numbers); err != nil || !slices.Equal(got, []float64{11, 21, 31}) {
		t.Errorf("a: %v, %v", got, err)
	}
	c.runs = where{"p=d"}
	_, err := c.values(all, "load", "0.9", numbers)
	if err == nil || !strings.Contains(err.Error(), `no runs for "says"`) {
		t.Errorf("a policy that no run has: %v", err)
	}
}

func TestFilled(t *testing.T) {
	const text = "a\n<!-- systems x: make -->\nold\n<!-- end -->\nb\n<!-- systems y: make -->\n<!-- end -->\nc\n"
	got, err := filled(text, func(system string) (string, error) { return "new " + system + "\n", nil })
	const want = "a\n<!-- systems x: make -->\nnew x\n<!-- end -->\nb\n<!-- systems y: make -->\nnew y\n" +
		"<!-- end -->\nc\n"
	if err != nil || got != want {
		t.Errorf("%v: %s", err, got)
	}
	if _, err := filled(strings.Replace(text, "<!-- end -->\nc", "c", 1), func(string) (string, error) {
		return "", nil
	}); err == nil || !strings.Contains(err.Error(), "no <!-- end --> after it") {
		t.Errorf("a table without an end: %v", err)
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 1: "1", 0.0012345: "0.00123", 12.345: "12.3", 12345: "12345",
		-0.5: "-0.5", math.Inf(1): "+Inf"} {
		if got := short(v); got != want {
			t.Errorf("%g: %s, want %s", v, got, want)
		}
	}
}

// study finds the scenario of a claim.
func study(name string) (*scenarios.Study, error) {
	file := filepath.Join("..", "..", "scenarios", "systems", name+".yaml")
	if _, err := os.Stat(file); err != nil {
		file = name // an embedded one
	}
	return scenarios.Load(file, nil)
}

// Every claim has its runs in its scenario, at each value that its table has a column for: five and more, where
// anything in them is random.
func TestClaimsHaveTheirRuns(t *testing.T) {
	studies := map[string][]row{}
	for i := range claims {
		c := &claims[i]
		if studies[c.study] == nil {
			st, err := study(c.study)
			if err != nil {
				t.Fatal(err)
			}
			for j := range st.Runs {
				r := row{st.Runs[j].Name, map[string]string{}}
				for _, at := range st.Runs[j].Coordinates {
					r.keys[at.Key] = at.Value
				}
				studies[c.study] = append(studies[c.study], r)
			}
		}
		p, ok := pages[c.system]
		if !ok {
			t.Fatalf("%s has claims and no page", c.system)
		}
		numbers := map[string]float64{}
		for _, r := range studies[c.study] {
			numbers[c.of.name+" "+r.dir] = 1
		}
		for _, at := range p.at {
			vs, err := c.values(studies[c.study], p.along, at, numbers)
			if err != nil || len(vs) < 5 && c.system != "smartinco" {
				t.Errorf("%s, %q at %q: %d numbers, %v", c.study, c.says, at, len(vs), err)
			}
		}
	}
}

// The page has the table of every system, and each scenario of a system is on it.
func TestThePageHasEverySystem(t *testing.T) {
	b, err := os.ReadFile("../../docs/systems.md")
	if err != nil {
		t.Fatal(err)
	}
	for system := range pages {
		if !strings.Contains(string(b), "<!-- systems "+system+": make systems -->\n|") {
			t.Errorf("no table of %s", system)
		}
	}
	files, err := filepath.Glob("../../scenarios/systems/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if !strings.Contains(string(b), "(../scenarios/systems/"+filepath.Base(file)+")") {
			t.Errorf("%s is not on the page", filepath.Base(file))
		}
	}
}

// A summary with a run that did not end, or broke a law, is no summary to read a verdict from.
func TestRowsAreOfSoundRuns(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ laws, want string }{{"true,true", ""}, {"false,true", "not complete"},
		{"true,false", "a law is broken"}} {
		text := "run,p,seed,complete,conserved\nr,a,1," + c.laws + "\n"
		if err := os.WriteFile(filepath.Join(dir, "summary.csv"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		all, err := rows(dir)
		if c.want == "" {
			if err != nil || len(all) != 1 || all[0].keys["p"] != "a" || all[0].keys["seed"] != "1" {
				t.Errorf("%v, %v", all, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.laws, err)
		}
	}
}

// The measures read what their names say.
func TestMeasures(t *testing.T) {
	m := results.NewMemory()
	for i := range 20 {
		w := results.Window{T: float64(i + 1), Processed: float64(i), Used: int32(i % 2)}
		is := []results.Instance{{T: w.T, Instance: 4, Utilization: 1}, {T: w.T, Instance: 5, Utilization: 0.25},
			{T: w.T, Instance: 6, Utilization: 0.5}}
		if err := m.Window(&w, is); err != nil {
			t.Fatal(err)
		}
	}
	m.Latency(&results.Latency{Scope: "class", Number: 2, Kind: "end-to-end", P99: 7}, nil)
	run := &results.Run{Totals: results.Totals{Offered: 10, Dropped: results.Drops{Instance: 2, Rejected: 3}},
		Requests: &results.Requests{Placed: 100, Resubmissions: 6, PassesPer: 0.06,
			Delay:      results.RequestDelay{Mean: 2, P99: 5},
			Dispatcher: &results.Dispatching{SignalsPer: 0.25},
			Classes: []results.RequestGroup{{Number: 1, Name: "batch"},
				{Number: 2, Name: "urgent", Offered: 10, Dropped: 1, Late: 2}}},
		Policy: &results.Counts{Reasons: []policies.Count{{Name: "known to be idle", N: 80}}}}
	if err := m.Close(run); err != nil {
		t.Fatal(err)
	}
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		of   measure
		want float64
	}{{tail, 5}, {loss, 0.5}, {again, 0.3}, {twice, 0.06}, {signals, 0.25}, {peak, 19}, {plateau, 18.5}, {used, 0.5},
		{mean, 2}, {hosts, 0.75}, {tailOf("urgent"), 7}, {missed("urgent"), 0.3}} {
		if got, err := c.of.of(rec); err != nil || got != c.want {
			t.Errorf("%s: %g, %v, want %g", c.of.name, got, err, c.want)
		}
	}
	for _, of := range []measure{tailOf("other"), missed("other"), tailOf("batch")} {
		if _, err := of.of(rec); err == nil {
			t.Errorf("%s: no error", of.name)
		}
	}
}
