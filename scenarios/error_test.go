package scenarios

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/scenarios/internal/mistakes"
	"github.com/smartinco/smartinco/scenarios/strictyaml"
	"github.com/smartinco/smartinco/units"
)

// allMistakes are those of testdata/mistakes.txt and those that are too long for a text.
func allMistakes(t testing.TB) []mistakes.Mistake {
	longPath := strings.Repeat("a.", 20) + "b=1"
	policies := strings.Join(scheduler.Policies.Names(), ", ")
	return append(mistakes.Read(t, "testdata/mistakes.txt"),
		mistakes.Mistake{
			What: "heavy service times",
			Text: minimal + "engine: packet\nvnf: {service: empirical, service_times: [" +
				strings.Repeat("{time: 1us, weight: 1000000000},", 1100) + "]}",
			Want: "t.yaml:3:42: vnf.service_times: found a list, expected weights that sum to at most 1099511627776",
		},
		mistakes.Mistake{
			What: "unknown policy", Text: minimal + "scheduler: {policy: bestfit}",
			Want: `t.yaml:2:21: scheduler.policy: found "bestfit", expected one of ` + policies +
				`, or a mapping from one of them to its options; did you mean best-fit?`,
		},
		mistakes.Mistake{
			What: "deep nesting", Text: minimal + "faults: " + strings.Repeat("[", 17) + strings.Repeat("]", 17),
			Want: "t.yaml:2:25: faults" + strings.Repeat(".0", 16) +
				": found a deeper nesting, expected at most 16 levels",
		},
		mistakes.Mistake{
			What: "long key", Text: minimal + strings.Repeat("k", 129) + ": 1",
			Want: "t.yaml:2:1: found a key of 129 bytes, expected at most 128",
		},
		mistakes.Mistake{
			What: "long path", Text: minimal, Sets: []string{longPath},
			Want: "--set " + longPath + `: found "` + longPath +
				`", expected path=value such as scheduler.limit=12Mpps`,
		})
}

func TestMistakesAreExplained(t *testing.T) {
	for _, m := range allMistakes(t) {
		_, err := Parse("t.yaml", []byte(m.Text), t.TempDir(), m.Sets)
		if err == nil {
			t.Errorf("%s: no error", m.What)
			continue
		}
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: not ErrInvalid", m.What)
		}
		if got := err.Error(); got != m.Want {
			t.Errorf("%s:\n got %s\nwant %s", m.What, got, m.Want)
		}
	}
}

func TestMistakesInAProfileNameItsFile(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "own.yaml")
	if err := os.WriteFile(file, []byte("link: 1\nrules: 3\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err := Parse("t.yaml", []byte("nic: own.yaml\n"+minimal), dir, nil)
	if want := file + `:1:7: link: found "1", expected a bit rate`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if want := file + `:1:1: eswitch_limit: found nothing`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLoadOfAMissingFileSuggestsNames(t *testing.T) {
	_, err := Load("fig9-bestfit", nil)
	if !errors.Is(err, ErrInvalid) || !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(err.Error(), "did you mean fig9-best-fit") {
		t.Errorf("got %v", err)
	}
}

// Whatever the bytes, Parse answers; what it accepts, it writes in a form that reads the same.
func FuzzParse(f *testing.F) {
	for _, m := range allMistakes(f) {
		f.Add([]byte(m.Text), strings.Join(m.Sets, "\n"))
	}
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "scheduler.limit=1Mpps")
	}
	f.Add([]byte("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]"), "")
	f.Fuzz(func(t *testing.T, data []byte, sets string) {
		if len(data) > 4096 || strings.Contains(string(data), "seeds") || strings.Contains(sets, "seeds") {
			return // a study may have many runs
		}
		var ss []string
		if sets != "" {
			ss = strings.Split(sets, "\n")
		}
		study, err := Parse("f.yaml", data, "testdata", ss)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("not ErrInvalid: %v", err)
			}
			return
		}
		s := study.Runs[0].Scenario
		back, err := Parse("back.yaml", s.YAML(), s.dir, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, s.YAML())
		}
		if !reflect.DeepEqual(back.Runs[0].Scenario, s) {
			t.Fatalf("reads back differently:\n%s", s.YAML())
		}
	})
}

// What is wrong may be as long as a file; what is said of it is not.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("9", 1<<20)
	short := func(err error) bool { return err != nil && len(err.Error()) < 6000 }
	for what, text := range map[string]string{
		"number": "vnf: {buffer: " + long + "}",
		"rate":   "scheduler: {limit: " + long + "pps}",
		"text":   "engine: " + long,
		"YAML":   "a: [" + long,
	} {
		if _, err := Parse("t.yaml", []byte(minimal+text), ".", nil); !short(err) {
			t.Errorf("%s: %.200v", what, err)
		}
		if _, err := Parse("t.yaml", []byte(minimal), ".", []string{"duration=" + text}); !short(err) {
			t.Errorf("%s in an override: %.200v", what, err)
		}
	}
}

// A run that ends with its traffic is asked when the traffic is known.
func TestCheckLength(t *testing.T) {
	s := one(t, minimal, "telemetry.window=1ns")
	if err := s.CheckLength(units.Millisecond); err != nil {
		t.Error(err)
	}
	err := s.CheckLength(units.Second)
	want := "unnamed: telemetry.window: found 1ns, expected 10ns or more: " +
		"with this there are 1000000000 windows in 1s, and at most 100000000 are possible"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// Reading ends, whatever stands at the path; a pipe with something in it is as good as a file.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		fifo:        fifo + ": found a pipe into which nobody writes, expected a file",
		"/dev/zero": "/dev/zero: found a device, expected a file",
	} {
		if _, err := strictyaml.ReadFile(path); err == nil || err.Error() != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("got %v, want %s", err, want)
		}
		parse := func(text string, sets ...string) error {
			_, err := Parse("t.yaml", []byte(text), ".", sets)
			return err
		}
		for what, load := range map[string]func() error{
			"scenario":  func() error { _, err := Load(path, nil); return err },
			"overrides": func() error { return parse(minimal, "@"+path) },
			"base":      func() error { return parse("sweep: {base: " + path + "}") },
		} {
			if err := load(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got %v, want %s", what, err, want)
			}
		}
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString(minimal); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if s, err := Load(fmt.Sprintf("/dev/fd/%d", r.Fd()), nil); err != nil || len(s.Runs) != 1 {
		t.Errorf("a pipe that a shell gives: %v", err)
	}
}

// Work grows with the size of the file, whatever its shape.
func TestHostileFilesEndSoon(t *testing.T) {
	for what, text := range map[string]string{
		"aliases":      "a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]",
		"long key":     strings.Repeat("k", 1<<20) + ": [" + strings.Repeat("1,", 1<<18) + "]",
		"many unknown": strings.Repeat("x", 100) + ": [" + strings.Repeat("1,", 1<<18) + "]\n" + minimal,
		"many sources": "workload: [" + strings.Repeat("{},", 1<<16) + "]",
		"deep":         strings.Repeat("[", 9000),
		"huge":         strings.Repeat("#", strictyaml.MaxSize+1),
		"long sweep": "sweep: {seeds: 100000}\nfaults: [" +
			strings.Repeat("{kind: link-down, at: 1s},", 1000) + "]\n" + minimal,
	} {
		if _, err := Parse("t.yaml", []byte(text), ".", nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
