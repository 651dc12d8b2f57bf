package results

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path/filepath"

	"github.com/smartinco/smartinco/orchestrator"
)

// ErrDamaged says, through errors.Is, that a record's files are not what they should be: run.json cannot be read, or a
// table or the log is missing, cut off, or not the one whose checksum run.json holds.
var ErrDamaged = errors.New("damaged")

type damaged struct{ error }

func (damaged) Is(target error) bool { return target == ErrDamaged }
func (d damaged) Unwrap() error      { return d.error }

// Damaged marks an error about a record's content as ErrDamaged. The context's errors, and those of a file that exists
// and cannot be read, are returned unchanged.
func Damaged(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if file := (*fs.PathError)(nil); errors.As(err, &file) && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return damaged{err}
}

// Record is a run that has been recorded, on disk or in memory. If the run was killed, Run.Complete is false,
// Run.Totals are zero, and the rows reach up to the last full window that was written.
type Record struct {
	Dir string // empty for a record in memory
	Run Run    // Scenario holds the maps, slices, strings and float64 of encoding/json

	src    source
	killed bool // the rows are in a journal
}

// source is where the rows are. The rows passed are reused or copies; the first error ends the walk.
type source interface {
	windows(each func(*Window) error) error
	instances(each func(*Instance) error) error
	flows(each func(*Flow) error) error
	latencies(each func(*Latency) error) error
	buckets(each func(*Bucket) error) error
	nodes(each func(*Node) error) error
	log() (io.ReadCloser, error)
	check() error // every file that run.json vouches for
}

// Open is OpenContext without a context that could end the reading.
func Open(dir string) (*Record, error) { return OpenContext(context.Background(), dir) }

// OpenContext reads run.json of the record in dir and finds out where its rows are. Rows are read when they are asked
// for. When ctx ends, reading ends with its error, now or later.
func OpenContext(ctx context.Context, dir string) (*Record, error) {
	run, err := readRun(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the record: %w", err)
	}
	rec := &Record{Dir: dir, Run: *run}
	if run.Tables != nil {
		rec.src = tables{ctx, dir, run.Tables, run.Log}
		return rec, nil
	}
	j := journal{ctx: ctx, path: filepath.Join(dir, journalName)}
	if j.end, err = j.lastWindow(); err != nil {
		return nil, Damaged(fmt.Errorf("opening the record: %w", err))
	}
	rec.Run.Complete, rec.killed, rec.src = false, true, j
	return rec, nil
}

// Windows reads the windows, in order of time.
func (r *Record) Windows() ([]Window, error) { return collect(r.src.windows) }

// Instances reads the instances of every window, in order of time, then of their number.
func (r *Record) Instances() ([]Instance, error) { return collect(r.src.instances) }

// Flows reads the flows, in the order of their numbers. A killed run has none: they are written when a run is over.
func (r *Record) Flows() ([]Flow, error) { return collect(r.src.flows) }

// Latencies reads the delays: of the run, its instances, its flows. Where they were not measured there are none.
func (r *Record) Latencies() ([]Latency, error) { return collect(r.src.latencies) }

// Buckets reads the histograms behind the delays of one scope, run, instance or flow, in the same order.
func (r *Record) Buckets(scope string) ([]Bucket, error) {
	var all []Bucket
	err := r.src.buckets(func(b *Bucket) error {
		if b.Scope == scope {
			all = append(all, *b)
		}
		return nil
	})
	return all, err
}

func collect[T any](rows func(func(*T) error) error) ([]T, error) {
	var all []T
	if err := rows(func(row *T) error { all = append(all, *row); return nil }); err != nil {
		return nil, err
	}
	return all, nil
}

// Check reads every file whose checksum run.json holds - all tables and the log - and returns an error for each that
// differs. The record of a killed run has its checksums in the journal, and Open has checked them.
func (r *Record) Check() error { return r.src.check() }

// Log reads what went into the orchestrator and what came out of it, in order; see ReadLog. A last line that was cut
// off because the run was killed is left out.
func (r *Record) Log() iter.Seq2[Entry, error] {
	return r.logOf(func([]byte) bool { return true })
}

// logOf reads the lines of the log that are wanted.
func (r *Record) logOf(wanted func(line []byte) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		f, err := r.src.log()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		defer f.Close()
		for e, err := range readLog(f, wanted) {
			if err != nil {
				if r.killed && errors.Is(err, io.ErrUnexpectedEOF) {
					return
				}
				yield(e, Damaged(fmt.Errorf("%s: %w", filepath.Join(r.Dir, logName), err)))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Decisions reads the decisions out of the log.
func (r *Record) Decisions() iter.Seq2[*orchestrator.Decision, error] {
	return func(yield func(*orchestrator.Decision, error) bool) {
		for e, err := range r.Log() {
			if (err != nil || e.Decision != nil) && !yield(e.Decision, err) {
				return
			}
		}
	}
}

// Host reads host.json. A record in memory and one of a killed run have none: the error is fs.ErrNotExist.
func (r *Record) Host() (*Host, error) {
	if r.Dir == "" {
		return nil, fmt.Errorf("%s: %w", hostName, fs.ErrNotExist)
	}
	var h Host
	if err := readJSON(filepath.Join(r.Dir, hostName), maxHost, &h); err != nil {
		return nil, err
	}
	return &h, nil
}
