package study

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
)

const sized = "name: t\nengine: packet\nduration: 1ms\nmeasure: {delay: instances}\n" +
	"workload: [{cbr: {flows: 3, rate: 1Mpps}}, {model: {name: sizes, file: sizes.txt, rate: 100000, flow_rate: " +
	"1Mpps}}]"

// change changes what run.json of a record says.
func change(do func(*results.Run)) func(t *testing.T, in, rec string) {
	return func(t *testing.T, _, rec string) {
		t.Helper()
		path := filepath.Join(rec, "run.json")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var r results.Run
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		do(&r)
		if b, err = json.MarshalIndent(r, "", "  "); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// A record stands for a run only if it is a whole and right one of this very work: whatever is off, the run is run
// again, and what comes of it is right again.
func TestOnlyThisVeryWorkIsFinished(t *testing.T) {
	spoil := func(name string) func(t *testing.T, in, rec string) {
		return func(t *testing.T, _, rec string) {
			t.Helper()
			path := filepath.Join(rec, name)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)/2] ^= 1
			if err := os.WriteFile(path, b, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, do := range map[string]func(t *testing.T, in, rec string){
		"another version":     change(func(r *results.Run) { r.Version = "another" }),
		"another seed":        change(func(r *results.Run) { r.Seed++ }),
		"another name":        change(func(r *results.Run) { r.Name = "u" }),
		"another plant":       change(func(r *results.Run) { r.Plant = "hw" }),
		"another engine":      change(func(r *results.Run) { r.Engine = "fluid" }),
		"another scenario":    change(func(r *results.Run) { r.Scenario.(map[string]any)["duration"] = "2ms" }),
		"incomplete":          change(func(r *results.Run) { r.Complete = false }),
		"an error":            change(func(r *results.Run) { r.Error = "the disk was full" }),
		"not conserved":       change(func(r *results.Run) { r.Conservation.Holds = false }),
		"conservation unseen": change(func(r *results.Run) { r.Conservation.Checked = 0 }),
		"Little's law broken": change(func(r *results.Run) { r.Little.Holds = false }),
		"no Little's law":     change(func(r *results.Run) { r.Little = nil }),
		"no input's digest":   change(func(r *results.Run) { r.Inputs = nil }),
		"an older format":     change(func(r *results.Run) { r.Format, r.Log = 1, nil }),
		"no table's checksum": change(func(r *results.Run) { delete(r.Tables, "flows.parquet") }),
		"killed":              change(func(r *results.Run) { r.Tables, r.Log = nil, nil }),
		"windows changed":     spoil("windows.parquet"),
		"instances changed":   spoil("instances.parquet"),
		"flows changed":       spoil("flows.parquet"),
		"delays changed":      spoil("latency.parquet"),
		"histograms changed":  spoil("histogram.parquet"),
		"the log changed":     spoil("events.jsonl"),
		"an input changed": func(t *testing.T, in, _ string) {
			if err := os.WriteFile(in, []byte("1000 0\n9000 100\n\n"), 0o666); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			in := filepath.Join(root, "sizes.txt")
			if err := os.WriteFile(in, []byte("1000 0\n9000 100\n"), 0o666); err != nil {
				t.Fatal(err)
			}
			st, err := scenarios.Parse("t.yaml", []byte(sized), root, nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(root, "study")
			for _, want := range []Outcome{{Runs: 1, Done: 1}, {Runs: 1, Skipped: 1}, {Runs: 1, Done: 1},
				{Runs: 1, Skipped: 1}} {
				out, err := All(context.Background(), st, dir, AllOptions{Version: "v", Jobs: 1})
				if err != nil || out != want {
					t.Fatalf("outcome %+v, %v; want %+v", out, err, want)
				}
				if want.Skipped == 1 && do != nil {
					do(t, in, filepath.Join(dir, "t"))
					do = nil
				}
			}
		})
	}
}

// A run that breaks a law fails, and fails again: its record, which is there and complete, does not stand for it. Once
// the fault is mended, the run is run again.
func TestAFailedRunFailsAgain(t *testing.T) {
	for name, c := range map[string]struct {
		around func(*packet.Engine) sim.DataPlane
		want   string
	}{
		"not conserved":       {func(e *packet.Engine) sim.DataPlane { return leaky{e} }, "packets are not conserved"},
		"Little's law broken": {func(e *packet.Engine) sim.DataPlane { return wrong{e} }, "Little's law does not hold"},
	} {
		t.Run(name, func(t *testing.T) {
			st, err := scenarios.Parse("t.yaml",
				[]byte("name: t\nengine: packet\nduration: 1ms\nmeasure: {delay: instances}\nworkload: [{cbr: "+
					"{flows: 3, rate: 1Mpps}}]"), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "study")
			restore := replaceEngine(t, c.around)
			for range 2 {
				out, err := All(context.Background(), st, dir, AllOptions{Version: "v", Jobs: 1})
				if err == nil || out != (Outcome{Runs: 1, Failed: 1}) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("outcome %+v, %v; want a run that failed with %q", out, err, c.want)
				}
				if rec, err := results.Open(filepath.Join(dir, "t")); err != nil || !rec.Run.Complete {
					t.Errorf("the record: error %v, want one that is complete", err)
				}
			}
			restore()
			for _, want := range []Outcome{{Runs: 1, Done: 1}, {Runs: 1, Skipped: 1}} {
				if out, err := All(context.Background(), st, dir, AllOptions{Version: "v", Jobs: 1}); err != nil ||
					out != want {
					t.Errorf("outcome %+v, %v; want %+v", out, err, want)
				}
			}
		})
	}
}

// Hardware measures no delays: where the scenario asks for them, a replay is finished without.
func TestAReplayIsFinishedWithoutDelays(t *testing.T) {
	sc := only(t, "name: t\nengine: packet\nduration: 1ms\nmeasure: {delay: instances}\nworkload: [{cbr: {flows: 3, "+
		"rate: 1Mpps}}]", "")
	for plant, want := range map[string]bool{"hw": true, "sim": false} {
		dir := filepath.Join(t.TempDir(), "record")
		if _, err := One(context.Background(), sc, dir, Options{Version: "v"}); err != nil {
			t.Fatal(err)
		}
		change(func(r *results.Run) { r.Plant, r.Engine, r.Little = plant, "bed", nil })(t, "", dir)
		if got := (work{plant, "bed", "v", sc, nil}).finished(context.Background(), dir); got != want {
			t.Errorf("%s, without Little's law: finished is %v, want %v", plant, got, want)
		}
	}
}
