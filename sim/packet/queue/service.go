package queue

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sort"

	"github.com/smartinco/smartinco/units"
)

// Service says how long the server is busy with a packet.
type Service interface {
	// Nominal is the service time of reference, at least 1 ps. When the service changes, what is left of the packets
	// in the system is scaled by the ratio of the two nominal times.
	Nominal() units.Time
	// Time draws the service time of an accepted packet, in order of acceptance.
	Time(size units.Bytes, r *rand.PCG) units.Time
	// Fixed is true when Time depends on the size alone and draws nothing.
	Fixed() bool
}

// Deterministic takes the same time for every packet.
type Deterministic units.Time

// Nominal is the service time.
func (d Deterministic) Nominal() units.Time { return units.Time(d) }

// Time is the service time.
func (d Deterministic) Time(units.Bytes, *rand.PCG) units.Time { return units.Time(d) }

// Fixed is true.
func (Deterministic) Fixed() bool { return true }

// Linear costs a time for a packet and a time for each of its bytes.
type Linear struct{ Packet, Byte units.Time }

// Nominal is the time of a 64-byte packet.
func (l Linear) Nominal() units.Time { return l.Packet + 64*l.Byte }

// Time is Packet + size * Byte.
func (l Linear) Time(size units.Bytes, _ *rand.PCG) units.Time {
	return l.Packet + l.Byte*units.Time(size)
}

// Fixed is true.
func (Linear) Fixed() bool { return true }

// Exponential has an exponentially distributed service time with this mean.
type Exponential units.Time

// Nominal is the mean.
func (e Exponential) Nominal() units.Time { return units.Time(e) }

// Time draws with Exp.
func (e Exponential) Time(_ units.Bytes, r *rand.PCG) units.Time { return Exp(r, units.Time(e)) }

// Fixed is false.
func (Exponential) Fixed() bool { return false }

// Empirical draws from a measured distribution.
type Empirical struct {
	values []units.Time
	upTo   []uint64
	mean   units.Time
}

// NewEmpirical makes a distribution in which values[i] is drawn with probability proportional to weights[i]. There is
// at least one value, values are not negative, weights sum to between 1 and 2^40 and the mean is at least 1 ps.
func NewEmpirical(values []units.Time, weights []uint64) (*Empirical, error) {
	if len(values) == 0 || len(values) != len(weights) {
		return nil, fmt.Errorf("empirical service: %d values and %d weights, want as many of both and at least one", len(values), len(weights))
	}
	e := &Empirical{}
	var sum, hi, lo uint64
	for i, v := range values {
		if v < 0 || v > maxService || weights[i] > 1<<40 || sum+weights[i] > 1<<40 {
			return nil, fmt.Errorf("empirical service: value %d is %v with weight %d, want 0 to %v and weights that sum to at most 2^40", i, v, weights[i], maxService)
		}
		sum += weights[i]
		h, l := bits.Mul64(uint64(v), weights[i])
		var c uint64
		lo, c = bits.Add64(lo, l, 0)
		hi += h + c
		e.values, e.upTo = append(e.values, v), append(e.upTo, sum)
	}
	if sum == 0 {
		return nil, fmt.Errorf("empirical service: all weights are zero")
	}
	m, _ := bits.Div64(hi, lo, sum)
	if e.mean = units.Time(m); e.mean < 1 {
		return nil, fmt.Errorf("empirical service: the mean is below 1 ps")
	}
	return e, nil
}

// Nominal is the mean, rounded down.
func (e *Empirical) Nominal() units.Time { return e.mean }

// Time draws by inversion of the cumulative weights.
func (e *Empirical) Time(_ units.Bytes, r *rand.PCG) units.Time {
	u, _ := bits.Mul64(r.Uint64(), e.upTo[len(e.upTo)-1])
	return e.values[sort.Search(len(e.upTo), func(i int) bool { return e.upTo[i] > u })]
}

// Fixed is false.
func (*Empirical) Fixed() bool { return false }
