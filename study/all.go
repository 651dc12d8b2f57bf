package study

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/units"
)

// AllOptions are the options of All.
type AllOptions struct {
	Version string // of the program, for the records
	Jobs    int    // runs at a time, at least 1
	// Progress is called at the end of each window and of each run with the number of runs that are done; a run under
	// way counts by the share of its simulated time that has passed. It is called from any goroutine, once at a time.
	// It may be nil.
	Progress func(done float64)
}

// Outcome counts the runs of a study.
type Outcome struct {
	Runs    int `json:"runs"`
	Skipped int `json:"skipped"` // finished before
	Done    int `json:"done"`    // finished now
	Failed  int `json:"failed"`
}

// All runs what is left of a study and then writes the summary. Each run has a directory of its own name in dir. It is
// finished if that directory holds a complete and correct record of it (see work.finished); anything else there that
// this program wrote is an earlier attempt and is replaced. A failed run does not stop the others; the errors are
// joined, in the order of the study. When ctx ends, runs under way end at their next window, and no other begins. One
// process at a time works in dir.
func All(ctx context.Context, st *scenarios.Study, dir string, o AllOptions) (_ Outcome, err error) {
	out := Outcome{Runs: len(st.Runs)}
	lock, err := claim(dir)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, lock.Abandon()) }()
	errs := make([]error, len(st.Runs))
	recorded := make([]bool, len(st.Runs)) // whether the record is of this run
	known := &digests{}
	var skipped, done, failed atomic.Int64
	ended := newTally(len(st.Runs), o.Progress)
	var g errgroup.Group
	g.SetLimit(o.Jobs)
	for i := range st.Runs {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			run := &st.Runs[i]
			where := filepath.Join(dir, run.Name)
			behind, err := known.of(ctx, run.Scenario)
			switch {
			case ctx.Err() != nil:
				return nil
			case err == nil && work{results.Simulated, run.Scenario.Engine, o.Version, run.Scenario,
				behind.inputs()}.finished(ctx, where):
				recorded[i] = true
				if err := results.Tidy(where); err != nil {
					failed.Add(1)
					errs[i] = fmt.Errorf("run %s: %w", run.Name, refusable(err))
				} else {
					skipped.Add(1)
				}
			default: // where a file is missing, One says so
				made, err := One(ctx, run.Scenario, where,
					Options{Version: o.Version, Overwrite: true, known: known, Progress: func(now, end units.Time) {
						ended.set(i, now.Seconds()/end.Seconds())
					}})
				recorded[i] = made != nil
				if err == nil {
					done.Add(1)
				} else if ctx.Err() == nil {
					failed.Add(1)
					errs[i] = fmt.Errorf("run %s: %w", run.Name, err)
				}
			}
			ended.set(i, 1)
			return nil
		})
	}
	_ = g.Wait() // the functions return nil: one failure does not stop the rest
	out.Skipped, out.Done, out.Failed = int(skipped.Load()), int(done.Load()), int(failed.Load())
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("%d of %d runs are finished: %w", out.Skipped+out.Done, out.Runs, err)
	}
	if out.Done+out.Skipped > 0 {
		errs = append(errs, summarise(st, dir, recorded))
	}
	return out, errors.Join(errs...)
}

// Open opens the records of a study's runs in dir, in the order of the study. Other records in dir are ignored.
func Open(ctx context.Context, st *scenarios.Study, dir string) ([]*results.Record, error) {
	recs := make([]*results.Record, len(st.Runs))
	for i := range st.Runs {
		var err error
		if recs[i], err = results.OpenContext(ctx, filepath.Join(dir, st.Runs[i].Name)); err != nil {
			return nil, err
		}
	}
	return recs, nil
}

// tally adds up how far the runs of a study are.
type tally struct {
	mu     sync.Mutex
	parts  []int // of each run, in thousandths
	sum    int
	report func(float64)
}

func newTally(runs int, report func(float64)) *tally {
	if report == nil {
		report = func(float64) {}
	}
	return &tally{parts: make([]int, runs), report: report}
}

// set says that a share of a run, 0 to 1, is done.
func (t *tally) set(run int, share float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	part := int(1000 * share)
	t.sum += part - t.parts[run]
	t.parts[run] = part
	t.report(float64(t.sum) / 1000)
}
