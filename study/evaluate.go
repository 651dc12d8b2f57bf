package study

import (
	"context"
	"errors"
	"path/filepath"

	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
)

// Metrics are the columns of the summary that are numbers.
func Metrics() []string { return metrics() }

// Metric is a column of the summary that is a number; false where there is none of this name. Its value is NaN where it
// is not known of a run.
func Metric(name string) (of func(*results.Run) float64, ok bool) { return metric(name) }

// Evaluator runs scenarios without records for a search, which asks for more by what it has seen. Each finished run has
// a row in RowsName of the evaluator's directory, and is not run again by a later evaluator of that directory.
type Evaluator struct {
	lock  *results.DirLock
	sweep *sweep
	jobs  int
}

// NewEvaluator takes a directory for this process and makes it if it does not exist. Jobs runs are run at a time.
func NewEvaluator(dir, version string, jobs int) (*Evaluator, error) {
	lock, err := claim(dir, dir)
	if err != nil {
		return nil, err
	}
	s, err := openSweep(&scenarios.Study{Keep: scenarios.KeepNone}, dir, version)
	if err != nil {
		return nil, errors.Join(err, lock.Abandon())
	}
	s.kept.path = filepath.Join(dir, RowsName)
	return &Evaluator{lock, s, jobs}, nil
}

// Evaluate runs all of runs, or takes their rows from the directory. For each it gives, in their order, a row or an
// error. Progress may be nil; see AllOptions. When ctx ends, runs under way end at their next window.
func (e *Evaluator) Evaluate(ctx context.Context, runs []scenarios.Run, progress func(done float64),
) (rows []*results.Run, errs []error) {
	s := e.sweep
	s.st = &scenarios.Study{Runs: runs, Keep: scenarios.KeepNone}
	s.rows = make([]*results.Run, len(runs))
	errs = make([]error, len(runs))
	ended := newTally(len(runs), progress)
	var g errgroup.Group
	g.SetLimit(e.jobs)
	for i := range runs {
		g.Go(func() error {
			if errs[i] = ctx.Err(); errs[i] == nil {
				_, errs[i] = s.settle(ctx, i, nil)
			}
			if ctx.Err() == nil {
				ended.set(i, 1)
			}
			return nil
		})
	}
	_ = g.Wait() // the functions return nil: one failure does not stop the rest
	return s.rows, errs
}

// Close writes what is left and gives the directory free.
func (e *Evaluator) Close() error { return errors.Join(e.sweep.kept.close(), e.lock.Abandon()) }
