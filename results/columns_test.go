package results

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// documented are the names in the first cells of the tables below a heading of docs/record.md, with the last cell.
func documented(t *testing.T, heading string) map[string]string {
	t.Helper()
	b, err := os.ReadFile("../docs/record.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(b), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("docs/record.md has no section %s", heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	names := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 4 {
			continue
		}
		meaning := strings.TrimSpace(cells[len(cells)-2])
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(cells[1], -1) {
			names[m[1]] = meaning
		}
	}
	return names
}

// Every column of every table has its meaning in docs/record.md, and a value in a golden file: a new one that nobody
// explains, or that nobody asserts, fails here.
func TestEveryColumnIsDocumentedAndAsserted(t *testing.T) {
	for _, e := range exporters {
		section := e.name + ".parquet"
		switch e.name {
		case "decisions":
			section = "events.jsonl"
		case "policy":
			section = "What a policy did"
		case "costs", "reasons":
			section = "What a controller cost"
		}
		says := documented(t, section)
		for _, c := range e.columns {
			if meaning, ok := says[c.name]; e.name != "decisions" &&
				(!ok || meaning == "" && !slices.Contains([]string{"state", "src", "dst"}, c.name)) {
				t.Errorf("%s: the column %s has no meaning in docs/record.md", section, c.name)
			}
		}
		b, err := os.ReadFile(filepath.Join("testdata", e.name+".csv"))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range e.columns {
			if i >= len(rows[0]) || rows[0][i] != c.name {
				t.Errorf("testdata/%s.csv has no column %s", e.name, c.name)
				continue
			}
			if !slices.ContainsFunc(rows[1:], func(row []string) bool {
				return row[i] != "0" && row[i] != "" &&
					row[i] != "NaN"
			}) {
				t.Errorf("testdata/%s.csv: the column %s is 0 in every row: no test would see it missing", e.name,
					c.name)
			}
		}
	}
}

// Every cost is explained.
func TestEveryCostIsDocumented(t *testing.T) {
	says := documented(t, "What a controller cost")
	for _, c := range CostTable {
		if says[c.Name] == "" {
			t.Errorf("docs/record.md does not say what %s is", c.Name)
		}
	}
}

// Every key of run.json is explained.
func TestEveryKeyOfRunJSONIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../docs/record.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## run.json\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, of := range []reflect.Type{reflect.TypeFor[Run](), reflect.TypeFor[Totals](), reflect.TypeFor[Drops](),
		reflect.TypeFor[Check](), reflect.TypeFor[Little](), reflect.TypeFor[Counts](),
		reflect.TypeFor[policy.ScalingCounts](),
		reflect.TypeFor[Requests](), reflect.TypeFor[RequestDelay](), reflect.TypeFor[RequestGroup](),
		reflect.TypeFor[Dispatching](),
		reflect.TypeFor[Rack](), reflect.TypeFor[Content](), reflect.TypeFor[Input](), reflect.TypeFor[Skip]()} {
		for i := range of.NumField() {
			key, _, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(section, "`"+key+"`") {
				t.Errorf("%s: the key %s has no meaning in docs/record.md", of.Name(), key)
			}
		}
	}
}

// Every state of an instance is explained, in the order of its life.
func TestEveryStateIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../docs/record.md")
	if err != nil {
		t.Fatal(err)
	}
	if row := "| `state` | | `" + strings.Join(States, "`, `") + "` |"; !strings.Contains(string(b), "\n"+row+"\n") {
		t.Errorf("docs/record.md has no row %s", row)
	}
}
