package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The same fault has the same exit code in every verb that reads what is at fault: 2 for what is not there, 1 for a
// record that is damaged, whatever in it is.
func TestOneExitCodeForOneFault(t *testing.T) {
	verbs := map[string]func(dir string) []string{
		"plot":   func(dir string) []string { return []string{"plot", "fig8", dir, "-o", dir + ".svg"} },
		"report": func(dir string) []string { return []string{"report", dir, "-o", dir + ".html"} },
		"plot all": func(dir string) []string {
			return []string{"plot", "all", dir, "-o", dir + "-all", "--ending", ".svg"}
		},
		"export":          func(dir string) []string { return []string{"export", dir, "--table", "windows"} },
		"compare":         func(dir string) []string { return []string{"compare", dir, dir} },
		"compare, drawn":  func(dir string) []string { return []string{"compare", dir, dir, "-o", dir + ".svg"} },
		"verify":          func(dir string) []string { return []string{"verify", dir} },
		"verify, in JSON": func(dir string) []string { return []string{"verify", dir, "--format", "json"} },
	}
	cut := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, name)
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()/2); err != nil {
				t.Fatal(err)
			}
		}
	}
	gone := func(name string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	faults := []struct {
		name string
		make func(t *testing.T, dir string)
		want int
		by   string // the verbs that read it; empty for all
	}{
		{"none", func(*testing.T, string) {}, 0, ""},
		{"not there", func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}, 2, ""},
		{"no record", func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
		}, 2, ""},
		{"run.json cut off", cut("run.json"), 1, ""},
		{"run.json of something else", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "run.json"), `{"scripts": {}}`)
		}, 1, ""},
		{"windows cut off", cut("windows.parquet"), 1, ""},
		{"windows gone", gone("windows.parquet"), 1, ""},
		{"instances cut off", cut("instances.parquet"), 1, "plot; plot all; compare; compare, drawn; verify"},
		{"instances gone", gone("instances.parquet"), 1, "plot; plot all; compare; compare, drawn; verify"},
		{"flows cut off", cut("flows.parquet"), 1, "plot all; compare; compare, drawn; verify"},
	}
	whole := filepath.Join(t.TempDir(), "record")
	quiet(t, "run", "fig9-best-fit", "--set", "duration=10s", "-o", whole)
	for name, verb := range verbs {
		for _, f := range faults {
			dir := filepath.Join(t.TempDir(), "record")
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			f.make(t, dir)
			want := f.want
			if f.by != "" && !slices.Contains(strings.Split(f.by, "; "), strings.TrimSuffix(name, ", in JSON")) {
				want = 0
			}
			var out bytes.Buffer
			if code := run(context.Background(), verb(dir), strings.NewReader(""), &out, &out); code != want {
				t.Errorf("%s, %s: exit code %d, want %d:\n%s", name, f.name, code, want, out.String())
			}
		}
	}
}
