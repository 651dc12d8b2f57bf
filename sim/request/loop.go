package request

import (
	"context"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/units"
)

// stopEvery is how many events pass between two looks at the context.
const stopEvery = 1 << 14

// The kinds of events, in their order within an instant.
const (
	evWindow = iota
	evFault
	evFleet
	evService
	evArrive
	evProbe
	evReply
	evAnswer
	evReturn
	evEnter
	evStage
	evSource
	events
)

// usual goes on with services that end and requests that come, which are most of what happens, until something else is
// due or it is time to look at the context.
func (e *Engine) usual() {
	for ; e.patience > 0; e.patience-- {
		ends, first := e.services.first()
		switch {
		case ends <= e.dueSource && ends < e.dueOther:
			e.now = ends
			e.finish(first)
		case e.dueSource < ends && e.dueSource < e.dueOther:
			e.now = e.dueSource
			e.come()
		default:
			return
		}
	}
}

// run goes on until the end, or the context's.
func (e *Engine) run(ctx context.Context, rec results.Recorder, progress func(now, end units.Time)) error {
	for {
		if e.usual(); e.patience == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			e.patience = stopEvery
			continue
		}
		e.patience--
		ends, first := e.services.first()
		due := &e.due
		t := min(due[evWindow], due[evFault], due[evFleet], due[evArrive], due[evProbe], due[evReply], due[evAnswer],
			due[evReturn], due[evEnter], due[evStage])
		if e.dueOther = t; min(ends, e.dueSource) < t {
			continue
		}
		e.now = t
		switch t {
		case due[evWindow]:
			if err := e.window(rec); err != nil {
				return err
			}
			if progress != nil {
				progress(units.Time(e.now), units.Time(e.end))
			}
			if e.now == e.end {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			e.due[evWindow] = min(e.now+int64(e.sc.Telemetry.Window), e.end)
			e.retryAll()
		case due[evFault]:
			e.fault()
		case due[evFleet]:
			e.act()
		case ends:
			e.finish(first)
		case due[evArrive]:
			e.arrive()
		case due[evProbe]:
			e.probed()
		case due[evReply]:
			e.returned()
		case due[evAnswer]:
			e.answered()
		case due[evReturn]:
			e.comeBack()
		case due[evEnter]:
			e.entering()
		case due[evStage]:
			e.staging()
		}
	}
}

// await says when the next event of another kind is due.
func (e *Engine) await(kind int, t int64) {
	e.due[kind] = t
	e.dueOther = min(e.dueOther, t)
}

func (l *list) push(jobs []job, i int32) {
	jobs[i].next = -1
	if l.head < 0 {
		l.head = i
	} else {
		jobs[l.tail].next = i
	}
	l.tail = i
}

func (l *list) pop(jobs []job) int32 {
	i := l.head
	l.head = jobs[i].next
	return i
}

// take is a job that is not used.
func (e *Engine) take() int32 {
	if i := e.free; i >= 0 {
		e.free = e.jobs[i].next
		return i
	}
	e.jobs = append(e.jobs, job{})
	return int32(len(e.jobs) - 1)
}

func (e *Engine) release(i int32, j *job) {
	j.next = e.free
	e.free = i
}

// come has the next request of the sources come.
func (e *Engine) come() {
	s := e.coming
	i := e.take()
	j := &e.jobs[i]
	j.came, j.number, j.session, j.refused = e.now, flow.ID(e.count&(1<<31-1)), uint64(e.count), false
	e.count++
	s.draw(e, j)
	if s.advance(e.now); len(e.sources) > 1 {
		e.soonest()
	} else {
		e.dueSource = s.next
	}
	e.inside++
	e.tally.win.offered++
	e.byClass[j.class].offered++
	if len(e.byTenant) > 0 {
		e.byTenant[j.tenant].offered++
	}
	switch {
	case e.trips != nil:
		e.start(i, j)
	case e.slot == 0:
		e.decide(i, j, &e.stations[0])
	default:
		e.enter(i, j, &e.stations[0])
	}
}

// enter has a request reach the stage of a NIC, for one of its stations.
func (e *Engine) enter(i int32, j *job, st *station) {
	n := &e.nodes[st.node]
	switch {
	case e.slot == 0:
		e.decide(i, j, st)
	case n.deciding < 0:
		e.stageTakes(i, int(st.node))
	case n.staged >= e.queue:
		e.lose(i, j, st, byStage)
	default:
		n.stage.push(e.jobs, i)
		n.staged++
	}
}

// stageTakes has the stage of a node work on a request.
func (e *Engine) stageTakes(i int32, node int) {
	n := &e.nodes[node]
	n.deciding = i
	e.stages.set(node, max(e.now, n.freeAt)+e.slot)
	e.nextStage()
}

// nextStage says when the next stage is done.
func (e *Engine) nextStage() {
	t, _ := e.stages.first()
	e.await(evStage, t)
}

// soonest says when the next request of any source comes, and of which. Of several at once, the first comes first.
func (e *Engine) soonest() {
	e.dueSource = never
	for i := range e.sources {
		if s := &e.sources[i]; s.next < e.dueSource {
			e.coming, e.dueSource = s, s.next
		}
	}
}

// staging decides on the request that a stage has, and takes the next.
func (e *Engine) staging() {
	_, node := e.stages.first()
	n := &e.nodes[node]
	i := n.deciding
	j := &e.jobs[i]
	e.decide(i, j, e.stationOf(i, j))
	n.deciding = -1
	if n.staged > 0 {
		n.staged--
		e.stageTakes(n.stage.pop(e.jobs), node)
		return
	}
	e.stages.set(node, never)
	e.nextStage()
}

// stationOf is where a request is that is at a NIC.
func (e *Engine) stationOf(i int32, j *job) *station {
	if e.trips == nil {
		return &e.stations[0]
	}
	return e.stationAt(i, j)
}

// workOf is a job as a policy sees it that sees tenants and five-tuples or not, until the next call.
func (e *Engine) workOf(j *job, tenant, tupled bool) *policy.Work {
	w := &e.work
	w.Flow, w.Priority, w.Session = j.number, j.priority, j.session
	if tenant {
		w.Tenant = e.tenants[j.tenant]
	}
	if tupled {
		w.Tuple = tuple(j.session)
	}
	return w
}

// tuple is the five-tuple of a session: another for each of the first 2^38 or so.
func tuple(session uint64) flow.FiveTuple {
	return flow.FiveTuple{
		Src: netip.AddrFrom4([4]byte{10, byte(session >> 16), byte(session >> 8), byte(session)}),
		Dst: netip.AddrFrom4([4]byte{192, 0, 2, 1}), SrcPort: uint16(1024 + session>>24%64512), DstPort: 80, Proto: 17,
	}
}

func (e *Engine) time() units.Time { return units.Time(e.now) }

// decide asks the policy of a station where a request goes.
func (e *Engine) decide(i int32, j *job, st *station) {
	if st.probing {
		for _, slot := range st.host.Probes(e.time(), e.workOf(j, st.owned, st.tupled)) {
			e.tally.probes++
			e.ask(st.first + int32(st.host.Instances()[slot]) - 1)
		}
		e.retry(st)
	}
	w := e.workOf(j, st.owned, st.tupled)
	a := st.host.Dispatch(e.time(), w)
	if a.Verdict == policy.Hold {
		if !st.host.Hold(e.time(), w, i) {
			e.lose(i, j, st, byRejection)
		}
		e.tally.mostHeld = max(e.tally.mostHeld, st.host.Held())
		return
	}
	e.carry(i, j, st, w, a)
}

// carry carries out an answer that is no Hold.
func (e *Engine) carry(i int32, j *job, st *station, w *policy.Work, a policy.Answer) {
	if a.Verdict == policy.Drop {
		e.lose(i, j, st, byRejection)
		return
	}
	passes := int(a.Passes)
	e.tally.placed++
	e.tally.sent++
	delay := e.latency + e.link
	if passes > 0 {
		e.tally.passes += uint64(passes)
		n := &e.nodes[st.node]
		n.freeAt = max(n.freeAt, e.now) + int64(passes)*e.slot
		delay += int64(passes) * e.pass
	}
	if e.trips != nil {
		e.trips[i].where = placed
	}
	j.instance = uint16(st.first + int32(w.At) - 1)
	j.at = e.now + delay
	if delay == 0 {
		e.reach(i, j)
		return
	}
	for len(e.flights) <= passes {
		e.flights = append(e.flights, empty)
	}
	e.flights[passes].push(e.jobs, i)
	e.await(evArrive, min(e.due[evArrive], j.at))
}

// retry tries what a station holds, since something has changed.
func (e *Engine) retry(st *station) {
	if st.retrying || st.host.Held() == 0 {
		return
	}
	st.retrying = true
	for {
		i, w, a, ok := st.host.Next(e.time())
		if !ok {
			break
		}
		e.carry(i, &e.jobs[i], st, w, a)
	}
	st.retrying = false
}

// retryAll tries all that is held.
func (e *Engine) retryAll() {
	e.retryDispatchers()
	for s := range e.stations {
		e.retry(&e.stations[s])
	}
}

// arrive has the next request reach its instance. Of several at once, the one with fewer passes is first.
func (e *Engine) arrive() {
	first := -1
	for p := range e.flights {
		if h := e.flights[p].head; h >= 0 && e.jobs[h].at == e.now {
			first = p
			break
		}
	}
	i := e.flights[first].pop(e.jobs)
	e.nextFlight()
	e.reach(i, &e.jobs[i])
}

// nextFlight says when the next request reaches its instance.
func (e *Engine) nextFlight() {
	e.due[evArrive] = never
	for p := range e.flights {
		if h := e.flights[p].head; h >= 0 {
			e.await(evArrive, min(e.due[evArrive], e.jobs[h].at))
		}
	}
}

// reply sends the reply to a request, or its refusal.
func (e *Engine) reply(i int32, j *job) {
	if e.link == 0 {
		e.replied(i, j)
		return
	}
	if e.replies.head < 0 {
		e.await(evReply, e.now+e.link)
	}
	e.replies.push(e.jobs, i)
}

// returned has the next reply reach its NIC.
func (e *Engine) returned() {
	i := e.replies.pop(e.jobs)
	e.nextReply()
	e.replied(i, &e.jobs[i])
}

// nextReply says when the next reply reaches its NIC.
func (e *Engine) nextReply() {
	e.due[evReply] = never
	if h := e.replies.head; h >= 0 {
		e.await(evReply, e.jobs[h].ended+e.link)
	}
}

// replied has the reply to a request reach the NIC.
func (e *Engine) replied(i int32, j *job) {
	st := &e.stations[0]
	if e.trips != nil {
		st = &e.stations[e.instances[j.instance].station]
	}
	e.tally.replies++
	w := &e.work
	if st.told {
		w = e.workOf(j, st.owned, st.tupled)
	}
	w.At, w.Held = st.local(j.instance), false
	st.host.Ended(e.time(), w, j.left)
	if e.trips != nil {
		e.served(i, j, st)
	} else {
		if !j.refused {
			stay, whole := j.ended-j.at, e.now-j.came
			e.inside--
			e.tally.win.replied++
			g := &e.byClass[j.class]
			late := whole > g.slo
			g.took(stay-j.service, stay, whole, late)
			if len(e.byTenant) > 0 {
				e.byTenant[j.tenant].took(stay-j.service, stay, whole, late)
			}
			if e.spans != nil {
				e.spans[j.instance][endToEnd].Add(whole)
			}
		}
		e.close(i, j)
	}
	if e.fleet != nil {
		e.fleet.idle(e, w.At)
	}
	if st.host.Held() > 0 {
		e.retry(st)
	}
}

// done counts a request that has been replied to. One NIC without services has it written out in replied, since the
// call would take 3 % of all time.
func (e *Engine) done(j *job, waited, stay, whole int64) {
	e.inside--
	e.tally.win.replied++
	g := &e.byClass[j.class]
	late := whole > g.slo
	g.took(waited, stay, whole, late)
	if len(e.byTenant) > 0 {
		e.byTenant[j.tenant].took(waited, stay, whole, late)
	}
}

// close ends what there is of a request that was replied to or lost, as whoever sent it hears of that.
func (e *Engine) close(i int32, j *job) {
	if j.client >= 0 {
		e.awake(j)
	}
	e.release(i, j)
}

// lost counts a request that is in the system no more.
func (e *Engine) lost(i int32, j *job, why cause) {
	j.refused = true
	e.inside--
	e.tally.win.lost[why]++
	e.byClass[j.class].dropped++
	if len(e.byTenant) > 0 {
		e.byTenant[j.tenant].dropped++
	}
	if e.trips != nil {
		e.lostAt(i, j, why)
	}
}

// lose drops a request at a NIC.
func (e *Engine) lose(i int32, j *job, st *station, why cause) {
	e.lost(i, j, why)
	if e.trips != nil {
		st.has--
		e.leave(i, j)
		return
	}
	e.close(i, j)
}

// afterLoss is how much longer a client thinks after a request that was lost: without it, one that does not think would
// ask again within the same instant, for ever.
const afterLoss = int64(units.Microsecond)

// awake tells the client that waits for a request that it has come to its end.
func (e *Engine) awake(j *job) {
	s := &e.sources[e.classes[j.class].source]
	t := e.now
	if j.refused {
		t += afterLoss
	}
	s.think(t, j.client)
	e.soonest()
}
