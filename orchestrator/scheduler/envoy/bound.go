package envoy

import (
	"fmt"
	"math"

	"github.com/smartinco/smartinco/orchestrator/policy"
)

// What is said in the rows of both hashing policies.
const (
	boundSource = "common/thread_aware_lb_impl.cc at 0336fd611e57"
	keys        = "a host's key is the instance's number, not its address; what is hashed of a flow is its five-tuple; "
	bounds      = "flows on instances that drain do not count for bounds; "
)

// The reasons of both hashing policies.
const (
	ofHash    uint8 = 0
	ofShuffle uint8 = 2
	leastOver uint8 = 3
)

var hashReasons = []string{"entry of the flow's hash", refused,
	"the entry's host is over its bound: the first of the others, shuffled by the hash, that is not",
	"all hosts are over their bounds: the one that is least"}

type boundOptions struct {
	Factor int `yaml:"balance_factor" default:"0" min:"0" max:"65535"`
}

// Docs implements strictyaml.Documented.
func (boundOptions) Docs() string {
	return `
balance_factor: hash_balance_factor, from 100 on. A host that has more than this percentage of the flows that its weight
	would give it is passed over; 0 for no bound
`
}

// bound is Envoy's bounded load.
type bound struct {
	factor int
	shuffle
}

func newBound(o boundOptions) (bound, error) {
	if o.Factor != 0 && o.Factor < 100 {
		return bound{}, fmt.Errorf("balance_factor: %d: want 0, or 100 at least", o.Factor)
	}
	return bound{factor: o.Factor}, nil
}

// within is the row of a host that is not over its bound, if there is one, for a hash whose own host is in a row. The
// bound of a host is its share of the flows, this one counted, times the factor, and 1 at least.
func (b *bound) within(row int, hash uint64, h *hosts, v *policy.View) (slot int, why uint8) {
	if b.factor == 0 {
		return row, ofHash
	}
	flows := 1
	for _, n := range v.Flows {
		flows += int(n)
	}
	slots := float64((flows*b.factor + 99) / 100)
	b.begin(h.rows, uint32(hash))
	return choose(row, len(h.rows), b.next, func(slot int) float64 {
		return float64(v.Flows[slot]) / max(1, math.Ceil(slots*h.share(v, slot)))
	})
}

// choose is a host, if it is not over its bound; else the first of n hosts in an order that is not, and where all are
// over, the one that is least. Above 1 is over.
func choose(host, n int, next func() int, over func(host int) float64) (chosen int, why uint8) {
	least := over(host)
	if least <= 1 {
		return host, ofHash
	}
	chosen = host
	for range n {
		other := next()
		if other == host {
			continue
		}
		switch x := over(other); {
		case x <= 1:
			return other, ofShuffle
		case x < least:
			chosen, least = other, x
		}
	}
	return chosen, leastOver
}

// shuffle puts hosts into an order that a seed decides, one after the other.
type shuffle struct {
	order  []int32
	n      int // in their places
	seed   uint32
	random twister
}

func (s *shuffle) begin(rows []int32, seed uint32) {
	s.order, s.n, s.seed = append(s.order[:0], rows...), 0, seed
}

func (s *shuffle) next() int {
	if s.n == 0 {
		s.random.seed(s.seed)
	}
	left := s.order[s.n:]
	i := s.random.below(uint32(len(left)))
	left[0], left[i] = left[i], left[0]
	s.n++
	return int(left[0])
}

// twister is the generator MT19937 (Matsumoto and Nishimura, ACM Trans. Model. Comput. Simul. 8 (1998) 3), as the C++
// library seeds it.
type twister struct {
	x [624]uint32
	i int
}

func (m *twister) seed(s uint32) {
	m.x[0], m.i = s, 0
	for i := 1; i < len(m.x); i++ {
		m.x[i] = 1812433253*(m.x[i-1]^m.x[i-1]>>30) + uint32(i)
	}
}

func (m *twister) next() uint32 {
	i, j, k := m.i, (m.i+1)%len(m.x), (m.i+397)%len(m.x)
	y := m.x[i]&(1<<31) | m.x[j]&(1<<31-1)
	z := m.x[k] ^ y>>1 ^ y&1*0x9908b0df
	m.x[i], m.i = z, j
	z ^= z >> 11
	z ^= z << 7 & 0x9d2c5680
	z ^= z << 15 & 0xefc60000
	return z ^ z>>18
}

// below draws a number below n, as Envoy does.
func (m *twister) below(n uint32) uint32 {
	for {
		if x := uint64(m.next()) / (1 << 32 / uint64(n)); x < uint64(n) {
			return uint32(x)
		}
	}
}
