package results

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"
)

// foreignTable is a Parquet file of another program.
func foreignTable(tb testing.TB) string {
	tb.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[Window](&b, parquet.CreatedBy("pandas", "2", "0"))
	if _, err := w.Write(make([]Window, 3)); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

// Create deletes what this program wrote, on request, and nothing else: not even under a name of its own.
func TestOverwriting(t *testing.T) {
	whole := files(t, written(t, 3))
	const old = "{\n  \"format\": 1,\n  \"name\": \"of an older version\"\n}"
	const killed = "{\n  \"format\": 2,\n  \"name\": \"fig9\"\n}"
	no := func(name string) string { return "holds " + name + ", which this program did not write" }
	tests := []struct {
		name      string
		files     map[string]string
		overwrite bool
		want      string // in the error; empty for success
	}{
		{"an empty directory", nil, false, ""},
		{"a record", whole, false, "already holds a record"},
		{"a record, on request", whole, true, ""},
		{"a record of an older version, on request",
			map[string]string{runName: old, logName: whole[logName], windowsName: whole[windowsName]}, true, ""},
		{"what a kill left, on request", map[string]string{runName: killed, runName + temp: killed + "\x00\x00",
			journalName: journalMagic, logName: `{"t_`,
			windowsName + temp: "PAR1", flowsName + temp: "PA", hostName + temp: "",
			lockName: lockMagic + "process 1\n"}, true, ""},
		{"what a kill left of a record, on request",
			map[string]string{windowsName: whole[windowsName], flowsName: "", hostName: whole[hostName]}, true, ""},
		{"a damaged table of a record, on request",
			map[string]string{runName: whole[runName], logName: whole[logName], windowsName: whole[windowsName][:90]},
			true, ""},
		{"another file", map[string]string{runName: whole[runName], "thesis.tex": "x"}, true,
			"holds thesis.tex, which is not part of a record"},
		{"a name with control characters", map[string]string{"\x1b[2J": "x"}, true, `holds "\x1b[2J", which`},
		{"another's run.json", map[string]string{runName: `{"scripts": {}}`}, true, "format is 0, want 1 to 3"},
		{"another's run.json with the same key", map[string]string{runName: `{"format": 1}`}, true, no(runName)},
		{"a record of a newer version", map[string]string{runName: "{\n  \"format\": 4}"}, true,
			"format is 4, want 1 to 3"},
		{"another's host.json", map[string]string{hostName: `{"hosts": ["a"]}`}, true, no(hostName)},
		{"another's host.json in a record", map[string]string{runName: whole[runName], hostName: `{"hosts": ["a"]}`},
			true, no(hostName)},
		{"another's log", map[string]string{logName: `{"time": 1}` + "\n"}, true, no(logName)},
		{"another's table", map[string]string{windowsName: foreignTable(t)}, true, no(windowsName)},
		{"another's table in a killed record", map[string]string{runName: killed, latencyName: foreignTable(t)}, true,
			no(latencyName)},
		{"another's table in a record's place", map[string]string{runName: whole[runName], logName: whole[logName],
			windowsName: foreignTable(t)}, true, no(windowsName)},
		{"another's table under a name in the making",
			map[string]string{runName: whole[runName], windowsName + temp: foreignTable(t)}, true,
			no(windowsName + temp)},
		{"another's journal", map[string]string{journalName: "Dear diary"}, true, no(journalName)},
		{"another's temporary file", map[string]string{flowsName + temp: "x"}, true, no(flowsName + temp)},
		{"another's lock", map[string]string{lockName: "4711\n"}, true, "not a lock of this program"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, b := range test.files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(b), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			w, err := Create(dir, *fig9(), Options{Overwrite: test.overwrite})
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
					t.Errorf("error %v, want %q and the directory", err, test.want)
				}
				if d := cmp.Diff(test.files, files(t, dir)); d != "" {
					t.Errorf("the directory changed: %s", d)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if rec := open(t, dir); rec.Run.Complete {
				t.Error("the new record is complete before its run")
			}
			play(t, w, 3)
			if got := len(files(t, dir)); got != 6 {
				t.Errorf("%d files, want 6", got)
			}
		})
	}
}

func TestWhatIsNoFileIsNoPartOfARecord(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"a link":      func(path string) error { return os.Symlink("/nowhere", path) },
		"a pipe":      func(path string) error { return syscall.Mkfifo(path, 0o666) },
		"a directory": func(path string) error { return os.Mkdir(path, 0o777) },
	} {
		for _, file := range []string{runName, hostName, logName, windowsName, journalName, lockName} {
			dir := t.TempDir()
			path := filepath.Join(dir, file)
			if err := put(path); err != nil {
				t.Fatal(err)
			}
			if _, err := Create(dir, *fig9(), Options{Overwrite: true}); err == nil {
				t.Errorf("%s called %s was replaced", name, file)
			}
			if _, err := os.Lstat(path); err != nil {
				t.Errorf("%s called %s: %v", name, file, err)
			}
			if _, err := Open(dir); err == nil {
				t.Errorf("%s called %s is a record", name, file)
			}
		}
	}
}

// What a kill left of a finished record's making goes; nothing else does.
func TestTidy(t *testing.T) {
	dir := written(t, 3)
	want := files(t, dir)
	for name, text := range map[string]string{journalName: journalMagic, lockName: lockMagic + "process 1\n",
		runName + temp: "", windowsName + temp: "PAR1"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := Tidy(dir); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, files(t, dir)); d != "" {
			t.Error(d)
		}
	}
	mine := filepath.Join(dir, journalName)
	if err := os.WriteFile(mine, []byte("Dear diary"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := Tidy(dir); err == nil || !strings.Contains(err.Error(), "did not write") {
		t.Error(err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}

// Where nothing came of it, the directories that were made for a lock go, and nothing else.
func TestAbandoning(t *testing.T) {
	root := t.TempDir()
	abandon := func(dir string, meanwhile ...string) {
		t.Helper()
		l, err := LockDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range meanwhile {
			if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Abandon(); err != nil {
			t.Fatal(err)
		}
	}
	abandon(filepath.Join(root, "out", "study", "run"))
	if got := files(t, root); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	there := filepath.Join(root, "there")
	if err := os.Mkdir(there, 0o777); err != nil {
		t.Fatal(err)
	}
	abandon(there)
	if got := files(t, there); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	abandon(filepath.Join(root, "new"), "mine.txt")
	if got := files(t, filepath.Join(root, "new")); len(got) != 1 {
		t.Errorf("left: %v, want mine.txt", got)
	}
}

// Files have the modes that the umask asks for.
func TestModes(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o002))
	dir := written(t, 3)
	if err := WriteFile(filepath.Join(dir, "x.csv"), func(w io.Writer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 7 {
		t.Fatal(len(entries), err)
	}
	for _, e := range entries {
		if info, err := e.Info(); err != nil || info.Mode() != 0o664 {
			t.Errorf("%s: %v, %v; want rw-rw-r--", e.Name(), info.Mode(), err)
		}
	}
}

// What a record says at length, such as its scenario, is read; what has no end is not.
func TestRunJSONIsBounded(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, runName)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(1 << 40); err != nil {
		t.Skip("no file with a hole here:", err)
	}
	f.Close()
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "1099511627776 bytes, want at most 67108864") {
		t.Error(err)
	}
	for _, text := range []string{`{"format": ` + strings.Repeat("9", 1<<20) + `}`,
		`{"format": 2, "name": ` + strings.Repeat("9", 1<<20) + `}`} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err == nil || len(err.Error()) > 1000 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	}
	if _, err := OpenContext(t.Context(), dir); err == nil || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}
