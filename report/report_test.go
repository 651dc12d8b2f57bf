package report_test

import (
	"bytes"
	"context"
	"errors"
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/smartinco/smartinco/report"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
)

// study is three flows for three seconds under two schedulers and two seeds.
const study = `
name: three-flows
duration: 3s
instances: {initial: 2, min: 2, max: 3}
workload:
  - cbr: {flows: 3, interval: 1s, rate: 4Mpps}
sweep:
  matrix:
    scheduler.policy: [round-robin, best-fit]
  seeds: 2
`

// recorded runs the study.
func recorded(t *testing.T) (recs []*results.Record) {
	t.Helper()
	st, err := scenarios.Parse("study.yaml", []byte(study), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range st.Runs {
		w, err := r.Scenario.Traffic()
		if err != nil {
			t.Fatal(err)
		}
		m := results.NewMemory()
		if err := sim.Run(t.Context(), r.Scenario, w, fluid.New, m, sim.Options{}); err != nil {
			t.Fatal(err)
		}
		rec, err := m.Record()
		if err != nil {
			t.Fatal(err)
		}
		rec.Dir = "out/" + r.Name
		recs = append(recs, rec)
	}
	return recs
}

func written(t *testing.T, recs []*results.Record) string {
	t.Helper()
	var b bytes.Buffer
	o := report.Options{Title: "Three flows", Version: "1.2.3"}
	if err := report.Write(t.Context(), &b, recs, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Without a script, the page has every run, the keys in which they differ, and their numbers.
func TestTheTableIsHTML(t *testing.T) {
	page := written(t, recorded(t))
	_, body, _ := strings.Cut(page, "<tbody>")
	body, _, _ = strings.Cut(body, "</tbody>")
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, " "))
	var got []string
	for row := range strings.Lines(text) {
		if fields := strings.Join(strings.Fields(row), " "); fields != "" {
			got = append(got, fields)
		}
	}
	// One flow of 4 Mpps for three seconds, one for two, one for one, all forwarded: 24 million packets of 64 B. The
	// packets of a flow's first 300 µs, while its rule is written, are overtaken in part.
	var want []string
	for _, policy := range []string{"round-robin", "best-fit"} {
		for _, seed := range []string{"1", "2"} {
			name := "three-flows-policy=" + policy + "-seed=" + seed
			want = append(want, name+" out/"+name+" "+policy+" "+seed+" 8 4.096 0 0 3 0 3 2981.73")
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if head, _, _ := strings.Cut(page, "<tbody>"); strings.Contains(head, "wait, 99 %") {
		t.Error("a column for waits, which no run measured")
	}
}

func TestThePageNeedsNoNetwork(t *testing.T) {
	page := written(t, recorded(t))
	fetched := regexp.MustCompile(`\b(?:src|href)\s*=\s*["'][^#]|@import|url\(|fetch\(|XMLHttpRequest`)
	if found := fetched.FindString(page); found != "" {
		t.Errorf("the page has %s", found)
	}
}

func TestTheSameRecordsGiveTheSamePage(t *testing.T) {
	recs := recorded(t)
	if first, second := written(t, recs), written(t, recs); first != second {
		t.Error("two pages of the same records differ")
	}
}

// What a record says is text, whatever it looks like.
func TestNamesAreNotMarkup(t *testing.T) {
	recs := recorded(t)[:2]
	const evil = `</script><img src=x onerror=alert(1)>`
	recs[0].Run.Name, recs[1].Dir = evil, evil
	recs[0].Run.Notes = []string{evil}
	if page := written(t, recs); strings.Contains(page, "<img") {
		t.Error("markup in a name got through")
	}
}

func TestARunThatWasKilledSaysSo(t *testing.T) {
	recs := recorded(t)[:1]
	recs[0].Run.Complete = false
	page := written(t, recs)
	if !strings.Contains(page, "killed, or still going") || strings.Contains(page, `<td class="n">`) {
		t.Error("want a run that says why it ended, and that has no totals")
	}
}

func TestErrorsAreTold(t *testing.T) {
	recs := recorded(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := report.Write(ctx, &bytes.Buffer{}, recs, report.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
	recs[1].Run.Scenario = map[string]any{"instances": "many"}
	err := report.Write(t.Context(), &bytes.Buffer{}, recs, report.Options{})
	if err == nil || !strings.Contains(err.Error(), recs[1].Dir) {
		t.Errorf("a scenario that cannot be read: %v; want the record's name", err)
	}
}
