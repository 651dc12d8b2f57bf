package ipvs

import (
	"slices"

	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var rr = policy.Row{
	Info: policy.Info{Name: "ipvs-rr", Rule: "the servers in turn, the newest first", Source: source + "rr.c",
		Score: "places until its turn", Sees: policy.T0 | policy.T1,
		State: state + ", the server that was last", Cost: "constant; n where servers take none", Deviates: lacks},
	Reasons: reasons("next in the list"),
	Maker: policy.Make(func(o Options, _ policy.Env) (policy.Policy, error) {
		return newRoundRobin(newService(o)), nil
	}),
}

// Plain makes an ipvs-rr whose servers all have weight 1, and no thresholds.
func Plain(policy.Env) policy.Policy { return newRoundRobin(service{plain: true}) }

// roundRobin takes the next available server behind the last one in the list. A server that joins does so at the head
// of the list, and leaves the turn where it is.
type roundRobin struct {
	service
	last  int     // position in the list; -1 is before its head
	turns []int32 // by row, for the log
}

func newRoundRobin(s service) *roundRobin {
	r := &roundRobin{service: s, last: -1}
	r.changed = func(joined bool, at int) {
		switch {
		case joined && r.last >= 0:
			r.last++
		case !joined && at <= r.last: // after the last one itself goes, it is the turn of the one behind it
			r.last--
		}
	}
	return r
}

func (r *roundRobin) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	r.expire(v)
	n := len(r.order)
	if log != nil {
		r.turns = slices.Grow(r.turns[:0], n)[:n]
		for k := range n {
			r.turns[r.order[(r.last+1+k)%n]] = int32(k)
		}
		for slot, k := range r.turns {
			log.Add(slot, float64(k), r.available(v, slot))
		}
	}
	for k := 1; k <= n; k++ {
		at := (r.last + k) % n
		if slot := int(r.order[at]); r.available(v, slot) {
			r.last = at
			return answer(slot)
		}
	}
	return answer(-1)
}

var wrr = policy.Row{
	Info: policy.Info{Name: "ipvs-wrr",
		Rule:   "sweeps over the list, each of which takes the servers whose weight reaches a threshold that falls",
		Source: source + "wrr.c", Score: "weight", Sees: policy.T0 | policy.T1,
		State: state + ", the server that was last, the threshold", Cost: "n for each sweep; constant within one",
		Deviates: lacks},
	Highest:  true,
	Reasons:  reasons("next whose weight reaches the threshold"),
	Counters: []string{"sweeps"},
	Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
		return newWeighted(newService(o), &env.Counts[0]), nil
	}),
}

// weighted is wrr. The threshold begins at the greatest weight, falls after each sweep by the greatest common divisor
// of the weights, and begins again below 1. When servers join or leave, the sweep begins again at the head, at the
// threshold that was reached.
type weighted struct {
	service
	last      int // position in the list; -1 is before its head
	threshold int
	step      int // the greatest common divisor of the weights
	most      int // where the threshold begins
	sweeps    *uint64
}

func newWeighted(s service, sweeps *uint64) *weighted {
	return &weighted{service: s, last: -1, step: 1, sweeps: sweeps}
}

// Observe has the threshold follow each server that joins or leaves: what is reached depends on their order.
func (w *weighted) Observe(e *policy.Event, v *policy.View) {
	w.service.Observe(e, v)
	switch e.Kind {
	case policy.Joined:
		w.reset(v, -1)
	case policy.Left:
		w.reset(v, e.Slot)
	}
}

// reset begins a sweep, without the row that is about to go.
func (w *weighted) reset(v *policy.View, without int) {
	step, most := 0, 0
	for slot, x := range v.Weight {
		if slot != without && x > 0 {
			step, most = numeric.GCD(step, int(x)), max(most, int(x))
		}
	}
	w.step = max(1, step)
	w.most = most - (w.step - 1)
	w.last = -1
	switch {
	case w.threshold > w.most || w.threshold == 0:
		w.threshold = w.most
	case w.step > 1:
		w.threshold = w.threshold/w.step*w.step + 1
	}
}

func (w *weighted) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	w.expire(v)
	slot := w.next(v)
	if slot >= 0 {
		log.Add(slot, float64(v.Weight[slot]), true)
	}
	return answer(slot)
}

// next goes on with the sweep. Where no server is available it ends where the kernel's loop does, because the next
// connection goes on from there.
func (w *weighted) next(v *policy.View) int {
	if w.most <= 0 {
		return -1
	}
	began, at, stop := w.last, w.last, -1
	restarted, lastSweep := false, false
	for {
		for at++; at < len(w.order); at++ {
			if slot := int(w.order[at]); !w.at(v, slot).over && int(v.Weight[slot]) >= w.threshold {
				w.last = at
				return slot
			}
			if at == stop {
				w.last = at
				return -1
			}
		}
		at = -1
		*w.sweeps++
		w.threshold -= w.fall(v)
		if w.threshold <= 0 {
			w.threshold = w.most
			if lastSweep || began < 0 {
				w.last = -1
				return -1
			}
			restarted = true
		}
		lastSweep = w.threshold <= w.step
		if lastSweep && restarted && began >= 0 {
			stop = began
		}
	}
}

// fall is by how much the threshold falls. Sweeps that would find nothing, because no server that is available has such
// a weight, are left out.
func (w *weighted) fall(v *policy.View) int {
	most := 1
	for slot, x := range v.Weight {
		if !w.at(v, slot).over {
			most = max(most, int(x))
		}
	}
	return max(w.step, (w.threshold-most+w.step-1)/w.step*w.step)
}
