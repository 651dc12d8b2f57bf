package fluid

import (
	"math"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// instance is one instance's ring: a finite fluid queue in front of a server.
type instance struct {
	up         bool
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
	dt := (now - in.at).Seconds()
	in.at = now
	if dt == 0 {
		return
	}
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
	done := capacity
	switch {
	case in.idle:
		done = arrived
	case in.full:
		in.lost += arrived - capacity
	default:
		in.queue += arrived - capacity
	}
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

// room makes place for an instance's number.
func (e *Engine) room(i flow.Instance) {
	for len(e.instances) <= int(i) {
		e.instances = append(e.instances, instance{})
	}
}

// Down ends an instance. The flows that feed it lose what it holds, in proportion to their rates.
func (e *Engine) Down(now units.Time, i flow.Instance) {
	e.sync(now)
	e.room(i)
	in := &e.instances[i]
	e.advanceOne(now, in)
	if in.up {
		in.up = false
		in.lost += in.queue
		if fast, slow, all := e.mix(in); all > 0 {
			in.lostFast += float64(in.queue * fast / all)
			in.lostSlow += float64(in.queue * slow / all)
		} else if in.queue > 0 { // all its flows have ended: the last one loses it, up to what it has sent
			s := &e.flows[in.tail]
			n := max(0, min(in.queue, s.offered-s.dropped()))
			s.lostInstance += n
			e.g.orphans += in.queue - n
			e.g.orphanBytes += float64((in.queue - n) * in.size)
		}
		in.queue = 0
	}
	e.recount(now)
	e.pool.Instance(i, false)
	e.reshare(now)
	e.refresh(now, i)
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
	for i, m := range e.pool.Shares() {
		if i < len(e.instances) && e.instances[i].up && e.instances[i].pooled != m.Share {
			e.sync(now)
			e.advanceOne(now, &e.instances[i])
			e.instances[i].pooled = m.Share
			e.refreshOne(now, i)
		}
	}
}
