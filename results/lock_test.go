package results

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// From Create to Close a directory has one writer. The second is told who the first is.
func TestOneWriterADirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "record")
	w := create(t, dir, Options{})
	before := files(t, dir)
	for _, overwrite := range []bool{false, true} {
		_, err := Create(dir, *fig9(), Options{Overwrite: overwrite})
		if want := fmt.Sprintf("%s: in use by process %d on ", dir, os.Getpid()); !errors.Is(err, ErrBusy) ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("the second writer: %v, want %q", err, want)
		}
	}
	if after := files(t, dir); len(after) != len(before) {
		t.Errorf("the second writer left %d files of %d", len(after), len(before))
	}
	play(t, w, 3)
	if _, there := files(t, dir)[lockName]; there {
		t.Error("the lock is there when the record is closed")
	}
	play(t, create(t, dir, Options{Overwrite: true}), 3)
}

// However many come at once, one at a time has the directory, whether or not it is there before and after.
func TestLocksExclude(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	inside, entered := 0, 0
	var mu sync.Mutex
	var g sync.WaitGroup
	for range 8 {
		g.Go(func() {
			for range 200 {
				l, err := LockDir(dir)
				if errors.Is(err, ErrBusy) {
					continue
				} else if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if inside++; inside != 1 {
					t.Error("two have it")
				}
				entered++
				mu.Unlock()
				mu.Lock()
				inside--
				mu.Unlock()
				if err := l.Abandon(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	if entered == 0 {
		t.Error("nobody had it")
	}
}

// A directory that others make and remove meanwhile is no error, at whatever moment they do.
func TestLockingADirectoryThatComesAndGoes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	stop := make(chan struct{})
	var g sync.WaitGroup
	g.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				os.Mkdir(dir, 0o777)
				os.Remove(dir)
			}
		}
	})
	for range 1000 {
		l, err := LockDir(dir)
		if err != nil {
			t.Error(err)
			break
		}
		if err := l.Abandon(); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	g.Wait()
}

// A current directory that was removed is there to be looked at, and no file can be made in it.
func TestLockingARemovedDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := os.Remove(dir); err != nil {
		t.Skip("the current directory cannot be removed here:", err)
	}
	if _, err := LockDir("."); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), lockName) {
		t.Errorf("error %v, want one that names %s", err, lockName)
	}
}

// Whatever another program does to the files of a run, the record does not say that it is whole.
func TestARecordThatSomethingElseWroteTo(t *testing.T) {
	put := func(name, text string) func(dir string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.WriteFile(path, []byte(text), 0o666)
		}
	}
	grow := func(name string) func(dir string) error {
		return func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.WriteString(strings.Repeat("x", 1<<20)) // beyond what is written after it
			return err
		}
	}
	cut := func(name string) func(dir string) error {
		return func(dir string) error { return os.Truncate(filepath.Join(dir, name), 30) }
	}
	for name, do := range map[string]func(dir string) error{
		"another journal in its place": put(journalName, ""), "another log in its place": put(logName, ""),
		"a journal that grew": grow(journalName), "a log that grew": grow(logName),
		"a journal that was cut": cut(journalName), "a log that was cut": cut(logName),
		"no journal": func(dir string) error { return os.Remove(filepath.Join(dir, journalName)) },
	} {
		dir := t.TempDir()
		w := create(t, dir, Options{})
		playOpen(t, w, 70)
		if err := do(dir); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(fig9()); err == nil {
			t.Errorf("%s: no error", name)
		}
		if run, err := readRun(dir); err != nil || run.Complete || run.Error == "" || run.Tables != nil {
			t.Errorf("%s: run.json says %+v, %v", name, run, err)
		}
	}
}

// A frame that is cut off is no end of the journal of a run that has ended, and a row that is missing is missed.
func TestClosingTakesNothingForGranted(t *testing.T) {
	for name, spoil := range map[string]func(w *Writer) error{
		"a cut-off frame": func(w *Writer) error {
			n, err := w.journal.Write([]byte{9, 0, 0, 0, 1, 2, 3, 4, 'w'})
			w.journaled += int64(n)
			return err
		},
		"a row less": func(w *Writer) error { w.rows.instances++; return nil },
	} {
		dir := t.TempDir()
		w := create(t, dir, Options{})
		playOpen(t, w, 3)
		w.flush()
		if err := spoil(w); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(fig9()); err == nil || !strings.Contains(err.Error(), journalName) {
			t.Errorf("%s: error %v", name, err)
		}
		if rec := open(t, dir); rec.Run.Complete || rec.Run.Tables != nil {
			t.Errorf("%s: the record says that it is complete", name)
		}
	}
}

// What run.json vouches for is on the disk before it is.
func TestTheOrderInWhichARecordReachesTheDisk(t *testing.T) {
	dir := t.TempDir()
	var order []string
	w, err := Create(dir, *fig9(), Options{create: func(path string, flag int) (file, error) {
		f, err := os.OpenFile(path, flag, 0o666)
		return &synced{f, func() { order = append(order, strings.TrimSuffix(filepath.Base(path), temp)) }}, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	order = nil
	small(t, w)
	want := strings.Join([]string{logName, windowsName, instancesName, flowsName, latencyName, histogramName, hostName,
		runName}, " ")
	if got := strings.Join(order, " "); got != want {
		t.Errorf("synced: %s\nwant    %s", got, want)
	}
}

type synced struct {
	*os.File
	told func()
}

func (s *synced) Sync() error {
	s.told()
	return s.File.Sync()
}

// Reading ends when the context does.
func TestReadingEndsWithTheContext(t *testing.T) {
	dir := written(t, 100)
	killed := t.TempDir()
	playOpen(t, create(t, killed, Options{}), 100)
	for _, dir := range []string{dir, killed} {
		ctx, cancel := context.WithCancel(context.Background())
		rec, err := OpenContext(ctx, dir)
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		_, err1 := rec.Windows()
		var err2 error
		for _, err2 = range rec.Log() {
		}
		err3 := Export(new(strings.Builder), rec, "flows", "csv")
		err4 := context.Canceled
		if dir != killed {
			err4 = rec.Check()
		}
		for _, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", dir, err)
			}
		}
	}
}
