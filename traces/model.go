package traces

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// Holding is what one flow of a model carries.
type Holding struct {
	Proto   uint8
	Packets int64 // at least 1
	Bytes   int64 // frame bytes of all packets
}

// Holdings is a distribution of what flows carry.
type Holdings interface {
	// Draw takes one flow from the distribution. It may run on several goroutines at once, each with its own generator.
	Draw(r *rand.Rand) Holding
	// String names the distribution for the provenance.
	String() string
}

// Sessions makes the flows of one session of users or machines. In most models a session is one flow.
type Sessions interface {
	// Session makes the flows of session i, which begins at the given time. It may run on several goroutines at once.
	Session(r *rand.Rand, i int, at units.Time) []Flow
	// Layer says what the bytes of its flows count.
	Layer() Layer
	// String names the model for the provenance.
	String() string
}

const echoRequest = 8 // type of ICMP (RFC 792)

// Paced makes each flow of a distribution a session, with packets evenly spaced in time. The flow has the five-tuple of
// the synthetic flow Offset + i (see SyntheticTuple) with the protocol of its holding; ICMP becomes an echo request. A
// single packet lasts Width.
type Paced struct {
	Holdings Holdings
	Rate     float64    // packets per second of each flow; 0 draws the duration, see Duration
	Width    units.Time // of the segment of a flow of one packet; 0 is 100 ms
	Offset   int        // index of the first flow among all synthetic flows of the run
}

// String names the distribution and the pace.
func (p Paced) String() string {
	if p.Rate > 0 {
		return fmt.Sprintf("%v, flows of %v", p.Holdings, units.PPS(p.Rate))
	}
	return fmt.Sprintf("%v, durations as in M57", p.Holdings)
}

// Layer implements Sessions: a model's frames have a check sequence, and the smallest is 64 B.
func (Paced) Layer() Layer { return FramesWithFCS }

// Session implements Sessions.
func (p Paced) Session(r *rand.Rand, i int, at units.Time) []Flow {
	h := p.Holdings.Draw(r)
	t := SyntheticTuple(p.Offset + i)
	if t.Proto = h.Proto; !ported[h.Proto] {
		t.SrcPort, t.DstPort = 0, 0
	}
	if h.Proto == flow.ICMP {
		t.SrcPort = echoRequest
	}
	var span units.Time
	switch {
	case p.Rate > 0:
		span = units.Time(min(float64(h.Packets)*(float64(units.Second)/p.Rate), float64(maxSpan)))
	case h.Packets == 1:
		if span = p.Width; span == 0 {
			span = 100 * units.Millisecond
		}
	default:
		gap := Duration(r, h.Packets) / units.Time(h.Packets-1)
		span = gap * units.Time(h.Packets)
	}
	return []Flow{{t, []Segment{{at, at + min(max(span, 1), maxSpan-at), float64(h.Packets), float64(h.Bytes)}}}}
}

// durations are the mean and the standard deviation of the logarithm of a flow's duration in seconds, by its number of
// packets. They are log-normal distributions fitted to the Zeek log of the M57 office network, 2009-11-18
// (DigitalCorpora), without the durations that are zero. The AGH data has neither durations nor rates.
var durations = []struct {
	below    int64
	mean, sd float64
}{
	{4, -3.31, 3.27}, {8, -0.11, 3.10}, {16, 0.47, 2.55}, {32, -0.26, 3.28}, {64, 1.75, 2.46}, {128, 1.93, 2.40},
	{256, 1.53, 2.19}, {1024, 2.19, 2.04}, {4096, 3.02, 2.24}, {math.MaxInt64, 3.76, 1.62},
}

// Limits of a drawn duration: the active timeout after which AGH's routers ended a flow, and a packet a microsecond.
const (
	longestFlow = 300 * units.Second
	leastGap    = units.Microsecond
)

// Duration draws the time from the first to the last packet of a flow of two packets or more. It is log-normal with
// parameters that depend on the number of packets, at most 300 s, and at least 1 us for each gap.
func Duration(r *rand.Rand, packets int64) units.Time {
	i := 0
	for packets >= durations[i].below && i < len(durations)-1 {
		i++
	}
	d := numeric.Exp(durations[i].mean + float64(durations[i].sd*numeric.Normal(r)))
	return max(units.Time(min(float64(d*float64(units.Second)), float64(longestFlow))), units.Time(packets-1)*leastGap)
}

// GenerateOptions says when the sessions of a model begin.
type GenerateOptions struct {
	Arrivals Arrivals
	Until    units.Time // no session begins from then on; positive, except with a series, which has an end
	Seed     uint64
	Context  context.Context // ends the making with its error; nil never
}

// stopped is the error of a context that has ended. A nil context never ends.
func stopped(ctx context.Context) error {
	if ctx == nil {
		return nil
	}
	return ctx.Err()
}

// block is how many sessions share a stream of random numbers.
const block = 1024

var (
	arrivalStream = numeric.Streams("traces/arrivals")
	flowStreams   = numeric.Streams("traces/flows") // by block
)

// Generate makes the traffic of a model. The result depends on the seed, and not on the number of cores.
func Generate(m Sessions, o GenerateOptions) (*Workload, error) {
	times, err := o.Arrivals.times(o.Context, rand.New(arrivalStream.At(o.Seed, 0)), o.Until)
	if err != nil {
		return nil, fmt.Errorf("traces: %v: %w", m, err)
	}
	if len(times) == 0 {
		return nil, fmt.Errorf("traces: %v: no flow before %v at %s", m, o.Until, o.Arrivals)
	}
	made := make([][]Flow, (len(times)+block-1)/block)
	next := make(chan int, len(made))
	for b := range made {
		next <- b
	}
	close(next)
	var wait sync.WaitGroup
	var segments atomic.Int64
	for range min(runtime.GOMAXPROCS(0), len(made)) {
		wait.Go(func() {
			for b := range next {
				if stopped(o.Context) != nil {
					return
				}
				r := rand.New(flowStreams.At(o.Seed, uint64(b)))
				for i := b * block; i < min((b+1)*block, len(times)) && segments.Load() <= maxSegments; i++ {
					flows := m.Session(r, i, times[i])
					made[b] = append(made[b], flows...)
					for _, f := range flows {
						segments.Add(int64(len(f.Segments)))
					}
				}
			}
		})
	}
	wait.Wait()
	if err := stopped(o.Context); err != nil {
		return nil, fmt.Errorf("traces: %v: %w", m, err)
	}
	if segments.Load() > maxSegments {
		return nil, fmt.Errorf("traces: %v: more than %d spans of constant rate, want fewer sessions, a shorter time "+
			"or a coarser resolution", m, maxSegments)
	}
	w := &Workload{Layer: m.Layer()}
	for _, flows := range made {
		w.Flows = append(w.Flows, flows...)
	}
	w.sort()
	packets, octets := w.Totals()
	w.Provenance = []string{fmt.Sprintf("model %v; %s: %s packets, %s bytes, %d flows, seed %d", m, o.Arrivals,
		whole(packets), whole(octets), len(w.Flows), o.Seed)}
	return w, nil
}

// Generated plays the traffic that Generate makes, without ever holding it: a flow is drawn when its session begins. No
// session begins at o.Until or later; flows that have begun go on unless end says otherwise.
func Generated(m Sessions, o GenerateOptions, end units.Time) (*Stream, error) {
	if err := o.Arrivals.check(o.Until); err != nil {
		return nil, fmt.Errorf("traces: %v: %w", m, err)
	}
	s := &Stream{Layer: m.Layer(), End: end, Provenance: []string{fmt.Sprintf("model %v; %s, seed %d", m, o.Arrivals,
		o.Seed)}}
	s.flows = func(yield func(begun, error) bool) {
		i := 0
		var r *rand.Rand
		more := true
		err := o.Arrivals.each(rand.New(arrivalStream.At(o.Seed, 0)), o.Until, func(at units.Time) bool {
			if i%block == 0 {
				r = rand.New(flowStreams.At(o.Seed, uint64(i/block)))
			}
			for _, f := range m.Session(r, i, at) {
				if more = more && yield(begun{at: at, flow: f}, nil); !more {
					return false
				}
			}
			i++
			return true
		})
		if err != nil && more {
			yield(begun{}, fmt.Errorf("%v: %w", m, err))
		}
	}
	return s, nil
}

// Limits of what a model, or the copies of a recording, may make in memory: some 4 GB, and some 10 GB in a whole run.
const (
	maxFlows    = 1 << 24
	maxSegments = 1 << 26
)
