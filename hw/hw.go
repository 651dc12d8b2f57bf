// Package hw says what the real plant wants of its hardware, in three interfaces: a Switch steers each flow to an
// instance, counts what it steered, and hands up the first packet of a flow that it does not know; a ContainerEngine
// (containers.go) starts and stops instances; a Generator (generator.go) offers the traffic. Drivers live below it - hw/ovs
// for Open vSwitch - and package switchtest is the suite that each driver of a switch passes. Package hw/testbed opens the
// three together, from a file; package hw/replay runs a scenario on them.
//
// A Switch is asynchronous, because a rule takes effect some time after it was asked for. Install, Move and Remove
// return as soon as the request is on its way; what became of it comes as an Event, exactly one for each request:
// Confirmed once the switch says that it is in force, or Rejected with a reason, and then what was in force stays so.
// Requests for the same flow take effect in the order in which they were made, and are answered in that order. A switch
// whose data path caches may treat some packets as before for a while after it has confirmed: Capabilities.RuleLag. So a
// packet-in may come of a flow that has a rule, and a packet from an instance that the flow has left.
//
// Three more promises make a Switch fit for the orchestrator. A counter that it shows never goes back, not over a move,
// nor over a restart of the switch (what was counted between the last reading and the crash is lost, since nobody
// saw it). The rules asked for come back after such a restart. And nothing is touched that somebody else put into
// the same switch.
package hw

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// The errors that any Switch returns; others say more.
var (
	ErrClosed = errors.New("switch is closed")
	ErrDown   = errors.New("no connection to the switch")
)

// Switch is a programmable switch with one port where traffic comes in, the uplink, and a pair of ports for each
// instance. All methods are safe for concurrent use. After Close each of them fails with ErrClosed or does nothing.
// While the switch does not answer, Install, Move and Remove wait for it, and the others fail with ErrDown.
type Switch interface {
	// Attach says at which ports an instance is, and begins to count it from zero. Attached again, it goes on at the
	// new ports and its counters go on. It returns when the switch has confirmed. Before it, rules for the instance
	// are accepted but lead nowhere.
	Attach(ctx context.Context, i flow.Instance, at Ports) error
	// Detach forgets an instance and returns its last counters. Rules that still lead to it drop.
	Detach(ctx context.Context, i flow.Instance) (telemetry.Counter, error)

	// Install adds rules. A rule whose flow or five-tuple has one already is rejected.
	Install(rules ...Rule) error
	// Move changes the instances of rules and keeps their counters.
	Move(moves ...Move) error
	// Remove deletes rules; the next packet of such a flow is a packet-in again.
	Remove(flows ...flow.ID) error
	// Forward sends a packet that came as a packet-in to an instance, and counts it there.
	Forward(frame []byte, i flow.Instance) error

	// Counters reads what was counted for the attached instances, in order of their numbers.
	Counters(ctx context.Context) (Reading, error)
	// Rules reads the rules in force with their counters, in order of the flows' numbers. After a driver was opened to
	// adopt what an earlier run left, this is how to learn what that is.
	Rules(ctx context.Context) (RuleReading, error)

	// Events is where everything is reported that was not asked for with a context. It is closed after Close. Rule
	// events wait without limit for the reader; packet-ins beyond Capabilities.PacketInQueue are dropped.
	Events() <-chan Event
	Capabilities() Capabilities
	Close() error
}

// Ports are an instance's ports by the names that the switch knows. They may be the same one.
type Ports struct {
	In  string // the switch sends the instance's packets out of it
	Out string // what the instance has processed comes from it
}

// Rule forwards the packets of one flow to an instance; instance 0 drops them.
type Rule struct {
	Flow     flow.ID
	Tuple    flow.FiveTuple
	Instance flow.Instance
	Idle     time.Duration // without a packet for so long, the switch ends the rule; rounded up to its resolution; 0 for never
}

// Check says what is wrong with a rule, whatever the switch: a flow or instance below 0, a five-tuple that is not one of
// TCP or UDP between two addresses of one family without zone, a negative idle time. A Switch rejects such a rule.
func (r *Rule) Check() error {
	t := &r.Tuple
	switch {
	case r.Flow < 0:
		return fmt.Errorf("flow %d: want 0 or more", r.Flow)
	case r.Instance < 0:
		return fmt.Errorf("instance %d: want 0 or more", r.Instance)
	case t.Proto != flow.TCP && t.Proto != flow.UDP:
		return fmt.Errorf("protocol %s: want tcp or udp", flow.ProtoName(t.Proto))
	case !t.Src.IsValid() || t.Src.Is4In6() || t.Dst.Is4In6() || t.Src.BitLen() != t.Dst.BitLen() || t.Src.Zone() != "" || t.Dst.Zone() != "":
		return fmt.Errorf("addresses %v and %v: want two of one family, without zone", t.Src, t.Dst)
	case r.Idle < 0:
		return fmt.Errorf("idle time %v: want 0 or more", r.Idle)
	}
	return nil
}

// Move gives a rule another instance; 0 drops.
type Move struct {
	Flow     flow.ID
	Instance flow.Instance
}

// Reading is what the switch showed at one time.
type Reading struct {
	// At is when the answer came. The values are those that the data path held no more than Capabilities.CounterLag
	// before.
	At       time.Time
	Counters []telemetry.Counter
}

// RuleCount is a rule and what it has forwarded since it was installed.
type RuleCount struct {
	Rule
	Packets, Bytes uint64
}

// RuleReading is a Reading of rules.
type RuleReading struct {
	At    time.Time
	Rules []RuleCount
}

// EventKind says what happened in the switch.
type EventKind uint8

// The events. What carries a meaning beside Kind and At stands with each.
const (
	PacketIn  EventKind = iota // Tuple, Frame: a packet that no rule was applied to came in at the uplink
	Confirmed                  // Op, Flow, Instance, Latency; with OpRemove also Packets, Bytes: a request took effect
	Rejected                   // Op, Flow, Instance, Reason: a request was refused; what was in force stays
	Ended                      // Flow, Packets, Bytes, Reason: the switch, or somebody else, removed a rule; Idle if for lack of packets
	Lost                       // Reason: the switch does not answer; requests wait
	Restored                   // the switch is back, and the rules in it
	PortGone                   // Instance, Reason: a port of an attached instance, or with instance 0 uplink or sink, is no longer the switch's. Once, until it is there again
)

func (k EventKind) String() string {
	return [...]string{"packet-in", "confirmed", "rejected", "ended", "lost", "restored", "port-gone"}[k]
}

// Op is a request.
type Op uint8

// The requests.
const (
	OpInstall Op = iota
	OpMove
	OpRemove
)

func (o Op) String() string { return [...]string{"install", "move", "remove"}[o] }

// Event is a report of the switch.
type Event struct {
	Kind           EventKind
	Op             Op
	Idle           bool
	Flow           flow.ID
	Instance       flow.Instance
	At             time.Time // when the driver learnt of it
	Latency        time.Duration
	Tuple          flow.FiveTuple
	Frame          []byte // the reader's to keep
	Packets, Bytes uint64 // everything that the rule forwarded
	Reason         string
}

// Capabilities are what a switch can do, for those who must reckon with it. In JSON times are in nanoseconds.
type Capabilities struct {
	Name           string        `json:"name"`            // driver and version, for the record
	MaxRules       int           `json:"max_rules"`       // rules that it holds; 0 when it is not known before one is rejected
	RuleLag        time.Duration `json:"rule_lag"`        // how long after Confirmed a data path that caches may treat packets as before
	CounterLag     time.Duration `json:"counter_lag"`     // how old the values of a reading may be; a rate over a shorter time means nothing
	IdleResolution time.Duration `json:"idle_resolution"` // of Rule.Idle; 0 if the switch does not end idle rules
	MoveIsAtomic   bool          `json:"move_is_atomic"`  // no packet is missed or sent up during a move
	PacketInQueue  int           `json:"packet_in_queue"` // packet-ins that wait for the reader of Events before others are dropped
	PortEvents     bool          `json:"port_events"`     // PortGone is reported
	InstallRate    float64       `json:"install_rate"`    // rules a second that it was measured to take, as docs/hardware.md says; 0 if nobody has measured it
	Counting       string        `json:"counting"`        // in words: what counts packets
	SlowPath       string        `json:"slow_path"`       // in words: how a packet without a rule comes up, and goes on
}
