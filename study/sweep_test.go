package study

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
)

// random is a scenario in which the seed changes what comes out.
const random = "name: t\nengine: packet\nduration: 5ms\ninstances: {initial: 1, min: 1, max: 8}\n" +
	"vnf: {contention: {model: constant, service_time: 1us}}\n" +
	"workload: [{cbr: {flows: 3, rate: 1Mpps, arrivals: poisson}}]\n"

func parse(t *testing.T, text string) *scenarios.Study {
	t.Helper()
	st, err := scenarios.Parse("t.yaml", []byte(text), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func all(t *testing.T, st *scenarios.Study, dir string, o AllOptions) Outcome {
	t.Helper()
	o.Version, o.Jobs = "v", max(o.Jobs, 2)
	out, err := All(context.Background(), st, dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tablesOf are the bytes of both tables.
func tablesOf(t *testing.T, dir string) (both []byte) {
	t.Helper()
	for _, name := range []string{SummaryName, TableName} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		both = append(both, b...)
	}
	return both
}

// However a study is run - on one job or several, with records or without, whole, or in any number of shards in any
// order - the tables are the same to the byte. So they are when it is resumed, and a second time.
func TestTheTablesAreTheSameHoweverAStudyIsRun(t *testing.T) {
	for name, sweep := range map[string]string{
		"seeds": "sweep: {matrix: {scheduler.policy: [best-fit, worst-fit], instances.max: [2, 4]}, seeds: 2, keep: ",
		"replicas": "sweep: {matrix: {scheduler.policy: [best-fit, worst-fit]}, replicas: {min: 2, max: 9, until: " +
			"{metric: offered, relative: 0.012}}, keep: ",
	} {
		t.Run(name, func(t *testing.T) {
			keep := func(what string) *scenarios.Study { return parse(t, random+sweep+what+"}\n") }
			one := filepath.Join(t.TempDir(), "one")
			whole := all(t, keep("all"), one, AllOptions{Jobs: 1})
			want := tablesOf(t, one)
			if whole.Done+whole.Spared != whole.Runs ||
				name == "replicas" && (whole.Spared == 0 || whole.Spared == 14) { // neither all nor the least
				t.Errorf("%+v", whole)
			}
			for _, what := range []string{"all", "failed", "none"} {
				st, dir := keep(what), filepath.Join(t.TempDir(), "study")
				for range 2 {
					out := all(t, st, dir, AllOptions{Jobs: 3})
					if !bytes.Equal(tablesOf(t, dir), want) {
						t.Errorf("keep %s: other tables: %+v", what, out)
					}
				}
				if out := all(t, st, dir, AllOptions{}); out.Done != 0 || out.Skipped != whole.Done {
					t.Errorf("keep %s: %+v after the study was finished", what, out)
				}
				if found, _ := results.Find(dir); what != "all" && len(found) != 0 {
					t.Errorf("keep %s leaves %v", what, found)
				}
				for _, n := range map[string][]int{"all": {3}, "failed": {2}, "none": {1, 3, 20}}[what] {
					dir := filepath.Join(t.TempDir(), "shards")
					for i := range n {
						if i == n-1 { // the last one is missing
							_, err := Merge(context.Background(), st, dir, "v", n, 2)
							if !errors.Is(err, ErrMissing) && i > 0 && n <= len(unitsOf(st)) ||
								err != nil && i > 0 && !strings.Contains(err.Error(), fmt.Sprintf("=%d of %d", n, n)) {
								t.Errorf("%d shards of %d: %v", i, n, err)
							}
							if _, err := os.Stat(filepath.Join(dir, SummaryName)); err == nil && n <= len(unitsOf(st)) {
								t.Error("merge wrote a table without all runs")
							}
						}
						all(t, st, dir, AllOptions{Shard: Shard{i + 1, n}})
					}
					for range 2 {
						status, err := Merge(context.Background(), st, dir, "v", n, 2)
						if err != nil || !bytes.Equal(tablesOf(t, dir), want) {
							t.Errorf("keep %s in %d shards: other tables: %+v, %v", what, n, status, err)
						}
					}
				}
			}
		})
	}
}

// A row counts if it is whole and of just this work: another version or scenario, or a damaged line, is run again.
func TestARowIsOfJustThisWork(t *testing.T) {
	st := parse(t, random+"sweep: {seeds: 3, keep: none}\n")
	dir := filepath.Join(t.TempDir(), "study")
	all(t, st, dir, AllOptions{})
	want := tablesOf(t, dir)
	path := filepath.Join(dir, RowsName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := func(b []byte) int { return bytes.LastIndexByte(b[:len(b)-1], '\n') + 1 }
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		done   int
	}{
		"nothing":          {func(b []byte) []byte { return b }, 0},
		"a line cut off":   {func(b []byte) []byte { return b[:len(b)-5] }, 1},
		"a line gone":      {func(b []byte) []byte { return b[:last(b)] }, 1},
		"all but the head": {func(b []byte) []byte { return b[:bytes.IndexByte(b, '\n')+1] }, 3},
		"the head cut off": {func(b []byte) []byte { return b[:5] }, 3},
		"a digit": {func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"offered":1`), []byte(`"offered":2`), 1)
		}, 1},
		"a line twice":      {func(b []byte) []byte { return append(b, b[last(b):]...) }, 0},
		"binary in between": {func(b []byte) []byte { return append(b, "\x00\xff\n"...) }, 0},
	} {
		if err := os.WriteFile(path, c.change(slices.Clone(whole)), 0o666); err != nil {
			t.Fatal(err)
		}
		if out := all(t, st, dir, AllOptions{}); out.Done != c.done || out.Skipped != 3-c.done {
			t.Errorf("%s: %+v, want %d done", name, out, c.done)
		}
		if !bytes.Equal(tablesOf(t, dir), want) {
			t.Errorf("%s: other tables", name)
		}
	}
	if out, err := All(context.Background(), st, dir, AllOptions{Version: "w", Jobs: 1}); err != nil || out.Done != 3 {
		t.Errorf("another version: %+v, %v", out, err)
	}
	other := parse(t, random+"telemetry: {window: 2ms}\nsweep: {seeds: 3, keep: none}\n")
	if out := all(t, other, dir, AllOptions{}); out.Done != 3 {
		t.Errorf("another scenario: %+v", out)
	}
	if err := os.WriteFile(path, []byte("somebody else's\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := All(context.Background(), st, dir, AllOptions{Version: "v", Jobs: 1}); !errors.Is(err, ErrRefused) {
		t.Errorf("somebody else's file: %v", err)
	}
}

// With keep: failed, a run that breaks a law leaves its record and no row; with keep: none it leaves neither. Both
// fail again, and are missing for a merge.
func TestAFailedRunWithoutRecords(t *testing.T) {
	for _, keep := range []string{"failed", "none"} {
		st := parse(t, random+"sweep: {seeds: 2, keep: "+keep+"}\n")
		dir := filepath.Join(t.TempDir(), "study")
		restore := replaceEngine(t, func(e *packet.Engine) sim.DataPlane { return leaky{e} })
		for range 2 {
			out, err := All(context.Background(), st, dir, AllOptions{Version: "v", Jobs: 2})
			if err == nil || out != (Outcome{Runs: 2, Failed: 2}) ||
				!strings.Contains(err.Error(), "packets are not conserved") {
				t.Errorf("keep %s: %+v, %v", keep, out, err)
			}
		}
		found, _ := results.Find(dir)
		if want := map[string]int{"failed": 2, "none": 0}[keep]; len(found) != want {
			t.Errorf("keep %s leaves %v", keep, found)
		}
		status, err := Look(context.Background(), st, dir, "v", 2, 2)
		if err != nil || len(status.Failed) != len(found) || status.Array() != "1-2" {
			t.Errorf("keep %s: %+v, %v", keep, status, err)
		}
		if _, err := Merge(context.Background(), st, dir, "v", 2, 2); len(found) > 0 && !errors.Is(err, ErrMissing) {
			t.Errorf("keep %s: merged with %v", keep, err)
		}
		restore()
		if out := all(t, st, dir, AllOptions{}); out.Done != 2 {
			t.Errorf("keep %s, mended: %+v", keep, out)
		}
	}
}

// The table has what the summary has, with types.
func TestTheTableIsTheSummaryWithTypes(t *testing.T) {
	st := parse(t, random+"sweep: {matrix: {scheduler.policy: [best-fit, {maglev: {table: 251}}, "+
		"{maglev: {table: 509}}], scheduler.limit: [500kpps, 1Mpps], telemetry.window: [1ms], nic: [ideal]}, "+
		"seeds: 2, keep: none}\n")
	dir := filepath.Join(t.TempDir(), "study")
	all(t, st, dir, AllOptions{})
	text, err := readSummary(filepath.Join(dir, SummaryName))
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, TableName))
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	kinds := map[string]parquet.Kind{}
	for _, f := range file.Schema().Fields() {
		names, kinds[f.Name()] = append(names, f.Name()), f.Type().Kind()
	}
	want := append(append([]string{"run"}, text.axes...), text.names...)
	if !slices.Equal(names, want) {
		t.Errorf("columns %v, want %v", names, want)
	}
	for name, want := range map[string]parquet.Kind{"run": parquet.ByteArray, "seed": parquet.Int64,
		"scheduler.limit": parquet.Double, "telemetry.window": parquet.Double, "nic": parquet.ByteArray,
		"scheduler.policy": parquet.ByteArray, "complete": parquet.Boolean, "processed": parquet.Double,
		"flows": parquet.Int64} {
		if kinds[name] != want {
			t.Errorf("%s is %v, want %v", name, kinds[name], want)
		}
	}
	rows := parquet.NewReader(bytes.NewReader(b))
	for i, line := range text.rows {
		row := map[string]any{}
		if err := rows.Read(&row); err != nil {
			t.Fatal(err)
		}
		limit := []float64{5e5, 1e6}[i/2%2]
		if row["scheduler.limit"] != limit || row["telemetry.window"] != 0.001 {
			t.Errorf("row %d: limit %v and window %v", i, row["scheduler.limit"], row["telemetry.window"])
		}
		// Two tables of Maglev have one name, so the policy is the text.
		for _, name := range append([]string{"run", "scheduler.policy", "nic", "seed"}, text.names...) {
			got := row[name]
			if b, ok := got.([]byte); ok {
				got = string(b)
			}
			if cell(got) != line[text.index[name]] {
				t.Errorf("row %d: %s is %v, the summary has %s", i, name, got, line[text.index[name]])
			}
		}
	}
}

// Another run is wanted until half of the interval is at most the share of the mean, and never above the most. Values
// that are all equal want no more than the least number.
func TestReplicasEndWhenTheMeanIsKnown(t *testing.T) {
	st := parse(t, random+"sweep: {matrix: {instances.max: [1, 2]}, replicas: {min: 3, max: 6, "+
		"until: {metric: dropped, relative: 0.1}}, keep: none}\n")
	lost := func(x float64) *results.Run {
		return &results.Run{Totals: results.Totals{Dropped: results.Drops{Link: x}}}
	}
	for name, c := range map[string]struct {
		dropped []float64
		want    int
	}{
		"equal":      {[]float64{5, 5, 5, 5, 5, 5}, 3},
		"far apart":  {[]float64{1, 9, 1, 9, 1, 9}, 6},
		"close":      {[]float64{100, 101, 102, 1, 1, 1}, 3},
		"closer yet": {[]float64{100, 90, 110, 100, 100, 100}, 5}, // half widths 24.8, 13.0, 8.8
		"zero mean":  {[]float64{-1, 1, 0, 1, -1, 0}, 6},
	} {
		rows := make([]*results.Run, len(st.Runs))
		n := 0
		for i := 6; i < 12; i++ { // the second combination
			if needed(st, rows, i) {
				rows[i] = lost(c.dropped[i-6])
				n++
			}
		}
		if n != c.want {
			t.Errorf("%s: %d runs, want %d", name, n, c.want)
		}
	}
	// Replicas that an earlier, stricter rule wanted are not in the tables of a later one.
	const replicas = random + "sweep: {matrix: {instances.max: [1, 2]}, replicas: {min: 2, max: 5, until: " +
		"{metric: offered, relative: "
	dir, fresh := filepath.Join(t.TempDir(), "study"), filepath.Join(t.TempDir(), "fresh")
	if out := all(t, parse(t, replicas+"0.0001}}, keep: none}\n"), dir, AllOptions{}); out.Done != 10 {
		t.Errorf("%+v, want all ten", out)
	}
	loose := parse(t, replicas+"1}}, keep: none}\n")
	all(t, loose, fresh, AllOptions{})
	status, err := Merge(context.Background(), loose, dir, "v", 2, 2)
	if err != nil || status.Finished != 4 || status.Spared != 6 || !bytes.Equal(tablesOf(t, dir), tablesOf(t, fresh)) {
		t.Errorf("%+v, %v; want four in the tables", status, err)
	}
	bad := parse(t, random+"sweep: {replicas: {max: 3, until: {metric: complete}}}\n")
	if _, err := All(context.Background(), bad, t.TempDir(), AllOptions{Jobs: 1}); !errors.Is(err, ErrRefused) ||
		!strings.Contains(err.Error(), "sweep.replicas.until.metric is complete: want one of offered, processed,") {
		t.Errorf("%v", err)
	}
}

// What is expected of a run that was not measured is exact where each coordinate multiplies, as it is where nothing is
// known but the length.
func TestExpect(t *testing.T) {
	st := parse(t, random+"sweep: {matrix: {instances.max: [1, 2, 3], vnf.buffer: [8, 16]}}\n")
	measured := []float64{1, 10, 3, 30, 5, 0}
	if got := expect(st, measured); math.Abs(got[0]-1) > 1e-12 || got[5] < 5 {
		t.Errorf("%v", got)
	}
	balanced := expect(parse(t, random+"sweep: {matrix: {instances.max: [1, 2], vnf.buffer: [8, 16], seed: [1, 2]}}\n"),
		[]float64{1, 0, 0, 10, 0, 2, 20, 0})
	for i, want := range []float64{1, 1, 10, 10, 2, 2, 20, 20} {
		if math.Abs(balanced[i]-want) > 0.5*want {
			t.Errorf("run %d: %v, want about %v of %v", i, balanced[i], want, balanced)
		}
	}
	st.Runs[3].Scenario.Duration *= 2
	if got := expect(st, make([]float64, 6)); got[3] <= got[0] || got[0] != got[5] {
		t.Errorf("%v", got)
	}
	s := &sweep{st: st, dir: t.TempDir()}
	todo := unitsOf(st)
	s.longestFirst(todo)
	if fmt.Sprint(todo) != "[[3] [0] [1] [2] [4] [5]]" {
		t.Errorf("the order is %v", todo)
	}
}

// The example of the documentation is a study: of three policies, five limits and two sizes, those that its conditions
// allow.
func TestTheExampleOfTheDocumentation(t *testing.T) {
	page, err := os.ReadFile("../docs/studies.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```yaml\n")
	text, _, _ = strings.Cut(text, "```")
	st := parse(t, text)
	if limits, rest := 3, 5; len(unitsOf(st)) != limits*rest || len(st.Runs) != limits*rest*50 {
		t.Errorf("%d combinations and %d runs", len(unitsOf(st)), len(st.Runs))
	}
}

func TestShards(t *testing.T) {
	for text, want := range map[string]Shard{"1/1": {1, 1}, "3/8": {3, 8}, "0/3": {}, "4/3": {}, "1": {}, "a/b": {},
		"1/": {}, "1/100001": {}, "-1/2": {}, "1/2/3": {}} {
		got, err := ParseShard(text)
		if got != want || (err == nil) != (want != Shard{}) {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for want, tasks := range map[string][]int{"": nil, "3": {3}, "1-3": {1, 2, 3}, "1,3-4,9": {1, 3, 4, 9}} {
		if got := ArrayOf(tasks); got != want {
			t.Errorf("%v: %s, want %s", tasks, got, want)
		}
	}
}

// A plan measures what it says, and leaves nothing.
func TestAPlanLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	st := parse(t, random+"sweep: {matrix: {instances.max: [1, 2, 3]}, seeds: 3}\n")
	dir := filepath.Join(t.TempDir(), "study")
	plan, err := Foresee(context.Background(), st, dir, "v", Tasks(st), 2, 4)
	if err != nil || plan.Measured != 4 || len(plan.Missing) != 9 || plan.Wall <= 0 || plan.Disk < 9*1000 ||
		plan.Left < plan.Wall || plan.Array() != "1-9" {
		t.Errorf("%+v, %v", plan, err)
	}
	for _, dir := range []string{dir, filepath.Join(os.Getenv("TMPDIR"), "smartinco-plan-*")} {
		if left, _ := filepath.Glob(dir); len(left) > 0 {
			t.Errorf("left %v", left)
		}
	}
	all(t, st, dir, AllOptions{})
	plan, err = Foresee(context.Background(), st, dir, "v", Tasks(st), 2, 4)
	if err != nil || plan.Measured != 0 || plan.Finished != 9 || plan.Left != 0 || plan.Bytes == 0 || plan.Spent <= 0 {
		t.Errorf("%+v, %v", plan, err)
	}
}

// FuzzRows reads any bytes as rows, and takes none that has not the right checksum.
func FuzzRows(f *testing.F) {
	f.Add([]byte(rowsHead))
	f.Add([]byte(rowsHead + `{"crc32c":"00000000","entry":{"run":"a","work":"b"}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), RowsName)
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		known := map[string]*entry{}
		if err := readRows(path, known); err != nil {
			t.Fatal(err)
		}
		before := len(known)
		file := &rowsFile{path: path}
		if err := errors.Join(file.add(&entry{Run: "r", Work: "digest"}), file.close()); err != nil {
			t.Fatal(err)
		}
		again := map[string]*entry{}
		if err := readRows(path, again); err != nil || again["digest"] == nil || len(again) > before+1 {
			t.Errorf("%d rows, then %d: %v", before, len(again), err)
		}
	})
}
