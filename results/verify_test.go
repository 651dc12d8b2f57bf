package results

import (
	"bytes"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// testdata/format-2 is the record of a run by the last version that logged every stage of an evaluation: two instances
// at most, a load that grows, and a link that goes down.
const format2 = "testdata/format-2"

// A record of format 2 verifies, and says of the autoscaler what it always did.
func TestARecordOfFormat2(t *testing.T) {
	v, err := VerifyDir(t.Context(), format2, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.Events != 37 || v.Actions != 34 || v.Decisions != 39 || v.Difference != nil || v.Miscounted != "" {
		t.Errorf("%+v, want 37 events, 34 actions and 39 decisions without a difference", v.Verification)
	}
	rec, err := Open(format2)
	if err != nil {
		t.Fatal(err)
	}
	got, err := rec.Evaluations()
	if err != nil {
		t.Fatal(err)
	}
	const within = "no lower than the highest recommendation of the last 2s"
	if want := []Evaluation{
		{1 * units.Second, 1, 2, "", "5.6 Mpps at 4 Mpps each"},
		{2 * units.Second, 2, 2, "clamp", "at most 2"},
		{3 * units.Second, 2, 2, "clamp", "at most 2"},
		{4 * units.Second, 2, 2, "", "within the tolerance of the target"},
		{5 * units.Second, 2, 2, "stabilise", within},
		{6 * units.Second, 2, 1, "clamp", "at least 1"},
		{7 * units.Second, 1, 1, "clamp", "at least 1"},
		{8 * units.Second, 1, 1, "clamp", "at least 1"},
	}; !slices.Equal(got, want) {
		t.Errorf("evaluations\n%+v, want\n%+v", got, want)
	}
}

// What a record of format 2 says otherwise than the orchestrator is found: only stages without an effect are passed
// over, and only in such a record.
func TestDifferencesInARecordOfFormat2(t *testing.T) {
	idle := `{"t_ps":1000000000000,"decision":"clamp","current":1,"desired":2,"reason":"unchanged"}` + "\n"
	for _, c := range []struct {
		name      string
		format    int
		find, put string
		at        units.Time // of the difference
	}{
		{"an idle stage less", 2, idle, "", 0},
		{"a stage that did nothing", 2, `"current":2,"desired":2,"reason":"at most 2"`,
			`"current":2,"desired":3,"reason":"at most 2"`, 2 * units.Second},
		{"a stage with an effect that had none", 2, idle, `{"t_ps":1000000000000,"decision":"clamp","current":1,` +
			`"desired":1,"reason":"at most 1"}` + "\n", units.Second},
		{"idle stages in a record of format 3", 3, idle, idle, units.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := os.ReadFile(filepath.Join(format2, logName))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(b, []byte(c.find)) {
				t.Fatalf("the log has no %s", c.find)
			}
			b = bytes.Replace(b, []byte(c.find), []byte(c.put), 1)
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, logName), b, 0o644); err != nil {
				t.Fatal(err)
			}
			rec, err := Open(format2)
			if err != nil {
				t.Fatal(err)
			}
			rec.Run.Format = c.format
			sum := crc32.New(castagnoli)
			sum.Write(b)
			rec.src = tables{t.Context(), dir, nil, &Content{int64(len(b)), checksum(sum)}}
			sc, err := scenarios.FromRecord(format2, rec.Run.Scenario, rec.Run.Seed)
			if err != nil {
				t.Fatal(err)
			}
			v, err := rec.Verify(sc.Orchestrator())
			if err != nil {
				t.Fatal(err)
			}
			if d := v.Difference; (d == nil) != (c.at == 0) || d != nil && d.At != c.at {
				t.Errorf("%+v, want a difference at %v", d, c.at)
			}
		})
	}
}
