package scheduler

import (
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Candidate is one choice that a policy weighed.
type Candidate struct {
	Instance flow.Instance `json:"instance"`
	Score    float64       `json:"score"` // meaning and unit are the policy's; see its documentation
	Fits     bool          `json:"fits"`  // false: it was ruled out
}

// MaxCandidates is the most candidates that a decision is logged with.
const MaxCandidates = 64

// Candidates appends to buf what the last decision weighed, in order of the instances' numbers: all or, of more than
// MaxCandidates, the best MaxCandidates. What fits is better than what does not; of equals, the lower number is.
func (s *Scheduler) Candidates(v *policy.View, buf []Candidate) []Candidate {
	ratings := s.weighed.Ratings
	if len(ratings) <= MaxCandidates {
		for _, r := range ratings {
			buf = append(buf, Candidate{v.IDs[r.Slot], r.Score, r.Fits})
		}
		return buf
	}
	sign := 1.0
	if s.row.Highest {
		sign = -1
	}
	fit := 0
	yes, no := &s.best[0], &s.best[1]
	yes.keys, no.keys = yes.keys[:0], no.keys[:0]
	for i := range ratings {
		r := &ratings[i]
		b := no
		if r.Fits {
			b = yes
			fit++
		}
		if k := sign * r.Score; len(b.keys) < MaxCandidates || k < b.worst {
			b.add(k)
		}
	}
	// Of those that fit only the best are in; or all of them, and the best of the others.
	crowded := fit >= MaxCandidates
	some, space := no, MaxCandidates-fit
	if crowded {
		some, space = yes, MaxCandidates
	}
	last, equal := some.last(space)
	for i, full := 0, len(buf)+MaxCandidates; len(buf) < full; i++ {
		r := &ratings[i]
		k := sign * r.Score
		switch {
		case r.Fits != crowded && crowded: // does not fit, where those that do are too many
			continue
		case r.Fits != crowded: // fits, where all that do are in
		case k > last || k == last && equal == 0:
			continue
		case k == last:
			equal--
		}
		buf = append(buf, Candidate{v.IDs[r.Slot], r.Score, r.Fits})
	}
	return buf
}

// lowest finds the lowest of many keys. It keeps those that may be among the lowest MaxCandidates. When they are
// twice as many, the higher half goes: from then on what is higher than all that are left is passed over at a glance.
type lowest struct {
	keys  []float64
	worst float64 // the highest of the MaxCandidates lowest when there were last twice as many
}

func (b *lowest) add(k float64) {
	if len(b.keys) < MaxCandidates {
		b.worst = math.Inf(1)
	}
	if b.keys = append(b.keys, k); len(b.keys) == 2*MaxCandidates {
		b.worst = nth(b.keys, MaxCandidates-1)
		b.keys = b.keys[:MaxCandidates]
	}
}

// last is the n-th lowest key, n being 1 to MaxCandidates, and how many of the n equal it.
func (b *lowest) last(n int) (key float64, equal int) {
	key = nth(b.keys, n-1)
	for _, k := range b.keys[:n] {
		if k == key {
			equal++
		}
	}
	return key, equal
}

// nth reorders v so that v[n] is what it would be in order, with nothing greater before it and nothing less behind it,
// and returns it: Hoare's selection.
func nth(v []float64, n int) float64 {
	for lo, hi := 0, len(v)-1; lo < hi; {
		pivot := v[n]
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for pivot < v[j] {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		if j < n {
			lo = i
		}
		if n < i {
			hi = j
		}
	}
	return v[n]
}
