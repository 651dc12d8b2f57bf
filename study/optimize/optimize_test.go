package optimize

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// load reads a search from its text.
func load(t *testing.T, text string, o Overrides) *Search {
	t.Helper()
	path := filepath.Join(t.TempDir(), "search.yaml")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	s, err := Load(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// files are those of a search, by name, but for the rows.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		if e.Name() == study.RowsName {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func lines(t *testing.T, dir string) int {
	b, err := os.ReadFile(filepath.Join(dir, study.RowsName))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, []byte("\n")) - 1
}

const (
	one = `
name: one
scenario: fig9-best-fit
vary:
  scheduler.policy: [best-fit, worst-fit, {power-of-d: {d: 3}}]
  scheduler.policy.power-of-d.d: {from: 1, to: 8}
  scheduler.limit: {from: 2Mpps, to: 24Mpps, log: true}
  vnf.start_latency: {from: 0.1s, to: 2s}
where: [scheduler.limit > 2.2Mpps]
objectives: [{maximize: processed / instance_s}]
constraints: [loss <= 0.55]
budget: 60
seeds: 3
`
	several = `
name: several
scenario: fig9-best-fit
vary:
  scheduler.policy: [best-fit, worst-fit]
  scheduler.limit: {from: 2Mpps, to: 24Mpps}
  instances.max: {from: 1, to: 8}
objectives:
  - maximize: processed
  - minimize: instance_s
budget: 60
front: 5
`
)

// A search gives the same bytes on any number of cores. If it is ended anywhere and started again, the result is the
// same as well, and no run has been run twice.
func TestTheSameWhateverComesBetween(t *testing.T) {
	short := Overrides{Sets: []string{"duration=40s"}}
	for _, text := range []string{one, several} {
		want := t.TempDir()
		s := load(t, text, short)
		r, err := Run(t.Context(), s, want, Options{Version: "v", Jobs: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(s.Name, func(t *testing.T) {
			if n := lines(t, want); n != r.Runs+r.FreshRuns {
				t.Errorf("%d rows, want %d", n, r.Runs+r.FreshRuns)
			}
			for _, jobs := range []int{2, 7} {
				dir := t.TempDir()
				if _, err := Run(t.Context(), s, dir, Options{Version: "v", Jobs: jobs}); err != nil {
					t.Fatal(err)
				}
				if got := files(t, dir); fmt.Sprint(got) != fmt.Sprint(files(t, want)) {
					t.Errorf("%d jobs make a difference:\n%v\n%v", jobs, got, files(t, want))
				}
			}
			dir, ends := t.TempDir(), 0
			for step := 7; ; step += 13 {
				ctx, cancel := context.WithCancel(t.Context())
				_, err := Run(ctx, s, dir, Options{Version: "v", Jobs: 2, Progress: func(done float64) {
					if int(done) == step {
						cancel()
					}
				}})
				cancel()
				if err == nil {
					break
				}
				if !errors.Is(err, context.Canceled) ||
					!strings.Contains(err.Error(), "of at most 60 runs are finished") {
					t.Fatal(err)
				}
				if left := files(t, dir); len(left) > 0 {
					t.Errorf("an unfinished search leaves %v", left)
				}
				ends++
			}
			if ends < 3 {
				t.Errorf("ended %d times, want it often", ends)
			}
			if got := files(t, dir); fmt.Sprint(got) != fmt.Sprint(files(t, want)) {
				t.Errorf("going on makes a difference:\n%v\n%v", got, files(t, want))
			}
			if got, want := lines(t, dir), lines(t, want); got != want {
				t.Errorf("%d rows, want %d: none is run twice", got, want)
			}
		})
	}
}

// A key that the policy does not go by is named, whatever value the search came to.
func TestAKeyWithoutEffectIsNamed(t *testing.T) {
	s := load(t, `
name: inert
scenario: fig9-best-fit
vary:
  scheduler.limit: {from: 2Mpps, to: 24Mpps}
  autoscaler.above: {from: 2Mpps, to: 24Mpps}
objectives: [{maximize: processed}]
budget: 12
`, Overrides{Sets: []string{"duration=150s", "scheduler.policy=round-robin"}})
	r, err := Run(t.Context(), s, t.TempDir(), Options{Version: "v", Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(r.Inert) != "[scheduler.limit]" { // by which round-robin does not go
		t.Errorf("%v make no difference, want scheduler.limit", r.Inert)
	}
}

// What is written is a scenario that gives what the search said of it.
func TestTheBestIsAScenarioThatGivesItsValue(t *testing.T) {
	dir := t.TempDir()
	s := load(t, one, Overrides{Sets: []string{"duration=40s"}})
	r, err := Run(t.Context(), s, dir, Options{Version: "v", Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	st, err := scenarios.Load(r.Best[0].File, nil)
	if err != nil {
		t.Fatal(err)
	}
	recs, err := study.Memory(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	c, err := recs[0].Costs()
	if err != nil {
		t.Fatal(err)
	}
	got := recs[0].Run.Totals.Processed / c.InstanceTime
	// the scenario is deterministic under the policy that is best, or the first seed is among those of the mean
	if math.Abs(got-r.Best[0].Search[0]) > 1e-9*got {
		t.Errorf("%g, and the search said %g", got, r.Best[0].Search[0])
	}
	if sc := st.Runs[0].Scenario; sc.Name != "fig9-best-fit-best" || sc.Duration.Seconds() != 40 {
		t.Errorf("%s of %v", sc.Name, sc.Duration)
	}
}

// The scenario and the file that it names are elsewhere: what is written finds the file.
func TestTheBestFindsTheFilesOfItsScenario(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{
		"in/load.csv": "time,rate\n0,1000\n1,2000\n2,1000\n",
		"in/day.yaml": "name: day\nduration: 3s\n" +
			"workload: [{load: {file: load.csv, column: rate, step: 1s, scale: 1, flows: 4}}]\n",
		"s/search.yaml": "name: s\nscenario: ../in/day.yaml\nvary: {scheduler.limit: {from: 1kpps, to: 9kpps}}\n" +
			"objectives: [{minimize: loss}]\nbudget: 4\n",
	} {
		path := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(path), 0o777)
		if err := errors.Join(err, os.WriteFile(path, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Load(filepath.Join(root, "s/search.yaml"), Overrides{})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), s, filepath.Join(root, "out/s"), Options{Version: "v", Jobs: 1})
	if err != nil {
		t.Fatal(err)
	}
	st, err := scenarios.Load(r.Best[0].File, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Runs[0].Scenario.CheckFiles(); err != nil {
		t.Error(err)
	}
}

// Figure 9's load: within 1 % of the best of a grid, with a twentieth of its runs, those under fresh seeds included.
// The grid is exhaustive; what is counted is runs. For the packets that are processed that holds under every seed.
// Where instances cost, the best lies in a hundredth of the grid, on one of few stairs: one seed in five may end a
// stair too low, which is less than 4 %. docs/studies.md has more seeds and more grids.
func TestATwentiethOfAGrid(t *testing.T) {
	const (
		policies = 3
		steps    = 22
		grid     = policies * steps * steps
	)
	if testing.Short() {
		t.Skip("runs a grid of 1452")
	}
	objectives := []string{"processed", "processed / instance_s", "processed - 2e6 * instance_s"}
	misses := []int{0, 1, 1} // at most, of five
	best := make([]float64, len(objectives))
	for i := range best {
		best[i] = math.Inf(-1)
	}
	st, err := scenarios.Parse("grid.yaml", []byte(fmt.Sprintf(`
sweep:
  base: fig9-best-fit
  matrix:
    scheduler.policy: [round-robin, best-fit, worst-fit]
    scheduler.limit: {from: 2Mpps, to: 23Mpps, steps: %d}
    autoscaler.above: {from: 2Mpps, to: 23Mpps, steps: %d}
  keep: none
`, steps, steps)), ".", nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := study.NewEvaluator(t.TempDir(), "v", 2)
	if err != nil {
		t.Fatal(err)
	}
	rows, errs := e.Evaluate(t.Context(), st.Runs, nil)
	if err := errors.Join(append(errs, e.Close())...); err != nil {
		t.Fatal(err)
	}
	if len(rows) != grid {
		t.Fatalf("%d runs", len(rows))
	}
	for i, text := range objectives {
		of, m := parseExpression(text)
		if m != nil {
			t.Fatal(m)
		}
		for _, row := range rows {
			best[i] = max(best[i], of.of(row))
		}
		for seed := uint64(1); seed <= 5; seed++ {
			s := load(t, `
name: fig9
scenario: fig9-best-fit
vary:
  scheduler.policy: [round-robin, best-fit, worst-fit]
  scheduler.limit: {from: 2Mpps, to: 23Mpps}
  autoscaler.above: {from: 2Mpps, to: 23Mpps}
objectives: [{maximize: "`+text+`"}]
budget: 63
`, Overrides{Seed: &seed})
			r, err := Run(t.Context(), s, t.TempDir(), Options{Version: "v", Jobs: 2})
			if err != nil {
				t.Fatal(err)
			}
			if runs := r.Runs + r.FreshRuns; runs > grid/20 {
				t.Errorf("%s, seed %d: %d runs, want at most %d", text, seed, runs, grid/20)
			}
			found := r.Best[0].Fresh[0].Mean
			t.Logf("%s, seed %d: %g of the grid's %g, %+.2f %%", text, seed, found, best[i],
				100*(found/best[i]-1))
			if found < 0.96*best[i] {
				t.Errorf("%s, seed %d: %g, and the best of the grid is %g", text, seed, found, best[i])
			}
			if found < 0.99*best[i] {
				misses[i]--
			}
		}
		if misses[i] < 0 {
			t.Errorf("%s: more seeds than were allowed are more than 1 %% off", text)
		}
	}
}

// A random scenario is run under seeds 5 and 6 by the search, and what it found under 7, 8 and 9.
func TestFreshSeedsAreOthers(t *testing.T) {
	dir := t.TempDir()
	scenario := filepath.Join(dir, "random.yaml")
	if err := os.WriteFile(scenario, []byte(`
name: random
seed: 5
engine: packet
duration: 5ms
instances: {initial: 1, min: 1, max: 2}
vnf: {contention: {model: constant, service_time: 1us}}
workload: [{cbr: {flows: 3, rate: 1Mpps, arrivals: poisson}}]
`), 0o666); err != nil {
		t.Fatal(err)
	}
	s := load(t, "name: s\nscenario: "+scenario+"\nvary: {vnf.buffer: {from: 8, to: 64}}\n"+
		"objectives: [{minimize: loss}]\nbudget: 12\nseeds: 2\nfresh: 3\n", Overrides{})
	out := filepath.Join(dir, "out")
	r, err := Run(t.Context(), s, out, Options{Version: "v", Jobs: 2})
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(out, study.RowsName))
	if err != nil {
		t.Fatal(err)
	}
	for _, seed := range []int{7, 8, 9} {
		if n := strings.Count(string(b), fmt.Sprintf("-seed=%d\"", seed)); n != 1 {
			t.Errorf("%d runs under the fresh seed %d, want 1", n, seed)
		}
	}
	if n := strings.Count(string(b), "-seed=6\""); n < 2 || 2*n > r.Runs {
		t.Errorf("%d of %d runs under the second seed, want as many as under the first", n, r.Runs)
	}
	f := r.Best[0]
	if r.Deterministic || f.Fresh[0].Mean == f.Search[0] || !(f.Fresh[0].Low < f.Fresh[0].Mean) {
		t.Errorf("deterministic %v, search %v, fresh %v", r.Deterministic, f.Search, f.Fresh)
	}
}
