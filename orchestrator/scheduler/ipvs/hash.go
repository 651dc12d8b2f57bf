package ipvs

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

// Of the rows with tables: their cost, and what they count.
const (
	filled = "constant; with fallback, the entries that are tried; the table is filled anew after a change"
	tables = "tables filled"
	others = "other entries tried"
)

var sh = policy.Row{
	Info: policy.Info{Name: "ipvs-sh", Rule: "the server that a table, filled by weight, has for the flow's source",
		Source: source + "sh.c", Score: "the table's entry", Sees: policy.T0 | policy.T1,
		State: state + ", the table", Cost: filled, Deviates: lacks},
	Tuple:    true,
	Reasons:  reasons("entry of the source"),
	Counters: []string{tables, others},
	Maker: policy.Make(func(o sourceOptions, env policy.Env) (policy.Policy, error) {
		return newHashed(o.Options, o.keyed, true, env.Counts), nil
	}),
}

var dh = policy.Row{
	Info: policy.Info{Name: "ipvs-dh",
		Rule:   "the server that a table has for the flow's destination address: one for all of a service address",
		Source: source + "dh.c", Score: "the table's entry", Sees: policy.T0 | policy.T1,
		State: state + ", the table", Cost: "constant; the table is filled anew after a change", Deviates: lacks},
	Tuple:    true,
	Reasons:  reasons("entry of the destination address"),
	Counters: []string{tables},
	Maker: policy.Make(func(o Options, env policy.Env) (policy.Policy, error) {
		return newHashed(o, keyed{destination: true}, false, env.Counts), nil
	}),
}

type sourceOptions struct {
	Options `yaml:",inline"`
	keyed   `yaml:",inline"`
}

// keyed says what a table is asked for.
type keyed struct {
	Port        bool `yaml:"port" default:"false"`
	Fallback    bool `yaml:"fallback" default:"false"`
	destination bool // the destination address, not the source
}

// Docs implements strictyaml.Documented.
func (keyed) Docs() string {
	return `
port: whether the source port counts beside the source address (the kernel's flags sh-port and mh-port)
fallback: what becomes of a flow whose server takes none. false: it is refused; true: other entries are tried (the
	kernel's flags sh-fallback and mh-fallback)
`
}

// of is the number that stands for a flow: the sum of its address, folded to one word, and of its port.
func (k *keyed) of(t *flow.FiveTuple) uint32 {
	if k.destination {
		return flow.Fold(t.Dst)
	}
	n := flow.Fold(t.Src)
	if k.Port && (t.Proto == flow.TCP || t.Proto == flow.UDP || t.Proto == flow.SCTP) {
		n += uint32(t.SrcPort)
	}
	return n
}

const buckets = 256

// hashed is sh and dh: a table that the servers fill in the order of the list, again and again. Under sh each takes as
// many entries in a row as its weight says. One of weight 0 takes an entry as well, and refuses what hashes there.
type hashed struct {
	service
	keyed
	weights bool
	table   [buckets]int32 // rows
	stale   bool
	counts  []uint64
}

func newHashed(o Options, k keyed, weights bool, counts []uint64) *hashed {
	h := &hashed{service: newService(o), keyed: k, weights: weights, counts: counts}
	h.changed = func(bool, int) { h.stale = true }
	return h
}

func (h *hashed) fill(v *policy.View) {
	at, taken := 0, int32(0)
	for i := range h.table {
		slot := h.order[at]
		h.table[i] = slot
		if taken++; !h.weights || taken >= v.Weight[slot] {
			at, taken = (at+1)%len(h.order), 0
		}
	}
}

// entry is the offset-th entry that is tried for a flow.
func entry(key, offset uint32) uint32 {
	const golden, bits = 0x61C88647, 8 // the kernel's hash_32
	return (offset + key*golden>>(32-bits)) % buckets
}

func (h *hashed) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	h.expire(v)
	if h.stale {
		h.fill(v)
		h.stale = false
		h.counts[0]++
	}
	key := h.of(&w.Tuple)
	first := entry(key, 0)
	try := func(at uint32) (int, bool) {
		slot := int(h.table[at])
		return slot, h.available(v, slot)
	}
	at := first
	slot, ok := try(at)
	for offset := uint32(0); !ok && h.Fallback && offset < buckets; offset++ {
		h.counts[1]++
		at = entry(key, (offset+first)%buckets)
		slot, ok = try(at)
	}
	if !ok {
		return answer(-1)
	}
	log.Add(slot, float64(at), true)
	return answer(slot)
}
