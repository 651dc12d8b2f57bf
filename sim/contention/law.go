// Package contention says how much one instance can process when n of them run side by side on the same cores, caches
// and memory.
//
// Three laws answer that. [USL], the Universal Scalability Law of N. J. Gunther ("Guerrilla Capacity Planning", 2007,
// chapters 4 to 6), has the capacity of n workers together as
//
//	A(n) = λn / (1 + σ(n−1) + κn(n−1))
//
// where λ is what one worker does alone, σ the share of work that is serialised (contention) and κ the cost of keeping
// each pair of workers coherent. With κ > 0 the total has a maximum, near n = √((1−σ)/κ), beyond which more workers do
// less: that is why a scheduler that needs fewer instances can process more. [Table] interpolates between measured
// points, [Constant] is the absence of contention.
//
// [Fit] finds the parameters of the USL from measured points, which [Parse] reads from a file.
package contention

import (
	"fmt"
	"math"
	"slices"
)

// Law gives the capacity of one instance by the number that contend.
type Law interface {
	// Capacity is the packets per second that each of n contending instances can process. It is positive and finite
	// for each n; an n below 1 counts as 1.
	Capacity(n int) float64
}

// USL is the Universal Scalability Law. Make one with [NewUSL], which checks the parameters.
type USL struct {
	Lambda float64 // packets per second of one instance alone, > 0
	Sigma  float64 // contention, ≥ 0
	Kappa  float64 // coherency, ≥ 0
}

// NewUSL checks the parameters: all finite, lambda positive, sigma and kappa not negative.
func NewUSL(lambda, sigma, kappa float64) (USL, error) {
	if err := positive("lambda", lambda); err != nil {
		return USL{}, err
	}
	for _, p := range []struct {
		name string
		v    float64
	}{{"sigma", sigma}, {"kappa", kappa}} {
		if !(p.v >= 0) || math.IsInf(p.v, 0) {
			return USL{}, fmt.Errorf("contention: %s is %v: want a finite number of at least 0", p.name, p.v)
		}
	}
	return USL{lambda, sigma, kappa}, nil
}

// Capacity is A(n)/n.
func (u USL) Capacity(n int) float64 { return u.Lambda / u.denominator(n) }

// Total is A(n), the packets per second of n instances together.
func (u USL) Total(n int) float64 {
	n = max(n, 1)
	return u.Capacity(n) * float64(n)
}

// The conversions keep the compiler from fusing a multiplication and an addition, which would change the last bit from
// one architecture to another.
func (u USL) denominator(n int) float64 {
	m := float64(max(n, 1))
	return 1 + float64(u.Sigma*(m-1)) + float64(float64(u.Kappa*m)*(m-1))
}

// Constant is the packets per second that each instance processes, however many there are. Make one with [NewConstant].
type Constant float64

// NewConstant checks that the rate is positive and finite.
func NewConstant(rate float64) (Constant, error) { return Constant(rate), positive("rate", rate) }

// Capacity is the constant.
func (c Constant) Capacity(int) float64 { return float64(c) }

// Table holds measured points. Between two points the capacity of one instance is interpolated linearly in n; below the
// first and above the last it is held at theirs, because a measurement says nothing about what lies beyond it. Make one
// with [NewTable].
type Table struct {
	n    []int
	rate []float64
}

// NewTable takes the capacity of each of n instances, in packets per second, by n. It wants at least one point, each n
// at least 1, each rate positive and finite.
func NewTable(points map[int]float64) (Table, error) {
	var t Table
	for n := range points {
		t.n = append(t.n, n)
	}
	slices.Sort(t.n)
	if len(t.n) == 0 {
		return Table{}, fmt.Errorf("contention: the table has no points: want at least one, such as 1: 25Mpps")
	}
	for _, n := range t.n {
		if n < 1 {
			return Table{}, fmt.Errorf("contention: the table has a point for %d instances: want at least 1", n)
		}
		if err := positive(fmt.Sprintf("the rate of %d instances", n), points[n]); err != nil {
			return Table{}, err
		}
		t.rate = append(t.rate, points[n])
	}
	return t, nil
}

// Capacity interpolates.
func (t Table) Capacity(n int) float64 {
	i, found := slices.BinarySearch(t.n, n)
	switch {
	case found:
		return t.rate[i]
	case i == 0:
		return t.rate[0]
	case i == len(t.n):
		return t.rate[i-1]
	}
	share := float64(n-t.n[i-1]) / float64(t.n[i]-t.n[i-1])
	return t.rate[i-1] + float64(share*(t.rate[i]-t.rate[i-1]))
}

func positive(name string, v float64) error {
	if !(v > 0) || math.IsInf(v, 0) {
		return fmt.Errorf("contention: %s is %v: want a positive, finite number of packets per second", name, v)
	}
	return nil
}
