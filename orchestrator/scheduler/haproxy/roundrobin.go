package haproxy

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var roundRobinRow = policy.Row{
	Info: policy.Info{Name: "haproxy-roundrobin",
		Rule:   "the instances in turn, as often as their weights say and as evenly as that goes",
		Source: source + "lb_fwrr.c", Score: "the instance's next position", Sees: policy.T0 | policy.T1,
		State: "three trees of instances, and four numbers for each, those that have left included",
		Cost:  "log n for each instance that is looked at: the one taken, and full ones", Deviates: queues},
	Reasons:  reasons("next position"),
	Counters: []string{"full instances passed over"},
	Maker: policy.Plain(func(env policy.Env) policy.Policy {
		return &roundRobin{passed: &env.Counts[0]}
	}),
}

// roundRobin gives each server positions in a round that is as long as the sum of the weights: the next lies the sum
// over the server's weight behind the last, what remains of the division being kept. Servers whose next position is
// beyond the round wait for the one after it. Those without a position, the heaviest first, fill the holes.
type roundRobin struct {
	backend
	servers   []server // by number; those that left keep what remained
	init      tree     // without a position
	curr      tree     // with a position in this round
	next      tree     // for the round after it
	pos       int      // in the round
	length    int      // of the round
	following int      // length of the round after it
	order     int      // of the last server that was put into a tree
	skipped   []flow.Instance
	passed    *uint64
}

type server struct {
	weight int
	at     int // next position
	rest   int // of the division by the weight
	before int // last position
}

func (r *roundRobin) Observe(e *policy.Event, v *policy.View) {
	r.grow(v)
	r.follow(e, v)
	switch e.Kind {
	case policy.Joined:
		id := v.IDs[e.Slot]
		if n := int(id) + 1 - len(r.servers); n > 0 {
			r.servers = append(r.servers, make([]server, n)...)
		}
		s := &r.servers[id]
		if s.weight = r.weight(v, e.Slot); s.weight > 0 && r.started {
			r.following += s.weight
			s.at = r.pos + (r.following+r.length-r.pos)/s.weight
			r.put(id)
		}
	case policy.Left:
		id := v.IDs[e.Slot]
		if w := r.servers[id].weight; w > 0 && r.started {
			r.following -= w
			r.init.remove(id)
			r.curr.remove(id)
			r.next.remove(id)
		}
	}
}

// configure takes the servers that are there as those of the configuration.
func (r *roundRobin) configure(v *policy.View) {
	r.started = true
	for _, id := range v.IDs {
		if w := r.servers[id].weight; w > 0 {
			r.following += w
			r.putByWeight(&r.init, id)
		}
	}
	r.pos, r.length = r.following, r.following
}

// grow gives the servers that have grown their new weights, and puts them where their next positions are by these.
func (r *roundRobin) grow(v *policy.View) {
	for id := r.grown(v.Now); id != 0; id = r.grown(v.Now) {
		if weight := r.weight(v, rowOf(v, id)); weight > 0 {
			r.reweigh(id, weight)
		}
	}
}

func (r *roundRobin) reweigh(id flow.Instance, weight int) {
	s := &r.servers[id]
	r.following += weight - s.weight
	s.weight = weight
	switch {
	case r.init.remove(id):
		r.putByWeight(&r.init, id)
		return
	case r.next.remove(id):
		s.at += r.length
	default:
		r.curr.remove(id)
	}
	step := r.following / weight
	s.rest = 0
	if s.at = min(s.before+step, s.at); s.at < r.pos+2 {
		s.at = r.pos + step
	}
	r.put(id)
}

func (r *roundRobin) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if !r.started {
		r.configure(v)
	}
	r.grow(v)
	if a, ok := r.inTurn(w, v, log); ok {
		return a
	}
	r.skipped = r.skipped[:0]
	switched := false
	for {
		if r.length == 0 {
			r.pos, r.length = r.following, r.following
		}
		id := r.take()
		if id == 0 && !switched {
			switched = true
			r.init, r.next = r.next, r.init
			r.length, r.pos = r.following, r.following
			continue
		}
		if id == 0 {
			r.putBack(switched)
			return r.none(v)
		}
		at := r.advance(id)
		slot := rowOf(v, id)
		if r.full(v, slot) {
			r.skipped = append(r.skipped, id)
			*r.passed++
			continue
		}
		r.put(id)
		r.putBack(switched)
		log.Add(slot, float64(at), true)
		return policy.Answer{Slot: slot}
	}
}

// take takes the next server out of its tree: one whose position has come, or else one without a position; if there is
// none, that with the next position.
func (r *roundRobin) take() flow.Instance {
	if id := r.curr.first(); id != 0 && r.servers[id].at <= r.pos {
		return r.curr.pop()
	}
	if id := r.init.first(); id != 0 {
		r.servers[id].at, r.servers[id].rest = 0, 0
		return r.init.pop()
	}
	if r.curr.first() != 0 {
		return r.curr.pop()
	}
	return 0
}

// advance goes on by one position, and gives the server that has it the next one. It returns the server's present one.
func (r *roundRobin) advance(id flow.Instance) int {
	s := &r.servers[id]
	if s.at == 0 {
		s.at = r.pos
	}
	s.before = s.at
	s.at += r.following / s.weight
	s.rest += r.following % s.weight
	if s.rest >= s.weight {
		s.rest -= s.weight
		s.at++
	}
	r.pos++
	return s.before
}

// put puts a server where its position is.
func (r *roundRobin) put(id flow.Instance) {
	s := &r.servers[id]
	if s.at >= 2*r.length || s.at >= r.length+r.following {
		s.at -= r.length
		r.putByWeight(&r.next, id)
		return
	}
	r.order++
	r.curr.push(node{(mostWeight+1)*s.at + (mostScaled+s.rest-s.weight)/scale, r.order, id})
}

func (r *roundRobin) putByWeight(t *tree, id flow.Instance) {
	r.order++
	t.push(node{mostScaled - r.servers[id].weight, r.order, id})
}

// putBack puts the servers that were full back, the last one first: where they are due or, where a new round has begun,
// among those without a position.
func (r *roundRobin) putBack(switched bool) {
	for _, id := range slices.Backward(r.skipped) {
		if switched {
			r.putByWeight(&r.init, id)
		} else {
			r.put(id)
		}
	}
}

// node is a server in a tree. Of equal keys the one that was put there first comes first.
type node struct {
	key, order int
	id         flow.Instance
}

func (a node) less(b node) bool { return a.key < b.key || a.key == b.key && a.order < b.order }

// tree is a binary heap of servers.
type tree struct{ nodes []node }

// first is the server with the lowest key, or 0.
func (t *tree) first() flow.Instance {
	if len(t.nodes) == 0 {
		return 0
	}
	return t.nodes[0].id
}

func (t *tree) push(n node) {
	t.nodes = append(t.nodes, n)
	t.up(len(t.nodes) - 1)
}

func (t *tree) pop() flow.Instance {
	id := t.nodes[0].id
	t.cut(0)
	return id
}

// remove takes a server out, if it is there.
func (t *tree) remove(id flow.Instance) bool {
	i := slices.IndexFunc(t.nodes, func(n node) bool { return n.id == id })
	if i >= 0 {
		t.cut(i)
	}
	return i >= 0
}

func (t *tree) cut(i int) {
	last := len(t.nodes) - 1
	t.nodes[i] = t.nodes[last]
	t.nodes = t.nodes[:last]
	if i < last {
		t.down(i)
		t.up(i)
	}
}

func (t *tree) up(i int) {
	for i > 0 && t.nodes[i].less(t.nodes[(i-1)/2]) {
		t.nodes[i], t.nodes[(i-1)/2] = t.nodes[(i-1)/2], t.nodes[i]
		i = (i - 1) / 2
	}
}

func (t *tree) down(i int) {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.nodes); child++ {
			if t.nodes[child].less(t.nodes[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		t.nodes[i], t.nodes[least] = t.nodes[least], t.nodes[i]
		i = least
	}
}
