package packet

import (
	"io"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// feed is the packets that have times and sizes of their own, of captures and of random processes, in order of time. If
// one comes at the same instant as a packet of a constant rate, it comes first.
//
// Such a flow is in no list of flows by their next packet, since that is unknown before it is read. What follows from a
// flow's next packet is therefore found when it comes: whether it overtakes others of its flow (Engine.passes) and, if
// the scheduler is still to hear of the flow, when it will (Engine.lookOut).
type feed struct {
	stream  *traces.PacketMerge // nil for none, and at the end
	buf     []traces.Arrival
	head, n int       // buf[head:n] is read and not taken
	seen    int       // buf[head:seen] has no packet that is awaited, but of the flows in fresh
	awaited flowSet   // flows whose next packet in the slow path may be one of which the scheduler hears
	waiting int       // how many these are
	fresh   []flow.ID // those for which it has been since just now: their next packet comes now, or is in the pipe
	poll    int64     // when evOwn is due
	flows   []flowState
	touched uint64 // so that touch is not compiled away
	err     error  // of reading
	stopped func() bool
}

// toSlowPath is where packets go without a rule, in the place of an instance.
const toSlowPath flow.Instance = -1

// flowSet is a set of flows, with a bit for each.
type flowSet []uint64

func (s flowSet) has(f flow.ID) bool { return s[f/64]>>(f%64)&1 != 0 }
func (s flowSet) flip(f flow.ID)     { s[f/64] ^= 1 << (f % 64) }

// aim keeps account of whether the scheduler may hear of the flow's next packet in the slow path, where that has a time
// of its own.
func (e *Engine) aim(f flow.ID) {
	s, d := &e.flows[f], &e.feed
	now := false
	if e.slow.until(f, s) > 0 {
		if now = s.route == missing; s.route == absent && s.rule == 0 {
			_, now = e.in.piped(f)
		}
	}
	if d.awaited.has(f) == now {
		return
	}
	if d.awaited.flip(f); now {
		d.waiting++
		d.fresh = append(d.fresh, f)
	} else {
		d.waiting--
	}
}

// batch is how many packets are read at a time, and pending the most that wait for an instance: so few that those of
// all instances stay in the cache.
const (
	batch   = 1 << 12
	pending = 1 << 9
)

// openFeed finds the flows with packets of their own.
func (e *Engine) openFeed() {
	ps := e.traffic.Packets
	e.feed.poll = int64(units.Never)
	if len(ps) == 0 {
		return
	}
	for _, p := range ps {
		for _, f := range p.Flows {
			e.flows[f].own = true
		}
	}
	e.feed.stream = traces.MergePackets(ps)
	e.feed.buf = make([]traces.Arrival, batch)
	e.feed.awaited = make(flowSet, (len(e.flows)+63)/64)
	e.feed.stopped = e.stopped
	e.feed.flows = e.flows
	e.feed.fill()
}

// due is when the next packet comes.
func (d *feed) due() int64 {
	if d.head < d.n {
		return int64(d.buf[d.head].At)
	}
	return int64(units.Never)
}

// take is the next packet.
func (d *feed) take() traces.Arrival {
	x := d.buf[d.head]
	if d.head++; d.head == d.n {
		d.fill()
	}
	if d.head%nearby == 0 {
		d.touch()
	}
	return x
}

// nearby is how many packets' flows are read at a time: few enough to stay in the first cache until they are needed.
const nearby = 256

// touch reads the flows of the packets that come next. They lie far apart in memory, and a processor waits for many of
// them at once where it has nothing else to do in between.
func (d *feed) touch() {
	for _, x := range d.buf[d.head:min(d.head+nearby, d.n)] {
		d.touched ^= d.flows[x.Flow].offered
	}
}

func (d *feed) fill() {
	d.head, d.n, d.seen = 0, 0, 0
	if d.stream == nil {
		return
	}
	if d.stopped() {
		d.stream = nil
		return
	}
	n, err := d.stream.Read(d.buf)
	if d.n = n; n == 0 {
		d.stream = nil
		if err != io.EOF {
			d.err = err
		}
	}
}

// Err is the error that kept packets from being read, or nil.
func (e *Engine) Err() error { return e.feed.err }

// live says whether there are packets to come.
func (d *feed) live() bool { return d.head < d.n }

// sent books one packet that its flow has sent, and says whether the link takes it.
func (e *Engine) sent(x traces.Arrival) (ok bool) {
	s := &e.flows[x.Flow]
	s.offered++
	s.sent += float64(x.Bytes)
	e.sum.offered++
	e.sum.by[replayed]++
	if e.down {
		e.outcomes[x.Flow].stopped++
		e.sum.link++
	}
	return !e.down
}

// pull sends the packets before to, and at the latest at t, on their way: to the slow path, or to the instance of their
// rule.
func (e *Engine) pull(t, to int64) {
	d := &e.feed
	for at := d.due(); at <= t && at < to; at = d.due() {
		x := d.take()
		if !e.sent(x) {
			continue
		}
		if p := &e.slow; p.head < len(p.fifo) && p.fifo[p.head].at <= at {
			e.serve(at)
		}
		p := parcel{at, at, x.Flow, x.Bytes}
		to, moved := e.whither(x.Flow)
		if to <= 0 {
			if to == 0 {
				e.arrive(0, p)
			} else {
				e.miss(p)
			}
			continue
		}
		if moved {
			e.advance(e.flows[p.f].from, at)
			e.advance(to, at)
			e.passes(p)
		}
		in := &e.instances[to]
		if in.inbox = append(in.inbox, p); len(in.inbox) >= pending {
			e.advance(to, at)
		}
	}
}

// passes counts what the first packet to follow its flow's new rule overtakes: the packets that the flow still has in
// the slow path, or in the queue of its old instance.
func (e *Engine) passes(x parcel) {
	s := &e.flows[x.f]
	from, n := s.from, uint64(0)
	if s.from = followed; from == 0 {
		n = e.behind(x.f, x.at)
	} else {
		n = e.overtaken(x, from, s.rule)
	}
	e.outcomes[x.f].reordered += n
	e.sum.reordered += n
}

// lookOut schedules the instant of the next packet that is awaited in the slow path.
func (e *Engine) lookOut(now units.Time) {
	d := &e.feed
	if d.waiting == 0 {
		d.fresh = d.fresh[:0]
		return
	}
	at := int64(units.Never)
	if e.staged {
		for _, x := range e.in.pipe[e.in.head:] {
			if d.awaited.has(x.f) {
				at = x.at
				break
			}
		}
	}
	keep := d.fresh[:0]
	for _, f := range d.fresh {
		if !d.awaited.has(f) {
			continue
		}
		_, piped := e.in.piped(f)
		switch {
		case d.due() <= int64(now):
			at = min(at, int64(now))
			keep = append(keep, f)
		case piped:
			keep = append(keep, f)
		default:
			d.seen = d.head
		}
	}
	d.fresh = keep
	if d.waiting > len(d.fresh) && d.live() {
		for d.seen = max(d.seen, d.head); d.seen < d.n-1 && !d.awaited.has(d.buf[d.seen].Flow); d.seen++ {
		}
		at = min(at, int64(d.buf[d.seen].At))
	}
	if at != d.poll && at < int64(units.Never) {
		d.poll = at
		e.ctl.Schedule(sim.ClassPacketIn, sim.Event{At: units.Time(at), Kind: evOwn})
	}
}
