package orchestrator

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// ms is a time in milliseconds.
func ms(n int) units.Time { return units.Time(n) * units.Millisecond }

// deleted lists the instances that the actions delete.
func deleted(actions []Action) (ids []flow.Instance) {
	for _, a := range actions {
		if a.Kind == DeleteInstance {
			ids = append(ids, a.Instance)
		}
	}
	return ids
}

// A flow is ordered from 1 to 2 to 3 while the switch has not answered even the first order: the rule may lead to any
// of them.
func TestNoInstanceIsDeletedToWhichARuleMayLead(t *testing.T) {
	chased := func(t *testing.T) (*Orchestrator, []flow.Instance) {
		o := mustNew(t, config(func(c *Config) {
			c.Scheduler.Policy = scheduler.Named("worst-fit")
			c.Autoscaler.Victim, c.Autoscaler.MaxStepIn, c.Autoscaler.Stabilization = "oldest", 1, 0
		}), nil)
		o.Handle(0, &Event{Kind: Start})
		for i := range flow.Instance(3) {
			o.Handle(0, &Event{Kind: InstanceReady, Instance: i + 1})
		}
		to := []flow.Instance{o.Handle(0, &Event{Kind: FlowArrived, Flow: 0})[0].Instance}
		for s := 1; s <= 2; s++ {
			now := units.Time(s) * units.Second
			o.Handle(now, &Event{Kind: CountersRead, Sampled: now, Counters: []Counter{rx(1, 1), rx(2, 1), rx(3, 1)}})
			actions := o.Handle(now, &Event{Kind: Tick, Timer: AutoscaleTimer})
			if gone := deleted(actions); gone != nil {
				t.Errorf("%v deleted at %v s, while a rule may lead there", gone, s)
			}
			for _, a := range actions {
				if a.Kind == MoveRule {
					to = append(to, a.Instance)
				}
			}
		}
		if want := []flow.Instance{1, 2, 3}; !slices.Equal(to, want) {
			t.Fatalf("the flow is sent to %v, want %v", to, want)
		}
		return o, to
	}
	at := 3 * units.Second
	for _, c := range []struct {
		name   string
		events []Event
		want   []flow.Instance // deleted at the last event, and none before it
	}{
		{"the newest order is confirmed", []Event{{Kind: RuleInstalled, Instance: 3}}, []flow.Instance{1, 2}},
		{"an older one is, and then the newest",
			[]Event{{Kind: RuleInstalled, Instance: 2}, {Kind: RuleInstalled, Instance: 3}}, []flow.Instance{1, 2}},
		{"the newest is refused: what was in force stays", []Event{{Kind: RuleRejected, Instance: 3}}, nil},
		{"refused, tried again, and confirmed",
			[]Event{{Kind: RuleRejected, Instance: 3}, {Kind: CountersRead, Sampled: at},
				{Kind: RuleInstalled, Instance: 3}}, []flow.Instance{1, 2}},
		{"the flow ends, and its rule with it", []Event{{Kind: FlowEnded}}, []flow.Instance{1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, _ := chased(t)
			for k := range c.events {
				var want []flow.Instance
				if k == len(c.events)-1 {
					want = c.want
				}
				if got := deleted(o.Handle(at, &c.events[k])); !slices.Equal(got, want) {
					t.Errorf("event %d: %v deleted, want %v", k, got, want)
				}
			}
		})
	}
}

// A flow that ends while it is held is forgotten: neither does it come back, nor is a place kept for it.
func TestAHeldFlowThatEndsIsForgotten(t *testing.T) {
	o := mustNew(t, config(func(c *Config) { c.Initial, c.Min = 1, 1 }), nil)
	o.Handle(0, &Event{Kind: Start})
	for f := range flow.ID(4) {
		o.Handle(ms(int(f)), &Event{Kind: FlowArrived, Flow: f})
	}
	o.Handle(ms(5), &Event{Kind: FlowEnded, Flow: 0})
	o.Handle(ms(5), &Event{Kind: FlowEnded, Flow: 2})
	o.Handle(ms(6), &Event{Kind: FlowArrived, Flow: 0}) // anew, and so behind the others
	if got := o.held.n; got != 3 {
		t.Errorf("%d flows are held, want 3", got)
	}
	var got []flow.ID
	for _, a := range o.Handle(ms(10), &Event{Kind: InstanceReady, Instance: 1}) {
		got = append(got, a.Flow)
	}
	if want := []flow.ID{1, 3, 0}; !slices.Equal(got, want) {
		t.Errorf("flows %v are placed, want %v", got, want)
	}
}

// When an instance dies, a flow of it that is held has its rule removed, even if it has none: the switch's slow path
// would go on to send it to the instance. A flow that is refused gets a drop rule in place of the one that it had.
func TestWhatAFlowOfADeadInstanceLoses(t *testing.T) {
	install, remove := Action{Kind: InstallRule}, Action{Kind: RemoveRule}
	for _, c := range []struct {
		noInstance string
		answer     EventKind
		want       []Action
	}{
		{"hold", RuleInstalled, []Action{remove}},
		{"hold", RuleRejected, []Action{remove}},
		{"drop", RuleInstalled, []Action{remove, install}},
		{"drop", RuleRejected, []Action{install}},
	} {
		o := mustNew(t, config(func(cfg *Config) { cfg.Initial, cfg.Scheduler.NoInstance = 1, c.noInstance }), nil)
		o.Handle(0, &Event{Kind: Start})
		o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
		o.Handle(0, &Event{Kind: FlowArrived, Flow: 0})
		o.Handle(0, &Event{Kind: c.answer, Flow: 0, Instance: 1})
		if got := o.Handle(ms(1), &Event{Kind: InstanceFailed, Instance: 1}); !slices.Equal(got, c.want) {
			t.Errorf("no_instance: %s, answer %d: %v, want %v", c.noInstance, c.answer, got, c.want)
		}
	}
}

// Counters come one and a half windows after they were sampled. The packets of a reading are divided by the time that
// flows had lived when it was asked for, not by that of a later one.
func TestDemandIsOfOneReading(t *testing.T) {
	o := mustNew(t, config(func(c *Config) { c.Initial, c.Scheduler.Policy = 1, scheduler.Named("best-fit") }), nil)
	o.Handle(0, &Event{Kind: Start})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	packets := func(at int) (n uint64) { // each flow sends one a millisecond
		for _, start := range []int{500, 1100, 1200} {
			n += uint64(max(0, at-start))
		}
		return n
	}
	for at := 0; at <= 6000; at += 100 {
		switch at {
		case 500, 1100, 1200:
			o.Handle(ms(at), &Event{Kind: FlowArrived, Flow: flow.ID(o.flows.Len())})
		}
		if at%1000 == 500 && at > 2000 {
			o.Handle(ms(at), &Event{Kind: CountersRead, Sampled: ms(at - 1500),
				Counters: []Counter{rx(1, packets(at-1500))}})
			if d := o.demand.Demand(); d < 999.9 || d > 1000.1 {
				t.Errorf("at %d ms: demand %v pps, want 1000", at, d)
			}
		}
		if at%1000 == 0 && at > 0 {
			o.Handle(ms(at), &Event{Kind: Tick, Timer: TelemetryTimer})
		}
	}
}

// A mean that is measured as 0 is 0: a flow that is expected to bring nothing fits wherever there is no more than the
// limit. To put idle instances in order it still counts as 1 pps.
func TestDemandMeasuredAsZero(t *testing.T) {
	o := mustNew(t, config(func(c *Config) { c.Initial, c.Scheduler.Policy = 2, scheduler.Named("worst-fit") }), nil)
	o.Handle(0, &Event{Kind: Start})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 1})
	o.Handle(0, &Event{Kind: InstanceReady, Instance: 2})
	o.Handle(0, &Event{Kind: FlowArrived, Flow: 0})
	read := func(s int, packets uint64) {
		now := units.Time(s) * units.Second
		o.Handle(now, &Event{Kind: Tick, Timer: TelemetryTimer})
		o.Handle(now, &Event{Kind: CountersRead, Sampled: now, Counters: []Counter{rx(1, packets), rx(2, 0)}})
	}
	for _, c := range []struct {
		packets uint64
		want    float64
	}{{5000, 5000}, {5000, 1}, {12000, 7000}} {
		read(o.timesRead()+1, c.packets)
		if d := o.demand.Demand(); d != c.want {
			t.Errorf("%d packets: demand %v, want %v", c.packets, d, c.want)
		}
	}
	read(4, 12000) // 0 again
	o.Handle(4*units.Second, &Event{Kind: FlowArrived, Flow: 1})
	if got, want := loads(o), []float64{1, 0}; !slices.Equal(got, want) {
		t.Errorf("loads %v, want %v", got, want)
	}
	o.Handle(5*units.Second, &Event{Kind: FlowEnded, Flow: 0})
	o.Handle(5*units.Second, &Event{Kind: FlowEnded, Flow: 1})
	read(5, 12000)
	read(6, 13000) // packets of no flow that is known of: nothing to divide by
	if d := o.demand.Demand(); d != 1 {
		t.Errorf("demand %v after a window without flows, want it as it was: none, which counts as 1", d)
	}
}

// timesRead is how many windows of a second have been read.
func (o *Orchestrator) timesRead() int { return int(o.meter.Sampled() / units.Second) }
