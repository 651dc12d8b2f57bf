package results

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

var update = flag.Bool("update", false, "write the golden files anew")

// small is a run with something awkward in every table.
func small(t *testing.T, rec Recorder) {
	t.Helper()
	rec.Event(0, &orchestrator.Event{Kind: orchestrator.Start})
	rec.Decided(&orchestrator.Decision{At: units.Second / 2, Kind: "schedule", Policy: "best-fit", Flow: 0, Instance: 2,
		Reason:     `fullest, that "fits"`,
		Candidates: []orchestrator.Candidate{{Instance: 1, Score: 1.25e7}, {Instance: 2, Score: 0.5, Fits: true}}})
	rec.Decided(&orchestrator.Decision{At: units.Second, Kind: "recommend", Policy: "target-utilization", Flow: -1,
		Current: 2, Desired: 3})
	rec.Decided(&orchestrator.Decision{At: units.Second, Kind: "clamp", Flow: -1, Current: 2, Desired: 2,
		Reason: "at most 2"})
	err := rec.Window(&Window{T: 1, Offered: 3e7, Ingress: 3e7, Processed: 2.5e7, Dropped: 5e6 - 1000,
		ProcessedBits: 1.28e10, Instances: 2, Used: 1, Flows: 1, DroppedInstance: 5e6 - 1000, Queued: 1000},
		[]Instance{{T: 1, Instance: 1, State: "ready", Utilization: math.NaN()},
			{T: 1, Instance: 2, State: "ready", Flows: 1, Offered: 3e7, Processed: 2.5e7, Dropped: 5e6 - 1000,
				Queue: 1000, Utilization: 1}})
	if err != nil {
		t.Fatal(err)
	}
	// A second in which something is lost for every cause.
	err = rec.Window(&Window{T: 2, Offered: 100, Ingress: 90, Processed: 1058, Dropped: 42, SlowPath: 20, Reordered: 7,
		Instances: 2, Flows: 1,
		DroppedInstance: 32, DroppedESwitch: 1, DroppedSlowPath: 2, DroppedLink: 3, DroppedRejected: 4},
		[]Instance{{T: 2, Instance: 1, State: "ready"},
			{T: 2, Instance: 2, State: "failed", Offered: 90, Processed: 1058, Dropped: 32}})
	if err != nil {
		t.Fatal(err)
	}
	rec.Flow(&Flow{Flow: 1, Src: "10.0.0.9", Dst: "10.0.0.2", SrcPort: 1, DstPort: 2, Proto: 6, Start: 1, End: 2,
		Instance: 1, Moves: 3, Offered: 5, Processed: 5})
	rec.Flow(&Flow{Src: "2001:db8::1", Dst: "10.0.0.2", SrcPort: 1024, DstPort: 53, Proto: 17, Start: 80645e-12, End: 1,
		Instance: 2, Offered: 3e7, Processed: 2.5e7, Dropped: 5e6 - 1000, Reordered: 0.25, Queued: 1000})
	for _, scope := range []Latency{{Scope: "run"}, {Scope: "instance", Number: 2}, {Scope: "flow"}} {
		l := Latency{Scope: scope.Scope, Number: scope.Number, Kind: "sojourn", Count: 2.5e7, Mean: 1.0 / 3, P50: 1,
			P90: 300, P99: 300, P999: 300, Max: 300}
		rec.Latency(&l, []Bucket{
			{Scope: l.Scope, Number: l.Number, Kind: l.Kind, Count: 2e7},
			{Scope: l.Scope, Number: l.Number, Kind: l.Kind, Low: 256, High: 300, Count: 5e6}})
	}
	if err := rec.Close(&Run{Name: "small", Complete: true, Scenario: fig9().Scenario,
		Policy: &Counts{Name: "rss++", Placed: 5, Held: 3, Refused: 2, Moved: 7,
			Reasons:  []scheduler.Count{{Name: `fullest, that "fits"`, N: 10}, {Name: "none"}},
			Counters: []scheduler.Count{{Name: "tables built", N: 1}},
			Scaling: &policy.ScalingCounts{Name: "keda", Evaluations: 9, Out: 2, In: 1,
				Counters: []policy.Count{{Name: "tables built", N: 4}}}},
		Totals: Totals{Offered: 3e7, Processed: 2.5e7, Dropped: Drops{Instance: 5e6 - 1000},
			Queued: 1000}}); err != nil {
		t.Fatal(err)
	}
}

func TestExport(t *testing.T) {
	m := NewMemory()
	small(t, m)
	mem, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	small(t, create(t, dir, Options{Overwrite: true}))
	disk := open(t, dir)
	for _, table := range Tables() {
		disk, mem := disk, mem
		if table == "nodes" {
			disk, mem = rackedOnDisk(t), racked(t)
		}
		for _, format := range Formats() {
			name := table + "." + format
			var a, b bytes.Buffer
			if err := Export(&a, disk, table, format); err != nil {
				t.Fatal(err)
			}
			if err := Export(&b, mem, table, format); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(a.String(), b.String()); d != "" {
				t.Errorf("%s from disk and from memory: %s", name, d)
			}
			golden := filepath.Join("testdata", name)
			if *update {
				if err := os.MkdirAll("testdata", 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(golden, a.Bytes(), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), a.String()); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
}

func TestExportedColumns(t *testing.T) {
	for table, want := range map[string]string{
		"windows": "t_s,offered_pps,ingress_pps,processed_pps,dropped_pps,slowpath_pps,processed_bps," +
			"instances,instances_used,flows,reordered,",
		"instances": "t_s,instance,state,flows,offered_pps,processed_pps,dropped_pps,queue,utilization\n",
		"latency":   "scope,number,kind,count,mean_ps,p50_ps,p90_ps,p99_ps,p999_ps,max_ps\n",
		"histogram": "scope,number,kind,low_ps,high_ps,count\n",
		"flows":     "flow,src,dst,sport,dport,proto,start_s,end_s,instance,moves,offered,processed,dropped,reordered,",
	} {
		var b bytes.Buffer
		m := NewMemory()
		small(t, m)
		rec, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		if err := Export(&b, rec, table, "csv"); err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(b.String(), want) {
			t.Errorf("%s: columns %s, want %s", table, b.String(), want)
		}
	}
}

// Standard readers understand what is written, rows or none.
func TestExportsParse(t *testing.T) {
	for _, windows := range []int{0, 40} {
		rec := inMemory(t, windows)
		for _, table := range Tables() {
			rec := rec
			if table == "nodes" {
				rec = racked(t)
			}
			if table == "latency" || table == "histogram" || table == "policy" {
				m := NewMemory()
				small(t, m)
				var err error
				if rec, err = m.Record(); err != nil {
					t.Fatal(err)
				}
			}
			var c, j bytes.Buffer
			if err := Export(&c, rec, table, "csv"); err != nil {
				t.Fatal(err)
			}
			if err := Export(&j, rec, table, "json"); err != nil {
				t.Fatal(err)
			}
			lines, err := csv.NewReader(&c).ReadAll()
			if err != nil {
				t.Errorf("%s: %v", table, err)
			}
			var objects []map[string]any
			if err := json.Unmarshal(j.Bytes(), &objects); err != nil {
				t.Errorf("%s: %v", table, err)
			}
			if len(lines) != len(objects)+1 {
				t.Errorf("%s: %d lines of CSV with the head, %d objects", table, len(lines), len(objects))
			}
			for _, o := range objects {
				if len(o) != len(lines[0]) {
					t.Fatalf("%s: %d keys, %d columns", table, len(o), len(lines[0]))
				}
			}
		}
	}
}

func TestExportErrors(t *testing.T) {
	rec := inMemory(t, 1)
	if err := Export(new(bytes.Buffer), rec, "window", "csv"); err == nil ||
		err.Error() != `table is "window", want one of windows, instances, flows, latency, histogram, `+
			`nodes, decisions, policy, costs, reasons` {
		t.Error(err)
	}
	if err := Export(new(bytes.Buffer), rec, "windows", "xml"); err == nil ||
		err.Error() != `format is "xml", want one of csv, json` {
		t.Error(err)
	}
	if err := Export(new(bytes.Buffer), rec, "nodes", "csv"); !errors.Is(err, ErrNoNodes) {
		t.Errorf("nodes of one NIC: %v", err)
	}
	for _, table := range []string{"latency", "histogram"} {
		var b bytes.Buffer
		if err := Export(&b, rec, table, "csv"); !errors.Is(err, ErrNoDelays) || b.Len() > 0 {
			t.Errorf("%s of a run without delays: %v, %q", table, err, b.String())
		}
	}
	var b bytes.Buffer
	if err := Export(&b, rec, "policy", "csv"); !errors.Is(err, ErrNoCounts) || b.Len() > 0 {
		t.Errorf("counts of a run without them: %v, %q", err, b.String())
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "closed"))
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := Export(f, rec, "windows", "csv"); err == nil || !strings.Contains(err.Error(), "exporting windows") {
		t.Errorf("writing to a closed file: %v", err)
	}
}
