// Package oracle has the policy that is told what no scheduler can know: the rate of each flow. It is what others are
// measured against, and no hardware can run it.
package oracle

import (
	"cmp"
	"math"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{{
	Info: policy.Info{Name: "oracle",
		Rule: "the instance with the lowest true load; " +
			"with moves, flows move where that leaves less above the limits",
		Source: "this project; its search begins with the LPT rule: Graham, SIAM J. Appl. Math. 17 (1969) 416",
		Score:  "packets a second that the flows of the instance offer, this one included",
		Sees:   policy.T0 | policy.T5,
		State:  "the true load of each instance",
		Cost:   "n; a tick after which moving could help: at most the search's nodes, and the flows, for each instance",
		Deviates: "no source; a flow's rate is its mean over its life, the limit is scheduler.limit and not what an " +
			"instance can process, the number of instances is not chosen, and moves wait for the tick"},
	Reasons:  []string{"lowest true load"},
	Counters: []string{solved: "assignments searched for", better: "better ones", unproved: "searches cut short"},
	Maker:    policy.Make(newOracle),
}}

const (
	solved = iota
	better
	unproved
)

type options struct {
	Moves bool       `yaml:"moves" default:"false"`
	Tick  units.Time `yaml:"tick" default:"100ms" above:"0"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
moves: whether flows that have an instance move when another assignment leaves less above the limits
tick: time between two times at which they may, with moves
`
}

// rate is in packets in a thousand seconds: a whole number, so that what comes and goes leaves nothing behind.
type rate int64

func rateOf(pps float64) rate {
	if math.IsNaN(pps) {
		return 0
	}
	return rate(float64(max(0, min(pps, 1e12))*1000) + 0.5)
}

// oracle places each flow where it adds least to the sum of what is above the limit: that is the instance with the
// lowest load, whether or not the flow fits there, and it also keeps the highest load lowest.
type oracle struct {
	env   policy.Env
	loads policy.PerSlot[rate] // of all flows assigned
}

// mover is an oracle that also moves.
type mover struct {
	oracle
	tick    units.Time
	changed bool // since the last search
}

func newOracle(o options, env policy.Env) (policy.Policy, error) {
	if o.Moves {
		return &mover{oracle: oracle{env: env}, tick: o.Tick}, nil
	}
	return &oracle{env: env}, nil
}

// Observe keeps the loads.
func (o *oracle) Observe(e *policy.Event, _ *policy.View) {
	o.loads.Follow(e, 0)
	switch {
	case e.Kind == policy.Placed:
		o.loads[e.Slot] += rateOf(e.Work.Rate)
	case e.Kind == policy.Ended && e.Slot >= 0:
		o.loads[e.Slot] -= rateOf(e.Work.Rate)
	}
}

func (o *oracle) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	best, equal := 0, 0
	own, limit := rateOf(w.Rate), rateOf(v.Limit)
	for slot, load := range o.loads {
		log.Add(slot, float64(load+own)/1000, load+own <= limit)
		switch {
		case slot == 0 || load < o.loads[best]:
			best, equal = slot, 1
		case load == o.loads[best]:
			if equal++; o.env.Ties.Wins(equal) {
				best = slot
			}
		}
	}
	return policy.Answer{Slot: best}
}

// Observe notes changes, too.
func (m *mover) Observe(e *policy.Event, v *policy.View) {
	m.oracle.Observe(e, v)
	m.changed = m.changed || e.Kind != policy.Asked && e.Kind != policy.Measured
}

// Every is the tick.
func (m *mover) Every() units.Time { return m.tick }

// Moves searches for an assignment that leaves less above the limits than the present one, if anything has changed.
func (m *mover) Moves(v *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	if !m.changed {
		return to
	}
	m.changed = false
	s := search{limit: rateOf(v.Limit), loads: slices.Clone(m.loads), nodes: mostNodes}
	present := excess(s.loads, s.limit)
	for i := range counted {
		f := item{counted[i].Work.Flow, counted[i].Slot, rateOf(counted[i].Work.Rate)}
		s.flows = append(s.flows, f)
		s.loads[f.slot] -= f.rate
	}
	for _, fixed := range s.loads { // flows whose rules are on their way may move the next time
		m.changed = m.changed || fixed > 0
	}
	if s.least = s.bound(); s.least == present {
		return to
	}
	m.env.Counts[solved]++
	at := s.solve(present)
	if s.nodes == 0 {
		m.env.Counts[unproved]++
	}
	if at == nil {
		return to
	}
	m.env.Counts[better]++
	for i, slot := range at {
		if slot != s.flows[i].slot {
			to = append(to, policy.Move{Flow: s.flows[i].flow, Slot: slot})
		}
	}
	slices.SortFunc(to, func(a, b policy.Move) int { return cmp.Compare(a.Flow, b.Flow) })
	return to
}

func excess(loads []rate, limit rate) (sum rate) {
	for _, load := range loads {
		sum += max(0, load-limit)
	}
	return sum
}

// search is for the assignment of flows to instances with the least sum of what is above the limit: branch and bound,
// depth first, the greatest flow first and each to the least loaded instance first.
type search struct {
	limit rate
	loads []rate // of what cannot move, and of the flows assigned so far
	flows []item // the greatest first
	rest  []rate // of the flows from each on
	nodes int    // that may still be tried

	seen map[state]bool
	state

	over, room rate // sums of what the loads are above and below the limit
	least      rate // that there can be
	best       rate
	at, bestAt []int // the slots of the flows
}

type item struct {
	flow flow.ID
	slot int // where it is now
	rate rate
}

// state is all that matters for the flows from k on: which loads there are, and not which instances have them. They
// stand for themselves as the sum of a hash of each; in a search two states have one sum by a chance of one in 10^10.
type state struct {
	k   int
	sum uint64
}

// mix is the output function of SplitMix64: Steele, Lea and Flood, OOPSLA 2014.
func mix(r rate) uint64 {
	z := uint64(r) + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// mostNodes bounds a search, beside the first descent.
const mostNodes = 20000

// bound is what no assignment is below: the instances have no more room than they have, and a flow that is
// greater than the limit is above it anywhere.
func (s *search) bound() rate {
	var sum, room, large rate
	for _, load := range s.loads {
		room += max(0, s.limit-load)
	}
	for _, f := range s.flows {
		sum += f.rate
		large += max(0, f.rate-s.limit)
	}
	return excess(s.loads, s.limit) + max(0, sum-room, large)
}

// solve gives the slots of an assignment that leaves less than so much, in the order that flows have then, or nil where
// none was found. Where nodes are left, it is the best of all.
func (s *search) solve(present rate) []int {
	slices.SortStableFunc(s.flows, func(a, b item) int { return cmp.Compare(b.rate, a.rate) })
	s.rest = make([]rate, len(s.flows)+1)
	for i := len(s.flows) - 1; i >= 0; i-- {
		s.rest[i] = s.rest[i+1] + s.flows[i].rate
	}
	for _, load := range s.loads {
		s.sum += mix(load)
		s.over += max(0, load-s.limit)
		s.room += max(0, s.limit-load)
	}
	s.best, s.at, s.seen = present, make([]int, len(s.flows)), map[state]bool{}
	s.nodes += len(s.flows)
	s.place()
	if s.bestAt != nil {
		s.stay()
	}
	return s.bestAt
}

// place tries all instances for flow k and, below that, for those after it. Instances that have the same load are one
// choice: that where the flow is now, or else the first.
func (s *search) place() {
	here := s.state
	if s.best == s.least || s.over+max(0, s.rest[here.k]-s.room) >= s.best || s.seen[here] {
		return
	}
	if here.k == len(s.flows) {
		s.best, s.bestAt = s.over, slices.Clone(s.at)
		return
	}
	s.seen[here] = true
	f := &s.flows[here.k]
	for last := rate(-1); ; {
		slot := -1
		for i, load := range s.loads {
			if load > last && (slot < 0 || load < s.loads[slot] || load == s.loads[slot] && i == f.slot) {
				slot = i
			}
		}
		if slot < 0 || s.nodes == 0 {
			return
		}
		s.nodes--
		last = s.loads[slot]
		over := max(0, last+f.rate-s.limit) - max(0, last-s.limit)
		s.loads[slot] += f.rate
		s.state = state{here.k + 1, here.sum - mix(last) + mix(last+f.rate)}
		s.over += over
		s.room -= f.rate - over
		s.at[here.k] = slot
		s.place()
		s.state = here
		s.loads[slot] -= f.rate
		s.over -= over
		s.room += f.rate - over
	}
}

// stay exchanges flows of equal rates, so that as many as can stay where they are.
func (s *search) stay() {
	for from := 0; from < len(s.flows); {
		to := from
		want := map[int]int{} // flows of this rate in each slot
		for ; to < len(s.flows) && s.flows[to].rate == s.flows[from].rate; to++ {
			want[s.bestAt[to]]++
		}
		free := slices.Sorted(slices.Values(s.bestAt[from:to]))
		var moving []int
		for i := from; i < to; i++ {
			if slot := s.flows[i].slot; want[slot] > 0 {
				want[slot]--
				s.bestAt[i] = slot
			} else {
				moving = append(moving, i)
			}
		}
		for _, slot := range slices.Compact(free) {
			for ; want[slot] > 0; want[slot]-- {
				s.bestAt[moving[0]], moving = slot, moving[1:]
			}
		}
		from = to
	}
}
