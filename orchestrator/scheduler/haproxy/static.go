package haproxy

import (
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var staticRow = policy.Row{
	Info: policy.Info{Name: "haproxy-static-rr",
		Rule:   "the instances in turn, by a map in which each is as often as its weight says",
		Source: source + "lb_map.c", Score: "the map's entry", Sees: policy.T0 | policy.T1,
		State:    "the map: as many entries as the sum of the weights over their greatest common divisor",
		Cost:     "constant; the entries of full instances; the map is built anew after a change",
		Deviates: mapped + queues},
	Reasons:  reasons("next entry of the map"),
	Counters: []string{"maps built", "entries of full instances passed over"},
	Maker: policy.Plain(func(env policy.Env) policy.Policy {
		return &static{entries: entries{built: &env.Counts[0]}, passed: &env.Counts[1]}
	}),
}

// mapped is where the map differs.
const mapped = "the divisor is that of the weights of all instances so far, not of all that the configuration has; "

// entries is HAProxy's map of servers: rows, each as often as its weight over the greatest common divisor of all says,
// those that have gone included.
type entries struct {
	changes
	built   *uint64
	divisor int
	rows    []int32
	servers []inMap // by row
	due     tree    // the servers, by the step in which they rise by a level
	highest tree    // the servers at level 0 and above, the highest first; some stand there at levels that they had
}

// inMap is a server while the map is built. In each step its score grows by its weight. Its level is the score in
// whole sums of the weights, so it rises in known steps, and falls by one with each entry that the server gets.
type inMap struct{ weight, given, level int }

// fill builds the map where servers have come or gone. In each step all servers get their weight, and the first of
// those that have the most, in whole sums of the weights, gives such a sum away for the entry.
//
// HAProxy looks at all servers in each step. To look only at those whose level changes gives the same map.
func (m *entries) fill(v *policy.View) {
	if !m.changed() {
		return
	}
	*m.built++
	sum := 0
	for slot := range v.IDs {
		m.divisor, sum = numeric.GCD(m.divisor, effective(v, slot)), sum+effective(v, slot)
	}
	m.rows, m.servers = m.rows[:0], m.servers[:0]
	m.due.nodes, m.highest.nodes = m.due.nodes[:0], m.highest.nodes[:0]
	if sum == 0 {
		return
	}
	sum /= m.divisor
	for slot := range v.IDs {
		m.servers = append(m.servers, inMap{weight: effective(v, slot) / m.divisor})
		if usable(v, slot) {
			m.stand(slot)
			m.await(slot, sum)
		}
	}
	for step := 1; step <= sum; step++ {
		for m.due.nodes[0].key == step {
			slot := m.due.nodes[0].order
			m.due.cut(0)
			m.servers[slot].level++
			m.stand(slot)
			m.await(slot, sum)
		}
		for -m.highest.nodes[0].key != m.servers[m.highest.nodes[0].order].level {
			m.highest.cut(0)
		}
		slot := m.highest.nodes[0].order
		m.highest.cut(0)
		s := &m.servers[slot]
		s.given++
		s.level--
		m.stand(slot)
		m.rows = append(m.rows, int32(slot))
	}
}

// stand puts a server where its level is, behind the rows before it.
func (m *entries) stand(slot int) {
	if level := m.servers[slot].level; level >= 0 {
		m.highest.push(node{key: -level, order: slot})
	}
}

// await notes the step in which a server rises next: that in which its score reaches the next whole sum.
func (m *entries) await(slot, sum int) {
	s := &m.servers[slot]
	m.due.push(node{key: ((s.given+s.level+1)*sum + s.weight - 1) / s.weight, order: slot})
}

type static struct {
	backend
	entries
	next   int
	passed *uint64
}

func (s *static) Observe(e *policy.Event, v *policy.View) {
	s.backend.follow(e, v)
	s.entries.follow(e)
}

func (s *static) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	s.start(v)
	if a, ok := s.inTurn(w, v, log); ok {
		return a
	}
	s.fill(v)
	if len(s.rows) == 0 {
		return weightless
	}
	if s.next >= len(s.rows) {
		s.next = 0
	}
	for k := range s.rows {
		at := (s.next + k) % len(s.rows)
		if slot := int(s.rows[at]); !s.full(v, slot) {
			s.next = at + 1
			log.Add(slot, float64(at), true)
			return policy.Answer{Slot: slot}
		}
		*s.passed++
	}
	return s.none(v)
}
