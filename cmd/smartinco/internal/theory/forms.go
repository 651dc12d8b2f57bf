package theory

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// The closed forms. Times are in mean service times, loads in erlangs; a queue holds at most room packets, the one in
// service included, and 0 is a queue without a limit. Waits are those of the packets that are accepted; the tail is the
// probability of a longer one.

// mm1k is M/M/1/K: the number in the system is a truncated geometric distribution (Gross, Shortle, Thompson and Harris,
// Fundamentals of Queueing Theory, 2.5), and a packet that finds n waits for n exponential services.
func mm1k(load float64, room int) (loss, wait float64, tail func(float64) float64) {
	if room == 0 {
		return 0, load / (1 - load), func(t float64) float64 { return load * math.Exp((load-1)*t) }
	}
	found := make([]float64, room) // by an accepted packet
	p, norm := 1.0, 0.0
	for n := range found {
		found[n] = p
		norm += p
		p *= load
	}
	for n := range found {
		found[n] /= norm
		wait += float64(n) * found[n]
	}
	return p / (norm + p), wait, func(t float64) float64 {
		sum := 0.0
		for n := 1; n < room; n++ {
			sum += found[n] * mathext.GammaIncRegComp(float64(n), t)
		}
		return sum
	}
}

// p99 is the time that a tail exceeds in one case of a hundred.
func p99(tail func(float64) float64) float64 {
	low, high := 0.0, 1.0
	for tail(high) > 0.01 {
		high *= 2
	}
	for range 100 {
		if mid := (low + high) / 2; tail(mid) > 0.01 {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// mix is a service time of a few values, with their probabilities. Its mean is 1.
type mix []struct{ time, share float64 }

var deterministic = mix{{1, 1}}

// moment is that of the service time.
func (m mix) moment(k float64) (sum float64) {
	for _, x := range m {
		sum += x.share * math.Pow(x.time, k)
	}
	return sum
}

// overlap is the integral of the probability that a service takes longer than x, from a to b.
func (m mix) overlap(a, b float64) (sum float64) {
	for _, x := range m {
		sum += x.share * (min(b, max(a, x.time)) - a)
	}
	return sum
}

// grid is how many steps workload makes in a mean service time.
const grid = 250

// workload is the distribution function of the work in an M/G/1 queue, up to the factor of its value at 0, at 0,
// 1/grid, 2/grid, ..., as far as until says false. Level crossing gives F(x) = F(0) + load * integral of P(S > y)
// F(x-y) dy, here by the trapezoidal rule. Below any level it does not matter what happens above it, so the same F is
// that of a queue that takes a packet only if the work is at most some level, and there the load may be beyond 1.
func workload(load float64, m mix, until func(f []float64) bool) []float64 {
	longest := 0.0
	for _, x := range m {
		longest = max(longest, x.time)
	}
	var weight []float64 // of each step back
	for i := 0; float64(i) < longest*grid; i++ {
		weight = append(weight, load*m.overlap(float64(i)/grid, float64(i+1)/grid))
	}
	f := []float64{1}
	for until(f) {
		sum := 1.0
		for i, w := range weight {
			k := len(f) - 1 - i
			if k < 0 {
				break
			}
			if i == 0 {
				sum += w * f[k] / 2 // the other half is of the value that is sought
			} else {
				sum += w * (f[k] + f[k+1]) / 2
			}
		}
		f = append(f, sum/(1-weight[0]/2))
	}
	return f
}

// at is f between its points, by a straight line; beyond the last it is the last.
func at(f []float64, t float64) float64 {
	i := int(t * grid)
	if i+1 >= len(f) {
		return f[len(f)-1]
	}
	return f[i] + (f[i+1]-f[i])*(t*grid-float64(i))
}

// mg1 is M/G/1: the mean wait by Pollaczek and Khinchine, its distribution by workload, as far as a tail of 1e-6.
func mg1(load float64, m mix) (loss, wait float64, tail func(float64) float64) {
	f := workload(load, m, func(f []float64) bool { return (1-load)*f[len(f)-1] < 1-1e-6 })
	return 0, load * m.moment(2) / (2 * (1 - load)), func(t float64) float64 { return 1 - (1-load)*at(f, t) }
}

// md1k is M/D/1/K. A packet is accepted if the work is at most K-1 services. So, with p the chance of an empty system,
// p*F(K-1) are accepted, and the server is busy for load times as much of the time: p = 1 / (1 + load*F(K-1)).
func md1k(load float64, room int) (loss, wait float64, tail func(float64) float64) {
	if room == 0 {
		return mg1(load, deterministic)
	}
	f := workload(load, deterministic, func(f []float64) bool { return len(f) <= (room-1)*grid })
	all := f[len(f)-1]
	for i := range len(f) - 1 {
		wait += (1 - (f[i]+f[i+1])/2/all) / grid
	}
	return 1 - all/(1+load*all), wait, func(t float64) float64 { return 1 - at(f, t)/all }
}

// erlangB is the share of customers that find all servers busy in M/G/c/c, by Erlang's recursion.
func erlangB(load float64, servers int) float64 {
	b := 1.0
	for n := 1; n <= servers; n++ {
		b = load * b / (float64(n) + load*b)
	}
	return b
}
