package scheduler

import (
	"slices"

	"math/rand/v2"

	"github.com/smartinco/smartinco/flow"
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

// room is the highest load beside which the new flow fits. The billionth allows for the rounding of rates that add up
// to the limit exactly.
func (v *View) room() float64 { return float64(v.Limit*(1+1e-9)) - v.Demand }

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
	best []ranked
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

type ranked struct {
	key      float64 // lower is better
	position int
}

func (a ranked) worse(b ranked) bool {
	return a.key > b.key || a.key == b.key && a.position > b.position
}

// Candidates appends to buf how the policy rates the instances now, before Decide changes anything. Up to MaxCandidates
// they are all there; of more, the best that many are, those that fit before those that do not. They are always in
// order of the instances' numbers.
func (s *Scheduler) Candidates(v *View, buf []Candidate) []Candidate {
	n := len(v.IDs)
	if n == 0 {
		return buf
	}
	w := s.show(v)
	if n <= MaxCandidates {
		for i := range n {
			score, fits := s.pol.Score(w, i)
			buf = append(buf, Candidate{w.IDs[i], score, fits})
		}
		return buf
	}
	from := len(buf)
	// Two passes: those that fit, and, if they are too few, those that do not. Each keeps its best in a heap whose
	// root is the worst of them.
	for _, want := range [2]bool{true, false} {
		space := MaxCandidates - (len(buf) - from)
		if space == 0 {
			break
		}
		s.best = s.best[:0]
		for i := range n {
			score, fits := s.pol.Score(w, i)
			if fits != want {
				continue
			}
			if s.row.highest {
				score = -score
			}
			s.keep(ranked{score, i}, space)
		}
		slices.SortFunc(s.best, func(a, b ranked) int { return a.position - b.position })
		for _, r := range s.best {
			score, fits := s.pol.Score(w, r.position)
			buf = append(buf, Candidate{w.IDs[r.position], score, fits})
		}
	}
	sortByInstance(buf[from:])
	return buf
}

// keep puts r into the heap s.best of at most space entries, in place of its worst if there is no room.
func (s *Scheduler) keep(r ranked, space int) {
	h := s.best
	if len(h) < space {
		h = append(h, r)
		for i := len(h) - 1; i > 0 && h[i].worse(h[(i-1)/2]); i = (i - 1) / 2 {
			h[i], h[(i-1)/2] = h[(i-1)/2], h[i]
		}
		s.best = h
		return
	}
	if !h[0].worse(r) {
		return
	}
	h[0] = r
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(h) {
			return
		}
		if c+1 < len(h) && h[c+1].worse(h[c]) {
			c++
		}
		if !h[c].worse(h[i]) {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// sortByInstance sorts by insertion: all but the first, the choice, stand in order already.
func sortByInstance(c []Candidate) {
	for i := 1; i < len(c); i++ {
		for j := i; j > 0 && c[j].Instance < c[j-1].Instance; j-- {
			c[j], c[j-1] = c[j-1], c[j]
		}
	}
}
