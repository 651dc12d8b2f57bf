package packet_test

import (
	"io"
	"math"
	"testing"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/results"
	"github.com/smartinco/smartinco/sim"
	"github.com/smartinco/smartinco/sim/fluid"
	"github.com/smartinco/smartinco/sim/internal/simtest"
	"github.com/smartinco/smartinco/sim/packet"
	"github.com/smartinco/smartinco/traces"
	"github.com/smartinco/smartinco/units"
)

// A flow of a recording counts with the rates of its segments in the pool of both engines, whatever its packets do
// within them. Two instances have 12 Mpps together. What the recording leaves, 10, 12 and 9 Mpps, the other one
// processes, but no more than the 10 Mpps of one alone.
func TestRecordedFlowsCountWithTheRatesOfTheirSegments(t *testing.T) {
	sc := simtest.Parse(t, `
name: recorded
duration: 3ms
nic: ideal
vnf: {buffer: 16, contention: {share: pooled, model: table, points: {1: 10Mpps, 2: 6Mpps}}}
instances: {initial: 2, min: 2, max: 2}
scheduler: {policy: round-robin}
autoscaler: {policy: none}
telemetry: {window: 1ms}
workload:
  - flows: [{rate: 20Mpps}, {rate: 2Mpps}]
`)
	const ms = units.Millisecond
	w := simtest.Traffic(t, sc)
	w.Constant[1] = traces.Periodic{}
	w.Flows[1].Segments = []traces.Segment{
		{Start: 0, End: ms, Packets: 2000, Bytes: 2000 * 64},
		{Start: 2 * ms, End: 3 * ms, Packets: 3000, Bytes: 3000 * 64},
	}
	w.Packets = []traces.Packets{{Flows: []flow.ID{1}, Open: func() traces.PacketReader { return new(twoBursts) }}}
	for _, engine := range []struct {
		name string
		make sim.Engine
	}{{"packet", packet.New}, {"stepped", packet.Step}, {"fluid", fluid.New}} {
		m := results.NewMemory()
		simtest.Record(t, sc, w, engine.make, m)
		for i, want := range []float64{10e6, 10e6, 9e6} {
			got := m.Instances[2*i+int(m.Flows[0].Instance)-1].Processed
			if math.Abs(got-want) > 20e3 { // the ring, in a millisecond
				t.Errorf("%s, window %d: %.0f packets a second, want %.0f", engine.name, i, got, want)
			}
		}
	}
}

// twoBursts are 2000 packets at 0 and 3000 at 2 ms, a picosecond apart.
type twoBursts struct{ n int }

func (b *twoBursts) Read(to []traces.Arrival) (n int, err error) {
	for ; n < len(to) && b.n < 5000; n++ {
		at := units.Time(b.n)
		if b.n >= 2000 {
			at += 2 * units.Millisecond
		}
		to[n] = traces.Arrival{At: at, Bytes: 64}
		b.n++
	}
	if n == 0 {
		err = io.EOF
	}
	return n, err
}
