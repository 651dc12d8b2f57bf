package envoy

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

var ringRow = policy.Row{
	Info: policy.Info{Name: "envoy-ring-hash",
		Rule:   "the host of the first point on a ring, filled by weight, at or behind the flow's hash",
		Source: source + "ring_hash/ring_hash_lb.cc at 0d2acde2e8d7; " + boundSource,
		Score:  "the ring's point", Sees: policy.T0 | policy.T1,
		State: "the ring", Cost: "logarithm of the ring; n with balance_factor",
		Deviates: keys + bounds + lacks + zero},
	Tuple:   true,
	Unit:    policy.Either,
	Reasons: hashReasons,
	Maker:   policy.Make(newRing),
}

type ringOptions struct {
	Min          int `yaml:"min_ring" default:"1024" min:"1" max:"8388608"`
	Max          int `yaml:"max_ring" default:"8388608" min:"1" max:"8388608"`
	boundOptions `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (ringOptions) Docs() string {
	return `
min_ring: fewest points of the ring (minimum_ring_size). It has more, so that the host of the least weight has a whole
	number of them
max_ring: most points of the ring (maximum_ring_size)
`
}

type ring struct {
	hosts
	bound
	min, max int
	points   []point // in order
}

type point struct {
	hash uint64
	row  int32
}

func newRing(o ringOptions, _ policy.Env) (policy.Policy, error) {
	if o.Min > o.Max {
		return nil, fmt.Errorf("min_ring: %d: want max_ring, %d, at most", o.Min, o.Max)
	}
	b, err := newBound(o.boundOptions)
	return &ring{bound: b, min: o.Min, max: o.Max}, err
}

func (r *ring) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if r.refresh(v) {
		r.fill(r.keyed(v))
	}
	if len(r.rows) == 0 {
		return none
	}
	hash := w.Hash()
	at := r.behind(hash)
	slot, why := r.within(int(r.points[at].row), hash, &r.hosts, v)
	log.Add(slot, float64(at), true)
	return policy.Answer{Slot: slot, Why: why}
}

// fill gives each host as many points as its share of the ring says. That need not be a whole number, so a host gets
// points until there are as many as the shares up to its own say together.
func (r *ring) fill(all []host) {
	r.points = r.points[:0]
	least := 1.0
	for _, h := range all {
		least = min(least, h.share)
	}
	size := min(math.Ceil(least*float64(r.min))/least, float64(r.max))
	reached, target := 0.0, 0.0
	var key []byte
	for _, h := range all {
		target += float64(size * h.share)
		for i := int64(0); reached < target; i++ {
			key = strconv.AppendInt(append(append(key[:0], h.key...), '_'), i, 10)
			r.points = append(r.points, point{xxhash.Sum64(key), h.row})
			reached++
		}
	}
	slices.SortStableFunc(r.points, func(a, b point) int { return cmp.Compare(a.hash, b.hash) })
}

// behind is the index of the first point at or behind a hash, around the ring.
func (r *ring) behind(hash uint64) int {
	at, _ := slices.BinarySearchFunc(r.points, hash, func(p point, h uint64) int { return cmp.Compare(p.hash, h) })
	return at % len(r.points)
}
