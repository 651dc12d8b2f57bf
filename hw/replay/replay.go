// Package replay runs a scenario on a real testbed: a switch, containers and a traffic generator, around the same
// orchestrator that the simulator drives.
//
// It is the second plant, and has the interface of the simulated one: events in, actions out, and the same record. One
// goroutine, the loop, owns the orchestrator and everything that is known of flows and instances. What takes time -
// starting a container, reading counters - runs in goroutines of its own, which hand their results to the loop. An
// event is handled at the time when the loop takes it up. The record has this time, so that the record's events, fed to
// the orchestrator again, give the record's actions.
//
// Time is monotonic and starts when the generator begins to send. Setting the machine's clock during a run changes
// nothing.
//
// # A run
//
// First, Clean removes what an earlier run has left on the testbed. The generator loads its traffic, and the scenario's
// initial instances are started, since the experiments begin with them running. When the generator begins to send, the
// run begins. At its end the generator stops, the packets under way come through, the counters are read a last time,
// and rules and containers are removed. The same happens when the run is interrupted, or when something fails that
// cannot be mended; then the record says so.
//
// # Counters
//
// A packet passes four counters: sent (generator), forwarded to an instance and come back from it (switch), received
// (generator). The switch is read before the generator, so that every packet counted at an instance is also counted as
// sent. A packet that the next counter lacks is either under way or lost. At first it counts as queued. It counts as
// lost once it was sent longer ago than the age of counters (hw.Capabilities.CounterLag), plus the time between the two
// readings, plus settle. In addition, an instance may hold as many packets as its ring has slots. So the record may
// show a loss late by that time. A loss is taken back if its packets come after all. At the end the counters are read
// until they stand still. See meter.go, and docs/record.md for the effect on the conservation check.
//
// The files: plant.go is the event loop, flows.go the life of a flow and its rule, instances.go that of an instance,
// meter.go the windows, rules.go the counters of the rules, reports.go what instances use, faults.go the scenario's
// faults, clean.go what earlier runs left, metrics.go what an operator watches.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/hw"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// Hardware is an open testbed. Its owner closes it.
type Hardware struct {
	Name       string
	Switch     hw.Switch
	Containers hw.ContainerEngine
	Generator  hw.Generator
	Left       func(error) // called after a run: with nil if no run has left anything on the testbed; may be nil
}

// Options are what a caller may want from a run besides its record.
type Options struct {
	Version  string                    // of the program, for the record
	Progress func(now, end units.Time) // called at the end of each window; may be nil
	Say      func(string)              // called with what an operator should know; may be nil
	Metrics  *Metrics                  // may be nil
}

// ErrRefused says, in the sense of errors.Is, that a scenario cannot run on hardware, or not on this testbed.
var ErrRefused = errors.New("refused")

func refusef(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

type refusal struct{ error }

func (refusal) Is(target error) bool { return target == ErrRefused }
func (r refusal) Unwrap() error      { return r.error }

// How long things may take. None of these times is part of a measurement.
const (
	// after this time a packet has come through or is lost; TRex itself waits as long
	settle     = 100 * time.Millisecond
	readLimit  = 5 * time.Second  // for one reading of counters
	stopTries  = 3                // to stop the generator
	stillLimit = 10 * time.Second // until counters stand still after a run
	cleanLimit = 60 * time.Second // for removing what a run made
	patience   = 30 * time.Second // without an answer from switch or generator, before the run ends
)

// Check says why a scenario cannot be replayed (ErrRefused), before any hardware is touched.
func Check(sc *scenarios.Scenario, w *traces.Workload, c hw.Capabilities) error {
	if sc.Nodes != nil {
		return refusef("scenario %s: nodes: a testbed has one NIC: want a scenario without this key, or smartinco run",
			sc.Name)
	}
	for i, f := range sc.Faults {
		if f.Kind == "link-down" {
			return refusef("scenario %s: faults.%d: link-down cannot be done to a real link from here: leave the "+
				"fault out, or unplug the cable by hand", sc.Name, i)
		}
	}
	if row := scheduler.Policies.Find(sc.Scheduler.Policy.Name); row != nil && row.Sees.Has(policy.T5) {
		return refusef("scenario %s: scheduler.policy: %s is told the true rate of each flow (T5), which a simulator "+
			"knows and hardware does not: want another policy", sc.Name, row.Name)
	}
	if row := autoscaler.Policies.Find(sc.Autoscaler.Policy.Name); row != nil && row.Sees.Has(policy.T5) {
		return refusef("scenario %s: autoscaler.policy: %s is told what the workload will offer (T5), which a "+
			"simulator knows and hardware does not: want another policy", sc.Name, row.Name)
	}
	if err := cmp.Or(checkReports(sc.Name, "autoscaler.policy", sc.Autoscaler.Measures()),
		checkReports(sc.Name, "scheduler.policy", sc.Scheduler.Measures())); err != nil {
		return err
	}
	if sc.Scheduler.Ruleless() {
		return refusef("scenario %s: scheduler.policy: %s without rules: the drivers write a rule for each flow, and "+
			"cannot put a policy's function into a switch: want rules: flow, and a policy that goes by rules",
			sc.Name, sc.Scheduler.Policy.Name)
	}
	if sc.Scheduler.ByBurst() {
		could := "and the switch has no rules that end when they are idle"
		if c.IdleResolution > 0 {
			could = fmt.Sprintf("and by rules that end when they are idle the switch could tell gaps of %v or more "+
				"alone", c.IdleResolution)
		}
		return refusef("scenario %s: scheduler.unit: burst: no driver decides on bursts, %s: want unit: flow", sc.Name,
			could)
	}
	if lag := span(c.CounterLag); sc.Telemetry.Window < lag {
		return refusef("scenario %s: telemetry.window is %v, but the switch's counters may be %v old, so that rates "+
			"over such windows mean nothing: want a window of at least that, or a switch whose counters are fresher",
			sc.Name, sc.Telemetry.Window, lag)
	}
	streams, _ := Streams(w, sc.End(w))
	if len(streams) == 0 {
		return refusef("scenario %s: no TCP or UDP traffic to send", sc.Name)
	}
	return nil
}

// Streams returns the traffic up to end as a generator sends it, and how many flows it leaves out: those that are
// neither TCP nor UDP, whose first packets a switch does not hand up.
func Streams(w *traces.Workload, end units.Time) (streams []hw.Stream, left int64) {
	for i := range w.Flows {
		f := &w.Flows[i]
		if f.Tuple.Proto != flow.TCP && f.Tuple.Proto != flow.UDP {
			left++
			continue
		}
		for _, s := range f.Segments {
			if s.Start >= end || s.Packets <= 0 {
				continue
			}
			size := units.Bytes(s.Bytes/s.Packets + 0.5)
			streams = append(streams, hw.Stream{Flow: flow.ID(i), Tuple: f.Tuple, Start: duration(s.Start),
				End:  duration(min(s.End, end)),
				Rate: units.PPS(s.Rate()), FrameSize: max(size, 64)})
		}
	}
	return streams, left
}

// Header describes, for the record, a run that has not begun.
func Header(sc *scenarios.Scenario, w *traces.Workload, testbed, version string) *results.Run {
	run := results.NewRun(results.Hardware, testbed, version, sc, w)
	if _, left := Streams(w, sc.End(w)); left > 0 {
		run.Skipped = append(run.Skipped, results.Skip{Reason: "flows that are neither TCP nor UDP", N: left})
	}
	return run
}

// Skew is how far apart in time the counters of one balance may have been read on a switch, for results.Options.
func Skew(c hw.Capabilities) units.Time { return span(c.CounterLag + settle) }

// Run replays a scenario with its traffic and writes its record. It closes rec whatever happens. The error comes from
// the record, an inconsistent scenario, the context, or the hardware; the record then says that it is incomplete. When
// Run returns, none of its rules and containers is left, unless the error or the record's notes say what could not be
// removed.
func Run(ctx context.Context, sc *scenarios.Scenario, w *traces.Workload, h Hardware, rec results.Recorder,
	o Options) error {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	if o.Progress == nil {
		o.Progress = func(units.Time, units.Time) {}
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics()
	}
	p := newPlant(sc, w, h, rec, o)
	err := p.begin(ctx)
	if err == nil {
		// An interrupt stops the traffic whatever the loop waits for. If it fails, finish tries again and tells.
		done := context.AfterFunc(ctx, func() { _ = p.stop(context.WithoutCancel(ctx)) })
		err = p.loop(ctx)
		done()
	}
	run := Header(sc, w, h.Name, o.Version)
	if missing := p.finish(run, err == nil); err == nil {
		err = missing
	}
	if p.orch != nil {
		run.Policy = p.orch.Counts()
	}
	run.Complete = err == nil
	if err != nil {
		run.Error = err.Error()
	}
	run.Notes = p.notes()
	if e := rec.Close(run); e != nil && err == nil {
		err = e
	}
	return err
}

// begin prepares the testbed, starts the traffic, and delivers Start.
func (p *plant) begin(ctx context.Context) error {
	var err error
	if p.orch, err = orchestrator.New(p.sc.Orchestrator(), p.rec); err != nil {
		return fmt.Errorf("scenario %s: %w", p.sc.Name, err)
	}
	if err := checkEngine(p.sc, p.hw.Containers); err != nil {
		return err
	}
	found, err := Clean(ctx, p.hw)
	if err != nil {
		return fmt.Errorf("removing what an earlier run left: %w", err)
	}
	if found.Any() {
		p.say("found and removed what an earlier run left: %v", found)
	}
	for old := true; old; { // deaths of containers that are gone now
		select {
		case _, old = <-p.hw.Containers.Deaths():
		default:
			old = false
		}
	}
	streams, _ := Streams(p.traffic, p.end)
	if err := p.hw.Generator.Load(ctx, streams); err != nil {
		return fmt.Errorf("loading the traffic into the generator: %w", err)
	}
	if err := p.startInitial(ctx); err != nil {
		return err
	}
	p.faults.schedule(p)
	p.sending = true // even if the answer gets lost
	if p.zero, err = p.hw.Generator.Start(ctx); err != nil {
		return fmt.Errorf("starting the traffic: %w", err)
	}
	p.began = true
	go p.sampler()
	p.deliver(orchestrator.Event{Kind: orchestrator.Start})
	return nil
}

// startInitial starts the instances that run when the run begins: those that the orchestrator asks for at Start.
func (p *plant) startInitial(ctx context.Context) error {
	n := p.sc.Instances.Initial
	made := make([]hw.Container, n)
	g, ctx := errgroup.WithContext(ctx)
	for k := range n {
		g.Go(func() (err error) {
			made[k], err = p.start(ctx, flow.Instance(k+1), 0)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("starting the %d instances that the run begins with: %w", n, err)
	}
	for k := range made {
		p.instance(flow.Instance(k + 1)).initial = true
		p.opts.Metrics.started(made[k])
		p.latencies.ready = append(p.latencies.ready, made[k].Ready)
	}
	return nil
}

func span(d time.Duration) units.Time     { return units.Time(d) * units.Nanosecond }
func duration(t units.Time) time.Duration { return time.Duration(t / units.Nanosecond) }
