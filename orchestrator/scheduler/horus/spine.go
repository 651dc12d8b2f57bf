package horus

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var spineRow = policy.Row{
	Info: policy.Info{Name: "horus-spine",
		Rule: "for a dispatcher above nodes: one of those that have said they have idle instances, drawn; else the " +
			"lower load of two drawn, by their last signals; else any, drawn",
		Source: "Yassini et al., NSDI 2024, as released: horus-p4 e12fbcc0d518, tofino/horus/spine.p4, and horus-sim",
		Score:  "requests that the node is thought to have, over its instances",
		Sees:   policy.T0 | policy.T1 | policy.T3,
		State: "the nodes with idle instances; for each node its load as last signalled, and how many replies it was " +
			"since",
		Cost: "constant; log n where the nodes' numbers have gaps",
		Deviates: "one spine, to which all nodes report; a signal travels with the reply that is due to cause it, " +
			"that idle instances are few included, which a leaf says when it sends a request; a node says that it " +
			"has idle ones without waiting, as in the simulator"},
	Unit: policy.Requests,
	Reasons: []string{withIdle: "has idle instances", lower: "lower load of two", anyNode: "any, as less than three " +
		"loads are known"},
	Counters: []string{loads: "load signals", adds: "nodes that said they had idle instances",
		removes: "nodes that said they had few"},
	Maker: policy.Make(newSpine),
}

// The spine's reasons.
const (
	withIdle uint8 = iota
	lower
	anyNode
)

// The spine's counters.
const (
	loads = iota
	adds
	removes
)

type spineOptions struct {
	RNG    string `yaml:"rng" enum:"uniform|asic" default:"uniform"`
	Idle   int    `yaml:"idle" default:"4" min:"0" max:"65535"`
	Update string `yaml:"update" enum:"immediate|delayed" default:"immediate"`
}

// Docs implements strictyaml.Documented.
func (spineOptions) Docs() string {
	return `
rng: how nodes are drawn, as of horus
idle: a node with more idle instances than this says so, and one with no more says that. 4 is the simulator's, 1 the
	released program's
update: immediate: a request counts for its node's load when it is sent; delayed: when the node's next signal says so
`
}

// spine is the dispatcher above the leaves.
type spine struct {
	draws
	spineOptions
	counts  []uint64
	idle    []flow.Instance // nodes with idle instances
	tracked []flow.Instance // nodes whose load is known
	nodes   policy.PerSlot[node]
}

// node is what the spine knows of a node.
type node struct {
	load    int64 // requests
	workers int64 // 0 while it has sent no signal
	replies int32 // since the last signal
	listed  bool  // as one with idle instances
}

func newSpine(o spineOptions, env policy.Env) (policy.Policy, error) {
	return &spine{draws: draws{rand: env.Rand, asic: o.RNG == "asic"}, spineOptions: o, counts: env.Counts}, nil
}

// Signals implements policy.Signalled.
func (s *spine) Signals() uint64 { return s.counts[loads] + s.counts[adds] + s.counts[removes] }

// Observe takes the signals that are due off replies.
func (s *spine) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Ended:
		if e.Slot >= 0 {
			s.replied(e, v.IDs[e.Slot])
		}
	case policy.Joined:
		fresh := node{listed: v.Flows[e.Slot] == 0}
		if fresh.listed {
			s.idle = append(s.idle, v.IDs[e.Slot])
		}
		s.nodes.Follow(e, fresh)
	case policy.Left:
		s.idle = without(s.idle, v.IDs[e.Slot])
		s.tracked = without(s.tracked, v.IDs[e.Slot])
		s.nodes.Follow(e, node{})
	}
}

func without(list []flow.Instance, id flow.Instance) []flow.Instance {
	if at := slices.Index(list, id); at >= 0 {
		return slices.Delete(list, at, at+1)
	}
	return list
}

func (s *spine) replied(e *policy.Event, id flow.Instance) {
	n, workers := &s.nodes[e.Slot], max(e.Workers, 1)
	if n.replies++; n.replies >= workers {
		if n.workers == 0 {
			s.tracked = append(s.tracked, id)
		}
		n.replies, n.load, n.workers = 0, int64(e.Queue), int64(workers)
		s.counts[loads]++
	}
	switch many := int(e.Idle) > s.Idle; {
	case many && !n.listed:
		n.listed = true
		s.idle = append(s.idle, id)
		s.counts[adds]++
	case !many && n.listed:
		n.listed = false
		s.idle = without(s.idle, id)
		s.counts[removes]++
	}
}

func (s *spine) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) (a policy.Answer) {
	switch {
	case len(s.idle) > 0:
		a.Slot, a.Why = row(v, s.idle[s.one(len(s.idle))]), withIdle
		log.Add(a.Slot, 0, true)
	case len(s.tracked) > 2:
		i, j := s.pair(len(s.tracked))
		x, y := row(v, s.tracked[i]), row(v, s.tracked[j])
		a.Slot, a.Why = x, lower
		of, other := &s.nodes[x], &s.nodes[y]
		if other.load*of.workers < of.load*other.workers {
			a.Slot = y
		}
		log.Add(min(x, y), s.nodes[min(x, y)].average(), true)
		log.Add(max(x, y), s.nodes[max(x, y)].average(), true)
	default:
		a.Slot, a.Why = s.one(len(s.nodes)), anyNode
		log.Add(a.Slot, 0, true)
	}
	if s.Update == "immediate" {
		s.nodes[a.Slot].load++
	}
	return a
}

func (n *node) average() float64 { return float64(n.load) / float64(n.workers) }

// row is that of a node which is there.
func row(v *policy.View, id flow.Instance) int {
	slot, _ := v.Row(id)
	return slot
}
