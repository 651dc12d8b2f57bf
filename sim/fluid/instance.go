package fluid

import (
	"cmp"
	"math"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// instance is one instance's ring: a finite fluid queue in front of a server.
type instance struct {
	up         bool
	core       float64 // share of one; 0 for all of it
	at         units.Time
	gen        uint32
	flows      int     // assigned to it
	fast, slow float64 // packets a second of the flows that feed it, as sent: by rule, by the slow path
	fastBytes  float64
	slowBytes  float64
	fastFlows  int
	slowFlows  int
	size       float64 // mean frame bytes of what arrives
	tail       flow.ID // the flow whose packets came last, once nothing comes any more

	pooled           float64 // packets a second that are its share, if shares are pooled
	inflow, capacity float64 // packets a second, in force since at
	queue            float64 // packets in system
	full             bool
	idle             bool    // what arrives is processed at once
	loss             float64 // fraction of the inflow

	lostFast, lostSlow float64 // integrals of the loss for one packet a second sent: by rule, by the slow path

	in, inBytes, processed, processedBytes, lost, could float64 // so far
	busy, there                                         float64 // seconds: processing, and up
	cores                                               sim.CoreTime
	last                                                struct{ in, processed, lost, could float64 }
}

func (in *instance) feed(rate, bytes float64, flows int) {
	in.fast += rate
	in.fastBytes += bytes
	if in.fastFlows += flows; in.fastFlows == 0 {
		in.fast, in.fastBytes = 0, 0
	}
}

func (in *instance) feedSlow(rate, bytes float64, flows int) {
	in.slow += rate
	in.slowBytes += bytes
	if in.slowFlows += flows; in.slowFlows == 0 {
		in.slow, in.slowBytes = 0, 0
	}
}

// leaves notes that this flow, if its rate is not 0, is the last to have changed its rate.
func (in *instance) leaves(f flow.ID, rate float64) {
	if rate != 0 {
		in.tail = f
	}
}

// impulse puts packets into the ring at once and returns how many found no room.
func (in *instance) impulse(packets, size, ring float64) (lost float64) {
	in.in += packets
	in.inBytes += float64(packets * size)
	if in.size == 0 {
		in.size = size
	}
	room := 0.0
	if in.up {
		room = max(0, ring-in.queue)
	}
	kept := min(packets, room)
	in.queue += kept
	in.lost += packets - kept
	return packets - kept
}

func (e *Engine) advance(now units.Time, i flow.Instance) { e.advanceOne(now, &e.instances[i]) }

// advanceOne brings an instance to now. The engine is synchronised.
func (e *Engine) advanceOne(now units.Time, in *instance) {
	if now == in.at {
		return
	}
	dt := (now - in.at).Seconds()
	in.at = now
	arrived := float64(in.inflow * dt)
	in.in += arrived
	in.inBytes += float64(arrived * in.size)
	in.lostFast += float64(in.loss * e.g.phi * dt)
	in.lostSlow += float64(in.loss * e.slow.g * dt)
	if !in.up {
		in.lost += arrived
		return
	}
	capacity := float64(in.capacity * dt)
	in.could += capacity
	in.there += dt
	done, busy := capacity, dt
	switch {
	case in.idle:
		if done = arrived; in.capacity > 0 {
			busy = min(dt, arrived/in.capacity)
		}
	case in.full:
		in.lost += arrived - capacity
	default:
		in.queue += arrived - capacity
	}
	in.busy += busy
	in.processed += done
	in.processedBytes += float64(done * in.size)
}

func (e *Engine) refresh(now units.Time, i flow.Instance) { e.refreshOne(now, int(i)) }

// refreshOne puts into force an instance's inflow and capacity as they are now, and schedules when its queue will be
// full or empty. The instance is advanced.
func (e *Engine) refreshOne(now units.Time, i int) {
	in := &e.instances[i]
	in.gen++
	in.inflow = float64(e.g.phi*in.fast) + float64(e.slow.g*in.slow)
	if in.inflow > 0 {
		in.size = (float64(e.g.phi*in.fastBytes) + float64(e.slow.g*in.slowBytes)) / in.inflow
	}
	in.full, in.idle, in.loss = false, false, 0
	if !in.up {
		if in.inflow > 0 {
			in.loss = 1
		}
		return
	}
	if in.capacity = in.pooled; e.pool == nil {
		in.capacity = e.law.Capacity(max(e.contend, 1))
	}
	if in.core > 0 {
		in.capacity = float64(in.capacity * in.core)
	}
	if b := e.sc.VNF.PerByte; b > 0 {
		in.capacity = 1 / (1/in.capacity + float64(b.Seconds()*in.size))
	}
	ring := float64(e.sc.VNF.Buffer)
	if e.settled(now, in.queue, ring, in.inflow-in.capacity, sim.Event{Kind: evInstance, A: int32(i), Gen: in.gen}) {
		if in.inflow > in.capacity {
			in.full = true
			in.loss = (in.inflow - in.capacity) / in.inflow
		} else {
			in.idle = true
			in.processed += in.queue // less than a picosecond's worth
			in.processedBytes += float64(in.queue * in.size)
			in.queue = 0
		}
	}
}

// settled says whether a queue stands at the bound that it moves to; slope is its change in packets a second. If it
// does not, the event is scheduled for the last instant at which the queue has not passed that bound. What is missing
// then, less than a picosecond's worth, stays in the queue.
func (e *Engine) settled(now units.Time, queue, ring, slope float64, ev sim.Event) bool {
	way := queue
	switch {
	case slope > 0:
		way = ring - queue
	case slope == 0:
		return queue < 1e-3 // neither fills nor empties; a residue counts as empty
	}
	ps := math.Floor(way / math.Abs(slope) * float64(units.Second))
	if ps < 1 {
		return true
	}
	if ps < float64(e.end-now) {
		ev.At = now + units.Time(ps)
		e.ctl.Schedule(sim.ClassTraffic, ev)
	}
	return false
}

// Up lets an instance take packets.
func (e *Engine) Up(now units.Time, i flow.Instance) {
	e.sync(now)
	e.room(i)
	in := &e.instances[i]
	e.advanceOne(now, in)
	in.up = true
	e.recount(now)
	e.pool.Instance(i, true)
	e.reshare(now)
	e.refresh(now, i)
}

// Share gives an instance another share of a core.
func (e *Engine) Share(now units.Time, i flow.Instance, share float64) {
	e.sync(now)
	e.room(i)
	in := &e.instances[i]
	e.advanceOne(now, in)
	in.cores.Share(share, sim.Counts(&e.sc.VNF, picoseconds(in.busy), picoseconds(in.there)))
	in.core = share
	e.refreshOne(now, int(i))
}

// room makes place for an instance's number.
func (e *Engine) room(i flow.Instance) {
	for len(e.instances) <= int(i) {
		e.instances = append(e.instances, instance{})
	}
}

// Down ends an instance. What it holds is lost.
func (e *Engine) Down(now units.Time, i flow.Instance) {
	e.sync(now)
	e.room(i)
	in := &e.instances[i]
	e.advanceOne(now, in)
	if in.up {
		in.up = false
		in.lost += in.queue
		e.charge(now, i, in.queue)
		in.queue = 0
	}
	e.recount(now)
	e.pool.Instance(i, false)
	e.reshare(now)
	e.refresh(now, i)
}

// charge books packets that an instance held when it died as lost by the flows that feed it, in proportion to their
// rates. A flow loses no more than it can have there: one that has only just begun has not sent its part yet, and the
// others lose that. What remains is of flows that no longer feed the instance: the one whose packets came last loses
// it, then those that ended here, the last one first, again each no more than it can have.
func (e *Engine) charge(now units.Time, i flow.Instance, packets float64) {
	if packets == 0 {
		return
	}
	in := &e.instances[i]
	lose := func(s *flowState, part, most float64) {
		n := min(float64(packets*part), most)
		s.lostInstance += n
		packets -= n
	}
	feeders := e.feeders(now, i)
	slices.SortStableFunc(feeders, func(a, b feeder) int { return cmp.Compare(a.most/a.rate, b.most/b.rate) })
	sum := 0.0
	for k, x := range slices.Backward(feeders) {
		sum += x.rate
		feeders[k].rate = x.rate / sum // of itself and those after it
	}
	for _, x := range feeders {
		lose(x.flowState, x.rate, x.most)
	}
	last := &e.flows[in.tail]
	lose(last, 1, e.inRing(now, last))
	if packets > 0 {
		for _, f := range e.endedAt(i) {
			lose(&e.flows[f], 1, e.inRing(now, &e.flows[f]))
		}
	}
	e.g.orphans += packets
	e.g.orphanBytes += float64(packets * in.size)
}

// feeder is a flow that feeds an instance.
type feeder struct {
	*flowState
	rate float64 // its part of the mix
	most float64 // packets that it can have in the ring
}

// feeders are the flows that feed an instance, if any does.
func (e *Engine) feeders(now units.Time, i flow.Instance) (all []feeder) {
	fast, slow, rate := e.mix(&e.instances[i])
	if rate == 0 {
		return nil
	}
	for f := range e.flows[:e.next] {
		s := &e.flows[f]
		x := feeder{flowState: s}
		if s.route == ruled && s.rule == i {
			x.rate += float64(fast * s.rate)
		}
		if s.out >= 0 && s.target == i {
			x.rate += float64(slow * e.slow.out[s.out].rate)
		}
		if x.rate > 0 {
			x.most = e.inRing(now, s)
			all = append(all, x)
		}
	}
	return all
}

// endedAt are the flows that have ended at an instance, the last one first.
func (e *Engine) endedAt(i flow.Instance) (all []flow.ID) {
	for f := range e.flows[:e.next] {
		if s := &e.flows[f]; s.target == i && !s.on {
			all = append(all, flow.ID(f))
		}
	}
	end := func(f flow.ID) units.Time {
		s := e.traffic.Flows[f].Segments
		return s[len(s)-1].End
	}
	slices.SortStableFunc(all, func(a, b flow.ID) int { return cmp.Compare(end(b), end(a)) })
	return all
}

// inRing is how many packets of the flow can be in the ring of an instance: those that it has sent and that were
// neither lost nor are still in the slow path.
func (e *Engine) inRing(now units.Time, s *flowState) float64 {
	e.settle(now, s)
	e.settleOut(now, s)
	return max(0, s.offered-s.dropped()-s.waiting())
}

// mix is what the instance's queue consists of: the packets in it for one packet a second sent by rule, for one sent by
// the slow path, and for all its flows together. The queue is taken to be mixed as what arrives; while the link is
// down, as what would arrive.
func (e *Engine) mix(in *instance) (fast, slow, all float64) {
	if !e.g.down {
		return e.g.phi, e.slow.g, in.inflow
	}
	if fast, slow = 1, 1; !e.slow.idle {
		slow = e.slow.g // it still sends what it holds
	}
	return fast, slow, float64(fast*in.fast) + float64(slow*in.slow)
}

// hold changes the number of flows that an instance holds.
func (e *Engine) hold(now units.Time, i flow.Instance, n int) {
	if i == 0 {
		return
	}
	e.room(i)
	before := e.instances[i].flows
	e.instances[i].flows += n
	if (before == 0) != (e.instances[i].flows == 0) {
		e.recount(now)
	}
}

// recount finds the number of instances that contend. If this changes their capacity, each is brought to now and given
// the new one. Pooled shares are not its business.
func (e *Engine) recount(now units.Time) {
	if e.pool != nil {
		return
	}
	n := 0
	for i := range e.instances {
		if in := &e.instances[i]; in.up && (e.sc.VNF.IdleContend || in.flows > 0) {
			n++
		}
	}
	if n == e.contend {
		return
	}
	same := e.law.Capacity(max(n, 1)) == e.law.Capacity(max(e.contend, 1))
	e.contend = n
	if same {
		return
	}
	e.sync(now)
	for i := range e.instances {
		if e.instances[i].up {
			e.advanceOne(now, &e.instances[i])
			e.refreshOne(now, i)
		}
	}
}

// offers tells the pool where a flow's packets go now, and gives each instance the share that follows.
func (e *Engine) offers(now units.Time, f flow.ID) {
	if e.pool == nil {
		return
	}
	s := &e.flows[f]
	where, to := sim.Ruled, s.target
	switch s.route {
	case absent:
		where, to = sim.Nowhere, 0
	case missed:
		where = sim.Missed
	}
	e.pool.Flow(now, f, int(s.segment), where, to)
	e.reshare(now)
}

// reshare brings each instance whose pooled share has changed to now and puts the new one into force.
func (e *Engine) reshare(now units.Time) {
	for i, share := range e.pool.Changed() {
		e.sync(now)
		e.advance(now, i)
		e.instances[i].pooled = share
		e.refresh(now, i)
	}
}
