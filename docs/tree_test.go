package docs

import (
	"bytes"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// files are the files of the repository that match, by their path from its root. What a build leaves is none of them.
func files(t *testing.T, match func(file string) bool) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel("..", file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() && (rel == ".git" || rel == "bin" || rel == "out") {
			return filepath.SkipDir
		}
		if d.Type().IsRegular() && rel != ".git" && match(rel) {
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Fatal("no such files")
	}
	return found
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// columns is the width of a line in which a tab leads to the next multiple of four.
func columns(line string) int {
	n := 0
	for _, r := range line {
		if r == '\t' {
			n += 4 - n%4
		} else {
			n++
		}
	}
	return n
}

const widest = 120

// A line that has to be scrolled is not read.
func TestLinesHave120Columns(t *testing.T) {
	for _, file := range files(t, func(f string) bool { return free(f) != nil }) {
		b := read(t, file)
		isFree := free(file)(t, file, b)
		for i, line := range strings.Split(string(b), "\n") {
			if n := columns(line); n > widest && !isFree(i+1, line) {
				t.Errorf("%s:%d: %d columns: want at most %d", file, i+1, n, widest)
			}
		}
	}
}

// exempt says which lines of a file may be longer.
type exempt func(number int, line string) bool

// free returns the function that finds the lines of a file that may be longer; nil if every line of it may.
func free(file string) func(t *testing.T, file string, content []byte) exempt {
	switch {
	case strings.Contains("/"+file, "/testdata/"): // data, golden files
		return nil
	case path.Ext(file) == ".go":
		return inGo
	case path.Ext(file) == ".md":
		return inMarkdown
	case slices.Contains([]string{".sh", ".c", ".h", ".yml", ".cff"}, path.Ext(file)),
		file == "Makefile", file == ".ci/run":
		return func(*testing.T, string, []byte) exempt { return func(int, string) bool { return false } }
	}
	return nil
}

// In Go the lines of a raw string are data, and a directive has to stand on one line.
func inGo(t *testing.T, file string, content []byte) exempt {
	raw := map[int]bool{}
	fset := token.NewFileSet()
	f := fset.AddFile(file, -1, len(content))
	var s scanner.Scanner
	s.Init(f, content, func(at token.Position, msg string) { t.Fatalf("%s: %s", at, msg) }, 0)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		if first := f.Line(pos); tok == token.STRING {
			for n := range strings.Count(lit, "\n") {
				raw[first+n+1] = true
			}
		}
	}
	return func(number int, line string) bool {
		return raw[number] || strings.HasPrefix(line, "//go:")
	}
}

var target = regexp.MustCompile(`\]\([^)]*\)|<https?:[^>]*>`)

// In Markdown prose alone is held: no tables, no code, and of a link its text.
func inMarkdown(_ *testing.T, _ string, content []byte) exempt {
	fenced := map[int]bool{}
	in := false
	for i, line := range strings.Split(string(content), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			in = !in
		}
		fenced[i+1] = in
	}
	return func(number int, line string) bool {
		trimmed := strings.TrimLeft(line, " ")
		switch {
		case fenced[number], strings.HasPrefix(trimmed, "|"):
			return true
		case strings.HasPrefix(line, "    "), strings.HasPrefix(line, "\t"): // code
			return true
		}
		return columns(target.ReplaceAllString(line, "]")) <= widest
	}
}

// A package that does not say what it is for cannot be joined. A folder of tests alone says it in one of these.
func TestPackagesAreDocumented(t *testing.T) {
	said, tests := map[string]string{}, map[string]string{}
	for _, file := range files(t, func(f string) bool { return path.Ext(f) == ".go" && free(f) != nil }) {
		mode := parser.PackageClauseOnly | parser.ParseComments
		f, err := parser.ParseFile(token.NewFileSet(), file, read(t, file), mode)
		if err != nil {
			t.Fatal(err)
		}
		of := said
		if strings.HasSuffix(file, "_test.go") {
			of = tests
		}
		of[path.Dir(file)] += f.Doc.Text()
	}
	for dir, text := range tests {
		if _, ok := said[dir]; !ok {
			said[dir] = text
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(said)) {
		// A command's document begins with the name of its program.
		if !regexp.MustCompile(`^(Package|[A-Z]\w+) \w+`).MatchString(said[dir]) {
			t.Errorf("%s: the package document begins with %.40q: want Package %s ...", dir, said[dir], path.Base(dir))
		}
	}
}

var (
	somebodys = regexp.MustCompile(`(?:^|[^\w.~-])/(?:home|root|Users|work)/\S*`)
	upward    = regexp.MustCompile(`(?:\.\./)+[\w./-]*`)
	// Tests that hand such paths to a reader, which must refuse them; and this one.
	climbs = under("cmd/smartinco/validate_test.go", "scenarios/testdata/mistakes.txt", "traces/mix_test.go",
		"docs/tree_test.go")
)

// The repository is the same wherever it is cloned: it needs nothing beside it, and names nobody's folder.
func TestNoFileKnowsWhereTheRepositoryLies(t *testing.T) {
	for _, file := range files(t, func(string) bool { return true }) {
		b := read(t, file)
		if !utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0 {
			continue
		}
		for i, line := range strings.Split(string(b), "\n") {
			if m := somebodys.FindString(line); m != "" {
				t.Errorf("%s:%d: names a folder of somebody's machine: %s", file, i+1, strings.TrimSpace(m))
			}
			// filepath.Join("..", "..", "x") is a path as well.
			for _, m := range upward.FindAllString(strings.ReplaceAll(line, `", "`, "/"), -1) {
				out := strings.HasPrefix(path.Join(path.Dir(file), m), "../")
				if out && !climbs(file) {
					t.Errorf("%s:%d: %s leads out of the repository", file, i+1, m)
				}
			}
		}
	}
}
