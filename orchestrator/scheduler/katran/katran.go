// Package katran has the policy of Katran, Meta's load balancer in the kernel, made again from its rules and held
// against its tests.
//
// A real server is an instance, and all flows are to one virtual address. A packet's hash is an entry of a ring, which
// names the server. Katran then keeps a connection at its server in a table that forgets what was used least recently;
// here a flow's rule does so, and never forgets.
package katran

import "github.com/smartinco/smartinco/orchestrator/policy"

// Policies is this family's part of the table.
var Policies = []policy.Row{{
	Info: policy.Info{Name: "katran",
		Rule: "the instance that a Maglev ring, filled by weight, has for the hash of the flow's source and ports",
		Source: "Katran, katran/lib/ at 0dc46714f308: MaglevBase.cpp, MaglevHash.cpp, MaglevHashV2.cpp; " +
			"bpf/balancer_kern.c at 0022cffa1257",
		Score: "the ring's entry", Sees: policy.T0, State: "the ring of 65537 entries", Cost: "constant",
		Deviates: "a real server's hash is the instance's number, not that of its address; rules stand for the " +
			"table of connections, so a connection is never forgotten, neither for want of room nor, as UDP's, after " +
			"30 s without packets; where no instance has a weight flows are refused, and Katran keeps the last ring; " +
			"a step in a preference list does not wrap at 32 bits"},
	Tuple:   true,
	Reasons: []string{"entry of the packet's hash", "no instance has a weight: refused"},
	Maker:   policy.Make(newBalancer),
}}

type options struct {
	Function string `yaml:"function" enum:"maglev|maglev-v2" default:"maglev"`
}

// Docs implements strictyaml.Documented.
func (options) Docs() string {
	return `
function: how weights fill the ring (Katran's hashFunction). maglev: in the first round, an instance takes as many
	entries as its weight, and one in each later round, so that weights say little; maglev-v2: entries are in proportion
	to the weights
`
}

const entries = 65537

type balancer struct {
	v2    bool
	stale bool
	ring  []int32 // rows; -1 while no instance has a weight
	reals []real
}

func newBalancer(o options, _ policy.Env) (policy.Policy, error) {
	return &balancer{v2: o.Function == "maglev-v2", ring: make([]int32, entries)}, nil
}

// Observe notes that instances have come or gone.
func (b *balancer) Observe(e *policy.Event, _ *policy.View) {
	b.stale = b.stale || e.Kind == policy.Joined || e.Kind == policy.Left
}

func (b *balancer) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if b.stale {
		b.stale, b.reals = false, b.reals[:0]
		for slot, weight := range v.Weight {
			if weight > 0 {
				b.reals = append(b.reals, newReal(uint64(v.IDs[slot]), weight, int32(slot), len(b.ring)))
			}
		}
		fill(b.ring, b.reals, b.v2)
	}
	at := hashPacket(&w.Tuple) % uint32(len(b.ring))
	slot := int(b.ring[at])
	if slot < 0 {
		return policy.Answer{Verdict: policy.Drop, Why: 1}
	}
	log.Add(slot, float64(at), true)
	return policy.Answer{Slot: slot}
}
