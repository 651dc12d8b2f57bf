// Package optimize finds the best settings of a scenario by running it: for one objective by successive halving over
// the combinations of what has a list of values, with a Latin hypercube and CMA-ES over what has a range in each of
// them; for several by NSGA-II, which gives a front. What it finds is run again under seeds that the search has not
// seen, since the best of many is the one that was lucky as well.
//
// A search is a function of its file, of its scenario and of the seed. How many runs are run at a time changes nothing
// but how long it takes. Its runs are kept in a file of package study, by digests of their inputs: a search that was
// interrupted draws the same points again when it is started again, and runs those that are not there yet.
package optimize

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/results/stats"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/study"
)

// Options are the options of Run.
type Options struct {
	Version string // of the program, for the rows
	Jobs    int    // runs at a time, at least 1
	// Progress is called with the number of runs of the search that are done. It may be nil.
	Progress func(done float64)
}

// Result is what a search has found.
type Result struct {
	Name       string   `json:"name"`
	Objectives []string `json:"objectives"`
	Budget     int      `json:"budget"`
	Runs       int      `json:"runs"`             // of the search
	FreshRuns  int      `json:"fresh_runs"`       // in which the best was run again, and its keys were moved
	Points     int      `json:"points"`           // that were looked at, the refused ones among them
	Refused    int      `json:"refused"`          // points that are none that can be run
	Reason     string   `json:"reason,omitempty"` // why the first of them is none
	Broken     int      `json:"broken"`           // points that break a constraint
	// Inert are the keys with a range that make no difference to objectives and constraints of Best[0], at either end.
	Inert []string `json:"inert,omitempty"`
	// Deterministic says that seeds made no difference to the points that were found, in all columns of the summary.
	Deterministic bool          `json:"deterministic"`
	Combinations  []Combination `json:"combinations,omitempty"` // for one objective, the best first
	Best          []Found       `json:"best"`                   // one, or the front in the order of the first objective
}

// Combination is how far the search went with values of the lists.
type Combination struct {
	Settings []Setting `json:"settings"`
	Rounds   int       `json:"rounds"` // in which it took part
	Points   int       `json:"points"`
	Seeds    int       `json:"seeds"` // under which its points counted in the end
	Best     *float64  `json:"best"`  // by the objective; null where no point keeps the constraints
}

// Found is a point that was found.
type Found struct {
	Settings  []Setting `json:"settings"`
	Search    []float64 `json:"search"`    // the objectives: means over the seeds of the search
	Fresh     []Fresh   `json:"fresh"`     // and over fresh ones
	Broken    bool      `json:"broken"`    // under fresh seeds it breaks a constraint
	Dominated bool      `json:"dominated"` // under fresh seeds, another one of the front is nowhere worse
	File      string    `json:"file"`      // its scenario
	number    int
}

// Fresh is an objective under fresh seeds.
type Fresh struct {
	Mean float64 `json:"mean"`
	// Low and High are the ends of its 95 % confidence interval, and equal where the values are or where there is one.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// confidence is that of intervals.
const confidence = 0.95

// job is a search under way.
type job struct {
	*Search
	ledger *ledger
	runs   *study.Evaluator
	report func(done float64)
	seed   uint64 // the scenario's
}

// Run carries a search out in dir, and leaves there the files that docs/studies.md lists. When ctx ends it, its runs
// stay, and it goes on from there when it is called again.
func Run(ctx context.Context, s *Search, dir string, o Options) (_ *Result, err error) {
	e, err := study.NewEvaluator(dir, o.Version, o.Jobs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := clear(dir); err != nil {
		return nil, err
	}
	j := &job{Search: s, runs: e, report: o.Progress, seed: s.root.Seed}
	j.ledger = newLedger(problem{space: &s.space, objectives: len(s.Objectives), constraints: len(s.Constraints),
		key: s.space.key, run: j.try}, s.Budget)
	found, fixed, combinations, err := j.search(ctx)
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = fmt.Errorf("%d of at most %d runs are finished: %w", j.ledger.spent, s.Budget, ctx.Err())
		}
	}()
	if err != nil {
		return nil, err
	}
	r := j.result(combinations)
	if len(found) == 0 {
		return nil, j.nothing(r)
	}
	if err := j.again(ctx, r, found, fixed); err != nil {
		return nil, err
	}
	if err := j.move(ctx, r, found[0]); err != nil {
		return nil, err
	}
	return r, j.write(dir, r, found)
}

// search finds the best points, and says whether seeds made no difference to them.
func (j *job) search(ctx context.Context) (found []*entry, fixed bool, cs []Combination, err error) {
	if len(j.Objectives) > 1 {
		f := newFront(j.ledger, j.Seed, j.Seeds)
		err := f.evolve(ctx)
		return f.best(j.Front), f.fixed, nil, err
	}
	s := newSearch(j.ledger, j.Seed, j.Seeds)
	if err := s.halve(ctx, j.Seeds); err != nil {
		return nil, false, nil, err
	}
	order := slices.Clone(s.arms)
	slices.SortStableFunc(order, func(a, b *arm) int {
		if a.rounds != b.rounds {
			return b.rounds - a.rounds
		}
		return compareScores(a.best(), b.best())
	})
	for _, a := range order {
		best := a.best()
		c := Combination{Settings: j.space.listed(a.pick), Rounds: a.rounds, Points: a.tried(), Seeds: a.seeds}
		if best.feasible() {
			value := j.natural(0, best.values[0])
			c.Best = &value
		}
		cs = append(cs, c)
	}
	if best := s.left[0].best(); best.feasible() {
		found = s.left[0].leaders(1)
	}
	return found, s.left[0].fixed, cs, nil
}

// natural is an objective as it was asked for: within, all are minimised.
func (j *job) natural(objective int, value float64) float64 {
	if j.Objectives[objective].Maximize {
		return -value
	}
	return value
}

// try runs trials.
func (j *job) try(ctx context.Context, trials []trial) ([]outcome, error) {
	outs := make([]outcome, len(trials))
	var runs []scenarios.Run
	var of []int
	for i, t := range trials {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		seed := j.seed + uint64(t.seed)
		sc, err := j.scenario(j.space.settings(&t.point), "seed="+strconv.FormatUint(seed, 10))
		switch {
		case errors.Is(err, scenarios.ErrInvalid):
			outs[i].refused = err
			continue
		case err != nil:
			return nil, err
		case !j.Where.Holds(sc):
			outs[i].refused = errWhere
			continue
		}
		number := j.ledger.find(t.point).number
		runs = append(runs, scenarios.Run{Name: fmt.Sprintf("point=%d-seed=%d", number, seed), Scenario: sc})
		of = append(of, i)
	}
	before := float64(j.ledger.spent)
	rows, errs := j.runs.Evaluate(ctx, runs, func(done float64) {
		if j.report != nil {
			j.report(before + done)
		}
	})
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for k, i := range of {
		switch err := errs[k]; {
		case errors.Is(err, study.ErrRefused), errors.Is(err, scenarios.ErrInvalid):
			outs[i].refused = err
		case err != nil:
			return nil, fmt.Errorf("%s: %w", j.text(&trials[i]), err)
		default:
			outs[i] = j.outcome(rows[k])
		}
	}
	return outs, nil
}

// errWhere is what is wrong with a point that is left out.
var errWhere = errors.New("it does not meet where")

// text says what was tried.
func (j *job) text(t *trial) string {
	var parts []string
	for _, set := range j.space.settings(&t.point) {
		parts = append(parts, set.Key+"="+set.Value)
	}
	return fmt.Sprintf("%s under seed %d", strings.Join(parts, " "), j.seed+uint64(t.seed))
}

// outcome takes the objectives and the sides of the constraints from a row.
func (j *job) outcome(row *results.Run) (o outcome) {
	o.ran = true
	take := func(what fmt.Stringer, x float64) {
		if x-x != 0 && o.refused == nil {
			o.refused = fmt.Errorf("%s is not known of it, or no number", what)
		}
		o.values = append(o.values, x)
	}
	for i, e := range j.Objectives {
		take(e.Expression, j.natural(i, e.of(row)))
	}
	for _, c := range j.Constraints {
		take(c, c.left(row))
		take(c, c.right(row))
	}
	var all []float64
	for _, name := range study.Metrics() {
		of, _ := study.Metric(name)
		all = append(all, of(row))
	}
	o.same = keyOf(all)
	return o
}

// keyOf is equal for equal numbers.
func keyOf(values []float64) string {
	var b strings.Builder
	for _, v := range values {
		b.WriteString(strconv.FormatFloat(v, 'g', -1, 64) + " ")
	}
	return b.String()
}

// again runs what was found under fresh seeds. Where seeds made no difference, one fresh seed shows whether that holds.
func (j *job) again(ctx context.Context, r *Result, found []*entry, fixed bool) error {
	run := func(from, to int) ([][]outcome, error) {
		var trials []trial
		for _, e := range found {
			for seed := from; seed < to; seed++ {
				trials = append(trials, trial{e.point, j.Seeds + seed})
			}
		}
		outs, err := j.try(ctx, trials)
		if err != nil {
			return nil, err
		}
		for i, o := range outs {
			if o.refused != nil {
				return nil, fmt.Errorf("%s: %w", j.text(&trials[i]), o.refused)
			}
		}
		r.FreshRuns += len(trials)
		return slices.Collect(slices.Chunk(outs, to-from)), nil
	}
	first := j.Fresh
	if fixed {
		first = 1
	}
	outs, err := run(0, first)
	if err != nil {
		return err
	}
	r.Deterministic = true
	for i, e := range found {
		for _, o := range slices.Concat(e.outcomes, outs[i]) {
			r.Deterministic = r.Deterministic && o.same == e.outcomes[0].same
		}
	}
	if fixed && !r.Deterministic && j.Fresh > 1 {
		more, err := run(1, j.Fresh)
		if err != nil {
			return err
		}
		for i := range outs {
			outs[i] = append(outs[i], more[i]...)
		}
	}
	scores := make([]score, len(found))
	for i, e := range found {
		f := Found{Settings: j.space.settings(&e.point), number: e.number}
		seeds := len(e.outcomes)
		if fixed {
			seeds = 1
		}
		for k, v := range j.ledger.score(e, seeds).values {
			f.Search = append(f.Search, j.natural(k, v))
			f.Fresh = append(f.Fresh, j.mean(outs[i], k))
		}
		scores[i] = j.ledger.scored(means(outs[i]))
		f.Broken = scores[i].violation > 0
		r.Best = append(r.Best, f)
	}
	for i := range scores {
		r.Best[i].Dominated = slices.ContainsFunc(scores, func(s score) bool { return s.dominates(&scores[i]) })
	}
	return nil
}

// move takes each range of a point to both of its ends, to see whether the key makes a difference at all: one of a
// policy that is not chosen does not, and its value would be no answer.
func (j *job) move(ctx context.Context, r *Result, e *entry) error {
	for _, k := range j.space.rangesOf(e.point.pick) {
		inert := true
		for _, end := range []float64{0, 1} {
			at := slices.Clone(e.point.at)
			at[k] = end
			moved := j.ledger.find(point{e.point.pick, at})
			if len(moved.outcomes) == 0 { // the search has not been there
				outs, err := j.try(ctx, []trial{{point: moved.point}})
				if err != nil {
					return err
				}
				if moved.outcomes = outs; outs[0].ran {
					r.FreshRuns++
				}
			}
			inert = inert && moved.refused() == nil && slices.Equal(moved.outcomes[0].values, e.outcomes[0].values)
		}
		if inert {
			r.Inert = append(r.Inert, j.axes[j.ranges[k]].key)
		}
	}
	return nil
}

// mean is an objective over runs.
func (j *job) mean(outs []outcome, objective int) Fresh {
	var values []float64
	for _, o := range outs {
		values = append(values, j.natural(objective, o.values[objective]))
	}
	in, err := stats.Mean(values, confidence)
	if err != nil { // one value, or equal ones
		return Fresh{values[0], values[0], values[0]}
	}
	return Fresh{in.Value, in.Low, in.High}
}

// result counts.
func (j *job) result(combinations []Combination) *Result {
	l := j.ledger
	r := &Result{Name: j.Name, Budget: j.Budget, Runs: l.spent, Combinations: combinations}
	for _, o := range j.Objectives {
		r.Objectives = append(r.Objectives, o.String())
	}
	for _, e := range l.tried {
		r.Points++
		if err := e.refused(); err != nil {
			if r.Refused++; r.Refused == 1 {
				r.Reason = j.text(&trial{e.point, len(e.outcomes) - 1}) + ": " + err.Error()
			}
		} else if s := l.score(e, len(e.outcomes)); s.violation > 0 {
			r.Broken++
		}
	}
	return r
}

// nothing says that no point can be recommended.
func (j *job) nothing(r *Result) error {
	if r.Refused == r.Points {
		for _, e := range j.ledger.tried {
			if err := e.refused(); err != nil {
				return refused{fmt.Errorf("none of %d points can be run; the first: %s: %w", r.Points,
					j.text(&trial{e.point, len(e.outcomes) - 1}), err)}
			}
		}
	}
	return refused{fmt.Errorf("none of %d points keeps the constraints: %d are refused, %d break one", r.Points,
		r.Refused, r.Broken)}
}

// refused makes an error a refusal: the search has no answer.
type refused struct{ error }

func (refused) Is(target error) bool { return target == study.ErrRefused }
func (r refused) Unwrap() error      { return r.error }
