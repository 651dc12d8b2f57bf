package policy

import (
	"fmt"
	"strconv"

	"github.com/smartinco/smartinco/units"
)

// Step is what one stage of an evaluation made of the number of instances.
type Step struct {
	Kind    string // of the decision in the log
	Desired int    // the number after it
	Reason  string // one short sentence; empty if the stage left the number as it was
}

// Steps are the stages of one evaluation, in the order in which they ran. The methods are the stages that policies
// share. Each is given the number so far and returns what it made of it.
type Steps []Step

// Take takes down a stage of the policy's own.
func (t *Steps) Take(kind string, desired int, reason string) int {
	*t = append(*t, Step{kind, desired, reason})
	return desired
}

// Recommend asks a rule for the number that the load wants, and for the reason. The rule need not heed the bounds, nor
// what came before.
//
// While nothing has been measured, the rule is not asked: the number stays, or is 1 if there is no instance and flows
// are held. A scale-in that rests on counters of which some are missing is not recommended: as with Kubernetes, what is
// unknown does not count as idle. A policy that treats the unknown in its own way uses Take with the kind Recommended.
func (t *Steps) Recommend(s *Snapshot, rule func(*Snapshot) (desired int, reason string)) int {
	if !s.Measured {
		if s.Current == 0 && s.Held > 0 {
			return t.Take(Recommended, 1, "nothing measured yet, and flows are held")
		}
		return t.Take(Recommended, s.Current, "nothing measured yet")
	}
	desired, reason := rule(s)
	if desired < s.Current {
		if n := s.Missing(); n > 0 {
			reason = fmt.Sprintf("no scale-in while counters of %d instances are missing", n)
			return t.Take(Recommended, s.Current, reason)
		}
	}
	return t.Take(Recommended, desired, reason)
}

// Kinds of the stages that policies share, as the decision log names them.
const (
	Recommended = "recommend"
	Stabilised  = "stabilise"
	RateLimited = "rate-limit"
	Clamped     = "clamp"
	Forecast    = "forecast" // what is expected is joined with what is measured
)

// History is the recommendations of the last while, which Steps.Stabilise keeps.
type History struct {
	Span units.Time // how long a recommendation counts; 0 for not at all
	past []recommendation
}

type recommendation struct {
	at      units.Time
	desired int
}

// Stabilise lets a scale-in go no lower than the highest recommendation of the history's span. One that is exactly as
// old as the span counts no more. The number at the first evaluation counts as recommended then.
func (t *Steps) Stabilise(s *Snapshot, desired int, h *History) int {
	if h.past == nil {
		h.past = append(make([]recommendation, 0, 16), recommendation{s.Now, s.Current})
	}
	h.past = append(h.past, recommendation{s.Now, desired})
	old := 0
	for old < len(h.past) && s.Now-h.past[old].at >= h.Span {
		old++
	}
	h.past = h.past[:copy(h.past, h.past[old:])]
	highest := desired
	for i := range h.past {
		highest = max(highest, h.past[i].desired)
	}
	if held := min(highest, s.Current); held > desired {
		return t.Take(Stabilised, held, fmt.Sprintf("no lower than the highest recommendation of the last %v", h.Span))
	}
	return t.Take(Stabilised, desired, "")
}

// Pace is how fast the number may change. The zero value holds nothing back.
type Pace struct {
	OutCooldown units.Time // least time between two scale-outs
	InCooldown  units.Time // least time after any scaling before a scale-in
	MostOut     int        // most instances added at once; 0 for no limit
	MostIn      int        // most instances removed at once; 0 for no limit
}

// RateLimit applies the cool-downs and the largest steps of a pace. A cool-down that is exactly over holds nothing
// back.
func (t *Steps) RateLimit(s *Snapshot, desired int, p *Pace) int {
	step := desired - s.Current
	switch {
	case step > 0 && since(s, s.LastScaleOut) < p.OutCooldown:
		return t.Take(RateLimited, s.Current, fmt.Sprintf("less than %v since the last scale-out", p.OutCooldown))
	case step < 0 && since(s, s.LastScaling) < p.InCooldown:
		return t.Take(RateLimited, s.Current, fmt.Sprintf("less than %v since the last scaling", p.InCooldown))
	case p.MostOut > 0 && step > p.MostOut:
		return t.Take(RateLimited, s.Current+p.MostOut, fmt.Sprintf("at most %d added at once", p.MostOut))
	case p.MostIn > 0 && -step > p.MostIn:
		return t.Take(RateLimited, s.Current-p.MostIn, fmt.Sprintf("at most %d removed at once", p.MostIn))
	}
	return t.Take(RateLimited, desired, "")
}

// since is the time since an instant; Never if that is Never.
func since(s *Snapshot, at units.Time) units.Time {
	if at == units.Never {
		return units.Never
	}
	return s.Now - at
}

// Clamp keeps the number within the bounds. It comes last and overrides all others.
func (t *Steps) Clamp(s *Snapshot, desired int) int {
	switch {
	case desired < s.Min:
		return t.Take(Clamped, s.Min, atLeast.of(s.Min))
	case desired > s.Max:
		return t.Take(Clamped, s.Max, atMost.of(s.Max))
	}
	return t.Take(Clamped, desired, "")
}

// bound says a bound. Those of small numbers are composed once: a run that is held at one says so in each evaluation.
type bound struct {
	what string
	some [64]string
}

var atLeast, atMost = newBound("at least "), newBound("at most ")

func newBound(what string) *bound {
	b := &bound{what: what}
	for n := range b.some {
		b.some[n] = what + strconv.Itoa(n)
	}
	return b
}

func (b *bound) of(n int) string {
	if n >= 0 && n < len(b.some) {
		return b.some[n]
	}
	return b.what + strconv.Itoa(n)
}
