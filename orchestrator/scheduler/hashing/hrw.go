package hashing

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var hrwRow = policy.Row{
	Info: policy.Info{Name: "hrw",
		Rule: "the highest random weight: the instance whose hash with the flow, by its weight, is the highest",
		Source: "Thaler and Ravishankar, IEEE/ACM Trans. Networking 6 (1998) 1; " +
			"weights: Schindelhauer and Schomaker, SPAA 2005, the logarithmic method",
		Score: "-w / ln u, of the weight w and the hash u between 0 and 1", Sees: policy.T0,
		State: "a hash for each instance", Cost: "n",
		Deviates: "the hash function is xxHash's, where the first paper has a linear congruential generator"},
	Highest:  true,
	Unit:     policy.Either,
	Dispatch: policy.ByEither,
	Tuple:    true,
	Reasons:  []string{"highest random weight", "no instance has a weight: refused"},
	Maker:    policy.Plain(func(policy.Env) policy.Policy { return &hrw{} }),
}

// hrw is rendezvous hashing.
type hrw struct{ Rendezvous }

func (h *hrw) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	slot := h.Best(w, v, log)
	if slot < 0 {
		return policy.Answer{Verdict: policy.Drop, Why: 1}
	}
	return policy.Answer{Slot: slot}
}

// Rendezvous finds the instance on which all agree for a flow. It has to be told of all events.
type Rendezvous struct{ keys policy.PerSlot[uint64] }

// Observe follows the instances that join and leave.
func (r *Rendezvous) Observe(e *policy.Event, v *policy.View) {
	if e.Kind == policy.Joined || e.Kind == policy.Left {
		r.keys.Follow(e, xxhash.Sum64String(keyOf(v.IDs[e.Slot])))
	}
}

// Best is the row of that instance, or -1 where all weights are 0. With equal weights it is that with the highest hash.
func (r *Rendezvous) Best(w *policy.Work, v *policy.View, log *policy.Weighed) int {
	best, highest, hash := -1, 0.0, w.Hash()
	for slot, key := range r.keys {
		u, weight := draw(key, hash), float64(v.Weight[slot])
		if log == nil && weight < float64(highest*(1-u))*surely { // ln u <= u - 1, so that it cannot be the highest
			continue
		}
		score := weight / -numeric.Log(u)
		log.Add(slot, score, weight > 0)
		if score > highest {
			best, highest = slot, score
		}
	}
	return best
}

// surely is below 1 by more than what is rounded.
const surely = 1 - 1e-9

// draw is the hash of an instance with a flow, as a number above 0 and below 1.
func draw(instance, flow uint64) float64 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:8], instance)
	binary.LittleEndian.PutUint64(b[8:], flow)
	return (float64(xxhash.Sum64(b[:])>>12) + 0.5) / (1 << 52)
}
