// Package sim is the simulated testbed: a BlueField-2, its containers and their traffic, around the very orchestrator
// that drives the real one.
//
// The plant owns time. Its event queue holds what happens next, in order of time, class and insertion. Nothing else
// decides the order of anything, so a scenario and its seed give the same run on every machine. The plant carries out
// what the orchestrator asks for, with the latencies of the device profile: rules in rules.go, containers in
// containers.go, readings of counters in readings.go, faults in faults.go. What happens to packets meanwhile is up to a
// DataPlane: fluid or packet.
package sim

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// The plant's own events.
const (
	evWindow uint8 = iota
	evFault
	evFaultOver
	evRule
	evCreated
	evDeleted
	evFailed
	evArrived
	evEnded
	evCounters
	evTimer
	evReports
	evGrown
	evResized
	evBurst
)

type plant struct {
	sc      *scenarios.Scenario
	traffic *traces.Workload
	end     units.Time
	now     units.Time
	queue   Queue
	orch    *orchestrator.Orchestrator
	data    DataPlane
	rec     results.Recorder
	event   orchestrator.Event          // the one at hand
	timers  [orchestrator.Timers]uint32 // generation of each of the orchestrator's timers

	rules      ruleTable
	containers containers
	faults     faults
	windows    windows
	readings   readings
	foresight  foresight
	reports    reports
	active     int32       // flows
	bursts     *burstStage // nil where flows are decided on
	burstsTold uint64      // of the decisions on bursts
	ctx        context.Context
}

// Options are what a caller may want of a run in addition to its record.
type Options struct {
	Version  string                    // of the program, for the record
	Progress func(now, end units.Time) // called at the end of each window; may be nil

	// Silent has the orchestrator compose no decision, which costs most where nobody keeps them.
	Silent bool
}

// Run simulates a scenario with its traffic and writes its record. The error is the record's, an inconsistent
// scenario's or the context's. After the context's error the record says that it is incomplete.
func Run(ctx context.Context, sc *scenarios.Scenario, w *traces.Workload, engine Engine, rec results.Recorder,
	o Options) error {
	s, err := Begin(ctx, sc, w, engine, rec, o)
	if err != nil {
		return err
	}
	return s.Finish(s.Until(units.Never))
}

// Session is a run that goes on as far as its caller wants.
type Session struct {
	p *plant
	o Options
}

// Begin is Run up to the start of the run.
func Begin(ctx context.Context, sc *scenarios.Scenario, w *traces.Workload, engine Engine, rec results.Recorder,
	o Options) (*Session, error) {
	var log orchestrator.Logger = rec
	if o.Silent {
		log = nil
	}
	orch, err := orchestrator.New(sc.Orchestrator(), log)
	if err != nil {
		return nil, fmt.Errorf("scenario %s: %w", sc.Name, err)
	}
	p := &plant{sc: sc, traffic: w, orch: orch, rec: rec, end: sc.End(w), ctx: ctx}
	p.rules.init(&sc.NIC, len(w.Flows))
	if sc.Scheduler.ByBurst() {
		if p.bursts, err = newBurstStage(sc, w, p.end, p.Stopped); err != nil {
			return nil, fmt.Errorf("scenario %s: %w", sc.Name, err)
		}
	}
	if p.data, err = engine(sc, w, p.end, p); err != nil {
		return nil, fmt.Errorf("scenario %s: %w", sc.Name, err)
	}
	p.awaitBurst()
	p.faults.schedule(p)
	p.push(ClassWindow, Event{At: min(sc.Telemetry.Window, p.end), Kind: evWindow})
	p.begin(orchestrator.Start)
	p.deliver()
	return &Session{p, o}, nil
}

// Until goes on to what happens at t, that a window ends then included, or to the end of the run.
func (s *Session) Until(t units.Time) error { return s.p.loop(t, s.o.Progress) }

// Growing is a DataPlane to whose traffic flows can be added while it runs.
type Growing interface {
	// Grow says that the workload has more flows, which begin no earlier than what the plane was last told of.
	Grow()
}

// Grow says that the workload has more flows. They begin after what has been simulated, and no earlier than those
// before them. It reports false where the engine wants all flows at the beginning.
func (s *Session) Grow() bool {
	g, ok := s.p.data.(Growing)
	if ok {
		s.p.rules.grow(len(s.p.traffic.Flows))
		g.Grow()
	}
	return ok
}

// Finish writes what Run writes when the run is over, or has ended with an error, and closes the record.
func (s *Session) Finish(runErr error) error {
	p, sc, w, o, rec := s.p, s.p.sc, s.p.traffic, s.o, s.p.rec
	p.tellBursts()
	run := Header(sc, w, o.Version)
	run.Totals = p.finish()
	run.Policy = p.orch.Counts()
	run.Complete = runErr == nil
	if d, ok := p.data.(Delays); ok {
		run.Little = d.Delays(p.now, rec)
	}
	if n, ok := p.data.(interface{ Notes() []string }); ok {
		run.Notes = n.Notes()
	}
	if runErr != nil {
		run.Error = runErr.Error()
	}
	if err := rec.Close(run); err != nil && runErr == nil {
		return err
	}
	return runErr
}

// Header is the record's description of a run that has not begun.
func Header(sc *scenarios.Scenario, w *traces.Workload, version string) *results.Run {
	return results.NewRun(results.Simulated, sc.Engine, version, sc, w)
}

func (p *plant) loop(until units.Time, progress func(now, end units.Time)) error {
	for !p.Stopped() {
		if until < p.end && !p.queue.due(until) {
			return nil
		}
		e, ok := p.queue.Pop()
		if !ok || e.At > p.end || e.At == p.end && e.Kind == evWindow && !e.Data {
			p.now = p.end
			if err := p.windows.record(p); err != nil || !p.Stopped() {
				return err
			}
			break
		}
		p.now = e.At
		if e.Data {
			p.data.Fire(p.now, e)
			continue
		}
		switch e.Kind {
		case evWindow:
			if err := p.windows.record(p); err != nil {
				return err
			}
			if progress != nil && !p.Stopped() {
				progress(p.now, p.end)
			}
			p.push(ClassWindow, Event{At: min(p.now+p.sc.Telemetry.Window, p.end), Kind: evWindow})
		case evFault, evFaultOver:
			p.faults.fire(p, e)
		case evRule:
			p.rules.take(p, flow.ID(e.A), e.Gen)
		case evCreated, evDeleted, evFailed, evResized:
			p.containers.fire(p, e)
		case evBurst:
			p.dispatch(flow.ID(e.A))
		case evArrived:
			p.arrived(flow.ID(e.A))
		case evEnded:
			p.ended(flow.ID(e.A))
		case evGrown:
			if f := flow.ID(e.A); !p.rules.flows[f].ended {
				p.begin(orchestrator.FlowGrown).Flow = f
				p.deliver()
			}
		case evCounters:
			p.readings.arrive(p)
		case evReports:
			p.reports.arrive(p)
		case evTimer:
			if e.Gen == p.timers[e.A] {
				p.tick(orchestrator.Timer(e.A))
			}
		}
	}
	return fmt.Errorf("stopped at %v of %v: %w", p.now, p.end, p.ctx.Err())
}

// push queues an event, unless it comes after the run: a busy writer's rules may be many.
func (p *plant) push(c Class, e Event) {
	if e.At <= p.end {
		p.queue.Push(c, e)
	}
}

// tick delivers that a timer has fired.
func (p *plant) tick(t orchestrator.Timer) {
	e := p.begin(orchestrator.Tick)
	e.Timer = t
	if t == orchestrator.AutoscaleTimer && p.orch.Foresees() {
		e.Rate = p.foresight.most(p.traffic, p.now, p.now+p.sc.Autoscaler.Interval+p.starts())
	}
	p.deliver()
}

// timerClass says when each of the orchestrator's timers fires within an instant.
var timerClass = [...]Class{
	orchestrator.TelemetryTimer: ClassTelemetry,
	orchestrator.AutoscaleTimer: ClassAutoscaler,
	orchestrator.MoveTimer:      ClassTelemetry,
	orchestrator.ReportTimer:    ClassTelemetry,
	orchestrator.DispatchTimer:  ClassTelemetry,
}

// begin is the event that deliver hands over next: nothing but its kind. It is large, so it is filled in where it is.
func (p *plant) begin(k orchestrator.EventKind) *orchestrator.Event {
	if k != orchestrator.BurstsDispatched {
		p.tellBursts() // the log has each event where it came among the bursts
	}
	p.event = orchestrator.Event{}
	p.event.Kind = k
	return &p.event
}

// deliver hands the event to the orchestrator and carries out the actions that follow.
func (p *plant) deliver() {
	atStart := p.event.Kind == orchestrator.Start
	p.rec.Event(p.now, &p.event)
	actions := p.orch.Handle(p.now, &p.event)
	for k := range actions {
		p.do(&actions[k], atStart)
	}
}

// do carries out an action; atStart says that the run begins with it.
func (p *plant) do(a *orchestrator.Action, atStart bool) {
	p.rec.Action(p.now, a)
	switch a.Kind {
	case orchestrator.InstallRule, orchestrator.MoveRule:
		p.rules.write(p, a.Flow, a.Instance)
	case orchestrator.RemoveRule:
		p.rules.remove(p, a.Flow)
	case orchestrator.Steer:
		p.rules.steer(p, a.Flow, a.Instance, a.Hops)
	case orchestrator.CreateInstance:
		p.containers.create(p, a.Instance, a.Share, atStart)
	case orchestrator.DeleteInstance:
		p.containers.delete(p, a.Instance)
	case orchestrator.ResizeInstance:
		p.containers.resize(p, a.Instance, a.Share)
	case orchestrator.ReadCounters:
		p.readings.ask(p, orchestrator.CountersRead)
	case orchestrator.ReadRules:
		p.readings.ask(p, orchestrator.RulesRead)
	case orchestrator.ReadReports:
		p.reports.ask(p)
	case orchestrator.SetTimer:
		p.timers[a.Timer]++
		e := Event{At: max(a.At, p.now), Kind: evTimer, A: int32(a.Timer), Gen: p.timers[a.Timer]}
		p.push(timerClass[a.Timer], e)
	}
}

// Schedule, Arrived, Ended and Stopped make the plant a Control.

// Schedule queues an event of the data plane.
func (p *plant) Schedule(c Class, e Event) {
	e.Data = true
	p.push(c, e)
}

// Arrived queues the packet-in of a flow.
func (p *plant) Arrived(f flow.ID) {
	p.push(ClassPacketIn, Event{At: p.now, Kind: evArrived, A: int32(f)})
}

// Grown queues that a flow has sent enough for a rule.
func (p *plant) Grown(f flow.ID) {
	p.push(ClassPacketIn, Event{At: p.now, Kind: evGrown, A: int32(f)})
}

// Ended queues the end of a flow, before a packet-in of the same instant.
func (p *plant) Ended(f flow.ID) {
	p.push(ClassEnd, Event{At: p.now, Kind: evEnded, A: int32(f)})
}

// Stopped says whether the context has ended.
func (p *plant) Stopped() bool { return p.ctx.Err() != nil }

func (p *plant) arrived(f flow.ID) {
	s := &p.rules.flows[f]
	last := s.ended && !s.seen // its end is still to be reported
	if s.ended && !last {
		return
	}
	if !s.seen {
		s.seen = true
		p.active++
	}
	e := p.begin(orchestrator.FlowArrived)
	e.Flow, e.Tuple, e.Tenant = f, p.traffic.Flows[f].Tuple, p.traffic.Tenant(f)
	if p.orch.WantsRates() {
		e.Rate = p.traffic.Flows[f].Rate()
	}
	p.deliver()
	if last {
		p.close(f)
	}
}

// ended closes a flow. If its first packet still waits in the slow path, it is closed once the scheduler has seen that.
func (p *plant) ended(f flow.ID) {
	s := &p.rules.flows[f]
	if s.ended = true; s.seen {
		p.close(f)
	}
}

func (p *plant) close(f flow.ID) {
	p.active--
	if !p.rules.flows[f].routed {
		p.data.Target(p.now, f, 0) // nobody will decide about the packet that waits
	}
	p.rules.remove(p, f)
	p.begin(orchestrator.FlowEnded).Flow = f
	p.deliver()
}

// finish writes the flows, and returns the totals.
func (p *plant) finish() results.Totals {
	t := p.data.End(p.now)
	t.Flows = int64(len(p.traffic.Flows))
	t.RulesInstalled, t.RulesRejected, t.Moves = p.rules.installed, p.rules.rejected, p.rules.moves
	t.Broken, t.HandedOn = p.rules.broken, p.rules.handOns(p)
	p.countBursts(&t)
	var row results.Flow // escapes, so there is one for all flows
	var texts results.Texts
	text := func(a netip.Addr) string {
		if !a.IsValid() {
			return a.String()
		}
		return texts.Of(a.AppendTo(make([]byte, 0, 64)))
	}
	for i := range p.traffic.Flows {
		w := &p.traffic.Flows[i]
		s := &p.rules.flows[i]
		if len(w.Segments) == 0 || w.Segments[0].Start >= p.now {
			continue
		}
		row = results.Flow{Flow: int32(i), Src: text(w.Tuple.Src), Dst: text(w.Tuple.Dst),
			SrcPort: int32(w.Tuple.SrcPort), DstPort: int32(w.Tuple.DstPort), Proto: int32(w.Tuple.Proto),
			Start: w.Segments[0].Start.Seconds(), End: min(w.Segments[len(w.Segments)-1].End, p.now).Seconds(),
			Instance: int32(s.last), Moves: s.moves}
		p.data.Flow(flow.ID(i), &row)
		p.rec.Flow(&row)
	}
	return t
}
