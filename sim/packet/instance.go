package packet

import (
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// instance is one instance: its server, and the flows that the eSwitch sends there. Number 0 stands for the rule that
// drops. It is never up, and what it loses counts as rejected.
type instance struct {
	server
	up    bool
	drops bool    // it is number 0
	share float64 // of a core; 0 for all of it
	at    int64   // every packet before has been seen; unused while the ingress is a stage of its own
	upAt  int64
	flows int      // assigned to it
	list  byNext   // flows with a rule to it; an order is kept while they are many and send little
	rate  float64  // packets a second that these send
	inbox []parcel // packets on their way here, in order of time, and of one instant those from the slow path first
	slow  int      // inbox[slow:] has none from the slow path

	in, lost               uint64
	inBytes, acceptedBytes int64
	upTime                 int64 // until upAt
	cores                  sim.CoreTime
	reported               []uint64 // packets by bucket of their sojourn, as of the last report
	last                   struct {
		in, processed, lost uint64
		busy, up            int64
	}
}

// parcel is a packet on its way.
type parcel struct {
	at   int64
	sent int64 // when the generator sent it
	f    flow.ID
	size int32
}

// receive puts a packet from the slow path into the inbox.
func (in *instance) receive(x parcel) {
	k := len(in.inbox)
	for k > in.slow && in.inbox[k-1].at == x.at {
		k--
	}
	in.inbox = slices.Insert(in.inbox, k, x)
	in.slow = k + 1
}

// taken drops the first k packets of the inbox.
func (in *instance) taken(k int) {
	in.inbox = in.inbox[:copy(in.inbox, in.inbox[k:])]
	in.slow = max(in.slow-k, 0)
}

// Up lets an instance take packets.
func (e *Engine) Up(now units.Time, i flow.Instance) {
	e.room(i)
	e.syncInstance(now, i)
	in := &e.instances[i]
	in.up, in.upAt = true, int64(now)
	var b *book
	if e.measure {
		b = newBook(e.delays)
	}
	in.server = newServer(e.sc.VNF.Buffer, in.of(e.speed()), int64(e.sc.VNF.PerByte), e.source(i), b)
	e.recount(now)
	e.pool.Instance(i, true)
	e.reshare(now)
}

// speed is the service rate in force of an instance with all of a core.
func (e *Engine) speed() float64 { return e.law.Capacity(max(e.contend, 1)) }

// of is the clock of the instance's services where it would have the rate with all of a core.
func (in *instance) of(rate float64) clock {
	if in.share > 0 {
		rate = float64(rate * in.share)
	}
	return newClock(rate)
}

// Share gives an instance another share of a core.
func (e *Engine) Share(now units.Time, i flow.Instance, share float64) {
	e.room(i)
	e.syncInstance(now, i)
	in := &e.instances[i]
	busy, up := in.busy(int64(now))
	in.cores.Share(share, sim.Counts(&e.sc.VNF, busy, up))
	if in.share = share; in.up {
		in.server.speed(int64(now), in.of(e.speed()))
	}
}

// room makes place for an instance's number.
func (e *Engine) room(i flow.Instance) {
	for len(e.instances) <= int(i) {
		e.instances = append(e.instances, instance{})
	}
}

// Down ends an instance. What it holds is lost.
func (e *Engine) Down(now units.Time, i flow.Instance) {
	e.room(i)
	e.syncInstance(now, i)
	in := &e.instances[i]
	if in.up {
		in.flush(int64(now), func(p whose) {
			in.lost++
			in.acceptedBytes -= int64(p.size)
			e.outcomes[p.f].lost++
		})
		in.up = false
		in.upTime += int64(now) - in.upAt
	}
	e.recount(now)
	e.pool.Instance(i, false)
	e.reshare(now)
}

// hold moves a live flow from one instance to another, 0 being none. It is one change, so that what is in the rings is
// rounded once.
func (e *Engine) hold(now units.Time, from, to flow.Instance) {
	e.room(max(from, to))
	changed := false
	if from != 0 {
		n := &e.instances[from].flows
		*n--
		changed = *n == 0
	}
	if to != 0 {
		n := &e.instances[to].flows
		*n++
		changed = changed || *n == 1
	}
	if changed {
		e.recount(now)
	}
}

// recount finds the number of instances that contend and gives each the speed that follows. Pooled shares are not its
// business.
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
	was := e.speed()
	e.contend = n
	rate := e.speed()
	if rate == was {
		return
	}
	for i := range e.instances {
		if in := &e.instances[i]; in.up && in.of(rate) != in.of(was) {
			e.syncInstance(now, flow.Instance(i))
			in.speed(int64(now), in.of(rate))
		}
	}
}

// offers tells the pool where a flow's packets go now, and gives each instance the speed that follows. It is one change
// for all that an event changes, so that what is in the rings is rounded once.
func (e *Engine) offers(now units.Time, f flow.ID) {
	if e.pool == nil {
		return
	}
	s := &e.flows[f]
	where, to := sim.Ruled, s.target
	switch s.route {
	case absent:
		where, to = sim.Nowhere, 0
	case missing:
		where = sim.Missed
	}
	e.pool.Flow(now, f, int(e.paces[f].segment), where, to)
	e.reshare(now)
}

// reshare gives each instance whose pooled share has changed the new speed.
func (e *Engine) reshare(now units.Time) {
	for i, share := range e.pool.Changed() {
		e.syncInstance(now, i)
		e.instances[i].speed(int64(now), newClock(share))
	}
}

// heldNow is what an instance holds at now, in packets and bytes.
func (in *instance) heldNow(now int64) (packets uint64, bytes int64) {
	if !in.up {
		return 0, 0
	}
	k := in.held(now)
	for i := range k {
		bytes += int64(in.who[in.back(i)].size)
	}
	return uint64(k), bytes
}

// busy is how long the instance has worked until now, and how long it has been up.
func (in *instance) busy(now int64) (busy, up int64) {
	up = in.upTime
	if in.up {
		up += now - in.upAt
	}
	return in.work - max(in.idle-now, 0), up
}
