package request

import (
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// nodeRows writes the nodes of a rack in the window that ends, and the dispatcher if that lost or held any. A node has
// a request from the dispatcher's decision until the dispatcher has it back.
func (e *Engine) nodeRows(rec results.Recorder, span float64) {
	to, ok := rec.(results.NodeRecorder)
	if !ok || len(e.dispatchers) == 0 {
		return
	}
	e.nodeRow = e.nodeRow[:0]
	if f := &e.front; f.win != (counts{}) || f.handed != 0 || f.has != 0 {
		e.nodeRow = append(e.nodeRow, f.row(e.win.T, 0, span))
	}
	for n := range e.nodes {
		row := e.nodes[n].row(e.win.T, n+1, span)
		row.Flows = int32(e.nodes[n].has)
		for _, s := range e.nodes[n].stations {
			if s >= 0 && !e.nodes[n].down {
				row.Instances += int32(len(e.stations[s].sent))
			}
		}
		e.nodeRow = append(e.nodeRow, row)
	}
	to.Nodes(e.nodeRow)
}

func (m *member) row(t float64, number int, span float64) results.Node {
	w := &m.win
	return results.Node{T: t, Node: int32(number), Offered: float64(w.offered) / span,
		Processed: float64(w.replied) / span, Dropped: float64(w.dropped()) / span, Queue: float64(m.has),
		DroppedInstance: float64(w.lost[byInstance]) / span, DroppedSlowPath: float64(w.lost[byStage]) / span,
		DroppedLink: float64(w.lost[byLink]) / span, DroppedRejected: float64(w.lost[byRejection]) / span,
		HandedOn: float64(m.handed) / span}
}

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
