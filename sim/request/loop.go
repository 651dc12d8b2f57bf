package request

import (
	"context"
	"math/bits"
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
	evFleet
	evService
	evArrive
	evProbe
	evReply
	evAnswer
	evStage
	evSource
	events
)

// usual goes on with services that end and requests that come, which are most of what happens, until something else is
// due or it is time to look at the context.
func (e *Engine) usual() {
	for ; e.patience > 0; e.patience-- {
		ends, first := e.first()
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
		ends, first := e.first()
		due := &e.due
		t := min(due[evWindow], due[evFleet], due[evArrive], due[evProbe], due[evReply], due[evAnswer], due[evStage])
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
			e.retry()
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

// come has the next request of the sources come to the NIC.
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
	case e.slot == 0:
		e.decide(i, j)
	case e.deciding < 0:
		e.deciding = i
		e.await(evStage, max(e.now, e.freeAt)+e.slot)
	case e.staged >= e.queue:
		e.tally.win.stage++
		e.lose(i, j)
	default:
		e.stage.push(e.jobs, i)
		e.staged++
	}
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

// staging decides on the request that the stage has, and takes the next.
func (e *Engine) staging() {
	i := e.deciding
	e.decide(i, &e.jobs[i])
	e.deciding, e.due[evStage] = -1, never
	if e.staged > 0 {
		e.deciding = e.stage.pop(e.jobs)
		e.staged--
		e.await(evStage, max(e.now, e.freeAt)+e.slot)
	}
}

// workOf is a job as the policy sees it, until the next call.
func (e *Engine) workOf(j *job) *policy.Work {
	w := &e.work
	w.Flow, w.Priority, w.Session = j.number, j.priority, j.session
	if e.owned {
		w.Tenant = e.tenants[j.tenant]
	}
	if e.tupled {
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

// decide asks the policy where a request goes.
func (e *Engine) decide(i int32, j *job) {
	if e.probing {
		for _, slot := range e.host.Probes(e.time(), e.workOf(j)) {
			e.tally.probes++
			e.ask(int32(e.host.Instances()[slot]) - 1)
		}
		e.settle()
	}
	w := e.workOf(j)
	a := e.host.Dispatch(e.time(), w)
	if a.Verdict == policy.Hold {
		if !e.host.Hold(e.time(), w, i) {
			e.tally.win.rejected++
			e.lose(i, j)
		}
		e.tally.mostHeld = max(e.tally.mostHeld, e.host.Held())
		return
	}
	e.carry(i, j, w, a)
}

// carry carries out an answer that is no Hold.
func (e *Engine) carry(i int32, j *job, w *policy.Work, a policy.Answer) {
	if a.Verdict == policy.Drop {
		e.tally.win.rejected++
		e.lose(i, j)
		return
	}
	passes := int(a.Passes)
	e.tally.placed++
	e.tally.win.sent++
	delay := e.latency + e.link
	if passes > 0 {
		e.tally.passes += uint64(passes)
		e.freeAt = max(e.freeAt, e.now) + int64(passes)*e.slot
		delay += int64(passes) * e.pass
	}
	j.instance = uint16(w.At - 1)
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

// retry tries what is held, since something has changed.
func (e *Engine) retry() {
	if e.retrying || e.host.Held() == 0 {
		return
	}
	e.retrying = true
	for {
		i, w, a, ok := e.host.Next(e.time())
		if !ok {
			break
		}
		e.carry(i, &e.jobs[i], w, a)
	}
	e.retrying = false
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
	e.due[evArrive] = never
	for p := range e.flights {
		if h := e.flights[p].head; h >= 0 {
			e.await(evArrive, min(e.due[evArrive], e.jobs[h].at))
		}
	}
	e.reach(i, &e.jobs[i])
}

// changing says that the number of jobs at an instance is about to change.
func (e *Engine) changing(in *instance) {
	span := uint64(e.now - in.last)
	in.last = e.now
	e.occupied[min(in.n, occupancies-1)] += span
	in.area.AddProduct(uint64(in.n), span)
}

// reach has a request reach its instance.
func (e *Engine) reach(i int32, j *job) {
	in := &e.instances[j.instance]
	in.offered++
	if !e.serves(int(j.instance)) {
		e.vanish(i)
		e.settle()
		return
	}
	if in.n >= e.room {
		in.dropped++
		e.tally.win.instance++
		e.lost(j)
		j.refused, j.left, j.ended = true, in.n, e.now
		e.reply(i, j)
		return
	}
	e.changing(in)
	j.left = in.n
	in.n++
	in.came++
	if in.serving < 0 {
		in.serving = i
		e.begin(int(j.instance), j)
		return
	}
	p := 0
	if e.levels > 1 {
		p = int(j.priority)
		in.urgent |= 1 << p
	}
	in.queues[p].push(e.jobs, i)
}

// begin begins the service of a job at an instance.
func (e *Engine) begin(k int, j *job) {
	j.ended = e.now + j.service
	e.set(k, j.ended)
}

// finish ends the service of an instance.
func (e *Engine) finish(k int) {
	in := &e.instances[k]
	i := in.serving
	j := &e.jobs[i]
	e.changing(in)
	in.n--
	in.done++
	in.busy += min(j.service, e.now-e.began)
	stay := e.now - j.at
	in.stays.Add(uint64(stay))
	if e.probing {
		observe(in.lately, j.left, stay)
	}
	j.left = in.n
	if e.fleet != nil && e.fleet.delays {
		e.fleet.boxes[k].reported.Add(stay)
	}
	if e.spans != nil {
		e.spans[k][wait].Add(stay - j.service)
		e.spans[k][sojourn].Add(stay)
	}
	q := &in.queues[0]
	if e.levels > 1 {
		p := max(bits.Len64(in.urgent)-1, 0)
		if q = &in.queues[p]; q.head < 0 || e.jobs[q.head].next < 0 {
			in.urgent &^= 1 << p
		}
	}
	in.serving = q.head
	next := &e.jobs[max(q.head, noJob)]
	q.head = next.next
	e.begin(k, next)
	e.reply(i, j)
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

// returned has the next reply reach the NIC.
func (e *Engine) returned() {
	i := e.replies.pop(e.jobs)
	e.due[evReply] = never
	if h := e.replies.head; h >= 0 {
		e.await(evReply, e.jobs[h].ended+e.link)
	}
	e.replied(i, &e.jobs[i])
}

// replied has the reply to a request reach the NIC.
func (e *Engine) replied(i int32, j *job) {
	e.tally.replies++
	w := &e.work
	if e.told {
		w = e.workOf(j)
	}
	w.At, w.Held = flow.Instance(j.instance)+1, false
	e.host.Ended(e.time(), w, j.left)
	if !j.refused {
		e.inside--
		e.tally.win.replied++
		whole := e.now - j.came
		stay := j.ended - j.at
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
	if j.client >= 0 {
		e.awake(j)
	}
	at := flow.Instance(j.instance) + 1
	e.release(i, j)
	if e.fleet != nil {
		e.fleet.idle(e, at)
	}
	e.settle()
}

// lost counts a request that is in the system no more.
func (e *Engine) lost(j *job) {
	e.inside--
	e.byClass[j.class].dropped++
	if len(e.byTenant) > 0 {
		e.byTenant[j.tenant].dropped++
	}
}

// lose drops a request at the NIC.
func (e *Engine) lose(i int32, j *job) {
	e.lost(j)
	j.refused = true
	if j.client >= 0 {
		e.awake(j)
	}
	e.release(i, j)
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

// ask sends a probe to an instance.
func (e *Engine) ask(k int32) {
	if e.latency+e.link == 0 {
		p := e.look(k)
		e.hear(&p)
		return
	}
	if e.asked.empty() {
		e.await(evProbe, e.now+e.latency+e.link)
	}
	e.asked.push(probe{at: e.now + e.latency + e.link, instance: k})
}

// look is what an instance answers to a probe.
func (e *Engine) look(k int32) probe {
	in := &e.instances[k]
	return probe{instance: k, queue: in.n, delay: units.Time(latency(in.lately, in.n)).Seconds()}
}

// probed has the next probe reach its instance.
func (e *Engine) probed() {
	p := e.look(e.asked.head().instance)
	e.asked.pop()
	e.due[evProbe] = never
	if !e.asked.empty() {
		e.await(evProbe, e.asked.head().at)
	}
	if !e.serves(int(p.instance)) {
		return
	}
	p.at = e.now + e.link
	if e.link == 0 {
		e.hear(&p)
		e.settle()
		return
	}
	if e.answers.empty() {
		e.await(evAnswer, p.at)
	}
	e.answers.push(p)
}

// answered has the next answer to a probe reach the NIC.
func (e *Engine) answered() {
	p := *e.answers.head()
	e.answers.pop()
	e.due[evAnswer] = never
	if !e.answers.empty() {
		e.await(evAnswer, e.answers.head().at)
	}
	e.hear(&p)
	e.settle()
}

func (e *Engine) hear(p *probe) {
	e.tally.answers++
	e.host.Probed(e.time(), flow.Instance(p.instance+1), p.queue, p.delay)
}

// settle tries what is held after probes were heard of.
func (e *Engine) settle() {
	if e.host.Held() > 0 {
		e.retry()
	}
}
