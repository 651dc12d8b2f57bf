package stats

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "renew the golden files")

func setting(name string, values ...float64) Setting {
	s := Setting{Name: name, Values: values}
	for i := range values {
		s.Seeds = append(s.Seeds, strconv.Itoa(i+1))
	}
	return s
}

// Student's drugs and two more: seed by seed, the second drug is better than the first, and one that is the second with
// a little noise is not worse.
func settings() []Setting {
	noisy := slices.Clone(sleepB)
	for i := range noisy {
		noisy[i] += 0.1 * float64(i%3-1)
	}
	return []Setting{setting("drug_1", sleepA...), setting("drug_2", sleepB...), setting("noisy", noisy...),
		setting("none", make([]float64, len(sleepA))...)}
}

func TestRank(t *testing.T) {
	r, err := Rank("sleep", settings(), Options{Confidence: 0.95, Baseline: "none"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, row := range r.Rows {
		names = append(names, row.Name)
	}
	if want := []string{"drug_2", "noisy", "drug_1", "none"}; !slices.Equal(names, want) {
		t.Fatalf("the order is %v, want %v", names, want)
	}
	second, third := r.Rows[1], r.Rows[2]
	if !second.Tie || third.Tie || !third.Behind.Paired {
		t.Errorf("ties %v and %v, want the second alone: %+v", second.Tie, third.Tie, third.Behind)
	}
	near(t, "behind", third.Behind.Value, 1.58, 1e-9)
	near(t, "its low end", third.Behind.Low, 0.7001142, 1e-6)
	near(t, "Holm's p: the second of three", third.Behind.P, min(3*0.00283289, 1), 1e-6) // none's is greater
	near(t, "the regret of the best", r.Rows[0].Regret.Value, -2.33, 1e-9)
	// The least is the best: the same the other way round.
	l, err := Rank("sleep", settings(), Options{Confidence: 0.95, Lower: true})
	if err != nil {
		t.Fatal(err)
	}
	if l.Rows[0].Name != "none" || l.Rows[3].Name != "drug_2" {
		t.Errorf("the least is %s and the greatest %s", l.Rows[0].Name, l.Rows[3].Name)
	}
	near(t, "behind the least", l.Rows[3].Behind.Value, 2.33, 1e-9)
	near(t, "its low end", l.Rows[3].Behind.Low, 0.8976775, 1e-6)
}

// Without common seeds the settings are two samples; with some in common, those are compared.
func TestRankComparesWhatBelongsTogether(t *testing.T) {
	a, b := setting("a", 5, 6, 7, 8), setting("b", 1, 2, 3.5, 4)
	b.Seeds = []string{"5", "6", "7", "8"}
	r, err := Rank("x", []Setting{a, b}, Options{Confidence: 0.95})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "p of two samples apart", r.Rows[1].Behind.P, 2.0/70, 1e-12)
	if r.Rows[1].Behind.Paired || !strings.Contains(strings.Join(r.Notes, " "), "Mann and Whitney") {
		t.Errorf("%+v, %q", r.Rows[1].Behind, r.Notes)
	}
	b.Seeds = []string{"5", "6", "2", "1"} // 4 belongs to 5, and 3.5 to 6
	if r, err = Rank("x", []Setting{a, b}, Options{Confidence: 0.95}); err != nil {
		t.Fatal(err)
	}
	if d := r.Rows[1].Behind; !d.Paired || d.N != 2 || d.Value != (1+2.5)/2 {
		t.Errorf("%+v, want the two pairs", d)
	}
	b.Seeds, b.Values = b.Seeds[:3], b.Values[:3]
	if r, err = Rank("x", []Setting{a, b}, Options{Confidence: 0.95}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(r.Notes, " "), "The numbers of runs differ") {
		t.Errorf("%q", r.Notes)
	}
}

// A deterministic scenario has no interval: its differences are exact, and equal ones are ties.
func TestRankOfADeterministicScenario(t *testing.T) {
	same := []Setting{setting("a", 5, 5), setting("b", 7, 7), setting("c", 7, 7)}
	r, err := Rank("x", same, Options{Confidence: 0.95})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range r.Rows {
		if !math.IsNaN(row.Mean.Low) || !math.IsNaN(row.Behind.P) || i > 0 && !row.Exact || row.Tie != (i == 1) {
			t.Errorf("%d: %+v", i, row)
		}
	}
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "deterministic") ||
		!strings.Contains(r.Notes[0], "Differences are exact") {
		t.Errorf("%q", r.Notes)
	}
	for _, bad := range []struct {
		s []Setting
		o Options
	}{{[]Setting{setting("a", 1)}, Options{}}, {settings(), Options{Baseline: "nobody"}}} {
		if _, err := Rank("x", bad.s, bad.o); err == nil {
			t.Errorf("%v: want an error", bad.o)
		}
	}
}

// The bootstrap's intervals are near Student's, and the same each time.
func TestRankByTheBootstrap(t *testing.T) {
	o := Options{Confidence: 0.95, Bootstrap: true}
	r, err := Rank("sleep", settings(), o)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := Rank("sleep", settings(), o)
	b := r.Rows[2].Behind
	if b != again.Rows[2].Behind || b.Low < 0.7 || b.Low > 1.3 || b.High < 2 || b.High > 3 {
		t.Errorf("%+v and %+v", b, again.Rows[2].Behind)
	}
}

func TestRankingIsWritten(t *testing.T) {
	r, err := Rank("processed", settings(), Options{Confidence: 0.95, Baseline: "none"})
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range Formats {
		var b bytes.Buffer
		if err := r.Write(&b, format, "scheduler.policy"); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", "ranking."+format)
		if *update {
			if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(want, b.Bytes()) {
			t.Errorf("%s differs (%v): go test ./results/stats -update\n%s", path, err, b.Bytes())
		}
	}
}
