package rack

import (
	"fmt"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/units"
)

// What happens to the dispatcher.
const (
	evFlow     uint8 = iota // the next flow comes
	evEnd                   // A: a flow ends
	evTimer                 // A: of the orchestrator
	evCounters              // the counters of the nodes have come
	evDeath                 // A: a node dies
	evDetected              // A: the dispatcher learns that a life has ended
	evBack                  // A: a life takes flows
	evDown                  // the dispatcher dies
	evUp                    // it is back
)

// dispatcher is the orchestrator of the nodes, and what it has to do with.
type dispatcher struct {
	r       *rack
	rec     results.Recorder
	orch    *orchestrator.Orchestrator
	queue   sim.Queue
	now     units.Time
	next    int // flow to come
	timers  [orchestrator.Timers]uint32
	watches bool // the policy goes by counters

	there   []int32 // the life of each node; 0 for none
	waiting []int32 // nodes that have died and that the orchestrator has not replaced yet
	ready   []int32 // lives to report as ready
	reading []orchestrator.Event

	down   int         // how many faults keep it down
	missed []sim.Event // meanwhile

	event         orchestrator.Event
	ruleless      bool
	moves, broken int64
	heard, stray  []uint64 // flows, a bit each: the orchestrator has heard of it; it is broken
}

func newDispatcher(r *rack, rec results.Recorder) (*dispatcher, error) {
	cfg := r.sc.Rack()
	orch, err := orchestrator.New(cfg, rec)
	if err != nil {
		return nil, fmt.Errorf("nodes.dispatcher: %w", err)
	}
	words := (len(r.traffic.Flows) + 63) / 64
	d := &dispatcher{r: r, rec: rec, orch: orch, there: make([]int32, r.sc.Nodes.Count+1),
		ruleless: cfg.Scheduler.Ruleless(), heard: make([]uint64, words), stray: make([]uint64, words)}
	d.watches = scheduler.Policies.Find(cfg.Scheduler.Policy.Name).Sees.Has(policy.T2)
	for n, dead := range r.dead {
		for _, s := range dead {
			d.push(sim.ClassFault, sim.Event{At: s.from, Kind: evDeath, A: int32(n)})
		}
	}
	for _, f := range r.sc.Faults {
		if f.Kind != "dispatcher-death" {
			continue
		}
		d.push(sim.ClassFault, sim.Event{At: f.At, Kind: evDown})
		if f.For > 0 {
			d.push(sim.ClassFault, sim.Event{At: f.At + f.For, Kind: evUp})
		}
	}
	d.awaitFlow()
	d.deliver(orchestrator.Event{Kind: orchestrator.Start})
	for _, id := range d.ready {
		d.deliver(orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: flow.Instance(id)})
	}
	return d, nil
}

func (d *dispatcher) push(c sim.Class, e sim.Event) {
	if e.At < d.r.end {
		d.queue.Push(c, e)
	}
}

// awaitFlow queues the arrival of the next flow.
func (d *dispatcher) awaitFlow() {
	for all := d.r.traffic.Flows; d.next < len(all); d.next++ {
		if s := all[d.next].Segments; len(s) > 0 {
			d.push(sim.ClassPacketIn, sim.Event{At: s[0].Start, Kind: evFlow, A: int32(d.next)})
			d.next++
			return
		}
	}
}

// until has the dispatcher do everything that comes before a time.
func (d *dispatcher) until(t units.Time) {
	for d.queue.At() < t && d.r.ctx.Err() == nil {
		e, _ := d.queue.Pop()
		d.now = e.At
		switch e.Kind {
		case evFlow:
			d.awaitFlow()
			f := flow.ID(e.A)
			d.r.opens(d.now, f, 0)
			d.push(sim.ClassEnd, sim.Event{At: d.r.ends(f), Kind: evEnd, A: e.A})
		case evEnd:
			d.r.closes(d.now, flow.ID(e.A))
		case evDeath:
			if id := d.there[e.A]; id > 0 && d.r.lives[id].to == d.now {
				d.there[e.A] = 0
				d.push(sim.ClassPlant, sim.Event{At: d.now + d.r.sc.Nodes.Detection, Kind: evDetected, A: id})
			}
			continue
		case evDown:
			d.down++
			continue
		case evUp:
			if d.down--; d.down == 0 {
				missed := d.missed
				d.missed = nil
				for _, e := range missed {
					d.handle(e)
				}
			}
			continue
		}
		if d.down == 0 {
			d.handle(e)
			continue
		}
		if d.missed = append(d.missed, e); e.Kind == evFlow {
			d.leaks(flow.ID(e.A))
		}
	}
}

// handle tells the orchestrator of what has happened, now or while it was down.
func (d *dispatcher) handle(e sim.Event) {
	f := flow.ID(e.A)
	switch e.Kind {
	case evFlow:
		if d.r.ends(f) <= d.now {
			return
		}
		x := orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: f, Tuple: d.r.traffic.Flows[f].Tuple,
			Tenant: d.r.traffic.Tenant(f)}
		if d.orch.WantsRates() {
			x.Rate = d.r.traffic.Flows[f].Rate()
		}
		d.heard[f/64] |= 1 << (f % 64)
		d.deliver(x)
		d.leaks(f)
	case evEnd:
		if d.heard[f/64]>>(f%64)&1 != 0 {
			d.deliver(orchestrator.Event{Kind: orchestrator.FlowEnded, Flow: f})
		}
	case evTimer:
		if e.Gen == d.timers[e.A] {
			d.deliver(orchestrator.Event{Kind: orchestrator.Tick, Timer: orchestrator.Timer(e.A)})
		}
	case evCounters:
		x := d.reading[0]
		d.reading = d.reading[1:]
		d.deliver(x)
	case evDetected:
		l := d.r.lives[e.A]
		d.waiting = append(d.waiting, l.node)
		d.deliver(orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: flow.Instance(l.id),
			Reason: fmt.Sprintf("node %d died", l.node)})
	case evBack:
		d.deliver(orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: flow.Instance(e.A)})
	}
}

// deliver hands an event to the orchestrator and carries out the actions that follow.
func (d *dispatcher) deliver(e orchestrator.Event) {
	d.event = e
	d.rec.Event(d.now, &d.event)
	actions := d.orch.Handle(d.now, &d.event)
	for k := range actions {
		d.do(&actions[k])
	}
}

func (d *dispatcher) do(a *orchestrator.Action) {
	d.rec.Action(d.now, a)
	switch a.Kind {
	case orchestrator.Steer:
		d.steer(a.Flow, int32(a.Instance))
	case orchestrator.RemoveRule:
		d.steer(a.Flow, 0)
	case orchestrator.CreateInstance:
		d.create(int32(a.Instance))
	case orchestrator.ReadCounters:
		d.read()
	case orchestrator.SetTimer:
		d.timers[a.Timer]++
		class := sim.ClassTelemetry
		if a.Timer == orchestrator.AutoscaleTimer {
			class = sim.ClassAutoscaler
		}
		d.push(class, sim.Event{At: max(a.At, d.now), Kind: evTimer, A: int32(a.Timer), Gen: d.timers[a.Timer]})
	}
}

// steer sends a flow's packets to a life from now on, or to none.
func (d *dispatcher) steer(f flow.ID, to int32) {
	r := d.r
	i := r.last[f]
	p := &r.pieces[i]
	switch {
	case p.to < units.Never || p.life == to:
	case p.life == 0 && p.from == d.now && p.leak < 0:
		r.gives(i, to)
		d.reached(f, i)
	default:
		if r.opens(d.now, f, to); to == 0 {
			d.leaks(f)
			return
		}
		d.reached(f, r.last[f])
	}
}

// reached counts a flow that has come to another node than before.
func (d *dispatcher) reached(f flow.ID, i int32) {
	was := d.r.pieces[i].before
	for was >= 0 && d.r.pieces[was].life == 0 {
		was = d.r.pieces[was].before
	}
	switch {
	case was < 0 || d.r.pieces[was].life == d.r.pieces[i].life:
	case !d.ruleless:
		d.moves++
	case d.stray[f/64]>>(f%64)&1 == 0:
		d.stray[f/64] |= 1 << (f % 64)
		d.broken++
	}
}

// leaks has a flow's packets lost while no life has it.
func (d *dispatcher) leaks(f flow.ID) {
	if i := d.r.last[f]; d.r.pieces[i].life == 0 && d.r.pieces[i].leak < 0 {
		d.r.leaksFrom(i, d.now, 0)
	}
}

// create makes a life: at the start of the node of that number, and then of the node that has been dead for longest of
// those that wait for one. It takes flows when the node is back.
func (d *dispatcher) create(id int32) {
	r := d.r
	l := &life{r: r, id: id, node: id, to: r.end}
	r.lives = append(r.lives, l)
	if int(id) >= len(d.there) {
		l.node, d.waiting = d.waiting[0], d.waiting[1:]
	}
	l.from = d.now
	for _, s := range r.dead[l.node] {
		if l.from < s.from {
			l.to = min(s.from, r.end)
			break
		}
		l.from = max(l.from, min(s.to, r.end))
	}
	if int(id) < len(d.there) {
		d.there[l.node] = id
		d.ready = append(d.ready, id)
		return
	}
	if l.from < r.end {
		d.push(sim.ClassPlant, sim.Event{At: l.from, Kind: evBack, A: id})
	}
}

// read samples the counters of the nodes, which have been simulated up to now. They come after the telemetry's delay
// and the way from a node.
func (d *dispatcher) read() {
	if !d.watches {
		return
	}
	e := orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: d.now}
	for _, l := range d.r.lives[1:] {
		if l.from <= d.now && l.to > d.now {
			e.Counters = append(e.Counters, orchestrator.Counter{Instance: flow.Instance(l.id),
				RxPackets: whole(l.rx), TxPackets: whole(l.tx)})
		}
	}
	d.reading = append(d.reading, e)
	d.push(sim.ClassCounters, sim.Event{At: d.now + d.r.sc.Telemetry.Delay + d.r.link, Kind: evCounters})
}

// whole is the number of whole packets in v, which rounding may have made a little too small.
func whole(v float64) uint64 { return uint64(v + 1e-6) }
