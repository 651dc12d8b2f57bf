package results

import "math"

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

	// Delay is that from the NIC to the reply at the NIC, of all requests that were replied to.
	Delay RequestDelay `json:"end_to_end"`

	// AtLeast[k] is the share of the run in which an instance had more than k requests, in the mean of all instances:
	// of k+1 or more, the one in service included.
	AtLeast []float64 `json:"at_least"`

	Classes []RequestGroup `json:"classes"`
	Tenants []RequestGroup `json:"tenants,omitempty"` // where there are several

	Services   []RequestService `json:"services,omitempty"`   // of a chain
	Dispatcher *Dispatching     `json:"dispatcher,omitempty"` // of a rack
}

// RequestService is the requests that visited a service, each as often as it did, and what the policies of its stations
// did. The delays of number n have the scope service and this number; the end-to-end time is that from a NIC's stage to
// the reply at the NIC.
type RequestService struct {
	RequestGroup
	Policy *Counts `json:"policy"`
}

// Dispatching is what the dispatcher of a rack did.
type Dispatching struct {
	Sent          int64     `json:"sent"`          // to nodes, a request each time that it was
	Held          int64     `json:"most_held"`     // at once
	Overflow      int64     `json:"held_lost"`     // refused, since as many were held as the dispatcher can hold
	Resubmissions int64     `json:"resubmissions"` // further passes
	Returns       int64     `json:"returns"`       // requests that came back from nodes: served, refused, or handed on
	Signals       int64     `json:"signals"`       // messages by which its policy was told of the nodes' load
	SignalsPer    float64   `json:"signals_per_decision"`
	Policies      []*Counts `json:"policies"` // by the service to which requests were sent; one without services
}

// RequestDelay is a delay, s. See Bucket for what a quantile is.
type RequestDelay struct {
	Mean float64 `json:"mean_s"`
	P50  float64 `json:"p50_s"`
	P90  float64 `json:"p90_s"`
	P99  float64 `json:"p99_s"`
	P999 float64 `json:"p999_s"`
}

// Violations is the share of the requests replied to that took longer than their objective, of the classes that have
// one; NaN where none has, or none was replied to.
func (r *Requests) Violations() float64 {
	late, of := int64(0), int64(0)
	for i := range r.Classes {
		if c := &r.Classes[i]; c.SLO > 0 {
			late, of = late+c.Late, of+c.Replied
		}
	}
	return float64(late) / float64(of)
}

// ofRequests are the columns of a summary that only runs of requests have; NaN elsewhere.
var ofRequests = []struct {
	name, unit string
	of         func(*Requests) float64
}{
	{"delay_mean_s", "s", func(r *Requests) float64 { return r.Delay.Mean }},
	{"delay_p50_s", "s", func(r *Requests) float64 { return r.Delay.P50 }},
	{"delay_p90_s", "s", func(r *Requests) float64 { return r.Delay.P90 }},
	{"delay_p99_s", "s", func(r *Requests) float64 { return r.Delay.P99 }},
	{"delay_p999_s", "s", func(r *Requests) float64 { return r.Delay.P999 }},
	{"slo_requests", "1", (*Requests).Violations},
	{"messages", "", func(r *Requests) float64 { return r.PerDecision }},
	{"resubmissions", "", func(r *Requests) float64 { return r.PassesPer }},
	{"signals", "", func(r *Requests) float64 {
		if r.Dispatcher == nil {
			return math.NaN()
		}
		return r.Dispatcher.SignalsPer
	}},
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
	for i := range r.Services {
		g := &r.Services[i]
		c.balance(float64(g.Offered), float64(g.Replied), float64(g.Dropped), float64(g.Queued),
			place{"service", g.Number, -1})
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
