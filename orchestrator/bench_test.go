package orchestrator

import (
	"fmt"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// steady is an orchestrator with n ready, measured instances of uneven load, none of which scales.
func steady(t testing.TB, n int, policy string, log Logger) *Orchestrator {
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Min, c.Max = n, n, n
		c.Scheduler.Policy = scheduler.Named(policy)
		c.Autoscaler.Policy = autoscaler.Named("none")
	}), log)
	o.Handle(0, &Event{Kind: Start})
	counters := make([]Counter, n)
	for i := range n {
		o.Handle(0, &Event{Kind: InstanceReady, Instance: flow.Instance(i + 1)})
		counters[i] = Counter{Instance: flow.Instance(i + 1), RxPackets: uint64(1e6 + i*7919%n*1000)}
	}
	o.Handle(units.Second, &Event{Kind: Tick, Timer: TelemetryTimer})
	o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second, Counters: counters})
	return o
}

// cycle is a flow's whole life: one scheduling decision, its rule, its end.
func cycle(o *Orchestrator, e *Event, id flow.ID) {
	e.Kind, e.Flow = FlowArrived, id
	a := o.Handle(units.Second, e)
	e.Kind, e.Instance = RuleInstalled, a[0].Instance
	o.Handle(units.Second, e)
	e.Kind = FlowEnded
	o.Handle(units.Second, e)
}

func TestDecisionsDoNotAllocate(t *testing.T) {
	for _, p := range scheduler.On(policy.Flows).Infos() {
		for _, log := range []Logger{nil, discard{}} {
			o := steady(t, 100, p.Name, log)
			var e Event
			run := func() {
				for id := range flow.ID(1000) {
					cycle(o, &e, id)
				}
			}
			// Counters are read between the rounds, as in each window: that empties the queue of unmeasured flows.
			window := units.Second
			read := &Event{Kind: CountersRead}
			round := func() {
				run()
				window += units.Second
				read.Sampled = window
				o.Handle(window, read)
			}
			round()
			if n := testing.AllocsPerRun(10, round); n != 0 {
				t.Errorf("%s, log %v: %v allocations in 1000 decisions, want none", p.Name, log != nil, n)
			}
		}
	}
}

func benchmarkSchedule(b *testing.B, n int) {
	for _, p := range scheduler.On(policy.Flows).Infos() {
		for _, log := range []Logger{nil, discard{}} {
			b.Run(fmt.Sprintf("%s/log=%v", p.Name, log != nil), func(b *testing.B) {
				o := steady(b, n, p.Name, log)
				var e Event
				read := &Event{Kind: CountersRead, Sampled: units.Second}
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					cycle(o, &e, 0)
					if n%4096 == 4095 { // as in windows: the flows are not measured without
						read.Sampled += units.Second
						o.Handle(read.Sampled, read)
					}
				}
			})
		}
	}
}

// A decision among 8 instances, with the rule's confirmation and the flow's end.
func BenchmarkSchedule8(b *testing.B) { benchmarkSchedule(b, 8) }

// The same among 1,000.
func BenchmarkSchedule1000(b *testing.B) { benchmarkSchedule(b, 1000) }

// A million flows arrive and are confirmed; they stay.
func BenchmarkMillionFlows(b *testing.B) {
	for b.Loop() {
		o := steady(b, 8, "worst-fit", nil)
		var e Event
		for id := range flow.ID(1e6) {
			e.Kind, e.Flow = FlowArrived, id
			a := o.Handle(units.Second, &e)
			e.Kind, e.Instance = RuleInstalled, a[0].Instance
			o.Handle(units.Second, &e)
		}
	}
}
