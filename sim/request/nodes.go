package request

import (
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// measured tells the dispatchers what was counted at the nodes in a window.
func (e *Engine) measured(since units.Time, span float64) {
	if len(e.dispatchers) == 0 {
		return
	}
	for n := range e.nodes {
		m := &e.nodes[n].member
		e.nodeSent[n], e.nodeBack[n] = float64(m.win.offered)/span, float64(m.win.replied+m.handed)/span
		m.win, m.handed = counts{}, 0
	}
	e.front.win, e.front.handed = counts{}, 0
	for s := range e.dispatchers {
		e.dispatchers[s].host.Measured(since, e.time(), e.nodeSent, e.nodeBack)
	}
}

// ofNetwork adds what there is of racks and chains.
func (e *Engine) ofNetwork(r *results.Requests) {
	for i := range e.byService {
		r.Services = append(r.Services, results.RequestService{
			RequestGroup: e.byService[i].row(i+1, e.sc.Services[i].Name), Policy: e.policyOf(i)})
	}
	if len(e.dispatchers) == 0 {
		return
	}
	d := &e.dispatching
	of := &results.Dispatching{Sent: int64(d.sent), Held: int64(d.mostHeld), Resubmissions: int64(d.passes),
		Returns: int64(d.returns)}
	for s := range e.dispatchers {
		host := e.dispatchers[s].host
		of.Overflow += int64(host.Overflow)
		of.Signals += int64(host.Signals(e.dispatchers[s].replies))
		of.Policies = append(of.Policies, host.Counts())
	}
	if d.sent > 0 {
		of.SignalsPer = results.Round(float64(of.Signals) / float64(d.sent))
	}
	r.Dispatcher = of
}

// policyOf is what the policies of a service did at all its stations.
func (e *Engine) policyOf(service int) (sum *scheduler.Counts) {
	for s := range e.stations {
		if int(e.stations[s].service) != service {
			continue
		}
		counts := e.stations[s].host.Counts()
		if sum == nil {
			sum = counts
		} else {
			sum.Add(counts)
		}
	}
	return sum
}
