package optimize

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/numeric"
)

// promoted is how many of its best points an arm takes into the next round, to be run under more seeds.
const promoted = 3

// mostIdle is how many generations in a row may bring no run: what can be reached has been tried, or is refused.
const mostIdle = 20

// search is the search for the best by one objective.
type search struct {
	*ledger
	seed   uint64
	rounds int
	arms   []*arm // all of them
	left   []*arm // those in the race, the best first
}

// arm is the search in one combination of the lists' values.
type arm struct {
	ledger  *ledger
	pick    []int
	ranges  []int // those that the combination has
	design  *rand.Rand
	draws   *rand.Rand
	entries []*entry // its points, as they were asked for, each once
	seeds   int      // under which its points count now
	fixed   bool     // the seeds make no difference
	limit   int      // runs that it has left in the round
	first   float64  // the share of its runs in the first round that the first hypercube may take
	rounds  int      // in which it took part
	begun   bool     // its first hypercube was asked for
	evolve  *evolution
	asked   []*entry // a generation whose order was not learnt yet
	idle    int      // generations in a row without a run
}

// roundsFor is how often arms are halved until one is left, or two seeds doubled until all are there.
func roundsFor(arms, seeds int) int {
	rounds := 1
	for n := max(arms, seeds); n > 2; n = (n + 1) / 2 {
		rounds++
	}
	return rounds
}

func newSearch(l *ledger, seed uint64, seeds int) *search {
	s := &search{ledger: l, seed: seed}
	for i, pick := range l.space.combinations() {
		a := &arm{ledger: l, pick: pick, ranges: l.space.rangesOf(pick), seeds: min(2, seeds)}
		// Arms of as many dimensions begin with the same points, so that less of chance is between them.
		a.design = rand.New(numeric.Streams("study/optimize/design").At(seed, uint64(len(a.ranges))))
		a.draws = rand.New(numeric.Streams("study/optimize/evolution").At(seed, uint64(i)))
		s.arms = append(s.arms, a)
	}
	s.left, s.rounds = slices.Clone(s.arms), roundsFor(len(s.arms), seeds)
	for _, a := range s.arms {
		if a.first = 1; s.rounds == 1 {
			a.first = 1.0 / 3
		}
	}
	return s
}

// halve searches by successive halving (Karnin, Koren, Somekh, ICML 2013; Jamieson and Talwalkar, AISTATS 2016): in
// each round, the arms that are left share an equal part of the budget, and the better half of them goes on. Seeds
// begin with two and double from round to round, up to all in the last. Within an arm, a Latin hypercube is followed by
// CMA-ES from its best point, and by another hypercube where that has come to rest.
func (s *search) halve(ctx context.Context, seeds int) error {
	for round := range s.rounds {
		left := s.rounds - round
		now := seeds
		for range left - 1 {
			now = (now + 1) / 2
		}
		until := s.spent + (s.budget-s.spent)/left
		if err := s.promote(ctx, now, until); err != nil {
			return err
		}
		part, rest := (until-s.spent)/len(s.left), (until-s.spent)%len(s.left)
		for i, a := range s.left {
			if a.limit = part; i < rest {
				a.limit++
			}
			a.rounds++
		}
		if round == 0 && seeds > 1 {
			if err := s.probe(ctx); err != nil {
				return err
			}
		}
		if err := s.spend(ctx, left == 1); err != nil {
			return err
		}
		slices.SortStableFunc(s.left, func(a, b *arm) int { return compareScores(a.best(), b.best()) })
		if left > 1 {
			s.left = s.left[:(len(s.left)+1)/2]
		}
	}
	return nil
}

// probe runs the middle of each arm under two seeds. Where they come out the same, one is enough.
func (s *search) probe(ctx context.Context) error {
	var asks []ask
	for _, a := range s.left {
		middle := make([]float64, len(a.ranges))
		for i := range middle {
			middle[i] = 0.5
		}
		asks = append(asks, ask{[]*entry{a.add(middle)}, 2})
	}
	runs, err := s.settle(ctx, asks...)
	if err != nil {
		return err
	}
	for i, a := range s.left {
		a.limit -= runs[i]
		if a.fixed = a.entries[0].even(); a.fixed {
			a.seeds = 1
		}
	}
	return nil
}

// promote runs the best points of each arm under the seeds of a round. Where the runs up to a number do not reach, its
// points count under the seeds that they have.
func (s *search) promote(ctx context.Context, seeds, until int) error {
	var asks []ask
	for _, a := range s.left {
		tops := a.leaders(promoted)
		cost := len(missing(tops, seeds))
		if a.fixed || seeds <= a.seeds || s.spent+cost > until {
			continue
		}
		until -= cost
		asks = append(asks, ask{tops, seeds})
		a.seeds = seeds
	}
	_, err := s.settle(ctx, asks...)
	return err
}

// leaders are the best of the points that were run under all seeds that count, best first; of equal ones, those that
// came first.
func (a *arm) leaders(n int) []*entry {
	best := slices.DeleteFunc(slices.Clone(a.entries), func(e *entry) bool {
		return len(e.outcomes) < a.seeds && e.refused() == nil
	})
	slices.SortStableFunc(best, func(x, y *entry) int { return compareScores(a.score(x), a.score(y)) })
	return best[:min(n, len(best))]
}

// tried counts the points that the arm has an outcome of.
func (a *arm) tried() (n int) {
	for _, e := range a.entries {
		if len(e.outcomes) > 0 {
			n++
		}
	}
	return n
}

func (a *arm) score(e *entry) score { return a.ledger.score(e, a.seeds) }

// best is the score of the arm's best point.
func (a *arm) best() score {
	if tops := a.leaders(1); len(tops) > 0 {
		return a.score(tops[0])
	}
	return score{}
}

// spend runs generations of all arms together, until each has spent what it may. A generation that an arm has not
// enough left for waits for the next round; in the last one, its first points are run.
func (s *search) spend(ctx context.Context, last bool) error {
	for {
		var asks []ask
		var asking []*arm
		for _, a := range s.left {
			a.ask()
			if len(a.asked) > 0 && len(missing(a.asked, a.seeds)) <= a.limit {
				asks, asking = append(asks, ask{a.asked, a.seeds}), append(asking, a)
			}
		}
		if len(asks) == 0 {
			break
		}
		runs, err := s.settle(ctx, asks...)
		if err != nil {
			return err
		}
		for i, a := range asking {
			a.limit -= runs[i]
			a.learn(runs[i])
		}
	}
	var rest []ask
	for _, a := range s.left {
		if last {
			rest = append(rest, ask{a.asked[:min(len(a.asked), a.limit/a.seeds)], a.seeds})
		}
	}
	_, err := s.settle(ctx, rest...)
	return err
}

// ask makes the next generation, unless there is one that was not run yet, or the arm has nothing new to try.
func (a *arm) ask() {
	if len(a.asked) > 0 || a.idle >= mostIdle {
		return
	}
	n := len(a.ranges)
	var generation [][]float64
	switch {
	case n == 0: // there is one point alone
		a.idle, generation = mostIdle, [][]float64{nil}
	case a.evolve != nil:
		generation = a.evolve.next()
	default:
		size := population(n)
		if !a.begun {
			a.begun = true
			size = max(1, min(10*n, int(a.first*float64(a.limit))/a.seeds))
		}
		generation = hypercube(size, n, a.design)
	}
	for _, at := range generation {
		a.asked = append(a.asked, a.add(at))
	}
}

// add is the point at a place in the ranges that the arm has.
func (a *arm) add(at []float64) *entry {
	p := point{pick: a.pick, at: make([]float64, len(a.ledger.space.ranges))}
	for i, k := range a.ranges {
		p.at[k] = at[i]
	}
	e := a.ledger.find(p)
	if !slices.Contains(a.entries, e) {
		a.entries = append(a.entries, e)
	}
	return e
}

// learn takes in what came of the generation, which cost so many runs.
func (a *arm) learn(runs int) {
	if a.idle++; runs > 0 {
		a.idle = 0
	}
	asked := a.asked
	a.asked = nil
	order := make([]int, len(asked))
	for i := range order {
		order[i] = i
	}
	compare := func(i, j int) int { return compareScores(a.score(asked[i]), a.score(asked[j])) }
	slices.SortStableFunc(order, compare)
	best, worst := order[0], order[len(order)-1]
	switch {
	case len(a.ranges) == 0:
		a.idle = mostIdle
	case a.evolve != nil:
		// A plain, or nothing but points that are known or refused, has no direction.
		if a.evolve.learn(order); a.evolve.done() || runs == 0 || compare(best, worst) == 0 {
			a.evolve = nil
		}
	case asked[best].refused() == nil:
		// Half of the distance at which as many points fill the cube.
		n := float64(len(a.ranges))
		sigma := numeric.Exp(-numeric.Log(float64(len(asked)))/n) / 2
		var mean []float64
		for _, k := range a.ranges {
			mean = append(mean, asked[best].point.at[k])
		}
		a.evolve = newEvolution(mean, sigma, a.draws)
	}
}
