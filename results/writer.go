package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/units"
)

// The other files of a record.
const (
	runName  = "run.json"
	hostName = "host.json"
	logName  = "events.jsonl"
	temp     = ".tmp" // ends the name of a file in the making
)

// format is the number in run.json that says how to read the rest.
const format = 1

// A killed run loses no more than flushWindows windows, or flushEvery of wall time where windows come more slowly.
const (
	flushWindows = 64
	flushEvery   = time.Second
	flushBytes   = 1 << 16
)

// Options say how Create makes a record.
type Options struct {
	Overwrite bool       // replace the record that the directory holds, if it holds one
	Skew      units.Time // of the conservation check; see Checker

	create func(path string) (io.WriteCloser, error) // nil for os.Create
}

// Writer is the Recorder that writes a record's directory. It is not safe for concurrent use.
type Writer struct {
	dir    string
	create func(path string) (io.WriteCloser, error)
	err    error // the first
	run    Run   // as run.json says it while the record is incomplete
	check  Checker
	host   hostClock

	log, journal       io.WriteCloser
	logBuf, journalBuf []byte
	pending            int // windows in journalBuf
	flushed            time.Time

	window    Window // what came, rounded
	instances []Instance
	flow      Flow
	latency   Latency
	delays    bool // some came
}

var _ Recorder = (*Writer)(nil)

// Create begins the record of run in dir, which it makes if need be. dir must be empty or, with opts.Overwrite, a
// record: it never deletes a file that it does not know. From here on dir holds a readable, incomplete record.
func Create(dir string, run Run, opts Options) (*Writer, error) {
	w := &Writer{dir: dir, create: opts.create, host: startHost(), flushed: time.Now()}
	w.check.Skew = opts.Skew
	if w.create == nil {
		w.create = func(path string) (io.WriteCloser, error) { return os.Create(path) }
	}
	if err := clearDir(dir, opts.Overwrite); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("creating the record: %w", err)
	}
	var err error
	if w.journal, err = w.create(w.path(journalName)); err != nil {
		return nil, fmt.Errorf("creating the record: %w", err)
	}
	if w.log, err = w.create(w.path(logName)); err != nil {
		w.journal.Close()
		return nil, fmt.Errorf("creating the record: %w", err)
	}
	run.Format, run.Complete, run.Tables = format, false, nil
	w.journalBuf = appendJournalHead(w.journalBuf)
	w.run = run
	if w.flush(); w.err == nil {
		w.keep(w.writeJSON(runName, &run))
	}
	if w.err == nil {
		w.keep(w.reserve())
	}
	if w.err != nil {
		w.journal.Close()
		w.log.Close()
		return nil, w.err
	}
	return w, nil
}

// clearDir deletes the record in dir, run.json first, so that what is left of it never passes for a whole record.
func clearDir(dir string, overwrite bool) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	} else if err != nil {
		return fmt.Errorf("creating the record: %w", err)
	}
	known := []string{runName, hostName, journalName, logName, windowsName, instancesName, flowsName, latencyName, histogramName}
	for _, e := range entries {
		if !e.Type().IsRegular() || !slices.Contains(known, strings.TrimSuffix(e.Name(), temp)) {
			return fmt.Errorf("%s: holds %s, which is not part of a record: want a directory that is new, empty or a record", dir, e.Name())
		}
	}
	if _, err := os.Stat(filepath.Join(dir, runName)); err == nil {
		if _, err := readRun(dir); err != nil {
			return fmt.Errorf("%s: holds files but no record: %w", dir, err)
		}
	}
	if !overwrite {
		return fmt.Errorf("%s: already holds a record: choose another directory, or overwrite it (--force)", dir)
	}
	for _, suffix := range []string{"", temp} {
		for _, name := range known {
			if err := os.Remove(filepath.Join(dir, name+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("replacing the record: %w", err)
			}
		}
	}
	return nil
}

func (w *Writer) path(name string) string { return filepath.Join(w.dir, name) }

func (w *Writer) keep(err error) {
	if w.err == nil && err != nil {
		w.err = fmt.Errorf("writing the record: %w", err)
	}
}

// Event logs an event.
func (w *Writer) Event(now units.Time, e *orchestrator.Event) {
	b, err := appendEvent(w.logBuf, now, e)
	w.logged(b, err)
}

// Action logs an action.
func (w *Writer) Action(now units.Time, a *orchestrator.Action) {
	b, err := appendAction(w.logBuf, now, a)
	w.logged(b, err)
}

// Decided logs a decision.
func (w *Writer) Decided(d *orchestrator.Decision) { w.logged(appendDecision(w.logBuf, d), nil) }

func (w *Writer) logged(b []byte, err error) {
	if err != nil {
		w.keep(err)
		return
	}
	if w.logBuf = b; len(b) >= flushBytes {
		w.flushLog()
	}
}

// Window writes a window and its instances, and returns the record's first error.
func (w *Writer) Window(win *Window, instances []Instance) error {
	w.check.Window(win, instances)
	w.window = *win
	roundRow(&w.window, windowColumns)
	w.instances = append(w.instances[:0], instances...)
	for i := range w.instances {
		roundRow(&w.instances[i], instanceColumns)
	}
	w.journalBuf = appendWindowFrame(w.journalBuf, &w.window, w.instances)
	w.pending++
	if w.pending >= flushWindows || len(w.journalBuf) >= flushBytes || time.Since(w.flushed) >= flushEvery {
		w.flush()
	}
	return w.err
}

// Flow writes a flow.
func (w *Writer) Flow(f *Flow) {
	w.check.Flow(f)
	w.flow = *f
	roundRow(&w.flow, flowColumns)
	if w.journalBuf = appendFlowFrame(w.journalBuf, &w.flow); len(w.journalBuf) >= flushBytes {
		w.flush()
	}
}

// Latency writes a delay and its histogram.
func (w *Writer) Latency(l *Latency, buckets []Bucket) {
	w.check.Latency(l)
	w.delays, w.latency = true, *l
	roundRow(&w.latency, latencyColumns)
	if w.journalBuf = appendLatencyFrame(w.journalBuf, &w.latency, buckets); len(w.journalBuf) >= flushBytes {
		w.flush()
	}
}

// flush writes what is buffered, the log first, so that it reaches at least as far as the journal.
func (w *Writer) flush() {
	w.flushLog()
	if w.err == nil {
		_, err := w.journal.Write(w.journalBuf)
		w.keep(err)
	}
	w.journalBuf, w.pending, w.flushed = w.journalBuf[:0], 0, time.Now()
}

func (w *Writer) flushLog() {
	if w.err == nil {
		_, err := w.log.Write(w.logBuf)
		w.keep(err)
	}
	w.logBuf = w.logBuf[:0]
}

// Close checks conservation, rounds r's totals, sets r.Format, r.Conservation and r.Tables, and turns the journal into
// the tables. The new run.json, in place at once, is what makes the record a finished one: should anything before it
// fail, the record stays incomplete, with its journal, and its run.json says why. Close must be called once.
func (w *Writer) Close(r *Run) error {
	finish(r, &w.check)
	w.flush()
	w.keep(w.journal.Close())
	w.keep(w.log.Close())
	for _, step := range []func() error{
		func() (err error) { r.Tables, err = w.convert(); return err },
		func() error { return w.writeJSON(hostName, w.host.stop()) },
		func() error { return w.writeJSON(runName, r) },
		func() error { return os.Remove(w.path(journalName)) },
	} {
		if w.err == nil {
			w.keep(step())
		}
	}
	if w.err != nil {
		w.fail()
	}
	return w.err
}

// spare is how much longer run.json may be when it says why the record ends.
const spare = 4 << 10

// reserve takes the room that fail needs, so that a full disk cannot keep a record from saying that the disk was full.
func (w *Writer) reserve() error {
	b, err := marshal(&w.run)
	if err != nil {
		return err
	}
	f, err := w.create(w.path(runName + temp))
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, make([]byte, spare)...))
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(w.path(runName + temp))
	}
	return err
}

// fail has run.json say why the record ends, in the room that was reserved. If that fails too, it says only that it is incomplete.
func (w *Writer) fail() {
	w.run.Error = w.err.Error()
	b, err := marshal(&w.run)
	if err != nil {
		return
	}
	f, err := os.OpenFile(w.path(runName+temp), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Truncate(int64(len(b))), f.Close()); err == nil {
		_ = os.Rename(w.path(runName+temp), w.path(runName))
	}
}

// finish is what Close does to r in every Recorder that keeps rows.
func finish(r *Run, c *Checker) {
	r.Format, r.Conservation = format, c.Result(&r.Totals)
	t := &r.Totals
	for _, x := range []*float64{&t.Offered, &t.OfferedBytes, &t.Processed, &t.ProcessedBytes, &t.Queued, &t.SlowPath, &t.Reordered,
		&t.Dropped.Link, &t.Dropped.ESwitch, &t.Dropped.SlowPath, &t.Dropped.Instance, &t.Dropped.Rejected} {
		*x = Round(*x)
	}
}

// convert writes the tables from the journal, in one pass, gives them their names when all are whole, and returns their
// checksums.
func (w *Writer) convert() (sums map[string]string, err error) {
	var open []conversion
	defer func() {
		for _, c := range open {
			err = errors.Join(err, c.file.Close())
		}
		for _, c := range open {
			if err == nil {
				err = os.Rename(w.path(c.name+temp), w.path(c.name))
			} else {
				os.Remove(w.path(c.name + temp))
			}
		}
	}()
	var rows consumer
	makers := []func() error{
		func() (err error) { rows.window, err = convertTo[Window](w, &open, windowsName); return err },
		func() (err error) { rows.instance, err = convertTo[Instance](w, &open, instancesName); return err },
		func() (err error) { rows.flow, err = convertTo[Flow](w, &open, flowsName); return err },
		func() (err error) { rows.latency, err = convertTo[Latency](w, &open, latencyName); return err },
		func() (err error) { rows.bucket, err = convertTo[Bucket](w, &open, histogramName); return err },
	}
	if !w.delays {
		makers = makers[:3]
	}
	for _, m := range makers {
		if err := m(); err != nil {
			return nil, err
		}
	}
	if err := (journal{w.path(journalName), wholeJournal}).rows(rows); err != nil {
		return nil, err
	}
	sums = map[string]string{}
	for _, c := range open {
		if err := c.close(); err != nil {
			return nil, err
		}
		sums[c.name] = checksum(c.sum)
	}
	return sums, nil
}

// conversion is a table that convert writes.
type conversion struct {
	name  string
	file  io.Closer
	sum   hash.Hash32
	close func() error
}

// convertTo begins a table and returns what adds a row to it.
func convertTo[T any](w *Writer, open *[]conversion, name string) (func(*T) error, error) {
	f, err := w.create(w.path(name + temp))
	if err != nil {
		return nil, err
	}
	t := newTable[T](f)
	*open = append(*open, conversion{name, f, t.sum, t.close})
	return t.add, nil
}

// writeJSON replaces a file of the record by v, at once.
func (w *Writer) writeJSON(name string, v any) (err error) {
	b, err := marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", w.path(name), err)
	}
	f, err := w.create(w.path(name + temp))
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(w.path(name + temp))
		return err
	}
	return os.Rename(w.path(name+temp), w.path(name))
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}
