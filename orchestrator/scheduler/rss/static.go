package rss

import (
	"github.com/smartinco/smartinco/flow"
	"github.com/smartinco/smartinco/orchestrator/policy"
)

var staticRow = policy.Row{
	Info: policy.Info{Name: "rss", Rule: "the instance that a table has for the flow's hash",
		Source: "Microsoft, Windows driver documentation, RSS; presets and length of the table: Pereira et al. " +
			"(Maestro), NSDI 2024, code 97df164b",
		Score: "the table's entry", Sees: policy.T0,
		State: "the table", Cost: "log n",
		Deviates: "flows that have a rule stay where they are when the table changes; for Maestro's keys under which " +
			"one address alone counts, that address alone is hashed; resize: minimal-move is a reconstruction"},
	Tuple:    true,
	Reasons:  []string{"entry of the flow's hash"},
	Counters: []string{"entries moved"},
	Maker:    policy.Make(newStatic),
}

// tableOptions are of an RSS table.
type tableOptions struct {
	Table  int    `yaml:"table" default:"512" min:"1" max:"65536"`
	Fields string `yaml:"fields" enum:"5tuple|sym5tuple|dstip|srcip" default:"5tuple"`
}

// Docs implements strictyaml.Documented.
func (tableOptions) Docs() string {
	return `
table: entries of the table. NICs have 128 or 512; the hash modulo this number is the entry
fields: what is hashed, with which key. 5tuple: addresses and ports, with Microsoft's key; sym5tuple: the same with the
	bytes 6d 5a repeated, so that both directions of a connection have one hash; dstip, srcip: one address alone
`
}

func (o tableOptions) new() indirection {
	return indirection{table: make([]flow.Instance, o.Table), hash: presets[o.Fields]}
}

type staticOptions struct {
	tableOptions `yaml:",inline"`
	Resize       string `yaml:"resize" enum:"minimal-move|modulo" default:"minimal-move"`
}

// Docs implements strictyaml.Documented.
func (staticOptions) Docs() string {
	return `
resize: what becomes of the table when instances come or go after the first flow. minimal-move: as few entries move as
	it takes for no instance to have two more than another; modulo: entry i is of instance i mod n again, as fastclick
	has it
`
}

// static is RSS with a table that changes with the number of instances alone.
type static struct {
	indirection
	modulo bool
	moved  *uint64
	before []flow.Instance
}

func newStatic(o staticOptions, env policy.Env) (policy.Policy, error) {
	return &static{indirection: o.new(), modulo: o.Resize == "modulo", moved: &env.Counts[0]}, nil
}

// Observe deals the buckets out anew until the first unit is placed, and then as the option says.
func (s *static) Observe(e *policy.Event, v *policy.View) {
	switch e.Kind {
	case policy.Placed:
		s.begun = true
	case policy.Joined, policy.Left:
		s.before = append(s.before[:0], s.table...)
		if s.modulo || !s.begun {
			s.deal(remain(e, v))
		} else {
			s.level(remain(e, v))
		}
		for b, id := range s.before {
			if s.begun && id != s.table[b] {
				*s.moved++
			}
		}
	}
}
