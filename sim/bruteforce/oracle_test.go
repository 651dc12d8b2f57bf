package bruteforce

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
)

var (
	count = flag.Int("scenarios", 200, "random scenarios to run")
	first = flag.Uint64("first", 1, "seed of the first")
	file  = flag.String("scenario", "", "a scenario's file, to run that one alone")
)

// Each scenario gives the same record in the packet engine, to the packet: every row, every column, every line of the
// log. The fluid engine gives the same totals within what is in flight, where it decides alike.
func TestRandomScenarios(t *testing.T) {
	n, failed, fluids, packets, worst := *count, 0, 0, 0.0, 0.0
	moves, moved := 0, 0                                 // flows by their policy, and of these in both engines
	grown, broken := [2]int{}, [2]int{}                  // flows: late for a rule, and without rules; the same
	resizes, resized := 0, 0                             // of instances
	runs, compared := map[string]int{}, map[string]int{} // by policy: scenarios, and those in both engines
	if testing.Short() {
		n = min(n, 60)
	}
	for i := range uint64(n) {
		seed := *first + i
		text := scenario(seed)
		d := compare(t, text)
		packets, worst = packets+d.offered, max(worst, d.worst)
		moves += d.moves
		resizes += d.resizes
		runs[d.policy]++
		grown[0], broken[0] = grown[0]+d.grown, broken[0]+d.broken
		if d.fluid {
			fluids++
			compared[d.policy]++
			moved += d.moves
			grown[1], broken[1] = grown[1]+d.grown, broken[1]+d.broken
			resized += d.resizes
		}
		if len(d.found) == 0 {
			continue
		}
		t.Errorf("seed %d:\n%s\n%s", seed, strings.Join(d.found[:min(len(d.found), 12)], "\n"), text)
		if failed++; failed == 20 {
			t.Fatal("and so on")
		}
	}
	t.Logf("%d scenarios from seed %d, %.0f packets; the fluid engine compared in %d, at most %.2f of what may be in "+
		"flight apart", n, *first, packets, fluids, worst)
	for _, name := range simtest.Drawn() {
		t.Logf("%s: %d scenarios, %d of them in the fluid engine", name, runs[name], compared[name])
		if n >= 2000 && compared[name] == 0 { // there are many policies
			t.Errorf("%s was never compared in both engines", name)
		}
	}
	t.Logf("%d flows moved by their policy, %d of them in the fluid engine too", moves, moved)
	t.Logf("%d flows got their rule late, %d of them in the fluid engine too; %d were broken, %d too",
		grown[0], grown[1], broken[0], broken[1])
	if n >= 200 && min(grown[1], broken[1]) == 0 {
		t.Error("no flow that got its rule late, or none that was broken, was compared in both engines")
	}
	if moves < n/20 || n >= 200 && moved == 0 {
		t.Error("hardly any flow was moved by its policy")
	}
	t.Logf("%d instances resized, %d of them in the fluid engine too", resizes, resized)
	if resizes < n/5 || n >= 200 && resized == 0 {
		t.Error("hardly any instance was resized")
	}
	if fluids < n/10 {
		t.Errorf("the fluid engine could be compared in %d of %d scenarios alone", fluids, n)
	}
}

// The same a million times as fast. Packets come some picoseconds apart, those of flows with times of their own too, so
// that in most scenarios much happens at one instant.
func TestDenseScenarios(t *testing.T) {
	n, failed := *count, 0
	if testing.Short() {
		n = min(n, 60)
	}
	for i := range uint64(n) {
		seed := *first + i
		text := dense(seed)
		d := compare(t, text)
		if len(d.found) == 0 {
			continue
		}
		t.Errorf("seed %d:\n%s\n%s", seed, strings.Join(d.found[:min(len(d.found), 12)], "\n"), text)
		if failed++; failed == 20 {
			t.Fatal("and so on")
		}
	}
}

// TestFile runs the scenario that the flag names or, without it, every one of testdata.
func TestFile(t *testing.T) {
	files, err := []string{*file}, error(nil)
	if *file == "" {
		files, err = filepath.Glob("testdata/*.yaml")
	}
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if d := compare(t, string(b)); len(d.found) > 0 {
			t.Errorf("%s: %s", name, strings.Join(d.found, "\n"))
		}
	}
}

// compare runs a scenario in all simulators and says how they differ.
func compare(t testing.TB, text string) *diff {
	t.Helper()
	sc := simtest.Parse(t, text)
	slow := simulate(t, sc)
	var read []reading
	fast := simtest.Run(t, sc, reads(packet.New, &read))
	d := &diff{}
	d.logs(t, fast, slow.rec)
	rows(d, "window", fast.Windows, slow.rec.Windows)
	rows(d, "instance", fast.Instances, slow.rec.Instances)
	rows(d, "flow", fast.Flows, slow.rec.Flows)
	rows(d, "totals", []results.Totals{fast.Run.Totals}, []results.Totals{slow.rec.Run.Totals})
	d.latencies(fast, slow)
	d.rules("packet", read, slow.rules, 0)
	simtest.Verify(t, fast)
	decisions := simtest.Decisions(t, fast)
	d.policy = sc.Scheduler.Policy.Name
	d.moves, d.resizes = decisions[orchestrator.Move], decisions[orchestrator.Resized]
	d.grown, d.broken = slow.grew, int(slow.rec.Run.Totals.Broken)
	if sc.Measure.Delay == "none" && slow.smooth() {
		sc.Engine = "fluid"
		read = nil
		f := simtest.Run(t, sc, reads(fluid.New, &read))
		simtest.Verify(t, f)
		if differ(t, f, slow.rec) == "" {
			d.fluid = true
			d.fluids(sc, f, slow)
			d.rules("fluid", read, slow.rules, slow.flight(sc))
		}
	}
	d.offered = slow.rec.Run.Totals.Offered
	return d
}

// diff is what differs.
type diff struct {
	found   []string
	offered float64 // packets of the scenario
	fluid   bool    // the fluid engine was compared
	policy  string  // of scheduling
	moves   int     // of flows, by the policy
	grown   int     // flows that got their rule after some packets
	broken  int     // flows without rules
	resizes int     // of instances
	worst   float64 // of its differences, by what may be in flight
}

func (d *diff) add(f string, xs ...any) { d.found = append(d.found, fmt.Sprintf(f, xs...)) }

// rough is how exact a utilisation is: some of a window's times are known to a fraction of a picosecond only.
const rough = 1e-5

// same says whether two values of a column are the same. The last bit of a rate of so many packets a second depends on
// the order in which its parts are added up.
func same(x, y any) bool {
	a, ok := x.(float64)
	b, _ := y.(float64)
	return x == y || ok && a > 1e9 && math.Abs(a-b) < max(2e-3, 1e-14*a)
}

// rows compares every column of every row.
func rows[T any](d *diff, what string, got, want []T) {
	if len(got) != len(want) {
		d.add("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range min(len(got), len(want)) {
		a, b := reflect.ValueOf(got[i]), reflect.ValueOf(want[i])
		for k := range a.NumField() {
			x, y := a.Field(k).Interface(), b.Field(k).Interface()
			if name := a.Type().Field(k).Name; name == "Utilization" && math.Abs(x.(float64)-y.(float64)) < rough {
				continue
			}
			if !same(x, y) {
				d.add("%s %d, %s: %v, want %v", what, i, a.Type().Field(k).Name, x, y)
			}
		}
	}
}

// logs compares line by line, up to the first that differs.
func (d *diff) logs(t testing.TB, got, want *results.Memory) {
	a, b := lines(t, got), lines(t, want)
	for i := range max(len(a), len(b)) {
		x, y := "nothing", "nothing"
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			d.add("log, line %d: %s\n                   want %s", i+1, x, y)
			return
		}
	}
}

func lines(t testing.TB, m *results.Memory) (all []string) {
	r, err := m.Record()
	if err != nil {
		t.Fatal(err)
	}
	for e, err := range r.Log() {
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(b))
	}
	return all
}

// latencies compares the number, the mean and the greatest of the delays.
func (d *diff) latencies(fast *results.Memory, slow *plant) {
	n := 0
	for _, l := range fast.Latencies {
		ds := slow.delays[scope{l.Scope, l.Number}][l.Kind]
		n++
		var sum, most int64
		for _, x := range ds {
			sum, most = sum+x, max(most, x)
		}
		mean := float64(sum) / float64(max(len(ds), 1))
		if int(l.Count) != len(ds) || l.Max != most || l.Mean-mean > 1e-3 || mean-l.Mean > 1e-3 {
			d.add("%s %d, %s: %d of %.3f ps, %d at most; want %d of %.3f ps, %d",
				l.Scope, l.Number, l.Kind, l.Count, l.Mean, l.Max, len(ds), mean, most)
		}
	}
	want := 0
	for _, kinds := range slow.delays {
		want += len(kinds)
	}
	if n != want {
		d.add("%d rows of delays, want %d", n, want)
	}
}
