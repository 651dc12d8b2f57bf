// Package prequal has Prequal (Wydrowski et al., "Load is not what you should balance", NSDI 2024), which asks
// instances how they are, apart from the requests, and places requests by the answers that it has: on the instance
// with the lowest latency of those that do not have many requests in flight.
//
// An answer to a probe says how many requests the instance has in flight (RIF) and how long its requests take by now.
// The latest answers are kept in a pool, where each may be used some times, until it is too old, is removed as one of
// the oldest or the worst, or another answer of the instance comes.
package prequal

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{row}

var row = policy.Row{
	Info: policy.Info{Name: "prequal",
		Rule: "of the instances that have answered to probes: of those with few requests in flight the one with the " +
			"lowest latency or, if all have many, the one with the fewest",
		Source: "Wydrowski et al., NSDI 2024: asynchronous mode",
		Score:  "seconds, or requests in flight where all have many",
		Sees:   policy.T0 | policy.T3,
		State: "the pool of answers; the requests in flight of the last answers, for their quantile; parts of probes " +
			"and removals that are left over",
		Cost: "constant: the pool; each answer the pool and the history",
		Deviates: "rules and constants are as the paper is known for them; its text was not read again for this; " +
			"an answer replaces the instance's former one; where the pool has room for all instances, " +
			"equation 1 has no value, and answers may be used any number of times; over how many answers the " +
			"quantile is, whether the oldest or the worst is removed first, and how equal ones are decided are " +
			"choices here: history, the oldest, and the older answer"},
	Unit: policy.Requests,
	Reasons: []string{cold: "lowest latency of those with few in flight", hot: "all have many in flight: the fewest",
		drawn: "fewer than two answers: drawn"},
	Counters: []string{probes: "probes sent", answers: "answers", worn: "answers used up", old: "answers too old",
		oldest: "oldest answers removed", worst: "worst answers removed"},
	Maker: policy.Make(newBalancer),
}

// The reasons.
const (
	cold uint8 = iota
	hot
	drawn
)

// The counters.
const (
	probes = iota
	answers
	worn
	old
	oldest
	worst
)

type options struct {
	Probes  float64    `yaml:"probes" default:"3" min:"0" max:"1000"`
	Pool    int        `yaml:"pool" default:"16" min:"2" max:"1000"`
	QRIF    float64    `yaml:"q_rif" default:"0.84" min:"0" max:"1"`
	Remove  float64    `yaml:"remove" default:"1" min:"0" max:"1000"`
	Delta   float64    `yaml:"delta" default:"1" min:"0" max:"1000"`
	MaxAge  units.Time `yaml:"max_age" default:"1s" above:"0"`
	History int        `yaml:"history" default:"64" min:"1" max:"65536"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
probes: instances asked with each request, on average, drawn such that none is asked twice (literature)
pool: most answers that are kept; the oldest makes room (literature)
q_rif: an instance has many requests in flight, it is hot, if it has more than this quantile of the last answers; with 0
	all are, with 1 none is (literature: 2 to the power of -0.25)
remove: answers removed with each request, on average, the oldest and the worst in turns. The worst is the hot one with
	the most requests in flight or, if none is hot, that with the highest latency (literature)
delta: how much faster answers are to be used up than they come; of equation 1 (literature)
max_age: of an answer (literature)
history: last answers of which the quantile is taken
`
}

// balancer is one client of Prequal.
type balancer struct {
	options
	rand    *rand.Rand
	counts  []uint64
	pool    []answer // in the order in which they came
	history history
	probing fraction
	removal fraction
	worst   bool // the next to be removed is the worst
}

// answer is what an instance answered to a probe.
type answer struct {
	from    flow.Instance
	at      units.Time
	rif     int32 // and one more for each request sent there by it
	left    int   // how often it may still be used
	latency float64
}

func newBalancer(o options, env policy.Env) (policy.Policy, error) {
	return &balancer{options: o, rand: env.Rand, counts: env.Counts, history: history{most: o.History}}, nil
}

// Probes implements policy.Prober.
func (b *balancer) Probes(_ *policy.Work, v *policy.View, to []int) []int {
	n := min(b.probing.take(b.options.Probes), len(v.IDs))
	b.counts[probes] += uint64(n)
	first := len(to)
	for j := len(v.IDs) - n; j < len(v.IDs); j++ { // Floyd's way of drawing n different ones
		slot := b.rand.IntN(j + 1)
		if slices.Contains(to[first:], slot) {
			slot = j
		}
		to = append(to, slot)
	}
	return to
}

// Observe takes answers into the pool.
func (b *balancer) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Probed:
		b.counts[answers]++
		b.history.add(e.Queue)
		b.drop(v.IDs[e.Slot])
		if len(b.pool) == b.Pool {
			b.pool = slices.Delete(b.pool, 0, 1)
		}
		b.pool = append(b.pool, answer{v.IDs[e.Slot], v.Now, e.Queue, b.uses(len(v.IDs)), e.Delay})
	case policy.Left:
		b.drop(v.IDs[e.Slot])
	}
}

// drop forgets what an instance answered.
func (b *balancer) drop(id flow.Instance) {
	for i := range b.pool {
		if b.pool[i].from == id {
			b.pool = slices.Delete(b.pool, i, i+1)
			return
		}
	}
}

// uses is how often an answer of one of n instances may be used: equation 1, rounded to one of the two whole numbers
// beside it such that the mean is right.
func (b *balancer) uses(n int) int {
	net := float64((1-float64(b.Pool)/float64(n))*b.options.Probes) - b.Remove
	if net <= 0 {
		return math.MaxInt
	}
	budget := min(max(1, (1+b.Delta)/net), 1e9)
	whole := math.Floor(budget)
	if b.rand.Float64() < budget-whole {
		whole++
	}
	return int(whole)
}

func (b *balancer) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer) {
	for len(b.pool) > 0 && v.Now-b.pool[0].at > b.MaxAge {
		b.pool = slices.Delete(b.pool, 0, 1)
		b.counts[old]++
	}
	most := b.history.quantile(b.QRIF)
	if len(b.pool) < 2 {
		a = policy.Answer{Slot: b.rand.IntN(len(v.IDs)), Why: drawn}
		log.Add(a.Slot, 0, true)
	} else {
		var at int
		at, a.Why = b.best(most)
		a.Slot, _ = v.Row(b.pool[at].from)
		if log != nil {
			b.logged(most, a.Why, v, log)
		}
		b.use(at)
	}
	for range b.removal.take(b.Remove) {
		b.removeOne(most)
	}
	return a
}

// best is the answer to go by: that with the lowest latency of those with at most so many requests in flight, else that
// with the fewest.
func (b *balancer) best(most int32) (at int, why uint8) {
	at, fewest := -1, 0
	for i := range b.pool {
		x := &b.pool[i]
		if x.rif <= most && (at < 0 || x.latency < b.pool[at].latency) {
			at = i
		}
		if x.rif < b.pool[fewest].rif {
			fewest = i
		}
	}
	if at < 0 {
		return fewest, hot
	}
	return at, cold
}

// logged takes the answers down in the order of their instances' rows.
func (b *balancer) logged(most int32, why uint8, v *policy.View, log *policy.Weighed) {
	for slot, id := range v.IDs {
		for i := range b.pool {
			if x := &b.pool[i]; x.from == id && why == cold {
				log.Add(slot, x.latency, x.rif <= most)
			} else if x.from == id {
				log.Add(slot, float64(x.rif), true)
			}
		}
	}
}

// use counts a request that is sent by an answer.
func (b *balancer) use(at int) {
	x := &b.pool[at]
	x.rif++
	if x.left--; x.left == 0 {
		b.pool = slices.Delete(b.pool, at, at+1)
		b.counts[worn]++
	}
}

// removeOne takes the oldest answer out of the pool and, the next time, the worst.
func (b *balancer) removeOne(most int32) {
	if len(b.pool) == 0 {
		return
	}
	at, why := 0, oldest
	if b.worst {
		at, why = b.worstOf(most), worst
	}
	b.pool = slices.Delete(b.pool, at, at+1)
	b.counts[why]++
	b.worst = !b.worst
}

// worstOf is the hot answer with the most requests in flight or, without a hot one, that with the highest latency.
func (b *balancer) worstOf(most int32) int {
	at, slowest := -1, 0
	for i := range b.pool {
		x := &b.pool[i]
		if x.rif > most && (at < 0 || x.rif > b.pool[at].rif) {
			at = i
		}
		if x.latency > b.pool[slowest].latency {
			slowest = i
		}
	}
	if at < 0 {
		return slowest
	}
	return at
}

// fraction gives whole numbers whose mean is a rate.
type fraction float64

func (f *fraction) take(rate float64) int {
	whole, part := math.Modf(float64(*f) + rate)
	*f = fraction(part)
	return int(whole)
}

// history is the requests in flight of the last answers.
type history struct {
	most   int
	last   []int32 // a ring, from next on the oldest
	next   int
	sorted []int32
}

func (h *history) add(rif int32) {
	if len(h.last) < h.most {
		h.last = append(h.last, rif)
	} else {
		at, _ := slices.BinarySearch(h.sorted, h.last[h.next])
		h.sorted = slices.Delete(h.sorted, at, at+1)
		h.last[h.next] = rif
		h.next = (h.next + 1) % h.most
	}
	at, _ := slices.BinarySearch(h.sorted, rif)
	h.sorted = slices.Insert(h.sorted, at, rif)
}

// quantile is the least number that a share q of the answers, but for the part of one, does not exceed; one below all
// with q 0.
func (h *history) quantile(q float64) int32 {
	if len(h.sorted) == 0 || q == 0 {
		return -1
	}
	return h.sorted[max(0, int(math.Ceil(float64(q*float64(len(h.sorted)))))-1)]
}
