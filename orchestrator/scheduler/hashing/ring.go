package hashing

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var ringRow = policy.Row{
	Info: policy.Info{Name: "ring",
		Rule:   "consistent hashing: the instance whose point on a ring is next to the flow's hash",
		Source: "Karger et al., STOC 1997, 4; the hash functions are Envoy's",
		Score:  "the point's place on the ring", Sees: policy.T0,
		State: "a ring of points, some for each instance", Cost: "log n",
		Deviates: "the next point is taken, around a ring, where the paper takes the nearest on an interval"},
	Unit:     policy.Either,
	Dispatch: policy.ByEither,
	Tuple:    true,
	Reasons:  []string{"next point to the flow's hash"},
	Maker: policy.Make(func(o ringOptions, _ policy.Env) (policy.Policy, error) {
		return &ringed{newRing(o)}, nil
	}),
}

type ringOptions struct {
	Points int `yaml:"points" default:"160" min:"1" max:"65536"`
}

// Docs implements strictyaml.Documented.
func (ringOptions) Docs() string {
	return `
points: of each instance on the ring, its virtual nodes; the more, the more equal the shares. libketama has 160
`
}

type ringed struct{ ring }

func (r *ringed) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	at := r.next(w.Hash())
	slot, _ := slices.BinarySearch(v.IDs, r.points[at].id)
	log.Add(slot, float64(at), true)
	return policy.Answer{Slot: slot}
}

// ring has the points of all instances in order.
type ring struct {
	each   int
	points []point
}

type point struct {
	hash uint64
	id   flow.Instance
}

func (p point) compare(q point) int {
	return cmp.Or(cmp.Compare(p.hash, q.hash), cmp.Compare(p.id, q.id))
}

func newRing(o ringOptions) ring { return ring{each: o.Points} }

// Observe puts the points of an instance that joins on the ring, and takes those of one that leaves off it.
func (r *ring) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Joined:
		id := v.IDs[e.Slot]
		r.points = merge(r.points, pointsOf(id, keyOf(id), r.each))
	case policy.Left:
		id := v.IDs[e.Slot]
		r.points = slices.DeleteFunc(r.points, func(p point) bool { return p.id == id })
	}
}

// pointsOf are the first n points of a key, in order: the hashes of KEY_0, KEY_1 and so on.
func pointsOf(id flow.Instance, key string, n int) []point {
	points := make([]point, n)
	for j := range points {
		points[j] = point{xxhash.Sum64String(key + "_" + strconv.Itoa(j)), id}
	}
	slices.SortFunc(points, point.compare)
	return points
}

// merge puts b into a. Both are in order.
func merge(a, b []point) []point {
	i, j := len(a)-1, len(b)-1
	a = append(a, b...)
	for at := len(a) - 1; j >= 0; at-- {
		if i >= 0 && a[i].compare(b[j]) > 0 {
			a[at], i = a[i], i-1
		} else {
			a[at], j = b[j], j-1
		}
	}
	return a
}

// next is the first point that is not before a hash, around the ring.
func (r *ring) next(hash uint64) int {
	at, _ := slices.BinarySearchFunc(r.points, hash, func(p point, h uint64) int { return cmp.Compare(p.hash, h) })
	return at % len(r.points)
}
