package scheduler

import (
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Counts is what a policy did in a run. The decision log has an entry for each flow placed, held, refused or moved;
// that a held flow stays held, or that a flow has to stay where it is, is neither logged nor counted.
type Counts struct {
	Name     string  `json:"name"`              // of the policy
	Placed   uint64  `json:"placed"`            // flows given an instance, those that were held or lost theirs included
	Held     uint64  `json:"held"`              // flows made to wait
	Refused  uint64  `json:"refused"`           // flows dropped
	Moved    uint64  `json:"moved"`             // flows that the policy gave another instance
	Unmoved  uint64  `json:"unmoved,omitempty"` // moves that the budget did not allow
	Reasons  []Count `json:"reasons"`           // of those placed, held and refused
	Counters []Count `json:"counters"`          // the policy's own; none for most

	Scaling *policy.ScalingCounts `json:"scaling,omitempty"` // nil under one without counters
}

// Add adds what the same policy did elsewhere.
func (c *Counts) Add(d *Counts) {
	c.Placed += d.Placed
	c.Held += d.Held
	c.Refused += d.Refused
	c.Moved += d.Moved
	c.Unmoved += d.Unmoved
	for i := range c.Reasons {
		c.Reasons[i].N += d.Reasons[i].N
	}
	for i := range c.Counters {
		c.Counters[i].N += d.Counters[i].N
	}
}

// Count is how often something happened.
type Count = policy.Count

// counts is Counts in the making: verdicts by kind and by reason.
type counts struct {
	verdicts [policy.Drop + 1]uint64
	reasons  []uint64
	moved    uint64
	unmoved  uint64
	own      []uint64 // the policy adds to them
}

// Carried notes that an answer of Decide was carried out.
func (s *Scheduler) Carried(a policy.Answer) {
	s.counts.verdicts[a.Verdict]++
	s.counts.reasons[a.Why]++
}

// MayMove reports whether the budget allows another flow to be moved, and notes that it is moved, or is not.
func (s *Scheduler) MayMove(now units.Time) bool {
	if second := now / units.Second; second != s.second {
		s.second, s.spent = second, 0
	}
	if s.budget > 0 && s.spent == s.budget {
		s.counts.unmoved++
		return false
	}
	s.spent++
	s.counts.moved++
	return true
}

// Counts is what the policy has done so far.
func (s *Scheduler) Counts() *Counts {
	v := &s.counts.verdicts
	return &Counts{Name: s.row.Name, Placed: v[policy.Place], Held: v[policy.Hold], Refused: v[policy.Drop],
		Moved: s.counts.moved, Unmoved: s.counts.unmoved, Reasons: policy.Named(s.reasons, s.counts.reasons),
		Counters: policy.Named(s.row.Counters, s.counts.own)}
}
