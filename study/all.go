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
	Shard   Shard  // the part of the study that is run; the zero Shard is all of it
	// Progress is called at the end of each window and of each run with the number of runs that are done; a run under
	// way counts by the share of its simulated time that has passed. It is called from any goroutine, once at a time.
	// It may be nil.
	Progress func(done float64)
}

// Outcome counts the runs of a study, or of a shard of it.
type Outcome struct {
	Runs    int `json:"runs"`
	Skipped int `json:"skipped"` // finished before
	Done    int `json:"done"`    // finished now
	Failed  int `json:"failed"`
	Spared  int `json:"spared,omitempty"` // replicas that were not needed
}

// All runs what is left of a study and then writes the summary and the table. Each run has a directory of its own name
// in dir, or a row in RowsName, as the study's Keep says. It is finished if the directory holds a complete and correct
// record of it (see work.finished), or if there is a row of just this work; anything else there that this program wrote
// is an earlier attempt and is replaced. A failed run does not stop the others; the errors are joined, in the order of
// the study. When ctx ends, runs under way end at their next window, and no other begins.
//
// One process at a time works in dir, or, if it runs a shard, on that shard. A shard writes no summary: Merge does.
func All(ctx context.Context, st *scenarios.Study, dir string, o AllOptions) (_ Outcome, err error) {
	if err := checkStudy(st); err != nil {
		return Outcome{}, err
	}
	todo := unitsOf(st)
	place := dir // of the lock and of the rows
	if !o.Shard.whole() {
		place = filepath.Join(dir, shardsName, o.Shard.folder())
		var mine [][]int
		for u := range todo {
			if task(u, o.Shard.Tasks) == o.Shard.Task {
				mine = append(mine, todo[u])
			}
		}
		todo = mine
	}
	out := Outcome{}
	for _, unit := range todo {
		out.Runs += len(unit)
	}
	lock, err := claim(dir, place)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, lock.Abandon()) }()
	s, err := openSweep(st, dir, o.Version)
	if err != nil {
		return out, err
	}
	s.kept.path = filepath.Join(place, RowsName)
	defer func() { err = errors.Join(err, s.kept.close()) }()
	s.longestFirst(todo)

	errs := make([]error, len(st.Runs))
	var skipped, done, failed, spared atomic.Int64
	ended := newTally(len(st.Runs), o.Progress)
	var g errgroup.Group
	g.SetLimit(o.Jobs)
	for _, unit := range todo {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() error {
			for _, i := range unit {
				if ctx.Err() != nil {
					return nil
				}
				if !needed(st, s.rows, i) {
					spared.Add(1)
					ended.set(i, 1)
					continue
				}
				before, err := s.settle(ctx, i, func(now, end units.Time) { ended.set(i, now.Seconds()/end.Seconds()) })
				switch {
				case ctx.Err() != nil:
				case err != nil:
					failed.Add(1)
					errs[i] = fmt.Errorf("run %s: %w", st.Runs[i].Name, err)
				case before:
					skipped.Add(1)
				default:
					done.Add(1)
				}
				ended.set(i, 1)
			}
			return nil
		})
	}
	_ = g.Wait() // the functions return nil: one failure does not stop the rest
	out.Skipped, out.Done, out.Failed = int(skipped.Load()), int(done.Load()), int(failed.Load())
	out.Spared = int(spared.Load())
	if err := ctx.Err(); err != nil {
		return out, fmt.Errorf("%d of %d runs are finished: %w", out.Skipped+out.Done+out.Spared, out.Runs, err)
	}
	if out.Done+out.Skipped > 0 && o.Shard.whole() {
		errs = append(errs, summarise(st, dir, s.rows))
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
