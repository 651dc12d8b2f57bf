package hashing

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var maglevRow = policy.Row{
	Info: policy.Info{Name: "maglev",
		Rule:   "the instance that a table has for the flow's hash; few entries change as instances come and go",
		Source: "Eisenbud et al., NSDI 2016, 3.4; the hash functions are Envoy's",
		Score:  "the table's entry", Sees: policy.T0,
		State: "the table, which has an instance for each entry",
		Cost:  "constant; the table is filled anew after a change",
		Deviates: "rules stand for the table of connections, and never forget; without rules there is no such " +
			"table; no weights"},
	Unit:     policy.Either,
	Dispatch: policy.ByEither,
	Tuple:    true,
	Reasons:  []string{"entry of the flow's hash"},
	Maker:    policy.Make(newMaglev),
}

type maglevOptions struct {
	Table int `yaml:"table" default:"65537" min:"2" max:"5000011"`
}

// Docs implements strictyaml.Documented.
func (maglevOptions) Docs() string {
	return `
table: entries of the table, a prime; some hundred times as many as instances
`
}

type maglev struct {
	table    []flow.Instance // by hash, modulo its length
	backends []backend       // in order of their keys
	stale    bool            // an instance has joined or left since the table was filled
}

func newMaglev(o maglevOptions, _ policy.Env) (policy.Policy, error) {
	return &maglev{table: make([]flow.Instance, o.Table)}, CheckTable(o.Table)
}

// CheckTable reports an error, which begins with the key table, if the length of a Maglev table, 2 or more, is no
// prime. The lists of preferences would not have all of its entries.
func CheckTable(entries int) error {
	for d := 2; d*d <= entries; d++ {
		if entries%d == 0 {
			return fmt.Errorf("table: %d, which is %d times %d: want a prime", entries, d, entries/d)
		}
	}
	return nil
}

// Observe follows the instances that join and leave.
func (g *maglev) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Joined:
		g.backends = append(g.backends, newBackend(v.IDs[e.Slot], len(g.table)))
		slices.SortFunc(g.backends, func(a, b backend) int { return strings.Compare(a.key, b.key) })
		g.stale = true
	case policy.Left:
		id := v.IDs[e.Slot]
		g.backends = slices.DeleteFunc(g.backends, func(b backend) bool { return b.id == id })
		g.stale = true
	}
}

func (g *maglev) Pick(w *policy.Work, v *policy.View, log *policy.Weighed) policy.Answer {
	if g.stale {
		fill(g.table, g.backends)
		g.stale = false
	}
	entry := w.Hash() % uint64(len(g.table))
	slot, _ := slices.BinarySearch(v.IDs, g.table[entry])
	log.Add(slot, float64(entry), true)
	return policy.Answer{Slot: slot}
}

// backend is an instance with its preference list: all entries of the table, skip apart, from offset on.
type backend struct {
	id           flow.Instance
	key          string
	offset, skip int
}

func newBackend(id flow.Instance, entries int) backend { return named(id, keyOf(id), entries) }

func named(id flow.Instance, key string, entries int) backend {
	offset, skip := Preference(key, entries)
	return backend{id, key, offset, skip}
}

// Preference is the entry of a Maglev table, of 2 or more, with which the list of an instance of that key begins, and
// by how many its next ones go on. The hash functions are Envoy's: xxHash64 of the key, and with seed 1.
func Preference(key string, entries int) (offset, skip int) {
	seeded := xxhash.NewWithSeed(1)
	seeded.WriteString(key)
	return int(xxhash.Sum64String(key) % uint64(entries)), int(seeded.Sum64()%uint64(entries-1)) + 1
}

// fill gives each backend in turn the first entry of its preference list that is still free, until none is.
func fill(table []flow.Instance, backends []backend) {
	clear(table)
	if len(backends) == 0 {
		return
	}
	next := make([]int, len(backends))
	for i, b := range backends {
		next[i] = b.offset
	}
	for n := 0; ; {
		for i := range backends {
			b := &backends[i]
			for table[next[i]] != 0 {
				next[i] = (next[i] + b.skip) % len(table)
			}
			table[next[i]] = b.id
			if n++; n == len(table) {
				return
			}
		}
	}
}
