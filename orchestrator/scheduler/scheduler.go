package scheduler

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// View is what a policy sees of the ready instances: columns of equal length, in order of the instances' numbers.
// Columns of telemetry that the policy's row in the table does not declare are nil.
type View struct {
	IDs    []flow.Instance // T0: the ready instances, none of them draining
	Limit  float64         // T0: packets a second that one instance is trusted with
	Flows  []int32         // T1: flows assigned to the instance and not yet ended
	Load   []float64       // T2: packets a second forwarded to it in the last window, with the in-flight correction if that is on
	Demand float64         // T2: packets a second that a new flow is expected to bring

	ties *rand.Rand // nil: the first of several equal candidates wins
}

// fits reports whether the new flow fits beside a load.
func (v *View) fits(load float64) bool { return !numeric.Exceeds(load+v.Demand, v.Limit) }

// tie reports whether the n-th of n equal candidates replaces the one held: never, or one time in n, which leaves each
// with the same chance.
func (v *View) tie(n int) bool { return v.ties != nil && v.ties.IntN(n) == 0 }

// Candidate is one choice that a policy weighed.
type Candidate struct {
	Instance flow.Instance `json:"instance"`
	Score    float64       `json:"score"` // meaning and unit are the policy's; see its documentation
	Fits     bool          `json:"fits"`  // false: it was ruled out
}

// Outcome is what becomes of a new flow.
type Outcome uint8

// The outcomes.
const (
	Placed  Outcome = iota // an instance takes it
	Held                   // it waits for an instance, or for room
	Refused                // it is dropped
)

// Scheduler applies one policy and the options around it.
type Scheduler struct {
	opts Options
	row  *row
	pol  Policy
	sees [3]bool // by telemetry class
	view View    // what the policy sees
	all  View    // what the rule for flows that do not fit sees

	ratings []Rating  // of the decision at hand
	best    [2]lowest // of those that fit, and of those that do not
}

// New makes a scheduler. The seed feeds its random stream, which nothing else draws from.
func New(opts Options, seed uint64) (*Scheduler, error) {
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	s := &Scheduler{opts: opts, row: find(opts.Policy)}
	s.pol = s.row.make()
	for _, c := range s.row.Telemetry {
		s.sees[c] = true
	}
	if opts.Ties == "random" {
		s.view.ties = rand.New(rand.NewPCG(seed, 0x7363686564756c65))
	}
	return s, nil
}

// Decide says what becomes of a new flow: its outcome, the position in v.IDs if it is placed, and the reason.
func (s *Scheduler) Decide(v *View) (outcome Outcome, position int, reason string) {
	if len(v.IDs) == 0 {
		if s.opts.NoInstance == "drop" {
			return Refused, None, "no instance is ready: dropped"
		}
		return Held, None, "no instance is ready: held"
	}
	i := s.pol.Pick(s.show(v))
	if i != None {
		return Placed, i, s.row.reason
	}
	switch s.opts.NoFit {
	case "reject":
		return Refused, None, "fits on no instance: rejected"
	case "queue":
		return Held, None, "fits on no instance: held"
	}
	s.all = *v
	s.all.ties = s.view.ties
	return Placed, worstFit{}.Pick(&s.all), "fits on no instance: least loaded takes it"
}

// show narrows v to what the policy may see.
func (s *Scheduler) show(v *View) *View {
	w := &s.view
	w.IDs, w.Limit = v.IDs, v.Limit
	if s.sees[telemetry.T1] {
		w.Flows = v.Flows
	}
	if s.sees[telemetry.T2] {
		w.Load, w.Demand = v.Load, v.Demand
	}
	return w
}

// MaxCandidates is the most candidates that a decision is logged with.
const MaxCandidates = 64

// Candidates appends to buf how the policy rates the instances now, before Decide changes anything. Up to MaxCandidates
// they are all there; of more, the best that many are, those that fit before those that do not, and of equal ones the
// first by number. They are always in order of the instances' numbers.
func (s *Scheduler) Candidates(v *View, buf []Candidate) []Candidate {
	n := len(v.IDs)
	if n == 0 {
		return buf
	}
	s.ratings = slices.Grow(s.ratings[:0], n)[:n]
	s.pol.Rate(s.show(v), s.ratings)
	if n <= MaxCandidates {
		for i, r := range s.ratings {
			buf = append(buf, Candidate{v.IDs[i], r.Score, r.Fits})
		}
		return buf
	}
	sign := 1.0
	if s.row.highest {
		sign = -1
	}
	fit := 0
	yes, no := &s.best[0], &s.best[1]
	yes.keys, no.keys = yes.keys[:0], no.keys[:0]
	for i := range s.ratings {
		r := &s.ratings[i]
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
		r := &s.ratings[i]
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
		buf = append(buf, Candidate{v.IDs[i], r.Score, r.Fits})
	}
	return buf
}

// lowest finds the lowest of many keys. It keeps those that may be among the lowest MaxCandidates until they are twice as
// many, and then that many of them: what is higher than them all can be passed over at a glance.
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
