package orchestrator

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/units"
)

// Where instances serve requests, package dispatch decides which of them takes each, and the orchestrator how many
// there are: it has no flows. What it would know of flows, it asks the host of requests.

// Requests is the host of requests: dispatch.Host.
type Requests interface {
	Joined(now units.Time, id flow.Instance) // the instance takes requests from now on
	Left(now units.Time, id flow.Instance)   // it takes none from now on, and may come back
	Placed(id flow.Instance) int32           // requests that it was given and has not replied to
	Held() int                               // requests that wait for an instance, or for room on one
	TakeBacklog() policy.Backlog             // of these, since the last call
}

// awaits is how many requests keep a draining instance from being deleted.
func (o *Orchestrator) awaits(id flow.Instance) int32 {
	if o.cfg.Requests == nil {
		return 0
	}
	return o.cfg.Requests.Placed(id)
}

// joins tells the host of requests, if there is one, that an instance takes work, or takes none any more.
func (o *Orchestrator) joins(id flow.Instance, takes bool) {
	switch r := o.cfg.Requests; {
	case r == nil:
	case takes:
		r.Joined(o.now, id)
	default:
		r.Left(o.now, id)
	}
}

// waits is how many flows or requests are held, and the load that they are expected to bring. One of a request is not
// known; that there are some is enough to ask for an instance where there is none.
func (o *Orchestrator) waits() (held int, load float64) {
	if r := o.cfg.Requests; r != nil {
		held = r.Held()
		return held, float64(min(held, 1))
	}
	return o.held.n, float64(float64(o.held.n) * o.expected())
}

// backlog is what became of the queue of what is held, since the last call.
func (o *Orchestrator) backlog() policy.Backlog {
	if r := o.cfg.Requests; r != nil {
		return r.TakeBacklog()
	}
	b := o.held.backlog
	o.held.backlog.Begin(o.held.n)
	return b
}
