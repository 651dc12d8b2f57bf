package optimize

import (
	"cmp"
	"context"
	"slices"
)

// point is a place in the space that is searched.
type point struct {
	pick []int     // of each list the value that it has; -1 for a list that is none of its combination
	at   []float64 // of each range the position, 0 to 1
}

// trial is a run that is asked for: a point under one of the seeds, from 0.
type trial struct {
	point point
	seed  int
}

// outcome is what came of a trial.
type outcome struct {
	refused error     // the point is none that can be run, or its values are no numbers
	ran     bool      // it took a run to know
	values  []float64 // the objectives, all to be minimised, then of each constraint what must be at most what follows
	same    string    // equal for runs that came out equal in all
}

// problem is what is searched.
type problem struct {
	space       *space
	objectives  int
	constraints int
	key         func(*point) string // of points that are the same
	run         func(context.Context, []trial) ([]outcome, error)
}

// entry is what is known of a point.
type entry struct {
	number   int // from 0, in the order in which points were tried
	point    point
	outcomes []outcome // under the first seeds
}

// score is how good a point is, by the means over some seeds.
type score struct {
	refused   error
	violation float64 // by how much constraints are broken, each as a share of what it asks for; 0 for none
	values    []float64
}

// ledger keeps all that was tried, and counts the runs. A point that is refused before it runs takes none.
type ledger struct {
	problem
	budget, spent int
	tried         []*entry
	byKey         map[string]*entry
}

func newLedger(p problem, budget int) *ledger {
	return &ledger{problem: p, budget: budget, byKey: map[string]*entry{}}
}

// find is the entry of a point, which is made if it is new.
func (l *ledger) find(p point) *entry {
	key := l.key(&p)
	e := l.byKey[key]
	if e == nil {
		e = &entry{point: p}
		l.byKey[key] = e
	}
	return e
}

// missing lists the trials that entries lack under the first n seeds.
func missing(entries []*entry, n int) (ts []trial) {
	seen := map[*entry]bool{}
	for _, e := range entries {
		for seed := len(e.outcomes); seed < n && !seen[e] && e.refused() == nil; seed++ {
			ts = append(ts, trial{e.point, seed})
		}
		seen[e] = true
	}
	return ts
}

// ask is points of one part of the search, each under the first so many seeds.
type ask struct {
	entries []*entry
	seeds   int
}

// settle runs what asks lack, all of it at once, and counts the runs of each. Whether the budget reaches for them is
// the caller's concern: see missing.
func (l *ledger) settle(ctx context.Context, asks ...ask) (runs []int, err error) {
	var trials []trial
	var of []*entry
	var by []int
	for i, a := range asks {
		for _, t := range missing(a.entries, a.seeds) {
			e := l.find(t.point)
			if trials, of, by = append(trials, t), append(of, e), append(by, i); t.seed == 0 {
				e.number = len(l.tried)
				l.tried = append(l.tried, e)
			}
		}
	}
	runs = make([]int, len(asks))
	if len(trials) == 0 {
		return runs, nil
	}
	outs, err := l.run(ctx, trials)
	if err != nil {
		return nil, err
	}
	for i, o := range outs {
		if of[i].refused() == nil {
			of[i].outcomes = append(of[i].outcomes, o)
		}
		if o.ran {
			l.spent++
			runs[by[i]]++
		}
	}
	return runs, nil
}

func (e *entry) refused() error {
	if len(e.outcomes) > 0 {
		return e.outcomes[len(e.outcomes)-1].refused
	}
	return nil
}

// even says whether a point came out the same under all seeds, of which there are two at least.
func (e *entry) even() bool {
	return len(e.outcomes) > 1 && !slices.ContainsFunc(e.outcomes, func(o outcome) bool {
		return o.same != e.outcomes[0].same
	})
}

// score takes the means over the first n seeds, or over as many as there are.
func (l *ledger) score(e *entry, n int) score {
	if err := e.refused(); err != nil || len(e.outcomes) == 0 {
		return score{refused: err}
	}
	return l.scored(means(e.outcomes[:min(n, len(e.outcomes))]))
}

// scored makes a score of means.
func (l *ledger) scored(mean []float64) score {
	s := score{values: mean[:l.objectives]}
	for i := range l.constraints {
		left, right := mean[l.objectives+2*i], mean[l.objectives+2*i+1]
		if left > right {
			scale := max(right, -right)
			if scale == 0 {
				scale = 1
			}
			s.violation += (left - right) / scale
		}
	}
	return s
}

func means(outs []outcome) []float64 {
	mean := make([]float64, len(outs[0].values))
	for _, o := range outs {
		for i, v := range o.values {
			mean[i] += v
		}
	}
	for i := range mean {
		mean[i] /= float64(len(outs))
	}
	return mean
}

func (s *score) feasible() bool { return s.refused == nil && s.values != nil && s.violation == 0 }

// rank is the class of a score: what can be run goes before what cannot.
func (s *score) rank() int {
	if s.refused != nil || s.values == nil {
		return 1
	}
	return 0
}

// compareScores orders by the first objective. What breaks a constraint comes behind what breaks none, in the order of
// how much, and what cannot be run comes last: the rules of Deb, Computer Methods in Applied Mechanics and Engineering
// 186 (2000) 311-338.
func compareScores(a, b score) int {
	if c := cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.violation, b.violation)); c != 0 || a.rank() > 0 {
		return c
	}
	return cmp.Compare(a.values[0], b.values[0])
}

// dominates says that a is nowhere worse than b and somewhere better, by Deb's rules for constraints.
func (s *score) dominates(b *score) bool {
	if c := cmp.Or(cmp.Compare(s.rank(), b.rank()), cmp.Compare(s.violation, b.violation)); c != 0 || s.rank() > 0 {
		return c < 0
	}
	better := false
	for i, v := range s.values {
		if v > b.values[i] {
			return false
		}
		better = better || v < b.values[i]
	}
	return better
}
