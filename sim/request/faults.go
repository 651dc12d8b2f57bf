package request

import (
	"cmp"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/scenarios"
)

// fault is something that happens to a rack.
type fault struct {
	at    int64
	what  int
	node  int
	since int64 // with detected: when the node died
}

// What happens to a rack, in its order within an instant.
const (
	nodeUp = iota
	dispatcherUp
	nodeDown
	dispatcherDown
	detected // the dispatcher sees that a node has died
)

var faultsOf = [...]func(*Engine, *fault){nodeUp: (*Engine).rise, dispatcherUp: (*Engine).crown,
	nodeDown: (*Engine).die, dispatcherDown: (*Engine).behead, detected: (*Engine).detect}

// schedule lists what will happen. Faults of one kind on one node that overlap are one, until the last is over.
func (e *Engine) schedule() {
	for n := range e.nodes {
		for _, s := range e.timesOf("node-death", n+1) {
			e.faults = append(e.faults, fault{at: s.from, what: nodeDown, node: n},
				fault{at: s.to, what: nodeUp, node: n},
				fault{at: after(s.from, int64(e.sc.Nodes.Detection)), what: detected, node: n, since: s.from})
		}
	}
	for _, s := range e.timesOf("dispatcher-death", 1) {
		e.faults = append(e.faults, fault{at: s.from, what: dispatcherDown}, fault{at: s.to, what: dispatcherUp})
	}
	e.faults = slices.DeleteFunc(e.faults, func(f fault) bool { return f.at >= e.end })
	slices.SortStableFunc(e.faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.what, b.what), cmp.Compare(a.node, b.node))
	})
	e.nextFault()
}

func (e *Engine) nextFault() {
	if e.due[evFault] = never; len(e.faults) > 0 {
		e.await(evFault, e.faults[0].at)
	}
}

type timeSpan struct{ from, to int64 }

// timesOf are the times for which a fault of a kind is there, in order and apart from each other.
func (e *Engine) timesOf(kind string, node int) (all []timeSpan) {
	some := slices.DeleteFunc(slices.Clone(e.sc.Faults), func(f scenarios.Fault) bool {
		return f.Kind != kind || f.Node != node
	})
	slices.SortStableFunc(some, func(a, b scenarios.Fault) int { return cmp.Compare(a.At, b.At) })
	for i := range some {
		s := timeSpan{int64(some[i].At), never}
		if some[i].For > 0 {
			s.to = after(s.from, int64(some[i].For))
		}
		if last := len(all) - 1; last >= 0 && s.from <= all[last].to {
			all[last].to = max(all[last].to, s.to)
			continue
		}
		all = append(all, s)
	}
	return all
}

// fault has the next fault begin or end, or be seen.
func (e *Engine) fault() {
	f := e.faults[0]
	e.faults = e.faults[1:]
	e.nextFault()
	faultsOf[f.what](e, &f)
}

// die has a node die, with all that it has. Nobody knows yet.
func (e *Engine) die(f *fault) {
	n := &e.nodes[f.node]
	n.down = true
	n.undetected++
	e.empty(f.node)
	lost := e.residents(f.node)
	for _, s := range n.stations {
		if s >= 0 {
			e.vacate(&e.stations[s])
		}
	}
	for _, i := range lost {
		e.drop(i)
	}
	for _, i := range lost {
		e.strand(i, n)
	}
}

// empty takes all off the lists that is at a node, and stops its stage.
func (e *Engine) empty(node int) {
	n := &e.nodes[node]
	n.stage, n.staged, n.deciding, n.freeAt = empty, 0, -1, 0
	e.stages.set(node, never)
	e.nextStage()
	elsewhere := func(i int32) bool { return int(e.trips[i].node) != node }
	for p := range e.flights {
		e.flights[p].keep(e.jobs, elsewhere)
	}
	e.nextFlight()
	for way := range e.replies {
		e.replies[way].keep(e.jobs, elsewhere)
	}
	e.nextReply()
	off := func(p probe) bool { return int(e.stations[e.instances[p.instance].station].node) == node }
	for way := range e.ways {
		e.asked[way].remove(off)
		e.answers[way].remove(off)
	}
	e.await(evProbe, soonest(e.asked))
	e.await(evAnswer, soonest(e.answers))
}

// keep leaves those in the list of which keeps is true.
func (l *list) keep(jobs []job, keeps func(int32) bool) {
	all := *l
	*l = empty
	for i := all.head; i >= 0; {
		next := jobs[i].next
		if keeps(i) {
			l.push(jobs, i)
		}
		i = next
	}
}

func (p *probes) remove(off func(probe) bool) {
	p.all, p.first = slices.DeleteFunc(p.all[p.first:], off), 0
}

// residents are the requests that a node has, in the order in which they came.
func (e *Engine) residents(node int) (all []int32) {
	for i := range e.trips {
		if t := &e.trips[i]; int(t.node) == node && (t.where == waiting || t.where == placed) {
			all = append(all, int32(i))
		}
	}
	slices.SortFunc(all, func(a, b int32) int {
		return cmp.Or(cmp.Compare(e.jobs[a].came, e.jobs[b].came), cmp.Compare(e.jobs[a].number, e.jobs[b].number))
	})
	return all
}

// drop loses a request that a dead node has, and tells the policy that had placed it.
func (e *Engine) drop(i int32) {
	j := &e.jobs[i]
	st := e.stationAt(i, j)
	if !j.refused {
		e.lost(i, j, byInstance)
	}
	if e.trips[i].where == placed {
		w := e.workOf(j, st.owned, st.tupled)
		w.At, w.Held = 0, false
		st.host.Ended(e.time(), w, 0)
	}
}

// vacate leaves a station without requests, and its policy without instances.
func (e *Engine) vacate(st *station) {
	st.has = 0
	for {
		if _, ok := st.host.Abandon(e.time()); !ok {
			break
		}
	}
	for k := range st.sent {
		st.host.Left(e.time(), flow.Instance(k+1))
		st.host.Forget(flow.Instance(k + 1))
		in := &e.instances[int(st.first)+k]
		e.changing(in)
		e.eachAt(in, func(j *job) {
			in.stays.Add(uint64(e.now - j.at))
			in.dropped++
		})
		if in.serving >= 0 {
			j := &e.jobs[in.serving]
			in.busy += min(e.now-(j.ended-j.service), e.now-e.began)
			e.services.set(int(st.first)+k, never)
		}
		in.n, in.serving, in.urgent = 0, -1, 0
		for p := range in.queues {
			in.queues[p] = empty
		}
		clear(in.lately)
	}
}

// strand keeps a request that was lost at a node until the dispatcher knows, and so whoever sent it.
func (e *Engine) strand(i int32, n *node) {
	if n.undetected == 0 {
		e.mourn(i)
		return
	}
	e.trips[i].where = limbo
	n.limbo = append(n.limbo, i)
}

// mourn tells of a request that was lost at a node.
func (e *Engine) mourn(i int32) {
	d := &e.dispatchers[e.stations[e.trips[i].entry].service]
	w := e.workOf(&e.jobs[i], d.owned, d.tupled)
	w.At, w.Held = 0, false
	d.host.Ended(e.time(), w, 0)
	e.finished(i, &e.jobs[i])
}

// detect has the dispatcher see that a node died. If that is back already, it is taken in anew.
func (e *Engine) detect(f *fault) {
	n := &e.nodes[f.node]
	n.undetected--
	if n.known && n.since <= f.since {
		e.forget(f.node)
	}
	gone := n.limbo
	n.limbo = nil
	for _, i := range gone {
		e.mourn(i)
	}
	e.welcome(f.node)
	e.retryDispatchers()
}

// rise has a node come back, with nothing.
func (e *Engine) rise(f *fault) {
	n := &e.nodes[f.node]
	n.down = false
	for _, s := range n.stations {
		if s >= 0 {
			e.join(&e.stations[s])
		}
	}
	e.welcome(f.node)
	e.retryDispatchers()
}

// welcome takes a node in that is there, and of which no death is yet to be seen.
func (e *Engine) welcome(node int) {
	if n := &e.nodes[node]; !e.headless && !n.known && !n.down && n.undetected == 0 {
		e.takeIn(node)
	}
}

// takeIn makes a node one of the dispatchers' instances, where it has their services.
func (e *Engine) takeIn(node int) {
	n := &e.nodes[node]
	n.known, n.since = true, e.now
	for s, station := range n.stations {
		if station >= 0 {
			e.dispatchers[s].host.Joined(e.time(), flow.Instance(node+1))
		}
	}
}

// forget takes a node off the dispatchers' instances. Requests that it has count for none of them from now on.
func (e *Engine) forget(node int) {
	n := &e.nodes[node]
	n.known = false
	n.epoch++
	for s, station := range n.stations {
		if station >= 0 {
			e.dispatchers[s].host.Left(e.time(), flow.Instance(node+1))
			e.dispatchers[s].host.Forget(flow.Instance(node + 1))
		}
	}
}

// behead has the dispatcher die, with all that it holds and knows. What comes back from nodes passes.
func (e *Engine) behead(*fault) {
	e.headless = true
	for s := range e.dispatchers {
		for {
			i, ok := e.dispatchers[s].host.Abandon(e.time())
			if !ok {
				break
			}
			e.refuse(i, &e.jobs[i])
		}
	}
	for n := range e.nodes {
		if e.nodes[n].known {
			e.forget(n)
		}
	}
}

// crown has the dispatcher come back, which finds the nodes that are there.
func (e *Engine) crown(*fault) {
	e.headless = false
	for n := range e.nodes {
		if !e.nodes[n].down {
			e.takeIn(n)
		}
	}
}
