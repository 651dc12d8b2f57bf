package request

import (
	"fmt"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/packet"
)

// fleet is what changes the number of instances: the orchestrator, the container engine, and faults. A run whose
// instances are there from the beginning to the end has none.
//
// What the fleet does at an instant it does after the window is recorded that ends then, and before anything else.
// Faults begin and end, then come answers of the container engine, then readings of counters, then the timers of
// telemetry, and at last that of the autoscaler.
type fleet struct {
	orch   *orchestrator.Orchestrator
	rec    results.Recorder
	queue  sim.Queue
	event  orchestrator.Event
	timers [orchestrator.Timers]uint32 // generation of each of the orchestrator's timers
	most   int                         // numbers that instances can have
	err    error                       // why the run cannot go on

	boxes  []container // by the instances' numbers less 1
	delays bool        // are reported
	faults [faultKinds]int
	held   []sim.Event            // what a stalled container engine has been asked for
	frozen []orchestrator.Counter // what stalled counters show
}

// container is what runs an instance.
type container struct {
	state string // one of results.States, never results.StateDraining: only the orchestrator knows that
	since int64  // when it was ready; never before
	until int64  // when it was ordered to stop, or failed; never before
	left  int64  // when it failed or was gone

	sent, back uint64       // requests that reached it, and that it served, before this window
	busy       int64        // time of its services before this window
	reported   packet.Spans // sojourns since the last report, if these are reported
}

// up reports whether the instance serves.
func (c *container) up() bool { return c.since != never && c.until == never }

// What a fleet waits for.
const (
	evCreated uint8 = iota
	evNotCreated
	evDeleted
	evCounters
	evReports
	evTimer
	evFaultBegins
	evFaultEnds
)

// roundRobin stands for the scheduler of flows, of which there are none.
var roundRobin = scheduler.Named("round-robin")

// scales reports whether the number of instances can change, or any of them may die by itself.
func scales(sc *scenarios.Scenario) bool {
	return !sc.Autoscaler.Static() ||
		slices.ContainsFunc(sc.Faults, func(f scenarios.Fault) bool { return !f.OfRack() })
}

// start begins a run whose number of instances can change.
func (f *fleet) start(e *Engine, rec results.Recorder) (err error) {
	cfg := e.sc.Orchestrator()
	cfg.Scheduler.Policy, cfg.Requests = roundRobin, e.stations[0].host
	if f.orch, err = orchestrator.New(cfg, rec); err != nil {
		return err
	}
	f.rec, f.delays = rec, f.orch.Measures()&policy.Delays != 0
	f.expect(e)
	f.deliver(e, orchestrator.Event{Kind: orchestrator.Start})
	f.await(e)
	return nil
}

// another adds an instance to the one station that there is.
func (e *Engine) another() {
	st := &e.stations[0]
	sent, back := append(st.sent, 0), append(st.back, 0)
	e.equip(st, 1, int32(e.sc.Chain()[0].Buffer))
	st.first, st.sent, st.back = 0, sent, back
	if e.spans != nil {
		e.spans = append(e.spans, [kinds]packet.Spans{})
	}
	if len(e.instances) > e.services.leaves {
		e.services.grow()
	}
}

// push queues what is to be before the run's end.
func (f *fleet) push(e *Engine, c sim.Class, x sim.Event) {
	if int64(x.At) < e.end {
		f.queue.Push(c, x)
	}
}

// await says when the fleet acts next.
func (f *fleet) await(e *Engine) {
	e.await(evFleet, int64(f.queue.At()))
}

// act has the next thing happen that the fleet waits for.
func (e *Engine) act() {
	f := e.fleet
	x, _ := f.queue.Pop()
	if f.err != nil { // the run ends with the window
		f.await(e)
		return
	}
	switch x.Kind {
	case evCreated, evNotCreated, evDeleted:
		f.answered(e, flow.Instance(x.A), x.Kind)
	case evCounters:
		f.deliver(e, orchestrator.Event{Kind: orchestrator.CountersRead, Sampled: e.time(), Counters: f.counters()})
	case evReports:
		f.deliver(e, orchestrator.Event{Kind: orchestrator.ReportsRead, Sampled: e.time(), Reports: f.reports(e)})
	case evTimer:
		if x.Gen == f.timers[x.A] {
			f.deliver(e, orchestrator.Event{Kind: orchestrator.Tick, Timer: orchestrator.Timer(x.A)})
		}
	case evFaultBegins, evFaultEnds:
		f.fault(e, &x)
	}
	f.await(e)
	e.retry(&e.stations[0])
}

// deliver hands an event to the orchestrator and carries out the actions that follow.
func (f *fleet) deliver(e *Engine, x orchestrator.Event) {
	f.event = x
	f.rec.Event(e.time(), &f.event)
	actions := f.orch.Handle(e.time(), &f.event)
	for k := range actions {
		f.do(e, &actions[k], x.Kind == orchestrator.Start)
	}
}

// do carries out an action; atStart says that the run begins with it, as it does with instances that are ready.
func (f *fleet) do(e *Engine, a *orchestrator.Action, atStart bool) {
	f.rec.Action(e.time(), a)
	now, engine := e.time(), e.sc.NIC.EngineLatency
	switch a.Kind {
	case orchestrator.CreateInstance:
		if f.err != nil {
			return
		}
		if len(e.instances) == f.most || e.end > never>>(e.services.shift+1) {
			f.err = fmt.Errorf("instance %d of a run of %v, those that have gone included: want fewer, or a shorter "+
				"run", a.Instance, e.sc.Duration)
			return
		}
		e.another()
		f.boxes = append(f.boxes, container{state: results.StateStarting, since: never, until: never})
		x := sim.Event{At: now, Kind: evCreated, A: int32(a.Instance)}
		if !atStart {
			x.At += engine + e.sc.VNF.StartLatency
		}
		if f.faults[engineFailure] > 0 {
			x.At, x.Kind = now+engine, evNotCreated
		}
		f.request(e, x)
	case orchestrator.DeleteInstance:
		f.end(e, a.Instance, results.StateStopping)
		f.request(e, sim.Event{At: now + engine + e.sc.VNF.StopLatency, Kind: evDeleted, A: int32(a.Instance)})
	case orchestrator.ReadCounters:
		f.push(e, sim.ClassCounters, sim.Event{At: now, Kind: evCounters})
	case orchestrator.ReadReports:
		f.push(e, sim.ClassCounters, sim.Event{At: now, Kind: evReports})
	case orchestrator.SetTimer:
		f.timers[a.Timer]++
		class := sim.ClassTelemetry
		if a.Timer == orchestrator.AutoscaleTimer {
			class = sim.ClassAutoscaler
		}
		f.push(e, class, sim.Event{At: max(a.At, now), Kind: evTimer, A: int32(a.Timer), Gen: f.timers[a.Timer]})
	}
}

// request asks the container engine for something. A stalled one begins to work on it when the stall is over.
func (f *fleet) request(e *Engine, x sim.Event) {
	if f.faults[engineStall] > 0 {
		x.At -= e.time()
		f.held = append(f.held, x)
		return
	}
	f.push(e, sim.ClassPlant, x)
}

// answered takes an answer of the container engine.
func (f *fleet) answered(e *Engine, i flow.Instance, kind uint8) {
	c := &f.boxes[i-1]
	switch {
	case kind == evDeleted:
		c.state, c.left = results.StateGone, e.now
		f.deliver(e, orchestrator.Event{Kind: orchestrator.InstanceGone, Instance: i})
	case c.state != results.StateStarting: // it was deleted, or died
	case kind == evNotCreated:
		f.fail(e, i, "the container engine could not create it")
	default:
		c.state, c.since = results.StateReady, e.now
		e.instances[i-1].last = e.now
		f.deliver(e, orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: i})
	}
}

// fail ends an instance that nobody asked to end, and with it the requests that it has.
func (f *fleet) fail(e *Engine, i flow.Instance, reason string) {
	if int(i) > len(f.boxes) {
		return
	}
	switch f.boxes[i-1].state {
	case results.StateFailed, results.StateGone:
		return
	}
	f.end(e, i, results.StateFailed)
	f.boxes[i-1].left = e.now
	f.deliver(e, orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: i, Reason: reason})
	e.bury(int(i) - 1)
}

// end says that an instance serves no more.
func (f *fleet) end(e *Engine, i flow.Instance, as string) {
	c := &f.boxes[i-1]
	if c.up() {
		e.changing(&e.instances[i-1])
	}
	c.state, c.until = as, min(c.until, e.now)
}

// idle tells the orchestrator if an instance that drains has nothing left to do.
func (f *fleet) idle(e *Engine, i flow.Instance) {
	if f.orch.Draining(i) && e.stations[0].host.Placed(i) == 0 {
		f.deliver(e, orchestrator.Event{Kind: orchestrator.InstanceIdle, Instance: i})
		f.await(e)
	}
}

// life is what an instance shows of itself at the end of a window: its state, for how long it served in it, and whether
// it was there at all.
func (e *Engine) life(i int) (state string, up int64, listed bool) {
	if e.fleet == nil {
		if e.nodes[e.stations[e.instances[i].station].node].down {
			return results.StateFailed, e.now - e.began, true
		}
		return results.StateReady, e.now - e.began, true
	}
	c := &e.fleet.boxes[i]
	up = max(0, min(e.now, c.until)-max(e.began, c.since))
	switch c.state {
	case results.StateFailed, results.StateGone:
		return c.state, up, c.left >= e.began
	case results.StateReady:
		if e.fleet.orch.Draining(flow.Instance(i + 1)) {
			return results.StateDraining, up, true
		}
	}
	return c.state, up, true
}

// serves reports whether an instance is up.
func (e *Engine) serves(i int) bool { return e.fleet == nil || e.fleet.boxes[i].up() }

// counted takes down what a window's counters were, before they begin again.
func (f *fleet) counted(i int, in *instance, busy int64) {
	c := &f.boxes[i]
	c.sent += uint64(in.offered)
	c.back += uint64(in.done)
	c.busy += busy
}

// counters are what the NIC has counted of the instances that it can send requests to.
func (f *fleet) counters() (all []orchestrator.Counter) {
	if f.faults[countersStall] > 0 {
		return f.frozen
	}
	for i := range f.boxes {
		if c := &f.boxes[i]; c.up() || c.state == results.StateStopping {
			all = append(all, orchestrator.Counter{Instance: flow.Instance(i + 1), RxPackets: c.sent,
				TxPackets: c.back})
		}
	}
	return all
}

// reports are what the instances' agents report.
func (f *fleet) reports(e *Engine) (all []orchestrator.Report) {
	for i := range f.boxes {
		c := &f.boxes[i]
		if !c.up() && c.state != results.StateStopping {
			continue
		}
		r := orchestrator.Report{Instance: flow.Instance(i + 1), CPU: c.busy, Queue: int64(e.instances[i].n)}
		if f.delays {
			row, _, _ := c.reported.Row("", 0, "")
			r.Delay = telemetry.Delays{row.P50, row.P90, row.P99, row.P999}
			c.reported = packet.Spans{}
		}
		all = append(all, r)
	}
	return all
}
