package plots

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Policies are ordered by throughput, told apart by the options in which they differ, and called less only where they
// are under every seed.
func TestPoliciesSideBySide(t *testing.T) {
	c, notes, err := contend(madeUp(t)["compare"], (*data).scheduling)
	if err != nil || len(notes) > 0 {
		t.Fatal(err, notes)
	}
	c.rank()
	var got []string
	for _, c := range c.all {
		name := c.name
		if c.less {
			name += ": less"
		}
		got = append(got, name)
	}
	want := []string{"worst-fit", "best-fit", "rss++: less", "maglev, table 65537: less", "maglev, table 251: less"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTheComparisonAsATable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "compare.md")
	if err := drawn(t, "compare", madeUp(t)["compare"], Options{}).Save(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head := "| | throughput (Mpps) | loss (% of packets) | wait, 99 % (ms) | flows moved (count) | " +
		"rules written (count) |\n"
	want := head + `|---|---:|---:|---:|---:|---:|
| **worst-fit** | 41.07 (40.1 to 42.1) | 17.87 (15.8 to 19.8) | 80 | 0 | 32 |
| **best-fit** | 41 (40 to 42) | 18 (16 to 20) | 90 | 0 | 32 |
| rss++ | 40 (39 to 41) | 20 (18 to 22) | 40 | 1000 | 1032 |
| maglev, table 65537 | 39 (38 to 40) | 22 (20 to 24) | 100 | 0 | 32 |
| maglev, table 251 | 31 (30 to 32) | 38 (36 to 40) | 2000 | 0 | 32 |
`
	if string(b) != want {
		t.Errorf("got\n%swant\n%s", b, want)
	}
	if err := drawn(t, "fig9", madeUp(t)["fig9"], Options{}).Save(path); !errors.Is(err, ErrRequest) {
		t.Errorf("figure 9 as a table: %v", err)
	}
}

// A measure that is 0 for all has no panel, and neither has one that nobody measured.
func TestEmptyPanelsAreLeftOut(t *testing.T) {
	var ds []data
	for _, d := range madeUp(t)["compare"] {
		if d.run.Totals.Moves == 0 {
			d.delays = nil
			ds = append(ds, d)
		}
	}
	got := table(t, drawn(t, "compare", ds, Options{}))
	if strings.Contains(got, "Wait") || strings.Contains(got, "moved") || !strings.Contains(got, "(c) Rules written") {
		t.Error(got)
	}
}

// Records of different loads are not set side by side.
func TestUnlikeRecordsAreNotCompared(t *testing.T) {
	m := madeUp(t)
	for want, ds := range map[string][]data{
		"differ in instances.initial": append(m["fig7"], m["fig9"]...),
		"all records are of":          m["fig9"][:1],
		"did not reach its end": func() []data {
			d := m["fig9"][0]
			d.run.Complete = false
			return []data{d}
		}(),
	} {
		if _, err := drawFrom("compare", ds, Options{}); !errors.Is(err, ErrRequest) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("want %s: %v", want, err)
		}
	}
}

// The regret is the packets that a policy lacks to the oracle under the same seed, which may be none.
func TestRegret(t *testing.T) {
	var ds []data
	for seed, mpps := range []float64{40, 44} {
		ds = append(ds, aContender(t, "oracle", uint64(seed), mpps, 0, 90),
			aContender(t, "best-fit", uint64(seed), 0.95*mpps, 0, 90),
			aContender(t, "rss", uint64(seed), mpps+4, 0, 90))
	}
	holds(t, drawn(t, "compare", slices.Clone(ds), Options{}), "(c) Regret,dots,best-fit,5,0.5,5,5,2,",
		"(c) Regret,dots,oracle,0,1.5,", "(c) Regret,dots,rss,-9.545454545,2.5,-10,-9.09090909")
	without := slices.DeleteFunc(ds, func(d data) bool { return d.scheduler == "oracle" })
	if strings.Contains(table(t, drawn(t, "compare", without, Options{})), "oracle") {
		t.Error("a regret without an oracle")
	}
	scaled := controllers(t)
	for i := range scaled { // hpa is the oracle in one of the stacks
		if d := &scaled[i]; d.autoscaling() == "hpa" && d.stack == "smartnic" {
			d.scenario.Autoscaler.Policy.Name = "oracle"
		}
	}
	got := table(t, drawn(t, "compare", scaled, Options{}))
	if !strings.Contains(got, `Regret,dots,"kpa, smartnic",`) ||
		strings.Contains(got, `Regret,dots,"kpa, kubernetes",`) {
		t.Errorf("the oracle of one stack is that of another:\n%s", got)
	}
}

// The legend says how often chance alone makes a dot hollow.
func TestHollowDotsSayWhatChanceDoes(t *testing.T) {
	for seeds, want := range map[int]string{
		1: "less; with one seed that may be chance", 3: "less under every seed; by chance in up to 1 of 8 cases",
		11: "less under every seed",
	} {
		var ds []data
		for seed := range uint64(seeds) {
			ds = append(ds, aContender(t, "best-fit", seed, 40, 0, 90), aContender(t, "rss", seed, 30, 0, 90))
		}
		s := drawn(t, "compare", ds, Options{}).page.Rows[0][0].Series
		if got := s[1].Name; got != want {
			t.Errorf("%d seeds: %q, want %q", seeds, got, want)
		}
	}
}
