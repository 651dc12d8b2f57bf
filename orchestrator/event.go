package orchestrator

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/scheduler"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
	"github.com/smartinco/smartinco/units"
)

// EventKind says what happened in the plant.
type EventKind uint8

// The events. What a plant must fill in beside the kind stands with each. RuleInstalled and RuleRejected answer a
// flow's newest order, InstallRule or MoveRule; the orders that it replaced need no answer. Where there are no rules,
// FlowArrived comes when the flow sends its first packet, before that packet goes anywhere.
const (
	Start            EventKind = iota // the run begins; first event of every run
	FlowArrived                       // Flow, Tuple, Tenant: a flow's first packet missed and is at the scheduler
	FlowEnded                         // Flow: it ended or was idle; the plant has removed its rule, if it had one
	CountersRead                      // Counters, Sampled: answer to ReadCounters
	InstanceReady                     // Instance: it takes packets from now on
	InstanceFailed                    // Instance, Reason: it died, or its creation failed; it takes no packets
	InstanceGone                      // Instance: its deletion is complete
	RuleInstalled                     // Flow, Instance: the flow's newest order took effect
	RuleRejected                      // Flow, Instance, Reason: the switch refused the order; what was in force stays
	Tick                              // Timer: the timer of a SetTimer fired
	RulesRead                         // Rules, Sampled: answer to ReadRules
	ReportsRead                       // Reports, Sampled: answer to ReadReports
	FlowGrown                         // Flow: the slow path has served as many of its packets as Offload.After says
	InstanceResized                   // Instance, Share: it has that share of a core; Reason, if the order was refused
	InstanceIdle                      // Instance: where there are requests, one that drains has replied to the last
	BurstsDispatched                  // Bursts: what Dispatch has done so far, see there
)

// Event is what a plant reports. Only the fields named with its kind carry meaning; the others are zero.
type Event struct {
	Kind     EventKind
	Flow     flow.ID
	Instance flow.Instance
	Timer    Timer
	Tuple    flow.FiveTuple
	Rate     float64       // packets a second: of FlowArrived, see Orchestrator.WantsRates; of Tick, see Foresees
	Tenant   string        // of FlowArrived: whose flow it is; empty where the traffic has no tenants
	Sampled  units.Time    // when the counters held these values in the switch
	Counters []Counter     // valid during Handle only
	Rules    []RuleCounter // of all rules in force, in order of the flows' numbers; valid during Handle only
	Reports  []Report      // of the instances that run; valid during Handle only
	Share    float64       // of a core
	Bursts   Bursts
	Reason   string
}

// Counter is what the switch has counted for one instance since the instance was created, over all of its rules.
type Counter = telemetry.Counter

// RuleCounter is what the switch has counted for one flow's rule.
type RuleCounter = telemetry.RuleCounter

// Report is what the agent on one instance says of it.
type Report = telemetry.Report

// Timer names one of the orchestrator's timers.
type Timer uint8

// The timers.
const (
	NoTimer        Timer = iota
	TelemetryTimer       // a window ends: read the counters
	AutoscaleTimer       // evaluate the number of instances
	MoveTimer            // read the counters of the rules, by which the policy moves flows
	ReportTimer          // read the reports of the instances' agents
	DispatchTimer        // without rules: what the policy says of flows that live may change now

	Timers = iota // how many values a Timer has
)

// ActionKind says what the plant must do.
type ActionKind uint8

// The actions. What each carries stands with it.
const (
	InstallRule    ActionKind = iota // Flow, Instance: forward the flow to the instance; Instance 0 drops the flow
	MoveRule                         // Flow, Instance: change the target, keep the counters
	RemoveRule                       // Flow: delete the rule, if any, and forget the target; its next packet is a miss
	CreateInstance                   // Instance, Share: start a container; answered by InstanceReady or InstanceFailed
	DeleteInstance                   // Instance: stop a container; answered by InstanceGone
	ReadCounters                     // read all instances' counters; answered by CountersRead
	SetTimer                         // Timer, At: send Tick at that time; a later SetTimer of the timer replaces it
	ReadRules                        // read the counters of all rules in force; answered by RulesRead
	ReadReports                      // read what Orchestrator.Measures names of all instances; answered by ReportsRead
	Steer                            // Flow, Instance, Hops: send its packets there without a rule; 0 drops them
	ResizeInstance                   // Instance, Share: give it that share of a core; answered by InstanceResized
)

// Action is what the orchestrator wants done.
type Action struct {
	Kind     ActionKind
	Flow     flow.ID
	Instance flow.Instance
	Timer    Timer
	At       units.Time
	Hops     uint8   // instances that hand the flow's packets on before they reach Instance
	Share    float64 // of a core; 0 for all of it
}

// Decision is one entry of the decision log: what was decided, among what, and why. It is handed to the Logger during
// Handle and reused afterwards: copy what you keep. Candidates are in order of the instances' numbers; where there are
// more than scheduler.MaxCandidates of them, the best that many are listed.
type Decision struct {
	At         units.Time
	Kind       string        // one of the Kinds
	Policy     string        // the policy that decided
	Flow       flow.ID       // with the decisions on a flow; -1 otherwise
	Instance   flow.Instance // the choice; 0 for none
	Current    int           // instances now, with the autoscaler's stages
	Desired    int           // instances wanted, with the autoscaler's stages
	Reason     string        // one short sentence
	Candidates []Candidate
}

// Candidate is one choice that a policy weighed.
type Candidate = scheduler.Candidate

// Logger receives every decision.
type Logger interface{ Decided(*Decision) }
