package hw

import (
	"context"
	"math"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Generator offers a scenario's traffic at the uplink and counts what comes back from the sink. It is used by one
// goroutine.
type Generator interface {
	// Load takes the traffic of a run and checks it, without sending.
	Load(ctx context.Context, s []Stream) error
	// Start begins to send. Each stream starts its own time after the returned one.
	Start(ctx context.Context) (time.Time, error)
	// Counters reads what was sent and received since Start.
	Counters(ctx context.Context) (Traffic, error)
	// Stop ends all streams. It is no error when none is active, and may be called while another method runs: a run
	// that is interrupted stops its traffic before anything else.
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
