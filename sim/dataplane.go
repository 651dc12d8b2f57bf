package sim

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator"
	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/scenarios"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// DataPlane carries packets: link, eSwitch, slow path and instances. The plant tells it about rules and containers. It
// tells the plant, through Control, when a flow's first packet reaches the scheduler and when a flow has ended. The
// fluid and the packet engine implement it.
type DataPlane interface {
	// Fire carries out an event that the data plane scheduled.
	Fire(now units.Time, e Event)
	// Target says where the slow path sends the flow from now on; instance 0 drops it.
	Target(now units.Time, f flow.ID, i flow.Instance)
	// Rule says that the eSwitch forwards the flow to the instance from now on; instance 0 drops it.
	Rule(now units.Time, f flow.ID, i flow.Instance)
	// Unrule says that the flow's rule is gone.
	Unrule(now units.Time, f flow.ID)
	// Up says that the instance takes packets, Down that it never will again; what it holds is lost.
	Up(now units.Time, i flow.Instance)
	Down(now units.Time, i flow.Instance)
	// Share says what share of a core the instance has from now on. Without a call it has all of one.
	Share(now units.Time, i flow.Instance, share float64)
	// Link says whether the link is up.
	Link(now units.Time, up bool)
	// Counters fills in the counters of the instances named in c.
	Counters(now units.Time, c []orchestrator.Counter)
	// RuleCounters fills in the counters of the flows named in c: the packets that each flow's rule has forwarded to an
	// instance since it was installed. All these rules are in force, and the flows are in order.
	RuleCounters(now units.Time, c []orchestrator.RuleCounter)
	// Reports fills in what the agents of the instances named in r report, of the metrics that are wanted. A quantile
	// of delay is of the packets since the last report.
	Reports(now units.Time, want policy.MetricSet, r []orchestrator.Report)
	// Window fills in the traffic columns of the window that began with the previous call. The rows are those of the
	// instances that were there during it.
	Window(now units.Time, w *results.Window, rows []results.Instance)
	// End brings everything to now and returns the totals.
	End(now units.Time) results.Totals
	// Flow fills in the counts of a flow, after End.
	Flow(f flow.ID, row *results.Flow)
}

// Delays is a DataPlane that can measure how long packets took.
type Delays interface {
	// Delays writes them to rec, after End and all flows, and returns the check of Little's law. If the scenario does
	// not ask for delays, it writes nothing and returns nil.
	Delays(now units.Time, rec results.Recorder) *results.Little
}

// Control is the plant as the data plane sees it.
type Control interface {
	// Schedule calls Fire at the event's time.
	Schedule(c Class, e Event)
	// Arrived reports that the flow's first packet has reached the scheduler.
	Arrived(f flow.ID)
	// Grown reports that the slow path has served scheduler.offload.after packets of the flow. It is for more than 1.
	Grown(f flow.ID)
	// Ended reports that the flow has sent its last packet.
	Ended(f flow.ID)
	// Stopped says that the run is given up. A data plane that has much left to simulate stops where its packets
	// balance. From then on only what it has counted is used. It may be called on several goroutines.
	Stopped() bool
}

// Engine makes a data plane for a run that ends at end.
type Engine func(sc *scenarios.Scenario, w *traces.Workload, end units.Time, c Control) (DataPlane, error)
