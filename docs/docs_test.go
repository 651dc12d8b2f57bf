// Package docs holds what the documentation claims about the code against the code.
package docs

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/plots"
)

const module = "github.com/smartinco/smartinco/"

// imports maps each folder of the module to the folders that its non-test files import.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	graph := map[string][]string{}
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && d.IsDir() && d.Name() != ".." {
			return filepath.SkipDir // another module
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := strings.TrimPrefix(path.Dir(filepath.ToSlash(file)), "../")
		for _, i := range f.Imports {
			p, _ := strconv.Unquote(i.Path.Value)
			if local, ok := strings.CutPrefix(p, module); ok {
				graph[dir] = append(graph[dir], local)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return graph
}

// reaches returns the folders on the way from one folder to one that forbidden matches; nil if there is no way.
func reaches(graph map[string][]string, from string, forbidden func(string) bool, seen map[string]bool) []string {
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, to := range graph[from] {
		if forbidden(to) {
			return []string{from, to}
		}
		if way := reaches(graph, to, forbidden, seen); way != nil {
			return append([]string{from}, way...)
		}
	}
	return nil
}

func under(folders ...string) func(string) bool {
	return func(p string) bool {
		return slices.ContainsFunc(folders, func(f string) bool { return p == f || strings.HasPrefix(p, f+"/") })
	}
}

// below matches what lies in the folder, and not the folder itself.
func below(folder string) func(string) bool {
	return func(p string) bool { return strings.HasPrefix(p, folder+"/") }
}

func TestDependenciesPointOneWay(t *testing.T) {
	graph := imports(t)
	if len(graph) == 0 {
		t.Fatal("no packages found")
	}
	for _, rule := range []struct {
		who, mayNotReach func(string) bool
		why              string
	}{
		{under("orchestrator"), under("sim", "hw", "results", "plots", "cmd"),
			"the orchestrator does not know which plant drives it"},
		{under("orchestrator/policy"), func(p string) bool {
			return p == "orchestrator" || under("orchestrator/scheduler", "orchestrator/autoscaler")(p) ||
				under("scenarios")(p) && p != "scenarios/strictyaml" // whose tags the options have
		}, "a contract does not know who is bound by it"},
		{below("orchestrator/scheduler"), func(p string) bool {
			return p == "orchestrator" || p == "orchestrator/scheduler"
		}, "a policy knows its contract, and not its host"},
		{under("plots"), under("sim", "hw", "cmd"), "figures are made from records alone"},
		{under("report"), under("sim", "hw", "plots", "cmd"), "a page is made from records alone"},
		{under("plots/chart"), func(p string) bool { return p == "plots" || under("results", "scenarios")(p) },
			"who draws does not know what the numbers mean"},
		{under("results"), under("sim", "hw", "cmd"), "a record does not depend on who wrote it"},
		{under("sim"), under("hw", "plots", "cmd"), "a plant writes records and nothing else"},
		{under("hw"), func(p string) bool { return under("sim", "plots", "cmd")(p) && p != "sim/contention" },
			"one plant does not know the other; they share the contention law alone, which is fitted to measurements"},
		{under("hw/ovs", "hw/docker", "hw/trex", "hw/doca", "hw/tc", "hw/standins"),
			func(p string) bool {
				return p == "orchestrator" || under("scenarios", "results", "sim", "plots", "cmd")(p)
			}, "a driver knows the interface that it implements, and neither the run nor the record"},
		{under("scenarios/strictyaml"), func(p string) bool {
			return p == "scenarios" || under("orchestrator", "traces", "results")(p)
		}, "who reads YAML strictly does not know what it says"},
		{under("flow", "units", "numeric"),
			under("orchestrator", "sim", "hw", "results", "plots", "scenarios", "traces", "cmd"),
			"the shared words stand alone"},
		{func(p string) bool { return !under("hw/internal")(p) }, under("internal"), // of hw, also a helper of tests
			"what tests want of a machine, programs do not"},
		{under("study"), under("plots", "cmd"),
			"a study leaves records; the command line says what is drawn from them"},
		{func(p string) bool { return !under("study", "cmd")(p) }, under("study", "cmd"),
			"the command line alone runs studies"},
	} {
		for _, dir := range slices.Sorted(maps.Keys(graph)) {
			if !rule.who(dir) {
				continue
			}
			if way := reaches(graph, dir, rule.mayNotReach, map[string]bool{}); way != nil {
				t.Errorf("%s: %s", strings.Join(way, " imports "), rule.why)
			}
		}
	}
}

var (
	link    = regexp.MustCompile(`\]\(([^)#: ]*)(?:#([^)]*))?\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.*)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are the names by which the headings of a page are linked to, as GitHub makes them.
func anchors(page []byte) map[string]bool {
	names := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(string(page), -1) {
		name := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		for n, first := 1, name; names[name]; n++ {
			name = fmt.Sprintf("%s-%d", first, n)
		}
		names[name] = true
	}
	return names
}

func TestLinksLeadSomewhere(t *testing.T) {
	for _, file := range files(t, func(f string) bool { return path.Ext(f) == ".md" && free(f) != nil }) {
		for _, m := range link.FindAllStringSubmatch(string(read(t, file)), -1) {
			to, anchor := path.Join(path.Dir(file), m[1]), m[2]
			if m[1] == "" {
				to = file
			}
			if _, err := os.Stat(filepath.Join("..", to)); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
				continue
			}
			if anchor != "" && path.Ext(to) == ".md" && !anchors(read(t, to))[anchor] {
				t.Errorf("%s links to %s#%s, and no heading there makes that name", file, m[1], anchor)
			}
		}
	}
}

// Who looks for a figure finds what it shows and what it is drawn from.
func TestEveryFigureIsDocumented(t *testing.T) {
	page := string(read(t, "docs/figures.md"))
	for _, f := range plots.Figures() {
		if !strings.Contains(page, "\n| `"+f.ID+"` | ") {
			t.Errorf("docs/figures.md: the table of figures has no row for %s: want one", f.ID)
		}
	}
}
