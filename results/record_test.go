package results

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func create(tb testing.TB, dir string, opts Options) *Writer {
	tb.Helper()
	w, err := Create(dir, *fig9(), opts)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func written(tb testing.TB, windows int) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "record")
	play(tb, create(tb, dir, Options{}), windows)
	return dir
}

func open(tb testing.TB, dir string) *Record {
	tb.Helper()
	rec, err := Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return rec
}

func inMemory(tb testing.TB, windows int) *Record {
	tb.Helper()
	m := NewMemory()
	play(tb, m, windows)
	rec, err := m.Record()
	if err != nil {
		tb.Fatal(err)
	}
	return rec
}

// contents is all that a record says.
func contents(tb testing.TB, rec *Record) (Run, []Window, []Instance, []Flow, []Entry) {
	tb.Helper()
	w, err1 := rec.Windows()
	i, err2 := rec.Instances()
	f, err3 := rec.Flows()
	if err := errors.Join(err1, err2, err3); err != nil {
		tb.Fatal(err)
	}
	var log []Entry
	for e, err := range rec.Log() {
		if err != nil {
			tb.Fatal(err)
		}
		log = append(log, e)
	}
	return rec.Run, w, i, f, log
}

func files(tb testing.TB, dir string) map[string]string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			tb.Fatal(err)
		}
		all[e.Name()] = string(b)
	}
	return all
}

func TestARecordReadsAsItWasInMemory(t *testing.T) {
	disk := open(t, written(t, 330))
	run, w, i, f, log := contents(t, disk)
	run2, w2, i2, f2, log2 := contents(t, inMemory(t, 330))
	run.Tables, run.Log = nil, nil // there are no files in memory
	if !run.Complete || !run.Conservation.Holds || run.Conservation.Checked != 330*2+330*8+34+1 {
		t.Errorf("the run: %+v", run)
	}
	if len(w) != 330 || len(i) != 330*8 || len(f) != 34 || len(log) < 1500 {
		t.Errorf("%d windows, %d instances, %d flows, %d lines of log", len(w), len(i), len(f), len(log))
	}
	for _, d := range []string{cmp.Diff(run, run2), cmp.Diff(w, w2), cmp.Diff(i, i2), cmp.Diff(f, f2),
		cmp.Diff(fmt.Sprint(log[7].Event), fmt.Sprint(log2[7].Event))} {
		if d != "" {
			t.Error(d)
		}
	}
	if h, err := disk.Host(); err != nil || h.GoMaxProcs < 1 || h.Wall <= 0 {
		t.Errorf("host: %+v, %v", h, err)
	}
}

func TestTheSameRunGivesTheSameBytes(t *testing.T) {
	a, b := files(t, written(t, 100)), files(t, written(t, 100))
	delete(a, hostName)
	delete(b, hostName)
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	for _, name := range []string{runName, windowsName, instancesName, flowsName, logName} {
		if a[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
	if len(a) != 5 {
		t.Errorf("%d files besides host.json, want 5", len(a))
	}
}

func TestMoreRowsThanARowGroup(t *testing.T) {
	dir := t.TempDir()
	w := create(t, dir, Options{})
	const n = rowGroup + 2*batch + 1
	for i := range n {
		w.Flow(&Flow{Flow: int32(i), Src: fmt.Sprint("10.0.0.", i), Dst: "10.0.0.1", Offered: float64(i),
			Processed: float64(i)})
	}
	if err := w.Close(fig9()); err != nil {
		t.Fatal(err)
	}
	flows, err := open(t, dir).Flows()
	if err != nil || len(flows) != n {
		t.Fatalf("%d flows, %v; want %d", len(flows), err, n)
	}
	for i, f := range flows {
		if int(f.Flow) != i || f.Src != fmt.Sprint("10.0.0.", i) {
			t.Fatalf("flow %d reads as %+v", i, f)
		}
	}
}

func TestAKilledRunReadsUpToItsLastFullWindow(t *testing.T) {
	dir := t.TempDir()
	w := create(t, dir, Options{})
	playOpen(t, w, 70) // and then nothing more, as after SIGKILL
	rec := open(t, dir)
	run, windows, instances, _, log := contents(t, rec)
	if run.Complete || run.Name != fig9().Name {
		t.Errorf("the run: %+v", run)
	}
	if len(windows) < flushWindows || len(instances) != 8*len(windows) {
		t.Errorf("%d windows and %d instances, want at least %d and 8 times as many", len(windows), len(instances),
			flushWindows)
	}
	_, all, _, _, _ := contents(t, inMemory(t, 70))
	if d := cmp.Diff(all[:len(windows)], windows); d != "" {
		t.Error(d)
	}
	if last := log[len(log)-1].At.Seconds(); last < windows[len(windows)-1].T {
		t.Errorf("the log ends at %g s, before the last window", last)
	}
	if _, err := rec.Host(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("host.json of a killed run: %v", err)
	}
}

func TestAJournalCutAnywhereReads(t *testing.T) {
	dir := t.TempDir()
	w := create(t, dir, Options{})
	playOpen(t, w, 3)
	w.Flow(&Flow{Flow: 1})
	w.flush()
	path := filepath.Join(dir, journalName)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int) (windows, instances, flows int, err error) {
		count := consumer{
			window:   func(*Window) error { windows++; return nil },
			instance: func(*Instance) error { instances++; return nil },
			flow:     func(*Flow) error { flows++; return nil },
		}.frame()
		err = journal{path: path, end: wholeJournal}.framesOf(bytes.NewReader(whole[:n]), count)
		return
	}
	before := 0
	for n := range len(whole) + 1 {
		windows, instances, flows, err := at(n)
		if err != nil || windows < before || windows > before+1 || instances != 8*windows || flows > 0 &&
			n < len(whole) {
			t.Fatalf("cut at %d: %d windows after %d, %d instances, %d flows, %v", n, windows, before, instances, flows,
				err)
		}
		before = windows
	}
	if windows, _, flows, _ := at(len(whole)); windows != 3 || flows != 1 {
		t.Errorf("%d windows and %d flows in the whole journal, want 3 and 1", windows, flows)
	}
	if _, windows, _, flows, _ := contents(t, open(t, dir)); len(windows) != 3 || len(flows) != 0 {
		t.Errorf("%d windows and %d flows up to the last full window, want 3 and 0", len(windows), len(flows))
	}
}

func FuzzJournal(f *testing.F) {
	dir := f.TempDir()
	w := create(f, dir, Options{})
	playOpen(f, w, 2)
	w.Flow(&Flow{Flow: 1, Src: "a"})
	w.flush()
	b, err := os.ReadFile(filepath.Join(dir, journalName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Fuzz(func(t *testing.T, b []byte) {
		const path = "some/journal"
		all := consumer{func(*Window) error { return nil }, func(*Instance) error { return nil },
			func(*Flow) error { return nil },
			func(*Latency) error { return nil }, func(*Bucket) error { return nil },
			func(*Node) error { return nil }}.frame()
		err := journal{path: path, end: wholeJournal}.framesOf(bytes.NewReader(b), all)
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("the error does not name the file: %v", err)
		}
		var w Window
		var in Instance
		var fl Flow
		var la Latency
		var bu Bucket
		decodeRow(b, &w, windowColumns, new(Texts)) // behind the checksum
		decodeRow(b, &in, instanceColumns, new(Texts))
		decodeRow(b, &fl, flowColumns, new(Texts))
		decodeRow(b, &la, latencyColumns, new(Texts))
		decodeRow(b, &bu, bucketColumns, new(Texts))
		var no Node
		decodeRow(b, &no, nodeColumns, new(Texts))
	})
}

// A table that is not the one that was written never reaches its decoder.
func FuzzTable(f *testing.F) {
	dir := written(f, 3)
	whole := files(f, dir)[instancesName]
	sum := open(f, dir).Run.Tables[instancesName]
	f.Add(len(whole)/2, byte(1))
	f.Add(len(whole)-6, byte(255)) // length of the footer
	f.Fuzz(func(t *testing.T, at int, flip byte) {
		const path = "some/table"
		b := []byte(whole)
		if at < 0 || at >= len(b) {
			b = b[:uint(at)%uint(len(b))]
		} else {
			b[at] ^= flip
		}
		rows := 0
		err := readChecked(path, bytes.NewReader(b), int64(len(b)), sum, func(*Instance) error { rows++; return nil })
		if string(b) == whole && (err != nil || rows != 24) {
			t.Errorf("%d rows, %v", rows, err)
		} else if string(b) != whole && (err == nil || rows > 0 || !strings.Contains(err.Error(), path)) {
			t.Errorf("%d rows and error %v, want one that names the file", rows, err)
		}
	})
}

func TestDamagedFilesAreNamed(t *testing.T) {
	read := func(dir string) error {
		rec, err := Open(dir)
		if err != nil {
			return err
		}
		_, err1 := rec.Windows()
		_, err2 := rec.Instances()
		_, err3 := rec.Flows()
		for _, err := range rec.Log() {
			if err != nil {
				return errors.Join(err1, err2, err3, err)
			}
		}
		return errors.Join(err1, err2, err3)
	}
	dir := written(t, 5)
	if err := open(t, dir).Check(); err != nil {
		t.Fatal(err)
	}
	for name, whole := range files(t, dir) {
		if name == hostName {
			continue
		}
		path := filepath.Join(dir, name)
		// a log that ends with a line is cut off all the same
		line := strings.LastIndexByte(whole[:len(whole)-1], '\n') + 1
		for _, damaged := range []string{whole[:len(whole)/2], whole[:3], "", strings.Repeat("x", 100), whole[:line],
			whole + whole[line:]} {
			if err := os.WriteFile(path, []byte(damaged), 0o666); err != nil {
				t.Fatal(err)
			}
			if err := read(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s cut to %d bytes: error %v, want one that names it", name, len(damaged), err)
			}
			if rec, err := Open(dir); err == nil {
				if err := rec.Check(); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) ||
					strings.Count(err.Error(), "\n") > 0 {
					t.Errorf("%s cut to %d bytes: Check says %v, want one line that names it", name, len(damaged), err)
				}
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		// A directory without run.json is no record, and none that is damaged.
		if err := read(dir); errors.Is(err, ErrDamaged) == (name == runName) || !errors.Is(err, fs.ErrNotExist) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s missing: error %v", name, err)
		}
		if err := os.WriteFile(path, []byte(whole), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAnotherTableIsAnError(t *testing.T) {
	dir := written(t, 3)
	path := filepath.Join(dir, windowsName)
	err := readTable(context.Background(), path, open(t, dir).Run.Tables[windowsName], func(*Flow) error { return nil })
	if err == nil || !strings.Contains(err.Error(), path+": column 1 is t_s") ||
		!strings.Contains(err.Error(), "want flow") {
		t.Errorf("reading windows as flows: %v", err)
	}
}

func TestAKilledRunWithoutItsJournalIsAnError(t *testing.T) {
	dir := t.TempDir()
	create(t, dir, Options{})
	path := filepath.Join(dir, journalName)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
}

// A kill after the record was finished, before the journal was gone, takes nothing from it.
func TestALeftJournalOfAFinishedRunIsIgnored(t *testing.T) {
	dir := written(t, 3)
	if err := os.WriteFile(filepath.Join(dir, journalName), []byte("left"), 0o666); err != nil {
		t.Fatal(err)
	}
	run, windows, _, flows, _ := contents(t, open(t, dir))
	if !run.Complete || len(windows) != 3 || len(flows) != 1 {
		t.Errorf("complete %v, %d windows, %d flows", run.Complete, len(windows), len(flows))
	}
}

// fullDisk is a disk with room for left bytes.
type fullDisk struct{ left int }

var errFull = errors.New("no space left on device")

func (d *fullDisk) create(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, 0o666)
	return &fullFile{f, d}, err
}

type fullFile struct {
	*os.File
	disk *fullDisk
}

func (f *fullFile) Write(b []byte) (int, error) {
	if f.disk.left < len(b) {
		return 0, errFull
	}
	f.disk.left -= len(b)
	return f.File.Write(b)
}

func TestAFullDiskIsAnErrorAndTheRecordStaysReadable(t *testing.T) {
	for _, room := range []int{10, 1000, 50_000, 180_000, 190_000} {
		disk := &fullDisk{room}
		dir := t.TempDir()
		w, err := Create(dir, *fig9(), Options{create: disk.create})
		if err == nil {
			for k := range 200 {
				if err = w.Window(&Window{T: float64(k + 1)}, []Instance{{Instance: 1}}); err != nil {
					break
				}
				w.Flow(&Flow{Src: strings.Repeat("x", 800)})
			}
			closing := w.Close(fig9())
			if err != nil && !errors.Is(closing, errFull) {
				t.Errorf("room %d: Close forgot the error: %v", room, closing)
			}
			err = closing
			if rec := open(t, dir); rec.Run.Complete {
				t.Errorf("room %d: the record says that it is complete", room)
			} else if !strings.Contains(rec.Run.Error, errFull.Error()) {
				t.Errorf("room %d: the record says that it ended for %q", room, rec.Run.Error)
			}
		}
		if !errors.Is(err, errFull) {
			t.Errorf("room %d: error %v, want that of the disk", room, err)
		}
		for name := range files(t, dir) {
			if strings.HasSuffix(name, temp) {
				t.Errorf("room %d: %s is left behind", room, name)
			}
		}
	}
}

func BenchmarkWriteFig9Record(b *testing.B) {
	dir := b.TempDir()
	b.ReportAllocs()
	for i := range b.N {
		play(b, create(b, filepath.Join(dir, fmt.Sprint(i%4)), Options{Overwrite: true}), 330)
	}
}

func BenchmarkMemoryFig9(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		play(b, NewMemory(), 330)
	}
}

func BenchmarkPlayAlone(b *testing.B) {
	for b.Loop() {
		play(b, Discard, 330)
	}
}

func BenchmarkWriteMillionFlows(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		w := create(b, b.TempDir(), Options{})
		for i := range 1_000_000 {
			w.Flow(&Flow{Flow: int32(i), Src: "10.0.0.1", Dst: "10.0.0.2", Start: float64(i), Offered: 10,
				Processed: 10})
		}
		if err := w.Close(fig9()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExportFig9(b *testing.B) {
	rec := inMemory(b, 330)
	for b.Loop() {
		var buf bytes.Buffer
		for _, table := range Tables() {
			if err := Export(&buf, rec, table, "csv"); err != nil {
				b.Fatal(err)
			}
		}
	}
}
