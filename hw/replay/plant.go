package replay

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

type plant struct {
	sc      *scenarios.Scenario
	traffic *traces.Workload
	end     units.Time
	hw      Hardware
	caps    hw.Capabilities
	orch    *orchestrator.Orchestrator
	rec     results.Recorder
	opts    Options

	zero    time.Time // of the run's time
	began   bool      // Start was delivered
	ended   bool      // nothing is delivered any more
	sending bool      // the generator was started and not stopped; guarded by halting
	halting sync.Mutex
	last    units.Time // of the last event

	ctx    context.Context // of everything that the loop has started
	cancel context.CancelFunc
	inbox  chan func() // what goroutines hand to the loop
	over   chan struct{}
	fatal  error

	readings sync.WaitGroup // readings of the switch that are under way

	backlog    []orchestrator.Event // to be delivered, in order
	delivering bool
	timers     []units.Time // when each of the orchestrator's timers is due; units.Never if it is not set

	flows     flows
	instances []instance // instance i is instances[i-1]
	faults    faults
	meter     meter
	rules     ruleReader
	reports   reportReader
	latencies latencies
	lostSince time.Time // when the switch was lost; zero while it answers
	linkDown  string    // ports of the generator without a link, as last told
	told      []string  // notes for the record
}

func newPlant(sc *scenarios.Scenario, w *traces.Workload, h Hardware, rec results.Recorder, o Options) *plant {
	p := &plant{sc: sc, traffic: w, end: sc.End(w), hw: h, caps: h.Switch.Capabilities(), rec: rec, opts: o,
		inbox: make(chan func(), 256), over: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.flows.init(w)
	p.meter.init()
	return p
}

// now is the present time of the run. It never goes back.
func (p *plant) now() units.Time {
	p.last = max(p.last, p.at(time.Now()))
	return p.last
}

// at converts an instant to a time of the run, by the monotonic clock.
func (p *plant) at(t time.Time) units.Time { return max(0, span(t.Sub(p.zero))) }

// say tells the operator, and the record.
func (p *plant) say(format string, args ...any) {
	s := fmt.Sprintf(format, args...)
	if p.began && !p.ended {
		s = fmt.Sprintf("at %.3f s: %s", p.now().Seconds(), s)
	}
	p.opts.Say(s)
	if len(p.told) < maxNotes {
		p.told = append(p.told, s)
	}
}

// maxNotes bounds the notes in one record.
const maxNotes = 200

// post hands the loop something to do. After the loop has ended it does nothing.
func (p *plant) post(f func()) {
	select {
	case p.inbox <- f:
	case <-p.over:
	}
}

// loop runs until the run ends, the context ends, or a failure occurs that cannot be mended.
func (p *plant) loop(ctx context.Context) error {
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	deaths, events := p.hw.Containers.Deaths(), p.hw.Switch.Events()
	for {
		due := p.due()
		alarm.Reset(time.Until(p.zero.Add(duration(due) + 1))) // rounding to nanoseconds must not make it early
		select {
		case <-ctx.Done():
			return fmt.Errorf("stopped at %.3f s of %v: %w", p.now().Seconds(), p.end, ctx.Err())
		case e, open := <-events:
			if !open {
				return fmt.Errorf("the switch's driver has ended: %w", hw.ErrClosed)
			}
			p.happened(&e)
		case d, open := <-deaths:
			if !open {
				deaths = nil
				p.say("the container engine reports no deaths any more")
				break
			}
			p.died(d)
		case f := <-p.inbox:
			f()
		case <-alarm.C:
		}
		if p.now() >= p.end {
			return nil
		}
		p.fire()
		if p.fatal != nil {
			return p.fatal
		}
	}
}

// due is when the next fault, end of a flow, or timer is due.
func (p *plant) due() units.Time {
	due := min(p.end, p.flows.due(), p.faults.due())
	for t := range p.timers {
		if !p.held(orchestrator.Timer(t)) {
			due = min(due, p.timers[t])
		}
	}
	if !p.lostSince.IsZero() {
		due = min(due, p.at(p.lostSince.Add(patience)))
	}
	return due
}

// held says whether a timer has to wait. The autoscaler's timer waits for a reading of the counters or the reports that
// is under way or due, so that the autoscaler acts on it, as it does in simulation. It comes within readLimit, or not
// at all.
func (p *plant) held(t orchestrator.Timer) bool {
	if t != orchestrator.AutoscaleTimer {
		return false
	}
	const r = orchestrator.ReportTimer
	return p.meter.underWay || p.reports.busy || int(r) < len(p.timers) && p.timers[r] <= p.now()
}

// fire does what is due: faults, then ends of flows, then the orchestrator's timers, telemetry first. The order is that
// of the simulation.
func (p *plant) fire() {
	if !p.lostSince.IsZero() && time.Since(p.lostSince) > patience {
		p.fail(fmt.Errorf("the switch has not answered for %v", patience))
		return
	}
	p.faults.fire(p)
	p.flows.fire(p)
	for t := range p.timers {
		if p.timers[t] <= p.now() && !p.held(orchestrator.Timer(t)) {
			p.timers[t] = units.Never
			p.deliver(orchestrator.Event{Kind: orchestrator.Tick, Timer: orchestrator.Timer(t)})
		}
	}
}

// fail ends the run.
func (p *plant) fail(err error) {
	if p.fatal == nil {
		p.fatal = err
	}
}

// deliver hands an event to the orchestrator and carries out the actions. An event that arises meanwhile, such as a
// request that the switch refuses at once, is delivered after it.
func (p *plant) deliver(e orchestrator.Event) {
	if p.ended {
		return
	}
	p.backlog = append(p.backlog, e)
	if p.delivering {
		return
	}
	p.delivering = true
	for len(p.backlog) > 0 {
		e := p.backlog[0]
		p.backlog = p.backlog[1:]
		now := p.now()
		p.rec.Event(now, &e)
		actions := p.orch.Handle(now, &e)
		p.opts.Metrics.handled(&e)
		for k := range actions {
			p.rec.Action(now, &actions[k])
			p.act(&actions[k])
		}
	}
	p.delivering = false
}

func (p *plant) act(a *orchestrator.Action) {
	switch a.Kind {
	case orchestrator.InstallRule, orchestrator.MoveRule:
		p.write(a.Flow, a.Instance)
	case orchestrator.RemoveRule:
		p.unrule(a.Flow)
	case orchestrator.Steer:
		p.steer(a.Flow, a.Instance)
	case orchestrator.CreateInstance:
		p.create(a.Instance, a.Share)
	case orchestrator.DeleteInstance:
		p.delete(a.Instance)
	case orchestrator.ResizeInstance:
		p.resize(a.Instance, a.Share)
	case orchestrator.ReadCounters:
		p.meter.read(p)
	case orchestrator.SetTimer:
		p.set(a.Timer, a.At)
	case orchestrator.ReadRules:
		p.rules.read(p)
	case orchestrator.ReadReports:
		p.reports.read(p)
	}
}

func (p *plant) set(t orchestrator.Timer, at units.Time) {
	for len(p.timers) <= int(t) {
		p.timers = append(p.timers, units.Never)
	}
	p.timers[t] = at
}

// happened takes in what the switch reports.
func (p *plant) happened(e *hw.Event) {
	switch e.Kind {
	case hw.PacketIn:
		p.arrived(e)
	case hw.Confirmed, hw.Rejected:
		p.answered(e)
	case hw.Ended:
		p.ruleEnded(e)
	case hw.Lost:
		if p.lostSince.IsZero() {
			p.lostSince = time.Now()
		}
		p.opts.Metrics.switchUp.Set(0)
		p.say("the switch is lost: %s", e.Reason)
	case hw.Restored:
		p.lostSince = time.Time{}
		p.opts.Metrics.switchUp.Set(1)
		p.say("the switch is back, and the rules in it")
	case hw.PortGone:
		if e.Instance == 0 {
			p.say("the switch has lost a port: %s", e.Reason)
			return
		}
		p.lose(e.Instance, "lost its port", e.Reason)
	}
}

// finish stops the traffic, writes the last window and the flows, and clears the testbed. complete says that the run
// has reached its end; the error is what makes its record incomplete all the same.
func (p *plant) finish(run *results.Run, complete bool) (missing error) {
	at := p.end
	if !complete && p.began {
		at = min(p.now(), p.end)
	}
	p.ended = true
	p.cancel() // ends a reading or a creation under way, and a creation cleans up
	ctx, cancel := context.WithTimeout(context.Background(), cleanLimit)
	defer cancel()
	var sends error
	if !complete {
		sends = p.halt(ctx)
	}
	p.await(ctx, p.readings.Wait)
	if p.began {
		missing = p.meter.last(ctx, p, at)
	}
	if complete {
		time.Sleep(settle) // the last packets are still being sent
		sends = p.halt(ctx)
	}
	var busy []chan struct{}
	for i := range p.instances {
		if last := p.instances[i].last; last != nil {
			busy = append(busy, last)
		}
	}
	p.await(ctx, func() {
		for _, last := range busy {
			<-last
		}
	})
	close(p.over)
	if p.began {
		rules, err := p.meter.settled(ctx, p)
		missing = errors.Join(missing, err)
		run.Totals = p.meter.totals(p)
		p.flows.write(p, rules)
		if complete && err == nil {
			p.compareSent()
		}
	}
	for i := range p.instances {
		if p.instances[i].attached {
			if _, err := p.hw.Switch.Detach(ctx, flow.Instance(i+1)); err != nil {
				p.say("instance %d could not be taken off the switch: %v", i+1, err)
			}
		}
	}
	found, err := Clean(ctx, p.hw)
	if err != nil {
		p.say("not everything could be removed: %v; smartinco hw clean does it, once what hinders it is mended", err)
	}
	if p.hw.Left != nil {
		p.hw.Left(errors.Join(sends, err))
	}
	p.opts.Metrics.cleaned(found)
	return missing
}

// halt ends the traffic, and tells if it could not.
func (p *plant) halt(ctx context.Context) error {
	err := p.stop(ctx)
	if err != nil {
		p.say("the generator could not be stopped, and may go on to send: %v; smartinco hw clean stops it, once it "+
			"answers", err)
	}
	return err
}

// stop ends the traffic. Any goroutine may call it. It asks a generator that does not answer again, since that goes on
// sending until it is told to stop.
func (p *plant) stop(ctx context.Context) (err error) {
	p.halting.Lock()
	defer p.halting.Unlock()
	if !p.sending {
		return nil
	}
	for range stopTries {
		try, cancel := context.WithTimeout(ctx, readLimit)
		err = p.hw.Generator.Stop(try)
		cancel()
		if err == nil {
			p.sending = false
			return nil
		}
		time.Sleep(settle)
	}
	return err
}

// compareSent tells if the generator has not sent what the scenario plans.
func (p *plant) compareSent() {
	planned := 0.0
	streams, _ := Streams(p.traffic, p.end)
	for i := range streams {
		planned += streams[i].Packets()
	}
	if sent := p.meter.shown.sent; sent != planned {
		p.say("the generator has sent %.0f packets, and the scenario plans %.0f: %+.3g %%", sent, planned,
			100*(sent-planned)/planned)
	}
}

// await waits for goroutines and takes in what they report meanwhile.
func (p *plant) await(ctx context.Context, wait func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		wait()
	}()
	for waiting := true; waiting; {
		select {
		case f := <-p.inbox:
			f()
		case <-done:
			waiting = false
		case <-ctx.Done():
			p.say("switch, container engine or generator has not answered for %v", cleanLimit)
			waiting = false
		}
	}
	for {
		select {
		case f := <-p.inbox:
			f()
		default:
			return
		}
	}
}
