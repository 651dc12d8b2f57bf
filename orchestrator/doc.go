// Package orchestrator is what runs on the SmartNIC, as a state machine that does no I/O.
//
// A plant - the simulator, or the harness of a real switch and real containers - tells it what happened and carries out
// what it answers:
//
//	actions := o.Handle(now, event)
//
// It never reads a clock, starts a goroutine or draws from a shared random source: the same events give the same
// actions and the same decisions, so a recorded run can be fed through it again.
//
// A flow's first packet misses in the eSwitch and becomes FlowArrived. The scheduler picks an instance and InstallRule
// tells the switch. Until RuleInstalled confirms it, further packets of the flow miss too; their FlowArrived changes
// nothing. At the end of each window the orchestrator asks for the counters, which telemetry turns into rates: the
// loads that the scheduler and the autoscaler act on. An instance that a scale-in removes drains: it takes no new
// flows, its flows are moved or finish, and when no flow is assigned to it and no rule can still point at it, it is
// deleted.
//
// Which policies there are, this package does not know. Config names one, which package scheduler and package
// autoscaler look up in their tables, or brings its own. Package policy is the contract: the policy is told of what
// concerns it and is asked where each flow goes, and the orchestrator makes rules of the answers.
//
// Where flows are decided on burst by burst, Dispatch is a second entry, as pure as Handle: it answers at once, for
// millions of bursts a second that no log has line by line.
//
// The files: event.go has the events and the actions, orchestrator.go the configuration and Handle, flows.go the life
// of a flow, held.go those that wait, moves.go those that a policy moves, bursts.go the bursts of flows, instances.go
// the life of an instance, scaling.go the autoscaler's side, resize.go the shares of instances, reports.go what they
// report, log.go the decision log.
package orchestrator
