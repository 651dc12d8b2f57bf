// Package hw says what the real plant wants of its hardware, in three interfaces: a Switch steers each flow to an
// instance, counts what it steered, and hands up the first packet of a flow that it does not know; a ContainerEngine
// (containers.go) starts and stops instances; a Generator (generator.go) offers the traffic. Drivers live below it -
// hw/ovs for Open vSwitch - and package switchtest is the suite that each driver of a switch passes. Package hw/testbed
// opens the three together, from a file; package hw/replay runs a scenario on them.
//
// A Switch is asynchronous, because a rule takes effect some time after the request. Install, Move and Remove return as
// soon as the request is on its way. Each request is answered by exactly one Event: Confirmed, once the switch says
// that the rule is in force, or Rejected with a reason, and then the rule that was in force stays. Requests for the
// same flow take effect, and are answered, in the order in which they were made. A switch whose data path has a cache
// may treat some packets as before for a while after it has confirmed (Capabilities.RuleLag). So a packet-in may belong
// to a flow that has a rule, and a packet may still reach an instance that its flow has left.
//
// A Switch keeps three more promises. Its counters never go back, neither when a rule is moved nor when the switch is
// restarted. (What was counted between the last reading and a crash is lost, since nobody saw it.) Its rules come back
// after such a restart. And it touches nothing that somebody else put into the same switch.
package hw

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/telemetry"
)

// The errors that every Switch may return. Each driver has errors of its own besides.
var (
	ErrClosed = errors.New("switch is closed")
	ErrDown   = errors.New("no connection to the switch")
)

// Switch is a programmable switch with one port where traffic comes in, the uplink, and a pair of ports for each
// instance. All methods are safe for concurrent use. After Close each of them fails with ErrClosed or does nothing.
// While the switch does not answer, Install, Move and Remove wait for it, and the others fail with ErrDown.
type Switch interface {
	// Attach says at which ports an instance is, and starts its counters at zero. An instance that is attached already
	// moves to the new ports and keeps its counters. Attach returns when the switch has confirmed. Rules for an
	// instance that is not attached are accepted, and drop.
	Attach(ctx context.Context, i flow.Instance, at Ports) error
	// Detach forgets an instance and returns its last counters. Rules that still lead to it drop from then on.
	Detach(ctx context.Context, i flow.Instance) (telemetry.Counter, error)

	// Install adds rules. It rejects a rule whose flow or five-tuple has one already.
	Install(rules ...Rule) error
	// Move changes the instances of rules and keeps their counters.
	Move(moves ...Move) error
	// Remove deletes rules; the next packet of such a flow is a packet-in again.
	Remove(flows ...flow.ID) error
	// Forward sends a packet that came as a packet-in to an instance, and counts it there.
	Forward(frame []byte, i flow.Instance) error

	// Counters reads what was counted for the attached instances, in order of their numbers.
	Counters(ctx context.Context) (Reading, error)
	// Rules reads the rules in force with their counters, in order of the flows' numbers. A driver that was opened to
	// adopt the rules of an earlier run shows them here.
	Rules(ctx context.Context) (RuleReading, error)

	// Events reports the answers to Install, Move and Remove, packet-ins, and what happens to the switch by itself. It
	// is closed after Close. Packet-ins beyond Capabilities.PacketInQueue are dropped; all other events wait for the
	// reader, however many they are.
	Events() <-chan Event
	Capabilities() Capabilities
	Close() error
}

// Ports are an instance's ports, by the names that the switch knows. Both may be the same port.
type Ports struct {
	In  string // where the switch sends packets to the instance
	Out string // where the switch takes packets from the instance
}

// Rule forwards the packets of one flow to an instance; instance 0 drops them.
type Rule struct {
	Flow     flow.ID
	Tuple    flow.FiveTuple
	Instance flow.Instance
	// Idle is how long the rule may go without a packet before the switch ends it, rounded up to the switch's
	// resolution; 0 means for ever.
	Idle time.Duration
}

// Check says what is wrong with a rule, whatever the switch: a flow or an instance below 0, a protocol other than TCP
// and UDP, addresses of two families or with a zone, a negative idle time. A Switch rejects such a rule.
func (r *Rule) Check() error {
	t := &r.Tuple
	switch {
	case r.Flow < 0:
		return fmt.Errorf("flow %d: want 0 or more", r.Flow)
	case r.Instance < 0:
		return fmt.Errorf("instance %d: want 0 or more", r.Instance)
	case t.Proto != flow.TCP && t.Proto != flow.UDP:
		return fmt.Errorf("protocol %s: want tcp or udp", flow.ProtoName(t.Proto))
	case !t.Src.IsValid() || t.Src.Is4In6() || t.Dst.Is4In6() || t.Src.BitLen() != t.Dst.BitLen() ||
		t.Src.Zone() != "" || t.Dst.Zone() != "":
		return fmt.Errorf("addresses %v and %v: want two of one family, without zone", t.Src, t.Dst)
	case r.Idle < 0:
		return fmt.Errorf("idle time %v: want 0 or more", r.Idle)
	}
	return nil
}

// Move leads a flow's rule to another instance; 0 drops the flow's packets.
type Move struct {
	Flow     flow.ID
	Instance flow.Instance
}

// Reading holds the counters that the switch showed at one time.
type Reading struct {
	// At is when the answer came. The data path held these values at most Capabilities.CounterLag earlier.
	At       time.Time
	Counters []telemetry.Counter
}

// RuleCount is a rule with what it has forwarded since it was installed; a rule that drops counts what it drops.
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

// The events. Each names the fields that it fills in beside Kind and At.
const (
	PacketIn  EventKind = iota // Tuple, Frame: a packet without a rule came in at the uplink
	Confirmed                  // Op, Flow, Instance, Latency; with OpRemove also Packets, Bytes: a request took effect
	Rejected                   // Op, Flow, Instance, Reason: a request was refused; the rule in force stays
	Ended                      // Flow, Idle, Packets, Bytes, Reason: the switch, or somebody else, removed a rule
	Lost                       // Reason: the switch does not answer; requests wait
	Restored                   // the switch is back, and so are the rules
	PortGone                   // Instance, Reason: a port has left the switch; reported once, until it is back
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
	Idle           bool // the rule ended for lack of packets
	Flow           flow.ID
	Instance       flow.Instance // of PortGone, whose port it is; 0 for uplink and sink
	At             time.Time     // when the driver learnt of it
	Latency        time.Duration // from the request until the switch confirmed it
	Tuple          flow.FiveTuple
	Frame          []byte // the reader's to keep
	Packets, Bytes uint64 // everything that the rule forwarded
	Reason         string
}

// Capabilities say what a switch can do. In JSON, times are in nanoseconds.
type Capabilities struct {
	// Name is the driver with its version, for the record.
	Name string `json:"name"`
	// MaxRules is how many rules the switch holds; 0 if that is not known before it rejects one.
	MaxRules int `json:"max_rules"`
	// RuleLag is for how long after Confirmed a data path with a cache may treat packets as before.
	RuleLag time.Duration `json:"rule_lag"`
	// CounterLag is how old the values of a reading may be. A rate over a shorter time means nothing.
	CounterLag time.Duration `json:"counter_lag"`
	// IdleResolution is that of Rule.Idle; 0 if the switch does not end idle rules.
	IdleResolution time.Duration `json:"idle_resolution"`
	// MoveIsAtomic says that no packet is lost or sent up during a move.
	MoveIsAtomic bool `json:"move_is_atomic"`
	// PacketInQueue is how many packet-ins wait for the reader of Events before others are dropped.
	PacketInQueue int `json:"packet_in_queue"`
	// PortEvents says that the driver reports PortGone.
	PortEvents bool `json:"port_events"`
	// InstallRate is how many rules a second the switch was measured to take (docs/hardware.md); 0 if nobody has
	// measured.
	InstallRate float64 `json:"install_rate"`
	// Counting says in words what counts packets.
	Counting string `json:"counting"`
	// SlowPath says in words how a packet without a rule reaches the driver, and leaves it.
	SlowPath string `json:"slow_path"`
}
