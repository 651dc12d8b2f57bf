package optimize

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/numeric"
)

// leastPopulation is the least number of points that a front is looked for with.
const leastPopulation = 8

// The indices of the distributions of children about their parents, as Deb and his colleagues use them for NSGA-II.
const (
	crossoverIndex = 15
	mutationIndex  = 20
	crossed        = 0.9 // the share of children of two parents
)

// front is the search for all that is best by several objectives: NSGA-II (Deb, Pratap, Agarwal, Meyarivan, IEEE
// Transactions on Evolutionary Computation 6 (2002) 182-197), with simulated binary crossover and polynomial mutation
// within bounds for ranges, uniform crossover and redrawing for lists, and a Latin hypercube as the first generation.
type front struct {
	*ledger
	rand  *rand.Rand
	seeds int
	fixed bool // the seeds make no difference
}

func newFront(l *ledger, seed uint64, seeds int) *front {
	return &front{ledger: l, rand: numeric.Stream(seed, "study/optimize/front"), seeds: seeds}
}

// evolve spends the budget. The first points are run under two seeds; if these make no difference, each point is run
// once.
func (f *front) evolve(ctx context.Context) error {
	points := f.budget / f.seeds
	size := min(max(2*int(math.Sqrt(float64(points))/2+0.5), leastPopulation), 100)
	parents := f.first(size)
	if f.seeds > 1 {
		probe := parents[:min(promoted, len(parents))]
		if _, err := f.settle(ctx, ask{probe, 2}); err != nil {
			return err
		}
		runnable := slices.DeleteFunc(slices.Clone(probe), func(e *entry) bool { return e.refused() != nil })
		f.fixed = len(runnable) > 0 && !slices.ContainsFunc(runnable, func(e *entry) bool { return !e.even() })
		if f.fixed {
			f.seeds = 1
		}
	}
	children, idle := parents, 0
	for idle < mostIdle {
		next := slices.DeleteFunc(slices.Clone(children), func(e *entry) bool {
			return len(missing([]*entry{e}, f.seeds)) == 0
		})
		most := (f.budget - f.spent) / f.seeds
		if most == 0 {
			break
		}
		runs, err := f.settle(ctx, ask{next[:min(most, len(next))], f.seeds})
		if err != nil {
			return err
		}
		if idle++; runs[0] > 0 {
			idle = 0
		}
		if len(next) > most {
			continue // what is left after those that were refused is spent on the same generation
		}
		var places []place
		parents, places = f.survivors(append(parents, children...), size)
		children = f.children(parents, places, size)
	}
	return nil
}

// first is a Latin hypercube, with the values of lists dealt evenly.
func (f *front) first(size int) (points []*entry) {
	ranges := len(f.space.ranges)
	positions := hypercube(size, ranges, f.rand)
	picks := make([][]int, size)
	for _, l := range f.space.lists {
		for i, k := range f.rand.Perm(size) {
			picks[i] = append(picks[i], k%len(f.space.axes[l].values))
		}
	}
	for i := range positions {
		points = f.add(points, picks[i], positions[i])
	}
	return points
}

// add appends the point unless it is there already. A list that is none of the combination has no value.
func (f *front) add(points []*entry, pick []int, at []float64) []*entry {
	pick = slices.Clone(pick)
	for k, l := range f.space.lists {
		if !f.space.has(pick, &f.space.axes[l]) {
			pick[k] = -1
		}
	}
	if e := f.find(point{pick, at}); !slices.Contains(points, e) {
		return append(points, e)
	}
	return points
}

// place is where a point stands among others.
type place struct {
	front    int
	distance float64 // to its neighbours in its front
}

func (p place) before(q place) bool {
	return cmp.Or(cmp.Compare(p.front, q.front), cmp.Compare(q.distance, p.distance)) < 0
}

// survivors keeps the best of points: front by front, and of the last one those that lie apart. A point that came to
// the same as one before it comes behind all others: where the load makes stairs, most of a front would be such points.
func (f *front) survivors(points []*entry, size int) (kept []*entry, places []place) {
	var unique, again []*entry
	known, came := map[*entry]bool{}, map[string]bool{}
	for _, e := range points {
		if known[e] {
			continue
		}
		known[e] = true
		s := f.score(e, f.seeds)
		if key := keyOf(s.values); s.feasible() && came[key] {
			again = append(again, e)
		} else {
			came[key] = true
			unique = append(unique, e)
		}
	}
	scores := f.scores(unique)
	fronts := sorted(scores)
	for rank, members := range fronts {
		distances := crowding(scores, members)
		order := make([]int, len(members))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(distances[j], distances[i]) })
		for _, i := range order {
			kept, places = append(kept, unique[members[i]]), append(places, place{rank, distances[i]})
		}
	}
	for _, e := range again {
		kept, places = append(kept, e), append(places, place{front: len(fronts)})
	}
	return kept[:min(size, len(kept))], places[:min(size, len(kept))]
}

func (f *front) scores(points []*entry) []score {
	scores := make([]score, len(points))
	for i, e := range points {
		scores[i] = f.score(e, f.seeds)
	}
	return scores
}

// sorted are the fronts of scores: in the first those that none dominates, in the next those that none of the rest
// does, and so on.
func sorted(scores []score) (fronts [][]int) {
	by := make([]int, len(scores)) // how many dominate each
	below := make([][]int, len(scores))
	for i := range scores {
		for j := range scores {
			if scores[i].dominates(&scores[j]) {
				by[j]++
				below[i] = append(below[i], j)
			}
		}
	}
	var now []int
	for i, n := range by {
		if n == 0 {
			now = append(now, i)
		}
	}
	for len(now) > 0 {
		fronts = append(fronts, now)
		var next []int
		for _, i := range now {
			for _, j := range below[i] {
				if by[j]--; by[j] == 0 {
					next = append(next, j)
				}
			}
		}
		slices.Sort(next)
		now = next
	}
	return fronts
}

// crowding is how far apart the neighbours of each member of a front lie, summed over the objectives, each as a share
// of its spread. The ends are infinitely far.
func crowding(scores []score, members []int) []float64 {
	distances := make([]float64, len(members))
	objectives := len(scores[members[0]].values)
	for k := range objectives {
		order := make([]int, len(members))
		for i := range order {
			order[i] = i
		}
		value := func(i int) float64 { return scores[members[order[i]]].values[k] }
		slices.SortStableFunc(order, func(i, j int) int {
			return cmp.Compare(scores[members[i]].values[k], scores[members[j]].values[k])
		})
		last := len(order) - 1
		distances[order[0]], distances[order[last]] = math.Inf(1), math.Inf(1)
		spread := value(last) - value(0)
		for i := 1; i < last && spread > 0; i++ {
			distances[order[i]] += (value(i+1) - value(i-1)) / spread
		}
	}
	return distances
}

// children makes the next generation.
func (f *front) children(parents []*entry, places []place, size int) (points []*entry) {
	for range 20 * size { // where few points exist, children are known or alike
		if len(points) >= size {
			break
		}
		a, b := f.tournament(places), f.tournament(places)
		x, y := f.crossover(&parents[a].point, &parents[b].point)
		for _, p := range []point{x, y} {
			f.mutate(&p)
			if len(points) < size {
				points = f.add(points, p.pick, p.at)
			}
		}
	}
	return points
}

// tournament draws two and gives the better one.
func (f *front) tournament(places []place) int {
	a, b := f.rand.IntN(len(places)), f.rand.IntN(len(places))
	if places[b].before(places[a]) {
		return b
	}
	return a
}

// crossover makes two children of two points.
func (f *front) crossover(a, b *point) (x, y point) {
	x = point{slices.Clone(a.pick), slices.Clone(a.at)}
	y = point{slices.Clone(b.pick), slices.Clone(b.at)}
	if numeric.Uniform(f.rand) >= crossed {
		return x, y
	}
	for k := range x.pick {
		if f.rand.IntN(2) == 0 {
			x.pick[k], y.pick[k] = y.pick[k], x.pick[k]
		}
	}
	for k := range x.at {
		if f.rand.IntN(2) == 0 {
			continue
		}
		low, high := min(a.at[k], b.at[k]), max(a.at[k], b.at[k])
		u := numeric.Uniform(f.rand)
		if high-low > 1e-14 {
			c := spread(u, (low+high)/2, high-low, low)
			d := spread(u, (low+high)/2, high-low, 1-high)
			x.at[k], y.at[k] = c(-1), d(1)
		}
		if f.rand.IntN(2) == 0 {
			x.at[k], y.at[k] = y.at[k], x.at[k]
		}
	}
	return x, y
}

// spread draws how far the children of two parents lie from their middle: simulated binary crossover, whose
// distribution ends at the bound that is room away from the parent on this side.
func spread(u, middle, apart, room float64) func(side float64) float64 {
	alpha := 2 - power(1+2*room/apart, -(crossoverIndex+1))
	beta := 0.0
	if u <= 1/alpha {
		beta = power(u*alpha, 1.0/(crossoverIndex+1))
	} else {
		beta = power(1/(2-float64(u*alpha)), 1.0/(crossoverIndex+1))
	}
	return func(side float64) float64 {
		return min(max(middle+float64(side*float64(beta*apart))/2, 0), 1)
	}
}

// mutate changes one coordinate of a point in the mean.
func (f *front) mutate(p *point) {
	n := len(p.pick) + len(p.at)
	for k := range p.pick {
		if f.rand.IntN(n) == 0 || p.pick[k] < 0 {
			p.pick[k] = f.rand.IntN(len(f.space.axes[f.space.lists[k]].values))
		}
	}
	for k, x := range p.at {
		if f.rand.IntN(n) > 0 {
			continue
		}
		u := numeric.Uniform(f.rand)
		step := 0.0
		if u < 0.5 {
			rest := power(1-x, mutationIndex+1)
			step = power(2*u+float64((1-2*u)*rest), 1.0/(mutationIndex+1)) - 1
		} else {
			rest := power(x, mutationIndex+1)
			step = 1 - power(2*(1-u)+float64((2*u-1)*rest), 1.0/(mutationIndex+1))
		}
		p.at[k] = min(max(x+step, 0), 1)
	}
}

// power is x to the y for an x that is not negative.
func power(x, y float64) float64 {
	if x <= 0 {
		return 0
	}
	return numeric.Exp(y * numeric.Log(x))
}

// best are the points that none dominates of all that were run under all seeds and keep the constraints, in the order
// of the first objective; of more than most, those that lie apart.
func (f *front) best(most int) []*entry {
	var full []*entry
	var scores []score
	for _, e := range f.tried {
		if s := f.score(e, f.seeds); len(e.outcomes) >= f.seeds && s.feasible() {
			full, scores = append(full, e), append(scores, s)
		}
	}
	var members []int
	for i := range full {
		if slices.ContainsFunc(members, func(k int) bool { return scores[k].dominates(&scores[i]) }) {
			continue
		}
		members = slices.DeleteFunc(members, func(k int) bool { return scores[i].dominates(&scores[k]) })
		members = append(members, i)
	}
	seen := map[string]bool{} // settings that come to the same have one place
	members = slices.DeleteFunc(members, func(i int) bool {
		key := keyOf(scores[i].values)
		was := seen[key]
		seen[key] = true
		return was
	})
	for len(members) > most {
		distances := crowding(scores, members)
		worst := 0
		for i, d := range distances {
			if d < distances[worst] {
				worst = i
			}
		}
		members = slices.Delete(members, worst, worst+1)
	}
	slices.SortStableFunc(members, func(i, j int) int { return slices.Compare(scores[i].values, scores[j].values) })
	var best []*entry
	for _, i := range members {
		best = append(best, full[i])
	}
	return best
}
