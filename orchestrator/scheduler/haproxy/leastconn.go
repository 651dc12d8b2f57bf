package haproxy

import (
	"math/rand/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var leastRow = policy.Row{
	Info: policy.Info{Name: "haproxy-leastconn", Rule: "the instance with the fewest flows for its weight",
		Source: source + "lb_fwlc.c", Score: "flows and one more, times 256, over the weight; 0 without flows",
		Sees:  policy.T0 | policy.T1,
		State: "a key for each instance, and the order in which they came to have it", Cost: "n",
		Deviates: "with version: 3.x flows that wait do not count, and the order is read in the source, not held " +
			"against the program; " + queues},
	Reasons: reasons("fewest for its weight"),
	Maker: policy.Make(func(o leastOptions, env policy.Env) (policy.Policy, error) {
		return &least{lists: o.Version == "3.x", rand: env.Rand}, nil
	}),
}

type leastOptions struct {
	Version string `yaml:"version" enum:"2.x|3.x" default:"2.x"`
}

// Docs implements strictyaml.Documented.
func (leastOptions) Docs() string {
	return `
version: which of equal servers takes a flow. 2.x: that which has been among them longest; 3.x: each goes to one of four
	lists at random, and the search begins with one of them at random
`
}

const lists = 4

// least keeps the servers in the order in which each came to have its key.
type least struct {
	backend
	servers []keyed // by number
	order   int
	lists   bool
	rand    *rand.Rand
}

type keyed struct{ key, order, list int }

func (l *least) Observe(e *policy.Event, v *policy.View) {
	l.grow(v)
	l.follow(e, v)
	if e.Kind == policy.Joined {
		l.servers = append(l.servers, make([]keyed, len(l.age)-len(l.servers))...)
		l.servers[v.IDs[e.Slot]].key = -1
	}
	if e.Slot < 0 || e.Kind == policy.Joined && !l.started ||
		e.Kind != policy.Joined && e.Kind != policy.Placed && e.Kind != policy.Ended {
		return
	}
	l.reposition(v, e.Slot)
}

// grow puts the servers whose weight has grown behind all others of their new keys.
func (l *least) grow(v *policy.View) {
	for id := l.grown(v.Now); id != 0; id = l.grown(v.Now) {
		l.servers[id].key = -1
		l.reposition(v, rowOf(v, id))
	}
}

// reposition puts a server behind all others of its key, unless that is the key it had.
func (l *least) reposition(v *policy.View, slot int) {
	s := &l.servers[v.IDs[slot]]
	key := l.keyOf(v, slot)
	if !usable(v, slot) || s.key == key {
		return
	}
	l.order++
	s.key, s.order = key, l.order
	if l.lists {
		s.list = l.rand.IntN(lists)
	}
}

func (l *least) keyOf(v *policy.View, slot int) int {
	if v.Flows[slot] == 0 || !usable(v, slot) {
		return 0
	}
	return (int(v.Flows[slot]) + 1) * mostScaled / l.weight(v, slot)
}

func (l *least) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if !l.started {
		l.started = true
		for slot := range v.IDs {
			l.reposition(v, slot)
		}
	}
	l.grow(v)
	if a, ok := l.dequeue(w, v, log); ok {
		return a
	}
	begin := 0
	if l.lists {
		begin = l.rand.IntN(lists)
	}
	best := -1
	for slot, id := range v.IDs {
		fits := usable(v, slot) && !l.full(v, slot)
		log.Add(slot, float64(l.servers[id].key), fits)
		if fits && (best < 0 || l.before(id, v.IDs[best], begin)) {
			best = slot
		}
	}
	if best < 0 {
		return l.none(v)
	}
	return policy.Answer{Slot: best}
}

// before reports whether server a comes before server b in a search that begins with a list.
func (l *least) before(a, b flow.Instance, begin int) bool {
	x, y := &l.servers[a], &l.servers[b]
	if x.key != y.key {
		return x.key < y.key
	}
	if i, j := (x.list-begin+lists)%lists, (y.list-begin+lists)%lists; i != j {
		return i < j
	}
	return x.order < y.order
}
