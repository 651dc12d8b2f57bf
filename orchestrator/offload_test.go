package orchestrator

import (
	"slices"
	"testing"

	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// A flow has an instance from its first packet on, and a rule from when it has sent enough. Two instances take turns;
// a flow that comes when there is none is dropped.
func TestRulesForFlowsThatGrow(t *testing.T) {
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Min = 2, 1
		c.Scheduler.Policy, c.Scheduler.NoInstance = scheduler.Named("round-robin"), "drop"
		c.Scheduler.Offload.After = 10
		c.Autoscaler.Policy.Name = "none"
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	timer := Action{Kind: SetTimer, Timer: TelemetryTimer, At: 2 * units.Second}
	for _, step := range []struct {
		what  string
		event Event
		want  []Action
	}{
		{"a flow without an instance", Event{Kind: FlowArrived, Flow: 9}, []Action{{Kind: Steer, Flow: 9}}},
		{"and it grows: a rule that drops", Event{Kind: FlowGrown, Flow: 9}, []Action{{Kind: InstallRule, Flow: 9}}},
		{"an instance", Event{Kind: InstanceReady, Instance: 1}, nil},
		{"another", Event{Kind: InstanceReady, Instance: 2}, nil},
		{"a small flow", Event{Kind: FlowArrived, Flow: 0}, []Action{{Kind: Steer, Flow: 0, Instance: 1}}},
		{"a large flow", Event{Kind: FlowArrived, Flow: 1}, []Action{{Kind: Steer, Flow: 1, Instance: 2}}},
		{"it grows", Event{Kind: FlowGrown, Flow: 1}, []Action{{Kind: InstallRule, Flow: 1, Instance: 2}}},
		{"it grows once", Event{Kind: FlowGrown, Flow: 1}, nil},
		{"the switch refuses", Event{Kind: RuleRejected, Flow: 1, Instance: 2}, nil},
		{"a window ends", Event{Kind: Tick, Timer: TelemetryTimer}, []Action{{Kind: ReadCounters}, timer}},
		{"and the rule is tried again", Event{Kind: CountersRead, Sampled: units.Second},
			[]Action{{Kind: InstallRule, Flow: 1, Instance: 2}}},
		{"in force", Event{Kind: RuleInstalled, Flow: 1, Instance: 2}, nil},
		{"the small flow's instance dies", Event{Kind: InstanceFailed, Instance: 1},
			[]Action{{Kind: Steer, Flow: 0, Instance: 2}, {Kind: CreateInstance, Instance: 3}}},
		{"the small flow ends", Event{Kind: FlowEnded, Flow: 0}, nil},
		{"too late", Event{Kind: FlowGrown, Flow: 0}, nil},
	} {
		if got := o.Handle(units.Second, &step.event); !slices.Equal(got, step.want) {
			t.Errorf("%s: %v, want %v", step.what, got, step.want)
		}
	}
}

// A flow that grows while it is held gets its rule with its instance. One that loses its instance keeps its size.
func TestAHeldFlowGrows(t *testing.T) {
	o := mustNew(t, config(func(c *Config) {
		c.Initial, c.Scheduler.Offload.After = 1, 10
		c.Autoscaler.Policy.Name = "none"
	}), nil)
	o.Handle(0, &Event{Kind: Start})
	for _, step := range []struct {
		event Event
		want  []Action
	}{
		{Event{Kind: FlowArrived, Flow: 0}, nil},
		{Event{Kind: FlowGrown, Flow: 0}, nil},
		{Event{Kind: InstanceReady, Instance: 1}, []Action{{Kind: InstallRule, Flow: 0, Instance: 1}}},
		{Event{Kind: InstanceFailed, Instance: 1}, []Action{{Kind: RemoveRule, Flow: 0},
			{Kind: CreateInstance, Instance: 2}}},
		{Event{Kind: InstanceReady, Instance: 2}, []Action{{Kind: InstallRule, Flow: 0, Instance: 2}}},
	} {
		if got := o.Handle(units.Second, &step.event); !slices.Equal(got, step.want) {
			t.Errorf("%+v: %v, want %v", step.event, got, step.want)
		}
	}
}
