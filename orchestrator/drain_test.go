package orchestrator

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// drained is two instances with a confirmed flow each, at a scale-in to one: instance 2 is the victim. It returns what
// the evaluation makes of it.
func drained(t *testing.T, drain string) (*Orchestrator, []Action) {
	o := mustNew(t, config(func(c *Config) {
		c.Initial = 2
		c.Autoscaler.Drain, c.Autoscaler.Stabilization = drain, 0
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	for i := range flow.Instance(2) {
		o.Handle(0, &Event{Kind: InstanceReady, Instance: i + 1})
	}
	for f := range flow.ID(2) {
		a := o.Handle(0, &Event{Kind: FlowArrived, Flow: f})
		o.Handle(0, &Event{Kind: RuleInstalled, Flow: f, Instance: a[0].Instance})
	}
	o.Handle(units.Second, &Event{Kind: CountersRead, Sampled: units.Second, Counters: []Counter{rx(1, 10), rx(2, 10)}})
	return o, slices.Clone(o.Handle(units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer}))
}

func TestDrain(t *testing.T) {
	timer := Action{Kind: SetTimer, Timer: AutoscaleTimer, At: 2 * units.Second}
	moved := []Action{{Kind: MoveRule, Flow: 1, Instance: 1}, timer}
	gone := []Action{{Kind: DeleteInstance, Instance: 2}}

	o, got := drained(t, "move")
	if !slices.Equal(got, moved) {
		t.Errorf("move: %v, want %v: no deletion while the old rule may be in force", got, moved)
	}
	if got := o.Handle(units.Second, &Event{Kind: RuleInstalled, Flow: 1, Instance: 1}); !slices.Equal(got, gone) {
		t.Errorf("move confirmed: %v, want %v", got, gone)
	}

	o, got = drained(t, "finish")
	if !slices.Equal(got, []Action{timer}) {
		t.Errorf("finish: %v, want only %v", got, timer)
	}
	if got := o.Handle(units.Second, &Event{Kind: FlowArrived, Flow: 2}); len(got) != 1 || got[0].Instance != 1 {
		t.Errorf("a new flow while 2 drains: %v, want it on 1", got)
	}
	if got := o.Handle(units.Second, &Event{Kind: FlowEnded, Flow: 1}); !slices.Equal(got, gone) {
		t.Errorf("its last flow ended: %v, want %v", got, gone)
	}
}

func TestScaleOutTakesBackADrainingInstance(t *testing.T) {
	o, _ := drained(t, "finish")
	counters := []Counter{rx(1, 7e6), rx(2, 10)}
	o.Handle(2*units.Second, &Event{Kind: CountersRead, Sampled: 2 * units.Second, Counters: counters})
	got := o.Handle(2*units.Second, &Event{Kind: Tick, Timer: AutoscaleTimer})
	if len(got) != 1 || got[0].Kind != SetTimer {
		t.Errorf("%v, want no creation", got)
	}
	if want := []flow.Instance{1, 2}; !slices.Equal(o.view.IDs, want) {
		t.Errorf("ready instances %v, want %v", o.view.IDs, want)
	}
}
