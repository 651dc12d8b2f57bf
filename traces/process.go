package traces

import (
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/units"
)

// Process says how the packets of a flow with a mean rate come. The zero value is constant: one packet every period.
type Process struct {
	Kind    string     // constant, poisson or on-off; empty is constant
	On, Off units.Time // on-off: mean lengths of a burst and of the silence after it
	Seed    uint64     // root of the flows' streams of random numbers, each of which has its own
}

// packetProcesses make the packets of one flow, o.Period apart in the mean.
var packetProcesses = map[string]func(p Process, r *rand.Rand, o ConstantOptions) PacketReader{
	"poisson": func(_ Process, r *rand.Rand, o ConstantOptions) PacketReader {
		return &poissonPackets{r: r, mean: o.Period.Mean(), t: o.Phase, end: o.End, size: int32(o.Size)}
	},
	"on-off": newBursts,
}

// Check returns what is wrong with the process for flows with a mean time between packets. A burst and a silence
// together must have at least one packet in the mean, and a burst at most one packet a picosecond.
func (p Process) Check(mean Period) error {
	switch {
	case p.Kind == "" || p.Kind == "constant":
		return nil
	case packetProcesses[p.Kind] == nil:
		return fmt.Errorf("arrivals %q, want constant, poisson or on-off", p.Kind)
	case p.Kind != "on-off":
		return nil
	case p.On <= 0 || p.Off <= 0 || p.On > maxSpan || p.Off > maxSpan:
		return fmt.Errorf("on for %v and off for %v, want times above 0", p.On, p.Off)
	case float64(p.On+p.Off) < mean.Mean():
		return fmt.Errorf("on for %v and off for %v, want together at least the mean time between two packets, %v",
			p.On, p.Off, mean)
	case p.gap(mean).Num < units.Time(p.gap(mean).Den):
		return fmt.Errorf("on for %v and off for %v, want more time on: a packet every %v in the mean would be more "+
			"than one a picosecond in a burst", p.On, p.Off, mean)
	}
	return nil
}

// random reports whether the packets come at random.
func (p Process) random() bool { return packetProcesses[p.Kind] != nil }

var packetStreams = numeric.Streams("traces/packets") // by flow of a source

// packets are the packets of flow number f of the workload, which is number k of its source.
func (p Process) packets(f flow.ID, k int, o ConstantOptions) Packets {
	return Packets{Flows: []flow.ID{f}, Open: func() PacketReader {
		return packetProcesses[p.Kind](p, rand.New(packetStreams.At(p.Seed, uint64(k))), o)
	}}
}

// text describes the process for the provenance.
func (p Process) text() string {
	switch p.Kind {
	case "poisson":
		return ", Poisson arrivals"
	case "on-off":
		return fmt.Sprintf(", in bursts: on %v and off %v in the mean", p.On, p.Off)
	}
	return ""
}

// poissonPackets is a Poisson process.
type poissonPackets struct {
	r      *rand.Rand
	mean   float64
	t, end units.Time
	size   int32
}

// Read implements PacketReader.
func (p *poissonPackets) Read(to []Arrival) (int, error) {
	for n := range to {
		if p.t = after(p.t, float64(p.mean*numeric.Exponential(p.r)), p.end); p.t >= p.end {
			return ended(n)
		}
		to[n] = Arrival{At: p.t, Bytes: p.size}
	}
	return len(to), nil
}

func ended(n int) (int, error) {
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// gap is the time between two packets of a burst, if mean is the mean time between all packets.
func (p Process) gap(mean Period) Period {
	x := big.NewRat(int64(mean.Num), mean.Den)
	return near(x.Mul(x, big.NewRat(int64(p.On), int64(p.On+p.Off))))
}

// bursts is a constant rate that is switched on and off. Both phases are exponential. The source has a clock by which
// it sends a packet every gap, and which runs only while it is on. It begins as if it had run for ever.
type bursts struct {
	r        *rand.Rand
	on, off  float64 // mean lengths of the phases
	gap      Period
	n        int64      // packets so far
	t, until units.Time // now, and the end of the burst that t lies in
	left     units.Time // of the gap
	end      units.Time
	size     int32
}

func newBursts(p Process, r *rand.Rand, o ConstantOptions) PacketReader {
	b := &bursts{r: r, on: float64(p.On), off: float64(p.Off), gap: p.gap(o.Period), t: o.Phase, end: o.End,
		size: int32(o.Size)}
	b.left = units.Time(r.Int64N(int64((b.gap.Num-1)/units.Time(b.gap.Den) + 1)))
	if r.Int64N(int64(p.On+p.Off)) >= int64(p.On) {
		b.t = after(b.t, float64(b.off*numeric.Exponential(r)), b.end)
	}
	b.until = after(b.t, float64(b.on*numeric.Exponential(r)), b.end)
	return b
}

// Read implements PacketReader.
func (b *bursts) Read(to []Arrival) (int, error) {
	for n := range to {
		for b.left >= b.until-b.t && b.t < b.end {
			b.left -= b.until - b.t
			b.t = after(b.until, float64(b.off*numeric.Exponential(b.r)), b.end)
			b.until = after(b.t, float64(b.on*numeric.Exponential(b.r)), b.end)
		}
		if b.t += b.left; b.t >= b.end {
			b.t = b.end
			return ended(n)
		}
		b.left = b.gap.At(b.n+1) - b.gap.At(b.n)
		b.n++
		to[n] = Arrival{At: b.t, Bytes: b.size}
	}
	return len(to), nil
}
