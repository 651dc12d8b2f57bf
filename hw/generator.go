package hw

import (
	"context"
	"math"
	"time"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/units"
)

// Generator offers a scenario's traffic at the uplink and counts what comes back from the sink. One goroutine at a time
// may use it, but for Stop.
type Generator interface {
	// Load takes the traffic of a run and checks it, without sending.
	Load(ctx context.Context, s []Stream) error
	// Start begins to send. Each stream starts its own Start after the returned time.
	Start(ctx context.Context) (time.Time, error)
	// Counters reads what was sent and received since Start.
	Counters(ctx context.Context) (Traffic, error)
	// Stop ends all streams; it is no error if none is active. It may be called while another method runs: an
	// interrupted run stops its traffic before it does anything else.
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
	Flows            []FlowCounts // in order of the flows' numbers; nil if the generator does not tell flows apart
	Ordered          bool         // whether FlowCounts.Reordered was counted; if not, it is 0 and means nothing
	Down             string       // its ports without a link; empty if all have one
}

// FlowCounts is what became of one flow's packets.
type FlowCounts struct {
	Flow                      flow.ID
	Sent, Received, Reordered uint64 // packets; reordered as in RFC 4737: received behind a packet that was sent later
}
