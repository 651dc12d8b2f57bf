package orchestrator_test

import (
	"fmt"
	"log"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/autoscaler"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/units"
)

// twoInstances are always there; flows go to them in turn unless another policy is named.
func twoInstances() orchestrator.Config {
	cfg := orchestrator.Config{Seed: 1, Initial: 2, Min: 2, Max: 2, Window: units.Second,
		Scheduler: scheduler.DefaultOptions(), Autoscaler: autoscaler.DefaultOptions()}
	cfg.Autoscaler.Policy = autoscaler.Named("none")
	return cfg
}

var verbs = map[orchestrator.ActionKind]string{
	orchestrator.InstallRule: "install a rule", orchestrator.MoveRule: "move the rule",
	orchestrator.CreateInstance: "create", orchestrator.ReadCounters: "read the counters",
	orchestrator.SetTimer: "set a timer",
}

// show prints an action: its rule or its instance, or when its timer fires.
func show(a orchestrator.Action) {
	switch a.Kind {
	case orchestrator.InstallRule, orchestrator.MoveRule:
		fmt.Printf("  %s: flow %d to instance %d\n", verbs[a.Kind], a.Flow, a.Instance)
	case orchestrator.CreateInstance:
		fmt.Printf("  %s instance %d\n", verbs[a.Kind], a.Instance)
	case orchestrator.SetTimer:
		fmt.Printf("  %s: %v\n", verbs[a.Kind], a.At)
	default:
		fmt.Printf("  %s\n", verbs[a.Kind])
	}
}

// A plant reports events, each with its time, and carries out the actions that come back. This one has two instances,
// of which the second dies.
func ExampleOrchestrator_Handle() {
	o, err := orchestrator.New(twoInstances(), nil)
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range []struct {
		ms   units.Time
		what string
		orchestrator.Event
	}{
		{0, "the run begins", orchestrator.Event{Kind: orchestrator.Start}},
		{600, "instance 1 is ready", orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: 1}},
		{600, "instance 2 is ready", orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: 2}},
		{700, "flow 0 arrives", orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: 0}},
		{701, "its rule is in force", orchestrator.Event{Kind: orchestrator.RuleInstalled, Flow: 0, Instance: 1}},
		{800, "flow 1 arrives", orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: 1}},
		{801, "its rule is in force", orchestrator.Event{Kind: orchestrator.RuleInstalled, Flow: 1, Instance: 2}},
		{900, "instance 2 dies", orchestrator.Event{Kind: orchestrator.InstanceFailed, Instance: 2}},
		{1000, "the window ends", orchestrator.Event{Kind: orchestrator.Tick, Timer: orchestrator.TelemetryTimer}},
	} {
		fmt.Printf("%d ms: %s\n", e.ms, e.what)
		for _, a := range o.Handle(e.ms*units.Millisecond, &e.Event) {
			show(a)
		}
	}
	// Output:
	// 0 ms: the run begins
	//   create instance 1
	//   create instance 2
	//   set a timer: 1s
	// 600 ms: instance 1 is ready
	// 600 ms: instance 2 is ready
	// 700 ms: flow 0 arrives
	//   install a rule: flow 0 to instance 1
	// 701 ms: its rule is in force
	// 800 ms: flow 1 arrives
	//   install a rule: flow 1 to instance 2
	// 801 ms: its rule is in force
	// 900 ms: instance 2 dies
	//   move the rule: flow 1 to instance 1
	// 1000 ms: the window ends
	//   read the counters
	//   set a timer: 2s
	//   create instance 3
}

// lowest sends every flow to the instance with the lowest number.
type lowest struct{ policy.Stateless }

func (lowest) Pick(_ *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	for slot, id := range v.IDs {
		log.Add(slot, float64(id), true)
	}
	return policy.Answer{Slot: 0}
}

// decisions prints what is decided on flows.
type decisions struct{}

func (decisions) Decided(d *orchestrator.Decision) {
	if d.Flow >= 0 {
		fmt.Printf("%s, flow %d: instance %d, %s, of %v\n", d.Policy, d.Flow, d.Instance, d.Reason, d.Candidates)
	}
}

// A policy need not be in the table of all policies: an experiment brings its own.
func ExampleNew_policy() {
	cfg := twoInstances()
	cfg.Policy = &policy.Row{
		Info: policy.Info{Name: "lowest", Rule: "the instance with the lowest number", Source: "this example",
			Score: "the number", Sees: policy.T0},
		Reasons: []string{"lowest number"},
		Maker:   policy.Plain(func(policy.Env) policy.Policy { return lowest{} }),
	}
	o, err := orchestrator.New(cfg, decisions{})
	if err != nil {
		log.Fatal(err)
	}
	o.Handle(0, &orchestrator.Event{Kind: orchestrator.Start})
	for i := range flow.Instance(2) {
		o.Handle(0, &orchestrator.Event{Kind: orchestrator.InstanceReady, Instance: i + 1})
	}
	for f := range flow.ID(2) {
		o.Handle(units.Second, &orchestrator.Event{Kind: orchestrator.FlowArrived, Flow: f})
	}
	// Output:
	// lowest, flow 0: instance 1, lowest number, of [{1 1 true} {2 2 true}]
	// lowest, flow 1: instance 1, lowest number, of [{1 1 true} {2 2 true}]
}
