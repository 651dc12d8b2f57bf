package ipvs

import (
	"fmt"
	"math/bits"
	"slices"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/numeric"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var mh = policy.Row{
	Info: policy.Info{Name: "ipvs-mh",
		Rule:   "the server that a Maglev table, filled by weight, has for the flow's source",
		Source: source + "mh.c", Score: "the table's entry", Sees: policy.T0 | policy.T1,
		State: state + ", the table", Cost: filled,
		Deviates: "an instance has no address: where the kernel hashes that of a server, its number is hashed; more " +
			"servers than entries are not refused; " + lacks},
	Tuple:    true,
	Reasons:  reasons("entry of the source"),
	Counters: []string{tables, others},
	Maker:    policy.Make(newMaglev),
}

type maglevOptions struct {
	Options `yaml:",inline"`
	keyed   `yaml:",inline"`
	Table   int `yaml:"table" default:"4093" min:"251" max:"131071"`
}

// Docs implements strictyaml.Documented.
func (maglevOptions) Docs() string {
	return `
table: entries of the table, one of the kernel's primes: 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071
`
}

// primes are the sizes of tables. That at i is what the kernel's option IP_VS_MH_TAB_INDEX = i + 8 asks for.
var primes = []int{251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521, 131071}

// The keys of the two hash functions: of a server's first choice and of flows, and of the step to its next choices.
const firstKey, skipKey = 2654435761, 2654446892

// maglev is mh. The servers in turn, in the order of the list, take the next free entries of their preference lists, as
// many in a row as their weights, divided by their greatest common divisor, say.
type maglev struct {
	service
	keyed
	table   []int32 // rows; -1 while all weights are 0
	most    int     // bits of a weight; greater ones are shifted
	address func(flow.Instance) uint32
	stale   bool
	setup   []choice
	counts  []uint64
}

// choice is where a server's preference list is.
type choice struct{ at, skip, turns int }

func newMaglev(o maglevOptions, env policy.Env) (policy.Policy, error) {
	i := slices.Index(primes, o.Table)
	if i < 0 {
		return nil, fmt.Errorf("table: %d: want one of %v", o.Table, primes)
	}
	m := &maglev{service: newService(o.Options), keyed: o.keyed, table: make([]int32, o.Table), most: (i + 8) / 2,
		address: func(id flow.Instance) uint32 { return uint32(id) }, counts: env.Counts}
	m.changed = func(bool, int) { m.stale = true }
	return m, nil
}

func (m *maglev) fill(v *policy.View) {
	for i := range m.table {
		m.table[i] = -1
	}
	divisor, most := 0, int32(0)
	for _, w := range v.Weight {
		divisor, most = numeric.GCD(divisor, int(w)), max(most, w)
	}
	if divisor == 0 {
		return
	}
	shift := max(0, bits.Len(uint(int(most)/divisor))-m.most)
	m.setup = m.setup[:0]
	size := uint32(len(m.table))
	for _, slot := range m.order {
		key, weight := m.address(v.IDs[slot]), int(v.Weight[slot])
		turns := weight / divisor >> shift
		if turns == 0 && weight > 0 {
			turns = 1
		}
		at, skip := siphash13(key, firstKey)%size, siphash13(key, skipKey)%(size-1)+1
		m.setup = append(m.setup, choice{int(at), int(skip), turns})
	}
	for n := 0; ; {
		for i := range m.setup {
			c := &m.setup[i]
			for range c.turns {
				for m.table[c.at] >= 0 {
					if c.at += c.skip; c.at >= len(m.table) {
						c.at -= len(m.table)
					}
				}
				m.table[c.at] = m.order[i]
				if n++; n == len(m.table) {
					return
				}
			}
		}
	}
}

func (m *maglev) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	m.expire(v)
	if m.stale {
		m.fill(v)
		m.stale = false
		m.counts[0]++
	}
	key, size := m.of(&w.Tuple), uint32(len(m.table))
	first := siphash13(key, firstKey) % size
	at := first
	slot := int(m.table[at])
	if slot < 0 {
		return answer(-1)
	}
	ok := m.available(v, slot)
	for offset := uint32(0); !ok && m.Fallback && offset < size; offset++ {
		m.counts[1]++
		at = siphash13(key+(offset+first)%size, firstKey) % size
		slot = int(m.table[at])
		ok = m.available(v, slot)
	}
	if !ok {
		return answer(-1)
	}
	log.Add(slot, float64(at), true)
	return answer(slot)
}

// siphash13 is the kernel's hsiphash of one word, on machines of 64 bits: SipHash-1-3 (Aumasson and Bernstein, 2012),
// both halves of whose key are the same, cut to 32 bits.
func siphash13(word uint32, key uint64) uint32 {
	v0, v1 := key^0x736f6d6570736575, key^0x646f72616e646f6d
	v2, v3 := key^0x6c7967656e657261, key^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	b := uint64(4)<<56 | uint64(word)
	v3 ^= b
	round()
	v0 ^= b
	v2 ^= 0xff
	round()
	round()
	round()
	return uint32(v0 ^ v1 ^ v2 ^ v3)
}
