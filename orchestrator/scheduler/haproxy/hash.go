package haproxy

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// ring is HAProxy's tree of consistent hashing: each server has as many entries as its effective weight.
type ring struct {
	changes
	filled *uint64
	points []point // in order
	has    []int   // by number: entries of the server
	fresh  []point
}

// point is an entry: the hash above, and the server below, whose number decides between equal hashes.
type point uint64

func pointAt(hash uint32, id flow.Instance) point { return point(hash)<<32 | point(id) }

func (p point) hash() uint32 { return uint32(p >> 32) }

func (p point) server() flow.Instance { return flow.Instance(uint32(p)) }

// fill takes out the entries of the servers that have gone, and puts in those of the servers that have come or grown.
func (r *ring) fill(v *policy.View, b *backend) {
	for b.grown(v.Now) != 0 {
		r.some = true
	}
	if !r.changed() {
		return
	}
	*r.filled++
	r.fresh = r.fresh[:0]
	slot, gone := 0, false
	for i, n := range r.has {
		wants := 0
		if slot < len(v.IDs) && v.IDs[slot] == flow.Instance(i) {
			wants = b.weight(v, slot)
			slot++
		}
		if wants < n { // it has gone, or has come back and starts slowly
			r.has[i], gone = 0, true
		}
	}
	if gone {
		r.points = slices.DeleteFunc(r.points, func(p point) bool { return r.has[p.server()] == 0 })
	}
	r.has = append(r.has, make([]int, max(0, len(b.age)-len(r.has)))...)
	for slot, id := range v.IDs {
		for j := r.has[id]; j < b.weight(v, slot); j++ {
			r.fresh = append(r.fresh, pointAt(avalanche(uint32(id)*mostScaled+uint32(j)), id))
		}
		r.has[id] = b.weight(v, slot)
	}
	slices.Sort(r.fresh)
	r.points = merged(r.points, r.fresh)
}

// merged is a, with b put in its places. Both are in order.
func merged(a, b []point) []point {
	i, j := len(a)-1, len(b)-1
	a = append(a, b...)
	for at := len(a) - 1; j >= 0; at-- {
		if i >= 0 && a[i] > b[j] {
			a[at], i = a[i], i-1
		} else {
			a[at], j = b[j], j-1
		}
	}
	return a
}

// nearest is the index of the entry that is nearest to a hash, around the ring; of two as near, the one before.
func (r *ring) nearest(hash uint32) int {
	next, _ := slices.BinarySearchFunc(r.points, hash, func(p point, h uint32) int { return cmp.Compare(p.hash(), h) })
	next %= len(r.points)
	before := (next - 1 + len(r.points)) % len(r.points)
	if hash-r.points[before].hash() <= r.points[next].hash()-hash {
		return before
	}
	return next
}

// avalanche is HAProxy's hash of a number: one of Bob Jenkins' integer hashes, times a prime.
func avalanche(a uint32) uint32 {
	a = (a + 0x7ed55d16) + a<<12
	a = a ^ 0xc761c23c ^ a>>19
	a = (a + 0x165667b1) + a<<5
	a = (a + 0xd3a2646c) ^ a<<9
	a = (a + 0xfd7046c5) + a<<3
	a = a ^ 0xb55a4f09 ^ a>>16
	return a * 3221225473
}

// What the two rows that hash have in common.
const (
	hashState = "the map, as long as the sum of the weights over their greatest common divisor; or the ring, of 16 " +
		"entries for each unit of weight"
	hashCost = "constant with the map; logarithm of the ring; n with balance_factor; a change of instances changes " +
		"map and ring"
	hashLacks = "a flow goes to an instance that is full, where HAProxy lets it wait for that; hash-key, " +
		"hash-preserve-affinity and an argument that is absent are not there; " + lacks
)

var hashCounters = []string{"maps built", "rings changed", "entries passed over by balance_factor"}

var sourceRow = policy.Row{
	Info: policy.Info{Name: "haproxy-source",
		Rule:   "the instance that a map or a ring has for the flow's source address",
		Source: source + "backend.c, lb_map.c, lb_chash.c", Score: "the entry of the map or the ring",
		Sees: policy.T0 | policy.T1, State: hashState, Cost: hashCost, Deviates: hashLacks},
	Tuple:    true,
	Reasons:  reasons("entry of the source"),
	Counters: hashCounters,
	Maker:    policy.Make(newHashed),
}

type sourceOptions struct {
	Method   string `yaml:"method" enum:"map-based|consistent" default:"map-based"`
	Modifier string `yaml:"modifier" enum:"auto|avalanche|none" default:"auto"`
	Factor   int    `yaml:"balance_factor" default:"0" min:"0" max:"65535"`
}

// Docs implements strictyaml.Documented.
func (sourceOptions) Docs() string {
	return `
method: hash-type. map-based: a map in which each instance is as often as its weight says; consistent: a ring, on which
	few flows go elsewhere when an instance comes or goes
modifier: whether the hash is mixed once more. auto: with consistent, as HAProxy does where no function is named
balance_factor: hash-balance-factor, with consistent. Above 100: an instance has at most this percentage of the flows
	that its weight would give it, and what is beyond goes on along the ring; 0 for no bound
`
}

// hashed is balance source. As in HAProxy, a server that is full is chosen all the same.
type hashed struct {
	backend
	entries
	ring
	consistent, mixed bool
	factor            int
	passed            *uint64
	served            int   // flows, those of servers that have gone included
	before            []int // by number: weights of the servers before it when the first flow came; 0 for later ones
}

func newHashed(o sourceOptions, env policy.Env) (policy.Policy, error) {
	h := &hashed{consistent: o.Method == "consistent", factor: o.Factor,
		entries: entries{built: &env.Counts[0]}, ring: ring{filled: &env.Counts[1]}, passed: &env.Counts[2]}
	h.mixed = o.Modifier == "avalanche" || o.Modifier == "auto" && h.consistent
	switch {
	case o.Factor != 0 && o.Factor <= 100:
		return nil, fmt.Errorf("balance_factor: %d: want 0, or above 100", o.Factor)
	case o.Factor != 0 && !h.consistent:
		return nil, fmt.Errorf("balance_factor: %d: want method: consistent with this key", o.Factor)
	}
	return h, nil
}

func (h *hashed) Observe(e *policy.Event, v *policy.View) {
	h.backend.follow(e, v)
	h.entries.follow(e)
	h.ring.follow(e)
	switch e.Kind {
	case policy.Placed:
		h.served++
	case policy.Ended:
		h.served--
	}
}

func (h *hashed) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	return h.choose(h.mix(flow.Fold(w.Tuple.Src)), v, log)
}

func (h *hashed) mix(hash uint32) uint32 {
	if h.mixed {
		return avalanche(hash)
	}
	return hash
}

// choose takes the server of a hash.
func (h *hashed) choose(hash uint32, v *policy.View, log *policy.Weighed) policy.Answer {
	h.started = true
	if !h.consistent {
		h.entries.fill(v)
		if len(h.rows) == 0 {
			return weightless
		}
		at := int(hash % uint32(len(h.rows)))
		log.Add(int(h.rows[at]), float64(at), true)
		return policy.Answer{Slot: int(h.rows[at])}
	}
	h.ring.fill(v, &h.backend)
	if len(h.points) == 0 {
		return weightless
	}
	at := h.nearest(hash)
	if h.factor > 0 {
		at = h.bounded(at, v)
	}
	slot := rowOf(v, h.points[at].server())
	log.Add(slot, float64(at), true)
	return policy.Answer{Slot: slot}
}

// bounded goes on along the ring to a server that has less than its part. Where all have theirs, it stops at the end
// of the ring when it comes there for the second time.
func (h *hashed) bounded(at int, v *policy.View) int {
	if h.before == nil {
		h.before = weightsBefore(v)
	}
	sum := 0
	for slot := range v.IDs {
		sum += h.weight(v, slot)
	}
	total := ((h.served+1)*h.factor + 99) / 100
	for loops := 0; ; at++ {
		if at == len(h.points) {
			if loops++; loops > 1 {
				return at - 1
			}
			at = 0
		}
		id := h.points[at].server()
		slot := rowOf(v, id)
		before := 0
		if int(id) < len(h.before) {
			before = h.before[id]
		}
		if int(v.Flows[slot]) < part(total, sum, h.weight(v, slot), before) {
			return at
		}
		*h.passed++
	}
}

// weightsBefore are the weights of the servers before each, by number.
func weightsBefore(v *policy.View) []int {
	before, sum := make([]int, v.IDs[len(v.IDs)-1]+1), 0
	for slot, id := range v.IDs {
		before[id] = sum
		sum += effective(v, slot)
	}
	return before
}

// part is how many of a total a server is to have by its weight, of their sum and behind those before: 1 at least.
func part(total, sum, weight, before int) int {
	each, rest := total/sum, total%sum
	return max(1, weight*each+(before+weight)*rest/sum-before*rest/sum)
}

var randomRow = policy.Row{
	Info: policy.Info{Name: "haproxy-random",
		Rule:   "the instance with the fewest flows for its weight of some drawn; if it is full, the flow waits",
		Source: source + "backend.c, lb_chash.c", Score: "flows over 16 times the weight", Sees: policy.T0 | policy.T1,
		State: "the ring: 16 entries for each unit of weight", Cost: "logarithm of the ring for each draw",
		Deviates: "the draws follow from the scenario's seed, where HAProxy's are the same each time it is started; " +
			queues},
	Reasons:  reasons("best of those drawn"),
	Counters: []string{"rings changed"},
	Maker: policy.Make(func(o randomOptions, env policy.Env) (policy.Policy, error) {
		return &random{ring: ring{filled: &env.Counts[0]}, draws: o.Draws, draw: env.Rand.Uint32}, nil
	}),
}

type randomOptions struct {
	Draws int `yaml:"draws" default:"2" min:"1" max:"65536"`
}

// Docs implements strictyaml.Documented.
func (randomOptions) Docs() string {
	return `
draws: how many are drawn. HAProxy's balance random draws two; without a line balance, it draws one
`
}

// random draws points of the ring. Of equal servers, that which was drawn last is taken.
type random struct {
	backend
	ring
	draws int
	draw  func() uint32
	drawn []int
}

func (r *random) Observe(e *policy.Event, v *policy.View) {
	r.backend.follow(e, v)
	r.ring.follow(e)
}

func (r *random) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	r.started = true
	r.fill(v, &r.backend)
	if a, ok := r.dequeue(w, v, log); ok {
		return a
	}
	if len(r.points) == 0 {
		return weightless
	}
	best := -1
	r.drawn = r.drawn[:0]
	for range r.draws {
		slot := rowOf(v, r.points[r.nearest(r.draw())].server())
		r.drawn = append(r.drawn, slot)
		if best < 0 || int(v.Flows[slot])*r.weight(v, best) <= int(v.Flows[best])*r.weight(v, slot) {
			best = slot
		}
	}
	if log != nil {
		slices.Sort(r.drawn)
		for _, slot := range slices.Compact(r.drawn) {
			log.Add(slot, float64(v.Flows[slot])/float64(r.weight(v, slot)), true)
		}
	}
	if r.full(v, best) {
		return r.none(v)
	}
	return policy.Answer{Slot: best}
}
