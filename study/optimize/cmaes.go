package optimize

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/numeric"
)

// evolution is CMA-ES, the evolution strategy with covariance matrix adaptation, in the unit cube: Hansen, The CMA
// Evolution Strategy: A Tutorial, arXiv:1604.00772v2, figure 6, with the constants of its table 1 for positive weights.
// A generation is asked for by next, and its order told to it by learn; only the order counts.
//
// Three things differ. The factor of the covariance is Cholesky's, of which the update of the step size takes the
// inverse (Krause, Arbonès, Igel, CMA-ES with optimal covariance update and storage complexity, NIPS 2016). What is
// drawn outside of the cube is moved to its edge, and learnt from there: settings are often best at an end of their
// range. The step size does not grow beyond the cube. No function of package math is used that is not exact on every
// machine.
type evolution struct {
	rand *rand.Rand

	n               int // dimensions
	weights         []float64
	mu              float64 // the weights' effective number
	cc, cs, c1, cmu float64
	damping, length float64 // of the step size; the expected length of a normal vector

	mean, pc, ps []float64
	cov          [][]float64
	sigma        float64
	steps        int
	asked        [][]float64 // the generation
}

// population is how many points a generation in n dimensions has.
func population(n int) int { return 4 + int(3*numeric.Log(float64(n))) }

func newEvolution(mean []float64, sigma float64, r *rand.Rand) *evolution {
	n := len(mean)
	size := population(n)
	e := &evolution{rand: r, n: n, mean: slices.Clone(mean), sigma: sigma, pc: make([]float64, n),
		ps: make([]float64, n), asked: make([][]float64, size)}
	sum, squares := 0.0, 0.0
	for i := range size / 2 {
		w := numeric.Log(float64(size+1)/2) - numeric.Log(float64(i+1))
		e.weights = append(e.weights, w)
		sum += w
	}
	for i := range e.weights {
		e.weights[i] /= sum
		squares += float64(e.weights[i] * e.weights[i])
	}
	e.mu = 1 / squares
	d := float64(n)
	e.cc = (4 + e.mu/d) / (d + 4 + 2*e.mu/d)
	e.cs = (e.mu + 2) / (d + e.mu + 5)
	e.c1 = 2 / (float64((d+1.3)*(d+1.3)) + e.mu)
	e.cmu = min(1-e.c1, 2*(e.mu-2+1/e.mu)/(float64((d+2)*(d+2))+e.mu))
	e.damping = 1 + 2*max(0, math.Sqrt((e.mu-1)/(d+1))-1) + e.cs
	e.length = math.Sqrt(d) * (1 - 1/(4*d) + 1/(21*d*d))
	for i := range n {
		e.cov = append(e.cov, make([]float64, n))
		e.cov[i][i] = 1
	}
	return e
}

// next draws a generation.
func (e *evolution) next() [][]float64 {
	factor := cholesky(e.cov)
	for k := range e.asked {
		z, x := make([]float64, e.n), slices.Clone(e.mean)
		for i := range z {
			z[i] = numeric.Normal(e.rand)
		}
		for i := range x {
			for j := range i + 1 {
				x[i] += float64(e.sigma * float64(factor[i][j]*z[j]))
			}
			x[i] = min(max(x[i], 0), 1)
		}
		e.asked[k] = x
	}
	return e.asked
}

// learn takes in the order of the generation: the places of its points, the best first.
func (e *evolution) learn(order []int) {
	old := e.mean
	e.mean = make([]float64, e.n)
	for i, w := range e.weights {
		for k, x := range e.asked[order[i]] {
			e.mean[k] += float64(w * x)
		}
	}
	y := make([]float64, e.n) // the mean's step, in units of sigma
	for k := range y {
		y[k] = (e.mean[k] - old[k]) / e.sigma
	}
	e.steps++
	white, norm := solve(cholesky(e.cov), y), 0.0
	cs := math.Sqrt(e.cs * (2 - e.cs) * e.mu)
	for k := range e.ps {
		e.ps[k] = float64((1-e.cs)*e.ps[k]) + float64(cs*white[k])
		norm += float64(e.ps[k] * e.ps[k])
	}
	norm = math.Sqrt(norm)
	// The path of the covariance stands still while the step size is about to grow by much.
	known := 1 - numeric.Exp(float64(2*e.steps)*numeric.Log(1-e.cs))
	h := 0.0
	if norm/math.Sqrt(known) < (1.4+2/float64(e.n+1))*e.length {
		h = 1
	}
	cc := h * math.Sqrt(e.cc*(2-e.cc)*e.mu)
	for k := range e.pc {
		e.pc[k] = float64((1-e.cc)*e.pc[k]) + float64(cc*y[k])
	}
	keep := 1 - e.c1 - e.cmu + float64((1-h)*e.c1*e.cc*(2-e.cc))
	for i := range e.n {
		for j := range i + 1 {
			c := float64(keep*e.cov[i][j]) + float64(e.c1*float64(e.pc[i]*e.pc[j]))
			for k, w := range e.weights {
				x := e.asked[order[k]]
				step := float64((x[i] - old[i]) / e.sigma * ((x[j] - old[j]) / e.sigma))
				c += float64(e.cmu * float64(w*step))
			}
			e.cov[i][j], e.cov[j][i] = c, c
		}
	}
	e.sigma = min(1, e.sigma*numeric.Exp(e.cs/e.damping*(norm/e.length-1)))
}

// done says that the strategy has come to rest: no coordinate spreads beyond the last digit that settings have.
func (e *evolution) done() bool {
	for i := range e.n {
		if s := e.sigma * math.Sqrt(e.cov[i][i]); s >= resolution {
			return false
		}
	}
	return true
}

// resolution is the least distance, as a share of a range, at which two positions are told apart: settings are written
// with as many digits.
const resolution = 1e-6

// cholesky is the lower factor of a covariance. What rounding has made of a direction that does not vary any more is
// taken for very little.
func cholesky(c [][]float64) [][]float64 {
	l := make([][]float64, len(c))
	for i := range c {
		l[i] = make([]float64, len(c))
		for j := range i + 1 {
			s := c[i][j]
			for k := range j {
				s -= float64(l[i][k] * l[j][k])
			}
			if i == j {
				l[i][i] = math.Sqrt(max(s, 1e-20))
			} else {
				l[i][j] = s / l[j][j]
			}
		}
	}
	return l
}

// solve gives the x of which a lower factor makes y.
func solve(l [][]float64, y []float64) []float64 {
	x := slices.Clone(y)
	for i := range x {
		for j := range i {
			x[i] -= float64(l[i][j] * x[j])
		}
		x[i] /= l[i][i]
	}
	return x
}

// hypercube is a Latin hypercube of n points in the unit cube: in each coordinate, each of n equal parts has one point,
// drawn within it (McKay, Beckman, Conover, Technometrics 21 (1979) 239-245).
func hypercube(n, dimensions int, r *rand.Rand) [][]float64 {
	points := make([][]float64, n)
	for i := range points {
		points[i] = make([]float64, dimensions)
	}
	for k := range dimensions {
		for i, part := range r.Perm(n) {
			points[i][k] = (float64(part) + numeric.Uniform(r)) / float64(n)
		}
	}
	return points
}
