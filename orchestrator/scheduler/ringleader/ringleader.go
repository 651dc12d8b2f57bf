// Package ringleader has the request scheduler of RingLeader (Lin et al., NSDI 2023), which a NIC runs for the cores of
// a host: join the bounded shortest-ranked queue. Here a core is an instance and an application is a tenant.
//
// The rank of a core depends on whose eyes it is seen with: a request that would delay one of priority p counts base
// for p, and one that is less urgent counts pree. A request goes to the core with the lowest rank of its priority. A
// core whose rank has reached the bound takes none, so that what is urgent need not wait behind much that is not. What
// no core takes waits in the NIC, the most urgent first.
//
// With base 5 and pree 1 this is equation 2.2 of the paper, times 5, with λ = 0.2.
package ringleader

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Policies is this family's part of the table.
var Policies = []policy.Row{row}

var row = policy.Row{
	Info: policy.Info{Name: "ringleader",
		Rule: "the instance with the lowest rank for the request's priority, if below the bound; else the request " +
			"waits, the most urgent first",
		Source: "Lin et al., NSDI 2023, equation 2.2, as released: RingleaderNIC a7ac4eaca4e5, ringleader/find_min.v",
		Score:  "the rank", Sees: policy.T0 | policy.T1,
		State: "for each instance its requests by priority as ranks; the requests that wait, by tenant and priority",
		Cost:  "n",
		Deviates: "the larger number is the more urgent one, and all above 3 are as 3; the priority is the " +
			"request's, where the original has one for each application; of equal cores each has the same chance, " +
			"where the original's tree of comparisons prefers some; a request is at its core until its reply has " +
			"come back, and cores tell of each; the tenants' cores are given, and not asked for at congestion; a " +
			"tenant none of whose instances takes work may use all; the host bounds the queue, and not 16 entries"},
	Unit:   policy.Requests,
	Tuple:  true,
	Tenant: true,
	Reasons: []string{lowest: "lowest rank", bounded: "all ranks have reached the bound: waits",
		hashed: "core of the flow's hash", full: "core of the flow's hash has reached the bound: dropped"},
	Counters: []string{unmasked: "decisions for tenants none of whose instances takes work"},
	Maker:    policy.Make(newNIC),
}

// The reasons.
const (
	lowest uint8 = iota
	bounded
	hashed
	full
)

// The counters.
const unmasked = iota

// levels is how many priorities there are.
const levels = 4

type options struct {
	Base    int      `yaml:"base" default:"5" min:"1" max:"7"`
	Pree    int      `yaml:"pree" default:"1" min:"0" max:"7"`
	Bound   int      `yaml:"bound" default:"20" min:"1" max:"255"`
	Choose  string   `yaml:"choose" enum:"find-min|rss" default:"find-min"`
	Tenants []tenant `yaml:"tenants"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
base: what a request counts for a priority that it would delay: its own, and those that are less urgent
pree: what it counts for those that are more urgent
bound: the rank from which on a core takes no request
choose: find-min: the lowest rank; rss: the core of the flow's hash, and the request is dropped if its rank has reached
	the bound
tenants: the instances of tenants; those that are not listed may use all
`
}

// tenant is an application with cores of its own.
type tenant struct {
	Name      string `yaml:"name" required:"true"`
	Instances []int  `yaml:"instances" required:"true"`
}

// Docs implements strictyaml.Documented.
func (tenant) Docs() string {
	return `
name: the tenant
instances: the numbers of the instances that its requests may use, 1 or more
`
}

// nic is the scheduler.
type nic struct {
	options
	rand    *rand.Rand
	counts  []uint64
	weights [levels][levels]int32 // of a request of one priority, for another
	ranks   [][levels]int32       // of instances, by number: those that drain keep theirs
	masks   map[string]int        // of tenants: index of the queues and of the instances
	waiting []waiting             // by queue
	came    uint64                // requests that had to wait so far
	cores   []int                 // rows that a request of a tenant may use
	all     []int                 // 0, 1, 2 and so on
}

func newNIC(o options, env policy.Env) (policy.Policy, error) {
	o.Tenants = slices.Clone(o.Tenants)
	n := &nic{options: o, rand: env.Rand, counts: env.Counts, masks: map[string]int{}}
	for i, t := range o.Tenants {
		if _, found := n.masks[t.Name]; found {
			return nil, fmt.Errorf("tenants.%d.name: %q, which is there before: want each tenant once", i, t.Name)
		}
		if len(t.Instances) == 0 {
			return nil, fmt.Errorf("tenants.%d.instances: none: want numbers of instances, or no such tenant", i)
		}
		n.Tenants[i].Instances = slices.Compact(slices.Sorted(slices.Values(t.Instances)))
		if first := n.Tenants[i].Instances[0]; first < 1 {
			return nil, fmt.Errorf("tenants.%d.instances: %d: want 1 or more", i, first)
		}
		n.masks[t.Name] = i + 1
	}
	if o.Pree > o.Base {
		return nil, errors.New("pree: above base, so that what is urgent would count less: want at most base")
	}
	n.waiting = make([]waiting, levels*(len(o.Tenants)+1))
	for p := range n.weights {
		for seen := range n.weights[p] {
			n.weights[p][seen] = int32(o.Pree)
			if p >= seen {
				n.weights[p][seen] = int32(o.Base)
			}
		}
	}
	return n, nil
}

// of is the level of a request.
func of(w *policy.Work) int { return int(min(w.Priority, levels-1)) }

// Observe keeps the ranks, and the requests that wait.
func (n *nic) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Joined:
		n.at(v.IDs[e.Slot])
	case policy.Placed:
		n.add(e.Work, 1)
	case policy.Ended:
		n.add(e.Work, -1)
	case policy.Queued:
		n.came++
		n.waiting[n.Queue(e.Work)].push(waiter{e.Work.Flow, n.came})
	case policy.Unqueued:
		n.waiting[n.Queue(e.Work)].remove(e.Work.Flow)
	}
}

// at are the ranks of an instance.
func (n *nic) at(id flow.Instance) *[levels]int32 {
	for int(id) >= len(n.ranks) {
		n.ranks = append(n.ranks, [levels]int32{})
	}
	return &n.ranks[id]
}

// add counts a request at its instance, or counts it off.
func (n *nic) add(w *policy.Work, sign int32) {
	ranks, weights := n.at(w.At), &n.weights[of(w)]
	for p := range ranks {
		ranks[p] += sign * weights[p]
	}
}

func (n *nic) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	p, bound := of(w), int32(n.Bound)
	cores := n.usable(w, v)
	if n.Choose == "rss" {
		slot := cores[w.Hash()%uint64(len(cores))]
		rank := n.ranks[v.IDs[slot]][p]
		log.Add(slot, float64(rank), rank < bound)
		if rank >= bound {
			return policy.Answer{Verdict: policy.Drop, Why: full}
		}
		return policy.Answer{Slot: slot, Why: hashed}
	}
	best, least, equal := 0, bound, 0
	for _, slot := range cores {
		rank := n.ranks[v.IDs[slot]][p]
		log.Add(slot, float64(rank), rank < bound)
		switch {
		case rank < least:
			best, least, equal = slot, rank, 1
		case rank == least:
			equal++
		}
	}
	switch {
	case least == bound:
		return policy.Answer{Verdict: policy.Hold, Why: bounded}
	case equal > 1:
		best = n.drawn(cores, p, least, n.rand.IntN(equal), v)
	}
	return policy.Answer{Slot: best, Why: lowest}
}

// drawn is the row of a rank that has so many of the same rank before it.
func (n *nic) drawn(cores []int, p int, rank int32, before int, v *policy.View) int {
	for _, slot := range cores {
		if n.ranks[v.IDs[slot]][p] == rank {
			if before == 0 {
				return slot
			}
			before--
		}
	}
	panic("ringleader: fewer cores of that rank than were counted")
}

// usable are the rows that a request may use: those of its tenant or, if none of them takes work, all.
func (n *nic) usable(w *policy.Work, v *policy.View) []int {
	if mask := n.masks[w.Tenant]; mask > 0 {
		n.cores = n.cores[:0]
		for _, id := range n.Tenants[mask-1].Instances {
			if slot, ok := v.Row(flow.Instance(id)); ok {
				n.cores = append(n.cores, slot)
			}
		}
		if len(n.cores) > 0 {
			return n.cores
		}
		n.counts[unmasked]++
	}
	for len(n.all) < len(v.IDs) {
		n.all = append(n.all, len(n.all))
	}
	return n.all[:len(v.IDs)]
}

// Queue implements policy.Ranker: requests of one tenant that has instances of its own, or of all others, and of one
// priority, wait in one queue.
func (n *nic) Queue(w *policy.Work) int { return n.masks[w.Tenant]*levels + of(w) }

// Before implements policy.Ranker: the more urgent one, and of equal ones the queue whose first request came first.
func (n *nic) Before(a, b int) bool {
	if p, q := a%levels, b%levels; p != q {
		return p > q
	}
	return n.waiting[a].first() < n.waiting[b].first()
}

// waiting is a queue of requests, the oldest first.
type waiting struct {
	all  []waiter
	done int // of all, that are not in it any more
}

type waiter struct {
	request flow.ID
	number  uint64 // of those that had to wait
}

func (w *waiting) push(x waiter) {
	if w.done > 0 && len(w.all) == cap(w.all) {
		w.all = w.all[:copy(w.all, w.all[w.done:])]
		w.done = 0
	}
	w.all = append(w.all, x)
}

// remove takes a request out, mostly the oldest.
func (w *waiting) remove(id flow.ID) {
	at := w.done + slices.IndexFunc(w.all[w.done:], func(x waiter) bool { return x.request == id })
	copy(w.all[w.done+1:at+1], w.all[w.done:at])
	if w.done++; w.done == len(w.all) {
		w.all, w.done = w.all[:0], 0
	}
}

// first is the number of the oldest request, or one after all others where there is none.
func (w *waiting) first() uint64 {
	if w.done == len(w.all) {
		return math.MaxUint64
	}
	return w.all[w.done].number
}
