package plots

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/results"
)

// summary is a table as a study leaves it, of one number.
func summary(t testing.TB, text string) *Table {
	t.Helper()
	tab, err := newTable("summary.csv", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// grid is a table of the loss of two policies under three limits and two seeds. One run did not end, one setting has no
// run.
const grid = `run,scheduler.policy,scheduler.limit,seed,complete,conserved,loss,processed,wait_p99_s
a,best-fit,6Mpps,1,true,true,0.10,5e9,NaN
b,best-fit,6Mpps,2,true,true,0.20,5e9,NaN
c,best-fit,10Mpps,1,true,true,0.00,6e9,NaN
d,best-fit,10Mpps,2,true,true,0.02,6e9,NaN
e,worst-fit,6Mpps,1,true,true,0.40,3e9,NaN
f,worst-fit,6Mpps,2,false,true,0.90,3e9,NaN
g,worst-fit,16Mpps,1,true,true,0.30,4e9,NaN
h,best-fit,16Mpps,1,true,true,0.30,4e9,NaN
`

func tabledFigure(t testing.TB, id string, tab *Table, o Options) *Figure {
	t.Helper()
	f, err := DrawTable(id, tab, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// holds checks that a figure's table has rows.
func holds(t *testing.T, f *Figure, wants ...string) {
	t.Helper()
	got := table(t, f)
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s: %q is not in\n%s", f.ID, want, got)
		}
	}
}

// A cell is the mean over the seeds. Values of keys are in the order of their quantities, and what nobody ran is NaN.
func TestHeat(t *testing.T) {
	by := []string{"scheduler.limit", "scheduler.policy"}
	f := tabledFigure(t, "heat", summary(t, grid), Options{By: by})
	holds(t, f, ",cell,best-fit,6 Mpps,15,10,20,2,scheduler.limit,Loss (%)",
		",cell,best-fit,10 Mpps,1,0,2,2,", ",cell,worst-fit,6 Mpps,40,40,40,1,",
		",cell,worst-fit,10 Mpps,NaN,NaN,NaN,0,")
	if got := table(t, f); strings.Index(got, "fit,16 Mpps") < strings.Index(got, "fit,6 Mpps") {
		t.Error("16 Mpps comes before 6 Mpps")
	}
	if want := []string{"left out, not complete or a law broken: 1 run"}; !slices.Equal(f.Notes, want) {
		t.Errorf("notes %q, want %q", f.Notes, want)
	}
	if !slices.Contains(f.page.Notes, "hatched: not known") {
		t.Errorf("the figure does not say what is hatched: %q", f.page.Notes)
	}
	if f.page.Rows[0][0].Map.Diverging {
		t.Error("losses have two colours")
	}
	both := strings.ReplaceAll(grid, "0.40,", "-0.40,")
	m := tabledFigure(t, "heat", summary(t, both), Options{By: by}).page.Rows[0][0].Map
	if !m.Diverging || m.Min != -40 || m.Max != 40 {
		t.Errorf("values on both sides of 0: %+v", m)
	}
}

// The keys that do not name settings name panels, and where picks runs.
func TestPanelsAndConditions(t *testing.T) {
	f := tabledFigure(t, "box", summary(t, grid), Options{By: []string{"scheduler.policy"}})
	holds(t, f, "(a) limit 6 Mpps,box,best-fit,15,1.5,12.5,17.5,2,", "(b) limit 10 Mpps,box,best-fit,1,0.5,0.5,1.5,2,",
		"(c) limit 16 Mpps,dots,worst-fit,30,0.5,,,1,")
	f = tabledFigure(t, "box", summary(t, grid), Options{Where: []string{"scheduler.limit=6Mpps",
		"scheduler.limit=16Mpps", "scheduler.policy=best-fit"}})
	got := table(t, f)
	if strings.Contains(got, "worst-fit") || strings.Contains(got, "10 Mpps") || strings.Count(got, "\n") != 6 {
		t.Errorf("best-fit under 6 and 16 Mpps gives\n%s", got)
	}
}

// The vectors are R's: quantile(c(1,2,3,4,10)), quantile(1:4), quantile(c(7)).
func TestQuartiles(t *testing.T) {
	for _, c := range []struct {
		vs        []float64
		want      quartiles
		low, high float64
	}{
		{[]float64{1, 2, 3, 4, 10}, quartiles{2, 3, 4}, 1, 4},
		{[]float64{1, 2, 3, 4}, quartiles{1.75, 2.5, 3.25}, 1, 4},
		{[]float64{7}, quartiles{7, 7, 7}, 7, 7},
		{[]float64{-9, 1, 1, 1, 9}, quartiles{1, 1, 1}, 1, 1},
		{[]float64{1, 2, 3, 4, 7}, quartiles{2, 3, 4}, 1, 7}, // just within
	} {
		q := quartilesOf(c.vs)
		low, high := q.whiskers(c.vs)
		if q != c.want || low != c.low || high != c.high {
			t.Errorf("%v: %v, %g, %g, want %v, %g, %g", c.vs, q, low, high, c.want, c.low, c.high)
		}
	}
}

// The density is the sum of normal curves around the values, with Silverman's width.
func TestDensity(t *testing.T) {
	vs := []float64{1, 2, 3, 4, 5}
	xs, ds := density(vs, false)
	width := 0.9 * (2 / 1.34) * math.Pow(5, -0.2) // the quartiles are 2 apart, which is less than 1.34 deviations
	at := func(x float64) (d float64) {
		for _, v := range vs {
			d += math.Exp(-(x - v) * (x - v) / width / width / 2)
		}
		return d
	}
	for i, x := range xs {
		if want := at(x) / at(3); math.Abs(ds[i]-want) > 1e-9 {
			t.Errorf("at %g: %g, want %g", x, ds[i], want)
		}
	}
	if n := len(xs); xs[0] != 1 || xs[n-1] != 5 || ds[n/2] != 1 {
		t.Errorf("from %g to %g, %g in the middle", xs[0], xs[n-1], ds[n/2])
	}
	logs := []float64{math.E, math.Exp(2), math.Exp(3), math.Exp(4), math.Exp(5)}
	lx, ld := density(logs, true)
	for i := range lx {
		if math.Abs(math.Log(lx[i])-xs[i]) > 1e-9 || math.Abs(ld[i]-ds[i]) > 1e-9 {
			t.Fatalf("of logarithms: (%g, %g), want (e^%g, %g)", lx[i], ld[i], xs[i], ds[i])
		}
	}
	for _, few := range [][]float64{{1, 2, 3, 4}, {2, 2, 2, 2, 2, 2}} {
		if xs, _ := density(few, false); xs != nil {
			t.Errorf("%v has a density", few)
		}
	}
}

func TestStairs(t *testing.T) {
	xs, up := stairs([]float64{1, 2, 2, 5}, false)
	_, down := stairs([]float64{1, 2, 2, 5}, true)
	if !slices.Equal(xs, []float64{1, 1, 2, 5}) || !slices.Equal(up, []float64{0, 0.25, 0.75, 1}) ||
		!slices.Equal(down, []float64{1, 0.75, 0.25, 0}) {
		t.Errorf("%v: %v and %v", xs, up, down)
	}
}

// A point is on the front if no other is better in one and as good in the other, whatever better means.
func TestFrontInEveryDirection(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var x, y []float64
		for range 1 + r.IntN(12) {
			x, y = append(x, float64(r.IntN(6))), append(y, float64(r.IntN(6)))
		}
		for _, leastX := range []bool{true, false} {
			for _, leastY := range []bool{true, false} {
				fx, fy := pareto(x, y, leastX, leastY)
				sign := map[bool]float64{true: 1, false: -1}
				for i := range x {
					beaten := slices.ContainsFunc(seq(len(x)), func(k int) bool {
						dx, dy := sign[leastX]*(x[k]-x[i]), sign[leastY]*(y[k]-y[i])
						return dx <= 0 && dy <= 0 && (dx < 0 || dy < 0)
					})
					on := slices.ContainsFunc(seq(len(fx)), func(k int) bool { return fx[k] == x[i] && fy[k] == y[i] })
					if on == beaten {
						t.Fatalf("%v, %v: least %v %v: (%g, %g) on the front: %v", x, y, leastX, leastY, x[i], y[i], on)
					}
				}
				worse := func(a, b float64) int { return cmp.Compare(sign[leastX]*a, sign[leastX]*b) }
				if !slices.IsSortedFunc(fx, worse) {
					t.Fatalf("the front does not begin at its best x: %v", fx)
				}
			}
		}
	}
}

func seq(n int) (is []int) {
	for i := range n {
		is = append(is, i)
	}
	return is
}

// The interval is Student's: 12.7062 standard errors for two runs.
func TestPointsHaveTheIntervalOfTheirSeeds(t *testing.T) {
	f := tabledFigure(t, "pareto", summary(t, grid), Options{Metrics: []string{"processed", "loss"}, Log: false,
		Where: []string{"scheduler.policy=best-fit"}})
	holds(t, f, ",points,limit 10 Mpps,6000,1,0,13.70620474,2,Processed (million packets),Loss (%)", // not below 0
		",across,limit 10 Mpps,6000,1,6000,6000,2,",
		",points,limit 16 Mpps,4000,30,30,30,1,", // one run
		",step,Pareto front,6000,1,")
	if strings.Contains(table(t, f), "step,Pareto front,5000") {
		t.Error("fewer packets and more loss are on the front")
	}
	worst := tabledFigure(t, "pareto", summary(t, grid), Options{Metrics: []string{"processed", "loss"},
		Best: []string{"least", "most"}})
	holds(t, worst, ",step,Pareto front,3000,40,")
}

// The best has rank 1 and lies first in the legend; settings that are alike share a rank.
func TestParallel(t *testing.T) {
	f := tabledFigure(t, "parallel", summary(t, grid), Options{})
	holds(t, f, `,parallel,"1. best-fit, limit 10 Mpps",1,best-fit,,,2,,scheduler.policy`,
		`,parallel,"1. best-fit, limit 10 Mpps",3,1,,,2,,Loss (%)`,
		`,parallel,"2. best-fit, limit 6 Mpps",2,6 Mpps,,,2,,scheduler.limit`,
		`,parallel,"3. best-fit, limit 16 Mpps",3,30,`, `,parallel,others,1,worst-fit,`)
	if want := "not coloured, though as good as number 3: 1 setting"; !slices.Contains(f.Notes, want) {
		t.Errorf("notes %q, want %q among them", f.Notes, want)
	}
	f = tabledFigure(t, "parallel", summary(t, grid), Options{Metrics: []string{"processed", "loss"},
		By: []string{"scheduler.policy"}})
	holds(t, f, `,parallel,"1. best-fit, limit 10 Mpps",3,6000,`)
	if f.page.Notes[0] != "best: most processed" {
		t.Errorf("note %q", f.page.Notes[0])
	}
}

// The unit fits the values.
func TestUnitsOfMetrics(t *testing.T) {
	for _, c := range []struct{ name, value, label, at string }{
		{"loss", "0.25", "Loss (%)", "25"}, {"processed", "4.2e9", "Processed (million packets)", "4200"},
		{"processed", "4.2e10", "Processed (billion packets)", "42"}, {"processed", "99", "Processed (packets)", "99"},
		{"rules_installed", "12345", "Rules installed (thousand)", "12.345"}, {"moves", "3", "Moves", "3"},
		{"delay_p99_s", "0.002", "Delay, 99 % (ms)", "2"},
		{"wait_p99_s", "0.002", "Wait, 99 % (ms)", "2"}, {"wait_p99_s", "2e-6", "Wait, 99 % (µs)", "2"},
		{"goodput_bps", "2e9", "Goodput (Gbit/s)", "2"}, {"instance_s", "20", "Instance time (s)", "20"},
		{"jain", "0.5", "Jain's index", "0.5"}, {"energy_j", "2000", "Energy (kJ)", "2"},
		{"processed/instance_s", "8e9", "Processed / instance time (million packets/s)", "1000"},
		{"dropped/offered", "1e9", "Loss (%)", "50"}, {"moves/flows", "6", "Moves / flows", "3"},
	} {
		head, row := "run,complete", "a,true"
		for i, part := range strings.Split(c.name, "/") {
			head += "," + part
			below := map[string]string{"instance_s": "8", "offered": "2e9", "flows": "2"}[part]
			row += "," + []string{c.value, below}[i]
		}
		m, err := summary(t, head+"\n"+row+"\n").metric(c.name)
		if err != nil {
			t.Fatal(err)
		}
		tab := summary(t, head+"\n"+row+"\n")
		if at := fmt.Sprintf("%.6g", m.at(tab.rows[0])); m.label != c.label || at != c.at {
			t.Errorf("%s of %s: %s %s, want %s %s", c.name, c.value, at, m.label, c.at, c.label)
		}
	}
}

func TestTablesThatDoNotSuffice(t *testing.T) {
	many := strings.Builder{}
	many.WriteString("run,a.b,c.d,seed,complete,loss\n")
	for i := range 61 {
		fmt.Fprintf(&many, "r%d,%d,%d,1,true,0.5\n", i, i, i%13)
	}
	for _, c := range []struct {
		id, text string
		o        Options
		want     string
	}{
		{"heat", "", Options{}, "summary.csv: not the summary of a study: want one that sweep wrote"},
		{"heat", "panel,kind,series\n", Options{}, "not the summary of a study"},
		{"heat", "run,a,a,complete,loss\n", Options{}, "two columns a"},
		{"heat", "run,a,complete\nr,1\n", Options{}, "wrong number of fields"},
		{"heat", "run,a,complete\n\"r,1\n", Options{}, "summary.csv: "},
		{"box", "run,a,seed,complete,loss\n", Options{}, "no run is left"},
		{"box", grid, Options{Where: []string{"scheduler.limit=7Mpps"}},
			"where scheduler.limit=7Mpps: no run has this value: want one of 6Mpps, 10Mpps, 16Mpps"},
		{"box", grid, Options{Where: []string{"loss=1"}},
			"where loss=1: want KEY=VALUE with one of the keys scheduler.policy, scheduler.limit, seed"},
		{"box", grid, Options{Where: []string{"scheduler.limit=10Mpps", "scheduler.policy=worst-fit"}},
			"no run is left"},
		{"box", grid, Options{Metrics: []string{"losses"}}, "no column losses: want one of loss, processed, "},
		{"box", grid, Options{Metrics: []string{"complete"}}, "no column complete"},
		{"box", grid, Options{Metrics: []string{"a/b/c"}}, "metric a/b/c: want a column, or A/B for the ratio of two"},
		{"box", grid, Options{Metrics: []string{"loss", "processed"}}, "box: 2 metrics: want one"},
		{"pareto", grid, Options{Metrics: []string{"loss"}}, "pareto: 1 metrics: want two"},
		{"box", grid, Options{Best: []string{"good"}}, "best is good: want least or most"},
		{"box", grid, Options{Best: []string{"least", "most"}}, "best is said of 2 metrics, and there are 1"},
		{"box", grid, Options{By: []string{"seed"}}, "seed is no key in which the runs differ"},
		{"box", grid, Options{By: []string{"scheduler.policy", "scheduler.policy"}}, "named twice"},
		{"heat", grid, Options{By: []string{"scheduler.policy"}}, "by has 1 keys (scheduler.policy): want two"},
		{"cdf", grid, Options{Metrics: []string{"wait_p99_s"}},
			"wait_p99_s is known of no run: want runs that measure delays"},
		{"parallel", grid, Options{Metrics: []string{"wait_p99_s"}}, "wait_p99_s is known of no run"},
		{"ccdf", grid, Options{Log: true}, "loss of run c is 0, which has no place on a logarithmic axis"},
		{"violin", strings.ReplaceAll(grid, "0.10,", "-0.10,"), Options{Log: true}, "loss of run a is -10, which has"},
		{"heat", many.String(), Options{}, "61 values of a.b by 13 of c.d: want at most 60 by 60"},
		{"box", many.String(), Options{}, "61 settings: want at most 45 rows"},
		{"violin", many.String(), Options{}, "61 settings: want at most 30 rows"},
		{"cdf", many.String(), Options{}, "61 settings: want at most 40 lines"},
		{"box", many.String(), Options{By: []string{"a.b"}}, "the other keys, c.d, have 13 combinations"},
		{"fig9", grid, Options{}, "fig9 is drawn from records, not from a table"},
		{"fig99", grid, Options{}, `no figure "fig99"`},
		{"heat", grid, Options{Width: 99}, "width 99 in"},
	} {
		tab, err := newTable("summary.csv", strings.NewReader(c.text))
		if err == nil {
			_, err = DrawTable(c.id, tab, c.o)
		}
		if !errors.Is(err, ErrRequest) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %+v: error %v, want one with %q", c.id, c.o, err, c.want)
		}
	}
	if _, err := drawFrom("fig9", madeUp(t)["fig9"], Options{Metrics: []string{"loss"}}); !errors.Is(err, ErrRequest) ||
		!strings.Contains(err.Error(), "want it of one of heat, lines, pareto, box") {
		t.Errorf("fig9 with a metric: %v", err)
	}
}

// One run, one setting, equal values, long names: all of them are drawn, in every format.
func TestSmallAndOddTables(t *testing.T) {
	long := strings.Repeat("a-very-long-name-", 12)
	for name, text := range map[string]string{
		"one run":      "run,a.b,c.d,seed,complete,loss,instance_s\nr,1,2,1,true,0.5,3\n",
		"no key":       "run,seed,complete,loss,instance_s\nr,1,true,0.5,3\nr,2,true,0.6,4\n",
		"equal values": "run,a.b,c.d,seed,complete,loss,instance_s\nr,1,2,1,true,0,0\ns,2,2,1,true,0,0\n",
		"negative":     "run,a.b,c.d,seed,complete,loss,instance_s\nr,1,2,1,true,-1,-5\ns,2,1,1,true,-2,-5\n",
		"long names": "run,a.b,c.d,seed,complete,loss,instance_s\nr," + long + ",2,1,true,0.1,2\ns,2," + long +
			",1,true,0.2,3\n",
		"unknown in part": "run,a.b,c.d,seed,complete,loss,instance_s\nr,1,2,1,true,NaN,5\ns,2,1,1,true,0.2,6\n",
		"huge":            "run,a.b,c.d,seed,complete,loss,instance_s\nr,1,2,1,true,1e99,1e99\ns,2,1,1,true,1e-99,5\n",
	} {
		for _, i := range Figures() {
			if !i.Table {
				continue
			}
			o := Options{}
			if i.ID == "heat" && name != "no key" {
				o.By = []string{"a.b", "c.d"}
			}
			f, err := DrawTable(i.ID, summary(t, text), o)
			if err != nil {
				alone := i.ID == "parallel" && (name == "no key" || name == "one run") // a single axis
				along := i.ID == "lines" && (name == "no key" || name == "one run" || name == "long names")
				if !errors.Is(err, ErrRequest) || !alone && !along && (name != "no key" || i.ID != "heat") {
					t.Errorf("%s of %s: %v", i.ID, name, err)
				}
				continue
			}
			for _, ext := range []string{".svg", ".pdf", ".tex"} {
				if b := saved(t, f, i.ID+ext); strings.Contains(string(b), "NaN") {
					t.Errorf("%s%s of %s has a place that is no number", i.ID, ext, name)
				}
			}
			if f.Height > 9 {
				t.Errorf("%s of %s is %.1f in high", i.ID, name, f.Height)
			}
		}
	}
}

// Records give the figures that the summary of their study gives.
func TestRecordsGiveTheSummary(t *testing.T) {
	ds := aGrid(t)
	tab, err := tableOf(ds)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"scheduler.policy", "scheduler.limit", "seed"}; !slices.Equal(tab.keys, want) {
		t.Errorf("keys %v, want %v", tab.keys, want)
	}
	dir := t.TempDir()
	var b strings.Builder
	for _, row := range append([][]string{tab.head}, tab.rows...) {
		b.WriteString(strings.Join(row, ",") + "\n")
	}
	if err := os.WriteFile(filepath.Join(dir, SummaryName), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if !HoldsTable(dir) || HoldsTable(t.TempDir()) {
		t.Error("a directory is taken for what it is not")
	}
	read, err := ReadTable(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range Figures() {
		if i.Table && table(t, tabledFigure(t, i.ID, read, Options{})) != table(t, drawn(t, i.ID, ds, Options{})) {
			t.Errorf("%s differs", i.ID)
		}
	}
}

// Of many keys that differ together, those of policies and stacks tell runs apart.
func TestKeysThatTellRunsApart(t *testing.T) {
	for _, c := range []struct {
		want     string
		settings []map[string]string
	}{
		{"", []map[string]string{{"a": "1"}, {"a": "1"}}},
		{"stack", []map[string]string{{"a": "1", "stack": "x"}, {"a": "2", "stack": "y"}}},
		{"scheduler.policy", []map[string]string{
			{"scheduler.policy": "maglev", "scheduler.policy.maglev.table": "5"}, {"scheduler.policy": "rss"}}},
		{"scheduler.policy scheduler.policy.maglev.table", []map[string]string{
			{"scheduler.policy": "maglev", "scheduler.policy.maglev.table": "5"},
			{"scheduler.policy": "maglev", "scheduler.policy.maglev.table": "7"}, {"scheduler.policy": "rss"}}},
		{"autoscaler.policy stack", []map[string]string{
			{"autoscaler.policy": "hpa", "stack": "x"}, {"autoscaler.policy": "kpa", "stack": "x"},
			{"autoscaler.policy": "kpa", "stack": "y"}}},
		{"stack", []map[string]string{{"autoscaler.policy": "hpa", "stack": "x"},
			{"autoscaler.policy": "kpa", "stack": "y"}}},
		{"a", []map[string]string{{"a": "1", "b": "1"}, {"a": "2", "b": "2"}}},
		{"a b", []map[string]string{{"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "2", "b": "2"}}},
	} {
		if got := strings.Join(telling(c.settings), " "); got != c.want {
			t.Errorf("%v: %s, want %s", c.settings, got, c.want)
		}
	}
}

// Every column of a summary has a title and a unit, and can be drawn.
func TestEveryColumnIsAMetric(t *testing.T) {
	tab, err := tableOf(aGrid(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range results.Columns() {
		if _, is := c.Of(&results.Run{}).(bool); is {
			continue
		}
		m, err := tab.metric(c.Name)
		if err != nil || strings.Contains(m.label, "_") || strings.HasSuffix(m.label, " s") {
			t.Errorf("%s: %+v, %v", c.Name, m, err)
		}
	}
}

// Whatever a file holds, it is drawn or refused.
func FuzzTable(f *testing.F) {
	f.Add(grid, "scheduler.policy", false)
	f.Add("run,a,seed,complete,loss,instance_s\nr,1,1,true,0.5,1e300\n", "", true)
	f.Add("run,complete,loss,instance_s\nr,true,-0,5e-324\n", "", true)
	f.Fuzz(func(t *testing.T, text, by string, log bool) {
		tab, err := newTable("fuzz", strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrRequest) {
				t.Fatal(err)
			}
			return
		}
		for _, i := range Figures() {
			if !i.Table {
				continue
			}
			o := Options{Log: log}
			if by != "" {
				o.By = strings.Split(by, ",")
			}
			fig, err := DrawTable(i.ID, tab, o)
			if err == nil {
				err = fig.Save(filepath.Join(t.TempDir(), "f.tex"))
			}
			if err != nil && !errors.Is(err, ErrRequest) {
				t.Fatal(err)
			}
		}
	})
}

// A line goes along the key with numbers: without by the one with the most values, with by the first. Each metric has a
// panel, and each value of the keys that are left one more.
func TestLines(t *testing.T) {
	f := tabledFigure(t, "lines", summary(t, grid), Options{Metrics: []string{"loss", "processed"}})
	holds(t, f, "(a) Loss,line,best-fit,6,15,10,20,2,Limit (Mpps),Loss (%)",
		"(a) Loss,line,best-fit,16,30,30,30,1,", "(b) Processed,line,worst-fit,6,3000,3000,3000,1,Limit (Mpps),")
	f = tabledFigure(t, "lines", summary(t, grid), Options{By: []string{"scheduler.limit"}})
	holds(t, f, "(a) best-fit,line,all runs,10,1,0,2,2,Limit (Mpps),Loss (%)",
		"(b) worst-fit,line,all runs,16,30,30,30,1,")
	f = tabledFigure(t, "lines", summary(t, strings.NewReplacer("scheduler.limit", "nodes.count", "Mpps", "").
		Replace(grid)), Options{})
	holds(t, f, ",line,best-fit,6,15,10,20,2,Nodes,Loss (%)")
	_, err := DrawTable("lines", summary(t, grid), Options{By: []string{"scheduler.policy"}})
	if err == nil || !strings.Contains(err.Error(), "scheduler.policy has values that are no numbers") {
		t.Errorf("along the policies: %v", err)
	}
}

// The values of a key are numbers in one unit, or it is no axis.
func TestNumbersOf(t *testing.T) {
	for _, c := range []struct {
		values []string
		xs     []float64
		unit   string
		ok     bool
	}{
		{[]string{"0.5", "1"}, []float64{0.5, 1}, "", true},
		{[]string{"0", "100us", "1ms"}, []float64{0, 0.1, 1}, "ms", true},
		{[]string{"500kpps", "2Mpps"}, []float64{0.5, 2}, "Mpps", true},
		{[]string{"10Gbps", "100Gbps"}, []float64{10, 100}, "Gbit/s", true},
		{[]string{"64B", "1500B"}, []float64{64, 1500}, "B", true},
		{[]string{"64B", "best-fit"}, nil, "", false},
		{[]string{"64B", "10s"}, nil, "", false},
		{[]string{"", "1"}, nil, "", false},
	} {
		xs, unit, ok := numbersOf(c.values)
		if ok != c.ok || unit != c.unit || !slices.EqualFunc(xs, c.xs, func(a, b float64) bool {
			return math.Abs(a-b) < 1e-9
		}) {
			t.Errorf("%q: %v %q %t, want %v %q %t", c.values, xs, unit, ok, c.xs, c.unit, c.ok)
		}
	}
}
