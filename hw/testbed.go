package hw

import (
	"context"
	"math"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// ContainerEngine starts and stops instances. All methods are safe for concurrent use; Create and Delete of different
// instances may overlap.
type ContainerEngine interface {
	// Create starts a container for an instance, gives it ports, and returns once its probe says that it takes
	// packets. What it had made before an error it has removed again.
	Create(ctx context.Context, i flow.Instance) (Container, error)
	// Delete stops an instance's container and gives its ports back. One that is not there is no error.
	Delete(ctx context.Context, i flow.Instance) error
	// Kill ends an instance's container as a crash would; Deaths reports it.
	Kill(ctx context.Context, i flow.Instance) error
	// List finds the containers of this testbed, running or not, those of an earlier run included, in order of their
	// instances' numbers.
	List(ctx context.Context) ([]Container, error)
	// Deaths reports each container that ended without Delete, once; it is closed after Close.
	Deaths() <-chan Death
	Close() error
}

// Container is an instance as the engine knows it.
type Container struct {
	Instance flow.Instance
	ID       string
	Ports    Ports         // by the names that the switch knows
	Running  bool          // false for one that List found dead
	Created  time.Time     // by the engine's clock; of those that List finds
	Started  time.Duration // from the request until the engine said that it runs
	Ready    time.Duration // from the request until the probe succeeded
}

// Death is the end of a container that nobody asked for.
type Death struct {
	Instance flow.Instance
	At       time.Time // when it was learnt
	Reason   string    // exit code or signal, as the engine says it
}

// Generator offers a scenario's traffic at the uplink and counts what comes back from the sink. It is used by one
// goroutine.
type Generator interface {
	// Load takes the traffic of a run and checks it, without sending.
	Load(ctx context.Context, s []Stream) error
	// Start begins to send. Each stream starts its own time after the returned one.
	Start(ctx context.Context) (time.Time, error)
	// Counters reads what was sent and received since Start.
	Counters(ctx context.Context) (Traffic, error)
	// Stop ends all streams. It is no error when none is active, and may be called while another method runs: a run that
	// is interrupted stops its traffic before anything else.
	Stop(ctx context.Context) error
	Close() error
}

// Stream is one flow as the generator sends it: packets of one size at a constant rate.
type Stream struct {
	Flow       flow.ID
	Tuple      flow.FiveTuple
	Start, End time.Duration // since Generator.Start
	Rate       units.PPS
	FrameSize  units.Bytes // with the frame check sequence: 64 is the shortest
}

// Packets is how many packets a stream has.
func (s *Stream) Packets() float64 {
	return math.Round(float64(s.Rate) * (s.End - s.Start).Seconds())
}

// Traffic is what a generator has counted.
type Traffic struct {
	At               time.Time
	Sent, Received   uint64       // packets
	SentB, ReceivedB uint64       // bytes, without the frame check sequence
	Flows            []FlowCounts // in order of the flows' numbers; nil from a generator that does not tell flows apart
	Ordered          bool         // FlowCounts.Reordered was counted; otherwise it is 0 and means nothing
	Down             string       // which of its ports have no link now; empty if all have
}

// FlowCounts is what became of one flow's packets.
type FlowCounts struct {
	Flow                      flow.ID
	Sent, Received, Reordered uint64 // packets; reordered as in RFC 4737: behind one that was sent later
}
