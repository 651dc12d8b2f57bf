package choices

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

var rebalanceRow = policy.Row{
	Info: policy.Info{Name: "greedy-rebalance",
		Rule:   "the instance with the fewest flows; then the greatest flows that fit move off overloaded ones",
		Source: "this project, after RSS++: Barbette et al., CoNEXT 2019",
		Score:  "flows", Sees: policy.T0 | policy.T1 | policy.T2, Cost: "n; a rebalancing n times the flows",
		Deviates: "flows move, not buckets of hashes; one pass, after which nothing is tried again; the tick is fixed"},
	Reasons:  []string{"fewest flows"},
	Counters: []string{"instances left overloaded by a single flow"},
	Maker:    policy.Make(newRebalance),
}

type rebalanceOptions struct {
	Tick      units.Time `yaml:"tick" default:"1s" above:"0"`
	Threshold float64    `yaml:"threshold" default:"0.02" min:"0" max:"1"`
}

// Docs implements strictyaml.Documented.
func (rebalanceOptions) Docs() string {
	return `
tick: time between two rebalancings
threshold: share of the limit by which an instance must be above the mean load for its flows to move; RSS++ has 0.02
`
}

// rebalance places a flow where there are fewest, and moves flows by their packets since the last tick: from each
// instance above the mean load, that with the most first, the greatest flow first, to the instance with the least. A
// flow moves only if that is not above the mean with it, so each move brings two loads closer to each other.
type rebalance struct {
	least
	tick      units.Time
	threshold float64
	since     units.Time // the last tick
	single    *uint64
	packets   []uint64 // by row
	flows     []int    // with packets, by row
	order     []policy.Counted
}

func newRebalance(o rebalanceOptions, env policy.Env) (policy.Policy, error) {
	return &rebalance{least: least{score: scores["flows"], ties: env.Ties},
		tick: o.Tick, threshold: o.Threshold, single: &env.Counts[0]}, nil
}

// Every is the tick.
func (r *rebalance) Every() units.Time { return r.tick }

// Moves rebalances. The mean is never divided for: loads, times the number of instances, are held against their sum.
func (r *rebalance) Moves(v *policy.View, counted []policy.Counted, to []policy.Move) []policy.Move {
	n := uint64(len(v.IDs))
	sum := r.count(len(v.IDs), counted)
	most := float64(n) * r.threshold * v.Limit * (v.Now - r.since).Seconds()
	r.since = v.Now
	overloaded := func(slot int) bool { return float64(r.packets[slot]*n)-float64(sum) > most }
	for i := range r.order {
		c := &r.order[i]
		if !overloaded(c.Slot) {
			continue
		}
		slot := leastOf(r.packets)
		if (r.packets[slot]+c.Packets)*n > sum {
			continue
		}
		r.packets[c.Slot] -= c.Packets
		r.packets[slot] += c.Packets
		r.flows[c.Slot]--
		r.flows[slot]++
		to = append(to, policy.Move{Flow: c.Work.Flow, Slot: slot})
	}
	for slot, flows := range r.flows {
		if flows == 1 && overloaded(slot) {
			*r.single++
		}
	}
	return to
}

// count sums the packets of n instances, and puts the flows in order: those of the instance with the most packets
// first, and of these the one with the most.
func (r *rebalance) count(n int, counted []policy.Counted) (sum uint64) {
	r.packets, r.flows = slices.Grow(r.packets[:0], n)[:n], slices.Grow(r.flows[:0], n)[:n]
	clear(r.packets)
	clear(r.flows)
	r.order = r.order[:0]
	for i := range counted {
		if c := &counted[i]; c.Packets > 0 {
			sum += c.Packets
			r.packets[c.Slot] += c.Packets
			r.flows[c.Slot]++
			r.order = append(r.order, *c)
		}
	}
	slices.SortFunc(r.order, func(a, b policy.Counted) int {
		return cmp.Or(cmp.Compare(r.packets[b.Slot], r.packets[a.Slot]), cmp.Compare(a.Slot, b.Slot),
			cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Work.Flow, b.Work.Flow))
	})
	return sum
}

// leastOf is the first row with the fewest packets.
func leastOf(packets []uint64) (slot int) {
	for i, p := range packets {
		if p < packets[slot] {
			slot = i
		}
	}
	return slot
}
