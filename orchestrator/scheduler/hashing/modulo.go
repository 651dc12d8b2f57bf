package hashing

import (
	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var moduloRow = policy.Row{
	Info: policy.Info{Name: "hash",
		Rule:   "the instance at the flow's hash modulo their number; nearly all flows go elsewhere when that changes",
		Source: "the kind of hash that Karger et al., STOC 1997, 4, replace",
		Score:  "the instance's place", Sees: policy.T0, Cost: "constant"},
	Unit:     policy.Either,
	Dispatch: policy.ByEither,
	Tuple:    true,
	Reasons:  []string{"place of the flow's hash"},
	Maker:    policy.Make(newModulo),
}

type moduloOptions struct {
	Key string `yaml:"key" enum:"five-tuple|source|destination|symmetric" default:"five-tuple"`
}

// Docs implements strictyaml.Documented.
func (moduloOptions) Docs() string {
	return `
key: what is hashed: the five-tuple; the source or the destination address; symmetric, the five-tuple such that both
	directions of a connection hash alike
`
}

var hashes = map[string]func(w *policy.Work) uint64{
	"five-tuple":  (*policy.Work).Hash,
	"source":      func(w *policy.Work) uint64 { a := w.Tuple.Src.As16(); return xxhash.Sum64(a[:]) },
	"destination": func(w *policy.Work) uint64 { a := w.Tuple.Dst.As16(); return xxhash.Sum64(a[:]) },
	"symmetric":   func(w *policy.Work) uint64 { t := undirected(w.Tuple); return policy.HashTuple(&t) },
}

// undirected has the lower end of a connection as its source.
func undirected(t flow.FiveTuple) flow.FiveTuple {
	if c := t.Dst.Compare(t.Src); c < 0 || c == 0 && t.DstPort < t.SrcPort {
		t.Src, t.Dst, t.SrcPort, t.DstPort = t.Dst, t.Src, t.DstPort, t.SrcPort
	}
	return t
}

type modulo struct {
	policy.Stateless
	hash func(w *policy.Work) uint64
}

func newModulo(o moduloOptions, _ policy.Env) (policy.Policy, error) {
	return &modulo{hash: hashes[o.Key]}, nil
}

func (m *modulo) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	slot := int(m.hash(w) % uint64(len(v.IDs)))
	log.Add(slot, float64(slot), true)
	return policy.Answer{Slot: slot}
}
