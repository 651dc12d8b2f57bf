package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables of docs/policies.md anew")

// The tables of docs/policies.md stand between marks and are the program's.
func TestTheDocumentedPoliciesAreThePrograms(t *testing.T) {
	const page = "../../docs/policies.md"
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, table := range policyTables() {
		begin, end := "<!-- "+table.Key+": go test ./cmd/smartinco -update -->\n", "<!-- end -->\n"
		before, rest, begins := strings.Cut(text, begin)
		found, after, ends := strings.Cut(rest, end)
		if !begins || !ends {
			t.Fatalf("%s has no table between %q and %q", page, begin, end)
		}
		want := table.markdown()
		if found != want && !*update {
			t.Errorf("%s has another table: go test ./cmd/smartinco -update\ngot\n%s\nwant\n%s", page, found, want)
		}
		text = before + begin + want + end + after
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// markdown is the table in which the policies stand side by side. A column that none of them fills is left out.
func (t *policyTable) markdown() string {
	columns := []struct {
		head string
		cell func(*policy) string
	}{
		{"`" + t.Key + "`", func(p *policy) string { return "`" + p.Name + "`" }},
		{"family", func(p *policy) string { return p.Family }},
		{"unit", func(p *policy) string { return p.Unit }},
		{"rule", func(p *policy) string { return p.Description }},
		{"sees", func(p *policy) string { return strings.Join(p.Telemetry, " ") }},
		{"cost", func(p *policy) string { return p.Cost }},
		{"source", func(p *policy) string { return p.Source }},
		{"options", func(p *policy) string { return t.reference(p) }},
	}
	var head, line string
	rows := make([]string, len(t.Policies))
	for _, c := range columns {
		filled := false
		for i := range t.Policies {
			filled = filled || c.cell(&t.Policies[i]) != ""
		}
		if !filled {
			continue
		}
		head, line = head+"| "+c.head+" ", line+"|---"
		for i := range t.Policies {
			rows[i] += strings.TrimRight("| "+strings.ReplaceAll(c.cell(&t.Policies[i]), "|", `\|`), " ") + " "
		}
	}
	return head + "|\n" + line + "|\n" + strings.Join(rows, "|\n") + "|\n"
}

// reference says how many options the policy has, with a link to where they are documented.
func (t *policyTable) reference(p *policy) string {
	if len(p.Options) == 0 {
		return ""
	}
	anchor := func(section string) string { return regexp.MustCompile(`[^a-z0-9_-]`).ReplaceAllString(section, "") }
	to := anchor(strings.TrimSuffix(t.Key, ".policy"))
	if p.Below {
		to = anchor(t.Key + "." + p.Name)
		same := 0 // headings before that make the same name, as rss does before rss++
		for i := 0; t.Policies[i].Name != p.Name; i++ {
			if q := &t.Policies[i]; q.Below && len(q.Options) > 0 && anchor(t.Key+"."+q.Name) == to {
				same++
			}
		}
		if same > 0 {
			to = fmt.Sprintf("%s-%d", to, same)
		}
	}
	return fmt.Sprintf("[%d](scenarios.md#%s)", len(p.Options), to)
}

// A page on a policy leaves nothing out that its row says.
func TestAPageSaysAllThatTheRowSays(t *testing.T) {
	for _, table := range policyTables() {
		for _, p := range table.Policies {
			var b strings.Builder
			p.page(&b)
			got := strings.Join(strings.Fields(b.String()), " ")
			want := append([]string{p.Name, p.Family, p.Description, p.Source, p.Score, p.State, p.Cost,
				cmp.Or(p.Deviates, "nowhere")}, append(p.Reasons, p.Counters...)...)
			want = append(want, strings.Split(p.Unit, ", ")...)
			for _, o := range p.Options {
				want = append(want, o.Name, o.Value, o.Default, o.Doc)
			}
			for _, w := range append(want, p.Telemetry...) {
				if !strings.Contains(got, strings.Join(strings.Fields(w), " ")) {
					t.Errorf("the page on %s does not say %q:\n%s", p.Name, w, b.String())
				}
			}
			for line := range strings.Lines(b.String()) {
				if len([]rune(line)) > 121 {
					t.Errorf("the page on %s has a line of %d characters: %s", p.Name, len(line), line)
				}
			}
		}
	}
}
