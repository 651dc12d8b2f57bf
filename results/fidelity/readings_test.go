package fidelity

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/big"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// inMemory runs built-in studies.
func inMemory(ctx context.Context, name string, sets []string) ([]*results.Record, error) {
	st, err := scenarios.Load(name, sets)
	if err != nil {
		return nil, err
	}
	return study.Memory(ctx, st)
}

// resolved are the scenarios of a study's runs, with all their keys.
func resolved(t *testing.T, name string, sets []string) (all []any) {
	t.Helper()
	st, err := scenarios.Load(name, sets)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range st.Runs {
		var v any
		if err := json.Unmarshal(r.Scenario.Resolved(), &v); err != nil {
			t.Fatal(err)
		}
		all = append(all, v)
	}
	return all
}

func TestQuestionsAreWhole(t *testing.T) {
	entries, err := Published()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range Questions {
		if q.Name == "" || q.Asks == "" || len(q.Answers) < 2 || q.Answers[0].Departs != "" {
			t.Errorf("question %q (%s) has %d answers, the first instead of %q", q.Name, q.Asks, len(q.Answers),
				q.Answers[0].Departs)
		}
		names := map[string]bool{}
		for _, a := range q.Answers {
			if names[a.Name] || a.Name == "" || a.Says == "" || len(a.Sets) == 0 {
				t.Errorf("%s: answer %+v", q.Name, a)
			}
			names[a.Name] = true
			for _, f := range a.Fits {
				for _, id := range f.Entries {
					if !slices.ContainsFunc(entries, func(e Entry) bool { return e.ID == id }) {
						t.Errorf("%s, %s: %s is fitted to %s, which is not published", q.Name, a.Name, f.Parameter, id)
					}
				}
			}
		}
	}
}

// The built-in scenarios of the figures state the default reading, all the same one.
func TestTheFiguresShareOneReading(t *testing.T) {
	for name, like := range map[string]string{"fig6": "fig6", "fig7": "fig7", "fig8": "fig9", "fig9": "fig9",
		"fig9-best-fit": "fig9", "fig9-round-robin": "fig9", "fig9-worst-fit": "fig9", "fig10": "fig10"} {
		if !reflect.DeepEqual(resolved(t, name, nil), resolved(t, name, Default.Sets(like))) {
			t.Errorf("%s does not have the reading %s", name, Default)
		}
	}
}

// A record tells which answers it gives, whatever the answer.
func TestEveryAnswerIsFoundInItsScenario(t *testing.T) {
	for i, q := range Questions {
		for k, a := range q.Answers {
			r := slices.Clone(Default)
			r[i] = k
			sc := resolved(t, "fig9", r.Sets("fig9"))[0]
			for other, b := range q.Answers {
				states := !slices.ContainsFunc(b.Sets, func(s string) bool { return !states(sc, s) })
				if states != (other == k) {
					t.Errorf("%s: the scenario of %q states %q: %v", q.Name, a.Name, b.Name, states)
				}
			}
			fitted := 0
			for _, b := range r.answers() {
				fitted += len(b.Fits)
			}
			if got := fitsOf(&results.Record{Run: results.Run{Scenario: sc}}); len(got) != fitted {
				t.Errorf("%s: %q: found %d of %d fits", q.Name, a.Name, len(got), fitted)
			}
			// What the page gives to be typed makes the same scenario.
			if beyond := resolved(t, "fig9", r.beyond(Default))[0]; !reflect.DeepEqual(beyond, sc) {
				t.Errorf("%s: %q: the overrides %s make another scenario", q.Name, a.Name, r.beyond(Default))
			}
		}
	}
}

// Runs that are not the built-in figures are said to be others, by what they answer instead.
func TestOtherReadingsAreNamed(t *testing.T) {
	for _, c := range []struct {
		sets []string
		want []string
	}{
		{nil, nil},
		{[]string{"duration=100s"}, nil}, // no question asks for it
		{before.Sets("fig9"), []string{"share: reserved", "metric: offered", "demand: mean",
			"autoscaler: target 50 %, offered", "capacity: law, C(4) = 10.5"}},
		{[]string{"vnf.contention.sigma=0.5"}, []string{"capacity: none of the answers below"}},
	} {
		sc := resolved(t, "fig9", c.sets)[0]
		recs := Records{"fig9": {{Run: results.Run{Scenario: sc}}}}
		got := Other(recs)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.sets, got, c.want)
		}
		rows, err := Compare(asPublished(t))
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		page := Page{Comparisons: []Comparison{{Engine: "fluid", Rows: rows, Other: got}}}
		if err := page.WriteMarkdown(&b); err != nil {
			t.Fatal(err)
		}
		text := strings.Join(strings.Fields(b.String()), " ")
		_, said, _ := strings.Cut(text, "another reading of the thesis: ")
		if c.want == nil && said != "" || !strings.HasPrefix(said, strings.Join(c.want, "; ")) {
			t.Errorf("%s: the page says of the reading %.80q", c.sets, said)
		}
	}
	if Other(Records{}) != nil {
		t.Error("another reading of no runs")
	}
}

// 1 + 3σ + 12κ = 25/10.7 and 1 + 7σ + 56κ = 25/5.25 have the solution that Questions states, and its digits suffice.
func TestTheLawThroughTheGain(t *testing.T) {
	sigma, kappa := big.NewRat(5561, 15729), big.NewRat(241, 10486)
	inverse := func(n int64) *big.Rat { // one over C(n), in 1/(25 Mpps)
		one, a, b := big.NewRat(1, 1), big.NewRat(n-1, 1), big.NewRat(n*(n-1), 1)
		return one.Add(one, a.Mul(a, sigma)).Add(one, b.Mul(b, kappa))
	}
	if got := inverse(4); got.Cmp(big.NewRat(250, 107)) != 0 {
		t.Errorf("25/C(4) is %s", got)
	}
	if got := inverse(8); got.Cmp(big.NewRat(200, 42)) != 0 {
		t.Errorf("25/C(8) is %s", got)
	}
	s, _ := sigma.Float64()
	k, _ := kappa.Float64()
	for _, sc := range resolved(t, "fig9", nil) {
		law := at(sc, "vnf", "contention")
		if d := math.Abs(at(law, "sigma").(float64) - s); d > 1e-10 {
			t.Errorf("sigma is %g off", d)
		}
		if d := math.Abs(at(law, "kappa").(float64) - k); d > 1e-10 {
			t.Errorf("kappa is %g off", d)
		}
	}
	if a, b := throughC4(10.7); math.Abs(a-s) > 1e-15 || math.Abs(b-k) > 1e-15 {
		t.Errorf("solved are %v and %v, want %v and %v", a, b, s, k)
	}
}

func TestAllReadings(t *testing.T) {
	all, n := All(), 1
	for _, q := range Questions {
		n *= len(q.Answers)
	}
	if len(all) != n {
		t.Fatalf("%d readings, want %d", len(all), n)
	}
	if !slices.IsSortedFunc(all, func(a, b Reading) int { return slices.Compare(a, b) }) {
		t.Error("they are not in order")
	}
	if !slices.ContainsFunc(all, func(r Reading) bool { return slices.Equal(r, Default) }) {
		t.Error("the default is not among them")
	}
}

// rowsWith are an entry of each kind, with verdicts.
func rowsWith(verdicts ...string) (rows []Row) {
	for i, id := range []string{"fig6-capacity", "fig7-per-vnf", "fig9-bf-gain", "fig9-plateau", "fig8-rr"} {
		r := Row{Entry: Entry{ID: id}, Verdict: verdicts[i], Published: 10, Value: 11}
		if id == "fig8-rr" {
			r.Published, r.Value = math.NaN(), math.NaN()
		}
		rows = append(rows, r)
	}
	return rows
}

func TestScore(t *testing.T) {
	const yes, no = "agrees", "differs"
	for _, c := range []struct {
		what                string
		reading             Reading
		rows                []Row
		score, strict, wary int
	}{
		{"all agree, three parameters for three entries, a fourth for none of these", before,
			rowsWith(yes, yes, yes, yes, yes), 1, 2, 1},
		{"the same, and the gain is fitted too", before.with("capacity", "law, C(4) = 10.7"),
			rowsWith(yes, yes, yes, yes, yes), 1, 1, 0},
		{"a parameter less", before.with("capacity", "constant sum"), rowsWith(yes, yes, yes, yes, yes), 2, 3, 1},
		{"an answer against the text", before.with("autoscaler", "hottest above 10 Mpps, offered"),
			rowsWith(yes, yes, yes, yes, yes), 0, 1, 0},
		{"an answer where the text is silent", before.with("share", "pooled"),
			rowsWith(yes, yes, yes, yes, yes), 1, 2, 0},
		{"what differs earns nothing", before, rowsWith(yes, no, no, yes, no), -2, 0, -2},
	} {
		r := Ranked{Reading: c.reading, Rows: c.rows}
		r.count()
		if r.Score() != c.score || r.Strict() != c.strict || r.Wary() != c.wary || r.Misfit != 0.4 {
			t.Errorf("%s: score %d, strict %d, wary %d, misfit %g; want %d, %d, %d, 0.4", c.what, r.Score(), r.Strict(),
				r.Wary(), r.Misfit, c.score, c.strict, c.wary)
		}
	}
}

// Entries that agree only as they were read before count for the lenient score, and for no other.
func TestLenient(t *testing.T) {
	onlyThen := func(rows []Row) (ids []string) {
		for _, r := range rows {
			if r.lenient && r.Verdict == "differs" {
				ids = append(ids, r.ID)
			}
		}
		return ids
	}
	// Schedulers that lie apart, but not in the mean, and as many instances as published at one of two sizes.
	recs := asPublished(t)
	recs["fig9"] = nil
	for policy, served := range map[string]float64{"round-robin": 43, "best-fit": 44.5, "worst-fit": 39} {
		recs["fig9"] = append(recs["fig9"], made(t, scenarioOf(policy, "64B", 3),
			[]results.Window{window(1, 148, served, 32, 8, 8)}, []results.Instance{instanceOf(1, 1, 4)}))
	}
	recs["fig10"] = slices.Insert(recs["fig10"], 0, made(t, scenarioOf("round-robin", "1500B", 3),
		[]results.Window{window(1, 8, 8, 32, 4, 3)}, nil))
	apart, err := Compare(recs)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"fig9-plateau", "fig9-bf-gain", "fig9-loss", "fig9-rr-stable", "fig10-instances"}
	if ids := onlyThen(apart); !slices.Equal(ids, want) {
		t.Errorf("of runs that are published but for what has become stricter, %q agree as before; want %q", ids, want)
	}
	even := before.with("share", "pooled").with("demand", "zero").with("capacity", "constant sum")
	for _, c := range []struct {
		reading Reading
		only    []string
	}{
		{before, nil},
		{Default, []string{"fig9-rr-stable"}},
		{even, []string{"fig9-rr-stable", "fig8-bf"}}, // Best-Fit's instances all end with the same
	} {
		r, err := c.reading.assess(t.Context(), inMemory)
		if err != nil {
			t.Fatal(err)
		}
		if ids := onlyThen(r.Rows); !slices.Equal(ids, c.only) || r.Lenient() != r.Score()+len(c.only) {
			t.Errorf("%s: %q agree only as before, score %d, lenient %d", c.reading, ids, r.Score(), r.Lenient())
		}
	}
}

// The order does not depend on how many run at a time; studies that some questions do not touch are run once.
func TestRank(t *testing.T) {
	some := []Reading{before, Default, Default.with("nofit", "queue"), Default.with("nofit", "reject")}
	var fig7 atomic.Int64
	counting := func(ctx context.Context, name string, sets []string) ([]*results.Record, error) {
		if name == "fig7" {
			fig7.Add(1)
		}
		return inMemory(ctx, name, sets)
	}
	var last atomic.Value
	one, err := Rank(t.Context(), some, counting, 1, func(done float64) { last.Store(done) })
	if err != nil {
		t.Fatal(err)
	}
	if n := fig7.Load(); n != 2 || last.Load() != 4.0 {
		t.Errorf("figure 7 was run %d times for two laws, %v readings are done", n, last.Load())
	}
	slices.Reverse(some)
	four, err := Rank(t.Context(), some, inMemory, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := errors.Join(WriteRankingCSV(&a, one), WriteRankingCSV(&b, four)); err != nil || a.String() != b.String() {
		t.Errorf("in another order: %v\n%s\n%s", err, a.String(), b.String())
	}
	if lines, err := csv.NewReader(&a).ReadAll(); err != nil || len(lines) != 1+len(some) {
		t.Errorf("%d lines for %d readings: %v", len(lines), len(some), err)
	}
	if groups := fold(one); len(groups) != 2 || groups[0].n != 3 || groups[1].n != 1 {
		t.Errorf("%d groups; want the default whatever is done with what fits nowhere, and the one before", len(groups))
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Rank(ctx, some, inMemory, 2, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
	broken := errors.New("broken")
	_, err = Rank(t.Context(), some, func(context.Context, string, []string) ([]*results.Record, error) {
		return nil, broken
	}, 2, nil)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "reading share: ") {
		t.Errorf("a runner that fails: %v", err)
	}
}

// No reading that differs from the default in at most two answers has a better score.
func TestTheDefaultIsFirstAmongItsNeighbours(t *testing.T) {
	if testing.Short() {
		t.Skip("some hundred readings")
	}
	var near []Reading
	for _, r := range All() {
		apart := 0
		for i := range r {
			if r[i] != Default[i] {
				apart++
			}
		}
		if apart <= 2 {
			near = append(near, r)
		}
	}
	ranked, err := Rank(t.Context(), near, inMemory, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	own := slices.IndexFunc(ranked, func(r Ranked) bool { return slices.Equal(r.Reading, Default) })
	if best := ranked[0]; best.Score() > ranked[own].Score() || best.Misfit < ranked[own].Misfit &&
		best.Score() == ranked[own].Score() {
		t.Errorf("%s has the score %d and the misfit %g; the default has %d and %g", best.Reading, best.Score(),
			best.Misfit, ranked[own].Score(), ranked[own].Misfit)
	}
}

// The product gives the numbers of a model that was written apart from it, as close as that states them.
func TestTheIndependentModel(t *testing.T) {
	outcomes, err := Outcomes(t.Context(), inMemory, nil)
	if err != nil {
		t.Fatal(err)
	}
	page := Page{Outcomes: outcomes}
	lines, err := csv.NewReader(strings.NewReader(independentModel)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines[1:] {
		ours := page.outcome(line[0]).beside()
		for i, cell := range line[1:] {
			theirs, err := strconv.ParseFloat(cell, 64)
			if err != nil && cell != "" {
				t.Fatal(err)
			}
			if cell != "" && !(math.Abs(ours[i]-theirs) <= tolerance) {
				t.Errorf("%s: %s is %g, want %s", line[0], lines[0][i+1], ours[i], cell)
			}
		}
	}
}

func TestReadingsGolden(t *testing.T) {
	outcomes, err := Outcomes(t.Context(), inMemory, nil)
	if err != nil {
		t.Fatal(err)
	}
	span, err := Span(t.Context(), inMemory)
	if err != nil {
		t.Fatal(err)
	}
	ranking, err := Rank(t.Context(), []Reading{before, Default}, inMemory, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	page := Page{[]Comparison{{Engine: "fluid", Rows: ranking[0].Rows}}, outcomes, span, ranking}
	got := string(golden(t, "readings.md", page.WriteMarkdown))
	docs, err := os.ReadFile("../../docs/fidelity.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range [][2]string{{"\n## What was fitted", "\n## Entry by entry"},
		{"\n## Where the published", "\n## All readings, ranked"}} {
		_, text, _ := strings.Cut(got, s[0])
		if text, _, _ = strings.Cut(text, s[1]); text == "" || !strings.Contains(string(docs), text) {
			t.Errorf("docs/fidelity.md has not what is written now from %q on: make it again", s[0])
		}
	}
	table := golden(t, "readings.csv", func(w io.Writer) error { return WriteReadingsCSV(w, outcomes) })
	if n := bytes.Count(table, []byte("\n")); n != 1+3*len(outcomes) {
		t.Errorf("readings.csv has %d lines for %d readings", n, len(outcomes))
	}
}
