package plots

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var everyFormat = []string{".pdf", ".svg", ".png", ".tex"}

func saved(t *testing.T, f *Figure, name string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := f.Save(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func table(t *testing.T, f *Figure) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func drawn(t *testing.T, id string, ds []data, o Options) *Figure {
	t.Helper()
	f, err := drawFrom(id, ds, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func timeSeries(t *testing.T) *Figure {
	t.Helper()
	x := []float64{0, 1, 2, 3, 4}
	f, err := TimeSeries("A made-up trace", "Time (s)", "Load (Mpps)", Options{},
		Series{Name: "µ-burst load", X: x, Y: []float64{1, 3, 2, 5, 4}},
		Series{Name: "level", X: x, Y: []float64{2, 2, 3, 3, 3}, Step: true})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func overlaid(t *testing.T, a, b data) *Figure {
	t.Helper()
	f, err := overlay([]data{a, b}, [2]string{"A: simulated", "B: measured"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The unit fits the rates: a lab's are a thousandth of a card's.
func TestOverlayChoosesItsUnit(t *testing.T) {
	d := madeUp(t)["fig9"][0]
	for _, c := range []struct {
		scale float64
		want  string
	}{{1, "Throughput (Mpps)"}, {1e-3, "Throughput (kpps)"}, {1e-6, "Throughput (packets/s)"}} {
		small := d
		small.windows = slices.Clone(d.windows)
		for i := range small.windows {
			w := &small.windows[i]
			w.Processed *= c.scale
			w.Dropped *= c.scale
		}
		if got := table(t, overlaid(t, small, small)); !strings.Contains(got, c.want) {
			t.Errorf("times %g: no %s", c.scale, c.want)
		}
	}
	if _, err := overlay([]data{d, d}, [2]string{}, Options{Width: 99}); err == nil {
		t.Error("a figure of 99 inches is drawn")
	}
}

func everyFigure(t *testing.T) map[string]*Figure {
	fs := map[string]*Figure{"timeseries": timeSeries(t)}
	for id, ds := range madeUp(t) {
		fs[id] = drawn(t, id, ds, Options{Published: true})
		if id == "fig9" {
			fs["overlay"] = overlaid(t, ds[0], ds[2])
		}
	}
	return fs
}

// The font is the same in each file and nine tenths of it.
var embedded = regexp.MustCompile(`base64,[A-Za-z0-9+/=]+`)

func TestGolden(t *testing.T) {
	fs := everyFigure(t)
	for _, i := range Figures() {
		if fs[i.ID] == nil {
			t.Errorf("%s is in the table of figures and has no made-up records in madeUp, and so no golden file", i.ID)
		}
	}
	for id, f := range fs {
		for name, got := range map[string][]byte{
			id + ".svg": embedded.ReplaceAll(saved(t, f, id+".svg"), []byte("base64,FONT")),
			id + ".csv": []byte(table(t, f)),
		} {
			path := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s has changed: look at the figure, then renew it with -update", path)
			}
		}
	}
}

func TestSameRecordsGiveTheSameBytes(t *testing.T) {
	one, two := everyFigure(t), everyFigure(t)
	for id := range one {
		for _, ext := range everyFormat {
			if id != "fig7" && (ext == ".png" || ext == ".svg") {
				continue // rastering takes long under the race detector; SVG is compared with the golden files
			}
			if !bytes.Equal(saved(t, one[id], id+ext), saved(t, two[id], id+ext)) {
				t.Errorf("%s%s differs between two runs", id, ext)
			}
		}
	}
}

func TestOrderOfRecordsDoesNotMatter(t *testing.T) {
	for id, ds := range madeUp(t) {
		want := table(t, drawn(t, id, slices.Clone(ds), Options{}))
		slices.Reverse(ds)
		if got := table(t, drawn(t, id, ds, Options{})); got != want {
			t.Errorf("%s changes with the order of the records", id)
		}
	}
}

func TestSaveLeavesWholeFilesOnly(t *testing.T) {
	dir := t.TempDir()
	f := timeSeries(t)
	if err := f.Save(filepath.Join(dir, "a.svg")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "b.svg"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := f.Save(filepath.Join(dir, "b.svg")); err == nil {
		t.Error("a folder was replaced by a figure")
	}
	es, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range es {
		names = append(names, e.Name())
	}
	if want := []string{"a.csv", "a.svg", "b.svg"}; !slices.Equal(names, want) {
		t.Errorf("files are %v, want %v", names, want)
	}
}

func TestErrorsSayWhatIsWanted(t *testing.T) {
	m := madeUp(t)
	_, unknown := drawFrom("fig5", m["fig9"], Options{})
	_, empty := drawFrom("fig9", nil, Options{})
	_, single := drawFrom("fig9", m["fig6"], Options{})
	_, several := drawFrom("fig6", m["fig9"], Options{})
	_, scaled := drawFrom("fig7", m["fig9"], Options{})
	_, width := drawFrom("fig9", m["fig9"], Options{Width: 50})
	_, foreign := newData(results.Run{Name: "foreign"}, rows[results.Window](nil), rows[results.Instance](nil))
	_, windows := newData(results.Run{Name: "killed", Seed: 7, Scenario: m["fig9"][0].run.Scenario},
		rows[results.Window](nil), rows[results.Instance](nil))
	_, lengths := TimeSeries("", "", "", Options{}, Series{Name: "s", X: []float64{1}})
	_, finite := TimeSeries("", "", "", Options{}, Series{Name: "s", X: []float64{1}, Y: []float64{math.NaN()}})
	_, back := TimeSeries("", "", "", Options{}, Series{Name: "s", X: []float64{1, 0}, Y: []float64{1, 1}})
	_, nothing := TimeSeries("", "", "", Options{})
	for _, c := range []struct {
		err  error
		want string
	}{
		{unknown, `no figure "fig5": want one of fig6, fig7, fig8, fig9, fig10`},
		{timeSeries(t).Save("x.eps"), `x.eps: no format for the ending ".eps": want one of .pdf, .png, .svg, .tex`},
		{empty, "fig9: no record to draw from; it needs runs with more than one instance"},
		{single, "fig9: none of the 1 records fits: left out, a single instance: made-up (round-robin, 64 B"},
		{several, "it needs runs with a single instance (instances.max: 1)"},
		{scaled, "fig7: none of the 6 records fits: left out, the number of instances is not fixed"},
		{width, "width 50 in: want 2 to 20 in"},
		{foreign, "record foreign: foreign: scenario: found something else, expected a mapping"},
		{windows, "record killed (seed 7) holds no window"},
		{lengths, `series "s" has 1 values of x and 0 of y`},
		{finite, "point 0 is (1, NaN): want finite values"},
		{back, "x falls from 1 to 0"},
		{nothing, "no point to draw"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", c.err, c.want)
		}
	}
}

func TestMissingSchedulerIsNoted(t *testing.T) {
	ds := slices.DeleteFunc(madeUp(t)["fig9"], func(d data) bool { return d.scheduler == "best-fit" })
	for _, id := range []string{"fig8", "fig9"} {
		f := drawn(t, id, ds, Options{Published: true})
		if !slices.Contains(f.Notes, "no record with scheduler.policy: best-fit") {
			t.Errorf("%s: notes are %q", id, f.Notes)
		}
		if s := table(t, f); strings.Contains(s, "Best-Fit") || !strings.Contains(s, "Worst-Fit") {
			t.Errorf("%s does not show exactly the schedulers that are there", id)
		}
	}
}

func TestPublishedMarksAreOptional(t *testing.T) {
	for id, ds := range madeUp(t) {
		if strings.Contains(table(t, drawn(t, id, ds, Options{})), "published") {
			t.Errorf("%s shows published values unasked", id)
		}
	}
}

// Every figure is drawn from the pool of all records, as a user would who names all folders of a study.
func TestFiguresFindTheirRecords(t *testing.T) {
	m := madeUp(t)
	var all []data
	for _, id := range []string{"fig6", "fig7", "fig9"} {
		all = append(all, m[id]...)
	}
	for _, id := range []string{"fig6", "fig7", "fig9"} {
		want := slices.Clone(m[id])
		if id == "fig7" {
			want = append(want, m["fig6"]...)
		}
		got, alone := table(t, drawn(t, id, all, Options{})), table(t, drawn(t, id, want, Options{}))
		if id != "fig6" && got != alone {
			t.Errorf("%s drawn from all records is not %[1]s drawn from its own", id)
		}
	}
}

func TestBandIsTheRangeOfTheRuns(t *testing.T) {
	ds := madeUp(t)["fig9"]
	rows, err := csv.NewReader(strings.NewReader(table(t, drawn(t, "fig9", ds, Options{})))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, r := range rows {
		if r[0] != "(a) Throughput" || r[2] != "Best-Fit" {
			continue
		}
		var vs []float64
		for _, d := range ds {
			for _, w := range d.windows {
				if d.scheduler == "best-fit" && fmt.Sprint(w.T) == r[3] {
					vs = append(vs, w.Processed/mega)
				}
			}
		}
		mean := (vs[0] + vs[1]) / 2
		for i, want := range []float64{mean, slices.Min(vs), slices.Max(vs)} {
			if got := fmt.Sprintf("%.10g", want); r[4+i] != got {
				t.Errorf("at %s s: %s is %s, want %s", r[3], rows[0][4+i], r[4+i], got)
			}
		}
		n++
	}
	if n != len(ds[0].windows) {
		t.Errorf("%d points for %d windows", n, len(ds[0].windows))
	}
}

// The distribution is exact at the edges of buckets: half of the packets do not wait, a quarter waits up to the end of
// the first span, 901 ps and, with the other seed, 991 ps; between a band spans what the two say. Runs are told apart
// by what their scenarios set, in the order of its value, and a third column of panels shows delays before the
// instance.
func TestDelay(t *testing.T) {
	m := madeUp(t)
	f := drawn(t, "delay", append(slices.Clone(m["delay"]), m["fig6"]...), Options{})
	if len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "left out, delays were not measured: made-up") {
		t.Errorf("notes are %q", f.Notes)
	}
	got := table(t, f)
	n := 65535.0
	for _, want := range []string{
		fmt.Sprintf("(a) Wait at the VNF,line,buffer 512,0.000901,%.10g,%.10g,%.10g,2,Delay (µs),CDF",
			40960/n, 32768/n, 49152/n),
		fmt.Sprintf("(a) Wait at the VNF,line,buffer 512,0.000991,%.10g,%.10g,%.10g,2,Delay (µs),CDF",
			49152/n, 49152/n, 49152/n),
		fmt.Sprintf("(d) Wait at the VNF,line,buffer 512,0.000991,%.10g,%.10g,%.10g,2,Delay (µs),Complementary CDF",
			16383/n, 16383/n, 16383/n),
		"(b) Sojourn at the VNF,line,buffer 16,0.08,0,0,0,2,Delay (µs),CDF",
		"(c) End to end,line,buffer 512,1.08,0,0,0,2,Delay (µs),CDF",
		"(f) End to end,line,buffer 512,1.08,1,1,1,2,Delay (µs),Complementary CDF",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	if strings.Index(got, "buffer 16,") > strings.Index(got, "buffer 512,") {
		t.Error("a buffer of 512 comes before one of 16")
	}
	got = table(t, drawn(t, "delay", m["delay"][1:2], Options{}))
	if strings.Contains(got, "End to end") || !strings.Contains(got, "line,made-up,") {
		t.Errorf("a single run, with nothing before the instance, gives\n%s", got)
	}
	none := spec{scheduler: "round-robin", size: 64, initial: 1, max: 1, flows: 1, total: 1, seed: 1}.make(t)
	for _, kind := range []string{"wait", "sojourn", "end-to-end"} {
		none.delays = append(none.delays, results.Bucket{Kind: kind, Count: 5})
	}
	got = table(t, drawn(t, "delay", []data{none}, Options{}))
	if !strings.Contains(got, "(a) Wait at the VNF,line,made-up,") {
		t.Errorf("packets without any delay give\n%s", got)
	}
	_, err := drawFrom("delay", m["fig9"], Options{})
	needs := "it needs runs that measure delays (measure.delay, with engine: packet)"
	if err == nil || !strings.Contains(err.Error(), needs) {
		t.Errorf("records without delays: %v", err)
	}
}

// A flow of 20 Mpps whose rule takes 100 µs has 19 * 101.5 packets left behind, of which the queue keeps 1000.
func TestSlowPath(t *testing.T) {
	m := madeUp(t)
	got := table(t, drawn(t, "slowpath", append(slices.Clone(m["slowpath"]), m["fig9"]...), Options{}))
	for _, want := range []string{
		"(a) Reordered,line,100 µs,20,1000,,,1,Rate of the flow (Mpps),Packets a flow",
		"(b) Lost in the slow path,line,100 µs,20,929,,,1,",
		"(b) Lost in the slow path,line,fluid engine,20,928.5,,,1,",
		"(a) Reordered,line,1 ms,0.5,0,,,1,",
		"(a) Reordered,limit,queue of 1000,,1000,",
		"(b) Lost in the slow path,limit,1 Mpps,1,,",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
	fluid := slices.DeleteFunc(slices.Clone(m["slowpath"]), func(d data) bool { return d.run.Engine == "packet" })
	got = table(t, drawn(t, "slowpath", fluid, Options{}))
	if !strings.Contains(got, "line,100 µs,20,928.5,") || strings.Contains(got, "fluid engine") {
		t.Errorf("fluid alone is not drawn as the runs that it is:\n%s", got)
	}
	_, err := drawFrom("slowpath", m["fig9"], Options{})
	if err == nil || !strings.Contains(err.Error(), "its flows have no single rate, or no rule was installed") {
		t.Errorf("records without flows of a rate: %v", err)
	}
}

func TestAPanelNeedsNoTitle(t *testing.T) {
	f, err := TimeSeries("", "Time (s)", "Load (Mpps)", Options{}, Series{Name: "s", X: []float64{1}, Y: []float64{2}})
	if err != nil {
		t.Fatal(err)
	}
	if got := table(t, f); !strings.Contains(got, "\n,line,s,1,2,") {
		t.Errorf("the table is\n%s", got)
	}
}

// Instance 1 holds 2 flows for the 4 s of the run and processes 3 Mpps; instance 2 is there for the last 1 s window
// alone.
func TestFig8IsTheMeanOverTheRun(t *testing.T) {
	d := spec{scheduler: "best-fit", size: 64, initial: 1, max: 2, flows: 3, interval: 1, total: 9, seed: 1}.make(t)
	d.windows = []window{{T: 3}, {T: 4}}
	d.instances = rows([]results.Instance{
		{T: 3, Instance: 1, State: "ready", Flows: 2, Processed: 3e6},
		{T: 3, Instance: 2, State: "starting"},
		{T: 4, Instance: 1, State: "ready", Flows: 2, Processed: 3e6},
		{T: 4, Instance: 2, State: "ready", Flows: 1, Processed: 5e6},
	})
	got := table(t, drawn(t, "fig8", []data{d}, Options{}))
	for _, want := range []string{"Best-Fit,1,2,,,1,Instance,Mean flows", "Best-Fit,2,0.25,,,1,Instance,Mean flows",
		"Best-Fit,1,3,,,1,Instance,Mean rate (Mpps)", "Best-Fit,2,5,,,1,Instance,Mean rate (Mpps)"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in\n%s", want, got)
		}
	}
}

// A record in memory goes the way that one on disk goes.
func TestDraw(t *testing.T) {
	d := madeUp(t)["fig6"][0]
	m := results.NewMemory()
	for i := range d.windows {
		w := d.windows[i]
		row := results.Window{T: w.T, Offered: w.Offered, Processed: w.Processed, Dropped: w.Dropped,
			DroppedInstance: w.DroppedInstance}
		if err := m.Window(&row, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Close(&d.run); err != nil {
		t.Fatal(err)
	}
	rec, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Draw("fig6", []*results.Record{rec}, Options{Published: true})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table(t, f), "published,25 Mpps,,25,") {
		t.Error("the published capacity is missing")
	}
}

// The figures know no plant and no policy, and the kit that they are drawn with knows nothing of the project at all.
func TestImportsNoPlantAndNoPolicy(t *testing.T) {
	for _, c := range []struct {
		list []string
		bad  string
	}{
		{[]string{"-deps", "."}, `/(sim|hw|cmd)(/|$)`},
		{[]string{"-f", `{{join .Imports "\n"}}`, "."}, `/orchestrator`},
		{[]string{"-f", `{{join .Imports "\n"}}`, "./chart"}, `/`},
	} {
		out, err := exec.Command("go", append([]string{"list"}, c.list...)...).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		bad := regexp.MustCompile(`^github.com/smartinco/smartinco` + c.bad)
		for _, p := range strings.Fields(string(out)) {
			if bad.MatchString(p) {
				t.Errorf("%s depends on %s", c.list[len(c.list)-1], p)
			}
		}
	}
}

// Every line over time is thinned, whatever draws it.
func TestLongRunsAreThinned(t *testing.T) {
	d := madeUp(t)["fig9"][0]
	d.size = 64
	d.windows = nil
	for i := range 3 * 32768 {
		d.windows = append(d.windows, window{T: float64(i+1) / 1000, Offered: 2e6, Processed: float64(i%7) * 1e5,
			Instances: 3, Used: 3, Flows: 5})
	}
	x := make([]float64, 3*32768)
	for i := range x {
		x[i] = float64(i)
	}
	ts, err := TimeSeries("", "Time (s)", "Load", Options{}, Series{Name: "s", X: x, Y: x, Step: true})
	if err != nil {
		t.Fatal(err)
	}
	for id, f := range map[string]*Figure{
		"fig9": drawn(t, "fig9", []data{d}, Options{}), "fig10": drawn(t, "fig10", []data{d}, Options{}),
		"compare": overlaid(t, d, d), "timeseries": ts,
	} {
		points := 0
		for _, row := range f.page.Rows {
			for _, p := range row {
				for _, s := range p.Series {
					points = max(points, len(s.X))
				}
			}
		}
		if points < 8192 || points > 32768 {
			t.Errorf("%s draws %d points of a line, want %d to %d", id, points, 8192, 32768)
		}
	}
}
