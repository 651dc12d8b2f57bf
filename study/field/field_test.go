package field

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

var update = flag.Bool("update", false, "renew the golden files")

const repository = "../../scenarios/study"

func load(t *testing.T, dir string, some Some) *Comparison {
	t.Helper()
	c, err := Load(dir, some)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// report runs a comparison and gives its report.
func reportOf(t *testing.T, c *Comparison, known []Known) string {
	t.Helper()
	out := t.TempDir()
	if _, err := study.All(context.Background(), c.Study, out, study.AllOptions{Version: "test", Jobs: 2}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := Report(&b, c, out, known, ""); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// All parts on all traffics are one study, and what two parts have in common is in it once.
func TestPartsAreLaidOverTraffics(t *testing.T) {
	c := load(t, "testdata/small", Some{})
	var names []string
	for _, t := range c.Traffics {
		names = append(names, t.Name+": "+t.About)
	}
	if want := []string{"flat: Six equal flows that are more than two instances process.",
		"mice: Flows of the AGH network."}; !slices.Equal(names, want) {
		t.Errorf("traffics %q, want %q", names, want)
	}
	// 2 stacks and 3 seeds of 9 schedulers under 2 autoscalers and of 6 autoscalers under 2 schedulers, which have 4 in
	// common, on 2 traffics
	if want := 2 * 2 * 3 * (9*2 + 6*2 - 4); len(c.Study.Runs) != want {
		t.Errorf("%d runs, want %d", len(c.Study.Runs), want)
	}
	seen := map[string]bool{}
	for _, r := range c.Study.Runs {
		if seen[r.Name] {
			t.Errorf("run %s is there twice", r.Name)
		}
		seen[r.Name] = true
		if got := keysOf(&r); !slices.Equal(got, []string{trafficKey, stackKey, schedulerKey, scalerKey, "seed"}) {
			t.Fatalf("run %s has coordinates %v", r.Name, got)
		}
	}
	if c.Traffics[0].Random || !c.Traffics[1].Random {
		t.Errorf("random are %v and %v, want mice alone", c.Traffics[0].Random, c.Traffics[1].Random)
	}
	if c.Study.Keep != scenarios.KeepNone {
		t.Errorf("keep is %s", c.Study.Keep)
	}
	some := load(t, "testdata/small", Some{Traffics: []string{"mice"}, Stacks: []string{"dpf"}})
	if len(some.Study.Runs) != len(c.Study.Runs)/4 || len(some.Traffics) != 1 {
		t.Errorf("%d runs and %d traffics of one traffic in one stack", len(some.Study.Runs), len(some.Traffics))
	}
}

// Where nothing is random, some seeds are enough for the policies that draw.
func TestATrafficWithoutRandomnessHasFewSeeds(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a": "name: a\nduration: 1s\nworkload: [{cbr: {flows: 1, rate: 1Mpps}}]\n",
		"b": "name: b\nduration: 1s\nworkload: [{model: {name: agh-2015, rate: 20}}]\n",
		"p": "sweep: {matrix: {stack: [dpf], scheduler.policy: [random], autoscaler.policy: [none]}, seeds: 12}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	n := map[string]int{}
	for _, r := range load(t, dir, Some{}).Study.Runs {
		n[value(&r, trafficKey)]++
	}
	if n["a"] != fewSeeds || n["b"] != 12 {
		t.Errorf("%d and %d seeds, want %d and 12", n["a"], n["b"], fewSeeds)
	}
}

func TestWhatIsNoComparisonIsRefused(t *testing.T) {
	traffic := "name: a\nduration: 1s\nworkload: [{cbr: {flows: 1, rate: 1Mpps}}]\n"
	part := "sweep: {matrix: {stack: [smartnic], scheduler.policy: [random], autoscaler.policy: [none]}, seeds: 2}\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		some  Some
		want  string
	}{
		{"nothing", nil, Some{}, "0 scenarios without a sweep block and 0 with one"},
		{"no part", map[string]string{"a": traffic}, Some{}, "1 scenarios without a sweep block and 0 with one"},
		{"no traffic", map[string]string{"p": part}, Some{}, "0 scenarios without a sweep block and 1 with one"},
		{"a name that is not the file's", map[string]string{"b": traffic, "p": part}, Some{}, `has the name "a"`},
		{"parts that differ", map[string]string{"a": traffic, "p": part,
			"q": strings.Replace(part, "stack: [smartnic]", "vnf.buffer: [8]", 1)}, Some{}, "want the same in this " +
			"order"},
		{"no seeds", map[string]string{"a": traffic, "p": strings.Replace(part, ", seeds: 2", "", 1)}, Some{},
			"want stack, scheduler.policy, autoscaler.policy, and seeds"},
		{"replicas", map[string]string{"a": traffic, "p": strings.Replace(part, "seeds: 2", "replicas: {max: 3}", 1)},
			Some{},
			"sweep.replicas: want seeds"},
		{"an unknown traffic", map[string]string{"a": traffic, "p": part}, Some{Traffics: []string{"b"}},
			`traffic "b": want one of a`},
		{"an unknown stack", map[string]string{"a": traffic, "p": part}, Some{Stacks: []string{"dpf"}},
			`stack "dpf": want one of smartnic`},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, name+".yaml"), []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			_, err := Load(dir, c.some)
			if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, study.ErrRefused) {
				t.Errorf("%v, want a refusal with %q", err, c.want)
			}
		})
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(traffic+"seeed: 1\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir, Some{}); !errors.Is(err, scenarios.ErrInvalid) {
		t.Errorf("%v, want the mistake in the file", err)
	}
}

// The report of a small comparison is the same each time, whatever the number of jobs.
func TestReport(t *testing.T) {
	got := reportOf(t, load(t, "testdata/small", Some{}), nil)
	path := "testdata/small.md"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%s differs (%v): go test ./study/field -update, and look at what has changed", path, err)
	}
}

var (
	reference = regexp.MustCompile(`\]\(#([^)]*)\)`)
	heading   = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// Each sentence of a list names a table that is there, and no line is longer than 120 columns but in tables.
func TestSentencesNameTheirTables(t *testing.T) {
	for _, path := range []string{"testdata/small.md", "../../docs/study.md"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		anchors := map[string]bool{}
		for _, m := range heading.FindAllStringSubmatch(text, -1) {
			anchors[strings.ReplaceAll(strings.ToLower(m[1]), " ", "-")] = true
		}
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			if !anchors[m[1]] {
				t.Errorf("%s: no table makes %s", path, m[1])
			}
		}
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "|") && utf8.RuneCountInString(line) > 121 {
				t.Errorf("%s: a long line: %s", path, line)
			}
		}
		for _, bad := range []string{"NaN", "%!", "[0, 0]", "Inf", " -0.00"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
		for _, item := range strings.Split(text, "\n- ")[1:] {
			item, _, _ = strings.Cut(item, "\n\n")
			if !strings.HasPrefix(item, "`") && !strings.Contains(item, "](#table-") {
				t.Errorf("%s: a sentence without a table: %s", path, item)
			}
		}
	}
}

// tablesOf are the tables of a report, by their headings.
func tablesOf(text string) map[string]string {
	tables := map[string]string{}
	for _, part := range strings.Split(text, "\n#### ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		rest, _, _ = strings.Cut(rest, "\n#")
		tables[name] = strings.TrimSpace(rest)
	}
	return tables
}

// The tables in the documentation are those that the program makes: those of one traffic in one stack are made anew.
func TestTheDocumentedStudyIsThePrograms(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the time of some thousand runs")
	}
	data, err := os.ReadFile("../../docs/study.md")
	if err != nil {
		t.Fatal(err)
	}
	have := tablesOf(string(data))
	fresh := tablesOf(reportOf(t, load(t, repository, Some{Traffics: []string{"fig9"}, Stacks: []string{"smartnic"}}),
		nil))
	n := 0
	for name, table := range fresh {
		if strings.HasSuffix(name, " fig9 smartnic") {
			if n++; have[name] != table {
				t.Errorf("docs/study.md, %s: make study, and look at what has changed. It is now\n%s", name, table)
			}
		}
	}
	if n != 2 {
		t.Errorf("%d tables of fig9 in smartnic, want those of the schedulers and of the autoscalers", n)
	}
}

// What is published and what theory says comes out, and the documentation has these numbers.
func TestKnownResults(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the time of a hundred runs with thousands of instances")
	}
	known, err := LoadKnown(repository)
	if err != nil {
		t.Fatal(err)
	}
	if len(known) != len(experiments) {
		t.Fatalf("%d experiments, want %d", len(known), len(experiments))
	}
	out := t.TempDir()
	for i := range known {
		if err := known[i].Run(context.Background(), out, study.AllOptions{Version: "test", Jobs: 2}); err != nil {
			t.Fatal(err)
		}
		for _, f := range known[i].Rows {
			if !f.Agrees {
				t.Errorf("%s: %s is %s, want %s: %s", known[i].Name, f.What, f.Ours, f.Expected, f.Why)
			}
		}
	}
	r := &report{}
	r.known(known)
	data, err := os.ReadFile("../../docs/study.md")
	if err != nil || !strings.Contains(string(data), strings.TrimSpace(r.b.String())) {
		t.Errorf("docs/study.md has other known results (%v): make study", err)
	}
	if none, err := LoadKnown("testdata/small"); err != nil || len(none) != 0 {
		t.Errorf("%d experiments in a folder without them: %v", len(none), err)
	}
}

// Of one choice the tail is that of Poisson's distribution; of two, s_1 is the hyperbolic tangent of 1, which solves
// ds/dt = 1 - s². The tail of d choices falls with the power of d: ln s_(k+1) is about d ln s_k.
func TestTail(t *testing.T) {
	poisson, rest := 1.0, 1.0
	for k, s := range tail(1, 5) {
		if math.Abs(s-rest) > 1e-9 {
			t.Errorf("one choice: s_%d is %v, want %v", k, s, rest)
		}
		rest -= poisson * math.Exp(-1)
		poisson /= float64(k + 1)
	}
	two := tail(2, 5)
	if math.Abs(two[1]-math.Tanh(1)) > 1e-9 {
		t.Errorf("two choices: s_1 is %v, want %v", two[1], math.Tanh(1))
	}
	if ratio := math.Log(two[5]) / math.Log(two[4]); ratio < 2 || ratio > 2.5 {
		t.Errorf("two choices: the logarithm grows by %v, want a bit more than 2", ratio)
	}
}

// The documentation of Kubernetes: 80, 72, 64 and so on, each time a tenth rounded up, and 4 at a time from 40 on.
func TestBehaviour(t *testing.T) {
	want := []int{80, 72, 64, 57, 51, 45, 40, 36, 32, 28, 24, 20, 16, 12, 10}
	if got := behaviour(80, 10); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The correlation of IQ with hours of television in the article on Spearman's coefficient in Wikipedia: -29/165.
func TestSpearman(t *testing.T) {
	iq := []float64{106, 100, 86, 101, 99, 103, 97, 113, 112, 110}
	tv := []float64{7, 27, 2, 50, 28, 29, 20, 12, 6, 17}
	in := spearman(iq, tv)
	if math.Abs(in.Value+29.0/165) > 1e-12 || !(in.Low < in.Value && in.Value < in.High) || in.Low < -1 || in.High > 1 {
		t.Errorf("%+v, want -29/165", in)
	}
	if got := ranks([]float64{3, 1, 3, 2}); !slices.Equal(got, []float64{3.5, 1, 3.5, 2}) {
		t.Errorf("ranks with ties are %v", got)
	}
	if in := spearman([]float64{1, 2, 3, 4, 5}, []float64{2, 2, 2, 2, 2}); !math.IsNaN(in.Value) {
		t.Errorf("a constant has a correlation: %+v", in)
	}
	if in := spearman([]float64{1, 2, 3, 4, 5}, []float64{1, 4, 9, 16, 25}); in.Value != 1 || in.High > 1 {
		t.Errorf("what rises together has %+v", in)
	}
}

// Without a summary there is no report.
func TestReportOfNothing(t *testing.T) {
	if err := Report(io.Discard, load(t, "testdata/small", Some{}), t.TempDir(), nil, ""); err == nil {
		t.Error("want an error")
	}
}
