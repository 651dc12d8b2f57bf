package orchestrator

import (
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// A flow takes memory while it lives. When it has ended, an event that names it comes too late, and it can come again.
func TestEndedFlowsAreForgotten(t *testing.T) {
	for shows, policy := range map[string]string{
		"tuples": "hash", "rates": "oracle", "tenants": "mesos-drf",
	} {
		t.Run(shows, func(t *testing.T) {
			o := mustNew(t, config(func(c *Config) {
				c.Initial, c.Scheduler.Policy = 1, scheduler.Named(policy)
			}), nil)
			at := func(e Event) []Action { return o.Handle(units.Second, &e) }
			at(Event{Kind: Start})
			at(Event{Kind: InstanceReady, Instance: 1})
			const n = 1000
			for f := range flow.ID(n) {
				at(Event{Kind: FlowArrived, Flow: f, Rate: 1e6, Tenant: "a"})
			}
			if o.insts[1].flows.n+int32(o.held.n) != n {
				t.Fatalf("%d flows placed, %d held, want %d in all", o.insts[1].flows.n, o.held.n, n)
			}
			for f := range flow.ID(n) {
				at(Event{Kind: FlowEnded, Flow: f})
			}
			for f := range flow.ID(n) {
				if o.flows.Near(f) != nil || o.tupled && o.tuples.Near(f) != nil ||
					o.WantsRates() && o.rates.Near(f) != nil || o.owned && o.tenants.Near(f) != nil {
					t.Fatalf("flow %d of %d that have ended takes memory", f, n)
				}
			}
			if a := at(Event{Kind: RuleInstalled, Flow: 5, Instance: 1}); len(a) != 1 || a[0].Kind != RemoveRule {
				t.Errorf("a rule that comes after its flow: %+v, want it removed", a)
			}
			at(Event{Kind: FlowEnded, Flow: 5})
			at(Event{Kind: FlowGrown, Flow: 5})
			if at(Event{Kind: RuleRejected, Flow: 5, Instance: 1}); ended != (flowState{}) {
				t.Errorf("what ended flows share has changed: %+v", ended)
			}
			at(Event{Kind: FlowArrived, Flow: 5, Rate: 1e6, Tenant: "a"})
			if f := o.flow(5); f.phase != placed || f.target != 1 {
				t.Errorf("a flow that comes again: %+v, want it placed on instance 1", f)
			}
		})
	}
}
