package request

import (
	"fmt"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/dispatch"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
)

// network is what an engine has beside where there is more than one station: a rack, a chain, or both.
type network struct {
	trips  []trip  // by job; nil where there is one station
	rest   []int64 // by job, stride each: the service times of the services after the first
	stride int
	later  []int64 // these of the request that was drawn last

	dispatchers []dispatcher // by service; none without a rack
	front       member       // what the dispatchers hold
	headless    bool         // the dispatcher is dead
	far         int64        // delay between dispatcher and node
	outward     list         // on the way to nodes
	inward      list         // on the way to the dispatcher
	dispatching dispatching
	faults      []fault // to come, in order
	byService   []group
	nodeSent    []float64
	nodeBack    []float64
	nodeRow     []results.Node
}

// dispatcher chooses a node for requests that want a service.
type dispatcher struct {
	host                    *dispatch.Host
	tupled, owned, retrying bool
	replies                 uint64
}

// dispatching is what the dispatchers did.
type dispatching struct {
	sent, passes, returns uint64
	mostHeld              int
}

// member is a node as the dispatcher has it.
type member struct {
	down       bool
	known      bool   // it is one of the dispatcher's instances
	epoch      uint32 // how often the dispatcher has forgotten it
	since      int64  // when the dispatcher took it in
	undetected int    // deaths that the dispatcher does not know of yet
	has        int32  // requests that were given to it, and neither lost nor given back
	limbo      []int32
	win        counts
	handed     int64 // in this window: went on to another node
}

// trip is what a request has beside in a rack or a chain.
type trip struct {
	waited, stayed int64 // at the instances so far
	came           int64 // to the NIC, for the service that it is at
	left           dispatch.Load
	node           int32 // that has it, or is to have it
	entry          int32 // station for which it was sent there
	epoch          uint32
	hop            uint8 // of its class's path
	where          place
	served         bool // by all that it visits
}

// place says where a request is.
type place uint8

const (
	nowhere place = iota
	atFront       // with the dispatcher
	outward       // on the way to its node
	waiting       // at a NIC, before the decision
	placed        // at a NIC, since the decision
	inward        // on the way to the dispatcher
	limbo         // lost, which the dispatcher does not know yet
)

// connect makes the dispatchers and what there is beside of a network.
func (e *Engine) connect(row *policy.Row) error {
	longest := 1
	for i := range e.classes {
		longest = max(longest, len(e.classes[i].path))
	}
	e.outward, e.inward = empty, empty
	if rack := e.sc.Nodes; rack != nil {
		e.far = int64(rack.Link)
		for s := range e.sc.Chain() {
			cfg := e.sc.RackDispatcher(s)
			cfg.Policy = row
			host, err := newRackHost(cfg)
			if err != nil {
				return err
			}
			e.dispatchers = append(e.dispatchers, dispatcher{host: host, tupled: host.Row().Tuple,
				owned: host.Row().Tenant})
		}
		for n := range e.nodes {
			e.takeIn(n)
		}
		e.nodeSent, e.nodeBack = make([]float64, len(e.nodes)), make([]float64, len(e.nodes))
	}
	if len(e.dispatchers) == 0 && len(e.sc.Services) == 0 {
		return nil
	}
	e.trips, e.stride, e.later = []trip{}, longest-1, make([]int64, longest-1)
	e.byService = make([]group, len(e.sc.Services))
	e.schedule()
	return nil
}

// newRackHost makes the host of a dispatcher.
func newRackHost(cfg dispatch.Config) (*dispatch.Host, error) {
	host, err := dispatch.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("nodes.dispatcher: %w", err)
	}
	if host.Probing() {
		return nil, fmt.Errorf("nodes.dispatcher.policy: %s probes, and nodes answer no probes: want another",
			host.Row().Name)
	}
	return host, nil
}

// stationAt is the station at which a request is, or is to be, on its node.
func (e *Engine) stationAt(i int32, j *job) *station {
	return &e.stations[e.nodes[e.trips[i].node].stations[e.serviceOf(i, j)]]
}

// serviceOf is the service that a request is at, or wants next.
func (e *Engine) serviceOf(i int32, j *job) int { return e.classes[j.class].path[e.trips[i].hop] }

// start has a request begin its way.
func (e *Engine) start(i int32, j *job) {
	for len(e.trips) < len(e.jobs) {
		e.trips = append(e.trips, trip{})
		e.rest = append(e.rest, e.later...)
	}
	copy(e.rest[int(i)*e.stride:], e.later)
	e.trips[i] = trip{}
	if len(e.dispatchers) == 0 {
		e.visit(i, j)
		return
	}
	e.dispatch(i, j)
}

// visit has a request come to the NIC of its node, for a service that runs there.
func (e *Engine) visit(i int32, j *job) {
	t, st := &e.trips[i], e.stationAt(i, j)
	t.came, t.where = e.now, waiting
	st.has++
	if len(e.byService) > 0 {
		e.byService[st.service].offered++
	}
	e.enter(i, j, st)
}

// served has the reply to a request, or its refusal, reach the NIC. What was served goes on to the next service, at
// once if that runs there too.
func (e *Engine) served(i int32, j *job, st *station) {
	t := &e.trips[i]
	st.has--
	if j.refused {
		e.leave(i, j)
		return
	}
	stay, whole := j.ended-j.at, e.now-t.came
	t.waited += stay - j.service
	t.stayed += stay
	if len(e.byService) > 0 {
		e.byService[st.service].took(stay-j.service, stay, whole, false)
	}
	if e.spans != nil {
		e.spans[j.instance][endToEnd].Add(whole)
	}
	path := e.classes[j.class].path
	if int(t.hop)+1 == len(path) {
		t.served = true
		e.leave(i, j)
		return
	}
	j.service = e.rest[int(i)*e.stride+int(t.hop)]
	t.hop++
	if e.nodes[t.node].stations[path[t.hop]] >= 0 {
		e.visit(i, j)
		return
	}
	e.leave(i, j)
}

// leave has a request leave its node, which says what load it has for the service for which it got the request.
func (e *Engine) leave(i int32, j *job) {
	t := &e.trips[i]
	if len(e.dispatchers) == 0 {
		e.finished(i, j)
		return
	}
	st := &e.stations[t.entry]
	t.left = dispatch.Load{Queue: st.has, Workers: int32(len(st.sent)), Idle: st.host.Idle()}
	t.where = inward
	j.at = e.now + e.far
	if e.far == 0 {
		e.back(i, j)
		return
	}
	if e.inward.head < 0 {
		e.await(evReturn, j.at)
	}
	e.inward.push(e.jobs, i)
}

// finished ends a request that was replied to or lost.
func (e *Engine) finished(i int32, j *job) {
	t := &e.trips[i]
	if t.where = nowhere; !j.refused {
		e.done(j, t.waited, t.stayed, e.now-j.came)
	}
	e.close(i, j)
}

// comeBack has the next request come back to the dispatcher.
func (e *Engine) comeBack() {
	i := e.inward.pop(e.jobs)
	e.await(evReturn, e.headAt(&e.inward))
	e.back(i, &e.jobs[i])
}

func (e *Engine) headAt(l *list) int64 {
	if l.head < 0 {
		return never
	}
	return e.jobs[l.head].at
}

// back has a request come back to the dispatcher: served, refused, or on its way to a service on another node.
func (e *Engine) back(i int32, j *job) {
	t := &e.trips[i]
	n := &e.nodes[t.node]
	switch {
	case j.refused:
	case t.served:
		n.has--
		n.win.replied++
	default:
		n.has--
		n.handed++
	}
	e.dispatching.returns++
	d := &e.dispatchers[e.stations[t.entry].service]
	d.replies++
	w := e.workOf(j, d.owned, d.tupled)
	if w.At, w.Held = 0, false; n.known && t.epoch == n.epoch {
		w.At = flow.Instance(t.node + 1)
	}
	d.host.Returned(e.time(), w, t.left)
	if j.refused || t.served {
		e.finished(i, j)
	} else {
		e.dispatch(i, j)
	}
	e.retryDispatcher(d)
}

// dispatch asks the dispatcher for a node that has the service which a request wants.
func (e *Engine) dispatch(i int32, j *job) {
	d := &e.dispatchers[e.serviceOf(i, j)]
	e.trips[i].where = atFront
	w := e.workOf(j, d.owned, d.tupled)
	var a policy.Answer
	if !e.headless {
		if a = d.host.Dispatch(e.time(), w); a.Verdict == policy.Place {
			e.send(i, j, d, a)
			return
		}
	}
	e.front.win.offered++
	e.front.has++
	if e.headless || a.Verdict == policy.Drop || !d.host.Hold(e.time(), w, i) {
		e.refuse(i, j)
	}
	e.dispatching.mostHeld = max(e.dispatching.mostHeld, d.host.Held())
}

// refuse loses a request at the dispatcher.
func (e *Engine) refuse(i int32, j *job) {
	e.lost(i, j, byRejection)
	e.finished(i, j)
}

// send sends a request to the node that was chosen.
func (e *Engine) send(i int32, j *job, d *dispatcher, a policy.Answer) {
	t := &e.trips[i]
	t.node = int32(d.host.Instances()[a.Slot] - 1)
	n := &e.nodes[t.node]
	t.entry, t.epoch, t.where = n.stations[e.serviceOf(i, j)], n.epoch, outward
	n.has++
	n.win.offered++
	e.dispatching.sent++
	e.dispatching.passes += uint64(a.Passes)
	j.at = e.now + e.far
	if e.far == 0 {
		e.reachNode(i, j)
		return
	}
	if e.outward.head < 0 {
		e.await(evEnter, j.at)
	}
	e.outward.push(e.jobs, i)
}

// retryDispatcher tries what a dispatcher holds, since something has changed.
func (e *Engine) retryDispatcher(d *dispatcher) {
	if d.retrying || d.host.Held() == 0 {
		return
	}
	d.retrying = true
	for {
		i, _, a, ok := d.host.Next(e.time())
		if !ok {
			break
		}
		j := &e.jobs[i]
		if a.Verdict == policy.Drop {
			e.refuse(i, j)
			continue
		}
		e.front.has--
		e.front.handed++
		e.send(i, j, d, a)
	}
	d.retrying = false
}

func (e *Engine) retryDispatchers() {
	for s := range e.dispatchers {
		e.retryDispatcher(&e.dispatchers[s])
	}
}

// entering has the next request reach its node.
func (e *Engine) entering() {
	i := e.outward.pop(e.jobs)
	e.await(evEnter, e.headAt(&e.outward))
	e.reachNode(i, &e.jobs[i])
}

func (e *Engine) reachNode(i int32, j *job) {
	if n := &e.nodes[e.trips[i].node]; n.down {
		e.lost(i, j, byLink)
		e.strand(i, n)
		return
	}
	e.visit(i, j)
}

// lostAt counts a request that is lost for whoever had it.
func (e *Engine) lostAt(i int32, j *job, why cause) {
	t := &e.trips[i]
	m := &e.front
	switch t.where {
	case waiting, placed:
		if len(e.byService) > 0 {
			e.byService[e.serviceOf(i, j)].dropped++
		}
		fallthrough
	case outward:
		m = &e.nodes[t.node].member
	}
	m.has--
	m.win.lost[why]++
}
