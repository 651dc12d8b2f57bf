package results

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func put(text string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, text); return err }
}

// A file appears whole or not at all, and nothing else is in its directory afterwards.
func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, strings.Repeat("n", 251)+".csv") // the longest name that there is
	if err := WriteFile(path, put("one")); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("no more")
	err := WriteFile(path, func(w io.Writer) error {
		put("tw")(w)
		return failed
	})
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	if d := cmp.Diff(map[string]string{filepath.Base(path): "one"}, files(t, dir)); d != "" {
		t.Error(d)
	}
	missing := filepath.Join(dir, "none", "x.csv")
	if err := WriteFile(missing, put("x")); !errors.Is(err, os.ErrNotExist) ||
		!strings.Contains(err.Error(), missing+":") {
		t.Errorf("error %v, want one that names %s", err, missing)
	}
}

// What a killed writer left is cleared by the next of the same file. What is being written, or is somebody else's,
// stays.
func TestWriteFileClearsWhatAKillLeft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.csv")
	stay := map[string]string{".x.csv.tmp-notes": "a", ".x.csv.tmp": "b", ".y.csv.tmp-1-1": "c", "x.csv.tmp-1-1": "d"}
	for name, text := range stay {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, ".x.csv.tmp-99-1"), []byte("half"), 0o666); err != nil {
		t.Fatal(err)
	}
	err := WriteFile(path, func(w io.Writer) error {
		if err := WriteFile(path, put("inner")); err != nil { // while the outer one is under way
			return err
		}
		return put("outer")(w)
	})
	if err != nil {
		t.Fatal(err)
	}
	stay["x.csv"] = "outer"
	if d := cmp.Diff(stay, files(t, dir)); d != "" {
		t.Error(d)
	}
}

// A file in the making that another writer takes for one that was left is made again. Where there are no locks it does
// without, and nothing else is left.
func TestATemporaryFileIsLockedWhereThatIsPossible(t *testing.T) {
	for name, c := range map[string]struct {
		lock []error // of one attempt after the other
		gone bool    // the file, when it is locked for the first time
		made int
	}{
		"locked":               {[]error{nil}, false, 1},
		"no such call":         {[]error{syscall.ENOSYS}, false, 1},
		"no locks left":        {[]error{syscall.ENOLCK}, false, 1},
		"not supported":        {[]error{syscall.EOPNOTSUPP}, false, 1},
		"taken":                {[]error{syscall.EWOULDBLOCK, nil}, false, 2},
		"removed":              {[]error{nil, nil}, true, 1},
		"taken, then no locks": {[]error{syscall.EWOULDBLOCK, syscall.ENOLCK}, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			dir, tries := t.TempDir(), 0
			f, err := createTemp(dir, ".x.csv.tmp-", func(f *os.File) error {
				if tries == len(c.lock) {
					t.Fatalf("locked %d times, want %d", tries+1, len(c.lock))
				}
				if c.gone && tries == 0 {
					os.Remove(f.Name())
				}
				tries++
				return c.lock[tries-1]
			})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if made := files(t, dir); tries != len(c.lock) || len(made) != c.made {
				t.Errorf("locked %d times, want %d; made %d files, want %d", tries, len(c.lock), len(made), c.made)
			} else if _, there := made[filepath.Base(f.Name())]; !there {
				t.Errorf("%s is not there", f.Name())
			}
		})
	}
}

// What is no regular file is written to, not replaced.
func TestWriteFileToAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o666); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		got <- string(b)
	}()
	if err := WriteFile(path, put("through")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "through" {
		t.Errorf("read %q", s)
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("it is %v now, %v", info.Mode(), err)
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"study/b/run.json", "study/a/run.json", "study/a/inner/run.json", "study/summary.csv",
		"c/run.json", "empty/x"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("study", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	for dir, want := range map[string]string{
		".": "c study/a study/b", "study": "study/a study/b", "study/": "study/a study/b", "study/a": "study/a",
		"link": "link/a link/b",
	} {
		got, err := Find(dir)
		if s := strings.Join(got, " "); err != nil || s != want {
			t.Errorf("%s: %s, %v; want %s", dir, s, err, want)
		}
	}
	if got, err := Find("study", "c"); err != nil || strings.Join(got, " ") != "study/a study/b c" {
		t.Errorf("two directories: %v, %v; want them in their order", got, err)
	}
	if got, err := Find("c", "empty"); !errors.Is(err, ErrNoRecord) || got != nil {
		t.Errorf("one of two directories is empty: %v, %v; want %v", got, err, ErrNoRecord)
	}
	for dir, want := range map[string]error{"none": os.ErrNotExist, "empty": ErrNoRecord} {
		if got, err := Find(dir); !errors.Is(err, want) || !strings.Contains(err.Error(), dir) || got != nil {
			t.Errorf("%s: %v, %v; want %v", dir, got, err, want)
		}
	}
}

func TestQuote(t *testing.T) {
	for s, want := range map[string]string{
		"a b": "a b", "": "", "\x1b[2J": `"\x1b[2J"`, `"`: `"\""`,
		strings.Repeat("x", 1000): `"` + strings.Repeat("x", 200) + `"...`,
	} {
		if got := Quote(s); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}
