package nomad

import (
	"math"

	"github.com/smartinco/smartinco/numeric"
)

// mostFit is the highest score of a fit, by which it is divided.
const mostFit = 18

// binpack scores a node by how full it is, from 0 to 18; cpu and memory are the parts in use.
func binpack(cpu, memory float64) float64 { return min(max(20-room(cpu, memory), 0), mostFit) }

// spread scores a node by how empty it is, from 0 to 18.
func spread(cpu, memory float64) float64 { return min(max(room(cpu, memory)-2, 0), mostFit) }

// room is 2 for a node that is full, and 20 for an empty one.
func room(cpu, memory float64) float64 { return power10(1-cpu) + power10(1-memory) }

func power10(x float64) float64 { return numeric.Exp(float64(x * math.Ln10)) }

// antiAffinity scores a node that has k allocations, above 0, of a group that wants a count of them.
func antiAffinity(k, count int) float64 { return -float64(k+1) / float64(count) }

// affinity scores a node by the sum of the weights of the affinities that it matches; all is the sum of the amounts of
// all weights, above 0.
func affinity(matched, all float64) float64 { return matched / all }

// targets scores the values of an attribute by how many allocations they are to have.
type targets struct {
	lowest float64 // of the scores so far, and -1
}

// boost scores a value that is to have a number of allocations, and has some already. One that is to have none scores
// as low as any before it.
func (t *targets) boost(desired float64, used int) float64 {
	if desired == 0 {
		return t.lowest
	}
	b := (desired - float64(used+1)) / desired
	t.lowest = min(t.lowest, b)
	return b
}

// evenSpread scores a value that has some allocations, where those values that have any have from least to most; these
// are 0 where none has any.
func evenSpread(used, least, most int32) float64 {
	switch {
	case most == 0:
		return 0
	case used != least:
		return float64(least-used) / float64(least)
	case least == most:
		return -1
	}
	return float64(most-least) / float64(least)
}

// mean is the final score.
func mean(scores []float64) float64 {
	sum := 0.0
	for _, s := range scores {
		sum += s
	}
	return sum / float64(len(scores))
}

// candidate is a row with its final score.
type candidate struct {
	slot  int
	score float64
}

// limiter lets a number of candidates through. Some of those that score no more than a threshold are put back behind
// the others. As in Nomad, one that comes back when there are no others can be put back once more.
type limiter struct {
	limit     int
	most      int // candidates that are put back
	threshold float64
	seen      int
	skipped   []candidate
	at        int // the next of them
}

// next is the next candidate, of those that a source has.
func (l *limiter) next(source func() (candidate, bool)) (candidate, bool) {
	if l.seen == l.limit {
		return candidate{}, false
	}
	c, ok := l.either(source)
	if !ok {
		return c, false
	}
	for ok && c.score <= l.threshold && len(l.skipped) < l.most {
		l.skipped = append(l.skipped, c)
		c, ok = source()
	}
	l.seen++
	if !ok {
		return l.either(source)
	}
	return c, true
}

// either is the source's next candidate or, if it has none, the next of those that were put back.
func (l *limiter) either(source func() (candidate, bool)) (candidate, bool) {
	if c, ok := source(); ok {
		return c, true
	}
	if l.at == len(l.skipped) {
		return candidate{}, false
	}
	l.at++
	return l.skipped[l.at-1], true
}
