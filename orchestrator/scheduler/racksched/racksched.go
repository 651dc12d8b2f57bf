// Package racksched has the rack scheduler of RackSched (Zhu et al., OSDI 2020), which places requests from a switch by
// the queue lengths that come back with replies, with its own baselines, and with its table that keeps the requests of
// a session at one instance.
package racksched

import (
	"math/rand/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{row}

var row = policy.Row{
	Info: policy.Info{Name: "racksched",
		Rule: "of k instances drawn at random, the one whose last reply had the shortest queue; or the shortest of " +
			"all, or the one that replied with the least",
		Source: "Zhu et al., OSDI 2020, as released: RackSched ba3a4c4dfc10, switch_code: rscs, p4_sq, shortest, " +
			"int2, proactive, ht",
		Score: "requests that the instance is thought to have",
		Sees:  policy.T0 | policy.T1 | policy.T3,
		State: "nothing; with choose: int-min, one instance and its queue; with affinity, three tables of sessions",
		Cost:  "constant: k draws; n with choose: shortest",
		Deviates: "the draws are uniform for any number of instances; a session has its entry while requests of it " +
			"are under way, where the original's has one reply; a session whose entry found no place may get one " +
			"later, and then goes elsewhere, where the original tells a session's first packet from the others; the " +
			"hash functions are xxHash's, where the original has cyclic redundancy checks; before the first reply " +
			"int-min draws, where the original has server 1"},
	Unit: policy.Requests,
	Reasons: []string{sampled: "shortest of those drawn", shortest: "shortest of all", least: "lowest reply",
		spread: "drawn, since not all requests go by the lowest reply", session: "its session is there",
		hashed: "no place in the tables: by the session's hash"},
	Counters: []string{entries: "sessions entered", fallbacks: "requests without a place in the tables"},
	Maker:    policy.Make(newScheduler),
}

// The reasons.
const (
	sampled uint8 = iota
	shortest
	least
	spread
	session
	hashed
)

// The counters.
const (
	entries = iota
	fallbacks
)

type options struct {
	Choose   string `yaml:"choose" enum:"sampling|shortest|int-min" default:"sampling"`
	K        int    `yaml:"k" default:"2" min:"1" max:"65536"`
	Queue    string `yaml:"queue" enum:"reported|proactive" default:"reported"`
	Affinity bool   `yaml:"affinity" default:"false"`
	Slots    int    `yaml:"slots" default:"65536" min:"1" max:"16777216"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
choose: sampling: the shortest queue of k instances that are drawn; shortest: that of all, and of equal ones one that is
	drawn; int-min: the instance that the switch holds as that with the shortest queue, for three of four requests
k: instances drawn with choose: sampling; one may be drawn twice. Of equal ones, the first drawn
queue: reported: what the instance's last reply said; proactive: what the switch counts itself, one more with each
	request and one less with each reply
affinity: whether the requests of a session go where the others are that are under way
slots: sessions that each of the three tables of affinity has place for
`
}

// scheduler is the switch.
type scheduler struct {
	options
	rand     *rand.Rand
	counts   []uint64
	choose   func(s *scheduler, v *policy.View, log *policy.Weighed) policy.Answer
	drawn    []int
	least    flow.Instance // with int-min: that with the shortest queue, 0 for none, and the queue
	leastLen int32
	tables   tables
}

var ways = map[string]func(s *scheduler, v *policy.View, log *policy.Weighed) policy.Answer{
	"sampling": (*scheduler).sampling,
	"shortest": (*scheduler).shortest,
	"int-min":  (*scheduler).intMin,
}

func newScheduler(o options, env policy.Env) (policy.Policy, error) {
	s := &scheduler{options: o, rand: env.Rand, counts: env.Counts, choose: ways[o.Choose]}
	if o.Affinity {
		s.tables = newTables(o.Slots)
	}
	return s, nil
}

// Observe follows the lowest reply, and the sessions.
func (s *scheduler) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Ended:
		if s.Affinity && e.Work.Session != 0 {
			s.tables.ended(e.Work.Session, e.Work.At)
		}
		if e.Slot >= 0 && s.Choose == "int-min" {
			s.replied(v.IDs[e.Slot], s.queues(v)[e.Slot])
		}
	case policy.Placed:
		if s.Affinity && e.Work.Session != 0 && s.tables.placed(e.Work.Session, e.Work.At) {
			s.counts[entries]++
		}
	case policy.Left:
		if v.IDs[e.Slot] == s.least {
			s.least = 0
		}
	}
}

// replied keeps the instance with the shortest queue: another one replaces it with a queue that is not longer.
func (s *scheduler) replied(id flow.Instance, queue int32) {
	if id == s.least || s.least == 0 || queue <= s.leastLen {
		s.least, s.leastLen = id, queue
	}
}

// queues are what the instances are compared by.
func (s *scheduler) queues(v *policy.View) []int32 {
	if s.Queue == "proactive" {
		return v.Flows
	}
	return v.Queue
}

func (s *scheduler) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if s.Affinity && w.Session != 0 {
		at, full := s.tables.find(w.Session, v)
		if at != 0 {
			slot, _ := v.Row(at)
			log.Add(slot, float64(s.queues(v)[slot]), true)
			return policy.Answer{Slot: slot, Why: session}
		}
		if full {
			s.counts[fallbacks]++
			slot := int(mix(w.Session, 0) % uint64(len(v.IDs)))
			log.Add(slot, float64(s.queues(v)[slot]), true)
			return policy.Answer{Slot: slot, Why: hashed}
		}
	}
	return s.choose(s, v, log)
}

func (s *scheduler) sampling(v *policy.View, log *policy.Weighed) policy.Answer {
	q, n := s.queues(v), len(v.IDs)
	best := s.rand.IntN(n)
	s.drawn = append(s.drawn[:0], best)
	for range s.K - 1 {
		slot := s.rand.IntN(n)
		if q[slot] < q[best] {
			best = slot
		}
		s.drawn = append(s.drawn, slot)
	}
	if log != nil {
		addAll(s.drawn, q, log)
	}
	return policy.Answer{Slot: best, Why: sampled}
}

func (s *scheduler) shortest(v *policy.View, log *policy.Weighed) policy.Answer {
	q := s.queues(v)
	best, equal := 0, 0
	for slot, n := range q {
		log.Add(slot, float64(n), true)
		switch {
		case n < q[best] || slot == 0:
			best, equal = slot, 1
		case n == q[best]:
			equal++
		}
	}
	if equal > 1 {
		for left, at := s.rand.IntN(equal), best; ; at++ {
			if q[at] == q[best] {
				if left == 0 {
					return policy.Answer{Slot: at, Why: shortest}
				}
				left--
			}
		}
	}
	return policy.Answer{Slot: best, Why: shortest}
}

// held is how many of four requests go to the instance with the shortest queue.
const held = 3

func (s *scheduler) intMin(v *policy.View, log *policy.Weighed) policy.Answer {
	a := policy.Answer{Why: least}
	if s.least != 0 && s.rand.IntN(held+1) > 0 {
		a.Slot, _ = v.Row(s.least)
	} else {
		a = policy.Answer{Slot: s.rand.IntN(len(v.IDs)), Why: spread}
	}
	log.Add(a.Slot, float64(s.queues(v)[a.Slot]), true)
	return a
}
