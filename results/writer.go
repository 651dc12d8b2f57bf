package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
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
const format = 3

// A killed run loses at most flushWindows windows, or flushEvery of wall time if windows come more slowly.
const (
	flushWindows = 64
	flushEvery   = time.Second
	flushBytes   = 1 << 16
)

// Options say how Create makes a record.
type Options struct {
	Overwrite bool       // replace the record that the directory holds, if it holds one
	Skew      units.Time // of the conservation check; see Checker
	Lock      *DirLock   // the directory's, where the caller has it already; Close lets go of it

	create func(path string, flag int) (file, error) // nil for os.OpenFile
}

// file is what a Writer needs of one that it writes.
type file interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
	Stat() (fs.FileInfo, error)
}

// Writer is the Recorder that writes a record's directory. It is not safe for concurrent use.
type Writer struct {
	dir    string
	lock   *DirLock
	create func(path string, flag int) (file, error)
	err    error // the first
	run    Run   // as run.json says it while the record is incomplete
	check  Checker
	host   hostClock

	log, journal       file
	logBuf, journalBuf []byte
	content            Content // of the log; CRC is set by Close
	logSum             hash.Hash32
	journaled          int64 // bytes of journal
	rows               rowCount
	pending            int // windows in journalBuf
	flushed            time.Time

	window    Window // what came, rounded
	instances []Instance
	flow      Flow
	latency   Latency
	node      Node
	delays    bool // some came
}

var _ Recorder = (*Writer)(nil)

// rowCount counts the rows of each table.
type rowCount struct{ windows, instances, flows, latencies, buckets, nodes int64 }

// Create begins the record of run in dir, which it makes if need be, and locks dir until Close: the error is ErrBusy if
// another process writes to it. dir must be empty or, with opts.Overwrite, hold a record. Create never deletes a file
// that this program did not write; if there is one it fails and leaves dir as it was. Once it returns, dir holds a
// readable, incomplete record.
func Create(dir string, run Run, opts Options) (*Writer, error) {
	lock := opts.Lock
	if lock == nil {
		var err error
		if lock, err = LockDir(dir); err != nil {
			return nil, fmt.Errorf("creating the record: %w", err)
		}
	}
	w := &Writer{dir: dir, lock: lock, create: opts.create, host: startHost(), flushed: time.Now(),
		logSum: crc32.New(castagnoli)}
	w.check.Skew = opts.Skew
	if w.create == nil {
		w.create = func(path string, flag int) (file, error) { return os.OpenFile(path, flag, 0o666) }
	}
	if err := clearDir(dir, opts.Overwrite); err != nil {
		return nil, errors.Join(err, lock.Abandon())
	}
	if err := w.begin(run); err != nil {
		return nil, errors.Join(err, w.closeFiles(), lock.Release())
	}
	return w, nil
}

// begin makes the files. None of them exists yet: clearDir and the lock saw to that.
func (w *Writer) begin(run Run) (err error) {
	const fresh = os.O_RDWR | os.O_CREATE | os.O_EXCL
	if w.journal, err = w.create(w.path(journalName), fresh); err != nil {
		return fmt.Errorf("creating the record: %w", err)
	}
	if w.log, err = w.create(w.path(logName), fresh); err != nil {
		return fmt.Errorf("creating the record: %w", err)
	}
	run.Format, run.Complete, run.Tables, run.Log = format, false, nil, nil
	w.journalBuf = appendJournalHead(w.journalBuf)
	w.run = run
	if w.flush(); w.err == nil {
		w.keep(w.writeJSON(runName, &run))
	}
	if w.err == nil {
		w.keep(w.reserve())
	}
	return w.err
}

func (w *Writer) closeFiles() error {
	var errs []error
	for _, f := range []*file{&w.journal, &w.log} {
		if *f != nil {
			errs = append(errs, (*f).Close())
			*f = nil
		}
	}
	return errors.Join(errs...)
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
	w.rows.windows++
	w.rows.instances += int64(len(w.instances))
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
	w.rows.flows++
	if w.journalBuf = appendFlowFrame(w.journalBuf, &w.flow); len(w.journalBuf) >= flushBytes {
		w.flush()
	}
}

// Latency writes a delay and its histogram.
func (w *Writer) Latency(l *Latency, buckets []Bucket) {
	w.check.Latency(l)
	w.delays, w.latency = true, *l
	roundRow(&w.latency, latencyColumns)
	w.rows.latencies++
	w.rows.buckets += int64(len(buckets))
	if w.journalBuf = appendLatencyFrame(w.journalBuf, &w.latency, buckets); len(w.journalBuf) >= flushBytes {
		w.flush()
	}
}

// flush writes what is buffered, the log first, so that it reaches at least as far as the journal.
func (w *Writer) flush() {
	w.flushLog()
	if w.err == nil {
		n, err := w.journal.Write(w.journalBuf)
		w.journaled += int64(n)
		w.keep(err)
	}
	w.journalBuf, w.pending, w.flushed = w.journalBuf[:0], 0, time.Now()
}

func (w *Writer) flushLog() {
	if w.err == nil {
		n, err := w.log.Write(w.logBuf)
		w.logSum.Write(w.logBuf[:n])
		w.content.Bytes += int64(n)
		w.keep(err)
	}
	w.logBuf = w.logBuf[:0]
}

// Close checks conservation, rounds r's totals, sets r.Format, r.Inputs, r.Conservation, r.Tables and r.Log, and turns
// the journal into the tables. The new run.json makes the record a finished one: it is renamed into place once
// everything that it has a checksum of is on the disk. If anything fails before that, the record stays incomplete,
// keeps its journal, and its run.json says why. Close must be called exactly once; it releases the directory.
func (w *Writer) Close(r *Run) error {
	finish(r, &w.check)
	r.Inputs = w.run.Inputs
	w.flush()
	for _, step := range []func() error{
		func() (err error) { r.Log, err = w.settleLog(); return err },
		func() (err error) { r.Tables, err = w.convert(); return err },
		func() error { return w.writeJSON(hostName, w.host.stop()) },
		func() error { return w.syncDir() },
		func() error { return w.writeJSON(runName, r) },
		func() error { return w.syncDir() },
		func() error { return os.Remove(w.path(journalName)) },
	} {
		if w.err == nil {
			w.keep(step())
		}
	}
	if w.err != nil {
		w.fail()
	}
	w.keep(w.closeFiles())
	w.keep(w.lock.Release())
	return w.err
}

// settleLog puts the log on the disk and says what it holds, once it has read that back.
func (w *Writer) settleLog() (*Content, error) {
	if err := w.unchanged(w.log, logName, w.content.Bytes); err != nil {
		return nil, err
	}
	w.content.CRC = checksum(w.logSum)
	back := crc32.New(castagnoli)
	if _, err := io.Copy(back, io.NewSectionReader(w.log, 0, w.content.Bytes)); err != nil {
		return nil, err
	}
	if got := checksum(back); got != w.content.CRC {
		return nil, fmt.Errorf("%s: checksum %s, want the %s of what was written: something else wrote to it",
			w.path(logName), got, w.content.CRC)
	}
	return &w.content, w.log.Sync()
}

// unchanged is nil if a file is still the one that the Writer made, and as long as what it wrote.
func (w *Writer) unchanged(f file, name string, bytes int64) error {
	is, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(w.path(name))
	if err != nil {
		return err
	}
	if !os.SameFile(is, there) {
		return fmt.Errorf("%s: another file of this name is in its place", w.path(name))
	}
	if is.Size() != bytes {
		return fmt.Errorf("%s: %d bytes, want the %d that were written: something else wrote to it", w.path(name),
			is.Size(), bytes)
	}
	return nil
}

// syncDir puts the names on the disk, that of the directory too if Create made it.
func (w *Writer) syncDir() error {
	err := syncDir(w.dir)
	for _, d := range w.lock.made {
		_ = syncDir(filepath.Dir(d)) // it may be one that cannot be read
	}
	return err
}

// replace is how a file in the making is opened: what may be there is the room that reserve took.
const replace = os.O_RDWR | os.O_CREATE | os.O_TRUNC

// spare is how much longer run.json may be when it says why the record ends.
const spare = 4 << 10

// reserve takes the room that fail needs, so that a full disk cannot keep a record from saying that the disk was full.
func (w *Writer) reserve() error {
	b, err := marshal(&w.run)
	if err != nil {
		return err
	}
	f, err := w.create(w.path(runName+temp), replace)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, make([]byte, spare)...))
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(w.path(runName + temp))
	}
	return err
}

// fail has run.json say why the record ends, in the room that was reserved. If that fails too, it says only that it is
// incomplete.
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
	c.requests(r.Requests, &r.Totals)
	r.Rack = c.rack.result()
	r.Format, r.Conservation = format, c.Result(&r.Totals)
	t := &r.Totals
	for _, x := range []*float64{&t.Offered, &t.OfferedBytes, &t.Processed, &t.ProcessedBytes, &t.Queued, &t.SlowPath,
		&t.Reordered,
		&t.Dropped.Link, &t.Dropped.ESwitch, &t.Dropped.SlowPath, &t.Dropped.Instance, &t.Dropped.Rejected} {
		*x = Round(*x)
	}
}

// writeJSON replaces a file of the record by v, at once.
func (w *Writer) writeJSON(name string, v any) (err error) {
	b, err := marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", w.path(name), err)
	}
	f, err := w.create(w.path(name+temp), replace)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
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
