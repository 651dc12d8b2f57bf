package results

// PerRequest is Run.Unit of a run whose rows count requests where those of others count packets.
const PerRequest = "request"

// Requests is what became of the requests of a run, beyond what the tables of windows and instances say.
type Requests struct {
	Placed        int64   `json:"placed"`        // sent to an instance
	Held          int64   `json:"most_held"`     // at once
	Overflow      int64   `json:"held_lost"`     // refused, since as many were held as the NIC can hold
	Resubmissions int64   `json:"resubmissions"` // further passes through the pipeline
	Probes        int64   `json:"probes"`        // sent to instances
	Answers       int64   `json:"probe_answers"` // that came back before the run ended
	Replies       int64   `json:"replies"`       // that came back, those of refusing instances included
	PerDecision   float64 `json:"messages_per_decision"`
	PassesPer     float64 `json:"resubmissions_per_decision"`

	// AtLeast[k] is the share of the run in which an instance had more than k requests, in the mean of all instances:
	// of k+1 or more, the one in service included.
	AtLeast []float64 `json:"at_least"`

	Classes []RequestGroup `json:"classes"`
	Tenants []RequestGroup `json:"tenants,omitempty"` // where there are several
}

// RequestGroup is the requests of one class, or of one tenant. The delays of number n have the scope class or tenant
// and this number.
type RequestGroup struct {
	Number   int32   `json:"number"` // from 1
	Name     string  `json:"name"`
	Priority int     `json:"priority,omitempty"`
	SLO      float64 `json:"slo_s,omitempty"` // the objective of a class; 0 for none
	Offered  int64   `json:"offered"`
	Replied  int64   `json:"replied"`
	Dropped  int64   `json:"dropped"`
	Queued   int64   `json:"queued"`         // still in the system when the run ended
	Late     int64   `json:"slo_violations"` // of those replied to, those that took longer than the objective
}

// requests checks that requests are conserved by class and by tenant, and that these add up to the run.
func (c *Checker) requests(r *Requests, t *Totals) {
	if r == nil {
		return
	}
	for _, of := range []struct {
		what   string
		groups []RequestGroup
	}{{"class", r.Classes}, {"tenant", r.Tenants}} {
		var sum RequestGroup
		for i := range of.groups {
			g := &of.groups[i]
			c.balance(float64(g.Offered), float64(g.Replied), float64(g.Dropped), float64(g.Queued),
				place{of.what, g.Number, -1})
			sum.Offered, sum.Replied = sum.Offered+g.Offered, sum.Replied+g.Replied
			sum.Dropped, sum.Queued = sum.Dropped+g.Dropped, sum.Queued+g.Queued
		}
		if len(of.groups) > 0 {
			all := place{"every " + of.what, -1, -1}
			c.balance(t.Offered, float64(sum.Offered), 0, 0, all)
			c.balance(t.Processed, float64(sum.Replied), 0, 0, all)
			c.balance(t.Dropped.Sum(), float64(sum.Dropped), 0, 0, all)
			c.balance(t.Queued, float64(sum.Queued), 0, 0, all)
		}
	}
}
