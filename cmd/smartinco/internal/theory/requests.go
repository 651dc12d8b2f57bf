package theory

import (
	"context"
	"fmt"
	"math"

	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/request"
	"github.com/smartinco/smartinco/units"
)

// requestQueue is a system of instances behind a NIC that dispatches requests without delay.
type requestQueue struct {
	name       string
	instances  int
	policy     string
	load       float64
	class      string // service time of a request, of mean 1 us unless unit says otherwise
	unit       units.Time
	requests   int // of a run, in the mean
	quantities []quantity
	measure    func(m *results.Memory, unit units.Time) []float64
}

const requestScenario = `
name: requests
seed: %d
duration: %v
engine: request
nic: ideal
vnf: {buffer: 1000000}
instances: {initial: %d, min: 1, max: %[3]d}
scheduler: {policy: %s, ties: random}
autoscaler: {policy: none}
telemetry: {window: 1000s}
workload: [{requests: {load: %g, classes: [{%s}]}}]
`

// bimodal is nine requests of 1 us for each of 100 us.
var bimodal = mix{{1 / 10.9, 0.9}, {100 / 10.9, 0.1}}

// requestQueues are the systems of requests. The mean-field limit needs many instances, and these some hundred mean
// service times, so runs have 400,000 requests at least.
func requestQueues(o Options) (all []system) {
	const bound = 5
	beyondBound := fmt.Sprintf("P(wait > %.3f)", waitBound(bound))
	_, mm1, tail := mm1k(0.7, 0)
	_, pk, _ := mg1(0.6, bimodal)
	busy := erlangC(6.4, 8)
	queues := []requestQueue{
		{name: "requests, M/M/1", instances: 1, policy: "random", load: 0.7, class: "mean: 1us",
			quantities: []quantity{{"mean wait", mm1}, {beyondBound, tail(waitBound(bound))}},
			measure: func(m *results.Memory, unit units.Time) []float64 {
				return []float64{mean(m, "wait", unit), beyond(m, "wait", bound)}
			}},
		{name: "requests, M/G/1, bimodal", instances: 1, policy: "random", load: 0.6, unit: 10900 * units.Nanosecond,
			class:      "service: empirical, service_times: [{time: 1us, weight: 9}, {time: 100us}]",
			quantities: []quantity{{"mean wait", pk}},
			measure: func(m *results.Memory, unit units.Time) []float64 {
				return []float64{mean(m, "wait", unit)}
			}},
		{name: "requests, M/M/8, one queue", instances: 8, policy: "{jbsq: {n: 1}}", load: 0.8, class: "mean: 1us",
			quantities: []quantity{{"P(wait)", busy}, {"mean wait", busy / (8 - 6.4)}},
			measure: func(m *results.Memory, unit units.Time) []float64 {
				return []float64{float64(m.Run.Policy.Held) / m.Run.Totals.Offered, mean(m, "end-to-end", unit) - 1}
			}},
		{name: "requests, shortest of 2", instances: 2, policy: "least-connections", load: 0.8, class: "mean: 1us",
			quantities: []quantity{{"mean number in system", shortestOfTwo(0.8)}},
			measure:    func(m *results.Memory, _ units.Time) []float64 { return []float64{m.Run.Little.Number} }},
	}
	for _, q := range queues {
		q.requests = o.Packets
		all = append(all, system{name: fmt.Sprintf("%s at %g", q.name, q.load), runs: o.Runs,
			quantities: q.quantities, run: q.run})
	}
	return append(all, tandem(o), twoChoices(o))
}

const tandemScenario = `
name: tandem
seed: %d
duration: %v
engine: request
nic: ideal
vnf: {buffer: 1000000}
services: [{name: a, instances: 1}, {name: b, instances: 1}]
scheduler: {policy: random}
autoscaler: {policy: none}
telemetry: {window: 1000s}
workload: [{requests: {load: %g, classes: [{path: [{at: a, mean: 1us}, {at: b, mean: 1us}]}]}}]
`

// tandem is a chain of two services, M/M/1 each. By Jackson's theorem (Operations Research 5 (1957) 518) the second is
// what it would be with Poisson arrivals of its own, and the two are independent.
func tandem(o Options) system {
	const load = 0.7
	sojourn := 1 / (1 - load)
	return system{name: fmt.Sprintf("requests, two M/M/1 in a row at %g", load), runs: o.Runs,
		quantities: []quantity{{"mean sojourn, first", sojourn}, {"mean sojourn, second", sojourn},
			{"mean end to end", 2 * sojourn}},
		run: func(ctx context.Context, seed uint64) ([]float64, error) {
			duration := units.Time(float64(o.Packets) / load * float64(units.Microsecond))
			m, err := played(ctx, fmt.Sprintf(tandemScenario, seed, duration, load))
			if err != nil {
				return nil, err
			}
			return []float64{ofService(m, 1), ofService(m, 2), mean(m, "end-to-end", units.Microsecond)}, nil
		}}
}

// ofService is the mean sojourn at a service, us.
func ofService(m *results.Memory, number int32) float64 {
	for _, l := range m.Latencies {
		if l.Scope == "service" && l.Number == number && l.Kind == "sojourn" {
			return l.Mean / float64(units.Microsecond)
		}
	}
	return math.NaN()
}

// waitBound is the bound of a histogram's bucket near n mean services of 1 us: there, a record's counts are exact.
func waitBound(n int) float64 {
	return float64(lowEnd(units.Time(n)*units.Microsecond)) / float64(units.Microsecond)
}

func (q requestQueue) run(ctx context.Context, seed uint64) ([]float64, error) {
	if q.unit == 0 {
		q.unit = units.Microsecond
	}
	m, err := q.simulate(ctx, seed, q.requests)
	if err != nil {
		return nil, err
	}
	return q.measure(m, q.unit), nil
}

// simulate runs for as long as it takes that many requests to come in the mean.
func (q requestQueue) simulate(ctx context.Context, seed uint64, requests int) (*results.Memory, error) {
	unit := q.unit
	if unit == 0 {
		unit = units.Microsecond
	}
	duration := units.Time(float64(requests) / (q.load * float64(q.instances)) * float64(unit))
	return played(ctx, fmt.Sprintf(requestScenario, seed, duration, q.instances, q.policy, q.load, q.class))
}

// played runs a scenario of requests.
func played(ctx context.Context, text string) (*results.Memory, error) {
	sc, err := scenario(text)
	if err != nil {
		return nil, err
	}
	e, err := request.New(sc)
	if err != nil {
		return nil, err
	}
	m := results.NewMemory()
	if err := e.Run(ctx, m, sim.Options{}); err != nil {
		return nil, err
	}
	return m, lawful(m)
}

// mean is that of a kind of delay, in units.
func mean(m *results.Memory, kind string, unit units.Time) float64 {
	for _, l := range m.Latencies {
		if l.Scope == "run" && l.Kind == kind {
			return l.Mean / float64(unit)
		}
	}
	return math.NaN()
}

// beyond is the share of the requests whose delay of a kind is longer than waitBound(n).
func beyond(m *results.Memory, kind string, n int) float64 {
	low, some, all := int64(lowEnd(units.Time(n)*units.Microsecond)), int64(0), int64(0)
	for _, b := range m.Buckets {
		if b.Scope == "run" && b.Kind == kind {
			if all += b.Count; b.Low >= low {
				some += b.Count
			}
		}
	}
	return float64(some) / float64(all)
}

// erlangC is the share of customers that wait in M/M/c, from Erlang's B.
func erlangC(load float64, servers int) float64 {
	b := erlangB(load, servers)
	return b / (1 - load/float64(servers)*(1-b))
}

// The limit of many instances, after so many mean services.
const (
	fewer, more = 256, 512
	warm        = 200
	leastMany   = 400_000
)

// twoChoices is the power of two choices: with many instances, the share of them that has k requests or more is
// load^(2^k-1) (Mitzenmacher, IEEE Trans. Parallel Distrib. Syst. 12 (2001) 1094; Vvedenskaya, Dobrushin and
// Karpelevich, Problems of Information Transmission 32 (1996) 15). With n instances it is larger, by about c/n: for k
// of 5 and a load of 0.9, c is about 1.5, so that 64 instances have 0.062 where the limit is 0.038. What n and 2n
// instances have gives the limit, as 2 p(2n) - p(n), up to terms in 1/n^2. A run begins empty: a shorter run of the
// same seed is its beginning, and is taken off.
func twoChoices(o Options) system {
	const load, most = 0.9, 5
	s := system{name: fmt.Sprintf("requests, two choices at %g, many instances", load), runs: o.Runs}
	for k := 1; k <= most; k++ {
		s.quantities = append(s.quantities,
			quantity{fmt.Sprintf("P(queue >= %d)", k), math.Pow(load, math.Pow(2, float64(k))-1)})
	}
	s.run = func(ctx context.Context, seed uint64) ([]float64, error) {
		out := make([]float64, most)
		for _, x := range []struct {
			n      int
			weight float64
		}{{fewer, -1}, {more, 2}} {
			q := requestQueue{instances: x.n, policy: "power-of-d", load: load, class: "mean: 1us"}
			whole := max(o.Packets, leastMany)
			begin := int(warm * load * float64(x.n))
			long, err := q.simulate(ctx, seed, whole)
			if err != nil {
				return nil, err
			}
			short, err := q.simulate(ctx, seed, begin)
			if err != nil {
				return nil, err
			}
			for k := range out {
				p := float64(whole)*atLeast(long, k) - float64(begin)*atLeast(short, k)
				out[k] += x.weight * p / float64(whole-begin)
			}
		}
		return out, nil
	}
	return s
}

// atLeast is the share of instances with more than k requests.
func atLeast(m *results.Memory, k int) float64 {
	if all := m.Run.Requests.AtLeast; k < len(all) {
		return all[k]
	}
	return 0
}

// shortestOfTwo is the mean number in a system of two queues of which each customer joins the shorter one, either if
// they are equal, M/M at a load of each. It is solved as a Markov chain of the shorter queue and the difference, cut
// off where next to nothing is, by Gauss and Seidel.
func shortestOfTwo(load float64) float64 {
	const short, gap = 120, 40
	rate := 2 * load
	var p [short][gap]float64
	for m := range short {
		for d := range gap {
			p[m][d] = 1 // anything above 0
		}
	}
	at := func(m, d int) float64 {
		if m < 0 || m >= short || d < 0 || d >= gap {
			return 0
		}
		return p[m][d]
	}
	for change := 1.0; change > 1e-13; {
		change = 0
		sum := 0.0
		for m := range short {
			for d := range gap {
				out := rate
				if m > 0 {
					out++
				}
				if m+d > 0 {
					out++
				}
				// A customer joins the shorter queue: d falls by one, or rises from 0.
				in := 0.0
				if d == 1 {
					in += rate * at(m, 0)
				}
				in += rate * at(m-1, d+1)
				// One leaves the longer queue, or the shorter one; of equal ones, either is the shorter one then.
				in += at(m, d+1)
				if d > 0 {
					in += at(m+1, d-1)
				}
				if d == 1 {
					in += at(m+1, 0)
				}
				now := in / out
				change = max(change, math.Abs(now-p[m][d]))
				p[m][d] = now
				sum += now
			}
		}
		for m := range short {
			for d := range gap {
				p[m][d] /= sum
			}
		}
	}
	number := 0.0
	for m := range short {
		for d := range gap {
			number += float64(2*m+d) * p[m][d]
		}
	}
	return number
}
