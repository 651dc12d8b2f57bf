package envoy

import (
	"cmp"
	"slices"
	"strings"

	"github.com/smartinco/smartinco/orchestrator/policy"
	"github.com/smartinco/smartinco/orchestrator/scheduler/hashing"
)

var maglevRow = policy.Row{
	Info: policy.Info{Name: "envoy-maglev",
		Rule:   "the host that a Maglev table, filled by weight, has for the flow's hash",
		Source: source + "maglev/maglev_lb.cc at 104df3de7215; " + boundSource,
		Score:  "the table's entry", Sees: policy.T0 | policy.T1,
		State: "the table", Cost: "constant; n with balance_factor",
		Deviates: keys + bounds + lacks + zero},
	Tuple:   true,
	Unit:    policy.Either,
	Reasons: hashReasons,
	Maker:   policy.Make(newMaglev),
}

type maglevOptions struct {
	Table        int `yaml:"table" default:"65537" min:"2" max:"5000011"`
	boundOptions `yaml:",inline"`
}

// Docs implements strictyaml.Documented.
func (maglevOptions) Docs() string {
	return `
table: entries of the table, a prime (table_size); some hundred times as many as instances
`
}

type maglev struct {
	hosts
	bound
	table []int32 // rows
}

func newMaglev(o maglevOptions, _ policy.Env) (policy.Policy, error) {
	b, err := newBound(o.boundOptions)
	return &maglev{bound: b, table: make([]int32, o.Table)}, cmp.Or(hashing.CheckTable(o.Table), err)
}

func (m *maglev) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if m.refresh(v) {
		fill(m.table, m.keyed(v))
	}
	if len(m.rows) == 0 {
		return none
	}
	hash := w.Hash()
	at := hash % uint64(len(m.table))
	slot, why := m.within(int(m.table[at]), hash, &m.hosts, v)
	log.Add(slot, float64(at), true)
	return policy.Answer{Slot: slot, Why: why}
}

// preference is a host's list of entries, skip apart, the next of which is at, and how far the host has come.
type preference struct {
	host
	at, skip int
	target   float64
}

// fill lets the hosts, in order of their keys, take the next free entries of their lists in turn. The host of the
// greatest share has a turn in each round, one of a third of that in each third.
func fill(table []int32, all []host) {
	for i := range table {
		table[i] = -1
	}
	most := 0.0
	lists := make([]preference, 0, len(all))
	for _, h := range all {
		most = max(most, h.share)
		at, skip := hashing.Preference(h.key, len(table))
		lists = append(lists, preference{host: h, at: at, skip: skip})
	}
	slices.SortFunc(lists, func(a, b preference) int { return strings.Compare(a.key, b.key) })
	for round, free := 1, len(table); free > 0 && len(all) > 0; round++ {
		for i := range lists {
			p := &lists[i]
			if free == 0 || float64(round)*p.share < p.target {
				continue
			}
			p.target += most
			for table[p.at] >= 0 {
				p.at = (p.at + p.skip) % len(table)
			}
			table[p.at] = p.row
			free--
		}
	}
}
