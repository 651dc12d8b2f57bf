package haproxy

import "github.com/smartinco/smartinco/orchestrator/policy"

var staticRow = policy.Row{
	Info: policy.Info{Name: "haproxy-static-rr",
		Rule:   "the instances in turn, by a map in which each is as often as its weight says",
		Source: source + "lb_map.c", Score: "the map's entry", Sees: policy.T0 | policy.T1},
	Reasons: reasons("next entry of the map"),
	Maker:   policy.Plain(func(policy.Env) policy.Policy { return &static{} }),
}

// entries is HAProxy's map of servers: rows, each as often as its weight over the greatest common divisor of all says.
type entries struct {
	rows  []int32
	score []int
	stale bool
}

func (m *entries) follow(e *policy.Event) {
	m.stale = m.stale || e.Kind == policy.Joined || e.Kind == policy.Left
}

// fill builds the map where servers have come or gone. In each step all servers get their weight, and the first of
// those that have the most, in whole sums of the weights, gives such a sum away for the entry.
func (m *entries) fill(v *policy.View) {
	if !m.stale {
		return
	}
	m.stale = false
	divisor, sum := 0, 0
	for slot := range v.IDs {
		divisor, sum = gcd(divisor, effective(v, slot)), sum+effective(v, slot)
	}
	m.rows = m.rows[:0]
	if sum == 0 {
		return
	}
	sum /= divisor
	m.score = append(m.score[:0], make([]int, len(v.IDs))...)
	for range sum {
		best, most := -1, 0
		for slot := range m.score {
			if !usable(v, slot) {
				continue
			}
			m.score[slot] += effective(v, slot) / divisor
			if whole := (m.score[slot] + sum) / sum; best < 0 || whole > most {
				best, most = slot, whole
			}
		}
		m.rows = append(m.rows, int32(best))
		m.score[best] -= sum
	}
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

type static struct {
	queue
	entries
	next int
}

func (s *static) Observe(e *policy.Event, _ *policy.View) {
	s.queue.follow(e)
	s.entries.follow(e)
}

func (s *static) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if a, ok := s.dequeue(w, v, log); ok {
		return a
	}
	s.fill(v)
	if s.next >= len(s.rows) {
		s.next = 0
	}
	for k := range s.rows {
		at := (s.next + k) % len(s.rows)
		if slot := int(s.rows[at]); !full(v, slot) {
			s.next = at + 1
			log.Add(slot, float64(at), true)
			return policy.Answer{Slot: slot}
		}
	}
	return s.none(v)
}
